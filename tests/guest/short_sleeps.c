// Sleeps of less than a few milliseconds: their length, signals, stops, kills and competition for CPUs
// while other threads do nothing but sleep shortly.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int sleep_ns(long ns) { return nanosleep(&(struct timespec){0, ns}, NULL); }

static void lengths(void) {
  int wrong = 0;
  for (int i = 0; i < 200; ++i) {
    const int64_t start = now_ns();
    const long ns = 1000 + i * 5000;
    const int r = i % 2 == 0 ? sleep_ns(ns)
                             : clock_nanosleep(i % 4 == 1 ? CLOCK_REALTIME : CLOCK_MONOTONIC, 0,
                                               &(struct timespec){0, ns}, NULL);
    if (r != 0 || now_ns() - start < ns) ++wrong;
  }
  printf("too short: %d\n", wrong);
  printf("bad: %d", nanosleep(&(struct timespec){0, 1000000000}, NULL));
  printf(" %s\n", strerror(errno));
  printf("bad clock: %s\n", strerror(clock_nanosleep(77, 0, &(struct timespec){0, 1000}, NULL)));
  printf("bad address: %s\n", nanosleep((void*)8, NULL) == -1 ? strerror(errno) : "?");
}

static atomic_int caught, interrupted, wrong_rest, enough;
static void on_usr1(int s) {
  (void)s;
  ++caught;
}

static void* interrupted_sleeper(void* arg) {
  (void)arg;
  while (!enough) {
    struct timespec want = {0, 3000000}, rest = {0, 0};
    if (nanosleep(&want, &rest) == 0) continue;
    if (errno == EINTR) ++interrupted;
    // The rest counts up to the end of the timer's slack (prctl(2), PR_SET_TIMERSLACK).
    if (rest.tv_sec != 0 || rest.tv_nsec <= 0 || rest.tv_nsec > want.tv_nsec + 1000000) ++wrong_rest;
  }
  return NULL;
}

static void signals(void) {
  struct sigaction sa = {.sa_handler = on_usr1};
  sigaction(SIGUSR1, &sa, NULL);
  pthread_t t;
  pthread_create(&t, NULL, interrupted_sleeper, NULL);
  const int64_t end = now_ns() + 10000000000LL;
  int sent = 0;
  while (interrupted < 100 && now_ns() < end) {
    const int before = caught;
    pthread_kill(t, SIGUSR1);
    ++sent;
    while (caught == before && now_ns() < end) sched_yield();
    sleep_ns(700000);
  }
  enough = 1;
  pthread_join(t, NULL);
  printf("interrupted: %s, every signal caught: %s, wrong rests: %d\n",
         interrupted >= 100 ? "often" : "too rarely", caught == sent ? "yes" : "no", wrong_rest);
}

static atomic_int stop;
static atomic_long naps[4];
static void* napper(void* arg) {
  while (!stop) {
    sleep_ns(200000);
    ++naps[(intptr_t)arg];
  }
  return NULL;
}
static void* hog(void* arg) {
  while (!stop) ++*(volatile long*)arg;
  return NULL;
}

// Sleepers and threads that want every CPU all the time: all of them get on.
static void competition(void) {
  enum { HOGS = 3 };
  pthread_t t[4], h[HOGS];
  static long turns[HOGS];
  for (intptr_t i = 0; i < 4; ++i) pthread_create(&t[i], NULL, napper, (void*)i);
  for (int i = 0; i < HOGS; ++i) pthread_create(&h[i], NULL, hog, &turns[i]);
  const int64_t end = now_ns() + 15000000000LL;
  for (;;) {
    int behind = 0;
    for (int i = 0; i < 4; ++i) behind += naps[i] < 50;
    for (int i = 0; i < HOGS; ++i) behind += *(volatile long*)&turns[i] == 0;
    if (behind == 0 || now_ns() > end) {
      printf("behind: %d\n", behind);
      break;
    }
    sleep_ns(5000000);
  }
  stop = 1;
  for (int i = 0; i < 4; ++i) pthread_join(t[i], NULL);
  for (int i = 0; i < HOGS; ++i) pthread_join(h[i], NULL);
}

static void* forever(void* arg) {
  (void)arg;
  for (;;) sleep_ns(500000);
  return NULL;
}

static char state_of(pid_t pid) {
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE* f = fopen(path, "r");
  if (f == NULL) return '?';
  const char* end = fgets(text, sizeof text, f) != NULL ? strrchr(text, ')') : NULL;
  fclose(f);
  return end != NULL ? end[2] : '?';
}

static int seen_as(pid_t pid, char state) {
  for (int64_t end = now_ns() + 10000000000LL; now_ns() < end; sched_yield())
    if (state_of(pid) == state) return 1;
  return 0;
}

// A process whose threads all sleep shortly, again and again.
static void from_outside(void) {
  fflush(stdout);
  for (int round = 0; round < 3; ++round) {
    const pid_t pid = fork();
    if (pid == 0) {
      pthread_t t;
      for (int i = 0; i < 3; ++i) pthread_create(&t, NULL, forever, NULL);
      if (round == 2) {
        sleep_ns(9000000);
        _exit(7);  // while the others sleep
      }
      forever(NULL);
    }
    int status = 0;
    if (round < 2) {
      printf("asleep: %d", seen_as(pid, 'S'));
      kill(pid, SIGSTOP);
      const pid_t stopped = waitpid(pid, &status, WUNTRACED);
      printf(", stopped: %d %d", stopped == pid && WIFSTOPPED(status), state_of(pid) == 'T');
      kill(pid, SIGCONT);
      printf(", asleep: %d", seen_as(pid, 'S'));
      kill(pid, round == 0 ? SIGKILL : SIGTERM);
    }
    waitpid(pid, &status, 0);
    printf("%s%s %d\n", round < 2 ? ", " : "", WIFSIGNALED(status) ? "killed" : "exited",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    fflush(stdout);
  }
}

int main(void) {
  lengths();
  signals();
  competition();
  from_outside();
  return 0;
}
