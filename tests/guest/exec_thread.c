// Threads and the end of processes: exec from a thread, a leader that exits first, exit_group.
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void* sleep_forever(void* a) {
  for (;;) pause();
  return a;
}
static void* spin_forever(void* a) {
  for (;;) {
  }
  return a;
}
static void* exec_here(void* a) {
  char pid[16];
  sprintf(pid, "%d", getpid());
  execl("/proc/self/exe", "exec_thread", "second", pid, (char*)NULL);
  return a;
}
static void* exit_process(void* a) {
  usleep(20000);
  exit(7);
  return a;
}
static int gate[2];  // what a child waits for
static void* exit_thread_later(void* a) {
  char c;
  if (read(gate[0], &c, 1) != 1) c = 0;
  syscall(SYS_exit, 9);
  return a;
}
static int run(const char* what, int (*fn)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) _exit(fn());
  int st;
  waitpid(pid, &st, 0);
  printf("%s: status %x\n", what, st);
  return st;
}
static int exec_from_thread(void) {
  pthread_t t;
  pthread_create(&t, NULL, sleep_forever, NULL);
  pthread_create(&t, NULL, spin_forever, NULL);
  pthread_create(&t, NULL, exec_here, NULL);
  pthread_join(t, NULL);
  return 1;
}
static int exec_from_leader(void) {
  pthread_t t;
  pthread_create(&t, NULL, sleep_forever, NULL);
  pthread_create(&t, NULL, spin_forever, NULL);
  usleep(10000);
  exec_here(NULL);
  return 1;
}
static int thread_exits_process(void) {
  pthread_t t;
  pthread_create(&t, NULL, exit_process, NULL);
  sleep_forever(NULL);
  return 1;
}
static int leader_first(void) {
  pthread_t t;
  pthread_create(&t, NULL, exit_thread_later, NULL);
  syscall(SYS_exit, 4);
  return 1;
}
static int killed_while_busy(void) {
  pthread_t t;
  pthread_create(&t, NULL, spin_forever, NULL);
  pthread_create(&t, NULL, sleep_forever, NULL);
  usleep(10000);
  kill(getpid(), SIGTERM);
  sleep_forever(NULL);
  return 1;
}
// Waits until the process's leader is a zombie.
static void await_dead_leader(pid_t pid) {
  char path[32], line[256];
  char* state = NULL;
  sprintf(path, "/proc/%d/stat", pid);
  do {
    usleep(1000);
    FILE* f = fopen(path, "r");
    if (!f) return;
    state = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    fclose(f);
  } while (state && state[2] != 'Z');
}
static void* return_value(void* a) { return a; }

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc > 1) {
    printf("exec: same pid %d leader %d\n", atoi(argv[2]) == getpid(), getpid() == syscall(SYS_gettid));
    return 5;
  }
  run("exec from a thread", exec_from_thread);
  run("exec from the leader", exec_from_leader);
  run("exit in a thread", thread_exits_process);
  run("killed with busy threads", killed_while_busy);

  // The leader exits first: no zombie to wait for until the last thread is gone.
  if (pipe(gate) != 0) return 1;
  pid_t pid = fork();
  if (pid == 0) _exit(leader_first());
  await_dead_leader(pid);
  printf("leader gone: waitpid %d kill %d\n", waitpid(pid, NULL, WNOHANG), kill(pid, 0));
  if (write(gate[1], "x", 1) != 1) return 1;
  int st = -1;
  waitpid(pid, &st, 0);
  printf("last thread's status %x\n", st);

  long sum = 0;
  for (long round = 0; round < 20; round++) {
    pthread_t t[10];
    for (long i = 0; i < 10; i++) pthread_create(&t[i], NULL, return_value, (void*)(round * 10 + i));
    for (int i = 0; i < 10; i++) {
      void* r;
      pthread_join(t[i], &r);
      sum += (long)r;
    }
  }
  printf("joined %ld\n", sum);
  return 0;
}
