// A session on a pseudo-terminal: controlling terminal, foreground group, signals from the keyboard,
// background reads and writes, SIGWINCH, hang-up.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t got;
static void note(int signo) { got = signo; }
static int report;  // pipe to the first process, which prints

static void say(const char* text, long value) {
  char line[128];
  int n = snprintf(line, sizeof line, "%s %ld\n", text, value);
  if (write(report, line, (size_t)n) != n) _exit(9);
}

static const char* how(int status) {
  static char text[64];
  if (WIFEXITED(status)) snprintf(text, sizeof text, "exit %d", WEXITSTATUS(status));
  if (WIFSIGNALED(status)) snprintf(text, sizeof text, "killed by %d", WTERMSIG(status));
  if (WIFSTOPPED(status)) snprintf(text, sizeof text, "stopped by %d", WSTOPSIG(status));
  if (WIFCONTINUED(status)) snprintf(text, sizeof text, "continued");
  return text;
}

static void saystatus(const char* what, pid_t pid) {
  int status = 0;
  char line[128];
  pid_t r = waitpid(pid, &status, WUNTRACED);
  snprintf(line, sizeof line, "%s: %s, ok", what, how(status));
  say(line, r == pid);
}

// Of signals that are blocked except for here, so that none comes between the check and the pause.
static void await(int signo) {
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  sigdelset(&mask, signo);
  while (got != signo) sigsuspend(&mask);
}

static void leader(const char* pts, int go) {
  char c;
  say("setsid", setsid() == getpid());
  int fd = open("/dev/tty", O_RDWR);
  say("no terminal yet", fd < 0 && errno == ENXIO);
  int tty = open(pts, O_RDWR);  // becomes the controlling terminal
  fd = open("/dev/tty", O_RDWR);
  say("/dev/tty", fd >= 0);
  say("pgrp", tcgetpgrp(tty) == getpgrp());
  say("sid", tcgetsid(tty) == getsid(0));
  say("again TIOCSCTTY", ioctl(tty, TIOCSCTTY, 0));
  sigset_t awaited;
  sigemptyset(&awaited);
  for (int i = 0; i < 3; i++) {
    const int signo = (int[]){SIGINT, SIGWINCH, SIGHUP}[i];
    signal(signo, note);
    sigaddset(&awaited, signo);
  }
  sigprocmask(SIG_BLOCK, &awaited, NULL);
  say("ready", 1);
  // Ctrl-C, then a new size, are sent by the first process.
  await(SIGINT);
  say("SIGINT", 1);
  await(SIGWINCH);
  struct winsize w;
  ioctl(tty, TIOCGWINSZ, &w);
  say("SIGWINCH, columns", w.ws_col);

  // A child in its own group reads from the background, then in the foreground.
  pid_t child = fork();
  if (child == 0) {
    signal(SIGINT, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &awaited, NULL);
    setpgid(0, 0);
    char line[64];
    ssize_t n = read(tty, line, sizeof line);
    say("child read", n);
    pause();
    _exit(7);
  }
  setpgid(child, child);
  saystatus("background read", child);
  say("tcsetpgrp", tcsetpgrp(tty, child));
  kill(-child, SIGCONT);
  say("child runs", 1);
  saystatus("child, Ctrl-C", child);

  // We are in the background now.
  signal(SIGTTOU, SIG_IGN);
  say("tcsetpgrp ignoring SIGTTOU", tcsetpgrp(tty, getpgrp()));
  signal(SIGTTOU, SIG_DFL);
  child = fork();
  if (child == 0) {
    setpgid(0, 0);
    struct termios t;
    tcgetattr(tty, &t);
    say("plain write", write(tty, "", 0));
    t.c_lflag |= TOSTOP;
    signal(SIGTTOU, SIG_IGN);
    tcsetattr(tty, TCSANOW, &t);
    say("TOSTOP, ignored", write(tty, "w", 1));
    signal(SIGTTIN, SIG_IGN);
    char ch;
    say("read, SIGTTIN ignored: EIO", read(tty, &ch, 1) < 0 && errno == EIO);
    say("tcsetpgrp of a stranger: EPERM",
        tcsetpgrp(tty, getppid() + 100000) < 0 && (errno == EPERM || errno == ESRCH));
    signal(SIGTTOU, SIG_DFL);
    say("never", write(tty, "w", 1));
    _exit(0);
  }
  setpgid(child, child);
  saystatus("background write", child);
  kill(child, SIGKILL);
  saystatus("child", child);
  // Its turn to stop by Ctrl-Z.
  signal(SIGTTOU, SIG_IGN);
  child = fork();
  if (child == 0) {
    setpgid(0, 0);
    tcsetpgrp(tty, getpid());
    say("foreground child", 1);
    for (;;) pause();
  }
  setpgid(child, child);
  tcsetpgrp(tty, child);
  saystatus("Ctrl-Z", child);
  kill(child, SIGKILL);
  saystatus("child", child);
  tcsetpgrp(tty, getpgrp());

  // Hang-up when the master closes.
  say("wait for hang-up", 1);
  if (read(go, &c, 1) != 1) _exit(8);
  await(SIGHUP);
  say("SIGHUP", 1);
  say("read", read(tty, &c, 1));
  say("write EIO", write(tty, "x", 1) < 0 && errno == EIO);
  say("TIOCGPGRP", tcgetpgrp(tty) < 0 && (errno == EIO || errno == ENOTTY));
  say("/dev/tty gone", open("/dev/tty", O_RDWR) < 0 && errno == ENXIO);
  _exit(3);
}

static char last[256];
// Prints lines of the session until one begins with `until`.
static void relay(FILE* in, const char* until) {
  while (fgets(last, sizeof last, in)) {
    fputs(last, stdout);
    if (strncmp(last, until, strlen(until)) == 0) return;
  }
  printf("session ended before: %s\n", until);
}

static void type(int m, const char* s) {
  usleep(20000);
  if (write(m, s, strlen(s)) < 0) perror("type");
}

int main(void) {
  int m = posix_openpt(O_RDWR | O_NOCTTY);
  grantpt(m);
  unlockpt(m);
  int p[2], go[2];
  if (pipe(p) != 0 || pipe(go) != 0) return 1;
  report = p[1];
  fflush(stdout);
  pid_t session = fork();
  if (session == 0) {
    char pts[64];
    strcpy(pts, ptsname(m));
    close(m);
    leader(pts, go[0]);
  }
  close(p[1]);
  FILE* in = fdopen(p[0], "r");
  relay(in, "ready");
  type(m, "\x03");
  relay(in, "SIGINT");
  struct winsize w = {24, 77, 0, 0};
  usleep(20000);
  ioctl(m, TIOCSWINSZ, &w);
  relay(in, "child runs");
  type(m, "hi\n");
  relay(in, "child read");
  type(m, "\x03");
  relay(in, "foreground child");
  type(m, "\x1a");
  relay(in, "wait for hang-up");
  close(m);
  if (write(go[1], "g", 1) != 1) return 1;
  relay(in, "/dev/tty gone");
  int status;
  waitpid(session, &status, 0);
  printf("session: %s\n", how(status));
  return 0;
}
