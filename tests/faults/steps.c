// steps NAME: one short, deterministic piece of work for the proof with seeded faults (faults.list). Its
// system calls must be the same on every correct kernel, so it prints nothing, waits for no time but with
// a deadline, and goes on whatever a call returns.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buf[4096];
static int pipe_ends[2];

static void on_alarm(int signo) {
  (void)signo;
  if (write(pipe_ends[1], "x", 1) < 0) return;
}

// SIGALRM after `ms`, once.
static void alarm_ms(int ms, int flags) {
  struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = flags};
  sigaction(SIGALRM, &sa, NULL);
  struct itimerval it = {.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000}};
  setitimer(ITIMER_REAL, &it, NULL);
}

static void no_alarm(void) {
  struct itimerval it = {0};
  setitimer(ITIMER_REAL, &it, NULL);
}

static void plain(void) {}

static void nonblock(void) {
  int on = 1, s[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  ioctl(s[0], FIONBIO, &on);
  fcntl(s[0], F_GETFL);
}

static void sockname(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7654), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct linger l = {1, 0};
  socklen_t len = sizeof a;
  int on = 1, s = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  bind(s, (struct sockaddr *)&a, sizeof a);
  listen(s, 5);
  getsockname(s, (struct sockaddr *)&a, &len);
  close(s);
  s = socket(AF_INET6, SOCK_STREAM, 0);
  close(s);
}

static void accepting(void) {
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
  int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(s, (struct sockaddr *)&a, sizeof a);
  listen(s, 1);
  connect(c, (struct sockaddr *)&a, sizeof a);
  int n = accept4(s, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  fcntl(n, F_GETFL);
  fcntl(n, F_GETFD);
  unlink("socket");
}

static void messages(void) {
  int s[2];
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
  send(s[0], "hello", 5, 0);
  recv(s[1], buf, 5, MSG_PEEK);
  recv(s[1], buf, 5, 0);
  shutdown(s[0], SHUT_WR);
  recv(s[1], buf, 5, 0);
}

static void epoll_edge(void) {
  struct epoll_event e = {.events = EPOLLIN | EPOLLET}, got[4];
  int ep = epoll_create1(EPOLL_CLOEXEC);
  if (pipe(pipe_ends) != 0) return;
  epoll_ctl(ep, EPOLL_CTL_ADD, pipe_ends[0], &e);
  if (write(pipe_ends[1], "x", 1) < 0) return;
  epoll_wait(ep, got, 4, 0);
  epoll_wait(ep, got, 4, 0);
  e.events = EPOLLIN | EPOLLONESHOT;
  epoll_ctl(ep, EPOLL_CTL_MOD, pipe_ends[0], &e);
  epoll_wait(ep, got, 4, 0);
  epoll_wait(ep, got, 4, 0);
  epoll_ctl(ep, EPOLL_CTL_ADD, pipe_ends[0], &e);
}

static void futex_deadline(void) {
  static uint32_t word;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec = (t.tv_nsec + 20000000) % 1000000000;
  t.tv_sec += t.tv_nsec < 20000000;
  alarm_ms(3000, 0);
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY);
  no_alarm();
}

static void futex_value(void) {
  static uint32_t word = 1;
  struct timespec t = {.tv_nsec = 20000000};
  syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t);
  syscall(SYS_futex, &word, FUTEX_WAKE, 1);
}

static void descriptors(void) {
  dup3(0, 9, O_CLOEXEC);
  fcntl(9, F_GETFD);
  fcntl(0, F_DUPFD, 20);
  if (pipe2(pipe_ends, O_NONBLOCK) != 0) return;
  fcntl(pipe_ends[0], F_GETFL);
  fcntl(pipe_ends[0], F_GETPIPE_SZ);
  eventfd(1, EFD_SEMAPHORE);
  timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
}

static void affinity(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  sched_setaffinity(0, sizeof set, &set);
  sched_getaffinity(0, sizeof set, &set);
}

static void memory(void) {
  char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(p, 4096, MADV_DONTNEED);
  mprotect(p, 4096, PROT_READ);
  p = mremap(p, 8192, 4096, 0);
  mremap(p, 4096, 1 << 20, MREMAP_MAYMOVE);
}

static void files(void) {
  struct stat st;
  int fd = open("missing", O_RDONLY);
  fd = open("new", O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (write(fd, "0123456789", 10) < 0) return;
  lseek(fd, 0, SEEK_END);
  if (ftruncate(fd, 4) != 0) return;
  fstat(fd, &st);
  if (pread(fd, buf, 10, 2) < 0) return;
  rename("new", "other");
  stat("other", &st);
  unlink("other");
  if (readlink("/proc/self/exe", buf, sizeof buf) < 0) return;
}

static void status(void) {
  struct stat st;
  stat("/proc/self/status", &st);
  int fd = open("/proc/filesystems", O_RDONLY);
  close(fd);
}

static void names(void) {
  prctl(PR_SET_NAME, "worker");
  prctl(PR_GET_NAME, buf);
  kill(getpid(), 0);
  getpriority(PRIO_PROCESS, 0);
  if (getrandom(buf, 8, GRND_NONBLOCK) < 0) return;
}

static void sleeping(void) {
  struct timespec t = {.tv_nsec = 1000000};
  clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL);
}

static void restart(void) {
  if (pipe(pipe_ends) != 0) return;
  alarm_ms(50, SA_RESTART);
  if (read(pipe_ends[0], buf, 1) < 0) no_alarm();
}

static void child_killed(void) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    kill(getpid(), SIGKILL);
    _exit(0);
  }
  waitpid(pid, &status, 0);
  waitpid(-1, &status, WNOHANG);
}

static void *nothing(void *arg) { return arg; }
static void thread(void) {
  pthread_t t;
  pthread_create(&t, NULL, nothing, NULL);
  pthread_join(t, NULL);
}

static const struct {
  const char *name;
  void (*run)(void);
} STEPS[] = {
    {"plain", plain},         {"nonblock", nonblock},       {"sockname", sockname},
    {"accepting", accepting}, {"messages", messages},       {"epoll_edge", epoll_edge},
    {"futex_value", futex_value}, {"futex_deadline", futex_deadline}, {"descriptors", descriptors},
    {"affinity", affinity},   {"memory", memory},           {"files", files},
    {"status", status},       {"names", names},             {"sleeping", sleeping},
    {"restart", restart},     {"child_killed", child_killed}, {"thread", thread},
};

int main(int argc, char **argv) {
  for (size_t i = 0; argc == 2 && i < sizeof STEPS / sizeof STEPS[0]; i++) {
    if (strcmp(STEPS[i].name, argv[1]) != 0) continue;
    STEPS[i].run();
    return 0;
  }
  return 2;
}
