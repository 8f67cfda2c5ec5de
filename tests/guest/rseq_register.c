// rseq(2): registration, unregistration, errors, the fields, inheritance.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIG 0x53053053u
struct area {
  uint32_t cpu_id_start, cpu_id;
  uint64_t cs;
  uint32_t flags, node_id, mm_cid, pad;
} __attribute__((aligned(32)));

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))
static long rseq(void* p, unsigned len, int flags, uint32_t sig) {
  return syscall(SYS_rseq, p, len, flags, sig);
}

static struct area a, b;

static void check(const char* when) {
  volatile struct area* v = &a;
  unsigned cpu;
  int good = 0;
  for (int i = 0; i < 100 && !good; i++) {  // it may be migrated in between
    syscall(SYS_getcpu, &cpu, NULL, NULL);
    good = v->cpu_id == cpu && v->cpu_id_start == cpu;
  }
  // Concurrency ids are below the number of CPUs that the process may use (0 before Linux 6.3).
  printf("%s: shows the CPU: %d, node %u, mm_cid %d, flags %u, cs %d\n", when, good, v->node_id,
         v->mm_cid < (unsigned)sysconf(_SC_NPROCESSORS_CONF), v->flags, v->cs != 0);
}

static void* thread(void* p) {
  (void)p;
  // The C library has registered its own area for this thread.
  T(rseq(&b, 32, 0, SIG));
  return NULL;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  // Away with the C library's registration.
  printf("library: size %d, offset known %d\n", __rseq_size >= 20, __rseq_offset != 0);
  void* lib = (char*)__builtin_thread_pointer() + __rseq_offset;
  T(rseq(lib, 32, 1, SIG + 1));
  T(rseq(lib, 64, 1, SIG));
  T(rseq(&a, 32, 1, SIG));
  T(rseq(lib, 32, 3, SIG));
  T(rseq(lib, 32, 0, SIG));
  T(rseq(lib, 32, 0, SIG + 1));
  T(rseq(&a, 32, 0, SIG));
  T(rseq(lib, 32, 1, SIG));
  struct area* la = lib;
  printf("after unregistration: cpu_id %d cpu_id_start %u\n", (int)la->cpu_id, la->cpu_id_start);
  T(rseq(lib, 32, 1, SIG));

  T(rseq(&a, 31, 0, SIG));
  T(rseq((char*)&a + 8, 32, 0, SIG));
  T(rseq(&a, 32, 2, SIG));
  T(rseq((void*)(1UL << 63), 32, 0, SIG));
  T(rseq(NULL, 32, 1, SIG));
  memset(&a, 0, sizeof a);
  T(rseq(&a, 32, 0, SIG));
  check("registered");
  T(rseq(&a, 32, 0, SIG));
  T(rseq(&a, 32, 0, 1));
  T(rseq(&b, 32, 0, SIG));

  // On each CPU the number follows.
  cpu_set_t all, one;
  sched_getaffinity(0, sizeof all, &all);
  int right = 1;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    if (((volatile struct area*)&a)->cpu_id != (unsigned)cpu) right = 0;
    usleep(1000);
    if (((volatile struct area*)&a)->cpu_id != (unsigned)cpu) right = 0;
  }
  sched_setaffinity(0, sizeof all, &all);
  printf("follows the migration: %d\n", right);

  pid_t pid = fork();
  if (pid == 0) {
    check("child");
    T(rseq(&a, 32, 0, SIG));
    T(rseq(&a, 32, 1, SIG));
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  pthread_t t;
  pthread_create(&t, NULL, thread, NULL);
  pthread_join(t, NULL);
  check("at the end");
  T(rseq(&a, 32, 1, SIG));
  return 0;
}
