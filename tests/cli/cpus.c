// cpus: what a guest of `starryrun --cpus 20` sees, and a thread bound to each CPU.
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CPUS = 20 };
static int seen[CPUS], by_rseq[CPUS];

static void* bound(void* p) {
  const int cpu = (int)(long)p;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) return NULL;
  // Already there when the call returns.
  unsigned now = 999, node = 999;
  syscall(SYS_getcpu, &now, &node, NULL);
  seen[cpu] = now == (unsigned)cpu && node == 0 && sched_getcpu() == cpu;
  if (__rseq_size != 0) {
    const struct rseq* r = (struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset);
    by_rseq[cpu] = r->cpu_id == (unsigned)cpu && r->cpu_id_start == (unsigned)cpu;
  }
  cpu_set_t got;
  if (sched_getaffinity(0, sizeof got, &got) != 0 || CPU_COUNT(&got) != 1 || !CPU_ISSET(cpu, &got))
    seen[cpu] = 0;
  return NULL;
}

static int count_lines(const char* path, const char* prefix) {
  char line[4096];
  int n = 0;
  FILE* f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f)) n += strncmp(line, prefix, strlen(prefix)) == 0;
  if (f) fclose(f);
  return n;
}

static void show_file(const char* path) {
  char line[256] = "missing\n";
  FILE* f = fopen(path, "r");
  if (f && !fgets(line, sizeof line, f)) strcpy(line, "empty\n");
  if (f) fclose(f);
  printf("%s: %s", path, line);
}

int main(void) {
  cpu_set_t all;
  printf("sysconf: %ld %ld\n", sysconf(_SC_NPROCESSORS_ONLN), sysconf(_SC_NPROCESSORS_CONF));
  printf("mask: %ld bytes", syscall(SYS_sched_getaffinity, 0, sizeof all, &all));
  printf(", %d CPUs\n", CPU_COUNT_S(8, &all));
  printf("cpuinfo: %d\n", count_lines("/proc/cpuinfo", "processor"));
  printf("stat: %d\n", count_lines("/proc/stat", "cpu") - 1);
  show_file("/sys/devices/system/cpu/online");
  show_file("/sys/devices/system/cpu/possible");
  show_file("/sys/devices/system/cpu/present");
  printf("cpu19: %d, cpu20: %d\n", access("/sys/devices/system/cpu/cpu19", F_OK),
         access("/sys/devices/system/cpu/cpu20", F_OK));
  fflush(stdout);
  if (system("nproc") != 0) return 1;
  if (system("grep Cpus_allowed_list /proc/self/status") != 0) return 1;

  pthread_t t[CPUS];
  for (long i = 0; i < CPUS; i++) pthread_create(&t[i], NULL, bound, (void*)i);
  for (int i = 0; i < CPUS; i++) pthread_join(t[i], NULL);
  int n = 0, rseq = 0;
  for (int i = 0; i < CPUS; i++) {
    n += seen[i];
    rseq += by_rseq[i];
  }
  printf("bound: %d, by rseq: %d\n", n, __rseq_size != 0 ? rseq : CPUS);

  // Inherited over fork and exec.
  cpu_set_t two;
  CPU_ZERO(&two);
  CPU_SET(7, &two);
  CPU_SET(18, &two);
  sched_setaffinity(0, sizeof two, &two);
  fflush(stdout);
  return system("nproc; grep Cpus_allowed_list /proc/self/status") != 0;
}
