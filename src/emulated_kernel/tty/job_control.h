// Sessions, controlling terminals and background access (tty_jobctrl.c; credentials(7), setsid(2)).
#pragma once

#include <sys/types.h>

#include "emulated_kernel/base/result.h"

namespace starry {

class Session;
class Task;
class Terminal;
class ThreadGroup;

// The controlling terminal of a process, or null.
Terminal* controlling_terminal(const ThreadGroup& g);

// Makes `tty` the controlling terminal of the session that `leader` leads, its group the foreground.
void set_controlling_terminal(Terminal& tty, ThreadGroup& leader);

// What open(2) does with a terminal: a session leader without one gets it, unless O_NOCTTY.
void acquire_on_open(Task& t, Terminal& tty, int flags);

// May a process of this group read (SIGTTIN) or change (SIGTTOU) the terminal now? A background group
// gets the signal and ERESTARTSYS; EIO where that would not help.
Result<void> check_background(Task& t, Terminal& tty, int signo);

// ioctl TIOCSCTTY, TIOCNOTTY, TIOCSPGRP, TIOCGPGRP, TIOCGSID. `from_master`: issued on the pty master.
Result<void> tty_set_controlling(Task& t, Terminal& tty, bool readable, bool force);
Result<void> tty_give_up(Task& t, Terminal& tty);
Result<void> tty_set_foreground(Task& t, Terminal& tty, pid_t pgid);
Result<pid_t> tty_get_foreground(Task& t, Terminal& tty, bool from_master);
Result<pid_t> tty_get_session(Task& t, Terminal& tty, bool from_master);

// Called by exit when a process that leads a session ends: the foreground group gets SIGHUP and the
// session loses its terminal (disassociate_ctty()).
void tty_leader_exits(ThreadGroup& leader);

}  // namespace starry
