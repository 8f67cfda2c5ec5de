// Critical sections of rseq(2): a signal, a preemption or a migration inside leads to the abort handler;
// outside it does not; a wrong signature and broken descriptors are SIGSEGV.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct cs {
  uint32_t version, flags;
  uint64_t start_ip, post_commit_offset, abort_ip;
} __attribute__((aligned(32)));

static struct rseq* area(void) { return (struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset); }
static volatile sig_atomic_t signals;
static volatile int stop;
static volatile uint64_t spins;

// Spins in a critical section until *flag is set. 1: committed, 0: aborted. `tweak` edits the descriptor.
static int section(volatile int* flag, void (*tweak)(struct cs*)) {
  static struct cs cs;
  int result;
  void *start, *post, *abort_at;
  __asm__ volatile("lea 1f(%%rip), %0\n\t lea 2f(%%rip), %1\n\t lea 4f(%%rip), %2"
                   : "=r"(start), "=r"(post), "=r"(abort_at));
  cs = (struct cs){0, 0, (uint64_t)start, (uint64_t)post - (uint64_t)start, (uint64_t)abort_at};
  if (tweak) tweak(&cs);
  volatile uint64_t* pointer = (volatile uint64_t*)&area()->rseq_cs;
  __asm__ volatile(
      "movq %[cs], %[ptr]\n"
      "1:\n\t"
      "incq %[spins]\n\t"
      "cmpl $0, %[flag]\n\t"
      "je 1b\n"
      "2:\n\t"
      "movl $1, %[result]\n\t"
      "jmp 5f\n\t"
      ".byte 0x0f, 0xb9, 0x3d\n\t"
      ".long 0x53053053\n"
      "4:\n\t"
      "movl $0, %[result]\n"
      "5:\n"
      : [result] "=&r"(result), [ptr] "=m"(*pointer), [spins] "+m"(spins)
      : [cs] "r"(&cs), [flag] "m"(*flag)
      : "memory", "cc");
  return result;
}

static void on_signal(int s) {
  (void)s;
  signals++;
}

// Again and again: the first one may come before the section is entered.
static void arm(long ms) {
  struct itimerval it = {{0, ms * 1000}, {0, ms * 1000}};
  setitimer(ITIMER_REAL, &it, NULL);
}

static void bad_signature(struct cs* c) { c->abort_ip -= 4; }
static void bad_version(struct cs* c) { c->version = 1; }
static void bad_flags(struct cs* c) { c->flags = 1; }
static void bad_range(struct cs* c) { c->abort_ip = c->start_ip + 1; }
static void other_range(struct cs* c) {  // somewhere else: we are not in it
  c->start_ip = 4096;
  c->post_commit_offset = 16;
}

static void dies(const char* name, void (*tweak)(struct cs*)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    static volatile int never;
    arm(20);
    int r = section(&never, tweak);
    _exit(r);
  }
  int status;
  waitpid(pid, &status, 0);
  if (WIFSIGNALED(status))
    printf("%s: killed by SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
  else
    printf("%s: exit %d\n", name, WEXITSTATUS(status));
}

static volatile int flag;
static void on_set_flag(int s) {
  (void)s;
  signals++;
  flag = 1;
}

static void bind_to(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  sched_setaffinity(0, sizeof one, &one);
}

static void* hog(void* p) {
  bind_to((int)(long)p);
  while (!stop) {
  }
  return NULL;
}

static pid_t mover_target;
static uint64_t spins_before;
static void* mover(void* p) {
  cpu_set_t to = *(cpu_set_t*)p;
  while (spins == spins_before) usleep(1000);  // until it is inside
  sched_setaffinity(mover_target, sizeof to, &to);
  return NULL;
}

int main(void) {
  if (__rseq_size == 0) {
    puts("the C library has no rseq");
    return 77;
  }
  static volatile int set = 1, never;
  struct sigaction sa = {.sa_handler = on_signal};
  sigaction(SIGALRM, &sa, NULL);
  int r;
  do r = section(&set, NULL);
  while (r == 0);  // until it is not preempted inside
  printf("undisturbed: %d\n", r);
  arm(20);
  do r = section(&never, NULL);
  while (!signals);  // a preemption aborts it as well
  arm(0);
  printf("signal inside: %d, handled %d, spun %d\n", r, signals > 0, spins > 1);
  printf("pointer cleared: %d\n", area()->rseq_cs == 0);
  sa.sa_handler = on_set_flag;
  sigaction(SIGALRM, &sa, NULL);
  arm(20);
  signals = 0;
  r = section(&flag, other_range);
  arm(0);
  printf("descriptor of another place: %d, handled %d\n", r, signals > 0);
  sa.sa_handler = on_signal;
  sigaction(SIGALRM, &sa, NULL);

  // Preempted by another thread on the same CPU.
  int cpu = sched_getcpu();
  cpu_set_t all;
  sched_getaffinity(0, sizeof all, &all);
  bind_to(cpu);
  pthread_t t;
  pthread_create(&t, NULL, hog, (void*)(long)cpu);
  printf("preempted inside: %d\n", section(&never, NULL));
  stop = 1;
  pthread_join(t, NULL);

  // Moved to another CPU by another thread.
  if (CPU_COUNT(&all) > 1) {
    cpu_set_t rest = all;
    CPU_CLR(cpu, &rest);
    mover_target = (pid_t)syscall(SYS_gettid);
    sched_setaffinity(0, sizeof all, &all);
    spins_before = spins;
    pthread_create(&t, NULL, mover, &rest);
    bind_to(cpu);
    r = section(&never, NULL);
    pthread_join(t, NULL);
    printf("migrated inside: %d, elsewhere %d\n", r, sched_getcpu() != cpu);
  } else {
    puts("migrated inside: 0, elsewhere 1");
  }
  sched_setaffinity(0, sizeof all, &all);

  dies("good descriptor", NULL);
  dies("wrong signature", bad_signature);
  dies("version 1", bad_version);
  dies("abort inside the section", bad_range);
  dies("flags", bad_flags);
  return 0;
}
