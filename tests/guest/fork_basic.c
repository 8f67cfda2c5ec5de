// fork, vfork, clone: what is shared, what is inherited, ids.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int value = 1;
static int child_fn(void* arg) {
  value = 42;
  int fd = *(int*)arg;
  if (chdir("/") != 0) _exit(9);
  umask(077);
  close(fd);
  _exit(value);
}
static void run_clone(const char* name, int flags) {
  char* stack = malloc(65536);
  int fd = open("/dev/null", O_RDONLY);
  char before[4096], after[4096];
  if (!getcwd(before, sizeof before)) exit(1);
  umask(022);
  value = 1;
  int pid = clone(child_fn, stack + 65536, flags | SIGCHLD, &fd);
  int st = 0;
  pid_t r = waitpid(pid, &st, 0);
  if (!getcwd(after, sizeof after)) exit(1);
  mode_t m = umask(022);
  printf("%s: waited %d status %x value %d fd %s cwd %s umask %o\n", name, r == pid, st, value,
         fcntl(fd, F_GETFD) == 0 ? "open" : "closed", strcmp(before, after) == 0 ? "same" : after, m);
  close(fd);
  if (chdir(before) != 0) exit(1);
  free(stack);
}
// What the C libraries ask for at the end of a thread: the word becomes 0 and its waiters wake, but only
// where somebody else still uses the memory. And CLONE_PARENT, CLONE_CHILD_SETTID, CLONE_PARENT_SETTID.
static volatile int* words;
static int wait_for_gate(void* gate) {
  char c;
  return read(*(int*)gate, &c, 1) == 1 && words[0] == getpid() ? 5 : 6;
}
static void tids(const char* name, int flags, int clear_by_call) {
  int gate[2], st = 0;
  if (pipe(gate) != 0) exit(1);
  char* stack = malloc(65536);
  words[0] = words[1] = 0;
  if (clear_by_call) flags &= ~CLONE_CHILD_CLEARTID;
  pid_t pid;
  if (flags & CLONE_VM) {
    pid = clone(wait_for_gate, stack + 65536, flags | SIGCHLD, &gate[0], &words[1], NULL, &words[0]);
  } else {
    pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, &words[1], &words[0], 0);
    if (pid == 0) {
      if (clear_by_call && syscall(SYS_set_tid_address, &words[0]) != getpid()) _exit(7);
      _exit(wait_for_gate(&gate[0]));
    }
  }
  printf("%s: tid to the parent %d", name, words[1] == pid);
  if (write(gate[1], "x", 1) != 1) exit(1);
  if (flags & CLONE_CHILD_CLEARTID && flags & CLONE_VM)
    while (words[0] != 0) syscall(SYS_futex, &words[0], FUTEX_WAIT, pid, NULL, NULL, 0);
  waitpid(pid, &st, 0);
  printf(", child %x, word cleared %d\n", st, words[0] == 0);
  close(gate[0]), close(gate[1]);
  free(stack);
}
static void sibling(void) {
  int to[2];
  if (pipe(to) != 0) exit(1);
  pid_t middle = fork();
  if (middle == 0) {
    pid_t ours = getppid();
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGUSR2, 0, 0, 0, 0);
    if (pid == 0) {
      char same = getppid() == ours;
      _exit(write(to[1], &same, 1) == 1 ? 3 : 4);
    }
    int r = waitpid(pid, NULL, 0);
    _exit(r < 0 && errno == ECHILD ? 1 : 2);
  }
  int st, code = 0, other = 0;
  char same = 0;
  for (int i = 0; i < 2; i++) {
    pid_t w = wait(&st);
    if (w == middle)
      code = WEXITSTATUS(st);
    else
      other = WEXITSTATUS(st);
  }
  if (read(to[0], &same, 1) != 1) exit(1);
  printf("CLONE_PARENT: a child of ours %d, exit %d, not of the one that made it %d\n", same, other, code);
  close(to[0]), close(to[1]);
}

static void clone3_error(const char* what, struct clone_args* a, size_t size) {
  long r = syscall(SYS_clone3, a, size);
  if (r == 0) _exit(0);
  printf("%s: %s\n", what, r < 0 ? strerror(errno) : "made a process");
  if (r > 0) waitpid((pid_t)r, NULL, __WALL);
}
static void clone_error(const char* what, unsigned long flags) {
  errno = 0;
  long r = syscall(SYS_clone, flags, 0, 0, 0, 0);
  if (r == 0) _exit(0);
  printf("%s: %s\n", what, r < 0 ? strerror(errno) : "made a process");
  if (r > 0) waitpid((pid_t)r, NULL, __WALL);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  int* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t parent = getpid();
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGUSR1);
  pid_t pid = fork();
  if (pid == 0) {
    value = 2;
    shared[0] = 3;
    shared[1] = getppid() == parent;
    shared[2] = getpid() != parent && getpid() == syscall(SYS_gettid);
    sigpending(&set);
    shared[3] = sigismember(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, NULL, &set);
    shared[4] = sigismember(&set, SIGUSR1);
    shared[5] = getpgrp() == getpgid(parent) && getsid(0) == getsid(parent);
    _exit(7);
  }
  int st;
  waitpid(pid, &st, 0);
  printf("fork: value %d shared %d ppid %d ids %d pending %d blocked %d groups %d status %x\n", value,
         shared[0], shared[1], shared[2], shared[3], shared[4], shared[5], st);

  value = 1;
  pid = vfork();
  if (pid == 0) {
    value = 5;
    usleep(20000);
    _exit(4);
  }
  printf("vfork: value %d\n", value);
  waitpid(pid, &st, 0);
  printf("status %x\n", st);

  run_clone("clone 0", 0);
  run_clone("CLONE_VM", CLONE_VM);
  run_clone("CLONE_FILES", CLONE_FILES);
  run_clone("CLONE_FS", CLONE_FS);
  run_clone("CLONE_VM|VFORK", CLONE_VM | CLONE_VFORK);
  run_clone("all", CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | CLONE_SYSVSEM | CLONE_IO);

  words = &shared[20];
  tids("threads of glibc but for CLONE_THREAD",
       CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID |
           CLONE_CHILD_CLEARTID,
       0);
  tids("fork of glibc", CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, 0);
  tids("set_tid_address", CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, 1);
  sibling();

  clone_error("THREAD without SIGHAND", CLONE_THREAD | SIGCHLD);
  clone_error("SIGHAND without VM", CLONE_SIGHAND | SIGCHLD);
  clone_error("NEWNS with FS", CLONE_NEWNS | CLONE_FS | SIGCHLD);
  clone_error("PIDFD with PARENT_SETTID", CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD);
  clone_error("NEWNET", CLONE_NEWNET | SIGCHLD);
  clone_error("NEWNS", CLONE_NEWNS | SIGCHLD);
  printf("unshare NEWNS: %s\n", unshare(CLONE_NEWNS) ? strerror(errno) : "ok");
  printf("unshare NEWPID: %s\n", unshare(CLONE_NEWPID) ? strerror(errno) : "ok");
  printf("unshare an unknown flag: %s\n", unshare(0x1) ? strerror(errno) : "ok");
  printf("unshare THREAD alone: %s\n",
         unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) ? strerror(errno) : "ok");
  clone_error("signal 0", 0);

  struct clone_args a = {0};
  clone3_error("size 0", &a, 0);
  clone3_error("size 63", &a, 63);
  clone3_error("size 5000", &a, 5000);
  struct {
    struct clone_args a;
    uint64_t more[2];
  } big;
  memset(&big, 0, sizeof big);
  clone3_error("larger, zero", &big.a, sizeof big);
  big.more[1] = 1;
  clone3_error("larger, not zero", &big.a, sizeof big);
  a.exit_signal = 65;
  clone3_error("exit signal 65", &a, sizeof a);
  a.exit_signal = SIGCHLD;
  a.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
  clone3_error("thread with exit signal", &a, sizeof a);
  a.flags = 0;
  a.stack = 0x10000;
  clone3_error("stack without size", &a, sizeof a);
  a.stack = 0;
  a.flags = 0x11;
  clone3_error("signal in flags", &a, sizeof a);
  a.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM;
  clone3_error("CLEAR_SIGHAND with SIGHAND", &a, sizeof a);
  a.flags = 0;
  a.set_tid_size = 1;
  clone3_error("set_tid without array", &a, sizeof a);
  clone3_error("bad address", (void*)8, sizeof a);

  // Tids and a pidfd, written before the child runs.
  memset(&a, 0, sizeof a);
  int pidfd = -1;
  int ptid = 0;
  shared[10] = 0;
  a.flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  a.pidfd = (uint64_t)(uintptr_t)&pidfd;
  a.parent_tid = (uint64_t)(uintptr_t)&ptid;
  a.child_tid = (uint64_t)(uintptr_t)&shared[10];
  a.exit_signal = SIGCHLD;
  signal(SIGUSR2, SIG_IGN);
  signal(SIGTERM, _exit);
  pid = (pid_t)syscall(SYS_clone3, &a, sizeof a);
  if (pid == 0) {
    struct sigaction sa;
    shared[11] = shared[10] == getpid();
    sigaction(SIGUSR2, NULL, &sa);
    shared[12] = sa.sa_handler == SIG_IGN;
    sigaction(SIGTERM, NULL, &sa);
    shared[13] = sa.sa_handler == SIG_DFL;
    _exit(1);
  }
  siginfo_t si;
  int r = waitid(P_PIDFD, pidfd, &si, WEXITED);
  printf("clone3: wait %d pid %d ptid %d ctid %d ignored stays %d handler reset %d cloexec %d\n", r,
         si.si_pid == pid, ptid == pid, shared[11], shared[12], shared[13], fcntl(pidfd, F_GETFD));
  return 0;
}
