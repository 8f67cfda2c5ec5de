// File leases: who may take one, and how an open by somebody else breaks it.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static volatile int fd, want, broken, code, told_fd, seen;
static void on_break(int s, siginfo_t* i, void* u) {
  (void)u;
  broken++;
  code = s == SIGIO ? 0 : i->si_code;
  told_fd = s == SIGIO ? -1 : i->si_fd;
  seen = fcntl(fd, F_GETLEASE);
  usleep(30000);
  fcntl(fd, F_SETLEASE, want);
}
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

// A child opens (or truncates) the file while we hold the lease.
static void breaker(const char* what, const char* name, int flags, int give_up_to) {
  int before = broken;
  want = give_up_to;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    double t0 = now();
    int r = flags < 0 ? truncate(name, 1) : open(name, flags);
    _exit(r < 0 ? errno : now() - t0 > 0.02 ? 201 : 200);
  }
  int status;
  while (waitpid(pid, &status, 0) < 0) {
  }
  printf("%s: child %s, signals %d code %d fd %d seen %d, lease now %d\n", what,
         WEXITSTATUS(status) == 200   ? "at once"
         : WEXITSTATUS(status) == 201 ? "waited"
                                      : strerrorname_np(WEXITSTATUS(status)),
         broken - before, code, told_fd == fd, seen, fcntl(fd, F_GETLEASE));
}

int main(void) {
  char name[] = "lease.XXXXXX";
  int rw = mkstemp(name);
  struct sigaction sa = {.sa_sigaction = on_break, .sa_flags = SA_SIGINFO};
  sigaction(SIGIO, &sa, NULL);
  sigaction(SIGRTMIN, &sa, NULL);
  T(fcntl(rw, F_SETLEASE, F_RDLCK));
  T(fcntl(rw, F_SETLEASE, 77));
  T(fcntl(rw, F_SETLEASE, F_UNLCK));
  T(fcntl(rw, F_SETLEASE, F_WRLCK));
  T(fcntl(rw, F_GETLEASE));
  close(rw);
  T(fcntl(0, F_GETLEASE));
  fd = open(name, O_RDONLY);
  int other = open(name, O_RDONLY);
  T(fcntl(fd, F_SETLEASE, F_WRLCK));
  T(fcntl(fd, F_SETLEASE, F_RDLCK));
  T(fcntl(other, F_SETLEASE, F_RDLCK));
  T(fcntl(other, F_SETLEASE, F_UNLCK));
  T(fcntl(other, F_SETLEASE, F_UNLCK));
  close(other);
  breaker("read beside a read lease", name, O_RDONLY, F_UNLCK);
  breaker("write beside a read lease", name, O_WRONLY, F_UNLCK);
  T(fcntl(fd, F_SETSIG, SIGRTMIN));
  T(fcntl(fd, F_SETLEASE, F_WRLCK));
  breaker("read beside a write lease", name, O_RDONLY, F_RDLCK);
  breaker("read again", name, O_RDONLY, F_RDLCK);
  breaker("write", name, O_RDWR, F_UNLCK);
  T(fcntl(fd, F_SETLEASE, F_WRLCK));
  breaker("without waiting", name, O_RDONLY | O_NONBLOCK, F_UNLCK);
  T(fcntl(fd, F_SETLEASE, F_WRLCK));
  breaker("truncate", name, -1, F_UNLCK);
  T(fcntl(fd, F_SETLEASE, F_WRLCK));
  int d = dup(fd);
  close(d);
  T(fcntl(fd, F_GETLEASE));
  close(fd);
  fd = open(name, O_RDWR);
  T(fcntl(fd, F_GETLEASE));
  unlink(name);
  return 0;
}
