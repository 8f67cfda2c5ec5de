// inotify: which events, names and order; masks; limits of the buffer; removal of what is watched.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void show(const char* what, long r) {
  if (r < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: %ld\n", what, r);
}
#define T(call) show(#call, (call))

static void events(const char* what, int fd) {
  static const struct {
    unsigned bit;
    const char* name;
  } names[] = {{IN_ACCESS, "ACCESS"},
               {IN_MODIFY, "MODIFY"},
               {IN_ATTRIB, "ATTRIB"},
               {IN_CLOSE_WRITE, "CLOSE_WRITE"},
               {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"},
               {IN_OPEN, "OPEN"},
               {IN_MOVED_FROM, "MOVED_FROM"},
               {IN_MOVED_TO, "MOVED_TO"},
               {IN_CREATE, "CREATE"},
               {IN_DELETE, "DELETE"},
               {IN_DELETE_SELF, "DELETE_SELF"},
               {IN_MOVE_SELF, "MOVE_SELF"},
               {IN_UNMOUNT, "UNMOUNT"},
               {IN_Q_OVERFLOW, "OVERFLOW"},
               {IN_IGNORED, "IGNORED"},
               {IN_ISDIR, "ISDIR"}};
  char buf[4096] __attribute__((aligned(8)));
  unsigned from = 0;
  int n = read(fd, buf, sizeof buf);
  printf("-- %s:%s\n", what, n < 0 ? " nothing" : "");
  for (char* p = buf; n > 0 && p < buf + n;) {
    struct inotify_event* e = (void*)p;
    printf("  wd %d", e->wd);
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
      if (e->mask & names[i].bit) printf(" %s", names[i].name);
    if (e->mask & IN_MOVED_FROM) from = e->cookie;
    if (e->mask & IN_MOVED_TO) printf(" same cookie %d", from == e->cookie);
    if (e->len) printf(" '%s' len %u", e->name, e->len);
    puts("");
    p += sizeof *e + e->len;
  }
}
static int touch(const char* name) {
  int fd = open(name, O_WRONLY | O_CREAT, 0644);
  if (fd < 0) perror(name);
  return fd;
}

int main(void) {
  static void* volatile bad = (void*)8;
  T(inotify_init1(1));
  int in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  char target[64] = {0}, path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", in);
  if (readlink(path, target, sizeof target - 1) > 0) puts(target);
  mkdir("d", 0755);
  close(touch("plain"));
  chmod("plain", 0);
  T(inotify_add_watch(in, "d", 0));
  T(inotify_add_watch(in, "d", 0x00100000));
  T(inotify_add_watch(-1, "d", IN_OPEN));
  T(inotify_add_watch(0, "d", IN_OPEN));
  T(inotify_add_watch(in, "missing", IN_OPEN));
  T(inotify_add_watch(in, "plain", IN_OPEN));
  chmod("plain", 0644);
  T(inotify_add_watch(in, "plain", IN_OPEN | IN_ONLYDIR));
  T(inotify_add_watch(in, bad, IN_OPEN));
  T(inotify_add_watch(in, "d", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE));
  T(inotify_rm_watch(in, 1));
  T(inotify_add_watch(in, "d", IN_ALL_EVENTS));
  T(inotify_add_watch(in, "d", IN_ALL_EVENTS));
  T(inotify_add_watch(in, "./d", IN_ALL_EVENTS | IN_MASK_CREATE));
  events("none", in);

  int f = touch("d/file");
  events("create", in);
  if (write(f, "abc", 3) != 3) return 1;
  if (write(f, "abc", 3) != 3) return 1;
  events("write twice", in);
  ftruncate(f, 1);
  fchmod(f, 0600);
  futimens(f, NULL);
  close(f);
  events("truncate, chmod, times, close", in);
  char buf[64];
  f = open("d/file", O_RDONLY);
  T(read(f, buf, 64));
  T(read(f, buf, 64));
  close(f);
  events("read", in);
  f = open("d/file", O_WRONLY | O_TRUNC);
  close(f);
  events("open with truncation", in);
  f = open("d/file", O_PATH);
  close(f);
  struct stat st;
  stat("d/file", &st);
  events("path and stat", in);
  T(rename("d/file", "d/a longer name than sixteen"));
  T(rename("d/a longer name than sixteen", "outside"));
  T(rename("outside", "d/file"));
  events("rename", in);
  T(mkdir("d/sub", 0755));
  T(symlink("x", "d/link"));
  T(mkfifo("d/fifo", 0644));
  T(link("d/file", "d/hard"));
  events("mkdir, symlink, mkfifo, link", in);
  T(unlink("d/hard"));
  T(unlink("d/link"));
  T(rmdir("d/sub"));
  T(unlink("d/fifo"));
  events("remove", in);
  close(open("d", O_RDONLY));
  events("open the directory", in);

  int w = inotify_add_watch(in, "d/file", IN_ALL_EVENTS);
  printf("wd %d\n", w);
  f = open("d/file", O_RDWR);
  if (write(f, "x", 1) != 1) return 1;
  events("two watches", in);
  T(inotify_add_watch(in, "d", IN_DELETE | IN_MOVED_TO));
  T(unlink("d/file"));
  events("unlinked while open", in);
  close(f);
  events("closed", in);
  T(inotify_rm_watch(in, w));
  close(touch("d/one"));
  close(touch("d/two"));
  T(inotify_add_watch(in, "d/one", IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF));
  T(inotify_add_watch(in, "d/two", IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF));
  T(rename("d/one", "d/two"));
  events("replaced by a rename", in);
  T(inotify_add_watch(in, "plain", IN_OPEN | IN_ONESHOT));
  close(open("plain", O_RDONLY));
  close(open("plain", O_RDONLY));
  events("one shot", in);
  T(inotify_add_watch(in, "plain", IN_MODIFY));
  T(inotify_add_watch(in, "plain", IN_OPEN | IN_MASK_ADD));
  f = open("plain", O_WRONLY);
  if (write(f, "x", 1) != 1) return 1;
  close(f);
  events("added bits", in);

  puts("-- reading");
  int n;
  T(ioctl(in, FIONREAD, &n));
  printf("%d\n", n);
  close(touch("d/three"));
  unlink("d/three");
  unlink("d/two");
  struct pollfd p = {in, POLLIN, 0};
  T(poll(&p, 1, 0));
  T(ioctl(in, FIONREAD, &n));
  printf("%d\n", n);
  T(read(in, buf, 15));
  T(read(in, buf, 40));
  T(write(in, buf, 1));
  events("rest", in);
  T(inotify_rm_watch(in, 1));
  T(inotify_rm_watch(in, 1));
  events("removed", in);
  w = inotify_add_watch(in, "d", IN_DELETE_SELF | IN_ONLYDIR);
  T(rmdir("d"));
  events("directory removed", in);
  unlink("plain");
  return 0;
}
