#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "lexer.h"
#include "reader.h"
#include "tasks.h"

namespace starry::diff {
namespace {

namespace fs = std::filesystem;

std::string read_file(const std::string& path) {
  const int fd = path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw ReadError(path + ": " + strerror(errno));
  std::string text;
  struct stat st {};
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) text.reserve(static_cast<size_t>(st.st_size) + 1);
  constexpr size_t CHUNK = 1 << 20;
  for (;;) {
    const size_t had = text.size();
    text.resize(had + CHUNK);
    const ssize_t n = read(fd, text.data() + had, CHUNK);
    if (n < 0 && errno == EINTR) {
      text.resize(had);
      continue;
    }
    text.resize(had + static_cast<size_t>(n > 0 ? n : 0));
    if (n == 0) break;
    if (n < 0) {
      const int error = errno;
      if (fd != STDIN_FILENO) close(fd);
      throw ReadError(path + ": " + strerror(error));
    }
  }
  if (fd != STDIN_FILENO) close(fd);
  return text;
}

// FILE.1, FILE.2, ... of `strace -ff -o FILE`, by number.
std::vector<std::pair<int, std::string>> set_of(const std::string& path) {
  std::vector<std::pair<int, std::string>> files;
  const fs::path p(path);
  std::error_code error;
  const std::string base = p.filename().string() + ".";
  for (const auto& entry : fs::directory_iterator(p.has_parent_path() ? p.parent_path() : ".", error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(base)) continue;
    std::string_view tail = std::string_view(name).substr(base.size());
    int64_t pid = 0;
    if (take_number(tail, pid) && tail.empty() && pid > 0 && pid <= INT32_MAX)
      files.emplace_back(static_cast<int>(pid), entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void finish(Log& log, Strings& strings) {
  finish_tasks(log, strings, strings);
  log.events.shrink_to_fit();
}

void read_set(const std::vector<std::pair<int, std::string>>& files, Log& log, Strings& strings) {
  struct Part {
    int pid;
    std::string_view text;
  };
  // Read every file alone, then put the events of all in order of time; without times in order of files,
  // where each file begins when its task was created as far as the logs say.
  std::vector<Log> parts;
  for (const auto& [pid, path] : files) {
    Log part;
    part.files.push_back(std::make_shared<const std::string>(read_file(path)));
    read_strace(*part.files[0], part, strings, pid);
    parts.push_back(std::move(part));
  }
  struct At {
    int64_t time;
    uint32_t part, event;
  };
  std::vector<At> order;
  bool timed = true;
  for (uint32_t p = 0; p < parts.size(); p++)
    for (uint32_t e = 0; e < parts[p].events.size(); e++) {
      timed = timed && parts[p].events[e].start >= 0;
      order.push_back({parts[p].events[e].start, p, e});
    }
  if (timed)
    std::stable_sort(order.begin(), order.end(), [](const At& a, const At& b) { return a.time < b.time; });
  TaskBook book(log);
  for (const At& at : order) {
    Event e = parts[at.part].events[at.event];
    e.task = book.at(files[at.part].first);
    log.events.push_back(e);
    if (e.type == EventType::call && !e.has(EV_UNFINISHED)) book.created_by(e, strings[e.name]);
  }
  for (Log& part : parts) {
    for (BadLine& b : part.bad) log.report_bad(b.line, std::move(b.why));
    log.lines += part.lines;
    log.output_lines += part.output_lines;
    log.parts.push_back(std::make_shared<const Log>(std::move(part)));
  }
}

}  // namespace

std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

void set_result(Event& e, std::string_view ret, Strings& strings) {
  e.ret = ret;
  const Result r = parse_result(ret);
  e.number = r.has_number ? r.number : 0;
  e.error = r.error.empty() ? 0 : strings.intern(r.error);
  if (!r.error.empty())
    e.flags |= EV_FAILED;
  else
    e.flags &= static_cast<uint16_t>(~EV_FAILED);
}

namespace {

// Reads the text of one file in whatever form it is.
void read_whole(std::string text, Log& log, Strings& strings) {
  log.files.push_back(std::make_shared<const std::string>(std::move(text)));
  const std::string_view kept = *log.files[0];
  if (looks_like_json(kept)) {
    read_json(kept, log, strings);
  } else if (looks_like_kernel_log(kept)) {
    read_kernel_log(kept, log, strings);
  } else {
    log.format = "strace";
    read_strace(kept, log, strings);
  }
}

}  // namespace

Log read_text(std::string_view text, Strings& strings, const std::string& path) {
  Log log;
  log.path = path;
  read_whole(std::string(text), log, strings);
  finish(log, strings);
  return log;
}

Log read_log(const std::string& path, Strings& strings) {
  Log log;
  const bool set = path != "-" && !fs::exists(path);
  if (set) {
    const auto files = set_of(path);
    if (files.empty()) throw ReadError(path + ": " + strerror(ENOENT));
    log.format = "strace";
    read_set(files, log, strings);
  } else {
    read_whole(read_file(path), log, strings);
  }
  log.path = path;
  finish(log, strings);
  if (log.events.empty()) throw ReadError(path + ": no system call in it");
  return log;
}

std::string event_text(const Event& e, const Strings& strings) {
  const std::string_view name = strings[e.name];
  switch (e.type) {
    case EventType::signal:
    case EventType::stop:
      return fmt::format("--- {} ---", e.args);
    case EventType::exit:
    case EventType::killed:
    case EventType::exec:
      return fmt::format("+++ {} +++", e.args);
    case EventType::call:
      break;
  }
  if (e.has(EV_UNFINISHED)) return fmt::format("{}({} <unfinished ...>", name, e.args);
  if (e.has(EV_NO_ENTRY)) return fmt::format("<... {} resumed>{}) = {}", name, e.args, e.ret);
  return fmt::format("{}({}) = {}", name, e.args, e.ret);
}

}  // namespace starry::diff
