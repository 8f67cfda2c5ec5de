#include "emulated_kernel/tty/job_control.h"

#include <fcntl.h>
#include <linux/capability.h>

#include <csignal>

#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/tty/terminal.h"

namespace starry {
namespace {

bool leads_session(const ThreadGroup& g) { return g.session && g.session->sid == g.tgid; }

bool ignores(const Task& t, int signo) {
  constexpr uint64_t IGNORE = 1;  // SIG_IGN
  return (t.sig.blocked & sigbit(signo)) != 0 ||
         t.group->signals.handlers->actions[static_cast<size_t>(signo - 1)].handler == IGNORE;
}

// The session of a process group, or null if there is no such group.
const Session* session_of_pgrp(pid_t pgid) {
  const Session* found = nullptr;
  for_each_group([&](ThreadGroup& g) {
    if (g.pgid == pgid && found == nullptr) found = g.session.get();
  });
  return found;
}

void signal_pgrp(pid_t pgid, int signo) {
  if (pgid > 0) send_signal_pgrp(pgid, siginfo_kernel(signo));
}

}  // namespace

Terminal* controlling_terminal(const ThreadGroup& g) {
  return g.session && !g.tty_given_up ? g.session->tty : nullptr;
}

void set_controlling_terminal(Terminal& tty, ThreadGroup& leader) {
  leader.tty_given_up = false;
  tty.set_session(leader.session, leader.pgid);
}

void acquire_on_open(Task& t, Terminal& tty, int flags) {
  ThreadGroup& g = *t.group;
  const bool readable = (flags & O_ACCMODE) != O_WRONLY;
  if ((flags & O_NOCTTY) != 0 || !readable || !leads_session(g) || g.session->tty != nullptr ||
      tty.session() != nullptr)
    return;
  set_controlling_terminal(tty, g);
}

Result<void> check_background(Task& t, Terminal& tty, int signo) {
  const ThreadGroup& g = *t.group;
  if (controlling_terminal(g) != &tty || tty.foreground() == 0 || tty.foreground() == g.pgid) return {};
  if (ignores(t, signo)) {
    if (signo == SIGTTIN) return Error{EIO};
    return {};
  }
  if (pgrp_is_orphaned(g.pgid)) return Error{EIO};
  signal_pgrp(g.pgid, signo);
  return Error{ERESTARTSYS};
}

Result<void> tty_set_controlling(Task& t, Terminal& tty, bool readable, bool force) {
  ThreadGroup& g = *t.group;
  if (leads_session(g) && tty.session() == g.session.get()) return {};
  if (!leads_session(g) || g.session->tty != nullptr) return Error{EPERM};
  const bool admin = t.cred->capable(CAP_SYS_ADMIN);
  if (tty.session() != nullptr && !(force && admin)) return Error{EPERM};
  if (!readable && !admin) return Error{EPERM};
  set_controlling_terminal(tty, g);
  return {};
}

Result<void> tty_give_up(Task& t, Terminal& tty) {
  ThreadGroup& g = *t.group;
  if (controlling_terminal(g) != &tty) return Error{ENOTTY};
  if (leads_session(g)) {
    const pid_t foreground = tty.foreground();
    tty.clear_session();
    signal_pgrp(foreground, SIGHUP);
    signal_pgrp(foreground, SIGCONT);
  } else {
    g.tty_given_up = true;
  }
  return {};
}

Result<void> tty_set_foreground(Task& t, Terminal& tty, pid_t pgid) {
  const Result<void> allowed = check_background(t, tty, SIGTTOU);
  if (!allowed) return allowed.code() == EIO ? Error{ENOTTY} : allowed.error();
  if (pgid < 0) return Error{EINVAL};
  ThreadGroup& g = *t.group;
  if (controlling_terminal(g) != &tty) return Error{ENOTTY};
  const Session* s = session_of_pgrp(pgid);
  if (s == nullptr) return Error{ESRCH};
  if (s != g.session.get()) return Error{EPERM};
  tty.set_foreground(pgid);
  return {};
}

Result<pid_t> tty_get_foreground(Task& t, Terminal& tty, bool from_master) {
  if (!from_master && controlling_terminal(*t.group) != &tty) return Error{ENOTTY};
  return t.shown_pid(tty.foreground());
}

Result<pid_t> tty_get_session(Task& t, Terminal& tty, bool from_master) {
  if (!from_master && controlling_terminal(*t.group) != &tty) return Error{ENOTTY};
  if (tty.session() == nullptr) return Error{ENOTTY};
  return t.shown_pid(tty.session()->sid);
}

void tty_leader_exits(ThreadGroup& leader) {
  if (!leads_session(leader)) return;
  Session& session = *leader.session;
  if (Terminal* tty = session.tty; tty != nullptr) {
    const pid_t foreground = tty->foreground();
    tty->clear_session();
    signal_pgrp(foreground, SIGHUP);
  } else if (session.old_foreground != 0) {  // the terminal was hung up before
    signal_pgrp(session.old_foreground, SIGHUP);
    signal_pgrp(session.old_foreground, SIGCONT);
    session.old_foreground = 0;
  }
}

}  // namespace starry
