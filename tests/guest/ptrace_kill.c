// A tracee that is killed while its tracer waits for it, at every kind of stop: the tracer is told, and never
// hangs.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 20 };

struct killer {
  pthread_t thread;
  pid_t victim;
  unsigned delay_us;
};
static void* kill_later(void* p) {
  const struct killer* k = p;
  usleep(k->delay_us);
  kill(k->victim, SIGKILL);
  return NULL;
}
static void start(struct killer* k, pid_t victim, unsigned delay_us) {
  k->victim = victim;
  k->delay_us = delay_us;
  pthread_create(&k->thread, NULL, kill_later, k);
}

// What a tracee does, until it is killed.
static void calls(void) {
  for (;;) syscall(SYS_getppid);
}
static void sleeps(void) {
  for (;;) usleep(100);
}
static void spins(void) {
  for (;;) {
  }
}
static void forks(void) {
  for (;;) {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    waitpid(pid, NULL, 0);
  }
}

// Continues the tracee with `request` again and again. Counts the rounds in which its death was reported.
static int trace(void (*work)(void), enum __ptrace_request request, long options) {
  int told = 0;
  for (int i = 0; i < ROUNDS; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing stays behind
      ptrace(PTRACE_TRACEME, 0, 0, 0);
      raise(SIGSTOP);
      work();
    }
    int st;
    waitpid(pid, &st, 0);
    ptrace(PTRACE_SETOPTIONS, pid, 0, options);
    struct killer k;
    start(&k, pid, (unsigned)(i * 97 % 3000));
    // Also the children of the tracee are traced, if the options say so.
    int ended = 0;
    while (!ended) {
      pid_t w = waitpid(-1, &st, __WALL);
      if (w < 0) break;
      if (WIFSTOPPED(st)) {
        const int stop = WSTOPSIG(st),
                  plain = st >> 16 == 0 && stop != SIGSTOP && stop != SIGTRAP && stop != (SIGTRAP | 0x80);
        ptrace(request, w, 0, plain ? stop : 0);
      } else if (w == pid) {
        ended = WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL;
        if (!ended) break;
      }
    }
    pthread_join(k.thread, NULL);
    told += ended;
    pid_t w;
    while ((w = waitpid(-1, &st, __WALL)) > 0)  // children of the tracee that were born when it died
      if (WIFSTOPPED(st)) ptrace(PTRACE_CONT, w, 0, 0);
  }
  return told;
}

// The tracee stops, and is killed while it stands; the tracer waits for something else meanwhile.
static int killed_while_stopped(void) {
  int told = 0;
  for (int i = 0; i < ROUNDS; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      ptrace(PTRACE_TRACEME, 0, 0, 0);
      raise(SIGSTOP);
      _exit(0);
    }
    int st;
    waitpid(pid, &st, 0);
    struct killer k;
    start(&k, pid, (unsigned)(i * 31 % 500));
    pthread_join(k.thread, NULL);
    long r = ptrace(PTRACE_CONT, pid, 0, 0);
    int e = errno;
    waitpid(pid, &st, 0);
    told += WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL && r == -1 && e == ESRCH;
  }
  return told;
}

// Attached while it runs, and killed at about that time.
static int attached(int seize) {
  int told = 0;
  for (int i = 0; i < ROUNDS; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      sleeps();
    }
    struct killer k;
    start(&k, pid, (unsigned)(i * 53 % 1000));
    int st = 0;
    if (ptrace(seize ? PTRACE_SEIZE : PTRACE_ATTACH, pid, 0, 0) == 0 && seize)
      ptrace(PTRACE_INTERRUPT, pid, 0, 0);
    for (;;) {
      if (waitpid(pid, &st, 0) != pid) break;
      if (!WIFSTOPPED(st)) break;
      ptrace(PTRACE_SYSCALL, pid, 0, 0);
    }
    told += WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL;
    pthread_join(k.thread, NULL);
  }
  return told;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("in system calls: %d\n", trace(calls, PTRACE_SYSCALL, PTRACE_O_TRACESYSGOOD));
  printf("asleep: %d\n", trace(sleeps, PTRACE_CONT, 0));
  printf("sleeping and waking: %d\n", trace(sleeps, PTRACE_SYSCALL, 0));
  printf("running: %d\n", trace(spins, PTRACE_CONT, 0));
  printf("step by step: %d\n", trace(calls, PTRACE_SINGLESTEP, 0));
  printf("with its end as an event: %d\n", trace(calls, PTRACE_SYSCALL, PTRACE_O_TRACEEXIT));
  printf("forking: %d\n", trace(forks, PTRACE_CONT, PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL));
  printf("stopped: %d\n", killed_while_stopped());
  printf("attached: %d\n", attached(0));
  printf("seized: %d\n", attached(1));
  return 0;
}
