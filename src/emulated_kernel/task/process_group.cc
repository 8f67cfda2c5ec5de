#include "emulated_kernel/task/process_group.h"

#include <csignal>
#include <utility>

#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/process.h"

namespace starry {

namespace {

// No member has a parent in another group of the same session (setpgid(2), "Orphaned process groups").
bool orphaned_without(pid_t pgid, const ThreadGroup* ignored) {
  bool orphaned = true;
  for_each_group([&](ThreadGroup& g) {
    if (g.pgid != pgid || &g == ignored || g.zombie || g.parent == &init_group()) return;
    if (g.parent->pgid != pgid && g.parent->session == g.session) orphaned = false;
  });
  return orphaned;
}

bool has_stopped_member(pid_t pgid) {
  bool found = false;
  for_each_group([&](ThreadGroup& g) { found = found || (g.pgid == pgid && g.stopped); });
  return found;
}

}  // namespace

void set_pgid(ThreadGroup& g, pid_t pgid) {
  const pid_t before = std::exchange(g.pgid, pgid);
  release_id(*g.pid_ns, before);
}

bool pgrp_is_orphaned(pid_t pgid) { return orphaned_without(pgid, nullptr); }

void hangup_if_orphaned(ThreadGroup& g, const ThreadGroup& parent, const ThreadGroup* ignored) {
  const pid_t pgid = g.pgid;
  if (parent.pgid == pgid || parent.session != g.session) return;
  if (!has_stopped_member(pgid) || !orphaned_without(pgid, ignored)) return;
  send_signal_pgrp(pgid, siginfo_kernel(SIGHUP));
  send_signal_pgrp(pgid, siginfo_kernel(SIGCONT));
}

}  // namespace starry
