// Signals for processes that have not run yet, and that make no system call by which they could notice.
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int signo) { _exit(signo == SIGUSR1 ? 5 : 6); }

// Without the C library, whose fork() makes a call in the child.
static pid_t spinner(void) {
  pid_t p = (pid_t)syscall(SYS_fork);
  while (p == 0) {
  }
  return p;
}

int main(void) {
  signal(SIGUSR1, leave);
  int killed = 0, ended = 0, left = 0, stopped = 0, continued = 0, status;
  for (int i = 0; i < 20; i++) {
    pid_t p = spinner();
    kill(p, SIGTERM);
    if (waitpid(p, &status, 0) == p && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) ended++;
    p = spinner();
    kill(p, SIGKILL);
    if (waitpid(p, &status, 0) == p && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) killed++;
    p = spinner();
    kill(p, SIGSTOP);
    if (waitpid(p, &status, WUNTRACED) == p && WIFSTOPPED(status)) stopped++;
    kill(p, SIGCONT);
    if (waitpid(p, &status, WCONTINUED) == p && WIFCONTINUED(status)) continued++;
    kill(p, SIGUSR1);
    if (waitpid(p, &status, 0) == p && WIFEXITED(status) && WEXITSTATUS(status) == 5) left++;
  }
  printf("ended %d, killed %d, stopped %d, continued %d, left %d\n", ended, killed, stopped, continued, left);
  return 0;
}
