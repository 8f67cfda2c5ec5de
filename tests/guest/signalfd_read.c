// signalfd: which signals it takes, what it tells about them, masks, readiness.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static void get(const char* what, int fd) {
  struct signalfd_siginfo s[4];
  memset(s, 0x55, sizeof s);
  int r = read(fd, s, sizeof s);
  printf("%s: %d", what, r / (int)sizeof s[0]);
  if (r < 0) printf(" %s", strerrorname_np(errno));
  for (int i = 0; i < r / (int)sizeof s[0]; i++)
    printf(" [%s code %d me %d uid %d int %x ptr %llx status %x]", strsignal(s[i].ssi_signo), s[i].ssi_code,
           s[i].ssi_pid == (unsigned)getpid(), s[i].ssi_uid == getuid(), s[i].ssi_int,
           (unsigned long long)s[i].ssi_ptr, s[i].ssi_status);
  puts("");
}
static int ready(int fd) {
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, 0);
  return p.revents;
}
static void* sender(void* arg) {
  usleep(20000);
  kill(getpid(), *(int*)arg);
  return NULL;
}
static void* thread_reader(void* arg) {
  get("other thread", *(int*)arg);
  return NULL;
}

int main(void) {
  sigset_t set, two;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGCHLD);
  sigaddset(&set, SIGRTMIN + 1);
  sigaddset(&set, SIGALRM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  T(syscall(SYS_signalfd4, -1, &set, 4, 0));
  T(syscall(SYS_signalfd4, -1, 8, 8, 0));
  T(signalfd(-1, &set, 1));
  T(signalfd(99, &set, 0));
  T(signalfd(0, &set, 0));
  int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  printf("flags %o fd %d\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
  char path[64], link[64] = {0};
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (readlink(path, link, sizeof link - 1) > 0) puts(link);
  char small[100];
  T(read(fd, small, sizeof small));
  get("none", fd);
  printf("poll %x\n", ready(fd));
  raise(SIGUSR1);
  printf("poll %x\n", ready(fd));
  get("raise", fd);
  printf("poll %x\n", ready(fd));
  union sigval v = {.sival_ptr = (void*)0x123456789aULL};
  sigqueue(getpid(), SIGRTMIN + 1, v);
  v.sival_ptr = (void*)7;
  sigqueue(getpid(), SIGRTMIN + 1, v);
  kill(getpid(), SIGUSR1);
  kill(getpid(), SIGUSR1);
  get("several", fd);
  alarm(1);
  alarm(0);
  timer_t timer;
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_int = 0x77};
  timer_create(CLOCK_MONOTONIC, &ev, &timer);
  struct itimerspec its = {{0, 0}, {0, 1000000}};
  timer_settime(timer, 0, &its, NULL);
  usleep(20000);
  get("timer", fd);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(42);
  struct pollfd p = {fd, POLLIN, 0};
  T(poll(&p, 1, 2000));
  struct signalfd_siginfo s;
  if (read(fd, &s, sizeof s) == sizeof s)
    printf("child: %u code %d status %d pid %d\n", s.ssi_signo, s.ssi_code, s.ssi_status,
           s.ssi_pid == (unsigned)child);
  wait(NULL);

  puts("-- epoll, blocking, threads");
  int ep = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLIN};
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
  pthread_t th;
  int signo = SIGUSR1;
  pthread_create(&th, NULL, sender, &signo);
  T(epoll_wait(ep, &e, 1, 2000));
  pthread_join(th, NULL);
  get("after epoll", fd);
  fcntl(fd, F_SETFL, 0);
  pthread_create(&th, NULL, sender, &signo);
  get("blocking", fd);
  pthread_join(th, NULL);
  // A signal for one thread cannot be read by another, one for the process can.
  fcntl(fd, F_SETFL, O_NONBLOCK);
  pthread_kill(pthread_self(), SIGUSR1);
  pthread_create(&th, NULL, thread_reader, &fd);
  pthread_join(th, NULL);
  get("this thread", fd);
  kill(getpid(), SIGUSR1);
  pthread_create(&th, NULL, thread_reader, &fd);
  pthread_join(th, NULL);

  puts("-- changed mask");
  sigemptyset(&two);
  sigaddset(&two, SIGRTMIN + 1);
  sigaddset(&two, SIGKILL);
  raise(SIGUSR1);
  T(signalfd(fd, &two, 0) == fd);
  get("not in the mask", fd);
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE* f = fopen(path, "r");
  char line[100];
  while (f && fgets(line, sizeof line, f))
    if (strncmp(line, "sigmask", 7) == 0) fputs(line, stdout);
  T(signalfd(fd, &set, 0) == fd);
  get("in the mask", fd);
  return 0;
}
