// prctl(2) and arch_prctl(2): what the arguments mean depends on the option.
#include <sys/prctl.h>

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
      p.number_hex(v);
      p.put("]");
    }
  } else if (name == "ARCH_GET_CPUID") {
    p.omit();
  } else {
    p.number_hex(p.value());
  }
}

namespace {

// How prctl(2) uses its arguments: the first one's meaning and whether the others are shown.
enum class PrctlShape : uint8_t {
  NONE,
  RAW_ALL,
  NUMBER,
  NUMBER_ALL,
  NAME_IN,
  NAME_OUT,
  SIGNAL,
  INT_OUT,
  SIGNAL_OUT,
  PTR_OUT,
  DUMPABLE,
  CAPABILITY,
  AMBIENT,
  SECUREBITS,
  SECCOMP,
  PTRACER,
  MM,
  VMA,
  ZEROS
};

PrctlShape prctl_shape(uint64_t option) {
  switch (option) {
    case PR_GET_DUMPABLE:
    case PR_GET_KEEPCAPS:
    case PR_GET_TIMERSLACK:
    case PR_GET_SECUREBITS:
    case PR_GET_SECCOMP:
    case PR_GET_TIMING:
    case PR_TASK_PERF_EVENTS_DISABLE:
    case PR_TASK_PERF_EVENTS_ENABLE:
      return PrctlShape::NONE;
    case PR_SET_NAME:
      return PrctlShape::NAME_IN;
    case PR_GET_NAME:
      return PrctlShape::NAME_OUT;
    case PR_SET_PDEATHSIG:
      return PrctlShape::SIGNAL;
    case PR_GET_PDEATHSIG:
      return PrctlShape::SIGNAL_OUT;
    case PR_GET_CHILD_SUBREAPER:
    case PR_GET_TSC:
    case PR_GET_UNALIGN:
    case PR_GET_ENDIAN:
    case PR_GET_FPEMU:
    case PR_GET_FPEXC:
      return PrctlShape::INT_OUT;
    case PR_GET_TID_ADDRESS:
      return PrctlShape::PTR_OUT;
    case PR_SET_DUMPABLE:
      return PrctlShape::DUMPABLE;
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
      return PrctlShape::CAPABILITY;
    case PR_CAP_AMBIENT:
      return PrctlShape::AMBIENT;
    case PR_SET_SECUREBITS:
      return PrctlShape::SECUREBITS;
    case PR_SET_SECCOMP:
      return PrctlShape::SECCOMP;
    case PR_SET_PTRACER:
      return PrctlShape::PTRACER;
    case PR_SET_MM:
      return PrctlShape::MM;
    case PR_SET_VMA:
      return PrctlShape::VMA;
    case PR_SET_KEEPCAPS:
    case PR_SET_TIMERSLACK:
    case PR_SET_TIMING:
    case PR_SET_CHILD_SUBREAPER:
      return PrctlShape::NUMBER;
    case PR_SET_NO_NEW_PRIVS:
    case PR_SET_THP_DISABLE:
      return PrctlShape::NUMBER_ALL;
    case PR_GET_NO_NEW_PRIVS:
    case PR_GET_THP_DISABLE:
      return PrctlShape::ZEROS;
    default:
      return PrctlShape::RAW_ALL;
  }
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

}  // namespace

void format_PRCTL_ARG2(Printer& p) {
  constexpr size_t COMM_LEN = 15;
  const uint64_t v = p.value();
  switch (prctl_shape(p.arg(0))) {
    case PrctlShape::NONE:
      p.omit();
      break;
    case PrctlShape::NAME_IN:
      p.c_string(v, COMM_LEN);
      break;
    case PrctlShape::NAME_OUT:
      if (p.entry())
        p.defer();
      else if (p.failed())
        p.address(v);
      else
        p.c_string(v, COMM_LEN + 1);
      break;
    case PrctlShape::SIGNAL:
      print_signal_or_zero(p, v);
      break;
    case PrctlShape::SIGNAL_OUT:
      print_prctl_out<int32_t>(p, [&](int32_t s) { print_signal_or_zero(p, static_cast<uint32_t>(s)); });
      break;
    case PrctlShape::INT_OUT:
      print_prctl_out<int32_t>(p, [&](int32_t i) {
        if (p.arg(0) == PR_GET_TSC)
          p.put(i == PR_TSC_ENABLE ? "PR_TSC_ENABLE" : "PR_TSC_SIGSEGV");
        else
          p.print("{}", i);
      });
      break;
    case PrctlShape::PTR_OUT:
      print_prctl_out<uint64_t>(p, [&](uint64_t a) { p.address(a); });
      break;
    case PrctlShape::DUMPABLE:
      p.name(FlagFamily::prctl_dumpable, v);
      break;
    case PrctlShape::CAPABILITY:
      p.name(FlagFamily::capability, v);
      break;
    case PrctlShape::AMBIENT:
      p.name(FlagFamily::prctl_cap_ambient, v);
      break;
    case PrctlShape::SECUREBITS:
      p.flags(FlagFamily::securebits, v);
      break;
    case PrctlShape::SECCOMP:
      p.name(FlagFamily::prctl_seccomp_mode, v);
      break;
    case PrctlShape::PTRACER:
      if (static_cast<uint32_t>(v) == UINT32_MAX)
        p.put("PR_SET_PTRACER_ANY");
      else
        p.print("{}", static_cast<int64_t>(v));
      break;
    case PrctlShape::VMA:
      p.name(FlagFamily::prctl_vma, v);
      break;
    case PrctlShape::NUMBER:
    case PrctlShape::NUMBER_ALL:
    case PrctlShape::ZEROS:
      p.print("{}", v);
      break;
    case PrctlShape::MM:
      p.name(FlagFamily::prctl_mm, v);
      break;
    case PrctlShape::RAW_ALL:
      p.number_hex(v);
      break;
  }
}

void format_PRCTL_ARG(Printer& p) {
  const uint64_t v = p.value();
  switch (prctl_shape(p.arg(0))) {
    case PrctlShape::RAW_ALL:
    case PrctlShape::NUMBER_ALL:
    case PrctlShape::ZEROS:
    case PrctlShape::SECCOMP:
    case PrctlShape::MM:
      p.number_hex(v);
      break;
    case PrctlShape::AMBIENT:
      if (p.index == 2 && p.arg(1) != PR_CAP_AMBIENT_CLEAR_ALL)
        p.name(FlagFamily::capability, v);
      else
        p.number_hex(v);
      break;
    case PrctlShape::VMA:
      if (p.index == 2)
        p.address(v);
      else if (p.index == 3)
        p.print("{}", v);
      else
        p.c_string(v, p.opt.string_limit);
      break;
    default:
      p.omit();
      break;
  }
}

}  // namespace starry::trace
