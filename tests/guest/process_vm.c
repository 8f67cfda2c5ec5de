// process_vm_readv(2) and process_vm_writev(2).
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { P = 4096 };
static void say(const char* what, ssize_t r) {
  int e = errno;
  printf("%s: %zd %s\n", what, r, r < 0 ? strerrorname_np(e) : "-");
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  char* m = mmap(NULL, 4 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(m, "before");
  int p[2], q[2];
  if (pipe(p) || pipe(q)) return 1;
  pid_t c = fork();
  if (c == 0) {
    char ch;
    strcpy(m, "in the child");
    strcpy(m + P - 3, "across the pages");
    munmap(m + 2 * P, P);
    if (write(p[1], "x", 1) != 1 || read(q[0], &ch, 1) != 1) _exit(1);
    printf("child has '%s'\n", m);
    prctl(PR_SET_DUMPABLE, 0);
    if (write(p[1], "x", 1) != 1 || read(q[0], &ch, 1) != 1) _exit(1);
    _exit(0);
  }
  char ch, a[64] = "", b[64] = "", big[4 * P];
  if (read(p[0], &ch, 1) != 1) return 1;
  struct iovec l[2] = {{a, 5}, {b, 30}}, r[3] = {{m, 13}, {m + P - 3, 17}, {m + 3 * P, 4}};
  say("scattered", process_vm_readv(c, l, 2, r, 2, 0));
  printf("'%s' '%s' '%s'\n", a, b, b + 8);
  printf("our own '%s'\n", m);
  strcpy(a, "written");
  l[0].iov_len = 8;
  say("write", process_vm_writev(c, l, 1, r, 1, 0));
  l[0] = (struct iovec){big, sizeof big};
  r[0] = (struct iovec){m + P, 3 * P};
  say("up to a hole", process_vm_readv(c, l, 1, r, 1, 0));
  r[0] = (struct iovec){m + 2 * P, P};
  say("in a hole", process_vm_readv(c, l, 1, r, 1, 0));
  r[1] = r[0];
  r[0] = (struct iovec){m, 10};
  say("then a hole", process_vm_readv(c, l, 1, r, 3, 0));
  say("flags", process_vm_readv(c, l, 1, r, 1, 1));
  say("nothing local", process_vm_readv(c, l, 0, r, 1, 0));
  say("nothing remote", process_vm_readv(c, l, 1, r, 0, 0));
  say("nothing for nobody", process_vm_readv(999999999, l, 0, r, 1, 0));
  say("nobody", process_vm_readv(999999999, l, 1, r, 1, 0));
  say("too many", process_vm_readv(c, l, 1025, r, 1, 0));
  say("too many there", process_vm_readv(c, l, 1, r, 1025, 0));
  say("bad array", process_vm_readv(c, NULL, 1, r, 1, 0));
  l[0].iov_len = (size_t)-1;
  say("negative", process_vm_readv(c, l, 1, r, 1, 0));
  l[0] = (struct iovec){NULL, 10};
  say("bad local buffer", process_vm_readv(c, l, 1, r, 1, 0));
  l[0] = (struct iovec){a, 8};
  r[0] = (struct iovec){m, 8};
  say("ourselves", process_vm_readv(getpid(), l, 1, r, 1, 0));
  printf("'%s'\n", a);

  if (write(q[1], "x", 1) != 1 || read(p[0], &ch, 1) != 1) return 1;
  say("not dumpable", process_vm_readv(c, l, 1, r, 1, 0));
  if (write(q[1], "x", 1) != 1) return 1;
  siginfo_t si;
  waitid(P_PID, (id_t)c, &si, WEXITED | WNOWAIT);
  say("zombie", process_vm_readv(c, l, 1, r, 1, 0));
  waitpid(c, NULL, 0);
  return 0;
}
