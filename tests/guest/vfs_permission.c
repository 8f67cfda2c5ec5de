// What an ordinary user may not do with files of others, and with files of its own whose mode says no.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "say.h"

static void put(const char* name, mode_t mode) { close(open(name, O_WRONLY | O_CREAT, mode)); }
static long list(const char* name) {
  DIR* d = opendir(name);
  if (!d) return -1;
  long n = 0;
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

int main(void) {
  umask(0);
  struct stat st;
  char text[64];
  puts("-- root's");
  SAY(open("/etc/passwd", O_RDONLY));
  SAY(open("/etc/passwd", O_WRONLY));
  SAY(open("/etc/shadow", O_RDONLY));
  SAY(open("/etc/new", O_WRONLY | O_CREAT, 0600));
  SAY(open("/etc/passwd", O_WRONLY | O_CREAT | O_EXCL, 0600));
  SAY(mkdir("/etc/new", 0700));
  SAY(mkdir("/etc", 0700));
  SAY(symlink("x", "/etc/new"));
  SAY(link("/etc/passwd", "linked"));
  SAY(unlink("/etc/passwd"));
  SAY(rmdir("/etc"));
  SAY(rename("/etc/passwd", "/etc/passwd2"));
  SAY(rename("/etc/passwd", "mine"));
  SAY(truncate("/etc/passwd", 0));
  SAY(chmod("/etc/passwd", 0666));
  SAY(chown("/etc/passwd", getuid(), getgid()));
  SAY(utimes("/etc/passwd", NULL));
  SAY(utimes("/etc/passwd", (struct timeval[2]){{0, 0}, {0, 0}}));
  SAY(access("/etc/passwd", R_OK));
  SAY(access("/etc/passwd", W_OK));
  SAY(access("/etc/passwd", X_OK));
  SAY(execl("/etc/passwd", "x", NULL));
  SAY(chroot("."));
  SAY(mount("none", ".", "tmpfs", 0, NULL));
  SAY(umount("/"));
  SAY(umount("/etc"));
  SAY(syscall(SYS_pivot_root, ".", "."));

  puts("-- our own, by mode");
  mkdir("d", 0700);
  put("d/f", 0600);
  put("f", 0);
  SAY(open("f", O_RDONLY));
  SAY(open("f", O_WRONLY));
  SAY(stat("f", &st));
  SAY(access("f", F_OK));
  SAY(access("f", R_OK));
  SAY(chmod("f", 0400));
  SAY(open("f", O_RDONLY));
  SAY(open("f", O_RDWR));
  SAY(open("f", O_RDONLY | O_TRUNC));
  SAY(truncate("f", 0));
  for (int mode = 0; mode <= 0700; mode += 0100) {
    chmod("d", (mode_t)mode);
    int l = list("d") >= 0, s = stat("d/f", &st) == 0, c = open("d/n", O_CREAT | O_WRONLY, 0600) >= 0;
    int e = errno, u = unlink("d/n") == 0, w = chdir("d") == 0;
    if (w && chdir("..")) return 1;
    printf("directory %03o: list %d search %d create %d (%s) remove %d enter %d\n", mode, l, s, c,
           c ? "-" : strerrorname_np(e), u, w);
  }
  SAY(chown("f", 0, 0));
  SAY(chown("f", (uid_t)-1, 0));
  SAY(chown("f", getuid(), (gid_t)-1));
  SAY(chmod("f", 02755));
  stat("f", &st);
  printf("mode %o\n", st.st_mode);
  SAY(chmod("f", 04755));
  int fd = open("f", O_WRONLY);
  SAY(write(fd, "x", 1));
  stat("f", &st);
  printf("a write takes the set-user-ID bit: %o\n", st.st_mode);

  puts("-- group and others count only for who is not the owner");
  chmod("f", 0077);
  SAY(open("f", O_RDONLY));
  SAY(access("f", R_OK));
  chmod("f", 0600);

  puts("-- sticky");
  mkdir("s", 01777);
  put("s/f", 0600);
  SAY(unlink("s/f"));
  stat("s", &st);
  printf("mode %o\n", st.st_mode);
  SAY(readlink("f", text, sizeof text));
  SAY(mknod("dev", S_IFCHR | 0600, 0x103));
  SAY(mknod("dev", S_IFBLK | 0600, 0x800));
  return 0;
}
