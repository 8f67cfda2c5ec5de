// What can be done with the process behind a pidfd: pidfd_getfd(2), process_madvise(2), process_mrelease(2).
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

static long advise(int fd, const struct iovec* v, unsigned long n, int advice, unsigned flags) {
  return syscall(SYS_process_madvise, fd, v, n, advice, flags);
}
static long release(int fd, unsigned flags) { return syscall(SYS_process_mrelease, fd, flags); }

static void descriptors(void) {
  int p[2];
  char b[8];
  if (pipe(p) != 0) return;
  int child = fork();
  if (child == 0) {
    dup2(p[0], 20);
    write(p[1], "ready", 5);
    pause();
    _exit(0);
  }
  SAY_NUMBER(read(p[0], b, 5));
  int fd = (int)syscall(SYS_pidfd_open, child, 0);
#define GETFD(fd, n, flags) syscall(SYS_pidfd_getfd, fd, n, flags)
  SAY(GETFD(fd, 999, 0));
  SAY(GETFD(fd, 20, 1));
  SAY(GETFD(1, 20, 0));
  SAY(GETFD(-1, 20, 0));
  int ours = (int)GETFD(fd, 20, 0);
  printf("got %d, close on exec %d\n", ours > 0, fcntl(ours, F_GETFD));
  SAY_NUMBER(write(p[1], "ab", 2));
  SAY_NUMBER(read(ours, b, 8));
  kill(child, SIGKILL);
  siginfo_t info;
  waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
  SAY(GETFD(fd, 20, 0));
  waitid(P_PID, (id_t)child, &info, WEXITED);
  SAY(GETFD(fd, 20, 0));
}

int main(void) {
  descriptors();
  char* mem = mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct iovec v = {mem, 4096};
  memset(mem, 1, 1 << 24);
  int child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  int fd = (int)syscall(SYS_pidfd_open, child, 0);
  SAY(advise(fd, &v, 1, MADV_COLD, 1));
  SAY(advise(fd, (void*)1, 1, MADV_COLD, 0));
  SAY(advise(-1, &v, 1, MADV_COLD, 0));
  SAY(advise(1, &v, 1, MADV_COLD, 0));
  SAY(advise(fd, &v, 1, MADV_DONTNEED, 0));
  SAY(advise(fd, &v, 1, 9999, 0));
  SAY(advise(fd, &v, 1, MADV_COLD, 0));  // takes CAP_SYS_NICE
  SAY(release(-1, 0));
  SAY(release(1, 0));
  SAY(release(fd, 1));
  SAY(release(fd, 0));  // it lives
  kill(child, SIGKILL);
  long r = release(fd, 0);  // it is about to end, or has ended
  printf("%d\n", r == 0 || errno == ESRCH);
  siginfo_t info;
  waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
  SAY(release(fd, 0));
  SAY(advise(fd, &v, 1, MADV_COLD, 0));
  waitid(P_PID, (id_t)child, &info, WEXITED);
  SAY(release(fd, 0));
  return 0;
}
