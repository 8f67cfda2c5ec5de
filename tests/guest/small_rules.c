// Rules that have no other test: sysfs(2); ioctl_ns(2); kcmp(2); clone3 set_tid without privilege; pidfd_send_signal(2) by /proc/PID;
// shared futexes behind the end of a file; adjtimex(2) with a wrong mode; ioctls of sockets.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static pid_t me, child;
static long kcmp(int type, unsigned long a, unsigned long b) {
  long r = syscall(SYS_kcmp, me, child, type, a, b);
  return r > 0 ? 9 : r;  // different
}

static void compare(void) {
  int shared = open("/dev/null", O_RDONLY), copy = dup(shared), other = open("/dev/null", O_RDONLY);
  int ep = epoll_create1(0), pipes[2];
  if (pipe(pipes) != 0) exit(1);
  struct epoll_event e = {.events = EPOLLIN};
  epoll_ctl(ep, EPOLL_CTL_ADD, pipes[0], &e);
  me = getpid();
  child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  T(kcmp(KCMP_FILE, shared, shared));
  T(kcmp(KCMP_FILE, shared, copy));
  T(kcmp(KCMP_FILE, shared, other));
  T(kcmp(KCMP_FILE, shared, 99));
  T(kcmp(KCMP_VM, 0, 0));
  T(kcmp(KCMP_FILES, 0, 0));
  T(kcmp(KCMP_FS, 0, 0));
  T(kcmp(KCMP_SIGHAND, 0, 0));
  T(kcmp(100, 0, 0));
  struct kcmp_epoll_slot slot = {ep, pipes[0], 0};
  T(kcmp(KCMP_EPOLL_TFD, pipes[0], (unsigned long)&slot));
  T(kcmp(KCMP_EPOLL_TFD, pipes[1], (unsigned long)&slot));
  slot.toff = 1;
  T(kcmp(KCMP_EPOLL_TFD, pipes[0], (unsigned long)&slot));
  slot.efd = pipes[0];
  T(kcmp(KCMP_EPOLL_TFD, pipes[0], (unsigned long)&slot));

  // The same child by its directory.
  char path[32];
  sprintf(path, "/proc/%d", child);
  int dir = open(path, O_RDONLY | O_DIRECTORY);
  strcat(path, "/task");
  int task = open(path, O_RDONLY | O_DIRECTORY);
  T(syscall(SYS_pidfd_send_signal, dir, 0, NULL, 0));
  T(syscall(SYS_pidfd_send_signal, task, 0, NULL, 0));
  T(syscall(SYS_pidfd_send_signal, shared, 0, NULL, 0));
  T(syscall(SYS_pidfd_send_signal, dir, SIGKILL, NULL, 0));
  int status;
  waitpid(child, &status, 0);
  printf("ended by %d\n", WTERMSIG(status));
  T(syscall(SYS_pidfd_send_signal, dir, 0, NULL, 0));
  T(kcmp(KCMP_VM, 0, 0));
}

static long with_tid(pid_t tid, size_t n) {
  pid_t tids[2] = {tid, tid};
  struct clone_args a = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)tids, .set_tid_size = n};
  long r = syscall(SYS_clone3, &a, sizeof a);
  if (r == 0) _exit(0);
  return r;
}

int main(void) {
  compare();
  T(with_tid(-1, 1));
  T(with_tid(0, 1));
  T(with_tid(1 << 22, 1));
  T(with_tid(4000, 1));

  int fd = open("futex_file", O_RDWR | O_CREAT, 0600);
  if (ftruncate(fd, 8192) != 0) return 1;
  char* map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  T(syscall(SYS_futex, map + 4096, FUTEX_WAKE, 1));
  if (ftruncate(fd, 4096) != 0) return 1;
  T(syscall(SYS_futex, map + 4096, FUTEX_WAKE, 1));
  T(syscall(SYS_futex, map, FUTEX_WAKE, 1));

  // The default timer slack of a child is what its creator had.
  T(prctl(PR_SET_TIMERSLACK, 123456));
  fflush(stdout);
  pid_t heir = fork();
  if (heir == 0) {
    T(prctl(PR_GET_TIMERSLACK));
    T(prctl(PR_SET_TIMERSLACK, 5));
    T(prctl(PR_SET_TIMERSLACK, 0));
    T(prctl(PR_GET_TIMERSLACK));
    fflush(stdout);
    _exit(0);
  }
  waitpid(heir, NULL, 0);

  // File system types by number.
  char type[64];
  long proc = syscall(SYS_sysfs, 1, "proc");
  printf("sysfs: %d", proc >= 0 && proc < syscall(SYS_sysfs, 3));
  printf(" %ld %s\n", syscall(SYS_sysfs, 2, proc, type), type);
  T(syscall(SYS_sysfs, 1, "no such type"));
  T(syscall(SYS_sysfs, 1, 8));
  T(syscall(SYS_sysfs, 2, 1000, type));
  T(syscall(SYS_sysfs, 2, proc, 8));
  T(syscall(SYS_sysfs, 4));

  // Namespaces: nothing is above them (ioctl_ns(2)).
  int uts = open("/proc/self/ns/uts", O_RDONLY), user = open("/proc/self/ns/user", O_RDONLY), pid = open("/proc/self/ns/pid", O_RDONLY);
  uid_t uid = 77;
  T(ioctl(uts, NS_GET_NSTYPE));
  T(ioctl(user, NS_GET_NSTYPE));
  T(ioctl(uts, NS_GET_PARENT));
  T(ioctl(user, NS_GET_PARENT));
  T(ioctl(pid, NS_GET_PARENT));
  T(ioctl(user, NS_GET_USERNS));
  T(ioctl(uts, NS_GET_OWNER_UID, &uid));

  struct timex tx = {.modes = 0x8000};
  T(adjtimex(&tx));

  int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0), mark = 7;
  T(ioctl(udp, SIOCATMARK, &mark));
  T(ioctl(tcp, SIOCATMARK, &mark));
  T(ioctl(udp, SIOCSIFFLAGS, NULL));
  return 0;
}
