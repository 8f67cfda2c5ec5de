// flock, POSIX record locks, open file description locks; owners and the other fcntl commands.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static int lk(int fd, int cmd, int type, int whence, long start, long len) {
  struct flock l = {.l_type = type, .l_whence = whence, .l_start = start, .l_len = len};
  return fcntl(fd, cmd, &l);
}
static void who(const char* what, int fd, int cmd, int type, long start, long len) {
  struct flock l = {.l_type = type, .l_start = start, .l_len = len};
  if (fcntl(fd, cmd, &l) < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else if (l.l_type == F_UNLCK)
    printf("%s: free\n", what);
  else
    printf("%s: type %d whence %d %ld+%ld pid %s\n", what, l.l_type, l.l_whence, (long)l.l_start,
           (long)l.l_len,
           l.l_pid == -1          ? "-1"
           : l.l_pid == getppid() ? "parent"
           : l.l_pid == getpid()  ? "me"
                                  : "other");
}
// F_OFD_SETLKW waits until the other description, with all its duplicates in all processes, is closed.
static void waits_for_description(const char* name) {
  int held = open(name, O_RDWR), said[2];
  char c = '-';
  if (pipe(said) != 0) return;
  T(lk(held, F_OFD_SETLKW, F_WRLCK, SEEK_SET, 0, 10));
  fflush(stdout);
  if (fork() == 0) {
    int own = open(name, O_RDWR);
    close(held);  // the parent's is still open
    if (write(said[1], "w", 1) != 1) _exit(1);
    long r = lk(own, F_OFD_SETLKW, F_WRLCK, SEEK_SET, 5, 1);
    if (write(said[1], r == 0 ? "g" : "e", 1) != 1) _exit(1);
    _exit(0);
  }
  if (read(said[0], &c, 1) != 1) return;
  usleep(20000);
  fcntl(said[0], F_SETFL, O_NONBLOCK);
  printf("waits %d\n", read(said[0], &c, 1) == -1 && errno == EAGAIN);
  fcntl(said[0], F_SETFL, 0);
  close(held);
  if (read(said[0], &c, 1) != 1) return;
  printf("%s\n", c == 'g' ? "got it" : "failed");
  wait(NULL);
  close(said[0]), close(said[1]);
}
// Runs `body` in a child; it has its own process for POSIX locks.
#define CHILD(body)    \
  do {                 \
    fflush(stdout);    \
    if (fork() == 0) { \
      body;            \
      fflush(stdout);  \
      _exit(0);        \
    }                  \
    wait(NULL);        \
  } while (0)
static void on_alarm(int s) { (void)s; }

int main(void) {
  static void* volatile bad = (void*)8;
  char name[] = "locks.XXXXXX";
  int a = mkstemp(name), b = open(name, O_RDWR), ro = open(name, O_RDONLY), wo = open(name, O_WRONLY);
  if (ftruncate(a, 100)) return 1;
  struct sigaction sa = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &sa, NULL);

  puts("-- flock");
  T(flock(a, LOCK_SH));
  T(flock(b, LOCK_SH | LOCK_NB));
  T(flock(b, LOCK_EX | LOCK_NB));
  T(flock(a, LOCK_EX | LOCK_NB));
  T(flock(a, LOCK_UN));
  T(flock(b, LOCK_EX | LOCK_NB));
  T(flock(ro, LOCK_SH | LOCK_NB));
  T(flock(b, LOCK_SH | LOCK_NB));
  T(flock(ro, LOCK_SH | LOCK_NB));
  T(flock(a, 0));
  T(flock(a, LOCK_SH | LOCK_EX));
  T(flock(-1, LOCK_SH));
  int d = dup(b);
  close(ro), close(b);
  T(flock(a, LOCK_EX | LOCK_NB));
  close(d);
  T(flock(a, LOCK_EX | LOCK_NB));
  b = open(name, O_RDWR), ro = open(name, O_RDONLY);
  ualarm(30000, 0);
  T(flock(b, LOCK_EX));
  fflush(stdout);
  if (fork() == 0) {
    usleep(100000);
    flock(a, LOCK_UN);  // the same description as in the parent
    _exit(0);
  }
  T(flock(b, LOCK_EX));
  wait(NULL);
  T(flock(b, LOCK_UN));

  puts("-- posix");
  T(lk(a, F_SETLK, F_WRLCK, SEEK_SET, 10, 20));
  who("own", a, F_GETLK, F_WRLCK, 0, 0);
  CHILD(who("all", a, F_GETLK, F_WRLCK, 0, 0); who("shared", b, F_GETLK, F_RDLCK, 29, 1);
        who("beside", a, F_GETLK, F_RDLCK, 30, 0); T(lk(a, F_SETLK, F_RDLCK, SEEK_SET, 0, 11));
        T(lk(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 10)); T(lk(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 0)));
  T(lk(a, F_SETLK, F_UNLCK, SEEK_SET, 15, 5));
  CHILD(who("hole", a, F_GETLK, F_WRLCK, 15, 5); who("after", a, F_GETLK, F_WRLCK, 15, 10));
  T(lk(a, F_SETLK, F_RDLCK, SEEK_SET, 12, 10));
  CHILD(who("one", a, F_GETLK, F_WRLCK, 10, 1); who("two", a, F_GETLK, F_WRLCK, 12, 1);
        who("three", a, F_GETLK, F_WRLCK, 22, 1); T(lk(a, F_SETLK, F_RDLCK, SEEK_SET, 12, 10)));
  T(lk(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 0));
  CHILD(who("whole", a, F_GETLK, F_RDLCK, 1000000, 1));
  lseek(a, 50, SEEK_SET);
  T(lk(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
  T(lk(a, F_SETLK, F_WRLCK, SEEK_CUR, 5, -10));
  CHILD(who("negative", a, F_GETLK, F_WRLCK, 0, 0));
  T(lk(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
  T(lk(a, F_SETLK, F_WRLCK, SEEK_END, -1, 0));
  CHILD(who("end", a, F_GETLK, F_WRLCK, 0, 0));
  close(ro);  // any descriptor of the file drops all locks of the process
  CHILD(who("after a close", a, F_GETLK, F_WRLCK, 0, 0));
  ro = open(name, O_RDONLY);
  T(lk(ro, F_SETLK, F_WRLCK, SEEK_SET, 0, 0));
  T(lk(wo, F_SETLK, F_RDLCK, SEEK_SET, 0, 0));
  T(lk(a, F_SETLK, 9, SEEK_SET, 0, 0));
  T(lk(a, F_GETLK, F_UNLCK, SEEK_SET, 0, 0));
  T(lk(a, F_SETLK, F_RDLCK, 9, 0, 0));
  T(lk(a, F_SETLK, F_RDLCK, SEEK_SET, -1, 0));
  T(lk(a, F_SETLK, F_RDLCK, SEEK_SET, 5, -10));
  T(lk(a, F_SETLK, F_RDLCK, SEEK_CUR, 0x7fffffffffffffff, 0));
  T(lk(a, F_SETLK, F_RDLCK, SEEK_SET, 5, 0x7fffffffffffffff));
  T(fcntl(a, F_SETLK, bad));
  T(lk(-1, F_SETLK, F_RDLCK, SEEK_SET, 0, 0));

  puts("-- waiting");
  int p[2];
  if (pipe(p)) return 1;
  T(lk(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 1));
  fflush(stdout);
  if (fork() == 0) {
    char c = 'x';
    int r = lk(a, F_SETLK, F_WRLCK, SEEK_SET, 1, 1);
    if (write(p[1], &c, 1) != 1) r = 9;
    r |= lk(a, F_SETLKW, F_WRLCK, SEEK_SET, 0, 1);
    _exit(r != 0);
  }
  char c;
  if (read(p[0], &c, 1) != 1) return 1;
  usleep(100000);
  T(lk(a, F_SETLKW, F_WRLCK, SEEK_SET, 1, 1));  // EDEADLK
  T(lk(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 1));
  int status;
  wait(&status);
  printf("child %d\n", status);
  fflush(stdout);
  if (fork() == 0) {
    lk(a, F_SETLK, F_WRLCK, SEEK_SET, 0, 0);
    if (write(p[1], &c, 1) != 1) _exit(1);
    usleep(300000);
    _exit(0);
  }
  if (read(p[0], &c, 1) != 1) return 1;
  ualarm(30000, 0);
  T(lk(a, F_SETLKW, F_WRLCK, SEEK_SET, 5, 1));
  T(lk(a, F_SETLKW, F_WRLCK, SEEK_SET, 5, 1));  // the exit of the child frees it
  wait(NULL);
  T(lk(a, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));

  puts("-- open file description locks");
  waits_for_description(name);
  T(lk(a, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 10));
  T(lk(b, F_OFD_SETLK, F_WRLCK, SEEK_SET, 5, 1));
  T(lk(b, F_SETLK, F_WRLCK, SEEK_SET, 5, 1));
  who("posix asks", b, F_GETLK, F_WRLCK, 0, 0);
  who("ofd asks", b, F_OFD_GETLK, F_RDLCK, 0, 0);
  d = dup(a);
  close(d);
  T(lk(b, F_OFD_SETLK, F_RDLCK, SEEK_SET, 5, 1));
  struct flock l = {.l_type = F_RDLCK, .l_pid = 5};
  T(fcntl(a, F_OFD_SETLK, &l));
  close(a);
  T(lk(b, F_OFD_SETLK, F_RDLCK, SEEK_SET, 5, 1));
  a = open(name, O_RDWR);

  puts("-- owner and signal");
  T(fcntl(p[0], F_GETOWN));
  T(fcntl(p[0], F_SETOWN, getpid()));
  printf("me %d\n", fcntl(p[0], F_GETOWN) == getpid());
  T(fcntl(p[0], F_SETOWN, -getpgrp()));
  struct f_owner_ex ex;
  T(fcntl(p[0], F_GETOWN_EX, &ex));
  printf("type %d mine %d\n", ex.type, ex.pid == getpgrp());
  T(fcntl(p[0], F_SETOWN, 0x7ffffff));
  ex.type = 7;
  T(fcntl(p[0], F_SETOWN_EX, &ex));
  T(fcntl(p[0], F_GETSIG));
  T(fcntl(p[0], F_SETSIG, 65));
  T(fcntl(p[0], F_SETSIG, SIGRTMIN));
  printf("%d\n", fcntl(p[0], F_GETSIG) == SIGRTMIN);
  T(fcntl(p[0], F_SETSIG, -1));

  puts("-- flags");
  printf("%o\n", fcntl(a, F_GETFL) & ~O_LARGEFILE & 0777777);
  T(fcntl(a, F_SETFL, O_APPEND | O_CREAT | O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  printf("%o\n", fcntl(a, F_GETFL));
  int path = open("/", O_PATH);
  T(fcntl(path, F_SETFL, 0));
  T(fcntl(path, F_GETLK, &l));
  printf("%o\n", fcntl(path, F_GETFL));
  T(fcntl(path, F_GETFD));
  T(fcntl(-1, F_GETFD));
  T(fcntl(a, F_GETLEASE));
  T(fcntl(p[0], F_SETLEASE, F_RDLCK));
  T(fcntl(a, F_GET_SEALS));
  int m = memfd_create("m", MFD_ALLOW_SEALING);
  T(fcntl(m, F_GET_SEALS));
  T(fcntl(m, F_ADD_SEALS, F_SEAL_GROW));
  T(fcntl(m, F_GET_SEALS));
  T(ftruncate(m, 10));
  unlink(name);
  return 0;
}
