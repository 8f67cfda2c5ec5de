// The smaller files of /proc/PID.
#include <fmt/format.h>
#include <linux/capability.h>

#include <algorithm>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/task.h"
#include "vfs/procfs/generators.h"

namespace starry::proc {

std::string task_limits(Task& t) {
  struct Row {
    const char *name, *unit;
  };
  static constexpr Row ROWS[RLIM_COUNT] = {
      {"Max cpu time", "seconds"},    {"Max file size", "bytes"},      {"Max data size", "bytes"},
      {"Max stack size", "bytes"},    {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
      {"Max processes", "processes"}, {"Max open files", "files"},     {"Max locked memory", "bytes"},
      {"Max address space", "bytes"}, {"Max file locks", "locks"},     {"Max pending signals", "signals"},
      {"Max msgqueue size", "bytes"}, {"Max nice priority", ""},       {"Max realtime priority", ""},
      {"Max realtime timeout", "us"},
  };
  const auto value = [](uint64_t v) { return v == RLIM_INF ? "unlimited" : std::to_string(v); };
  std::string s = "Limit                     Soft Limit           Hard Limit           Units     \n";
  for (size_t i = 0; i < RLIM_COUNT; i++) {
    const Rlimits::Limit& l = t.group->rlimits.limits[i];
    s += fmt::format("{:<25} {:<20} {:<20} ", ROWS[i].name, value(l.cur), value(l.max));
    s += *ROWS[i].unit != '\0' ? fmt::format("{:<10}\n", ROWS[i].unit) : "\n";
  }
  return s;
}

std::string task_comm(Task& t) { return t.name() + "\n"; }

// Only threads of the same process may rename each other.
Result<void> store_comm(Task& t, std::string_view text) {
  if (t.group != current().group) return Error{EINVAL};
  if (text.ends_with('\n')) text.remove_suffix(1);
  text = text.substr(0, text.find('\0'));
  t.comm.fill('\0');
  text.copy(t.comm.data(), t.comm.size() - 1);
  return {};
}

// Of the process in /proc/PID, of the thread in task/TID. What reaches a disk is not known here.
std::string task_io(Task& t) {
  IoCounters c = t.io;
  if (t.tid == t.tgid()) {
    c = t.group->io;
    for (const Task* thread : t.group->threads) c.add(thread->io);
  }
  return fmt::format(
      "rchar: {}\nwchar: {}\nsyscr: {}\nsyscw: {}\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
      c.rchar, c.wchar, c.syscr, c.syscw);
}

std::string task_cgroup(Task& /*t*/) { return "0::/\n"; }
std::string task_cpuset(Task& /*t*/) { return "/\n"; }
std::string task_coredump_filter(Task& /*t*/) { return "00000033\n"; }
// Nobody has logged in: AUDIT_UID_UNSET, AUDIT_SID_UNSET.
std::string task_loginuid(Task& /*t*/) { return "4294967295"; }
std::string task_sessionid(Task& /*t*/) { return "4294967295"; }
std::string task_personality(Task& t) { return fmt::format("{:08x}\n", t.group->personality); }
std::string task_wchan(Task& /*t*/) { return "0"; }

std::string task_children(Task& t) {
  std::string s;
  for (const Ref<ThreadGroup>& child : t.group->children)
    s += fmt::format("{} ", PidView::number(child->tgid));
  return s;
}

// proc(5): "running", or the call in progress with its arguments, stack pointer and program counter.
std::string task_syscall(Task& t) {
  if (!t.call.active || !t.host) return "running\n";
  const auto& a = t.call.args;
  return fmt::format("{} {:#x} {:#x} {:#x} {:#x} {:#x} {:#x} {:#x} {:#x}\n", t.call.nr, a[0], a[1], a[2],
                     a[3], a[4], a[5], t.regs().rsp, t.regs().rip);
}

// --- Out of memory ---

// oom_badness(): 0..2000 by share of memory; the adjustment shifts it.
std::string task_oom_score(Task& t) {
  if (!t.mm) return "0\n";
  const uint64_t pages = std::max<uint64_t>(memory_totals().total / 4096, 1);
  const auto points = static_cast<int64_t>(resident_pages(*t.mm) * 1000 / pages);
  const int64_t score = (1000 + points + t.group->oom_score_adj) * 2 / 3;
  return fmt::format("{}\n", std::clamp<int64_t>(score, 0, 2000));
}

std::string task_oom_score_adj(Task& t) { return fmt::format("{}\n", t.group->oom_score_adj); }

Result<void> store_oom_score_adj(Task& t, std::string_view text) {
  const int value = static_cast<int>(TRY(parse_number(text, -1000, 1000)));
  const bool privileged = current().cred->capable(CAP_SYS_RESOURCE);
  if (value < t.group->prctl.oom_score_adj_min && !privileged) return Error{EACCES};
  t.group->oom_score_adj = value;
  if (privileged) t.group->prctl.oom_score_adj_min = value;
  return {};
}

// The old scale of -17..15.
std::string task_oom_adj(Task& t) {
  const int adj = t.group->oom_score_adj;
  return fmt::format("{}\n", adj == 1000 ? 15 : adj * 17 / 1000);
}

// --- Scheduling ---

std::string task_timerslack(Task& t) { return fmt::format("{}\n", t.timer_slack_ns); }

Result<void> store_timerslack(Task& t, std::string_view text) {
  if (&t != &current() && !current().cred->capable(CAP_SYS_NICE)) return Error{EPERM};
  const int64_t ns = TRY(parse_number(text, 0, INT64_MAX));
  t.timer_slack_ns = ns == 0 ? t.default_timer_slack_ns : static_cast<uint64_t>(ns);
  return {};
}

std::string task_schedstat(Task& t) {
  return fmt::format("{} 0 {}\n", t.se.sum_exec_ns, t.se.nvcsw + t.se.nivcsw);
}

std::string task_sched(Task& t) {
  const SchedEntity& se = t.se;
  std::string s =
      fmt::format("{} ({}, #threads: {})\n", t.name(), PidView::number(t.tid), t.group->threads.size());
  s.append(67, '-').append("\n");
  const auto ms = [&s](std::string_view name, uint64_t ns) {
    s += fmt::format("{:<45}:{:21}.{:06}\n", name, ns / 1'000'000, ns % 1'000'000);
  };
  const auto count = [&s](std::string_view name, int64_t n) { s += fmt::format("{:<45}:{:21}\n", name, n); };
  ms("se.exec_start", se.run_since_ns);
  ms("se.vruntime", se.vruntime);
  ms("se.sum_exec_runtime", se.sum_exec_ns);
  count("nr_switches", static_cast<int64_t>(se.nvcsw + se.nivcsw));
  count("nr_voluntary_switches", static_cast<int64_t>(se.nvcsw));
  count("nr_involuntary_switches", static_cast<int64_t>(se.nivcsw));
  count("policy", se.policy);
  count("prio", se.rt_priority > 0 ? 99 - se.rt_priority : 120 + se.nice);
  return s;
}

}  // namespace starry::proc
