#include "emulated_kernel/trace/line_writer.h"

#include <fmt/format.h>
#include <time.h>

#include <iterator>
#include <utility>

namespace starry::trace {

namespace {
constexpr uint64_t NS_PER_SEC = 1'000'000'000, NS_PER_US = 1000;
}

void LineWriter::add(std::string_view text) {
  text_ += text;
  column_ += text.size();
}

void LineWriter::stamp(uint64_t realtime_ns) {
  const uint64_t sec = realtime_ns / NS_PER_SEC, us = realtime_ns % NS_PER_SEC / NS_PER_US;
  switch (options_.stamp) {
    case TraceOptions::Stamp::NONE:
      return;
    case TraceOptions::Stamp::CLOCK:
    case TraceOptions::Stamp::CLOCK_US: {
      auto t = static_cast<time_t>(sec);
      tm parts{};
      gmtime_r(&t, &parts);
      add(fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec));
      add(options_.stamp == TraceOptions::Stamp::CLOCK_US ? fmt::format(".{:06} ", us) : " ");
      return;
    }
    case TraceOptions::Stamp::EPOCH_US:
      add(fmt::format("{}.{:06} ", sec, us));
      return;
    case TraceOptions::Stamp::RELATIVE: {
      uint64_t delta = last_ns_ == 0 ? 0 : realtime_ns - last_ns_;
      last_ns_ = realtime_ns;
      add(fmt::format("{:6}.{:06} ", delta / NS_PER_SEC, delta % NS_PER_SEC / NS_PER_US));
      return;
    }
  }
}

void LineWriter::begin(const void* owner, pid_t tid, uint64_t realtime_ns) {
  if (open_ != nullptr) end_line(" <unfinished ...>");
  open_ = owner;
  column_ = 0;
  add(fmt::format("{:<5} ", tid));
  stamp(realtime_ns);
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

void LineWriter::flush() {
  if (text_.empty()) return;
  sink_.write(text_);
  text_.clear();
}

}  // namespace starry::trace
