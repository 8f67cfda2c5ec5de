#include "emulated_kernel/trace/line_writer.h"

#include <fmt/format.h>
#include <time.h>

#include <iterator>
#include <utility>

namespace starry::trace {

namespace {
constexpr uint64_t NS_PER_SEC = 1'000'000'000;
}

void LineWriter::add(std::string_view text) {
  text_ += text;
  column_ += text.size();
}

std::string seconds_text(uint64_t ns, int digits) {
  std::string text = fmt::format("{}", ns / NS_PER_SEC);
  if (digits > 0) text += "." + fmt::format("{:09}", ns % NS_PER_SEC).substr(0, static_cast<size_t>(digits));
  return text;
}

void LineWriter::stamp(uint64_t realtime_ns) {
  const bool absolute = options_.stamp != TraceOptions::Stamp::NONE;
  if (options_.stamp == TraceOptions::Stamp::EPOCH) {
    add(seconds_text(realtime_ns, options_.stamp_digits) + " ");
  } else if (options_.stamp == TraceOptions::Stamp::CLOCK) {
    auto t = static_cast<time_t>(realtime_ns / NS_PER_SEC);
    tm parts{};
    localtime_r(&t, &parts);
    add(fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec));
    add(seconds_text(realtime_ns % NS_PER_SEC, options_.stamp_digits).substr(1) + " ");
  }
  if (!options_.relative) return;
  const uint64_t delta = last_ns_ == 0 || realtime_ns < last_ns_ ? 0 : realtime_ns - last_ns_;
  last_ns_ = realtime_ns;
  const std::string text = fmt::format("{:>6}", delta / NS_PER_SEC) +
                           seconds_text(delta % NS_PER_SEC, options_.relative_digits).substr(1);
  add(absolute ? "(+" + text + ") " : text + " ");
}

void LineWriter::begin(const void* owner, pid_t tid, uint64_t realtime_ns, int64_t nr) {
  if (open_ != nullptr) end_line(" <unfinished ...>");
  open_ = owner;
  column_ = 0;
  if (options_.pids) add(fmt::format("{:<5} ", tid));
  stamp(realtime_ns);
  if (options_.numbers) add(nr >= 0 ? fmt::format("[{:4}] ", nr) : "[????] ");
}

void LineWriter::finish_call(std::string_view result) {
  add(") ");
  const auto column = static_cast<size_t>(options_.column);
  if (column_ < column) add(std::string(column - column_, ' '));
  add("= ");
  end_line(result);
}

void LineWriter::end_line(std::string_view text) {
  add(text);
  add("\n");
  open_ = nullptr;
  flush();
}

void LineWriter::end_open() {
  if (open_ != nullptr) end_line(" <unfinished ...>");
  flush();
}

void LineWriter::flush() {
  if (text_.empty()) return;
  sink_.write(text_);
  text_.clear();
}

}  // namespace starry::trace
