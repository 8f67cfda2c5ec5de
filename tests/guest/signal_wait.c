// sigtimedwait(2), sigqueue(3), signals to threads.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t hits, in_main;
static pthread_t main_thread;
static void handler(int sig) {
  (void)sig;
  hits++;
  in_main = pthread_equal(pthread_self(), main_thread);
}
static volatile int stop;
static void* spin(void* arg) {
  (void)arg;
  while (!stop) {
  }
  return NULL;
}
static volatile int slept;
static void* sleeper(void* arg) {
  int fd = *(int*)arg;
  char b;
  long r = read(fd, &b, 1);
  slept = 1;
  printf("thread read %ld %s\n", r, r < 0 ? strerror(errno) : "");
  return NULL;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  main_thread = pthread_self();
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, &old);
  siginfo_t si;
  struct timespec zero = {0, 0}, some = {0, 30000000}, bad = {0, 1000000000};
  int r = sigtimedwait(&set, &si, &zero);
  printf("nothing: %d %d\n", r, errno);
  r = sigtimedwait(&set, &si, &some);
  printf("timeout: %d %d\n", r, errno);
  r = sigtimedwait(&set, &si, &bad);
  printf("bad time: %d %d\n", r, errno);
  union sigval v = {.sival_int = 4711};
  sigqueue(getpid(), SIGRTMIN, v);
  kill(getpid(), SIGUSR1);
  for (int i = 0; i < 2; i++) {
    r = sigtimedwait(&set, &si, &some);
    printf("got %s code %d value %d pid-ok %d\n", r == SIGUSR1 ? "USR1" : "RT0", si.si_code,
           r == SIGUSR1 ? 0 : si.si_value.sival_int, si.si_pid == getpid());
  }
  pid_t pid = fork();
  if (pid == 0) {
    usleep(20000);
    kill(getppid(), SIGUSR1);
    usleep(20000);
    _exit(3);
  }
  r = sigwaitinfo(&set, &si);
  printf("from child: %d pid-ok %d\n", r == SIGUSR1, si.si_pid == pid);
  r = sigwaitinfo(&set, &si);
  printf("SIGCHLD: %d code %d status %d pid-ok %d\n", r == SIGCHLD, si.si_code, si.si_status,
         si.si_pid == pid);
  waitpid(pid, NULL, 0);

  // A handler of a signal outside of the set ends the wait.
  struct sigaction sa = {0};
  sa.sa_handler = handler;
  sa.sa_flags = SA_RESTART;
  sigaction(SIGUSR2, &sa, NULL);
  pid = fork();
  if (pid == 0) {
    usleep(20000);
    kill(getppid(), SIGUSR2);
    _exit(0);
  }
  sigdelset(&set, SIGCHLD);
  r = sigwaitinfo(&set, &si);
  printf("interrupted: %d %d hits %d\n", r, errno, hits);
  waitpid(pid, NULL, 0);

  // rt_sigqueueinfo: only negative codes to others.
  pid = fork();
  if (pid == 0) {
    memset(&si, 0, sizeof si);
    si.si_code = SI_USER;
    long e = syscall(SYS_rt_sigqueueinfo, getppid(), SIGRTMIN, &si);
    printf("forged SI_USER: %ld %d\n", e, errno);
    si.si_code = SI_QUEUE;
    si.si_value.sival_int = 5;
    e = syscall(SYS_rt_sigqueueinfo, getppid(), SIGRTMIN, &si);
    printf("SI_QUEUE: %ld\n", e);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  r = sigtimedwait(&set, &si, &zero);
  printf("queued: %d value %d code %d\n", r == SIGRTMIN, si.si_value.sival_int, si.si_code);

  // The same for a thread.
  memset(&si, 0, sizeof si);
  si.si_code = SI_QUEUE;
  si.si_value.sival_int = 6;
  pid_t own = (pid_t)syscall(SYS_gettid);
  printf("rt_tgsigqueueinfo: %ld", syscall(SYS_rt_tgsigqueueinfo, getpid(), own, SIGRTMIN, &si));
  r = sigtimedwait(&set, &si, &zero);
  printf(", queued %d value %d code %d\n", r == SIGRTMIN, si.si_value.sival_int, si.si_code);
  printf("rt_tgsigqueueinfo errors: %ld", syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGRTMIN, &si));
  printf(" %d", errno);
  printf(" %ld", syscall(SYS_rt_tgsigqueueinfo, 1, own, SIGRTMIN, &si));
  printf(" %d", errno);
  printf(" %ld", syscall(SYS_rt_tgsigqueueinfo, getpid(), own, 65, &si));
  printf(" %d", errno);
  printf(" %ld", syscall(SYS_rt_tgsigqueueinfo, getpid(), own, SIGRTMIN, 8));
  printf(" %d\n", errno);

  // Threads: a process-directed signal goes to a thread that does not block it; a running one is
  // interrupted, a sleeping one gets EINTR.
  hits = 0;
  pthread_t t;
  pthread_create(&t, NULL, spin, NULL);
  pthread_kill(t, SIGUSR2);
  while (hits == 0) usleep(1000);
  printf("spinning thread: hits %d main %d\n", hits, in_main);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  kill(getpid(), SIGUSR2);
  while (hits == 1) usleep(1000);
  printf("main blocks: hits %d main %d\n", hits, in_main);
  stop = 1;
  pthread_join(t, NULL);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  kill(getpid(), SIGUSR2);
  printf("main first: hits %d main %d\n", hits, in_main);
  sa.sa_flags = 0;
  sigaction(SIGUSR2, &sa, NULL);
  int p[2];
  if (pipe(p) != 0) return 1;
  pthread_create(&t, NULL, sleeper, &p[0]);
  while (!slept) {  // on a busy machine it may take its time to get there
    usleep(30000);
    pthread_kill(t, SIGUSR2);
  }
  pthread_join(t, NULL);
  printf("tgkill errors: %ld", syscall(SYS_tgkill, getpid(), 0x3fffff, 0));
  printf(" %d", errno);
  printf(" %ld", syscall(SYS_tgkill, 0, getpid(), 0));
  printf(" %d", errno);
  printf(" %ld", syscall(SYS_tkill, getpid(), 0));
  printf(" %ld", syscall(SYS_tgkill, 1, getpid(), 0));
  printf(" %d\n", errno);
  return 0;
}
