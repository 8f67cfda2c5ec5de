// futex(2): waiting, waking, bit sets, requeueing, wake-op, futex_waitv: results and errors.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static long futex(void* a, int op, uint32_t v, const void* t, void* b, uint32_t v3) {
  return syscall(SYS_futex, a, op, v, t, b, v3);
}
static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static const struct timespec SHORT = {0, 20000000}, ZERO = {0, 0}, BAD = {0, 1000000000}, NEG = {-1, 0};
static _Atomic uint32_t word, word2, woken[16];
static _Atomic int started;

static void settle(void) { usleep(30000); }

struct waiter {
  int id;
  uint32_t bitset;
};

static void* wait_thread(void* p) {
  struct waiter* w = p;
  started++;
  long r = futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, w->bitset);
  woken[w->id] = r == 0 ? 1 : 2;
  return NULL;
}

static int count_woken(int n) {
  int c = 0;
  for (int i = 0; i < n; i++) c += woken[i] == 1;
  return c;
}

static pthread_t threads[16];
static struct waiter waiters[16];
static void start(int n, const uint32_t* bits) {
  started = 0;
  word = word2 = 0;
  for (int i = 0; i < n; i++) {
    woken[i] = 0;
    waiters[i] = (struct waiter){i, bits ? bits[i] : ~0U};
    pthread_create(&threads[i], NULL, wait_thread, &waiters[i]);
    while (started != i + 1) usleep(1000);
    usleep(5000);
  }
  settle();
}
static void finish(int n) {
  for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
}

static void errors(void) {
  puts("-- errors");
  word = 5;
  char* none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void* unaligned = (char*)&word + 1;
  T(futex(&word, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0));
  T(futex(&word, FUTEX_WAIT_PRIVATE, 5, &SHORT, NULL, 0));
  T(futex(&word, FUTEX_WAIT_PRIVATE, 5, &ZERO, NULL, 0));
  T(futex(&word, FUTEX_WAIT_PRIVATE, 5, &BAD, NULL, 0));
  T(futex(&word, FUTEX_WAIT_PRIVATE, 5, &NEG, NULL, 0));
  T(futex(&word, FUTEX_WAIT_PRIVATE, 5, (void*)1, NULL, 0));
  T(futex(unaligned, FUTEX_WAIT_PRIVATE, 5, NULL, NULL, 0));
  T(futex(unaligned, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
  T(futex(none, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
  T(futex(none, FUTEX_WAIT, 0, NULL, NULL, 0));
  T(futex(none, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
  T(futex(none, FUTEX_WAKE, 1, NULL, NULL, 0));
  T(futex(NULL, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
  T(futex(NULL, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
  T(futex(NULL, FUTEX_WAKE, 1, NULL, NULL, 0));
  T(futex((void*)(1UL << 63), FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
  T(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 5, &SHORT, NULL, 0));
  T(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 5, NULL, NULL, 0));
  T(futex(&word, FUTEX_WAIT_PRIVATE | FUTEX_CLOCK_REALTIME, 5, &SHORT, NULL, 0));
  T(futex(&word, FUTEX_WAKE_PRIVATE | FUTEX_CLOCK_REALTIME, 5, NULL, NULL, 0));
  T(futex(&word, FUTEX_FD, 0, NULL, NULL, 0));
  T(futex(&word, 77, 0, NULL, NULL, 0));
  T(futex(&word, FUTEX_REQUEUE_PRIVATE, -1, NULL, &word2, 0));
  T(futex(&word, FUTEX_REQUEUE_PRIVATE, 1, (void*)-1L, &word2, 0));
  T(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)1, &word2, 4));
  T(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)1, &word2, 5));
  T(futex(&word, FUTEX_REQUEUE_PRIVATE, 1, (void*)1, &word, 5));
}

static void absolute(void) {
  puts("-- absolute timeouts");
  struct timespec mono, real;
  clock_gettime(CLOCK_MONOTONIC, &mono);
  clock_gettime(CLOCK_REALTIME, &real);
  word = 0;
  // A point of the past; one second is not reached by either.
  T(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &mono, NULL, ~0U));
  T(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &real, NULL, ~0U));
  T(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, &mono, NULL, ~0U));
  mono.tv_nsec += 30000000;
  if (mono.tv_nsec >= 1000000000) mono.tv_sec++, mono.tv_nsec -= 1000000000;
  T(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &mono, NULL, ~0U));
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("not before its time: %d\n",
         now.tv_sec > mono.tv_sec || (now.tv_sec == mono.tv_sec && now.tv_nsec >= mono.tv_nsec));
}

static void counts(void) {
  puts("-- wake counts");
  start(5, NULL);
  T(futex(&word, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0));
  settle();
  printf("first two: %d %d, in all %d\n", woken[0], woken[1], count_woken(5));
  T(futex(&word, FUTEX_WAKE_PRIVATE, 0, NULL, NULL, 0));
  T(futex(&word, FUTEX_WAKE, 10, NULL, NULL, 0));
  T(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
  finish(5);

  puts("-- bit sets");
  static const uint32_t bits[4] = {1, 2, 4, ~0U};
  start(4, bits);
  T(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 8 | 2));
  settle();
  printf("woken: %d %d %d %d\n", woken[0], woken[1], woken[2], woken[3]);
  T(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 16));
  T(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
  finish(4);

  puts("-- requeue");
  start(5, NULL);
  T(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)2, &word2, 1));
  T(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)2, &word2, 0));
  settle();
  printf("woken: %d\n", count_woken(5));
  T(futex(&word2, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
  T(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
  T(futex(&word2, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
  finish(5);
  start(3, NULL);
  T(futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void*)10, &word2, 0));
  T(futex(&word2, FUTEX_REQUEUE_PRIVATE, 1, (void*)1, &word, 0));
  settle();
  printf("woken: %d\n", count_woken(3));
  T(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
  T(futex(&word2, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
  finish(3);
}

static void wake_ops(void) {
  puts("-- wake op");
  static const struct {
    int op, arg, cmp, cmparg;
    uint32_t before;
  } cases[] = {
      {FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 3, 3},
      {FUTEX_OP_ADD, 5, FUTEX_OP_CMP_NE, 3, 3},
      {FUTEX_OP_OR, 12, FUTEX_OP_CMP_LT, 4, 3},
      {FUTEX_OP_ANDN, 1, FUTEX_OP_CMP_LE, 3, 3},
      {FUTEX_OP_XOR, 2, FUTEX_OP_CMP_GT, 2, 3},
      {FUTEX_OP_ADD, -1, FUTEX_OP_CMP_GE, 4, 3},
      {FUTEX_OP_SET, -1, FUTEX_OP_CMP_LT, 0, -5},
      {FUTEX_OP_OR | 8, 4, FUTEX_OP_CMP_EQ, 0, 0},
      {5, 4, FUTEX_OP_CMP_EQ, 0, 0},
      {FUTEX_OP_SET, 4, 6, 0, 0},
  };
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    word2 = cases[i].before;
    long r = futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &word2,
                   FUTEX_OP(cases[i].op, cases[i].arg & 0xfff, cases[i].cmp, cases[i].cmparg & 0xfff));
    printf("case %u: %ld %s, word %#x\n", i, r, r < 0 ? strerrorname_np(errno) : "", word2);
  }
  start(2, NULL);
  T(futex(&word2, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &word, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_NE, 0)));
  T(futex(&word2, FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &word, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 1)));
  T(futex(&word, FUTEX_WAKE_OP_PRIVATE, 5, (void*)1, &word2, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 9)));
  printf("words: %u %u\n", word, word2);
  finish(2);
}

struct waitv {
  uint64_t val, uaddr;
  uint32_t flags, reserved;
};

static void* wake_later(void* addr) {
  usleep(40000);
  futex(addr, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  return NULL;
}

static void waitv(void) {
  puts("-- futex_waitv");
  static _Atomic uint32_t words[3] = {1, 2, 3};
  struct waitv v[3];
  for (int i = 0; i < 3; i++) v[i] = (struct waitv){(uint64_t)i + 1, (uint64_t)&words[i], 2 | 128, 0};
  struct timespec past = {0, 1};
#define W(n, flags, ts, clock) syscall(SYS_futex_waitv, v, n, flags, ts, clock)
  if (W(0, 0, NULL, 0) < 0 && errno == ENOSYS) {
    puts("not there");  // Linux before 5.16
    return;
  }
  T(W(0, 0, NULL, 0));
  T(W(129, 0, NULL, 0));
  T(W(3, 1, NULL, 0));
  T(W(3, 0, &past, CLOCK_MONOTONIC));
  T(W(3, 0, &past, CLOCK_REALTIME));
  T(W(3, 0, &past, CLOCK_BOOTTIME));
  T(W(3, 0, &BAD, CLOCK_MONOTONIC));
  v[1].val = 9;
  T(W(3, 0, NULL, 0));
  v[1].val = 2;
  v[2].flags = 0;
  T(W(3, 0, NULL, 0));
  v[2].flags = 2 | 128;
  v[2].reserved = 1;
  T(W(3, 0, NULL, 0));
  v[2].reserved = 0;
  v[2].uaddr++;
  T(W(3, 0, NULL, 0));
  v[2].uaddr--;
  pthread_t t;
  pthread_create(&t, NULL, wake_later, &words[1]);
  T(W(3, 0, NULL, 0));
  pthread_join(t, NULL);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  errors();
  absolute();
  counts();
  wake_ops();
  waitv();
  return 0;
}
