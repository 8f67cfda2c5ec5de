// Interrupted system calls: SA_RESTART, EINTR, remaining time, sigsuspend, pause.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int hits;
static volatile int* taken;  // shared with the children
static void handler(int sig) {
  (void)sig;
  hits++;
  ++*taken;
}
static void use(int flags) {
  struct sigaction sa = {0};
  sa.sa_handler = handler;
  sa.sa_flags = flags;
  sigaction(SIGUSR1, &sa, NULL);
}
// A child that sends `n` signals, the next one when the one before has been taken, and then writes to the
// pipe.
static pid_t poker(int fd, int n) {
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid != 0) return pid;
  struct sigaction inherited;
  sigaction(SIGUSR1, NULL, &inherited);
  const int caught = inherited.sa_handler != SIG_IGN;
  for (int i = 0; i < n; i++) {
    const int before = *taken;
    usleep(30000);
    kill(parent, SIGUSR1);
    while (caught && i < n - 1 && *taken == before) usleep(1000);
  }
  usleep(30000);
  if (fd >= 0 && write(fd, "x", 1) != 1) _exit(1);
  _exit(0);
}
static const char* err(long r) { return r < 0 ? strerror(errno) : "ok"; }

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  int p[2];
  char b;
  if (pipe(p) != 0) return 1;
  taken = mmap(NULL, sizeof *taken, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  use(SA_RESTART);
  pid_t c = poker(p[1], 2);
  long r = read(p[0], &b, 1);
  printf("restarted read: %ld %s hits %d\n", r, err(r), hits);
  waitpid(c, NULL, 0);

  use(0);
  hits = 0;
  c = poker(p[1], 1);
  r = read(p[0], &b, 1);
  printf("interrupted read: %ld %s hits %d\n", r, err(r), hits);
  r = read(p[0], &b, 1);
  printf("read again: %ld\n", r);
  waitpid(c, NULL, 0);

  // Never restarted: poll, select, nanosleep, pause, sigsuspend.
  use(SA_RESTART);
  c = poker(-1, 1);
  struct pollfd pf = {p[0], POLLIN, 0};
  r = poll(&pf, 1, 5000);
  printf("poll: %ld %s\n", r, err(r));
  waitpid(c, NULL, 0);
  c = poker(-1, 1);
  fd_set fds;
  FD_ZERO(&fds);
  FD_SET(p[0], &fds);
  r = select(p[0] + 1, &fds, NULL, NULL, NULL);
  printf("select: %ld %s\n", r, err(r));
  waitpid(c, NULL, 0);
  c = poker(-1, 1);
  struct timespec ts = {5, 0}, rem = {0, 0};
  r = nanosleep(&ts, &rem);
  printf("nanosleep: %ld %s left %d\n", r, err(r), rem.tv_sec == 4 && rem.tv_nsec > 500000000);
  waitpid(c, NULL, 0);
  c = poker(-1, 1);
  r = pause();
  printf("pause: %ld %s\n", r, err(r));
  waitpid(c, NULL, 0);

  // An ignored signal does not interrupt; a stop and continue restarts everything, with the time left.
  signal(SIGUSR1, SIG_IGN);
  c = poker(p[1], 2);
  r = poll(&pf, 1, 5000);
  printf("poll with ignored signal: %ld\n", r);
  r = read(p[0], &b, 1);
  waitpid(c, NULL, 0);
  pid_t sleeper = fork();
  if (sleeper == 0) {
    struct timespec start, end, d = {0, 200000000};
    clock_gettime(CLOCK_MONOTONIC, &start);
    r = nanosleep(&d, NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    long ms = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
    printf("sleep over a stop: %ld %s in time %d\n", r, err(r), ms >= 200 && ms < 400);
    _exit(0);
  }
  usleep(30000);
  kill(sleeper, SIGSTOP);
  usleep(50000);
  kill(sleeper, SIGCONT);
  waitpid(sleeper, NULL, 0);

  // sigsuspend delivers with the other mask and restores the old one.
  use(0);
  hits = 0;
  sigset_t set, empty, now;
  sigemptyset(&empty);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGUSR1);
  printf("blocked: hits %d\n", hits);
  r = sigsuspend(&empty);
  sigprocmask(SIG_BLOCK, NULL, &now);
  printf("sigsuspend: %ld %s hits %d blocked again %d\n", r, err(r), hits, sigismember(&now, SIGUSR1));
  raise(SIGUSR1);
  ts.tv_sec = 5;
  ts.tv_nsec = 0;
  r = ppoll(&pf, 1, &ts, &empty);
  printf("ppoll: %ld %s hits %d\n", r, err(r), hits);

  // wait is restarted.
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  use(SA_RESTART);
  hits = 0;
  c = poker(-1, 2);
  int status;
  r = waitpid(c, &status, 0);
  printf("waitpid: %d hits %d status %x\n", r == c, hits, status);
  return 0;
}
