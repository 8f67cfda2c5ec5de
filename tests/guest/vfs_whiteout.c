// Whiteouts, character devices 0:0 that a layer uses to hide what is below: RENAME_WHITEOUT and mknod(2) on a
// file system that keeps them (tmpfs), by an ordinary user.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "say.h"

static void look(const char* name) {
  struct stat st;
  if (lstat(name, &st) != 0)
    printf("%s: %s\n", name, strerrorname_np(errno));
  else
    printf("%s: type %o mode %o device %u:%u links %d mine %d\n", name, st.st_mode & S_IFMT,
           st.st_mode & 07777, major(st.st_rdev), minor(st.st_rdev), (int)st.st_nlink,
           st.st_uid == geteuid());
}
static void put(const char* name) { close(open(name, O_WRONLY | O_CREAT, 0644)); }
static long ren(const char* from, const char* to, unsigned flags) {
  return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  char dir[] = "/dev/shm/starry_whiteout_XXXXXX";
  if (!mkdtemp(dir) || chdir(dir)) return 1;
  umask(022);
  put("a");
  put("b");
  mkdir("d", 0755);
  put("d/in");
  SHOW(ren("a", "moved", RENAME_WHITEOUT));
  look("a");
  look("moved");
  SHOW(open("a", O_RDONLY));
  SHOW(ren("b", "moved", RENAME_WHITEOUT | RENAME_NOREPLACE));
  SHOW(ren("b", "new", RENAME_WHITEOUT | RENAME_EXCHANGE));
  SHOW(ren("b", "moved", RENAME_WHITEOUT));
  look("b");
  SHOW(ren("d", "d2", RENAME_WHITEOUT));
  look("d");
  look("d2/in");
  SHOW(ren("d2/in", "out", RENAME_WHITEOUT));
  look("d2/in");
  SHOW(rmdir("d2"));
  SHOW(ren("none", "x", RENAME_WHITEOUT));
  SHOW(ren("out", "x", 8));
  SHOW(mknod("made", S_IFCHR | 0600, makedev(0, 0)));
  look("made");
  SHOW(mknod("null", S_IFCHR | 0600, makedev(1, 3)));
  SHOW(mknod("block", S_IFBLK | 0600, makedev(0, 0)));
  SHOW(unlink("a"));
  SHOW(link("made", "again"));
  look("again");
  return chdir("/") || execlp("rm", "rm", "-rf", dir, (char*)0);
}
