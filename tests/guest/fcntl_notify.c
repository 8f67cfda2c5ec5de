// F_NOTIFY of fcntl(2): signals about changes in a directory, once or again and again, with details by F_SETSIG.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char* err(long r) { return r < 0 ? strerrorname_np(errno) : "ok"; }
static sigset_t set;
static int rt, a, b;

// What has come since the last time.
static void came(const char* what) {
  printf("%s:", what);
  siginfo_t si;
  struct timespec zero = {0, 0};
  int s;
  while ((s = sigtimedwait(&set, &si, &zero)) > 0)
    printf(" %s code %d fd %s band %lx", s == rt ? "RT" : "IO", si.si_code, si.si_fd == a ? "a" : si.si_fd == b ? "b" : "-",
           s == rt ? si.si_band : 0);
  puts("");
}

static void put(const char* path, const char* text) {
  int fd = open(path, O_WRONLY | O_CREAT, 0644);
  if (*text && write(fd, text, strlen(text)) < 0) puts("write");
  close(fd);
}

static void everything(void) {
  char buf[10];
  put("a/f", "");
  came("create");
  put("a/f", "x");
  came("modify");
  int fd = open("a/f", O_RDONLY);
  if (read(fd, buf, 10) < 0) puts("read");
  close(fd);
  came("access");
  chmod("a/f", 0600);
  came("attrib");
  chmod("a", 0750);
  came("attrib of the directory itself");
  rename("a/f", "a/g");
  came("rename within");
  rename("a/g", "b/g");
  came("rename away");
  rename("b/g", "a/h");
  came("rename into");
  if (link("a/h", "a/i")) puts("link");
  came("link");
  mkdir("a/d", 0755);
  came("mkdir");
  put("a/d/deep", "x");
  came("below it");
  unlink("a/d/deep");
  rmdir("a/d");
  came("rmdir");
  unlink("a/i");
  unlink("a/h");
  came("unlink twice");
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  rt = SIGRTMIN + 2;
  sigemptyset(&set);
  sigaddset(&set, rt);
  sigaddset(&set, SIGIO);
  sigprocmask(SIG_BLOCK, &set, NULL);
  mkdir("a", 0755);
  mkdir("b", 0755);
  put("plain", "x");
  a = open("a", O_RDONLY);
  b = open("b", O_RDONLY);
  int plain = open("plain", O_RDONLY);
  printf("not a directory: %s\n", err(fcntl(plain, F_NOTIFY, DN_CREATE)));
  printf("nothing asked: %s\n", err(fcntl(a, F_NOTIFY, 0)));
  printf("no descriptor: %s\n", err(fcntl(99, F_NOTIFY, DN_CREATE)));
  close(plain);

  printf("once: %s\n", err(fcntl(a, F_NOTIFY, DN_CREATE)));
  put("a/1", "");
  came("first");
  put("a/2", "");
  came("second");
  unlink("a/1");
  unlink("a/2");

  fcntl(a, F_SETSIG, rt);
  fcntl(b, F_SETSIG, rt);
  printf("owner before %d", fcntl(a, F_GETOWN) == getpid());
  static const struct {
    const char* name;
    long mask;
  } masks[] = {{"ACCESS", DN_ACCESS}, {"MODIFY", DN_MODIFY}, {"CREATE", DN_CREATE},
               {"DELETE", DN_DELETE}, {"RENAME", DN_RENAME}, {"ATTRIB", DN_ATTRIB}};
  for (int i = 0; i < 6; i++) {
    fcntl(a, F_NOTIFY, 0);
    printf("== %s: %s\n", masks[i].name, err(fcntl(a, F_NOTIFY, masks[i].mask | DN_MULTISHOT)));
    everything();
  }
  puts("== the target of a rename");
  fcntl(a, F_NOTIFY, 0);
  fcntl(b, F_NOTIFY, DN_RENAME | DN_MULTISHOT);
  put("a/x", "");
  rename("a/x", "b/x");
  came("rename into");
  rename("b/x", "b/y");
  came("rename within");
  unlink("b/y");

  puts("== masks add up until it is taken back");
  fcntl(b, F_NOTIFY, 0);
  fcntl(b, F_NOTIFY, DN_CREATE | DN_MULTISHOT);
  fcntl(b, F_NOTIFY, DN_DELETE | DN_MULTISHOT);
  put("b/z", "");
  unlink("b/z");
  came("both");
  fcntl(b, F_NOTIFY, DN_MULTISHOT);
  put("b/z", "");
  came("none");

  puts("== close");
  fcntl(a, F_NOTIFY, DN_CREATE | DN_MULTISHOT);
  int copy = dup(a);
  close(copy);
  put("a/3", "");
  came("a copy closed");
  fcntl(a, F_NOTIFY, DN_CREATE | DN_MULTISHOT);
  fflush(stdout);
  if (fork() == 0) {
    put("a/4", "");
    _exit(0);
  }
  wait(NULL);
  came("by a child, which has closed its descriptor");
  put("a/5", "");
  came("after it");
  close(a);
  put("a/6", "");
  came("closed");
  return 0;
}
