// /proc/PID/status, stat and statm.
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/task/seccomp.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/tty/terminal.h"
#include "vfs/fs_context.h"
#include "vfs/procfs/generators.h"
#include "vfs/procfs/memory_summary.h"

namespace starry::proc {

namespace {

constexpr uint64_t NS_PER_TICK = 10'000'000;

const char* state_name(char letter) {
  switch (letter) {
    case 'R':
      return "R (running)";
    case 'T':
      return "T (stopped)";
    case 't':
      return "t (tracing stop)";
    case 'Z':
      return "Z (zombie)";
    default:
      return "S (sleeping)";
  }
}

struct SignalSets {
  SigSet ignored = 0, caught = 0;
};
SignalSets signal_sets(const Task& t) {
  SignalSets sets;
  if (!t.group->signals.handlers) return sets;
  const auto& actions = t.group->signals.handlers->actions;
  for (size_t i = 0; i < actions.size(); i++) {
    if (actions[i].handler == 1) sets.ignored |= 1ULL << i;
    if (actions[i].handler > 1) sets.caught |= 1ULL << i;
  }
  return sets;
}

pid_t parent_pid(const Task& t) {
  return t.group->parent != nullptr ? PidView::number(t.group->parent->tgid) : 0;
}
pid_t session_id(const Task& t) { return t.group->session ? t.group->session->sid : 0; }

// Backslash and newline in a name would break the line.
std::string line_name(const Task& t) {
  std::string text;
  for (const char c : t.name()) {
    if (c == '\n')
      text += "\\n";
    else if (c == '\\')
      text += "\\\\";
    else
      text += c;
  }
  return text;
}

std::string status_memory(const Mm& mm) {
  const MemorySummary m = summarize(mm);
  std::string s;
  const auto row = [&s](std::string_view name, uint64_t kb) { s += fmt::format("{}:\t{:8} kB\n", name, kb); };
  row("VmPeak", m.peak);
  row("VmSize", m.total);
  row("VmLck", m.locked);
  row("VmPin", 0);
  row("VmHWM", m.resident);
  row("VmRSS", m.resident);
  row("RssAnon", m.resident_anon);
  row("RssFile", m.resident_file);
  row("RssShmem", m.resident_shmem);
  row("VmData", m.data);
  row("VmStk", m.stack);
  row("VmExe", m.exe);
  row("VmLib", m.lib);
  row("VmPTE", m.page_tables);
  row("VmSwap", 0);
  row("HugetlbPages", 0);
  return s;
}

// "Mems_allowed" has a fixed width of 1024 nodes; there is node 0.
std::string mems_allowed() {
  CpuMask node0;
  node0.set(0);
  return mask_text(node0, 1024);
}

}  // namespace

std::string task_status(Task& t) {
  const ThreadGroup& g = *t.group;
  const Cred& c = *t.cred;
  const UserNamespace& ids = *current().cred->user_ns;
  std::vector<uint32_t> groups = c.groups;
  for (uint32_t& gid : groups) gid = ids.gid(gid);
  std::string s = fmt::format("Name:\t{}\n", line_name(t));
  if (t.fs) s += fmt::format("Umask:\t{:04o}\n", t.fs->umask);
  s += fmt::format("State:\t{}\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t{}\n",
                   state_name(state_letter(t)), PidView::number(t.tgid()), PidView::number(t.tid),
                   parent_pid(t), t.ptrace ? PidView::number(t.ptrace->tracer->tgid()) : 0);
  s += fmt::format("Uid:\t{}\t{}\t{}\t{}\n", ids.uid(c.uid), ids.uid(c.euid), ids.uid(c.suid),
                   ids.uid(c.fsuid));
  s += fmt::format("Gid:\t{}\t{}\t{}\t{}\n", ids.gid(c.gid), ids.gid(c.egid), ids.gid(c.sgid),
                   ids.gid(c.fsgid));
  s += fmt::format("FDSize:\t{}\n", t.files ? t.files->capacity() : 0);
  s += fmt::format("Groups:\t{} \n", fmt::join(groups, " "));
  const auto numbers = [&](pid_t id) { return PidView::numbers(*g.pid_ns, id); };
  s += fmt::format("NStgid:\t{}\nNSpid:\t{}\nNSpgid:\t{}\nNSsid:\t{}\n", numbers(t.tgid()), numbers(t.tid),
                   numbers(g.pgid), numbers(session_id(t)));
  if (t.mm) {
    s += status_memory(*t.mm);
    s += fmt::format("CoreDumping:\t0\nTHP_enabled:\t{}\n", g.prctl.thp_disabled ? 0 : 1);
  }
  const SignalSets sets = signal_sets(t);
  s += fmt::format("Threads:\t{}\nSigQ:\t{}/{}\n", std::max<size_t>(g.threads.size(), 1),
                   t.sig.pending.queue.size() + g.signals.pending.queue.size(),
                   g.rlimits.cur(RLIMIT_SIGPENDING));
  s += fmt::format(
      "SigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n",
      t.sig.pending.bits, g.signals.pending.bits, t.sig.blocked, sets.ignored, sets.caught);
  s += fmt::format(
      "CapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\n",
      c.cap_inheritable, c.cap_permitted, c.cap_effective, c.cap_bounding, c.cap_ambient);
  s += fmt::format("NoNewPrivs:\t{}\nSeccomp:\t{}\nSeccomp_filters:\t{}\n", t.no_new_privs ? 1 : 0,
                   seccomp_mode(t), seccomp_filter_count(t));
  s += "Speculation_Store_Bypass:\tvulnerable\nSpeculationIndirectBranch:\talways enabled\n";
  const int cpus = scheduler().cpu_count();
  s += fmt::format("Cpus_allowed:\t{}\nCpus_allowed_list:\t{}\n", mask_text(t.se.affinity, cpus),
                   list_text(t.se.affinity, cpus));
  s += fmt::format("Mems_allowed:\t{}\nMems_allowed_list:\t0\n", mems_allowed());
  s +=
      fmt::format("voluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n", t.se.nvcsw, t.se.nivcsw);
  return s;
}

namespace {

// new_encode_dev()
uint64_t tty_number(const Terminal* tty) {
  if (tty == nullptr) return 0;
  const uint64_t min = minor(tty->rdev());
  return (min & 0xff) | static_cast<uint64_t>(major(tty->rdev())) << 8 | (min & ~0xffULL) << 12;
}

// proc(5): 20 + nice, or -1 - priority for real-time threads.
int shown_priority(const SchedEntity& se) { return se.rt_priority > 0 ? -1 - se.rt_priority : 20 + se.nice; }

// start_time_ns is on CLOCK_MONOTONIC; the file counts from boot.
uint64_t start_ticks(const Task& t) {
  const uint64_t offset = platform().boottime_ns() - platform().monotonic_ns();
  return (t.start_time_ns + offset) / NS_PER_TICK;
}

}  // namespace

std::string task_stat(Task& t) {
  const ThreadGroup& g = *t.group;
  // Addresses are for those who may look into the process.
  const Mm* secret = t.mm && may_inspect(current(), t) ? t.mm.get() : nullptr;
  const Terminal* tty = g.session ? g.session->tty : nullptr;
  // A thread's own times in task/TID; of all threads in /proc/PID, which names the leader.
  const CpuTimes cpu = t.tid == t.tgid() ? cpu_times(*t.group) : cpu_times(t);
  const SignalSets sets = signal_sets(t);
  const auto field = [](const Mm* mm, uint64_t Mm::*member) { return mm != nullptr ? mm->*member : 0; };

  std::string s = fmt::format("{} ({}) {} {} {} {} {} {} ", PidView::number(t.tid), t.name(), state_letter(t),
                              parent_pid(t), PidView::number(g.pgid), PidView::number(session_id(t)),
                              tty_number(tty), tty != nullptr ? PidView::number(tty->foreground()) : -1);
  constexpr uint64_t PF_RANDOMIZE = 0x400000;
  s += fmt::format("{} {} 0 0 0 ", PF_RANDOMIZE, g.min_faults);
  s += fmt::format("{} {} {} {} ", cpu.user / NS_PER_TICK, cpu.system / NS_PER_TICK,
                   g.children_utime_ns / NS_PER_TICK, g.children_stime_ns / NS_PER_TICK);
  s += fmt::format("{} {} {} 0 {} ", shown_priority(t.se), t.se.nice, std::max<size_t>(g.threads.size(), 1),
                   start_ticks(t));
  s += fmt::format("{} {} {} ", t.mm ? t.mm->total_pages() * 4096 : 0, t.mm ? resident_pages(*t.mm) : 0,
                   g.rlimits.cur(RLIMIT_RSS));
  s += fmt::format("{} {} {} 0 0 ", field(secret, &Mm::code_start), field(secret, &Mm::code_end),
                   field(secret, &Mm::stack_start));
  constexpr SigSet LOW =
      0x7fffffff;  // "obsolete, because it does not provide information on real-time signals"
  s += fmt::format("{} {} {} {} 0 0 0 ", (t.sig.pending.bits) & LOW, t.sig.blocked & LOW, sets.ignored & LOW,
                   sets.caught & LOW);
  s += fmt::format("{} {} {} {} 0 0 0 ", g.exit_signal, std::max(t.se.cpu, 0), t.se.rt_priority, t.se.policy);
  s += fmt::format("{} {} {} {} {} {} {} 0\n", field(secret, &Mm::data_start), field(secret, &Mm::data_end),
                   field(secret, &Mm::brk_start), field(secret, &Mm::arg_start), field(secret, &Mm::arg_end),
                   field(secret, &Mm::env_start), field(secret, &Mm::env_end));
  return s;
}

std::string task_statm(Task& t) {
  if (!t.mm) return "0 0 0 0 0 0 0\n";
  constexpr uint64_t KB_PER_PAGE = 4;
  const MemorySummary m = summarize(*t.mm);
  return fmt::format("{} {} {} {} 0 {} 0\n", m.total / KB_PER_PAGE, m.resident / KB_PER_PAGE,
                     (m.resident_file + m.resident_shmem) / KB_PER_PAGE, m.exe / KB_PER_PAGE,
                     (m.data + m.stack) / KB_PER_PAGE);
}

}  // namespace starry::proc
