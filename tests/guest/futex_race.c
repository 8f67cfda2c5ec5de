// No wake-up is lost between the look at a futex word and the sleep: threads and processes hand a turn around
// as fast as they can, and one changes the word without waking anybody, which may only cost the others
// another look.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PLAYERS = 4, ROUNDS = 3000, PATIENCE_S = 20 };

struct shared {
  _Atomic uint32_t word;  // low byte: whose turn; the rest: noise
  _Atomic uint32_t done, lost;
};
static struct shared* s;
static int flag;
static uint32_t players = PLAYERS;
static uint32_t polls = PLAYERS;  // who looks at the word all the time instead of waiting
static int longest_turn;

static long futex(int op, uint32_t v, const struct timespec* t) {
  return syscall(SYS_futex, &s->word, op | flag, v, t, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void play(uint32_t me) {
  const struct timespec patience = {PATIENCE_S, 0};
  for (int i = 0; i < ROUNDS; ++i) {
    uint32_t v;
    for (int n = 1; polls == me && (atomic_load(&s->word) & 0xff) != me; ++n)
      if (n % 1000 == 0) sched_yield();
    while (((v = atomic_load(&s->word)) & 0xff) != me)
      if (futex(FUTEX_WAIT, v, &patience) != 0 && errno == ETIMEDOUT) {
        atomic_fetch_add(&s->lost, 1);
        return;
      }
    for (volatile int d = longest_turn != 0 ? i % longest_turn : 0; d > 0; --d) continue;
    // Only the one whose turn it is changes the low byte.
    uint32_t next = (me + 1) % players;
    do v = atomic_load(&s->word);
    while (!atomic_compare_exchange_weak(&s->word, &v, (v & ~0xffU) | next));
    futex(FUTEX_WAKE, players, NULL);
  }
  atomic_fetch_add(&s->done, 1);
}

static void noise(void) {
  while (atomic_load(&s->done) + atomic_load(&s->lost) < PLAYERS) {
    atomic_fetch_add(&s->word, 0x100);
    sched_yield();
  }
}

static void* thread(void* arg) {
  play((uint32_t)(uintptr_t)arg);
  return NULL;
}

static void* noise_thread(void* arg) {
  noise();
  return arg;
}

static void report(const char* what) {
  printf("%s: %u done, %u lost\n", what, atomic_load(&s->done), atomic_load(&s->lost));
  fflush(stdout);
  atomic_store(&s->word, 0);
  atomic_store(&s->done, 0);
  atomic_store(&s->lost, 0);
}

static void threads(void) {
  pthread_t t[PLAYERS + 1];
  for (uintptr_t i = 0; i < PLAYERS; ++i) pthread_create(&t[i], NULL, thread, (void*)i);
  pthread_create(&t[PLAYERS], NULL, noise_thread, NULL);
  for (int i = 0; i <= PLAYERS; ++i) pthread_join(t[i], NULL);
}

static void* thread_on_own_cpu(void* arg) {
  cpu_set_t all, own;
  int cpu = -1;
  sched_getaffinity(0, sizeof all, &all);
  for (uintptr_t n = (uintptr_t)arg % (uintptr_t)CPU_COUNT(&all) + 1; n > 0; n -= CPU_ISSET(cpu, &all) != 0)
    ++cpu;
  CPU_ZERO(&own);
  CPU_SET(cpu, &own);
  sched_setaffinity(0, sizeof own, &own);
  return thread(arg);
}

// The wake-up comes at every moment of the other one's way into the kernel, and mostly finds nobody yet.
static void pair(void) {
  pthread_t t[2];
  players = 2;
  polls = 0;
  longest_turn = 1000;
  for (uintptr_t i = 0; i < 2; ++i) pthread_create(&t[i], NULL, thread_on_own_cpu, (void*)i);
  for (int i = 0; i < 2; ++i) pthread_join(t[i], NULL);
}

static void processes(void) {
  for (uint32_t i = 0; i < PLAYERS; ++i)
    if (fork() == 0) {
      play(i);
      _exit(0);
    }
  if (fork() == 0) {
    noise();
    _exit(0);
  }
  while (wait(NULL) > 0) continue;
}

int main(void) {
  s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  processes();
  report("processes");
  flag = FUTEX_PRIVATE_FLAG;
  threads();
  report("threads");
  pair();
  report("two threads");
  return 0;
}
