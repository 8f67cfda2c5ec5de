// Priority-inheritance futexes: locking, handing over, errors, owner death, requeueing.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif
#define P FUTEX_PRIVATE_FLAG

static long futex(void* a, int op, uint32_t v, const void* t, void* b, uint32_t v3) {
  return syscall(SYS_futex, a, op | P, v, t, b, v3);
}
static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static _Atomic uint32_t lock, lock2, cond;
static _Atomic int step;
static uint32_t tid(void) { return (uint32_t)syscall(SYS_gettid); }
static void settle(void) { usleep(40000); }

static void show_word(const char* name, uint32_t w, uint32_t owner) {
  uint32_t who = w & FUTEX_TID_MASK;
  printf("%s: %s%s%s\n", name,
         who == 0       ? "free"
         : who == owner ? "expected owner"
                        : "another owner",
         w & FUTEX_WAITERS ? " WAITERS" : "", w & FUTEX_OWNER_DIED ? " OWNER_DIED" : "");
}

static struct timespec in_ms(clockid_t clock, long ms) {
  struct timespec ts;
  clock_gettime(clock, &ts);
  ts.tv_nsec += ms * 1000000;
  ts.tv_sec += ts.tv_nsec / 1000000000;
  ts.tv_nsec %= 1000000000;
  return ts;
}

static void alone(void) {
  puts("-- alone");
  lock = 0;
  T(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  show_word("word", lock, tid());
  T(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  T(futex(&lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
  T(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  show_word("word", lock, tid());
  T(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  T(futex(&lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
  T(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  lock = 0x3ffffff0;  // no such thread
  T(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  lock = FUTEX_OWNER_DIED;
  T(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  show_word("taken from the dead", lock, tid());
  T(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  show_word("word", lock, tid());
  T(futex((char*)&lock + 1, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  T(futex(NULL, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
}

static uint32_t other_tid;
static void* hold(void* ms) {
  other_tid = tid();
  futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
  step = 1;
  usleep((unsigned)(long)ms * 1000);
  step = 2;
  futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
  return NULL;
}

static void* die_holding(void* p) {
  (void)p;
  other_tid = tid();
  futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
  step = 1;
  usleep(50000);
  return NULL;
}

static void contended(void) {
  puts("-- contended");
  pthread_t t;
  lock = 0;
  step = 0;
  pthread_create(&t, NULL, hold, (void*)100L);
  while (step == 0) usleep(1000);
  T(futex(&lock, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
  T(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  struct timespec soon = in_ms(CLOCK_REALTIME, 20);
  T(futex(&lock, FUTEX_LOCK_PI, 0, &soon, NULL, 0));
  soon = in_ms(CLOCK_MONOTONIC, 10);
  T(futex(&lock, FUTEX_LOCK_PI2, 0, &soon, NULL, 0));
  show_word("while held", lock, other_tid);
  T(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  printf("after the unlock: %d\n", step);
  show_word("word", lock, tid());
  T(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  show_word("word", lock, tid());
  pthread_join(t, NULL);

  puts("-- owner dies");
  lock = 0;
  step = 0;
  pthread_create(&t, NULL, die_holding, NULL);
  while (step == 0) usleep(1000);
  T(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  show_word("word", lock, tid());
  T(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  show_word("word", lock, tid());
  pthread_join(t, NULL);
}

static _Atomic long other_result;
static void* cross(void* p) {
  (void)p;
  futex(&lock2, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
  step = 1;
  while (step == 1) usleep(1000);
  long r = futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
  other_result = r;
  futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
  futex(&lock2, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
  return NULL;
}

static void deadlock(void) {
  puts("-- deadlock of two");
  lock = lock2 = 0;
  step = 0;
  pthread_t t;
  pthread_create(&t, NULL, cross, NULL);
  while (step == 0) usleep(1000);
  T(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  step = 2;
  settle();
  T(futex(&lock2, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  T(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  pthread_join(t, NULL);
  printf("the other: %ld\n", other_result);
}

static void on_signal(int s) { (void)s; }
static pthread_t main_thread;
static void* interrupt(void* p) {
  (void)p;
  usleep(30000);
  pthread_kill(main_thread, SIGUSR1);
  return NULL;
}

static void plain_waiters_and_signals(void) {
  puts("-- mixed use, signals");
  pthread_t t, u;
  lock = 0;
  step = 0;
  main_thread = pthread_self();
  struct sigaction sa = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &sa, NULL);
  pthread_create(&t, NULL, hold, (void*)80L);
  while (step == 0) usleep(1000);
  pthread_create(&u, NULL, interrupt, NULL);
  T(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));  // a signal does not end it
  printf("after the unlock: %d\n", step);
  T(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  pthread_join(t, NULL);
  pthread_join(u, NULL);
}

struct cond_waiter {
  int op_index;
  long result;
  int err;
};
static void* cond_wait(void* p) {
  struct cond_waiter* w = p;
  step++;
  w->result = futex(&cond, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &lock, 0);
  w->err = errno;
  if (w->result == 0) {
    usleep(5000);
    w->err = (lock & FUTEX_TID_MASK) == tid() ? 0 : 1000;
    futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
  }
  return NULL;
}

static void requeue(int hold_lock) {
  printf("-- requeue, lock %s\n", hold_lock ? "held" : "free");
  struct cond_waiter w[3] = {{0}};
  pthread_t t[3];
  lock = cond = 0;
  step = 0;
  for (int i = 0; i < 3; i++) {
    pthread_create(&t[i], NULL, cond_wait, &w[i]);
    while (step != i + 1) usleep(1000);
  }
  settle();
  T(futex(&cond, FUTEX_WAKE, 1, NULL, NULL, 0));
  T(futex(&cond, FUTEX_CMP_REQUEUE, 1, (void*)1, &lock2, 0));
  T(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void*)1, &lock2, 0));
  T(futex(&cond, FUTEX_CMP_REQUEUE_PI, 2, (void*)1, &lock, 0));
  T(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void*)1, &lock, 1));
  T(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void*)1, &cond, 0));
  if (hold_lock) T(futex(&lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  T(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void*)0, &lock, 0));
  T(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, (void*)10, &lock, 0));
  if (hold_lock) {
    T(futex(&lock, FUTEX_WAKE, 1, NULL, NULL, 0));
    T(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  }
  for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
  for (int i = 0; i < 3; i++) printf("waiter %d: %ld %d\n", i, w[i].result, w[i].err);
  show_word("word", lock & FUTEX_TID_MASK, 0);
  struct timespec soon = in_ms(CLOCK_MONOTONIC, 20);
  T(futex(&cond, FUTEX_WAIT_REQUEUE_PI, 0, &soon, &lock, 0));
  T(futex(&cond, FUTEX_WAIT_REQUEUE_PI, 1, &soon, &lock, 0));
  T(futex(&cond, FUTEX_WAIT_REQUEUE_PI, 0, &soon, &cond, 0));
}

static pthread_mutex_t pi_mutex;
static int counter;
static void* count_up(void* p) {
  (void)p;
  for (int i = 0; i < 2000; i++) {
    pthread_mutex_lock(&pi_mutex);
    counter++;
    pthread_mutex_unlock(&pi_mutex);
  }
  return NULL;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  alone();
  contended();
  deadlock();
  plain_waiters_and_signals();
  requeue(0);
  requeue(1);
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&pi_mutex, &a);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, count_up, NULL);
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  printf("counted under a PI mutex: %d\n", counter);
  return 0;
}
