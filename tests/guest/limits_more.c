// Resource limits that refuse: AS, DATA, NPROC, SIGPENDING, NICE, RTPRIO; values over fork and exec.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
enum { MB = 1 << 20 };
static void lower(int which, rlim_t to) {
  struct rlimit rl;
  getrlimit(which, &rl);
  rl.rlim_cur = to;
  if (setrlimit(which, &rl)) perror("setrlimit");
}
static unsigned long status_kb(const char* key) {
  FILE* f = fopen("/proc/self/status", "r");
  char line[256];
  unsigned long kb = 0;
  while (fgets(line, sizeof line, f))
    if (!strncmp(line, key, strlen(key))) sscanf(line + strlen(key), "%lu", &kb);
  fclose(f);
  return kb;
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 1) {
    for (int i = 0; i < RLIM_NLIMITS; i++) {
      struct rlimit rl;
      getrlimit((unsigned)i, &rl);
      if (i == RLIMIT_FSIZE || i == RLIMIT_NOFILE || i == RLIMIT_CORE) printf("%d: %lu %lu\n", i, (unsigned long)rl.rlim_cur, (unsigned long)rl.rlim_max);
    }
    return 0;
  }
  puts("-- RLIMIT_DATA");
  if (fork() == 0) {
    lower(RLIMIT_DATA, status_kb("VmData:") * 1024 + 4 * MB);
    SAY(mmap(NULL, 8 * MB, RW, ANON, -1, 0));
    SAY(mmap(NULL, 8 * MB, PROT_READ, ANON, -1, 0));
    SAY(mmap(NULL, 8 * MB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    SAY(mmap(NULL, 2 * MB, RW, ANON, -1, 0));
    SAY(mmap(NULL, 8 * MB, RW, ANON | MAP_GROWSDOWN, -1, 0));
    char* r = mmap(NULL, 8 * MB, PROT_READ, ANON, -1, 0);
    SAY(mprotect(r, 8 * MB, RW));
    SAY(mprotect(r, 4096, RW));
    SAY(sbrk(8 * MB));
    SAY(sbrk(4096));
    char* g = mmap(NULL, MB, RW, ANON, -1, 0);
    SAY(mremap(g, MB, 8 * MB, MREMAP_MAYMOVE));
    exit(0);
  }
  wait(NULL);
  puts("-- RLIMIT_AS");
  if (fork() == 0) {
    lower(RLIMIT_AS, status_kb("VmSize:") * 1024 + 4 * MB);
    SAY(mmap(NULL, 8 * MB, PROT_NONE, ANON, -1, 0));
    char* g = mmap(NULL, MB, RW, ANON, -1, 0);
    SAY(mremap(g, MB, 8 * MB, MREMAP_MAYMOVE));
    SAY(sbrk(8 * MB));
    SAY(mmap(NULL, MB, RW, ANON, -1, 0));
    exit(0);
  }
  wait(NULL);
  puts("-- RLIMIT_NPROC");
  if (fork() == 0) {
    lower(RLIMIT_NPROC, 1);
    pid_t c = fork();
    printf("fork: %s\n", c == -1 ? strerrorname_np(errno) : "ok");
    exit(0);
  }
  wait(NULL);
  puts("-- RLIMIT_SIGPENDING");
  if (fork() == 0) {
    sigset_t s;
    sigfillset(&s);
    sigprocmask(SIG_BLOCK, &s, NULL);
    lower(RLIMIT_SIGPENDING, 0);
    union sigval v = {.sival_int = 1};
    SAY(sigqueue(getpid(), SIGRTMIN, v));
    SAY(kill(getpid(), SIGRTMIN + 1));
    SAY(sigqueue(getpid(), SIGUSR1, v));
    siginfo_t si;
    int got = sigwaitinfo(&s, &si);
    printf("took %s value %d\n", sigabbrev_np(got), si.si_value.sival_int);
    sigpending(&s);
    printf("pending %d %d\n", sigismember(&s, SIGRTMIN), sigismember(&s, SIGRTMIN + 1));
    exit(0);
  }
  wait(NULL);
  puts("-- RLIMIT_NICE and RLIMIT_RTPRIO");
  if (fork() == 0) {
    setrlimit(RLIMIT_NICE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_RTPRIO, &(struct rlimit){0, 0});
    SAY(setpriority(PRIO_PROCESS, 0, 5));
    SAY(setpriority(PRIO_PROCESS, 0, 4));
    SAY(nice(-1));
    struct sched_param sp = {1};
    SAY(sched_setscheduler(0, SCHED_FIFO, &sp));
    exit(0);
  }
  wait(NULL);
  puts("-- over fork and exec");
  if (fork() == 0) {
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1234567, 2345678});
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){77, 88});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 4096});
    if (fork() == 0) {
      execl("/proc/self/exe", "limits_more", "x", NULL);
      _exit(1);
    }
    wait(NULL);
    exit(0);
  }
  wait(NULL);
  SAY(setrlimit(RLIM_NLIMITS, &(struct rlimit){0, 0}));
  SAY(getrlimit(RLIM_NLIMITS, &(struct rlimit){0, 0}));
  return 0;
}
