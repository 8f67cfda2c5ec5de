// munmap(2) is over when it returns: the pages are gone for this thread, its signal handlers, its children
// and other threads, also while signals arrive all the time and whoever makes the call.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

enum { P = 4096, LEN = 16 * P };
static sigjmp_buf back;
static volatile int ticks;
static char* volatile gone;
static volatile int seen_in_handler;

static void on_segv(int sig) {
  (void)sig;
  siglongjmp(back, 1);
}
static int mapped(const volatile char* p) {
  if (sigsetjmp(back, 1) != 0) return 0;
  (void)*p;
  return 1;
}

static void on_alarm(int sig) {
  (void)sig;
  ticks++;
  unsigned char in_core;
  if (gone && mincore(gone, P, &in_core) == 0) seen_in_handler++;
}

static char* make(void* at) {
  char* p = mmap(at, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);
  for (int i = 0; i < LEN; i += P) {
    if (p[i] != 0) printf("not empty\n");
    p[i] = 1;
  }
  return p;
}

static void* from_thread(void* p) { return (void*)(long)(munmap(p, LEN) == 0 && !mapped(p)); }

int main(void) {
  signal(SIGSEGV, on_segv);
  char* p = make(NULL);
  SAY(munmap(p, LEN));
  printf("mapped: %d\n", mapped(p));

  p = make(NULL);
  SAY(munmap(p + P, P));
  printf("before, hole, behind: %d %d %d\n", mapped(p), mapped(p + P), mapped(p + 2 * P));
  pid_t child = fork();
  if (child == 0) _exit(mapped(p + P) * 2 + mapped(p));
  int status;
  waitpid(child, &status, 0);
  printf("in a child: %d\n", WEXITSTATUS(status));
  SAY(munmap(p, LEN));

  // At the same place over and over: nothing of the former mapping may be left, nor of the next one be taken.
  signal(SIGALRM, on_alarm);
  struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &often, NULL);
  int bad = 0;
  p = make(NULL);
  for (int i = 0; i < 2000 || ticks < 20; i++) {
    bad += munmap(p, LEN) != 0;
    gone = p;
    if (i % 16 == 0) bad += mapped(p);
    gone = NULL;
    make(p);
    bad += p[LEN - P] != 1;
  }
  setitimer(ITIMER_REAL, &never, NULL);
  printf("bad: %d, seen by the handler: %d\n", bad, seen_in_handler);

  pthread_t t;
  void* good;
  pthread_create(&t, NULL, from_thread, p);
  pthread_join(t, &good);
  printf("by a thread: %d, seen by the other: %d\n", (int)(long)good, mapped(p));
  child = vfork();
  if (child == 0) _exit(munmap(p, LEN) == 0 ? 3 : 4);
  waitpid(child, &status, 0);
  printf("vfork: %d\n", WEXITSTATUS(status));
  p = make(NULL);
  child = vfork();
  if (child == 0) _exit(munmap(p, LEN) == 0 ? 3 : 4);
  waitpid(child, &status, 0);
  printf("vfork, mapped before: %d, after: %d\n", WEXITSTATUS(status), mapped(p));
}
