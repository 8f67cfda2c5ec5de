// /proc/self/status: the keys in their order, and values that the program knows itself.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[16384];

static void load(const char* path) {
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (n < 0) {
    printf("%s: %s\n", path, strerror(errno));
    exit(1);
  }
  text[n] = 0;
  close(fd);
}

// The value of a key, without the tab.
static const char* value(const char* key) {
  static char lines[8][2048];  // several per printf
  static int next;
  char* line = lines[next++ % 8];
  size_t len = strlen(key);
  for (char* p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
    if (strncmp(p, key, len) == 0 && p[len] == ':') {
      char* end = strchr(p, '\n');
      snprintf(line, sizeof lines[0], "%.*s", (int)(end - p - len - 2), p + len + 2);
      return line;
    }
  }
  return "(absent)";
}

static void check(const char* what, int ok) { printf("%s: %s\n", what, ok ? "ok" : "WRONG"); }

static void* idle(void* arg) {
  prctl(PR_SET_NAME, "second thread");
  char c;
  return read(*(int*)arg, &c, 1) < 0 ? arg : NULL;
}

int main(void) {
  static const char* keys[] = {"Name",
                               "Umask",
                               "State",
                               "Tgid",
                               "Ngid",
                               "Pid",
                               "PPid",
                               "TracerPid",
                               "Uid",
                               "Gid",
                               "FDSize",
                               "Groups",
                               "NStgid",
                               "NSpid",
                               "NSpgid",
                               "NSsid",
                               "VmPeak",
                               "VmSize",
                               "VmLck",
                               "VmPin",
                               "VmHWM",
                               "VmRSS",
                               "RssAnon",
                               "RssFile",
                               "RssShmem",
                               "VmData",
                               "VmStk",
                               "VmExe",
                               "VmLib",
                               "VmPTE",
                               "VmSwap",
                               "HugetlbPages",
                               "CoreDumping",
                               "THP_enabled",
                               "Threads",
                               "SigQ",
                               "SigPnd",
                               "ShdPnd",
                               "SigBlk",
                               "SigIgn",
                               "SigCgt",
                               "CapInh",
                               "CapPrm",
                               "CapEff",
                               "CapBnd",
                               "CapAmb",
                               "NoNewPrivs",
                               "Seccomp",
                               "Seccomp_filters",
                               "Speculation_Store_Bypass",
                               "SpeculationIndirectBranch",
                               "Cpus_allowed",
                               "Cpus_allowed_list",
                               "Mems_allowed",
                               "Mems_allowed_list",
                               "voluntary_ctxt_switches",
                               "nonvoluntary_ctxt_switches"};
  prctl(PR_SET_NAME, "status tester, long name");
  umask(027);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMAX);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGUSR2, SIG_IGN);
  signal(SIGHUP, exit);
  kill(getpid(), SIGUSR1);
  syscall(SYS_tgkill, getpid(), gettid(), SIGRTMAX);

  load("/proc/self/status");
  const char* at = text;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    char key[64];
    snprintf(key, sizeof key, "%s:\t", keys[i]);
    const char* found = strstr(at, key);
    if (!found || (found != text && found[-1] != '\n')) printf("%s missing or out of order\n", keys[i]);
    if (found) at = found;
  }
  char expect[256];
  printf("Name %s\nUmask %s\nState %s\n", value("Name"), value("Umask"), value("State"));
  check("Tgid", atoi(value("Tgid")) == getpid());
  check("Pid", atoi(value("Pid")) == gettid());
  check("PPid", atoi(value("PPid")) == getppid());
  check("NSpgid", atoi(value("NSpgid")) == getpgrp());
  check("NSsid", atoi(value("NSsid")) == getsid(0));
  snprintf(expect, sizeof expect, "%d\t%d\t%d\t%d", getuid(), geteuid(), geteuid(), geteuid());
  check("Uid", strcmp(value("Uid"), expect) == 0);
  printf("TracerPid %s\nNoNewPrivs %s\nThreads %s\n", value("TracerPid"), value("NoNewPrivs"),
         value("Threads"));
  printf("SigPnd %s\nShdPnd %s\nSigBlk %s\nSigIgn %s\nSigCgt %s\n", value("SigPnd"), value("ShdPnd"),
         value("SigBlk"), value("SigIgn"), value("SigCgt"));
  printf("CapInh has 16 digits: %d\n",
         strlen(value("CapInh")) == 16 && strspn(value("CapInh"), "0123456789abcdef") == 16);
  int fdsize = atoi(value("FDSize"));
  check("FDSize", fdsize >= 64 && (fdsize & (fdsize - 1)) == 0);
  check("VmSize",
        strlen(value("VmSize")) == 11 && strstr(value("VmSize"), " kB") && atol(value("VmSize")) > 100);
  check("VmStk", atol(value("VmStk")) >= 4);
  check("VmRSS <= VmSize", atol(value("VmRSS")) <= atol(value("VmSize")));

  // The affinity mask, in both notations.
  cpu_set_t cpus;
  sched_getaffinity(0, sizeof cpus, &cpus);
  int first = 0;
  while (!CPU_ISSET(first, &cpus)) first++;
  CPU_ZERO(&cpus);
  CPU_SET(first, &cpus);
  sched_setaffinity(0, sizeof cpus, &cpus);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  int pipefd[2];
  if (pipe(pipefd) != 0) return 1;
  pthread_t thread;
  pthread_create(&thread, NULL, idle, &pipefd[0]);
  load("/proc/self/status");
  check("Cpus_allowed_list",
        atoi(value("Cpus_allowed_list")) == first && !strpbrk(value("Cpus_allowed_list"), ",-"));
  check("Cpus_allowed", strtoul(value("Cpus_allowed"), NULL, 16) == 1UL << first);
  printf("NoNewPrivs %s\nThreads %s\nName %s\n", value("NoNewPrivs"), value("Threads"), value("Name"));
  if (write(pipefd[1], "x", 1) != 1) return 1;
  pthread_join(thread, NULL);

  // A child: waiting, then a zombie, then gone.
  int gate[2];
  if (pipe(gate) != 0) return 1;
  pid_t child = fork();
  if (child == 0) {
    char c;
    close(gate[1]);
    _exit(read(gate[0], &c, 1) < 0);
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", child);
  do {
    sched_yield();
    load(path);
  } while (value("State")[0] == 'R');
  printf("child %s, NoNewPrivs %s, PPid %s\n", value("State"), value("NoNewPrivs"),
         atoi(value("PPid")) == getpid() ? "ours" : "WRONG");
  close(gate[1]);
  siginfo_t info;
  waitid(P_PID, child, &info, WEXITED | WNOWAIT);
  load(path);
  printf("child %s, VmSize %s, Threads %s\n", value("State"), value("VmSize"), value("Threads"));
  waitid(P_PID, child, &info, WEXITED);
  int fd = open(path, O_RDONLY);
  printf("gone: %d %s\n", fd, strerror(errno));
  return 0;
}
