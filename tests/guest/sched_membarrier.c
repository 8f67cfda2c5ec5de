// membarrier(2): commands, registrations, errors, and that a barrier orders what others see.
#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long mb(int cmd, unsigned flags, int cpu) { return syscall(SYS_membarrier, cmd, flags, cpu); }
static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

// Dekker's pattern with the fence on one side only replaced by membarrier: both never see 0.
static volatile int x, y;
static _Atomic int turn, ready, bad;
static void* light(void* p) {
  (void)p;
  for (int i = 1; i <= 300; i++) {
    while (atomic_load(&turn) != i) {
    }
    x = 1;
    __asm__ volatile("" ::: "memory");
    int saw = y;
    atomic_store(&ready, i | (saw << 16));
  }
  return NULL;
}

int main(void) {
  long all = mb(MEMBARRIER_CMD_QUERY, 0, 0);
  printf("known commands: %d\n", (all & 0x1ff) == 0x1ff);
  T(mb(MEMBARRIER_CMD_QUERY, 1, 0));
  T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
  T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
  T(mb(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
  T(mb(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 1, 0));
  T(mb(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
  T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 1, 0));
  T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
  T(mb(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
  T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
  T(mb(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
  T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
  T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 1, 0));
  T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 1, 100000));
  T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 2, 0));
  T(mb(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
  T(mb(MEMBARRIER_CMD_GLOBAL, 0, 0));
  T(mb(3, 0, 0));
  T(mb(1 << 20, 0, 0));
  fflush(stdout);
  if (fork() == 0) {  // the registration is the address space's, and copied with it
    T(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);

  pthread_t t;
  pthread_create(&t, NULL, light, NULL);
  for (int i = 1; i <= 300; i++) {
    x = y = 0;
    atomic_store(&turn, i);
    y = 1;
    mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    int saw = x, other;
    while (((other = atomic_load(&ready)) & 0xffff) != i) usleep(10);
    if (!saw && !(other >> 16)) bad++;
  }
  pthread_join(t, NULL);
  printf("store buffering seen: %d\n", bad);
  return 0;
}
