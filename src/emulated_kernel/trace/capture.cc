#include "emulated_kernel/trace/capture.h"

#include <algorithm>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/trace/printer.h"
#include "emulated_kernel/trace/render.h"

namespace starry::trace {
namespace {

constexpr size_t MAX_STRUCT = 64 * 1024;  // bytes noted of one argument; more is not shown either
constexpr size_t MAX_DUMP = 1 << 20;      // of a buffer for -e read= and write=
constexpr size_t MAX_PATH = 4096;

// Reads the guest and writes down what it has read.
class RecordingMemory final : public MemoryView {
 public:
  RecordingMemory(GuestView& guest, const TraceOptions& opt, RecordBuilder& record)
      : guest_(guest), opt_(opt), record_(record) {}

  size_t read_some(uint64_t addr, void* dst, size_t n) override {
    const size_t got = guest_.read_some(addr, dst, n);
    if (got != 0) record_.add(RecordItem::MEMORY, addr, {static_cast<const char*>(dst), got});
    return got;
  }
  std::string fd_text(int fd) override {
    if (!opt_.wants_fd_texts()) return {};
    if (guest_.fd_is(fd, opt_.paths)) matched = true;
    std::string text = guest_.fd_text(fd);
    if (!text.empty()) record_.add(RecordItem::FD, static_cast<uint32_t>(fd), text);
    return text;
  }
  void note_string(uint64_t addr, size_t max) {
    const std::string s = addr != 0 ? guest_.c_string(addr, max) : std::string();
    if (s.empty()) return;
    record_.add(RecordItem::MEMORY, addr, s);
    const std::string_view text = std::string_view(s).substr(0, s.find('\0'));
    if (std::find(opt_.paths.begin(), opt_.paths.end(), text) != opt_.paths.end()) matched = true;
  }
  void note_bytes(uint64_t addr, size_t n) {
    buffer_.resize(n);
    if (addr != 0 && n != 0) (void)read_some(addr, buffer_.data(), n);
  }

  bool matched = false;  // something is one of -P's paths

 private:
  GuestView& guest_;
  const TraceOptions& opt_;
  RecordBuilder& record_;
  std::string buffer_;
};

class Capture {
 public:
  Capture(const CallEvent& call, CallState& state, GuestView& guest, const TraceOptions& opt,
          RecordBuilder& record)
      : memory(guest, opt, record), printer_(scratch_, call, state, memory, opt) {}

  // One argument. False: it waits for the exit.
  bool note(int index, Phase phase) {
    const ArgSpec& spec = printer_.spec.args[index].spec;
    printer_.index = index;
    printer_.phase = phase;
    if (spec.fmt != Fmt::NONE && (is_deep(spec.fmt) || printer_.opt.wants_fd_texts())) {
      scratch_.clear();
      arg_formatter(spec.fmt)(printer_);
      printer_.take_omitted();
      return !printer_.take_deferred();
    }
    note_plain(spec);
    return true;
  }
  void note_plain(const ArgSpec& spec) {
    const uint64_t addr = printer_.value();
    const size_t limit = printer_.opt.string_limit;
    switch (spec.kind) {
      case Kind::PATH:
        memory.note_string(addr, MAX_PATH);
        break;
      case Kind::STR:
        memory.note_string(addr, limit + 1);
        break;
      case Kind::BUF_IN:
        memory.note_bytes(addr, std::min<uint64_t>(count(spec), shown_bytes(printer_.opt.dump_writes)));
        break;
      case Kind::BUF_OUT: {
        const auto filled = static_cast<uint64_t>(printer_.call.value);
        if (!printer_.failed() && filled <= count(spec))
          memory.note_bytes(addr, std::min<uint64_t>(filled, shown_bytes(printer_.opt.dump_reads)));
        break;
      }
      case Kind::STRUCT_OUT:
        if (printer_.failed() && printer_.call.err < ERESTARTSYS && printer_.call.err != EINTR) break;
        [[fallthrough]];
      case Kind::STRUCT_IN:
      case Kind::STRUCT_INOUT: {
        constexpr uint64_t MANY = UINT32_MAX;
        memory.note_bytes(addr, std::min<uint64_t>(spec.elem_size * std::min(count(spec), MANY), MAX_STRUCT));
        break;
      }
      case Kind::FD:
      case Kind::DIRFD:
        (void)memory.fd_text(printer_.int_value());
        break;
      default:
        break;
    }
  }

  RecordingMemory memory;

 private:
  uint64_t count(const ArgSpec& spec) const { return spec.len_arg < 0 ? 1 : printer_.arg(spec.len_arg); }
  size_t shown_bytes(const NumberSet& dumped) const {
    return dumped.has(static_cast<int>(printer_.arg(0))) ? MAX_DUMP : printer_.opt.string_limit;
  }

  std::string scratch_;
  Printer printer_;
};

}  // namespace

bool capture_entry(const CallEvent& call, CallState& state, GuestView& guest, const TraceOptions& opt,
                   RecordBuilder& record) {
  state = CallState{};
  const SyscallSpec& spec = syscall_spec(call.nr);
  Capture capture(call, state, guest, opt, record);
  if (spec.ret == RetKind::SIGRETURN) capture.memory.note_bytes(call.args[0], sizeof(uint64_t));
  save_entry_values(spec, call, state, capture.memory);
  int i = 0;
  for (; i < spec.nargs; ++i)
    if (spec.args[i].spec.is_output() || !capture.note(i, Phase::ENTRY)) break;
  state.next_arg = i;
  if (opt.paths.empty()) return true;
  // Descriptors behind the first output count too: accept(2) has none, splice(2) may.
  for (; i < spec.nargs; ++i)
    if (const Kind k = spec.args[i].spec.kind; k == Kind::FD || k == Kind::DIRFD || k == Kind::PATH)
      (void)capture.note(i, Phase::ENTRY);
  return capture.memory.matched;
}

void capture_exit(const CallEvent& call, CallState& state, GuestView& guest, const TraceOptions& opt,
                  RecordBuilder& record) {
  const SyscallSpec& spec = syscall_spec(call.nr);
  Capture capture(call, state, guest, opt, record);
  for (int i = 0; i < spec.nargs; ++i) {
    const bool changed = spec.args[i].spec.kind == Kind::STRUCT_INOUT;
    if (i >= state.next_arg)
      (void)capture.note(i, Phase::EXIT);
    else if ((state.notes >> i & 1) != 0)
      (void)capture.note(i, Phase::NOTE);
    else if (changed)
      capture.note_plain(spec.args[i].spec);
  }
  if (call.err == 0 && (spec.ret == RetKind::FD || spec.ret == RetKind::FCNTL))
    (void)capture.memory.fd_text(static_cast<int>(call.value));
}

}  // namespace starry::trace
