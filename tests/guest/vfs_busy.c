// ETXTBSY: a program that runs cannot be written, a file that is open for writing cannot run.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char* what, long r) { printf("%s: %s\n", what, r >= 0 ? "ok" : strerrorname_np(errno)); }

int main(int argc, char** argv) {
  setvbuf(stdout, 0, _IONBF, 0);
  if (argc > 1) {  // the copy: waits until its stdin ends
    char c;
    return read(0, &c, 1) != 0;
  }
  char dir[] = "/tmp/vfs_busy_XXXXXX", buf[65536];
  if (!mkdtemp(dir) || chdir(dir)) return 1;
  int in = open(argv[0][0] == '/' ? argv[0] : "/proc/self/exe", O_RDONLY);
  int out = open("copy", O_CREAT | O_WRONLY, 0755);
  for (ssize_t n; (n = read(in, buf, sizeof buf)) > 0;)
    if (write(out, buf, n) != n) return 1;

  pid_t pid = fork();
  int status, p[2], q[2];
  if (pid == 0) {
    execl("copy", "copy", "x", (char*)0);
    _exit(errno == ETXTBSY ? 77 : 1);
  }
  waitpid(pid, &status, 0);
  printf("exec while open for writing: %d\n", WEXITSTATUS(status));
  close(out);

  pipe(p);
  pipe2(q, O_CLOEXEC);
  pid = fork();
  if (pid == 0) {
    dup2(p[0], 0);
    close(p[1]);
    execl("copy", "copy", "x", (char*)0);
    _exit(1);
  }
  close(q[1]);
  read(q[0], buf, 1);  // ends when the exec has closed the other end
  show("write a running program", open("copy", O_WRONLY));
  show("append to it", open("copy", O_WRONLY | O_APPEND));
  show("truncate it", truncate("copy", 0));
  show("read it", open("copy", O_RDONLY));
  show("rename it", rename("copy", "copy2"));
  close(p[1]);
  siginfo_t info;
  waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
  show("write after its end", open("copy2", O_WRONLY));
  waitpid(pid, &status, 0);
  printf("status %d\n", WEXITSTATUS(status));
  unlink("copy2");
  return chdir("/") || rmdir(dir);
}
