// sigaction(2) flags, siginfo, masks, order of delivery.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int depth;
static char order[256];

static void note(const char* s) { strcat(order, s); }

static void info_handler(int sig, siginfo_t* si, void* uc) {
  (void)uc;
  sigset_t now;
  sigprocmask(SIG_BLOCK, NULL, &now);
  printf("sig %d code %d pid-ok %d uid-ok %d masked %d usr2 %d\n", sig, si->si_code, si->si_pid == getpid(),
         si->si_uid == getuid(), sigismember(&now, sig), sigismember(&now, SIGUSR2));
}
static void nested(int sig) {
  depth++;
  printf("enter %d depth %d\n", sig, depth);
  if (depth < 3) raise(sig);
  printf("leave depth %d\n", depth);
  depth--;
}
static void trail(int sig) {
  char b[16];
  snprintf(b, sizeof b, "<%d", sig);
  note(b);
  snprintf(b, sizeof b, "%d>", sig);
  note(b);
}
static void queued(int sig, siginfo_t* si, void* uc) {
  (void)uc;
  char b[32];
  snprintf(b, sizeof b, "%d:%d:%d ", sig - SIGRTMIN, si->si_code, si->si_value.sival_int);
  note(b);
}
static void install(int sig, void (*h)(int), int flags, int masked) {
  struct sigaction sa = {0};
  sa.sa_handler = h;
  sa.sa_flags = flags;
  sigemptyset(&sa.sa_mask);
  if (masked) sigaddset(&sa.sa_mask, masked);
  printf("sigaction %d: %d\n", sig, sigaction(sig, &sa, NULL));
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  struct sigaction sa = {0};
  sa.sa_sigaction = info_handler;
  sa.sa_flags = SA_SIGINFO;
  sigaddset(&sa.sa_mask, SIGUSR2);
  sigaction(SIGUSR1, &sa, NULL);
  kill(getpid(), SIGUSR1);
  raise(SIGUSR1);
  sigset_t set;
  sigprocmask(SIG_BLOCK, NULL, &set);
  printf("after: usr1 %d usr2 %d\n", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2));

  install(SIGUSR1, nested, SA_NODEFER, 0);
  raise(SIGUSR1);
  depth = 2;
  install(SIGUSR1, nested, 0, 0);
  raise(SIGUSR1);
  depth = 0;

  install(SIGUSR2, trail, SA_RESETHAND, 0);
  raise(SIGUSR2);
  sigaction(SIGUSR2, NULL, &sa);
  printf("reset to default %d flags %x\n", sa.sa_handler == SIG_DFL, sa.sa_flags & ~0x04000000);

  // Several at once: frames are stacked in order of number, so the highest runs first.
  order[0] = 0;
  int sigs[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM};
  sigfillset(&set);
  sigset_t old;
  sigprocmask(SIG_BLOCK, &set, &old);
  for (unsigned i = 0; i < 5; i++) {
    install(sigs[4 - i], trail, 0, 0);
    kill(getpid(), sigs[4 - i]);
    kill(getpid(), sigs[4 - i]);
  }
  sigpending(&set);
  printf("pending hup %d usr1 %d int %d\n", sigismember(&set, SIGHUP), sigismember(&set, SIGUSR1),
         sigismember(&set, SIGINT));
  sigprocmask(SIG_SETMASK, &old, NULL);
  printf("order %s\n", order);

  // Real-time signals queue, lowest number first, in order of sending.
  order[0] = 0;
  memset(&sa, 0, sizeof sa);
  sa.sa_sigaction = queued;
  sa.sa_flags = SA_SIGINFO;
  sigfillset(&sa.sa_mask);
  for (int i = 0; i < 3; i++) sigaction(SIGRTMIN + i, &sa, NULL);
  sigfillset(&set);
  sigprocmask(SIG_BLOCK, &set, &old);
  for (int i = 0; i < 9; i++) {
    union sigval v = {.sival_int = i};
    sigqueue(getpid(), SIGRTMIN + 2 - i % 3, v);
  }
  sigprocmask(SIG_SETMASK, &old, NULL);
  printf("queued %s\n", order);

  // Ignoring discards what is pending; a blocked ignored signal is kept until then.
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGUSR1);
  signal(SIGUSR1, SIG_IGN);
  sigpending(&set);
  printf("pending after ignore %d\n", sigismember(&set, SIGUSR1));
  raise(SIGUSR1);
  sigpending(&set);
  printf("blocked and ignored stays %d\n", sigismember(&set, SIGUSR1));

  memset(&sa, 0, sizeof sa);
  printf("KILL %d", sigaction(SIGKILL, &sa, NULL));
  printf(" %d", errno);
  printf(" STOP %d 65: %d %d\n", sigaction(SIGSTOP, &sa, NULL), sigaction(65, &sa, NULL), errno);
  printf("kill bad sig %d %d, no process %d %d, none %d\n", kill(getpid(), 65), errno, kill(0x3fffff, 0),
         errno, kill(getpid(), 0));
  sigfillset(&set);
  sigprocmask(SIG_SETMASK, &set, NULL);
  sigprocmask(SIG_SETMASK, NULL, &set);
  printf("KILL maskable %d STOP maskable %d\n", sigismember(&set, SIGKILL), sigismember(&set, SIGSTOP));
  return 0;
}
