// prctl(2) and arch_prctl(2): values, effects and argument checks.
#include <asm/prctl.h>
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define P(...) printf("%s: %s\n", #__VA_ARGS__, result(syscall(SYS_prctl, __VA_ARGS__)))

static void names(void) {
  char name[20];
  memset(name, 'x', sizeof name);
  P(PR_SET_NAME, "0123456789abcdefXYZ");
  P(PR_GET_NAME, name);
  printf("name %s, byte 15 %d, byte 16 %c\n", name, name[15], name[16]);
  P(PR_SET_NAME, "");
  P(PR_GET_NAME, name);
  printf("name [%s]\n", name);
  P(PR_SET_NAME, 16L);
  P(PR_GET_NAME, 16L);
}

static void* thread_name(void* arg) {
  char name[16];
  prctl(PR_GET_NAME, name);
  printf("a thread inherits %s", name);
  prctl(PR_SET_NAME, "its own");
  prctl(PR_GET_NAME, name);
  printf(" and becomes %s\n", name);
  printf("no_new_privs in the thread %d, timer slack %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
         prctl(PR_GET_TIMERSLACK));
  return arg;
}

// The child of `middle` notices that its parent has gone by the signal it asked for.
static void parent_death(void) {
  int p[2];
  if (pipe(p) != 0) exit(1);
  fflush(stdout);
  pid_t middle = fork();
  if (middle == 0) {
    if (fork() == 0) {
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR2);
      sigprocmask(SIG_BLOCK, &set, NULL);
      int before = -1, after = -1, sig = 0;
      prctl(PR_GET_PDEATHSIG, &before);
      prctl(PR_SET_PDEATHSIG, SIGUSR2);
      prctl(PR_GET_PDEATHSIG, &after);
      if (write(p[1], "r", 1) != 1) _exit(1);
      sigwait(&set, &sig);
      char line[128];
      int n = snprintf(line, sizeof line, "death signal: %d then %d, received %d, parent is the reaper: %d\n",
                       before, after, sig, getppid() != middle);
      _exit(write(p[1], line, n) != n);
    }
    char c;
    sleep(0);
    _exit(read(p[0], &c, 1) != 1);
  }
  waitpid(middle, NULL, 0);
  close(p[1]);
  char line[128];
  ssize_t n = read(p[0], line, sizeof line - 1);
  line[n > 0 ? n : 0] = 0;
  printf("%s", line);
  close(p[0]);
}

// With a subreaper an orphan comes to us instead of to init.
static void subreaper(void) {
  int on = -1;
  prctl(PR_GET_CHILD_SUBREAPER, &on);
  printf("subreaper %d", on);
  prctl(PR_SET_CHILD_SUBREAPER, 5);
  prctl(PR_GET_CHILD_SUBREAPER, &on);
  printf(" then %d\n", on);
  fflush(stdout);
  int p[2];
  if (pipe(p) != 0) exit(1);
  pid_t self = getpid(), middle = fork();
  if (middle == 0) {
    int inherited = -1;
    prctl(PR_GET_CHILD_SUBREAPER, &inherited);
    if (fork() == 0) {
      char c;
      close(p[1]);
      if (read(p[0], &c, 1) != 0) _exit(1);
      _exit(getppid() == self ? 42 : 43);
    }
    _exit(inherited);
  }
  int status;
  waitpid(middle, &status, 0);
  printf("inherited %d, ", WEXITSTATUS(status));
  close(p[0]);
  close(p[1]);
  pid_t orphan = wait(&status);
  printf("orphan %s, status %d\n", orphan > 0 && orphan != middle ? "adopted" : "not adopted",
         WEXITSTATUS(status));
}

int main(void) {
  names();
  P(PR_GET_DUMPABLE);
  P(PR_SET_DUMPABLE, 2);
  P(PR_SET_DUMPABLE, 0);
  P(PR_GET_DUMPABLE);
  P(PR_SET_DUMPABLE, 1);
  P(PR_SET_PDEATHSIG, 65);
  P(PR_SET_PDEATHSIG, -1L);
  parent_death();
  subreaper();

  // 41 and above do not exist (CAP_LAST_CAP is 40). Below, the result depends on the bounding set.
  printf("bounding set, CAP_CHOWN known: %d\n", prctl(PR_CAPBSET_READ, CAP_CHOWN) >= 0);
  printf("bounding set, 40 known: %d\n", prctl(PR_CAPBSET_READ, 40) >= 0);
  P(PR_CAPBSET_READ, 0x29);
  P(PR_CAPBSET_READ, 0x2a);
  P(PR_CAPBSET_READ, 0x2c);
  P(PR_CAPBSET_READ, 0x30);
  P(PR_CAPBSET_READ, -1L);
  P(PR_CAPBSET_DROP, CAP_CHOWN);
  P(PR_CAPBSET_DROP, 99);
  P(PR_GET_SECUREBITS);
  P(PR_SET_SECUREBITS, 0);
  P(PR_SET_SECUREBITS, 1);
  P(PR_GET_KEEPCAPS);
  P(PR_SET_KEEPCAPS, 2);
  P(PR_SET_KEEPCAPS, 1);
  P(PR_GET_KEEPCAPS);
  P(PR_GET_SECUREBITS);
  P(PR_SET_KEEPCAPS, 0);
  P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0);
  P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 41, 0, 0);
  P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 1, 0);
  P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0);
  P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_CHOWN, 0, 0);
  P(PR_CAP_AMBIENT, 9, CAP_CHOWN, 0, 0);
  P(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0);

  P(PR_GET_TIMERSLACK);
  P(PR_SET_TIMERSLACK, 123456);
  P(PR_GET_TIMERSLACK);
  P(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  P(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0);
  P(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
  P(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0);
  P(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  P(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  prctl(PR_SET_NAME, "parent");
  pthread_t t;
  pthread_create(&t, NULL, thread_name, NULL);
  pthread_join(t, NULL);
  P(PR_SET_TIMERSLACK, 0);
  printf("slack is back to the default: %d\n",
         prctl(PR_GET_TIMERSLACK) > 0 && prctl(PR_GET_TIMERSLACK) != 123456);

  P(PR_GET_THP_DISABLE, 0, 0, 0, 0);
  P(PR_GET_THP_DISABLE, 1, 0, 0, 0);
  P(PR_SET_THP_DISABLE, 1, 0, 0, 1);
  P(PR_MCE_KILL_GET, 0, 0, 0, 0);
  P(PR_MCE_KILL_GET, 1, 0, 0, 0);
  P(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
  P(PR_MCE_KILL_GET, 0, 0, 0, 0);
  P(PR_MCE_KILL, PR_MCE_KILL_SET, 3, 0, 0);
  P(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 1, 0, 0);
  P(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0);
  P(PR_MCE_KILL_GET, 0, 0, 0, 0);
  P(PR_GET_TIMING);
  P(PR_SET_TIMING, 0);
  P(PR_SET_TIMING, 1);
  int tsc = 0;
  P(PR_GET_TSC, &tsc);
  printf("tsc %d\n", tsc);
  P(PR_GET_SECCOMP);
  P(PR_SET_SECCOMP, 0);
  P(PR_TASK_PERF_EVENTS_DISABLE);
  P(PR_SET_MM, PR_SET_MM_BRK, 0, 0, 0);
  P(PR_SET_MM, PR_SET_MM_BRK, 0, 1, 0);
  P(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
  P(PR_GET_UNALIGN, &tsc);
  P(PR_GET_FPEMU, &tsc);
  P(PR_GET_ENDIAN, &tsc);
  P(PR_SET_FP_MODE, 1);
  P(PR_SVE_GET_VL);
  P(PR_MPX_ENABLE_MANAGEMENT);
  P(PR_SET_VMA, 77, 0, 0, 0);
  P(0);
  P(-1);
  P(12345);

  unsigned long fs = 0, tls;
  __asm__("mov %%fs:0, %0" : "=r"(tls));
  printf("ARCH_GET_FS %s", result(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs)));
  printf(", is the thread pointer %d\n", fs == tls);
  printf("ARCH_SET_FS %s", result(syscall(SYS_arch_prctl, ARCH_SET_FS, fs)));
  printf(", beyond %s\n", result(syscall(SYS_arch_prctl, ARCH_SET_FS, 1UL << 63)));
  printf("ARCH_GET_FS to nowhere %s\n", result(syscall(SYS_arch_prctl, ARCH_GET_FS, 16)));
  printf("ARCH_GET_GS %s", result(syscall(SYS_arch_prctl, ARCH_GET_GS, &fs)));
  printf(" %lu\n", fs);
  printf("unknown code %s\n", result(syscall(SYS_arch_prctl, 0x1234, 0)));
  printf("personality %s\n", result(syscall(SYS_personality, 0xffffffff)));
  return 0;
}
