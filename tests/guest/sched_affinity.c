// CPU affinity: sizes, errors, inheritance over fork, threads and exec, immediate migration.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static uint64_t mask[16];
static uint64_t current(void) {
  uint64_t m[16] = {0};
  syscall(SYS_sched_getaffinity, 0, sizeof m, m);
  return m[0];
}
static int my_cpu(void) {
  unsigned cpu = ~0U, node = ~0U;
  syscall(SYS_getcpu, &cpu, &node, NULL);
  return (int)cpu;
}

static void* bound_thread(void* p) {
  printf("thread inherits: %d\n", current() == (uint64_t)p);
  return NULL;
}

int main(int argc, char** argv) {
  if (argc > 1) {
    printf("after exec: %d\n", current() == strtoull(argv[1], NULL, 16));
    return 0;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  long r = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
  printf("returned whole longs, enough for all: %d\n", r > 0 && r % 8 == 0 && r * 8 >= get_nprocs_conf());
  uint64_t all = mask[0];
  uint64_t large[128];
  printf("as many for a larger buffer: %d\n", syscall(SYS_sched_getaffinity, 0, sizeof large, large) == r);
  T(syscall(SYS_sched_getaffinity, 0, 8, mask));
  printf("CPUs in the mask: %d\n", __builtin_popcountll(all) == get_nprocs());
  T(syscall(SYS_sched_getaffinity, 0, 0, mask));
  T(syscall(SYS_sched_getaffinity, 0, 4, mask));
  T(syscall(SYS_sched_getaffinity, 0, 12, mask));
  T(syscall(SYS_sched_getaffinity, 0, 128, (void*)1));
  T(syscall(SYS_sched_getaffinity, -1, 128, mask));
  T(syscall(SYS_sched_getaffinity, 1 << 22, 128, mask));
  memset(mask, 0, sizeof mask);
  T(syscall(SYS_sched_setaffinity, 0, 128, mask));
  mask[15] = 1;
  T(syscall(SYS_sched_setaffinity, 0, 128, mask));
  T(syscall(SYS_sched_setaffinity, 0, 128, (void*)1));
  T(syscall(SYS_sched_setaffinity, 1 << 22, 128, mask));
  T(syscall(SYS_sched_setaffinity, 0, 0, mask));
  mask[0] = all;
  T(syscall(SYS_sched_setaffinity, 0, 128, mask));
  printf("absent CPUs are dropped: %d\n", current() == all);
  mask[0] = ~0ULL;
  T(syscall(SYS_sched_setaffinity, 0, 8, mask));

  // To each CPU in turn: there at once.
  int right = 1, last = 0;
  for (int cpu = 0; cpu < 64; cpu++) {
    if (!((all >> cpu) & 1)) continue;
    mask[0] = 1ULL << cpu;
    if (syscall(SYS_sched_setaffinity, 0, 8, mask) != 0 || my_cpu() != cpu || current() != mask[0]) right = 0;
    sched_yield();
    if (my_cpu() != cpu) right = 0;
    last = cpu;
  }
  printf("on each CPU at once: %d\n", right);
  mask[0] = 1ULL << last;
  pthread_t t;
  pthread_create(&t, NULL, bound_thread, (void*)mask[0]);
  pthread_join(t, NULL);
  pid_t pid = fork();
  if (pid == 0) {
    printf("child inherits: %d, runs there: %d\n", current() == mask[0], my_cpu() == last);
    mask[0] = all;
    syscall(SYS_sched_setaffinity, getppid(), 8, mask);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  printf("set by the child: %d\n", current() == all);
  char text[32];
  mask[0] = 1ULL << last;
  syscall(SYS_sched_setaffinity, 0, 8, mask);
  snprintf(text, sizeof text, "%llx", (unsigned long long)mask[0]);
  pid = fork();
  if (pid == 0) {
    execl("/proc/self/exe", argv[0], text, NULL);
    _exit(1);
  }
  waitpid(pid, NULL, 0);
  return 0;
}
