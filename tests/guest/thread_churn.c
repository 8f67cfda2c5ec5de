// Many threads and processes one after another and at once; threads that outlive the first one.
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_long count;
static pthread_attr_t small;
static pthread_barrier_t all_here;
static const char* program;

static void* quick(void* a) {
  count++;
  return a;
}
static void* nested(void* a) {
  pthread_t t;
  if ((long)a > 0 && pthread_create(&t, &small, nested, (char*)a - 1) == 0) pthread_join(t, NULL);
  count++;
  return a;
}
static void* together(void* a) {
  pthread_barrier_wait(&all_here);
  count++;
  return a;
}
static void report(const char* what) {
  printf("%s %ld\n", what, (long)count);
  fflush(stdout);
  count = 0;
}

// After the first thread is gone: memory, files, signals, threads, fork and exec still work.
static void* survivor(void* a) {
  char* m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int p[2];
  usleep(10000);
  memset(m, 7, 1 << 20);
  if (pipe(p) != 0 || write(p[1], m + 4000, 8000) != 8000 || read(p[0], m, 8000) != 8000) _exit(1);
  pthread_t t;
  pthread_create(&t, &small, quick, NULL);
  pthread_join(t, NULL);
  pid_t pid = fork();
  if (pid == 0) {
    execl("/proc/self/exe", "thread_churn", "exec", (char*)NULL);
    _exit(2);
  }
  int status;
  waitpid(pid, &status, 0);
  printf("survivor: pid is the leader's %d, child's status %x\n", getpid() != syscall(SYS_gettid), status);
  // What /proc shows of the process went with the first thread.
  if (execl("/proc/self/exe", "thread_churn", "exec", (char*)NULL) < 0) perror("/proc/self/exe");
  printf("link: %d\n", access("/proc/self/exe", F_OK));
  execl(program, "thread_churn", "exec", (char*)NULL);
  return a;
}

int main(int argc, char** argv) {
  if (argc > 1) {
    printf("%s: leader %d\n", argv[1], getpid() == syscall(SYS_gettid));
    return 6;
  }
  program = argv[0];
  setvbuf(stdout, NULL, _IOLBF, 0);
  pthread_t t[400];
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  for (int i = 0; i < 1000; i++) {
    if (pthread_create(&t[0], &small, quick, NULL) != 0) return 1;
    if (i % 2 != 0)
      pthread_join(t[0], NULL);
    else
      pthread_detach(t[0]);
  }
  while (count < 1000) usleep(1000);
  report("one by one");
  nested((void*)150);
  report("nested");
  pthread_barrier_init(&all_here, NULL, 401);
  for (int i = 0; i < 400; i++)
    if (pthread_create(&t[i], &small, together, NULL) != 0) return 1;
  pthread_barrier_wait(&all_here);
  for (int i = 0; i < 400; i++) pthread_join(t[i], NULL);
  report("at once");

  for (int i = 0; i < 100; i++) {
    pid_t pid = fork();
    if (pid == 0) _exit(i);
    int status;
    waitpid(pid, &status, 0);
    count += WEXITSTATUS(status) == i;
  }
  report("processes");
  pid_t pids[60];
  for (int i = 0; i < 60; i++) {
    pids[i] = fork();
    if (pids[i] == 0) {
      pause();
      _exit(0);
    }
  }
  for (int i = 0; i < 60; i++) kill(pids[i], SIGTERM);
  for (int i = 0; i < 60; i++) {
    int status;
    waitpid(pids[i], &status, 0);
    count += WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
  }
  report("killed");

  pid_t pid = fork();
  if (pid == 0) {
    pthread_create(&t[0], NULL, survivor, NULL);
    syscall(SYS_exit, 0);
  }
  int status;
  waitpid(pid, &status, 0);
  printf("status %x\n", status);
  return 0;
}
