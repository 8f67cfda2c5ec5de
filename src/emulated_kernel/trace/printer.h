// What a formatter of one argument works with: the call, guest memory, and the text so far.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "emulated_kernel/abi/flag_families.h"
#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/trace/event.h"
#include "emulated_kernel/trace/names.h"

namespace starry::trace {

// ENTRY: the kernel has not touched memory yet. EXIT: the result is known. NOTE: the text in
// parentheses behind the result.
enum class Phase : uint8_t { ENTRY, EXIT, NOTE };

class Printer {
 public:
  Printer(std::string& text, const CallEvent& event, CallState& call_state, MemoryView& memory,
          const TraceOptions& options)
      : out(text),
        call(event),
        state(call_state),
        mem(memory),
        opt(options),
        spec(syscall_spec(event.nr)),
        abbreviated(options.abbreviates(event.nr)),
        names(options.names) {}

  std::string& out;
  const CallEvent& call;
  CallState& state;
  MemoryView& mem;
  const TraceOptions& opt;
  const SyscallSpec& spec;
  const bool abbreviated;  // structures are shown in part (off: -v)
  XlatStyle names;         // how names stand for numbers
  int index = 0;           // of the argument that is being shown
  Phase phase = Phase::ENTRY;

  // The argument, cut to its C type's size.
  uint64_t value() const { return arg(index); }
  uint64_t arg(int i) const {
    return spec.args[i].size == 4 ? static_cast<uint32_t>(call.args[i]) : call.args[i];
  }
  int int_value() const { return static_cast<int>(value()); }
  bool entry() const { return phase == Phase::ENTRY; }
  bool failed() const { return call.err != 0; }

  // Called by a formatter at entry: this argument is shown (or goes on) at exit.
  void defer() { deferred_ = true; }
  // This argument is not shown at all.
  void omit() { omitted_ = true; }
  // Called at entry: call me again with Phase::NOTE after the result of a successful call.
  void want_note() { state.notes |= 1u << index; }
  // Begins one item of the note.
  void note_item() {
    if (!out.empty()) out += ", ";
  }
  bool take_deferred() { return std::exchange(deferred_, false); }
  bool take_omitted() { return std::exchange(omitted_, false); }

  void put(std::string_view s) { out += s; }
  template <class... A>
  void print(fmt::format_string<A...> f, A&&... a) {
    fmt::format_to(std::back_inserter(out), f, std::forward<A>(a)...);
  }
  void address(uint64_t addr);                 // NULL or 0x...
  void hex(uint64_t v) { print("{:#x}", v); }  // callers print 0 as "0" through number_hex
  void number_hex(uint64_t v);                 // 0 or 0x...
  void octal(uint32_t mode);                   // 000, 0644
  // Named bits or one named value, in the style of -X; unknown ones are remembered in `state`.
  void flags(FlagFamily family, uint64_t v);
  // The same for a value of which a part has been printed: adds "|..." , nothing for 0.
  void more_flags(FlagFamily family, uint64_t v);
  void name(FlagFamily family, uint64_t v);
  void signal(int signo);
  // What -X chooses: `raw` prints it as it is, `show` for people; both: the second as a comment.
  template <class R, class F>
  void either(R&& raw, F&& show) {
    const XlatStyle style = names;
    if (style != XlatStyle::ABBREV) raw();
    if (style == XlatStyle::RAW) return;
    names = XlatStyle::ABBREV;
    if (style == XlatStyle::VERBOSE) put(" /* ");
    show();
    if (style == XlatStyle::VERBOSE) put(" */");
    names = style;
  }
  // A number whose names come from several families: `show` prints them.
  template <class F>
  void composite(uint64_t v, F&& show) {
    either([&] { number_hex(v); }, std::forward<F>(show));
  }
  void fd(int number);
  void dirfd(int number);
  void uid(uint32_t id);  // -1 as such

  // Loads memory behind `addr`; on failure (or NULL) shows the address and returns false.
  template <class T>
  bool load(uint64_t addr, T& v) {
    if (addr != 0 && mem.read(addr, &v, sizeof v)) return true;
    address(addr);
    return false;
  }
  // The same for this argument; an output of a call that failed is not loaded.
  template <class T>
  bool fetch(T& v) {
    return fetch_prefix(v, sizeof v);
  }
  // Loads only the first n bytes; the rest of `v` is left alone.
  template <class T>
  bool fetch_prefix(T& v, size_t n) {
    const Kind kind = spec.args[index].spec.kind;
    // strace looks at inputs of epoll_pwait(2) and epoll_pwait2(2) after the call, and not if it failed.
    const bool late = kind == Kind::STRUCT_IN && spec.args[1].spec.fmt == Fmt::EPOLL_EVENTS;
    const bool unset = phase == Phase::EXIT && failed() && (kind == Kind::STRUCT_OUT || late);
    if (!unset && value() != 0 && n <= sizeof v && mem.read(value(), &v, n)) return true;
    address(value());
    return false;
  }

  // A quoted string; in the style of -x and -xx, or every byte as \x...
  void quoted(std::string_view data, bool all_hex = false);
  // A quoted string from memory: `len` bytes, shortened to the limit of -s.
  void bytes(uint64_t addr, uint64_t len);
  void bytes_hex(uint64_t addr, uint64_t len);  // every byte as \x..
  // A NUL-terminated one; `limit` characters at most.
  void c_string(uint64_t addr, size_t limit);
  void path(uint64_t addr) { c_string(addr, 4096); }

  // Elements of an array joined with ", ": show(i) prints one and returns false to stop. No more than
  // the limit of -s are shown.
  template <class F>
  void array(uint64_t count, F&& show) {
    put("[");
    for (uint64_t i = 0; i < count; ++i) {
      if (i != 0) put(", ");
      if (abbreviated && i >= opt.string_limit) {
        put("...");
        break;
      }
      if (!show(i)) break;
    }
    put("]");
  }

 private:
  void note_unknown(FlagFamily family, uint64_t bits);
  bool deferred_ = false, omitted_ = false;
};

// Quotes `data` (strace's string_quote).
void append_quoted(std::string& out, std::string_view data, QuoteStyle style = QuoteStyle::C);
void append_octal(std::string& out, uint32_t mode);  // 000, 0644
// "2023-11-14T22:13:20+0000" (UTC), with a fraction of `digits` digits.
void append_date(std::string& out, int64_t sec, int64_t fraction = 0, int digits = 0);

#define ARG_FORMAT(name, size) void format_##name(Printer& p);
#include "emulated_kernel/abi/arg_formats.def"
#undef ARG_FORMAT

// The formatter of an argument; is_deep: only it knows which memory it reads.
using FormatFn = void (*)(Printer&);
FormatFn arg_formatter(Fmt fmt);
bool is_deep(Fmt fmt);

// Shared by formatters of several files.
void print_signal_set(Printer& p, uint64_t set);
void print_signal_or_zero(Printer& p, uint64_t signo);
void print_siginfo(Printer& p, const void* siginfo128);
void print_clock_t(Printer& p, uint64_t ticks);  // 7 /* 0.07 s */
void print_timespec(Printer& p, int64_t sec, int64_t nsec);
void print_timeval(Printer& p, int64_t sec, int64_t usec);
void print_open_flags(Printer& p, uint64_t flags);
void print_device(Printer& p, uint64_t dev);
void print_file_mode(Printer& p, uint32_t mode);  // S_IFREG|0644
void print_sockaddr(Printer& p, uint64_t addr, uint64_t len);
void print_sockaddr_bytes(Printer& p, const void* data, size_t len);
// `data_limit`: bytes of all buffers together that hold data (~0 when they are input).
void print_iovec(Printer& p, uint64_t addr, uint64_t count, uint64_t data_limit, bool buffers = true);
void print_sched_policy(Printer& p, uint32_t policy);
void print_ioprio(Printer& p, uint32_t ioprio);

}  // namespace starry::trace
