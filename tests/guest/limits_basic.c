// Resource limits, priorities and resource usage.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

static const char* limit(int resource) {
  static char out[4][64];
  static int next;
  struct rlimit l;
  char* o = out[next++ % 4];
  if (getrlimit(resource, &l) != 0) return strerror(errno);
  snprintf(o, 64, "%ld/%ld", (long)l.rlim_cur, (long)l.rlim_max);
  return o;
}

static const char* set(int resource, rlim_t soft, rlim_t hard) {
  return result(setrlimit(resource, &(struct rlimit){soft, hard}));
}

static void burn(void) {
  struct timespec start, now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
  do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < 60);
}

int main(void) {
  int known = 0;
  for (int i = 0; i < 16; i++) {
    struct rlimit l;
    known += getrlimit(i, &l) == 0 && l.rlim_cur <= l.rlim_max;
  }
  printf("known limits %d, 16: %s, -1: %s\n", known, limit(16), limit(-1));
  printf("getrlimit to nowhere %s\n", result(syscall(SYS_getrlimit, 0, 16L)));
  printf("setrlimit from nowhere %s, bad resource %s\n", result(syscall(SYS_setrlimit, 0, 16L)),
         result(syscall(SYS_setrlimit, 16, &(struct rlimit){0, 0})));
  printf("lower %s", set(RLIMIT_MEMLOCK, 4096, 65536));
  printf(" -> %s\n", limit(RLIMIT_MEMLOCK));
  printf("soft above hard %s, raise hard %s, raise soft %s\n", set(RLIMIT_MEMLOCK, 65537, 65536),
         set(RLIMIT_MEMLOCK, 65536, 65537), set(RLIMIT_MEMLOCK, 65536, 65536));
  printf("hard NOFILE above nr_open %s\n", set(RLIMIT_NOFILE, 100, 1048577));

  printf("NOFILE %s", set(RLIMIT_NOFILE, 20, 30));
  int fds[32], n = 0;
  while (n < 32 && (fds[n] = open("/dev/null", O_RDONLY)) >= 0) n++;
  printf(", then %s, last one below 20: %d", strerror(errno), fds[n - 1] < 20);
  printf(", dup2 to 20 %s", result(dup2(0, 20)));
  printf(", fcntl from 20 %s\n", result(fcntl(0, F_DUPFD, 20)));
  set(RLIMIT_NOFILE, 30, 30);
  printf("raised, dup2 to 20 %s\n", result(dup2(0, 20)));
  close(20);
  while (n > 0) close(fds[--n]);

  // prlimit64 on a child: both directions, inheritance, and the order of its checks.
  int gate[2];
  if (pipe(gate) != 0) return 1;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    char c;
    close(gate[1]);
    if (read(gate[0], &c, 1) != 1) _exit(1);
    printf("child has %s\n", limit(RLIMIT_NOFILE));
    fflush(stdout);
    _exit(0);
  }
  close(gate[0]);
  struct rlimit old = {0, 0}, next = {15, 25};
  printf("prlimit %s", result(prlimit(child, RLIMIT_NOFILE, &next, &old)));
  printf(", old %ld/%ld\n", (long)old.rlim_cur, (long)old.rlim_max);
  fflush(stdout);
  if (write(gate[1], "x", 1) != 1) return 1;
  int status;
  waitpid(child, &status, 0);
  printf("ours %s\n", limit(RLIMIT_NOFILE));
  printf("prlimit: no process %s, soft above hard %s, bad resource %s, from nowhere %s\n",
         result(prlimit(999999999, RLIMIT_NOFILE, NULL, &old)),
         result(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &(struct rlimit){2, 1}, NULL)),
         result(syscall(SYS_prlimit64, 0, 16, NULL, &old)),
         result(syscall(SYS_prlimit64, 999999999, 99, 16L, NULL)));

  // Address space and file size.
  struct rlimit as;
  getrlimit(RLIMIT_AS, &as);
  setrlimit(RLIMIT_AS, &(struct rlimit){64 << 20, as.rlim_max});
  void* m = mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("mmap beyond RLIMIT_AS: %s\n", m == MAP_FAILED ? strerror(errno) : "ok");
  setrlimit(RLIMIT_AS, &as);
  int fd = open("limits.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
  signal(SIGXFSZ, SIG_IGN);
  set(RLIMIT_FSIZE, 10, RLIM_INFINITY);
  printf("write 8 %s", result(write(fd, "12345678", 8)));
  printf(", 8 more %s", result(write(fd, "12345678", 8)));
  printf(", and more %s, truncate %s\n", result(write(fd, "x", 1)), result(ftruncate(fd, 11)));
  set(RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY);
  unlink("limits.tmp");

  // Usage.
  struct rusage before, after, thread, children;
  getrusage(RUSAGE_SELF, &before);
  burn();
  getrusage(RUSAGE_SELF, &after);
  getrusage(RUSAGE_THREAD, &thread);
  long ms =
      (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) *
          1000 +
      (after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) /
          1000;
  printf("usage grew by the time burnt: %d, maxrss %d\n", ms >= 40 && ms<1000, after.ru_maxrss> 200);
  printf("thread's usage: %d\n", thread.ru_utime.tv_sec * 1000 + thread.ru_utime.tv_usec / 1000 +
                                         thread.ru_stime.tv_usec / 1000 + thread.ru_stime.tv_sec * 1000 >=
                                     40);
  child = fork();
  if (child == 0) {
    burn();
    _exit(0);
  }
  waitpid(child, &status, 0);
  getrusage(RUSAGE_CHILDREN, &children);
  printf("children's usage: %d\n", children.ru_utime.tv_sec * 1000 + children.ru_utime.tv_usec / 1000 +
                                           children.ru_stime.tv_usec / 1000 +
                                           children.ru_stime.tv_sec * 1000 >=
                                       40);
  printf("getrusage bad who %s, to nowhere %s\n", result(syscall(SYS_getrusage, 2, &after)),
         result(syscall(SYS_getrusage, 0, 16L)));
  struct tms t;
  clock_t now = times(&t), again = times(NULL);
  printf("times: %d, children %d, clock goes on %d\n", t.tms_utime + t.tms_stime >= 5,
         t.tms_cutime + t.tms_cstime >= 5, again >= now);
  // System calls take system time.
  for (int i = 0; i < 100 && t.tms_stime < 2; i++) {
    for (int j = 0; j < 20000; j++) syscall(SYS_getrlimit, RLIMIT_CPU, &old);
    times(&t);
  }
  getrusage(RUSAGE_SELF, &after);
  printf("system time: %d, in getrusage %d\n", t.tms_stime >= 2, after.ru_stime.tv_usec + after.ru_stime.tv_sec * 1000000 >= 20000);
  printf("times to nowhere %s\n", result(syscall(SYS_times, 16L)));

  setpgid(0, 0);  // a group of its own
  // Nice values, last: what is nice waits for everybody else. The raw call returns 20 - nice.
  printf("priority %s, raw %s\n", result(getpriority(PRIO_PROCESS, 0)),
         result(syscall(SYS_getpriority, PRIO_PROCESS, 0)));
  printf("set 5 %s", result(setpriority(PRIO_PROCESS, 0, 5)));
  printf(" -> %d, by pid %d, by group %d\n", getpriority(PRIO_PROCESS, 0),
         getpriority(PRIO_PROCESS, getpid()), getpriority(PRIO_PGRP, 0));
  printf("back to 4 %s, to 0 %s\n", result(setpriority(PRIO_PROCESS, 0, 4)),
         result(setpriority(PRIO_PROCESS, 0, 0)));
  printf("set 100 %s", result(setpriority(PRIO_PROCESS, 0, 100)));
  errno = 0;
  printf(" -> %d\n", getpriority(PRIO_PROCESS, 0));
  printf("bad which %s %s, nobody %s %s\n", result(getpriority(3, 0)), result(setpriority(-1, 0, 0)),
         result(syscall(SYS_getpriority, PRIO_PROCESS, 999999999)),
         result(setpriority(PRIO_PGRP, 999999999, 1)));
  fflush(stdout);
  child = fork();
  if (child == 0) _exit(getpriority(PRIO_PROCESS, 0));
  waitpid(child, &status, 0);
  printf("child's nice value %d\n", WEXITSTATUS(status));
  return 0;
}
