// prctl(2) and arch_prctl(2): what the arguments mean depends on the option.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "emulated_kernel/trace/printer.h"

namespace starry::trace {

void format_ARCH_PRCTL_ARG(Printer& p) {
  const char* code = value_name(FlagFamily::arch_prctl_code, static_cast<int64_t>(p.arg(0)));
  std::string_view name = code != nullptr ? code : "";
  if (name == "ARCH_GET_FS" || name == "ARCH_GET_GS") {
    if (p.entry()) {
      p.defer();
      return;
    }
    uint64_t v = 0;
    if (p.failed()) {
      p.address(p.value());
    } else if (p.load(p.value(), v)) {
      p.put("[");
      p.address(v);
      p.put("]");
    }
  } else if (name == "ARCH_GET_CPUID") {
    p.omit();
  } else {
    p.number_hex(p.value());
  }
}

namespace {

// The second argument.
enum class Arg2 : uint8_t {
  NONE,  // and no others
  HEX,
  UNSIGNED,
  SIGNED,
  NAME,
  FLAGS,
  STRING,
  SIGNAL,
  PTRACER,
  LENGTH,  // of a vector, with flags
  OUT_STRING,
  OUT_SIGNAL,
  OUT_UINT,
  OUT_NAME,
  OUT_FLAGS,
  OUT_PTR,
};
enum class Rest : uint8_t { HIDDEN, SHOWN };

struct PrctlForm {
  int option;
  Arg2 arg2;
  FlagFamily family = FlagFamily::prctl_option;  // of NAME, FLAGS and their relatives
  Rest rest = Rest::HIDDEN;                      // the arguments behind
};

constexpr PrctlForm FORMS[] = {
    {PR_GET_DUMPABLE, Arg2::NONE},
    {PR_GET_KEEPCAPS, Arg2::NONE},
    {PR_GET_TIMERSLACK, Arg2::NONE},
    {PR_GET_SECUREBITS, Arg2::NONE},
    {PR_GET_SECCOMP, Arg2::NONE},
    {PR_GET_TIMING, Arg2::NONE},
    {PR_GET_FP_MODE, Arg2::NONE},
    {PR_SVE_GET_VL, Arg2::NONE},
    {PR_SME_GET_VL, Arg2::NONE},
    {PR_TASK_PERF_EVENTS_DISABLE, Arg2::NONE},
    {PR_TASK_PERF_EVENTS_ENABLE, Arg2::NONE},
    {PR_SET_NAME, Arg2::STRING},
    {PR_GET_NAME, Arg2::OUT_STRING},
    {PR_SET_PDEATHSIG, Arg2::SIGNAL},
    {PR_GET_PDEATHSIG, Arg2::OUT_SIGNAL},
    {PR_GET_CHILD_SUBREAPER, Arg2::OUT_UINT},
    {PR_GET_ENDIAN, Arg2::OUT_UINT},
    {PR_GET_FPEMU, Arg2::OUT_UINT},
    {PR_GET_FPEXC, Arg2::OUT_UINT},
    {PR_GET_TSC, Arg2::OUT_NAME, FlagFamily::prctl_tsc},
    {PR_GET_UNALIGN, Arg2::OUT_FLAGS, FlagFamily::prctl_unalign},
    {PR_GET_TID_ADDRESS, Arg2::OUT_PTR},
    {PR_SET_DUMPABLE, Arg2::NAME, FlagFamily::prctl_dumpable},
    {PR_SET_TSC, Arg2::NAME, FlagFamily::prctl_tsc},
    {PR_SET_UNALIGN, Arg2::FLAGS, FlagFamily::prctl_unalign},
    {PR_SET_FP_MODE, Arg2::FLAGS, FlagFamily::prctl_fp_mode},
    {PR_CAPBSET_READ, Arg2::NAME, FlagFamily::capability},
    {PR_CAPBSET_DROP, Arg2::NAME, FlagFamily::capability},
    {PR_SET_SECUREBITS, Arg2::FLAGS, FlagFamily::securebits},
    {PR_SET_PTRACER, Arg2::PTRACER},
    {PR_SVE_SET_VL, Arg2::LENGTH, FlagFamily::prctl_vector_length},
    {PR_SME_SET_VL, Arg2::LENGTH, FlagFamily::prctl_vector_length},
    {PR_SET_TIMERSLACK, Arg2::SIGNED},
    {PR_SET_KEEPCAPS, Arg2::UNSIGNED},
    {PR_SET_TIMING, Arg2::UNSIGNED},
    {PR_SET_ENDIAN, Arg2::UNSIGNED},
    {PR_SET_FPEMU, Arg2::UNSIGNED},
    {PR_SET_FPEXC, Arg2::UNSIGNED},
    {PR_SET_CHILD_SUBREAPER, Arg2::UNSIGNED},
    {PR_SET_NO_NEW_PRIVS, Arg2::UNSIGNED, FlagFamily::prctl_option, Rest::SHOWN},
    {PR_SET_THP_DISABLE, Arg2::UNSIGNED, FlagFamily::prctl_option, Rest::SHOWN},
    {PR_SET_IO_FLUSHER, Arg2::UNSIGNED, FlagFamily::prctl_option, Rest::SHOWN},
    {PR_SET_SECCOMP, Arg2::NAME, FlagFamily::prctl_seccomp_mode, Rest::SHOWN},
    {PR_CAP_AMBIENT, Arg2::NAME, FlagFamily::prctl_cap_ambient, Rest::SHOWN},
    {PR_MCE_KILL, Arg2::NAME, FlagFamily::prctl_mce_kill, Rest::SHOWN},
    {PR_SET_MM, Arg2::NAME, FlagFamily::prctl_mm, Rest::SHOWN},
    {PR_SET_VMA, Arg2::NAME, FlagFamily::prctl_vma, Rest::SHOWN},
    {PR_GET_SPECULATION_CTRL, Arg2::NAME, FlagFamily::prctl_spec},
    {PR_SET_SPECULATION_CTRL, Arg2::NAME, FlagFamily::prctl_spec, Rest::SHOWN},
    {PR_PAC_RESET_KEYS, Arg2::FLAGS, FlagFamily::prctl_pac_keys, Rest::SHOWN},
    {PR_PAC_SET_ENABLED_KEYS, Arg2::FLAGS, FlagFamily::prctl_pac_keys, Rest::SHOWN},
    {PR_SET_TAGGED_ADDR_CTRL, Arg2::FLAGS, FlagFamily::prctl_tagged_addr, Rest::SHOWN},
    {PR_SET_SYSCALL_USER_DISPATCH, Arg2::NAME, FlagFamily::prctl_dispatch, Rest::SHOWN},
    {PR_SCHED_CORE, Arg2::NAME, FlagFamily::prctl_sched_core, Rest::SHOWN},
};
// Others are shown as five numbers.
constexpr PrctlForm OTHERS{-1, Arg2::HEX, FlagFamily::prctl_option, Rest::SHOWN};

const PrctlForm& form_of(uint64_t option) {
  const auto* f = std::find_if(std::begin(FORMS), std::end(FORMS),
                               [&](const PrctlForm& x) { return static_cast<uint64_t>(x.option) == option; });
  return f != std::end(FORMS) ? *f : OTHERS;
}

// An output through arg2: waits for the exit, then loads an integer of type T.
template <class T, class F>
void print_prctl_out(Printer& p, F&& show) {
  if (p.entry()) {
    p.defer();
    return;
  }
  T v{};
  if (p.failed()) {
    p.address(p.value());
  } else if (p.load(p.value(), v)) {
    p.put("[");
    show(v);
    p.put("]");
  }
}

void print_vector_length(Printer& p, FlagFamily family, uint64_t v) {
  constexpr uint64_t LENGTH = 0xffff;
  if ((v & ~LENGTH) != 0) {
    p.flags(family, v & ~LENGTH);
    p.put("|");
  }
  if (v == 0)
    p.put("0");
  else
    p.hex(v & LENGTH);
}

constexpr size_t COMM_LEN = 15;

}  // namespace

void format_PRCTL_ARG2(Printer& p) {
  constexpr uint64_t LAST_SIGNAL = 128;
  const PrctlForm& form = form_of(p.arg(0));
  const uint64_t v = p.value();
  switch (form.arg2) {
    case Arg2::NONE:
      p.omit();
      break;
    case Arg2::HEX:
      p.number_hex(v);
      break;
    case Arg2::UNSIGNED:
      p.print("{}", v);
      break;
    case Arg2::SIGNED:
      p.print("{}", static_cast<int64_t>(v));
      break;
    case Arg2::NAME:
      p.name(form.family, v);
      break;
    case Arg2::FLAGS:
      p.flags(form.family, v);
      // strace says so when there are no tag checks.
      if (form.family == FlagFamily::prctl_tagged_addr && (v & 6) == 0) p.put("|PR_MTE_TCF_NONE");
      break;
    case Arg2::STRING:
      p.c_string(v, COMM_LEN);
      break;
    case Arg2::SIGNAL:
      if (v > LAST_SIGNAL)
        p.print("{}", v);
      else
        print_signal_or_zero(p, v);
      break;
    case Arg2::PTRACER:
      if (static_cast<uint32_t>(v) == UINT32_MAX)
        p.put("PR_SET_PTRACER_ANY");
      else
        p.print("{}", static_cast<int64_t>(v));
      break;
    case Arg2::LENGTH:
      print_vector_length(p, form.family, v);
      break;
    case Arg2::OUT_STRING:
      if (p.entry())
        p.defer();
      else if (p.failed())
        p.address(v);
      else
        p.c_string(v, COMM_LEN + 1);
      break;
    case Arg2::OUT_SIGNAL:
      print_prctl_out<int32_t>(p, [&](int32_t s) { print_signal_or_zero(p, static_cast<uint32_t>(s)); });
      break;
    case Arg2::OUT_UINT:
      print_prctl_out<uint32_t>(p, [&](uint32_t i) { p.print("{}", i); });
      break;
    case Arg2::OUT_NAME:
      print_prctl_out<uint32_t>(p, [&](uint32_t i) { p.name(form.family, i); });
      break;
    case Arg2::OUT_FLAGS:
      print_prctl_out<uint32_t>(p, [&](uint32_t i) { p.flags(form.family, i); });
      break;
    case Arg2::OUT_PTR:
      print_prctl_out<uint64_t>(p, [&](uint64_t a) { p.address(a); });
      break;
  }
}

namespace {

void print_filter(Printer& p) {
  sock_fprog f;
  if (p.load(p.value(), f)) p.print("{{len={}, filter={}}}", f.len, static_cast<const void*>(f.filter));
}

// Third to fifth argument. False: shown as a number.
bool print_special_arg(Printer& p) {
  const uint64_t v = p.value(), operation = p.arg(1);
  const bool third = p.index == 2;
  switch (p.arg(0)) {
    case PR_CAP_AMBIENT:
      if (!third || operation < PR_CAP_AMBIENT_IS_SET || operation > PR_CAP_AMBIENT_LOWER) return false;
      p.name(FlagFamily::capability, v);
      return true;
    case PR_SET_SECCOMP:
      if (operation == SECCOMP_MODE_FILTER && third)
        print_filter(p);
      else if (operation == SECCOMP_MODE_STRICT || operation == SECCOMP_MODE_FILTER)
        p.omit();
      else
        return false;
      return true;
    case PR_MCE_KILL:
      if (!third || operation != PR_MCE_KILL_SET) return false;
      p.name(FlagFamily::prctl_mce_policy, v);
      return true;
    case PR_SET_SPECULATION_CTRL:
      if (!third)
        p.omit();
      else if (operation <= PR_SPEC_L1D_FLUSH)
        p.name(FlagFamily::prctl_spec_set, v);
      else
        p.number_hex(v);
      return true;
    case PR_PAC_SET_ENABLED_KEYS:
      if (!third) return false;
      p.flags(FlagFamily::prctl_pac_keys, v);
      return true;
    case PR_SET_SYSCALL_USER_DISPATCH:
      if (p.index != 4) return false;
      p.address(v);
      return true;
    case PR_SET_VMA:
      if (operation != PR_SET_VMA_ANON_NAME) return false;
      if (third)
        p.address(v);
      else if (p.index == 3)
        p.print("{}", v);
      else
        p.c_string(v, p.opt.string_limit);
      return true;
    case PR_SCHED_CORE:
      if (third) {
        p.print("{}", static_cast<int32_t>(v));
      } else if (p.index == 3) {
        p.number_hex(static_cast<uint32_t>(v));
        const char* name = value_name(FlagFamily::prctl_pidtype, static_cast<int64_t>(v & UINT32_MAX));
        p.print(" /* {} */", name != nullptr ? name : "PIDTYPE_???");
      } else if (operation == PR_SCHED_CORE_GET) {
        print_prctl_out<uint64_t>(p, [&](uint64_t cookie) { p.hex(cookie); });
      } else {
        p.address(v);
      }
      return true;
    default:
      return false;
  }
}

}  // namespace

void format_SECCOMP_FLAGS(Printer& p) {
  if (p.arg(0) == SECCOMP_SET_MODE_FILTER)
    p.flags(FlagFamily::seccomp_filter_flags, p.value());
  else
    p.number_hex(p.value());
}

void format_SECCOMP_ARG(Printer& p) {
  switch (p.arg(0)) {
    case SECCOMP_SET_MODE_FILTER:
      print_filter(p);
      break;
    case SECCOMP_GET_ACTION_AVAIL: {
      uint32_t action;
      if (!p.load(p.value(), action)) break;
      p.put("[");
      p.name(FlagFamily::seccomp_action, action);
      p.put("]");
      break;
    }
    case SECCOMP_GET_NOTIF_SIZES: {
      if (p.entry()) {
        p.defer();
        break;
      }
      seccomp_notif_sizes s;
      if (p.failed())
        p.address(p.value());
      else if (p.load(p.value(), s))
        p.print("{{seccomp_notif={}, seccomp_notif_resp={}, seccomp_data={}}}", s.seccomp_notif,
                s.seccomp_notif_resp, s.seccomp_data);
      break;
    }
    default:
      p.address(p.value());
      break;
  }
}

void format_PRCTL_ARG(Printer& p) {
  if (form_of(p.arg(0)).rest == Rest::HIDDEN)
    p.omit();
  else if (!print_special_arg(p))
    p.number_hex(p.value());
}

}  // namespace starry::trace
