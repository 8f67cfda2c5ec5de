// Processes: clone, exec, wait, limits, scheduling, credentials, prctl.
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/trace/printer.h"

namespace starry::trace {
namespace {

constexpr uint64_t EXIT_SIGNAL_MASK = 0xff;
constexpr size_t MAX_VECTOR = 1 << 18;  // strings in argv or envp: more do not fit into ARG_MAX

void print_usage_time(Printer& p, const rusage& u) {
  p.put("{ru_utime=");
  print_timeval(p, u.ru_utime.tv_sec, u.ru_utime.tv_usec);
  p.put(", ru_stime=");
  print_timeval(p, u.ru_stime.tv_sec, u.ru_stime.tv_usec);
}

void print_limit(Printer& p, uint64_t v) {
  constexpr uint64_t UNLIMITED = ~0ULL, KIB = 1024;
  const auto number = [&] { p.print("{}", v); };
  if (v == UNLIMITED)
    p.either(number, [&] { p.put("RLIM64_INFINITY"); });
  else if (v > KIB && v % KIB == 0)
    p.either(number, [&] { p.print("{}*1024", v / KIB); });
  else
    number();
}

}  // namespace

void print_signal_or_zero(Printer& p, uint64_t signo) {
  if (signo == 0)
    p.put("0");
  else
    p.signal(static_cast<int>(signo));
}

void format_CLONE(Printer& p) {
  const uint64_t flags = p.arg(0);
  if (p.entry()) {
    p.put("child_stack=");
    p.address(p.arg(1));
    p.put(", flags=");
    const uint64_t signo = flags & EXIT_SIGNAL_MASK;
    if ((flags & ~EXIT_SIGNAL_MASK) != 0)
      p.flags(FlagFamily::clone_flags, flags & ~EXIT_SIGNAL_MASK);
    else if (signo == 0)
      p.put("0");
    if (signo != 0) {
      if ((flags & ~EXIT_SIGNAL_MASK) != 0) p.put("|");
      p.signal(static_cast<int>(signo));
    }
    p.defer();
    return;
  }
  if ((flags & (CLONE_PARENT_SETTID | CLONE_PIDFD)) != 0) {
    p.put((flags & CLONE_PIDFD) != 0 ? ", pidfd=" : ", parent_tid=");
    int v = 0;
    if (p.failed())
      p.address(p.arg(2));
    else if (p.load(p.arg(2), v))
      p.print("[{}]", v);
  }
  if ((flags & CLONE_SETTLS) != 0) {
    p.put(", tls=");
    p.number_hex(p.arg(4));
  }
  if ((flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) != 0) {
    p.put(", child_tidptr=");
    p.address(p.arg(3));
  }
}

void format_CLONE_ARGS(Printer& p) {
  constexpr size_t VERSION0 = 64;
  CloneArgs a{};
  const uint64_t size = std::min<uint64_t>(p.arg(1), sizeof a);
  if (p.entry()) {
    if (size < VERSION0) {
      p.address(p.value());
      return;
    }
    if (!p.fetch_prefix(a, size)) return;
    p.put("{flags=");
    p.flags(FlagFamily::clone3_flags, a.flags);
    auto pointer = [&p](const char* name, uint64_t v) {
      p.print(", {}=", name);
      p.address(v);
    };
    if ((a.flags & CLONE_PIDFD) != 0) pointer("pidfd", a.pidfd);
    if ((a.flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) != 0) pointer("child_tid", a.child_tid);
    if ((a.flags & CLONE_PARENT_SETTID) != 0) pointer("parent_tid", a.parent_tid);
    p.put(", exit_signal=");
    print_signal_or_zero(p, a.exit_signal);
    pointer("stack", a.stack);
    p.put(", stack_size=");
    p.number_hex(a.stack_size);
    if ((a.flags & CLONE_SETTLS) != 0) pointer("tls", a.tls);
    if (a.set_tid != 0 || a.set_tid_size != 0) {
      pointer("set_tid", a.set_tid);
      p.print(", set_tid_size={}", a.set_tid_size);
    }
    p.put("}");
    if ((a.flags & (CLONE_PARENT_SETTID | CLONE_PIDFD)) != 0) p.defer();
    return;
  }
  if (p.failed() || !p.mem.read(p.value(), &a, size)) return;
  p.put(" => {");
  int32_t v = 0;
  bool first = true;
  if ((a.flags & CLONE_PIDFD) != 0 && p.mem.read(a.pidfd, &v, sizeof v)) {
    p.print("pidfd=[{}]", v);
    first = false;
  }
  if ((a.flags & CLONE_PARENT_SETTID) != 0 && p.mem.read(a.parent_tid, &v, sizeof v))
    p.print("{}parent_tid=[{}]", first ? "" : ", ", v);
  p.put("}");
}

void format_EXEC_ARGV(Printer& p) {
  uint64_t probe = 0;
  if (p.value() == 0 || !p.mem.read(p.value(), &probe, sizeof probe)) {
    p.address(p.value());
    return;
  }
  p.put("[");
  for (size_t i = 0; i < MAX_VECTOR; ++i) {
    uint64_t at = p.value() + i * sizeof(UserAddr), s = 0;
    if (!p.mem.read(at, &s, sizeof s)) {
      p.print("{}... /* {:#x} */", i != 0 ? ", " : "", at);
      break;
    }
    if (s == 0) break;
    if (i != 0) p.put(", ");
    if (p.abbreviated && i >= p.opt.string_limit) {
      p.put("...");
      break;
    }
    p.c_string(s, p.opt.string_limit);
  }
  p.put("]");
}

void format_EXEC_ENVP(Printer& p) {
  if (!p.abbreviated) {
    format_EXEC_ARGV(p);
    return;
  }
  p.address(p.value());
  if (p.value() == 0) return;
  size_t count = 0;
  uint64_t s = 0;
  while (count < MAX_VECTOR && p.mem.read(p.value() + count * sizeof s, &s, sizeof s) && s != 0) ++count;
  if (count != 0 || s == 0) {
    if (!p.mem.read(p.value(), &s, sizeof s)) return;
    p.print(" /* {} var{} */", count, count == 1 ? "" : "s");
  }
}

void format_WAIT_STATUS(Printer& p) {
  int status;
  if (p.call.value == 0 && !p.failed()) {  // WNOHANG and no child had changed
    p.address(p.value());
    return;
  }
  if (!p.fetch(status)) return;
  p.put("[{");
  if (WIFSTOPPED(status)) {
    p.print("WIFSTOPPED(s) && WSTOPSIG(s) == {}", signal_name(WSTOPSIG(status)));
  } else if (WIFSIGNALED(status)) {
    p.print("WIFSIGNALED(s) && WTERMSIG(s) == {}{}", signal_name(WTERMSIG(status)),
            WCOREDUMP(status) ? " && WCOREDUMP(s)" : "");
  } else if (WIFEXITED(status)) {
    p.print("WIFEXITED(s) && WEXITSTATUS(s) == {}", WEXITSTATUS(status));
  } else if (WIFCONTINUED(status)) {
    p.put("WIFCONTINUED(s)");
  } else {
    p.print("{:#x}", status);
  }
  p.put("}]");
}

void format_RUSAGE(Printer& p) {
  rusage u;
  // wait4(2) with WNOHANG and no child that had changed writes nothing.
  if (p.spec.ret == RetKind::DEC && p.spec.nargs == 4 && !p.failed() && p.call.value == 0) {
    p.address(p.value());
    return;
  }
  if (!p.fetch(u)) return;
  print_usage_time(p, u);
  if (p.abbreviated) {
    p.put(", ...}");
    return;
  }
  p.print(
      ", ru_maxrss={}, ru_ixrss={}, ru_idrss={}, ru_isrss={}, ru_minflt={}, ru_majflt={}, ru_nswap={}, "
      "ru_inblock={}, ru_oublock={}, ru_msgsnd={}, ru_msgrcv={}, ru_nsignals={}, ru_nvcsw={}, ru_nivcsw={}}}",
      u.ru_maxrss, u.ru_ixrss, u.ru_idrss, u.ru_isrss, u.ru_minflt, u.ru_majflt, u.ru_nswap, u.ru_inblock,
      u.ru_oublock, u.ru_msgsnd, u.ru_msgrcv, u.ru_nsignals, u.ru_nvcsw, u.ru_nivcsw);
}

void format_RLIMIT(Printer& p) {
  rlimit l;
  if (!p.fetch(l)) return;
  p.put("{rlim_cur=");
  print_limit(p, l.rlim_cur);
  p.put(", rlim_max=");
  print_limit(p, l.rlim_max);
  p.put("}");
}

void format_SYSINFO(Printer& p) {
  struct sysinfo i;
  if (!p.fetch(i)) return;
  p.print(
      "{{uptime={}, loads=[{}, {}, {}], totalram={}, freeram={}, sharedram={}, bufferram={}, totalswap={}, "
      "freeswap={}, procs={}, totalhigh={}, freehigh={}, mem_unit={}}}",
      i.uptime, i.loads[0], i.loads[1], i.loads[2], i.totalram, i.freeram, i.sharedram, i.bufferram,
      i.totalswap, i.freeswap, i.procs, i.totalhigh, i.freehigh, i.mem_unit);
}

void format_UTSNAME(Printer& p) {
  utsname u;
  if (!p.fetch(u)) return;
  auto field = [&p](const char* name, const char* text, size_t size) {
    p.print("{}=", name);
    p.quoted({text, strnlen(text, size)});
  };
  p.put("{");
  field("sysname", u.sysname, sizeof u.sysname);
  field(", nodename", u.nodename, sizeof u.nodename);
  if (p.abbreviated) {
    p.put(", ...}");
    return;
  }
  field(", release", u.release, sizeof u.release);
  field(", version", u.version, sizeof u.version);
  field(", machine", u.machine, sizeof u.machine);
  field(", domainname", u.domainname, sizeof u.domainname);
  p.put("}");
}

void print_sched_policy(Printer& p, uint32_t policy) {
  constexpr uint32_t RESET_ON_FORK = 0x40000000;
  const bool reset = (policy & RESET_ON_FORK) != 0 &&
                     value_name(FlagFamily::sched_policy, policy & ~RESET_ON_FORK) != nullptr;
  if (!reset) {
    p.name(FlagFamily::sched_policy, policy);
    return;
  }
  p.name(FlagFamily::sched_policy, policy & ~RESET_ON_FORK);
  p.put("|SCHED_RESET_ON_FORK");
}

void format_SCHED_POLICY(Printer& p) { p.name(FlagFamily::sched_policy, p.value()); }

void format_SCHED_PARAM(Printer& p) {
  sched_param s;
  if (p.fetch(s)) p.print("[{}]", s.sched_priority);
}

void format_SCHED_ATTR(Printer& p) {
  constexpr uint32_t VERSION0 = 48;
  GuestSchedAttr a{};
  if (!p.fetch_prefix(a, VERSION0)) return;
  p.print("{{size={}, sched_policy=", a.size);
  print_sched_policy(p, a.policy);
  p.put(", sched_flags=");
  p.flags(FlagFamily::sched_attr_flags, a.flags);
  p.print(", sched_nice={}, sched_priority={}, sched_runtime={}, sched_deadline={}, sched_period={}", a.nice,
          a.priority, a.runtime, a.deadline, a.period);
  if (a.size >= sizeof a && p.mem.read(p.value(), &a, sizeof a))
    p.print(", sched_util_min={}, sched_util_max={}", a.util_min, a.util_max);
  p.put("}");
}

void format_SCHED_ATTR_OUT(Printer& p) { format_SCHED_ATTR(p); }

namespace {

void print_cpus(Printer& p, uint64_t bytes) {
  constexpr uint64_t MAX_BYTES = 1024;
  std::vector<uint8_t> mask(static_cast<size_t>(std::min(bytes, MAX_BYTES)));
  if (p.value() == 0 || !p.mem.read(p.value(), mask.data(), mask.size())) {
    p.address(p.value());
    return;
  }
  p.put("[");
  bool first = true;
  for (size_t cpu = 0; cpu < mask.size() * 8; ++cpu) {
    if ((mask[cpu / 8] >> (cpu % 8) & 1) == 0) continue;
    p.print("{}{}", first ? "" : " ", cpu);
    first = false;
  }
  p.put("]");
}

}  // namespace

void format_CPUSET(Printer& p) { print_cpus(p, p.arg(p.index - 1)); }

void format_CPUSET_RET(Printer& p) {
  if (p.failed())
    p.address(p.value());
  else
    print_cpus(p, static_cast<uint64_t>(p.call.value));
}

void print_ioprio(Printer& p, uint32_t ioprio) {
  constexpr int CLASS_SHIFT = 13;
  p.put("IOPRIO_PRIO_VALUE(");
  p.name(FlagFamily::ioprio_class, ioprio >> CLASS_SHIFT);
  p.print(", {})", ioprio & ((1u << CLASS_SHIFT) - 1));
}

void format_IOPRIO(Printer& p) { print_ioprio(p, static_cast<uint32_t>(p.value())); }

void format_PERSONALITY(Printer& p) {
  const uint64_t v = p.value();
  if (v == UINT32_MAX) {
    p.number_hex(v);
    return;
  }
  p.name(FlagFamily::personality_type, v & 0xff);
  p.more_flags(FlagFamily::personality_flags, v & ~0xffULL);
}

void format_MEMBARRIER_CPU(Printer& p) {
  constexpr uint64_t FLAG_CPU = 1;
  if ((p.arg(1) & FLAG_CPU) == 0)
    p.omit();
  else
    p.print("{}", p.int_value());
}

void format_CAP_HEADER(Printer& p) {
  GuestCapHeader h;
  if (p.phase == Phase::NOTE || !p.fetch(h)) return;
  p.put("{version=");
  p.name(FlagFamily::capability_version, h.version);
  p.print(", pid={}}}", h.pid);
}

void format_CAP_DATA(Printer& p) {
  // Versions 2 and 3 have two 32-bit halves.
  GuestCapData d[2]{};
  constexpr uint32_t VERSION1 = 0x19980330;
  GuestCapHeader h{};
  const bool wide = p.mem.read(p.arg(0), &h, sizeof h) && h.version != VERSION1;
  if (!p.fetch_prefix(d, wide ? sizeof d : sizeof d[0])) return;
  auto set = [&](const char* name, uint32_t low, uint32_t high) {
    p.print("{}=", name);
    p.flags(FlagFamily::capability_bits, low | static_cast<uint64_t>(high) << 32);
  };
  set("{effective", d[0].effective, d[1].effective);
  set(", permitted", d[0].permitted, d[1].permitted);
  set(", inheritable", d[0].inheritable, d[1].inheritable);
  p.put("}");
}

void format_CAP_DATA_OUT(Printer& p) { format_CAP_DATA(p); }

namespace {

void print_groups(Printer& p, int64_t count) {
  constexpr int64_t MAX_GROUPS = 65536;
  if (p.value() == 0 || count < 0 || count > MAX_GROUPS) {
    p.address(p.value());
    return;
  }
  p.array(static_cast<uint64_t>(count), [&](uint64_t i) {
    uint32_t g;
    if (!p.load(p.value() + i * sizeof g, g)) return false;
    p.uid(g);
    return true;
  });
}

}  // namespace

void format_GROUPS(Printer& p) { print_groups(p, static_cast<int32_t>(p.arg(0))); }

void format_GROUPS_OUT(Printer& p) {
  if (p.failed())
    p.address(p.value());
  else
    print_groups(p, p.call.value);
}

}  // namespace starry::trace
