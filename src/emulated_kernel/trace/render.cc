#include "emulated_kernel/trace/render.h"

#include <sys/prctl.h>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/trace/printer.h"

namespace starry::trace {

namespace {

constexpr int64_t MAX_ERRNO = 4095;
constexpr FormatFn FORMATS[] = {
    nullptr,
#define ARG_FORMAT(name, size) &format_##name,
#include "emulated_kernel/abi/arg_formats.def"
#undef ARG_FORMAT
};

constexpr bool DEEP[] = {
    false,
#define ARG_FORMAT(name, size) false,
#define DEEP_FORMAT(name, size) true,
#include "emulated_kernel/abi/arg_formats.def"
#undef ARG_FORMAT
};

}  // namespace

FormatFn arg_formatter(Fmt fmt) { return FORMATS[static_cast<size_t>(fmt)]; }
bool is_deep(Fmt fmt) { return DEEP[static_cast<size_t>(fmt)]; }

namespace {

// Bytes of a buffer that the call has filled.
void print_out_buffer(Printer& p) {
  const ArgSpec& spec = p.spec.args[p.index].spec;
  uint64_t room = p.arg(spec.len_arg);
  // A result larger than the buffer tells the size that is needed (getxattr(2) with size 0).
  if (p.failed() || static_cast<uint64_t>(p.call.value) > room)
    p.address(p.value());
  else
    p.bytes(p.value(), static_cast<uint64_t>(p.call.value));
}

void print_by_kind(Printer& p) {
  const SyscallSpec::Arg& arg = p.spec.args[p.index];
  const uint64_t v = p.value();
  const auto family = static_cast<FlagFamily>(arg.spec.flags_id);
  switch (arg.spec.kind) {
    case Kind::INT:
    case Kind::LONG:
    case Kind::PID:
      if (arg.size == 4)
        p.print("{}", static_cast<int32_t>(v));
      else
        p.print("{}", static_cast<int64_t>(v));
      break;
    case Kind::UINT:
    case Kind::ULONG:
      p.print("{}", v);
      break;
    case Kind::HEX:
      p.number_hex(v);
      break;
    case Kind::OCT:
      p.octal(static_cast<uint32_t>(v));
      break;
    case Kind::PTR:
      p.address(v);
      break;
    case Kind::FD:
      p.fd(p.int_value());
      break;
    case Kind::DIRFD:
      p.dirfd(p.int_value());
      break;
    case Kind::PATH:
      p.path(v);
      break;
    case Kind::STR:
      p.c_string(v, p.opt.string_limit);
      break;
    case Kind::BUF_IN:
      p.bytes(v, p.arg(arg.spec.len_arg));
      break;
    case Kind::BUF_OUT:
      print_out_buffer(p);
      break;
    case Kind::FLAGS:
      if (family == FlagFamily::open_flags)
        print_open_flags(p, v);
      else
        p.flags(family, v);
      break;
    case Kind::ENUM:
      p.name(family, v);
      break;
    case Kind::SIGNO:
      p.signal(p.int_value());
      break;
    case Kind::UID:
      p.uid(static_cast<uint32_t>(v));
      break;
    case Kind::STRUCT_IN:
    case Kind::STRUCT_OUT:
    case Kind::STRUCT_INOUT:
      p.address(v);
      break;
  }
}

void print_arg(Printer& p) {
  const SyscallSpec::Arg& arg = p.spec.args[p.index];
  if (p.opt.raw.has(p.call.nr)) return p.number_hex(p.value());
  const bool pointer = arg.spec.kind == Kind::STRUCT_IN || arg.spec.kind == Kind::STRUCT_OUT ||
                       arg.spec.kind == Kind::STRUCT_INOUT;
  if (pointer && !p.opt.decoded.has(p.call.nr)) return p.address(p.value());
  FormatFn format = FORMATS[static_cast<size_t>(p.spec.args[p.index].spec.fmt)];
  if (format != nullptr)
    format(p);
  else
    print_by_kind(p);
}

// args[0] is where the frame keeps the mask (the call itself has no arguments).
void print_sigreturn_mask(Printer& p) {
  uint64_t mask = 0;
  if (!p.mem.read(p.call.args[0], &mask, sizeof mask)) return;
  p.put("{mask=");
  print_signal_set(p, mask);
  p.put("}");
}

// Adds what has been printed from `begin` on to the text of this argument.
void keep_arg_text(Printer& p, size_t begin) {
  std::vector<std::string>& texts = p.state.arg_texts;
  const bool goes_on = p.phase == Phase::EXIT && p.index == p.state.resumed_arg && !texts.empty();
  if (!goes_on) texts.emplace_back();
  texts.back() += p.out.substr(begin);
}

// Shows arguments from `first` on until one has to wait for the exit. `joined`: a comma comes first.
void print_args(Printer& p, int first, bool joined) {
  for (int i = first; i < p.spec.nargs; ++i) {
    size_t before = p.out.size();
    if (joined) p.put(", ");
    p.index = i;
    p.state.next_arg = i;
    if (p.entry() && p.spec.args[i].spec.is_output() && !p.opt.raw.has(p.call.nr)) return;
    const size_t begin = p.out.size();
    print_arg(p);
    const bool omitted = p.take_omitted();
    if (p.opt.split_args && !omitted) keep_arg_text(p, begin);
    if (omitted)
      p.out.resize(before);
    else
      joined = true;
    if (p.take_deferred()) {
      if (p.out.size() > begin) p.state.resumed_arg = i;
      return;
    }
  }
  p.state.complete = true;
}

std::string note(Printer& p) {
  std::string text;
  Printer sub(text, p.call, p.state, p.mem, p.opt);
  sub.phase = Phase::NOTE;
  for (int i = 0; i < p.spec.nargs; ++i) {
    if ((p.state.notes >> i & 1) == 0) continue;
    sub.index = i;
    print_arg(sub);
  }
  return text;
}

void print_fcntl_result(Printer& p) {
  const char* cmd = value_name(FlagFamily::fcntl_cmd, static_cast<int64_t>(p.arg(1)));
  std::string_view command = cmd != nullptr ? cmd : "";
  auto v = static_cast<uint64_t>(p.call.value);
  if (command == "F_GETFL") {
    p.number_hex(v);
    p.put(" (flags ");
    p.names = XlatStyle::ABBREV;
    print_open_flags(p, v);
    p.put(")");
  } else if (command == "F_GETFD" || command == "F_GET_SEALS") {
    p.number_hex(v);
    if (v == 0) return;
    p.put(command == "F_GETFD" ? " (flags " : " (seals ");
    p.flags(command == "F_GETFD" ? FlagFamily::fcntl_fd_flags : FlagFamily::fcntl_seals, v);
    p.put(")");
  } else if (command == "F_GETLEASE") {
    p.number_hex(v);
    p.put(" (");
    p.name(FlagFamily::fcntl_lock_type, v);
    p.put(")");
  } else if (command == "F_GETSIG") {
    p.print("{}", v);
    if (v != 0) p.print(" ({})", signal_name(static_cast<int>(v)));
  } else if (command == "F_DUPFD" || command == "F_DUPFD_CLOEXEC") {
    p.fd(static_cast<int>(v));
  } else {
    p.print("{}", p.call.value);
  }
}

void print_noted(Printer& p, FlagFamily family) {
  p.print("{} (", p.call.value);
  p.name(family, static_cast<uint64_t>(p.call.value));
  p.put(")");
}

void print_prctl_result(Printer& p) {
  const auto v = static_cast<uint64_t>(p.call.value);
  const auto in_hex = [&](FlagFamily family) {
    p.hex(v);
    p.put(" (");
    p.flags(family, v);
    p.put(")");
  };
  const uint64_t option = p.arg(0);
  if (option == PR_GET_DUMPABLE)
    print_noted(p, FlagFamily::prctl_dumpable);
  else if (option == PR_MCE_KILL_GET)
    print_noted(p, FlagFamily::prctl_mce_policy);
  else if (option == PR_GET_SECUREBITS && v != 0)
    in_hex(FlagFamily::securebits);
  else if (option == PR_GET_SPECULATION_CTRL && p.arg(1) <= PR_SPEC_L1D_FLUSH)
    in_hex(FlagFamily::prctl_spec_state);
  else
    p.print("{}", p.call.value);
}

void print_success(Printer& p) {
  const int64_t v = p.call.value;
  switch (p.spec.ret) {
    case RetKind::FD:
      p.fd(static_cast<int>(v));
      break;
    case RetKind::DEC:
    case RetKind::IOCTL:
    case RetKind::RESTART:
      p.print("{}", v);
      break;
    case RetKind::SIGRETURN:
      // The restored rax: often the result of the call that the signal interrupted.
      if (v < 0 && v >= -MAX_ERRNO)
        p.print("-1 {}", error_text(static_cast<int>(-v)));
      else
        p.print("{}", v);
      break;
    case RetKind::HEX:
    case RetKind::PTR:
      p.number_hex(static_cast<uint64_t>(v));
      break;
    case RetKind::OCT:
      p.octal(static_cast<uint32_t>(v));
      break;
    case RetKind::VOID:
      p.put("?");
      break;
    case RetKind::SIGNO:
      p.print("{} ({})", v, signal_name(static_cast<int>(v)));
      break;
    case RetKind::FCNTL:
      print_fcntl_result(p);
      break;
    case RetKind::PRCTL:
      print_prctl_result(p);
      break;
    case RetKind::PERSONALITY:
      p.number_hex(static_cast<uint64_t>(v));
      p.put(" (");
      p.names = XlatStyle::ABBREV;
      p.name(FlagFamily::personality_type, static_cast<uint64_t>(v) & 0xff);
      p.more_flags(FlagFamily::personality_flags, static_cast<uint64_t>(v) & ~0xffULL);
      p.put(")");
      break;
    case RetKind::SCHED_POLICY:
      p.print("{} (", v);
      print_sched_policy(p, static_cast<uint32_t>(v));
      p.put(")");
      break;
    case RetKind::TIMEX:
      print_noted(p, FlagFamily::timex_state);
      break;
    case RetKind::TIME:
      p.print("{} (", v);
      append_date(p.out, v);
      p.put(")");
      break;
    case RetKind::IOPRIO:
      p.number_hex(static_cast<uint64_t>(v));
      p.put(" (");
      print_ioprio(p, static_cast<uint32_t>(v));
      p.put(")");
      break;
    case RetKind::MEMBARRIER:
      p.number_hex(static_cast<uint64_t>(v));
      if (p.arg(0) == 0 && v != 0) {
        p.put(" (");
        p.flags(FlagFamily::membarrier_cmd, static_cast<uint64_t>(v));
        p.put(")");
      }
      break;
  }
}

}  // namespace

void save_entry_values(const SyscallSpec& spec, const CallEvent& call, CallState& state, MemoryView& mem) {
  for (int i = 0; i < spec.nargs; ++i) {
    const ArgSpec& arg = spec.args[i].spec;
    if (arg.kind == Kind::STRUCT_INOUT && arg.elem_size <= 8 && arg.elem_size > 0 && arg.len_arg < 0)
      state.entry_valid[i] = mem.read(call.args[i], &state.entry_value[i], arg.elem_size);
  }
}

std::string render_entry(const CallEvent& call, CallState& state, MemoryView& mem, const TraceOptions& opt) {
  std::string text;
  Printer p(text, call, state, mem, opt);
  state = CallState{};
  if (p.spec.name == nullptr) {
    // Not in the table: strace shows such calls with six raw arguments.
    p.print("syscall_{:#x}({:#x}, {:#x}, {:#x}, {:#x}, {:#x}, {:#x}", static_cast<uint64_t>(call.nr),
            call.args[0], call.args[1], call.args[2], call.args[3], call.args[4], call.args[5]);
    state.complete = true;
    return text;
  }
  p.print("{}(", p.spec.name);
  if (p.spec.ret == RetKind::SIGRETURN) {
    print_sigreturn_mask(p);
    state.complete = true;
  } else if (p.spec.ret == RetKind::RESTART) {
    const char* name = syscall_spec(static_cast<int64_t>(call.args[0])).name;
    p.print("<... resuming interrupted {} ...>", name != nullptr ? name : "system call");
    state.complete = true;
  } else {
    save_entry_values(p.spec, call, state, mem);
    print_args(p, 0, false);
  }
  return text;
}

std::string render_exit(const CallEvent& call, CallState& state, MemoryView& mem, const TraceOptions& opt) {
  std::string text;
  if (state.complete) return text;
  Printer p(text, call, state, mem, opt);
  p.phase = Phase::EXIT;
  print_args(p, state.next_arg, false);
  return text;
}

std::string render_result(const CallEvent& call, CallState& state, MemoryView& mem, const TraceOptions& opt) {
  std::string text;
  Printer p(text, call, state, mem, opt);
  p.phase = Phase::EXIT;
  if (call.err >= ERESTARTSYS) return "? " + error_text(call.err);
  if (call.err != 0) return "-1 " + error_text(call.err);
  if (p.spec.name == nullptr) {
    p.number_hex(static_cast<uint64_t>(call.value));
    return text;
  }
  print_success(p);
  if (std::string extra = note(p); !extra.empty()) p.print(" ({})", extra);
  return text;
}

}  // namespace starry::trace
