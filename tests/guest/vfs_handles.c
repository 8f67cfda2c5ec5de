// Descriptors without contents and files without names: O_PATH, O_TMPFILE, AT_EMPTY_PATH; close_range,
// getdents64 and seeks in directories, pipes' sizes and packets.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "say.h"

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  char buf[64] = "";
  umask(022);
  mkdir("d", 0755);
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  if (write(fd, "content", 7) != 7 || symlink("f", "l")) return 1;
  struct stat st;

  puts("-- O_PATH");
  int p = open("f", O_PATH);
  printf("flags %#o\n", fcntl(p, F_GETFL));
  SAY(read(p, buf, 1));
  SAY(write(p, buf, 1));
  SAY(lseek(p, 0, SEEK_SET));
  SAY(ioctl(p, FIONREAD, &st));
  SAY(fsync(p));
  SAY(ftruncate(p, 0));
  SAY(fchmod(p, 0600));
  SAY(fchown(p, -1, -1));
  SAY(fgetxattr(p, "user.x", buf, 1));
  SAY(mmap(NULL, 1, PROT_READ, MAP_PRIVATE, p, 0));
  SAY(fcntl(p, F_SETFL, O_NONBLOCK));
  SAY(fcntl(p, F_SETLK, &(struct flock){.l_type = F_RDLCK}));
  SAY(fstat(p, &st));
  SAY(fstatfs(p, &(struct statfs){0}));
  SAY(dup(p));
  SAY(openat(p, "x", O_RDONLY));
  SAY(fstatat(p, "", &st, AT_EMPTY_PATH));
  SAY(fstatat(p, "", &st, 0));
  SAY(fchownat(p, "", -1, -1, AT_EMPTY_PATH));
  SAY(faccessat(p, "", R_OK, 0));
  SAY(syscall(SYS_faccessat2, p, "", R_OK, AT_EMPTY_PATH));
  SAY(syscall(SYS_faccessat2, p, "", X_OK, AT_EMPTY_PATH));
  SAY(syscall(SYS_faccessat2, p, "", R_OK, 0x8000));
  SAY(syscall(SYS_faccessat2, AT_FDCWD, "l", R_OK, AT_SYMLINK_NOFOLLOW));
  SAY(syscall(SYS_faccessat2, AT_FDCWD, "f", 8, 0));
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", p);
  int again = open(path, O_RDONLY);
  printf("opened through /proc: %zd %.7s\n", read(again, buf, 7), buf);
  SAY(chmod(path, 0600));
  int l = open("l", O_PATH | O_NOFOLLOW);
  fstat(l, &st);
  printf("link itself %d\n", S_ISLNK(st.st_mode));
  printf("readlinkat %zd\n", readlinkat(l, "", buf, sizeof buf));
  SAY(readlinkat(p, "", buf, sizeof buf));
  SAY(open("l", O_RDONLY | O_NOFOLLOW));
  int dp = open("d", O_PATH | O_DIRECTORY);
  SAY(openat(dp, "new", O_RDWR | O_CREAT, 0600));
  SAY(getdents64(dp, buf, sizeof buf));
  SAY(fchdir(dp));
  SAY(fchdir(p));
  if (chdir("..")) return 1;
  SAY(open("f", O_PATH | O_CREAT, 0600));
  SAY(open("none", O_PATH));
  SAY(open("f", O_PATH | O_DIRECTORY));
  SAY(open("l", O_PATH | O_DIRECTORY | O_NOFOLLOW));
  SAY(open("d", O_RDONLY | O_DIRECT));
  SAY(open("/dev/null", O_RDONLY | O_DIRECT));
  SAY(open("/proc/version", O_RDONLY | O_DIRECT));

  puts("-- O_TMPFILE");
  int t = open(".", O_TMPFILE | O_RDWR, 0666);
  fstat(t, &st);
  printf("made %d mode %o nlink %ld\n", t >= 0, st.st_mode, (long)st.st_nlink);
  SAY(write(t, "unnamed", 7));
  snprintf(path, sizeof path, "/proc/self/fd/%d", t);
  SAY(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  SAY(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  stat("named", &st);
  printf("named: size %ld nlink %ld\n", (long)st.st_size, (long)st.st_nlink);
  int x = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
  snprintf(path, sizeof path, "/proc/self/fd/%d", x);
  SAY(linkat(AT_FDCWD, path, AT_FDCWD, "excl", AT_SYMLINK_FOLLOW));
  SAY(open(".", O_TMPFILE | O_RDONLY, 0600));
  SAY(open("f", O_TMPFILE | O_RDWR, 0600));
  SAY(open("none", O_TMPFILE | O_RDWR, 0600));

  puts("-- directories");
  for (int i = 0; i < 5; i++) {
    snprintf(path, sizeof path, "d/%d", i);
    close(open(path, O_CREAT | O_WRONLY, 0600));
  }
  DIR* dir = opendir("d");
  char names[16][32];
  long pos[16];
  int n = 0;
  struct dirent* e;
  for (pos[0] = telldir(dir); (e = readdir(dir)) != NULL; pos[++n] = telldir(dir)) strcpy(names[n], e->d_name);
  int same = 0;
  for (int i = 0; i < n; i++) {
    seekdir(dir, pos[i]);
    e = readdir(dir);
    same += e && !strcmp(e->d_name, names[i]);
  }
  printf("entries %d, found again by position %d\n", n, same);
  close(open("d/late", O_CREAT | O_WRONLY, 0600));
  unlink("d/0");
  rewinddir(dir);
  int late = 0, zero = 0;
  while ((e = readdir(dir)) != NULL) late += !strcmp(e->d_name, "late"), zero += !strcmp(e->d_name, "0");
  printf("after rewind: late %d removed %d\n", late, zero);
  int df = open("d", O_RDONLY);
  char small[16];
  SAY(getdents64(df, small, sizeof small));
  SAY(getdents64(fd, buf, sizeof buf));
  SAY(lseek(df, 0, SEEK_SET));
  SAY(lseek(df, -1, SEEK_SET));
  SAY(read(df, buf, 1));
  rmdir("gone");
  mkdir("gone", 0700);
  int gone = open("gone", O_RDONLY);
  rmdir("gone");
  char big[1024];
  SAY(getdents64(gone, big, sizeof big));
  SAY(openat(gone, "x", O_CREAT | O_WRONLY, 0600));

  puts("-- close_range");
  int first = dup2(0, 100), last = dup2(0, 105);
  dup2(0, 103);
  SAY(close_range(101, 104, 0));
  printf("%d %d %d\n", fcntl(first, F_GETFD), fcntl(103, F_GETFD), fcntl(last, F_GETFD));
  SAY(close_range(100, 110, CLOSE_RANGE_CLOEXEC));
  printf("%d %d\n", fcntl(first, F_GETFD), fcntl(last, F_GETFD));
  SAY(close_range(110, 100, 0));
  SAY(close_range(100, 110, 0x100));
  SAY(close_range(100, ~0U, CLOSE_RANGE_UNSHARE));
  printf("%d\n", fcntl(first, F_GETFD));

  puts("-- pipes");
  int pp[2];
  if (pipe2(pp, O_DIRECT | O_NONBLOCK)) return 1;
  if (write(pp[1], "one", 3) != 3 || write(pp[1], "second", 6) != 6) return 1;
  printf("packets %zd", read(pp[0], buf, 2));
  printf(" %zd", read(pp[0], buf, 64));
  printf(" %zd\n", read(pp[0], buf, 64));
  printf("size %d", fcntl(pp[0], F_GETPIPE_SZ));
  printf(" set %d", fcntl(pp[1], F_SETPIPE_SZ, 100000));
  printf(" %d", fcntl(pp[1], F_SETPIPE_SZ, 1));
  printf(" %d\n", fcntl(pp[0], F_GETPIPE_SZ));
  SAY(fcntl(pp[1], F_SETPIPE_SZ, 1 << 30));
  SAY(fcntl(pp[1], F_SETPIPE_SZ, -1));
  SAY(fcntl(fd, F_GETPIPE_SZ));
  SAY(fcntl(pp[1], F_SETPIPE_SZ, 16384));
  for (int i = 0; i < 3; i++)
    if (write(pp[1], big, 1000) != 1000) return 1;
  SAY(fcntl(pp[1], F_SETPIPE_SZ, 4096));
  return 0;
}
