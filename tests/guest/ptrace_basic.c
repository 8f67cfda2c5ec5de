// ptrace(2): tracing calls, registers, memory, breakpoints, single steps, events, attaching.
#include <errno.h>
#include <linux/ptrace.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

static long pt(long req, pid_t pid, uint64_t addr, uint64_t data) { return syscall(SYS_ptrace, req, pid, addr, data); }
static int status_of(pid_t c, const char* what) {
  int st = 0;
  errno = 0;
  pid_t r = waitpid(c, &st, __WALL);
  printf("%s: ", what);
  if (r < 0)
    printf("%s\n", strerrorname_np(errno));
  else if (WIFEXITED(st))
    printf("exit %d\n", WEXITSTATUS(st));
  else if (WIFSIGNALED(st))
    printf("killed by %d\n", WTERMSIG(st));
  else if (WIFSTOPPED(st))
    printf("stopped by %d event %d\n", WSTOPSIG(st), st >> 16);
  return st;
}
static pid_t traced(void (*fn)(void)) {
  fflush(stdout);
  pid_t c = fork();
  if (c == 0) {
    pt(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    fn();
    fflush(stdout);
    _exit(0);
  }
  return c;
}

static volatile long word = 1111;
static int __attribute__((noinline)) seven(int x) { return x + 7; }
static void calls(void) {
  printf("child: getppid %ld\n", syscall(SYS_getppid));
  printf("child: getuid %ld word %ld\n", syscall(SYS_getuid), word);
  fflush(stdout);
}
static void syscalls(void) {
  puts("-- system calls");
  pid_t c = traced(calls);
  status_of(c, "start");
  SAY_NUMBER(pt(PTRACE_SETOPTIONS, c, 0, 0x80000000));
  SAY_NUMBER(pt(PTRACE_SETOPTIONS, c, 0, PTRACE_O_TRACESYSGOOD));
  SAY_NUMBER(pt(PTRACE_SYSCALL, c, 0, 65));
  struct user_regs_struct r;
  int phase = 0;
  for (;;) {
    pt(PTRACE_SYSCALL, c, 0, 0);
    int st;
    waitpid(c, &st, 0);
    if (!WIFSTOPPED(st)) {
      printf("ended %d\n", WEXITSTATUS(st));
      break;
    }
    pt(PTRACE_GETREGS, c, 0, (uint64_t)&r);
    phase = !phase;
    long nr = (long)r.orig_rax;
    if (nr != SYS_getppid && nr != SYS_getuid && nr != SYS_gettid) continue;
    struct ptrace_syscall_info si;
    memset(&si, 0, sizeof si);
    long n = pt(PTRACE_GET_SYSCALL_INFO, c, sizeof si, (uint64_t)&si);
    siginfo_t info;
    pt(PTRACE_GETSIGINFO, c, 0, (uint64_t)&info);
    printf("%s: sig %#x nr %ld rax %ld info %ld op %d arch %#x ip %d sp %d si_code %#x cs %#llx\n", phase ? "enter" : "exit",
           WSTOPSIG(st), nr, phase ? (long)r.rax : 0, n, si.op, si.arch, si.instruction_pointer == r.rip,
           si.stack_pointer == r.rsp, info.si_code, r.cs);
    if (phase && si.entry.nr == SYS_getppid) {  // another call instead
      r.orig_rax = SYS_gettid;
      pt(PTRACE_SETREGS, c, 0, (uint64_t)&r);
    } else if (!phase && nr == SYS_gettid) {
      printf("the result of gettid: %d error %d\n", si.exit.rval == c, si.exit.is_error);
      r.rax = 4711;
      pt(PTRACE_SETREGS, c, 0, (uint64_t)&r);
    } else if (phase && nr == SYS_getuid) {  // none at all
      pt(PTRACE_POKEUSR, c, offsetof(struct user_regs_struct, orig_rax), (uint64_t)-1);
      pt(PTRACE_POKEUSR, c, offsetof(struct user_regs_struct, rax), 55);
      uint64_t w = 0;
      pt(PTRACE_PEEKDATA, c, (uint64_t)&word, (uint64_t)&w);
      printf("word there %ld\n", (long)w);
      SAY_NUMBER(pt(PTRACE_POKEDATA, c, (uint64_t)&word, 2222));
      SAY_NUMBER(pt(PTRACE_PEEKDATA, c, 8, (uint64_t)&w));
      SAY_NUMBER(pt(PTRACE_POKEDATA, c, 8, 1));
      SAY_NUMBER(pt(PTRACE_PEEKUSR, c, 3, (uint64_t)&w));
      SAY_NUMBER(pt(PTRACE_PEEKUSR, c, 100000, (uint64_t)&w));
      SAY_NUMBER(pt(4711, c, 0, 0));
    }
  }
  printf("our own word %ld\n", word);
}

static void breaks(void) { printf("child: seven %d\n", seven(1)); }
static void breakpoint(void) {
  puts("-- a breakpoint");
  pid_t c = traced(breaks);
  status_of(c, "start");
  uint64_t text = 0, at = (uint64_t)seven;
  pt(PTRACE_PEEKTEXT, c, at, (uint64_t)&text);
  SAY_NUMBER(pt(PTRACE_POKETEXT, c, at, (text & ~0xffUL) | 0xcc));
  pt(PTRACE_CONT, c, 0, 0);
  status_of(c, "breakpoint");
  struct user_regs_struct r;
  struct iovec iov = {&r, sizeof r};
  SAY_NUMBER(pt(PTRACE_GETREGSET, c, 1, (uint64_t)&iov));
  siginfo_t si;
  pt(PTRACE_GETSIGINFO, c, 0, (uint64_t)&si);
  printf("at %d argument %d si_code %#x length %zu\n", r.rip == at + 1, (int)r.rdi, si.si_code, iov.iov_len);
  r.rip = at;
  r.rdi = 10;
  SAY_NUMBER(pt(PTRACE_SETREGSET, c, 1, (uint64_t)&iov));
  pt(PTRACE_POKETEXT, c, at, text);
  int steps = 0, st;
  uint64_t sp = r.rsp;
  do {  // up to the return address
    pt(PTRACE_SINGLESTEP, c, 0, 0);
    waitpid(c, &st, 0);
    pt(PTRACE_GETREGS, c, 0, (uint64_t)&r);
    steps++;
  } while (WIFSTOPPED(st) && WSTOPSIG(st) == SIGTRAP && r.rsp <= sp && steps < 50);
  pt(PTRACE_GETSIGINFO, c, 0, (uint64_t)&si);
  printf("stepped out %d, result %d, si_code %#x\n", steps > 1 && steps < 50, (int)r.rax, si.si_code);
  printf("our own code is whole %d\n", seven(2));
  pt(PTRACE_CONT, c, 0, 0);
  status_of(c, "end");
}

static void on_usr1(int s) { printf("child: handler %d\n", s); }
static void signals_child(void) {
  signal(SIGUSR1, on_usr1);
  signal(SIGUSR2, SIG_IGN);
  raise(SIGUSR1);
  raise(SIGUSR2);
  raise(SIGUSR1);
  raise(SIGTERM);
}
static void signals(void) {
  puts("-- signals");
  pid_t c = traced(signals_child);
  status_of(c, "start");
  pt(PTRACE_CONT, c, 0, 0);
  status_of(c, "first");
  siginfo_t si;
  SAY_NUMBER(pt(PTRACE_GETSIGINFO, c, 0, (uint64_t)&si));
  printf("si_signo %d si_code %d pid %d\n", si.si_signo, si.si_code, si.si_pid == c);
  pt(PTRACE_CONT, c, 0, SIGUSR1);
  status_of(c, "ignored, but shown");
  pt(PTRACE_CONT, c, 0, SIGUSR1);  // another one instead
  status_of(c, "next");
  pt(PTRACE_CONT, c, 0, 0);  // taken away
  status_of(c, "fatal");
  uint64_t mask = 0;
  SAY_NUMBER(pt(PTRACE_GETSIGMASK, c, 8, (uint64_t)&mask));
  printf("mask %#lx\n", (long)mask);
  SAY_NUMBER(pt(PTRACE_GETSIGMASK, c, 4, (uint64_t)&mask));
  // What is in the queues of the thread and of the process, without taking it out.
  uint64_t block = 1ULL << (SIGUSR2 - 1);
  SAY_NUMBER(pt(PTRACE_SETSIGMASK, c, 8, (uint64_t)&block));
  kill(c, SIGUSR2);
  struct ptrace_peeksiginfo_args peek = {0, 0, 4};
  siginfo_t queue[4] = {0};
  SAY_NUMBER(pt(PTRACE_PEEKSIGINFO, c, (uint64_t)&peek, (uint64_t)queue));
  peek.flags = PTRACE_PEEKSIGINFO_SHARED;
  SAY_NUMBER(pt(PTRACE_PEEKSIGINFO, c, (uint64_t)&peek, (uint64_t)queue));
  printf("signal %d code %d\n", queue[0].si_signo, queue[0].si_code);
  SAY_NUMBER(pt(PTRACE_PEEKSIGINFO, c, (uint64_t)&peek, 8));
  peek.off = 1;
  SAY_NUMBER(pt(PTRACE_PEEKSIGINFO, c, (uint64_t)&peek, (uint64_t)queue));
  peek.flags = 8;
  SAY_NUMBER(pt(PTRACE_PEEKSIGINFO, c, (uint64_t)&peek, (uint64_t)queue));
  SAY_NUMBER(pt(PTRACE_DETACH, c, 0, SIGTERM));
  status_of(c, "end");
}

static void* thread(void* a) { return a; }
static void events_child(void) {
  pid_t c = fork();
  if (c == 0) _exit(3);
  int st;
  waitpid(c, &st, 0);
  printf("child: fork'ed exit %d\n", WEXITSTATUS(st));
  if ((c = vfork()) == 0) _exit(4);
  waitpid(c, &st, 0);
  printf("child: vfork'ed exit %d\n", WEXITSTATUS(st));
  pthread_t t;
  pthread_create(&t, NULL, thread, NULL);
  pthread_join(t, NULL);
  fflush(stdout);
  execl("/proc/self/exe", "ptrace_basic", "exec", NULL);
}
static void events(void) {
  puts("-- events");
  pid_t c = traced(events_child);
  status_of(c, "start");
  SAY_NUMBER(pt(PTRACE_SETOPTIONS, c, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
                                     PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT));
  pt(PTRACE_CONT, c, 0, 0);
  int others = 0, started = 0, ended = 0;
  for (;;) {
    int st;
    pid_t w = waitpid(-1, &st, __WALL);
    if (w < 0) break;
    if (!WIFSTOPPED(st)) {
      if (w == c) {
        printf("leader: exit %d\n", WEXITSTATUS(st));
      } else {
        ended++;
      }
      continue;
    }
    int event = st >> 16;
    uint64_t msg = 0;
    pt(PTRACE_GETEVENTMSG, w, 0, (uint64_t)&msg);
    if (w == c && event != 0)
      printf("event %d message %s\n", event,
             event == PTRACE_EVENT_EXIT ? (WEXITSTATUS(msg) == 9 ? "exit 9" : "?")
             : event == PTRACE_EVENT_EXEC ? (msg == (uint64_t)c ? "same id" : "?")
                                          : msg != 0 && msg != (uint64_t)c ? "a new id" : "?");
    if (w != c && event == 0 && WSTOPSIG(st) == SIGSTOP) started++;
    if (w != c && event == PTRACE_EVENT_EXIT) others++;
    int sig = event == 0 && WSTOPSIG(st) != SIGSTOP && WSTOPSIG(st) != SIGTRAP ? WSTOPSIG(st) : 0;
    pt(PTRACE_CONT, w, 0, (uint64_t)sig);
  }
  printf("others: started %d, exit events %d, ends %d\n", started, others, ended);
}

static volatile int* shared;
static void attach(void) {
  puts("-- attaching");
  shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  fflush(stdout);
  pid_t c = fork();
  if (c == 0) {
    for (;;) {
      ++*shared;
      usleep(1000);
    }
  }
  while (*shared < 3) usleep(1000);
  SAY_NUMBER(pt(PTRACE_ATTACH, getpid(), 0, 0));
  SAY_NUMBER(pt(PTRACE_ATTACH, 999999999, 0, 0));
  SAY_NUMBER(pt(PTRACE_CONT, c, 0, 0));
  SAY_NUMBER(pt(PTRACE_ATTACH, c, 0, 0));
  status_of(c, "attached");
  SAY_NUMBER(pt(PTRACE_ATTACH, c, 0, 0));
  SAY_NUMBER(pt(PTRACE_INTERRUPT, c, 0, 0));
  SAY_NUMBER(pt(PTRACE_LISTEN, c, 0, 0));
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", c);
  FILE* f = fopen(path, "r");
  while (fgets(line, sizeof line, f)) {
    int tracer;
    if (!strncmp(line, "State:", 6)) fputs(line, stdout);
    if (sscanf(line, "TracerPid: %d", &tracer) == 1) printf("TracerPid us %d\n", tracer == getpid());
  }
  fclose(f);
  int before = *shared;
  SAY_NUMBER(pt(PTRACE_DETACH, c, 0, 0));
  while (*shared < before + 3) usleep(1000);
  puts("runs again");
  SAY_NUMBER(pt(PTRACE_SEIZE, c, 1, 0));
  SAY_NUMBER(pt(PTRACE_SEIZE, c, 0, 0x80000000));
  SAY_NUMBER(pt(PTRACE_SEIZE, c, 0, PTRACE_O_EXITKILL));
  SAY_NUMBER(pt(PTRACE_CONT, c, 0, 0));
  SAY_NUMBER(pt(PTRACE_INTERRUPT, c, 0, 0));
  status_of(c, "interrupted");
  pt(PTRACE_CONT, c, 0, 0);
  kill(c, SIGSTOP);
  status_of(c, "signal");
  pt(PTRACE_CONT, c, 0, SIGSTOP);
  status_of(c, "group stop");
  SAY_NUMBER(pt(PTRACE_LISTEN, c, 0, 0));
  SAY_NUMBER(pt(PTRACE_CONT, c, 0, 0));
  kill(c, SIGCONT);
  status_of(c, "told of its end");
  pt(PTRACE_CONT, c, 0, 0);
  status_of(c, "SIGCONT itself");
  pt(PTRACE_CONT, c, 0, 0);
  before = *shared;
  while (*shared < before + 3) usleep(1000);
  kill(c, SIGKILL);
  status_of(c, "killed");
  status_of(c, "gone");
}
static void tracer_exits(void) {
  puts("-- the tracer ends");
  int p[2];
  if (pipe(p)) exit(1);
  fflush(stdout);
  pid_t tracer = fork();
  if (tracer == 0) {
    pid_t c = fork();
    if (c == 0) {
      close(p[0]);
      for (;;) pause();
    }
    close(p[1]);
    SAY_NUMBER(pt(PTRACE_SEIZE, c, 0, PTRACE_O_EXITKILL));
    exit(0);
  }
  close(p[1]);
  char ch;
  waitpid(tracer, NULL, 0);
  printf("its tracee is killed %d\n", read(p[0], &ch, 1) == 0);
}

int main(int argc, char** argv) {
  (void)argv;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 1) return 9;
  syscalls();
  breakpoint();
  signals();
  events();
  attach();
  tracer_exits();
  return 0;
}
