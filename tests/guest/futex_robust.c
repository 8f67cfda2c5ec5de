// Robust futexes: what dies with a lock in its hands is marked, and one waiter is told.
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

struct node {
  struct node* next;
  _Atomic uint32_t word;
};

static struct {
  struct robust_list_head head;
  struct node nodes[5];
} * shared;

static uint32_t flags_of(uint32_t w) { return w & ~FUTEX_TID_MASK; }

// A process that holds all words in different states and dies.
static void die_with(int by_signal, unsigned delay_us) {
  uint32_t tid = (uint32_t)syscall(SYS_gettid);
  struct node* n = shared->nodes;
  n[0].word = tid;
  n[1].word = tid | FUTEX_WAITERS;
  n[2].word = tid + 1;
  n[3].word = tid;  // not in the list
  n[4].word = tid;  // being unlocked or locked: list_op_pending
  shared->head.list.next = (struct robust_list*)&n[0].next;
  n[0].next = &n[1];
  n[1].next = &n[2];
  n[2].next = (struct node*)&shared->head;
  shared->head.futex_offset = offsetof(struct node, word);
  shared->head.list_op_pending = (struct robust_list*)&n[4].next;
  syscall(SYS_set_robust_list, &shared->head, sizeof shared->head);
  usleep(delay_us);
  if (by_signal) raise(9);
  _exit(0);
}

static void report(uint32_t tid) {
  for (int i = 0; i < 5; i++) {
    uint32_t w = shared->nodes[i].word, who = w & FUTEX_TID_MASK;
    printf("  word %d: %#x, %s\n", i, flags_of(w), who == 0 ? "nobody" : who == tid ? "the dead" : "another");
  }
}

static pthread_mutex_t* mutex;

static void* lock_and_leave(void* p) {
  (void)p;
  printf("thread locks: %d\n", pthread_mutex_lock(mutex));
  return NULL;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct robust_list_head* head;
  size_t len = 0;
  T(syscall(SYS_set_robust_list, &shared->head, 23));
  T(syscall(SYS_get_robust_list, 0, &head, &len));
  printf("length %zu\n", len);
  T(syscall(SYS_get_robust_list, 1 << 22, &head, &len));
  T(syscall(SYS_get_robust_list, 0, (void*)1, &len));

  for (int by_signal = 0; by_signal < 2; by_signal++) {
    pid_t pid = fork();
    if (pid == 0) die_with(by_signal, 0);
    waitpid(pid, NULL, 0);
    printf("after %s\n", by_signal ? "a fatal signal" : "exit");
    report((uint32_t)pid);
  }

  // A waiter is woken by the death.
  shared->nodes[1].word = 0;
  pid_t holder = fork();
  if (holder == 0) die_with(0, 80000);
  pid_t waiter = fork();
  if (waiter == 0) {
    while (shared->nodes[1].word == 0) usleep(100);
    struct timespec ts = {1, 0};
    uint32_t seen = shared->nodes[1].word;
    long r = syscall(SYS_futex, &shared->nodes[1].word, FUTEX_WAIT, seen, &ts, NULL, 0);
    _exit(r == 0 || errno == EAGAIN ? 0 : 1);
  }
  int status;
  waitpid(holder, &status, 0);
  waitpid(waiter, &status, 0);
  printf("waiter: %d\n", WEXITSTATUS(status));

  // The same with the C library's mutexes, between threads and between processes.
  mutex = (pthread_mutex_t*)((char*)shared + 4096);
  volatile int* child_has_it = (volatile int*)((char*)shared + 6144);
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(mutex, &a);
  pthread_t t;
  pthread_create(&t, NULL, lock_and_leave, NULL);
  pthread_join(t, NULL);
  int e = pthread_mutex_lock(mutex);
  printf("after the thread's end: %s\n", strerrorname_np(e));
  printf("consistent: %d\n", pthread_mutex_consistent(mutex));
  printf("unlock: %d\n", pthread_mutex_unlock(mutex));
  pid_t pid = fork();
  if (pid == 0) {
    pthread_mutex_lock(mutex);
    *child_has_it = 1;
    usleep(60000);
    _exit(0);
  }
  while (*child_has_it == 0) usleep(1000);
  e = pthread_mutex_lock(mutex);  // waits for the death
  printf("after the process's end: %s\n", strerrorname_np(e));
  printf("unlock without repair: %d\n", pthread_mutex_unlock(mutex));
  printf("then: %s\n", strerrorname_np(pthread_mutex_lock(mutex)));
  waitpid(pid, NULL, 0);
  return 0;
}
