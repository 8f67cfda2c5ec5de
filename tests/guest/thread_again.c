// Threads and vfork children one after the other: each begins with what clone(2) gives it and with nothing of
// those before, also when a kernel keeps something of a thread that has ended for the next one.
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xmmintrin.h>

enum { ROUNDS = 40 };

static __thread int own = 7;
static int wrong;
static pid_t seen[ROUNDS];
static char alt_stack[16384];

#define WANT(cond) \
  if (!(cond) && wrong++ < 20) printf("round %d: not so: %s\n", round, #cond)

// The control word of the x87 unit.
static unsigned short x87(void) {
  unsigned short word;
  __asm__ volatile("fnstcw %0" : "=m"(word));
  return word;
}
static void set_x87(unsigned short word) { __asm__ volatile("fldcw %0" : : "m"(word)); }

static double used(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void burn(double seconds) {
  double from = used();
  while (used() - from < seconds) continue;
}

struct start {
  int round;
  unsigned mxcsr;
  unsigned short x87;
  sigset_t mask;
};

static void* thread(void* arg) {
  const struct start* s = arg;
  int round = s->round;
  sigset_t mask;
  stack_t alt;
  char name[16];
  // Floating-point control is the creator's; ...
  WANT((_mm_getcsr() & ~0x3fU) == (s->mxcsr & ~0x3fU));
  WANT(x87() == s->x87);
  // ... so are mask and name; CPU time, alternate stack, variables and number are its own.
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  WANT(memcmp(&mask, &s->mask, sizeof(uint64_t)) == 0);
  WANT(sigaltstack(NULL, &alt) == 0 && alt.ss_flags == SS_DISABLE);
  prctl(PR_GET_NAME, name);
  WANT(strcmp(name, "creator") == 0);
  WANT(own == 7);
  // Those before have used 20 ms each.
  WANT(used() < 0.010);
  seen[round] = (pid_t)syscall(SYS_gettid);
  WANT(seen[round] != getpid());
  for (int i = 0; i < round; ++i) WANT(seen[i] != seen[round]);
  // What the next one must not find.
  own = round;
  prctl(PR_SET_NAME, "gone");
  set_x87(0x0f7f);
  _mm_setcsr(_mm_getcsr() ^ 0x8000);
  alt = (stack_t){.ss_sp = alt_stack, .ss_size = sizeof alt_stack};
  sigaltstack(&alt, NULL);
  sigfillset(&mask);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  if (round < 5) burn(0.020);
  return (void*)(intptr_t)(round + 1000);
}

static void threads(void) {
  const unsigned mxcsr = _mm_getcsr();
  const unsigned short word = x87();
  prctl(PR_SET_NAME, "creator");
  for (int round = 0; round < ROUNDS; ++round) {
    // Another way to round each time.
    const unsigned mode = (unsigned)round % 4;
    struct start s = {.round = round, .mxcsr = (mxcsr & ~0x6000U) | mode << 13};
    s.x87 = (unsigned short)((word & ~0xc00) | mode << 10);
    _mm_setcsr(s.mxcsr);
    set_x87(s.x87);
    sigemptyset(&s.mask);
    sigaddset(&s.mask, SIGRTMIN + round % 8);
    pthread_sigmask(SIG_SETMASK, &s.mask, NULL);
    pthread_t t;
    void* result = NULL;
    WANT(pthread_create(&t, NULL, thread, &s) == 0);
    WANT(pthread_join(t, &result) == 0);
    WANT((intptr_t)result == round + 1000);
    WANT(own == 7);
  }
  _mm_setcsr(mxcsr);
  set_x87(word);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, NULL);
  printf("%d threads, one after the other: %d wrong\n", ROUNDS, wrong);
}

// Several at once, of which some wait while others begin and end.
static void* holder(void* arg) {
  pthread_barrier_wait(arg);
  pthread_barrier_wait(arg);
  return NULL;
}

static void waves(void) {
  int round = 0, before = wrong;
  for (; round < 6; ++round) {
    enum { N = 12 };
    pthread_barrier_t barrier;
    pthread_t t[N];
    pthread_barrier_init(&barrier, NULL, N + 1);
    for (int i = 0; i < N; ++i) WANT(pthread_create(&t[i], NULL, holder, &barrier) == 0);
    pthread_barrier_wait(&barrier);
    // A child has its own, and only the thread that made it.
    pid_t child = fork();
    if (child == 0) {
      pthread_t u;
      _exit(pthread_create(&u, NULL, holder, &barrier) == 0 && pthread_detach(u) == 0 ? 3 : 4);
    }
    int status = 0;
    WANT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < N; ++i) WANT(pthread_join(t[i], NULL) == 0);
  }
  printf("waves of threads: %d wrong\n", wrong - before);
}

__attribute__((noinline)) static pid_t start_false(void) {
  pid_t child = vfork();
  if (child == 0) {
    execl("/bin/false", "false", (char*)NULL);
    _exit(127);
  }
  return child;
}

static void vforks(void) {
  int before = wrong;
  for (int round = 0; round < 10; ++round) {
    int status = 0;
    pid_t child = start_false();
    WANT(child > 0 && waitpid(child, &status, 0) == child);
    WANT(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    WANT((pid_t)syscall(SYS_gettid) == getpid());
  }
  printf("vfork and exec: %d wrong\n", wrong - before);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  threads();
  waves();
  vforks();
  return 0;
}
