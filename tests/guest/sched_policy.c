// Scheduling policies and priorities as an ordinary user: results, errors, inheritance, permissions.
#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

struct attr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t util_min, util_max;
  uint64_t future;
};

static long set(int policy, int prio) {
  struct sched_param p = {prio};
  return syscall(SYS_sched_setscheduler, 0, policy, &p);
}
static long set_param(int prio) {
  struct sched_param p = {prio};
  return syscall(SYS_sched_setparam, 0, &p);
}
static long get_param(void) {
  struct sched_param p = {-1};
  long r = syscall(SYS_sched_getparam, 0, &p);
  return r < 0 ? r : p.sched_priority;
}
static long set_attr(struct attr a) { return syscall(SYS_sched_setattr, 0, &a, 0); }
static void show_attr(void) {
  struct attr a;
  memset(&a, 0xff, sizeof a);
  long r = syscall(SYS_sched_getattr, 0, &a, 56, 0);
  printf("attr: %ld size %u policy %u flags %llu nice %d priority %u\n", r, a.size, a.policy,
         (unsigned long long)a.flags, a.nice, a.priority);
}

static void ranges(void) {
  for (int p = -1; p <= 6; p++) {
    long lo = syscall(SYS_sched_get_priority_min, p), e1 = errno;
    long hi = syscall(SYS_sched_get_priority_max, p);
    printf("policy %d: %ld %ld %s\n", p, lo, hi, lo < 0 ? strerrorname_np((int)e1) : "");
  }
}

static void errors(void) {
  puts("-- errors");
  struct sched_param p = {0};
  T(syscall(SYS_sched_getscheduler, -1));
  T(syscall(SYS_sched_getscheduler, 1 << 22));
  T(syscall(SYS_sched_getparam, 0, NULL));
  T(syscall(SYS_sched_getparam, -1, &p));
  T(syscall(SYS_sched_getparam, 0, (void*)1));
  T(syscall(SYS_sched_getparam, 1 << 22, &p));
  T(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL));
  T(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, (void*)1));
  T(syscall(SYS_sched_setscheduler, -1, SCHED_OTHER, &p));
  T(syscall(SYS_sched_setscheduler, 1 << 22, SCHED_OTHER, &p));
  T(set(-1, 0));
  T(set(4, 0));
  T(set(SCHED_OTHER, 1));
  T(set(SCHED_FIFO, 0));
  T(set(SCHED_FIFO, 100));
  T(set(SCHED_FIFO, -1));
  T(set(SCHED_FIFO, 1));
  T(set(SCHED_RR, 99));
  T(set(SCHED_DEADLINE, 0));
  T(set_param(0));
  T(set_param(1));
}

static void policies(void) {
  puts("-- policies");
  T(syscall(SYS_sched_getscheduler, 0));
  T(set(SCHED_BATCH, 0));
  T(syscall(SYS_sched_getscheduler, 0));
  T(syscall(SYS_sched_getscheduler, getpid()));
  T(set(SCHED_IDLE, 0));
  T(get_param());
  T(set(SCHED_OTHER, 0));  // RLIMIT_NICE 0 does not allow it
  T(syscall(SYS_sched_getscheduler, 0));
  struct timespec ts = {-1, -1};
  T(syscall(SYS_sched_rr_get_interval, 0, &ts));
  printf("sensible: %d\n", ts.tv_sec == 0 && ts.tv_nsec >= 0 && ts.tv_nsec < 200000000);
  T(syscall(SYS_sched_rr_get_interval, -1, &ts));
  T(syscall(SYS_sched_rr_get_interval, 1 << 22, &ts));
  T(syscall(SYS_sched_rr_get_interval, 0, (void*)1));
  T(syscall(SYS_sched_yield));
}

static void attributes(void) {
  puts("-- attributes");
  struct attr a = {.size = 48};
  show_attr();
  T(syscall(SYS_sched_setattr, 0, NULL, 0));
  T(syscall(SYS_sched_setattr, 0, &a, 1));
  T(syscall(SYS_sched_setattr, -1, &a, 0));
  T(syscall(SYS_sched_setattr, 1 << 22, &a, 0));
  a.size = 47;
  T(syscall(SYS_sched_setattr, 0, &a, 0));
  printf("kernel's size: %d\n", a.size >= 56);
  a = (struct attr){.size = 64};
  T(syscall(SYS_sched_setattr, 0, &a, 0));
  a = (struct attr){.size = 64, .future = 1};
  T(syscall(SYS_sched_setattr, 0, &a, 0));
  a = (struct attr){.size = 5000};
  T(syscall(SYS_sched_setattr, 0, &a, 0));
  T(set_attr((struct attr){.size = 48, .policy = 4}));
  T(set_attr((struct attr){.size = 48, .policy = ~0U}));
  T(set_attr((struct attr){.size = 48, .flags = 0x80000000}));
  T(set_attr((struct attr){.size = 48, .policy = SCHED_FIFO, .priority = 1}));
  T(set_attr((struct attr){.size = 48, .policy = SCHED_FIFO}));
  T(set_attr((struct attr){.size = 48, .nice = 5}));
  show_attr();
  T(set_attr((struct attr){.size = 48, .nice = 100}));
  show_attr();
  T(set_attr((struct attr){.size = 48, .nice = 3}));
  T(set_attr((struct attr){.size = 48, .nice = 19, .flags = 1}));
  show_attr();
  T(syscall(SYS_sched_getscheduler, 0));
  T(set_attr((struct attr){.size = 48, .nice = 19}));  // the flag cannot be taken back
  T(set_attr((struct attr){.size = 48, .policy = SCHED_BATCH, .nice = 19, .flags = 1}));
  T(set_attr((struct attr){.size = 48, .policy = SCHED_FIFO, .nice = 19, .flags = 1 | 8 | 16}));
  show_attr();
  T(set_attr((struct attr){.size = 48,
                           .policy = SCHED_DEADLINE,
                           .runtime = 10000000,
                           .deadline = 30000000,
                           .period = 30000000,
                           .flags = 1}));
  T(set_attr((struct attr){
      .size = 48, .policy = SCHED_DEADLINE, .runtime = 40000000, .deadline = 30000000, .period = 30000000}));
  struct attr g;
  T(syscall(SYS_sched_getattr, 0, &g, 47, 0));
  T(syscall(SYS_sched_getattr, 0, &g, 4097, 0));
  T(syscall(SYS_sched_getattr, 0, &g, 48, 1));
  T(syscall(SYS_sched_getattr, 0, NULL, 48, 0));
  T(syscall(SYS_sched_getattr, 0, (void*)8, 48, 0));
  T(syscall(SYS_sched_getattr, -1, &g, 48, 0));
  T(syscall(SYS_sched_getattr, 1 << 22, &g, 48, 0));
  g.size = 0;
  T(syscall(SYS_sched_getattr, 0, &g, 48, 0));
  printf("size %u\n", g.size);
}

static void* thread(void* p) {
  (void)p;
  T(syscall(SYS_sched_getscheduler, 0));
  return NULL;
}

static void child(void (*fn)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    fn();
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
}

static void in_child(void) {
  T(syscall(SYS_sched_getscheduler, 0));
  T((long)getpriority(PRIO_PROCESS, 0));
}

static void inheritance(void) {
  puts("-- inheritance");
  T(set(SCHED_BATCH, 0));
  child(in_child);
  pthread_t t;
  pthread_create(&t, NULL, thread, NULL);
  pthread_join(t, NULL);
  T(setpriority(PRIO_PROCESS, 0, 4));
  child(in_child);
  T(set(SCHED_BATCH | SCHED_RESET_ON_FORK, 0));
  T(syscall(SYS_sched_getscheduler, 0));
  child(in_child);
  T(set(SCHED_BATCH, 0));
}

int main(void) {
  // No privileges of a user's own: the limits of most systems.
  setrlimit(RLIMIT_RTPRIO, &(struct rlimit){0, 0});
  setrlimit(RLIMIT_NICE, &(struct rlimit){0, 0});
  ranges();
  errors();
  child(policies);
  child(attributes);
  child(inheritance);
  T(nice(2));
  T(nice(100));
  errno = 0;
  T(nice(-1));
  T((long)getpriority(PRIO_PROCESS, 0));
  return 0;
}
