// POSIX message queues: opening, limits, priorities, timeouts, notification, poll.
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

static char name[64], other[80];
static char buf[8192];
static void attr(const char* what, mqd_t q) {
  struct mq_attr a;
  if (mq_getattr(q, &a) != 0) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    return;
  }
  printf("%s: flags %#lx maxmsg %ld msgsize %ld curmsgs %ld\n", what, a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
}
static void receive(mqd_t q, size_t size) {
  unsigned prio = 99;
  memset(buf, 0, sizeof buf);
  errno = 0;
  ssize_t n = mq_receive(q, buf, size, &prio);
  printf("receive: %zd %s prio %u '%s'\n", n, n < 0 ? strerrorname_np(errno) : "-", prio, buf);
}
static void status(mqd_t q) {
  char t[128];
  ssize_t n = pread(q, t, sizeof t - 1, 0);
  int pid, size, how, signo;
  t[n < 0 ? 0 : n] = 0;
  if (sscanf(t, "QSIZE:%d NOTIFY:%d SIGNO:%d NOTIFY_PID:%d", &size, &how, &signo, &pid) == 4)
    printf("status: %d bytes, notify %d signo %d pid %s length %zd\n", size, how, signo,
           pid == getpid() ? "me" : pid ? "other" : "none", n);
  else
    printf("status? %zd %s\n", n, t);
}
static int join(pid_t c) {
  int st;
  waitpid(c, &st, 0);
  return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
}
static void until_asleep(pid_t c) {
  char path[64], state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", c);
  while (state != 'S') {
    FILE* f = fopen(path, "r");
    if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1) state = 0;
    if (f) fclose(f);
    usleep(1000);
  }
}
// The least RLIMIT_MSGQUEUE with which a queue of `messages` of 10 bytes can be made. Other queues of this
// user count, whoever made them.
static long least_limit(long messages) {
  struct rlimit rl;
  getrlimit(RLIMIT_MSGQUEUE, &rl);
  rlim_t low = 0, high = rl.rlim_max;
  while (low < high) {
    rl.rlim_cur = low + (high - low) / 2;
    setrlimit(RLIMIT_MSGQUEUE, &rl);
    struct mq_attr a = {.mq_maxmsg = messages, .mq_msgsize = 10};
    mqd_t q = mq_open(other, O_RDONLY | O_CREAT | O_EXCL, 0600, &a);
    if (q < 0) {
      low = rl.rlim_cur + 1;
    } else {
      high = rl.rlim_cur;
      mq_close(q);
      mq_unlink(other);
    }
  }
  return (long)low;
}
static void on_signal(int s) { (void)s; }
static volatile int thread_value;
static void on_thread(union sigval v) { thread_value = v.sival_int; }

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  snprintf(name, sizeof name, "/starry-%d", getpid());
  snprintf(other, sizeof other, "%s-other", name);

  puts("-- mq_open");
  SAY(mq_open(name, O_RDWR));
  SAY(mq_open("/a/b", O_RDWR));
  SAY(mq_open("/..", O_RDWR));
  SAY(mq_open("/", O_RDWR | O_CREAT, 0600, NULL));
  SAY(mq_open("plain", O_RDWR));
  char longname[300];
  memset(longname, 'x', sizeof longname);
  longname[0] = '/';
  longname[299] = 0;
  SAY(mq_open(longname, O_RDWR));
  struct mq_attr a = {.mq_maxmsg = 0, .mq_msgsize = 10};
  SAY(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
  a = (struct mq_attr){.mq_maxmsg = 11, .mq_msgsize = 10};
  SAY(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
  a = (struct mq_attr){.mq_maxmsg = 1, .mq_msgsize = 8193};
  SAY(mq_open(name, O_RDWR | O_CREAT, 0600, &a));
  umask(027);
  a = (struct mq_attr){.mq_maxmsg = 4, .mq_msgsize = 100};
  mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0666, &a);
  printf("made %d cloexec %d accmode %d\n", q >= 0, fcntl(q, F_GETFD), fcntl(q, F_GETFL) & O_ACCMODE);
  SAY(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0666, &a));
  SAY(mq_open(name, 3));
  attr("new", q);
  struct stat st;
  fstat(q, &st);
  printf("stat: mode %o size %ld mine %d nlink %ld\n", st.st_mode, (long)st.st_size, st.st_uid == geteuid(), (long)st.st_nlink);
  mqd_t d = mq_open(other, O_RDONLY | O_CREAT, 0600, NULL);
  attr("defaults", d);
  SAY(mq_send(d, "x", 1, 0));
  mqd_t w = mq_open(name, O_WRONLY);
  SAY(mq_receive(w, buf, sizeof buf, NULL));
  fchmod(q, 0400);
  SAY(mq_open(name, O_RDWR));
  mqd_t again;
  SAY(again = mq_open(name, O_RDONLY | O_CREAT, 0600, NULL));
  SAY(mq_unlink(other));
  SAY(mq_unlink(other));
  SAY(mq_unlink("/a/b"));
  attr("unlinked but open", d);
  SAY(mq_close(d));
  SAY(mq_getattr(d, &a));
  SAY(mq_getattr(0, &a));

  puts("-- messages by priority");
  SAY(mq_send(q, buf, 101, 0));
  SAY(mq_send(q, buf, 1, 32768));
  SAY(mq_send(q, "low", 3, 1));
  SAY(mq_send(q, "high", 4, 32767));
  SAY(mq_send(q, "low too", 7, 1));
  SAY(mq_send(q, "", 0, 0));
  attr("full", q);
  status(q);
  SAY(mq_receive(q, buf, 99, NULL));
  receive(q, 100);
  receive(q, 8192);
  receive(q, 100);
  receive(q, 100);
  status(q);

  puts("-- not blocking, timeouts");
  struct mq_attr nb = {.mq_flags = O_NONBLOCK, .mq_maxmsg = 99}, before;
  SAY(mq_setattr(q, &nb, &before));
  printf("before %#lx now %#x\n", before.mq_flags, fcntl(q, F_GETFL) & O_NONBLOCK);
  attr("set", q);
  SAY(mq_receive(q, buf, 100, NULL));
  for (int i = 0; i < 4; i++) mq_send(q, "x", 1, 0);
  SAY(mq_send(q, "x", 1, 0));
  nb.mq_flags = 1;
  SAY(mq_setattr(q, &nb, NULL));
  nb.mq_flags = 0;
  SAY(mq_setattr(q, &nb, NULL));
  struct timespec past = {1, 0}, bad = {1, 1000000000}, soon;
  SAY(mq_timedsend(q, "x", 1, 0, &past));
  SAY(mq_timedsend(q, "x", 1, 0, &bad));
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_sec += soon.tv_nsec >= 980000000;
  soon.tv_nsec = (soon.tv_nsec + 20000000) % 1000000000;
  SAY(mq_timedsend(q, "x", 1, 0, &soon));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  printf("waited %d\n", now.tv_sec > soon.tv_sec || (now.tv_sec == soon.tv_sec && now.tv_nsec >= soon.tv_nsec));
  for (int i = 0; i < 4; i++) mq_timedreceive(q, buf, 100, NULL, &past);
  SAY(mq_timedreceive(q, buf, 100, NULL, &past));
  SAY(mq_timedreceive(q, buf, 100, NULL, &bad));

  puts("-- waiting");
  pid_t c = fork();
  if (c == 0) {
    receive(q, 100);
    _exit(3);
  }
  until_asleep(c);
  mq_send(q, "for the child", 13, 5);
  printf("receiver %d\n", join(c));
  for (int i = 0; i < 4; i++) mq_send(q, "x", 1, 1);
  if ((c = fork()) == 0) _exit(mq_send(q, "urgent", 6, 9) == 0 ? 4 : 1);
  until_asleep(c);
  receive(q, 100);
  printf("sender %d\n", join(c));
  attr("full again", q);
  receive(q, 100);
  struct sigaction sa = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &sa, NULL);
  while (mq_timedreceive(q, buf, 100, NULL, &past) >= 0) {
  }
  if ((c = fork()) == 0) _exit(mq_receive(q, buf, 100, NULL) == -1 && errno == EINTR ? 5 : 1);
  until_asleep(c);
  kill(c, SIGUSR1);
  printf("interrupted %d\n", join(c));

  puts("-- poll");
  struct pollfd pf = {q, POLLIN | POLLOUT, 0};
  int n = poll(&pf, 1, 0);
  printf("empty: %d %#x\n", n, pf.revents);
  mq_send(q, "x", 1, 0);
  n = poll(&pf, 1, 0);
  printf("one: %d %#x\n", n, pf.revents);
  for (int i = 0; i < 3; i++) mq_send(q, "x", 1, 0);
  n = poll(&pf, 1, 0);
  printf("full: %d %#x\n", n, pf.revents);
  if ((c = fork()) == 0) {
    pf.events = POLLOUT;
    _exit(poll(&pf, 1, 10000));
  }
  until_asleep(c);
  while (mq_timedreceive(q, buf, 100, NULL, &past) >= 0) {
  }
  printf("woken %d\n", join(c));

  puts("-- mq_notify");
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 42};
  SAY(mq_notify(q, &ev));
  SAY(mq_notify(q, &ev));
  status(q);
  if ((c = fork()) == 0) {
    SAY(mq_notify(q, &ev));
    SAY(mq_notify(q, NULL));
    mq_send(q, "one", 3, 0);
    mq_send(q, "two", 3, 0);
    _exit(0);
  }
  join(c);
  siginfo_t si;
  struct timespec zero = {0, 0};
  printf("signal %d", sigtimedwait(&set, &si, &zero) == SIGRTMIN);
  printf(" code %d value %d pid the child %d uid %d\n", si.si_code, si.si_value.sival_int, si.si_pid == c, si.si_uid == getuid());
  status(q);
  SAY(sigtimedwait(&set, &si, &zero));
  SAY(mq_notify(q, &ev));
  receive(q, 100);
  mq_send(q, "three", 5, 0);
  printf("not empty, no signal: %d\n", sigtimedwait(&set, &si, &zero));
  SAY(mq_notify(q, NULL));
  status(q);
  ev.sigev_notify = SIGEV_NONE;
  SAY(mq_notify(q, &ev));
  SAY(mq_notify(q, NULL));
  ev.sigev_notify = 4711;
  SAY(mq_notify(q, &ev));
  ev.sigev_notify = SIGEV_SIGNAL;
  ev.sigev_signo = 65;
  SAY(mq_notify(q, &ev));
  ev.sigev_signo = SIGRTMIN;
  SAY(mq_notify(q, &ev));
  mq_close(w);  // a descriptor of the same queue: the registration goes
  status(q);
  while (mq_timedreceive(q, buf, 100, NULL, &past) >= 0) {
  }
  struct sigevent th = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread, .sigev_value.sival_int = 7};
  SAY(mq_notify(q, &th));
  status(q);
  mq_send(q, "x", 1, 0);
  while (thread_value == 0) usleep(1000);
  printf("thread got %d\n", thread_value);

  puts("-- RLIMIT_MSGQUEUE");
  long one = least_limit(1);
  printf("another message %ld, nine %ld\n", least_limit(2) - one, least_limit(10) - one);
  SAY(mq_unlink(name));
  mq_close(q);
  printf("unlinked but open %ld", least_limit(1) - one);
  mq_close(again);
  printf(", closed %ld\n", least_limit(1) - one);
  struct rlimit rl = {(rlim_t)least_limit(1) - 1, (rlim_t)one};
  setrlimit(RLIMIT_MSGQUEUE, &rl);
  a = (struct mq_attr){.mq_maxmsg = 1, .mq_msgsize = 10};
  SAY(mq_open(other, O_RDONLY | O_CREAT, 0600, &a));
  SAY(mq_open(other, O_RDONLY | O_CREAT, 0600, NULL));
  rl.rlim_cur++;
  setrlimit(RLIMIT_MSGQUEUE, &rl);
  SAY(mq_open(other, O_RDONLY | O_CREAT, 0600, &a));
  SAY(mq_unlink(other));
  return 0;
}
