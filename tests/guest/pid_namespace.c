// PID namespaces: numbers on both sides, process 1 (orphans, signals, its end), what crosses the border
// (signals, credentials, locks, owners, pidfds), /proc of one, setns(2), clone3's set_tid.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

static volatile sig_atomic_t caught, from;

static void note(int sig, siginfo_t* info, void* context) {
  (void)context;
  caught = sig;
  from = info->si_pid;
}

static void handle(int sig) {
  struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(sig, &a, 0);
}

static void show_line(const char* file, const char* key) {
  char line[512];
  FILE* f = fopen(file, "r");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, key, strlen(key))) fputs(line, stdout);
  if (f) fclose(f);
}

// How many numbers a line like "NSpid:" has, and the last one.
static void show_numbers(const char* file, const char* key) {
  char line[512];
  FILE* f = fopen(file, "r");
  while (f && fgets(line, sizeof line, f)) {
    if (strncmp(line, key, strlen(key))) continue;
    int n = 0;
    char* last = 0;
    for (char* p = strtok(line + strlen(key), "\t\n"); p; p = strtok(0, "\t\n")) n++, last = p;
    printf("%s %d numbers, the last %s\n", key, n, last);
  }
  if (f) fclose(f);
}

static void show_end(pid_t pid) {
  int status = -1;
  pid_t r = waitpid(pid, &status, 0);
  printf("the right one: %d, ", r == pid);
  if (WIFSIGNALED(status))
    printf("killed by %d\n", WTERMSIG(status));
  else
    printf("exited with %d\n", WEXITSTATUS(status));
}

static pid_t new_namespace(unsigned long flags) {
  fflush(stdout);
  return (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | flags | SIGCHLD, 0, 0, 0, 0);
}

static void done(int status) {
  fflush(stdout);
  _exit(status);
}

static void* thread_number(void* arg) {
  *(pid_t*)arg = gettid();
  return 0;
}

static void numbers(void) {
  printf("--- numbers\n");
  pid_t pid = new_namespace(0);
  if (pid == 0) {
    printf("%d %d %d %d %d\n", getpid(), gettid(), getppid(), getpgrp(), getsid(0));
    printf("raw %ld %ld %ld\n", syscall(SYS_getpid), syscall(SYS_gettid), syscall(SYS_getppid));
    pthread_t th;
    pid_t tid;
    pthread_create(&th, 0, thread_number, &tid);
    pthread_join(th, 0);
    printf("a thread is %d\n", tid);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      printf("child %d of %d in group %d\n", getpid(), getppid(), getpgrp());
      SAY_NUMBER(setsid());
      printf("%d %d\n", getpgrp(), getsid(0));
      done(5);
    }
    printf("fork gave %d\n", child);
    show_end(child);
    printf("set_tid_address %ld\n", syscall(SYS_set_tid_address, 0));
    SAY(kill(child, 0));
    SAY(getpgid(99));
    SAY_NUMBER(getpgid(1));
    SAY(setpgid(0, 0));
    printf("%d\n", getpgrp());
    SAY(setsid());
    // Nobody outside has a number here.
    SAY(kill(-1, SIGKILL));
    SAY(sched_getscheduler(2));
    // The mount of /proc still shows the other numbers.
    char link[32] = "";
    int n = (int)readlink("/proc/self", link, sizeof link - 1);
    printf("self is another: %d\n", n > 0 && atoi(link) > 1);
    show_numbers("/proc/self/status", "NSpid:");
    show_numbers("/proc/self/status", "NStgid:");
    done(3);
  }
  show_end(pid);
}

static int proc_entries(void) {
  int n = 0;
  DIR* d = opendir("/proc");
  for (struct dirent* e; d && (e = readdir(d));) n += e->d_name[0] >= '0' && e->d_name[0] <= '9';
  if (d) closedir(d);
  return n;
}

static void proc(void) {
  printf("--- proc\n");
  pid_t pid = new_namespace(CLONE_NEWNS);
  if (pid == 0) {
    SAY(mount("proc", "/proc", "proc", 0, 0));
    char link[32] = "";
    readlink("/proc/self", link, sizeof link - 1);
    printf("self %s, ", link);
    readlink("/proc/thread-self", link, sizeof link - 1);
    printf("thread %s, %d processes\n", link, proc_entries());
    for (const char** key = (const char*[]){"Pid:", "Tgid:", "PPid:", "NSpid:", "NSpgid:", "NSsid:", 0}; *key;
         key++)
      show_line("/proc/self/status", *key);
    SAY(access("/proc/2", F_OK));
    fflush(stdout);
    int fd[2];
    if (pipe(fd)) done(1);
    pid_t child = fork();
    if (child == 0) {
      char c;
      close(fd[1]);
      (void)!read(fd[0], &c, 1);
      done(0);
    }
    close(fd[0]);
    SAY(access("/proc/2", F_OK));
    printf("%d processes\n", proc_entries());
    show_line("/proc/2/status", "PPid:");
    SAY(access("/proc/2/task/2", F_OK));
    close(fd[1]);
    show_end(child);
    SAY(access("/proc/2", F_OK));
    done(0);
  }
  show_end(pid);
}

static void process_one(void) {
  printf("--- process 1\n");
  int fd[2];
  char c;
  if (pipe(fd)) return;
  pid_t pid = new_namespace(0);
  if (pid == 0) {
    SAY(kill(1, SIGTERM));
    SAY(kill(1, SIGKILL));
    SAY(kill(1, SIGSTOP));
    SAY(raise(SIGABRT));
    handle(SIGUSR1);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      pid_t orphan = fork();
      if (orphan == 0) {
        while (getppid() != 1) usleep(1000);
        kill(1, SIGUSR1);
        _exit(7);
      }
      _exit(orphan == 3 ? 0 : 1);
    }
    show_end(child);
    show_end(3);
    printf("signal %d from %d\n", caught == SIGUSR1, from);
    // They end with it.
    for (int i = 0; i < 3; i++)
      if (fork() == 0) {
        setsid();
        (void)!write(fd[1], "x", 1);
        for (;;) pause();
      }
    for (int i = 0; i < 3; i++) (void)!read(fd[0], &c, 1);
    done(9);
  }
  close(fd[1]);
  show_end(pid);
  printf("all are gone: %zd\n", read(fd[0], &c, 1));
  close(fd[0]);
}

static void from_above(void) {
  printf("--- from above\n");
  int up[2], down[2];
  char c;
  if (pipe(up) || pipe(down)) return;
  pid_t pid = new_namespace(0);
  if (pid == 0) {
    handle(SIGUSR1);
    (void)!write(up[1], "x", 1);
    (void)!read(down[0], &c, 1);
    printf("inside: from 0 %d\n", from == 0 && caught == SIGUSR1);
    // Up there nobody can be named.
    union sigval v = {.sival_int = 7};
    SAY(sigqueue(getppid(), SIGUSR2, v));
    fflush(stdout);
    (void)!write(up[1], "x", 1);
    for (;;) pause();
  }
  (void)!read(up[0], &c, 1);
  SAY(kill(pid, SIGTERM));  // no handler
  SAY(kill(pid, SIGUSR1));
  fflush(stdout);
  usleep(20000);
  (void)!write(down[1], "x", 1);
  (void)!read(up[0], &c, 1);
  siginfo_t info;
  SAY(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG));
  SAY(kill(pid, SIGKILL));
  memset(&info, 0, sizeof info);
  SAY(waitid(P_PID, (id_t)pid, &info, WEXITED));
  printf("%d %d %d\n", info.si_pid == pid, info.si_code, info.si_status);
  for (int i = 0; i < 2; i++) close(up[i]), close(down[i]);
}

static void across(void) {
  printf("--- across\n");
  int s[2];
  char c;
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  int one = 1, file = open("locked", O_RDWR | O_CREAT, 0600);
  setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
  setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
  pid_t pid = new_namespace(0);
  if (pid == 0) {
    struct ucred u;
    socklen_t n = sizeof u;
    getsockopt(s[1], SOL_SOCKET, SO_PEERCRED, &u, &n);
    printf("peer %d %u\n", u.pid, u.uid);
    char control[CMSG_SPACE(sizeof u)];
    struct iovec v = {&c, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    recvmsg(s[1], &m, 0);
    memcpy(&u, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof u);
    printf("sender %d\n", u.pid);
    struct flock l = {.l_type = F_WRLCK, .l_len = 1};
    SAY(fcntl(file, F_GETLK, &l));
    printf("locked by %d\n", l.l_pid);
    l = (struct flock){.l_type = F_WRLCK, .l_start = 5, .l_len = 1};
    SAY(fcntl(file, F_SETLK, &l));
    SAY(fcntl(s[1], F_SETOWN, getpid()));
    SAY_NUMBER(fcntl(s[1], F_GETOWN));
    SAY(fcntl(s[1], F_SETOWN, 77));
    fflush(stdout);
    (void)!write(s[1], "x", 1);
    (void)!read(s[1], &c, 1);
    done(0);
  }
  struct flock l = {.l_type = F_WRLCK, .l_len = 1};
  fcntl(file, F_SETLK, &l);
  (void)!write(s[0], "x", 1);
  struct ucred u;
  char control[CMSG_SPACE(sizeof u)];
  struct iovec v = {&c, 1};
  struct msghdr m = {
      .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  recvmsg(s[0], &m, 0);
  memcpy(&u, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof u);
  printf("sender is the child: %d, uid %u\n", u.pid == pid, u.uid);
  l = (struct flock){.l_type = F_WRLCK, .l_start = 5, .l_len = 1};
  fcntl(file, F_GETLK, &l);
  printf("locked by the child: %d\n", l.l_pid == pid);
  printf("the owner is the child: %d\n", fcntl(s[1], F_GETOWN) == pid);
  fflush(stdout);
  (void)!write(s[0], "x", 1);
  show_end(pid);
  close(s[0]), close(s[1]), close(file), unlink("locked");
}

static void pidfds(void) {
  printf("--- pidfds\n");
  int pidfd = -1, fd[2];
  char c, path[64];
  if (pipe(fd)) return;
  struct clone_args args = {.flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD,
                            .pidfd = (uint64_t)(uintptr_t)&pidfd,
                            .exit_signal = SIGCHLD};
  fflush(stdout);
  pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) {
    close(fd[1]);
    (void)!read(fd[0], &c, 1);
    _exit(0);
  }
  close(fd[0]);
  sprintf(path, "/proc/self/fdinfo/%d", pidfd);
  show_numbers(path, "NSpid:");
  sprintf(path, "/proc/%d/status", pid);
  show_numbers(path, "NSpid:");
  show_numbers(path, "NStgid:");
  // A sibling sees neither.
  pid_t other = new_namespace(CLONE_NEWNS);
  if (other == 0) {
    mount("proc", "/proc", "proc", 0, 0);
    sprintf(path, "/proc/self/fdinfo/%d", pidfd);
    show_line(path, "Pid:");
    show_line(path, "NSpid:");
    SAY(syscall(SYS_pidfd_open, 1, 0));
    SAY(syscall(SYS_pidfd_open, 2, 0));
    SAY(syscall(SYS_pidfd_send_signal, pidfd, 0, 0, 0));
    SAY(setns(pidfd, CLONE_NEWPID));
    done(0);
  }
  show_end(other);
  SAY(syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0));
  siginfo_t info = {0};
  SAY(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
  printf("%d\n", info.si_pid == pid);
  sprintf(path, "/proc/self/fdinfo/%d", pidfd);
  show_line(path, "Pid:");
  show_line(path, "NSpid:");
  SAY(setns(pidfd, CLONE_NEWPID));
  close(fd[1]);
}

static void entering(void) {
  printf("--- entering\n");
  fflush(stdout);
  pid_t helper = fork();
  if (helper == 0) {
    SAY(unshare(CLONE_NEWPID));
    SAY(unshare(CLONE_NEWUSER | CLONE_NEWPID));
    printf("still the same: %d\n", getpid() > 1);
    SAY(unshare(CLONE_NEWPID));
    SAY(open("/proc/self/ns/pid_for_children", O_RDONLY));
    pthread_t th;
    pid_t tid;
    printf("thread: %s\n", strerror(pthread_create(&th, 0, thread_number, &tid)));
    fflush(stdout);
    int fd[2], born[2];
    char c;
    if (pipe(fd) || pipe(born)) _exit(1);
    pid_t first = fork();
    if (first == 0) {
      printf("first %d %d\n", getpid(), getppid());
      fflush(stdout);
      (void)!write(born[1], "x", 1);
      close(fd[1]);
      (void)!read(fd[0], &c, 1);
      _exit(0);
    }
    close(fd[0]);
    (void)!read(born[0], &c, 1);
    int ns = open("/proc/self/ns/pid_for_children", O_RDONLY), own = open("/proc/self/ns/pid", O_RDONLY);
    struct stat a, b;
    fstat(ns, &a), fstat(own, &b);
    printf("another: %d, parent %s\n", a.st_ino != b.st_ino, result(ioctl(ns, NS_GET_PARENT) < 0 ? -1 : 0));
    SAY(ioctl(own, NS_GET_PARENT) < 0 && errno == EPERM ? 0 : -1);
    fflush(stdout);
    pid_t second = fork();
    if (second == 0) {
      printf("second %d %d\n", getpid(), getppid());
      done(4);
    }
    show_end(second);
    SAY(setns(own, CLONE_NEWPID));
    SAY(setns(ns, CLONE_NEWPID));
    fflush(stdout);
    pid_t third = fork();
    if (third == 0) {
      printf("third %d %d\n", getpid(), getppid());
      SAY(setns(own, CLONE_NEWPID));
      done(4);
    }
    show_end(third);
    close(fd[1]);
    show_end(first);
    // Nobody comes after process 1.
    SAY(fork());
    done(0);
  }
  show_end(helper);
}

static void wanted(void) {
  printf("--- set_tid\n");
  pid_t pid = new_namespace(0);
  if (pid == 0) {
    pid_t tids[3] = {42, 0, 0};
    struct clone_args args = {
        .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)tids, .set_tid_size = 1};
    pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (child == 0) _exit(getpid() == 42 ? 0 : 1);
    printf("%d\n", child);
    show_end(child);
    tids[0] = 1;
    SAY(syscall(SYS_clone3, &args, sizeof args));
    tids[0] = 50, tids[1] = 20000;
    args.set_tid_size = 2;
    SAY(syscall(SYS_clone3, &args, sizeof args));
    args.set_tid_size = 3;
    SAY(syscall(SYS_clone3, &args, sizeof args));
    args.set_tid_size = 1;
    args.flags = CLONE_NEWPID;
    SAY(syscall(SYS_clone3, &args, sizeof args));  // the first must be 1
    done(0);
  }
  show_end(pid);
}

static void nested(void) {
  printf("--- nested\n");
  pid_t pid = new_namespace(0);
  if (pid == 0) {
    fflush(stdout);
    pid_t inner = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
    if (inner == 0) {
      printf("%d %d\n", getpid(), getppid());
      show_numbers("/proc/self/status", "NSpid:");
      fflush(stdout);
      if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) pause();
      }
      *(volatile int*)0 = 0;  // a fault ends even process 1
    }
    printf("inner is %d\n", inner);
    show_end(inner);
    done(0);
  }
  show_end(pid);
}

int main(void) {
  int status;
  pid_t pid = fork();
  if (pid == 0) _exit(unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) != 0);
  waitpid(pid, &status, 0);
  if (status) {
    printf("SKIPPED: an ordinary user cannot make namespaces here\n");
    return 77;
  }
  numbers();
  proc();
  process_one();
  from_above();
  across();
  pidfds();
  entering();
  wanted();
  nested();
  return 0;
}
