#include "tracer/trace_log.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/platform.h"
#include "tracer/console.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

constexpr size_t BUFFER = 1 << 16;
constexpr uint64_t FLUSH_AFTER_NS = 200'000'000;

constexpr std::pair<const char*, uint32_t> CLASSES[] = {
    {"%desc", C_DESC},
    {"%file", C_FILE},
    {"%memory", C_MEMORY},
    {"%process", C_PROCESS},
    {"%signal", C_SIGNAL},
    {"%ipc", C_IPC},
    {"%network", C_NETWORK},
    {"%net", C_NETWORK},
    {"%creds", C_CREDS},
    {"%clock", C_CLOCK},
    {"%pure", C_PURE},
    {"%stat", C_STAT},
    {"%lstat", C_LSTAT},
    {"%fstat", C_FSTAT},
    {"%statfs", C_STATFS},
    {"%fstatfs", C_FSTATFS},
    {"%%stat", C_STAT | C_LSTAT | C_FSTAT},
    {"%%statfs", C_STATFS | C_FSTATFS},
};

// Marks what one element of a list names: open, %network, ?maybe, all.
void select(std::string_view element, const std::string& expr, std::vector<bool>& calls) {
  const bool optional = element.starts_with('?');
  if (optional) element.remove_prefix(1);
  if (element == "all" || element == "none") {
    calls.assign(calls.size(), element == "all");
    return;
  }
  for (const auto& [name, bits] : CLASSES) {
    if (element != name) continue;
    for (size_t nr = 0; nr < calls.size(); ++nr)
      if ((syscall_spec(static_cast<int64_t>(nr)).classes & bits) != 0) calls[nr] = true;
    return;
  }
  const SyscallSpec* spec = syscall_by_name(std::string(element).c_str());
  if (spec != nullptr)
    calls[static_cast<size_t>(spec->nr)] = true;
  else if (!optional)
    start_error("-e {}: there is no system call or class '{}'", expr, element);
}

}  // namespace

TraceLog::TraceLog(const std::string& path) : path_(path) {
  const int fd = path == "-" ? fcntl(2, F_DUPFD_CLOEXEC, 3)
                             : open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) start_error("-o {}: {}", path, strerror(errno));
  file_ = OwnedFd(fd);
}

TraceLog::~TraceLog() { flush(); }

void TraceLog::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= BUFFER)
    flush();
  else if (!flush_soon_.armed())
    flush_soon_.arm(platform().monotonic_ns() + FLUSH_AFTER_NS);
}

void TraceLog::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t n = ::write(file_.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {  // disk full: the run is worth more than its log
      if (!std::exchange(incomplete_, true))
        host_message(fmt::format("-o {}: {}: the log is incomplete", path_, strerror(errno)));
      break;
    }
    rest.remove_prefix(static_cast<size_t>(n));
  }
  buffer_.clear();
  flush_soon_.disarm();
}

std::vector<bool> selected_calls(const std::vector<std::string>& exprs) {
  std::vector<bool> calls;
  for (const std::string& expr : exprs) {
    std::string_view list = expr;
    for (std::string_view prefix : {"trace=", "t="})
      if (list.starts_with(prefix)) list.remove_prefix(prefix.size());
    const bool negated = list.starts_with('!');
    if (negated) list.remove_prefix(1);
    calls.assign(MAX_SYSCALL, false);  // the last expression counts, as in strace
    while (!list.empty()) {
      const size_t comma = std::min(list.find(','), list.size());
      if (comma != 0) select(list.substr(0, comma), expr, calls);
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
    if (negated) calls.flip();
  }
  return calls;
}

TraceOptions trace_options(const Options& options) {
  using Stamp = TraceOptions::Stamp;
  static constexpr Stamp STAMPS[] = {Stamp::NONE, Stamp::CLOCK, Stamp::CLOCK_US, Stamp::EPOCH_US};
  TraceOptions t;
  t.string_limit = options.trace_strsize;
  t.stamp = STAMPS[options.trace_timestamps];
  t.duration = options.trace_syscall_times;
  t.calls = selected_calls(options.trace_exprs);
  return t;
}

}  // namespace starry
