// Attributes: modes, times, access, extended attributes' errors, statx.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "say.h"

static void attr(const char* name) {
  struct stat st;
  if (lstat(name, &st))
    perror(name);
  else
    printf("%s: mode %o nlink %lu size %ld mine %d atime %ld.%09ld mtime %ld.%09ld\n", name, st.st_mode,
           (unsigned long)st.st_nlink, S_ISREG(st.st_mode) ? (long)st.st_size : 0L, st.st_uid == geteuid(),
           st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

// Pipes and sockets have an inode of their own: fchmod(2) and futimens(2) work on it, both ends of a pipe
// share it, and bind(2) gives its mode to the name of a Unix socket (unix(7)).
static void without_name(const char* what, int f, int other) {
  struct stat st, second;
  struct timespec t[2] = {{1000000000, 5}, {1100000000, 6}};
  char path[40];
  printf("-- %s\n", what);
  SHOW(fchmod(f, 0640));
  SHOW(futimens(f, t));
  SHOW(fchown(f, (uid_t)-1, (gid_t)-1));
  SHOW(fchown(f, 0, (gid_t)-1));
  fstat(f, &st);
  fstat(other, &second);
  sprintf(path, "/proc/self/fd/%d", f);
  printf("mode %o, other end %o, atime %ld, mtime %ld.%ld\n", st.st_mode, second.st_mode, (long)st.st_atime,
         (long)st.st_mtime, st.st_mtim.tv_nsec);
  SHOW(chmod(path, 0600));
  SHOW(stat(path, &st));
  printf("mode %o\n", st.st_mode);
}

static void without_names(void) {
  int p[2], s[2], unix_socket = socket(AF_UNIX, SOCK_STREAM, 0);
  if (pipe(p) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, s) != 0) return;
  without_name("pipe", p[0], p[1]);
  without_name("socket pair", s[0], s[1]);
  without_name("TCP", socket(AF_INET, SOCK_STREAM, 0), p[0]);
  struct sockaddr_un name = {AF_UNIX, "bound"};
  struct stat st;
  umask(027);
  SHOW(fchmod(unix_socket, 0775));
  SHOW(bind(unix_socket, (struct sockaddr*)&name, sizeof name));
  SHOW(stat("bound", &st));
  printf("mode of the name %o\n", st.st_mode);
  SHOW(fchmod(unix_socket, 0700));
  SHOW(stat("bound", &st));
  printf("mode of the name %o\n", st.st_mode);
  umask(022);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  char dir[] = "/tmp/vfs_attr_XXXXXX";
  if (!mkdtemp(dir) || chdir(dir)) return 1;
  umask(022);
  without_names();
  int f = open("f", O_CREAT | O_RDWR, 0666);
  struct timespec t[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
  SHOW(futimens(f, t));
  attr("f");
  SHOW(chmod("f", 0600));
  SHOW(fchmod(f, 04755));
  attr("f");
  SHOW(chmod("f", 01644));
  attr("f");
  SHOW(chmod("none", 0600));
  t[0].tv_nsec = UTIME_OMIT;
  t[1].tv_sec = 5;
  SHOW(utimensat(AT_FDCWD, "f", t, 0));
  attr("f");
  t[0].tv_nsec = 1000000000;
  SHOW(utimensat(AT_FDCWD, "f", t, 0));
  SHOW(utimensat(AT_FDCWD, "none", 0, 0));
  SHOW(utimensat(AT_FDCWD, "f", 0, 0x8000));
  symlink("f", "l");
  t[0].tv_nsec = t[1].tv_nsec = 7;
  SHOW(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW));
  attr("l");
  attr("f");
  struct utimbuf u = {11, 12};
  SHOW(utime("f", &u));
  attr("f");
  struct timeval tv[2] = {{21, 22}, {23, 24}};
  SHOW(utimes("f", tv));
  attr("f");
  tv[0].tv_usec = 1000000;
  SHOW(utimes("f", tv));
  mkdir("d", 0777);
  SHOW(chmod("d", 02750));
  attr("l");
  struct stat st, st2;
  stat("d", &st);
  printf("d: mode %o nlink %lu\n", st.st_mode, (unsigned long)st.st_nlink);
  mkdir("d/e", 0777);
  stat("d", &st);
  stat("d/e", &st2);
  printf("d: nlink %lu, e: mode %o, same group %d\n", (unsigned long)st.st_nlink, st2.st_mode,
         st.st_gid == st2.st_gid);

  SHOW(access("f", R_OK | W_OK));
  SHOW(chmod("f", 0444));
  SHOW(access("f", X_OK));
  SHOW(access("f", 77));
  SHOW(access("none", F_OK));
  SHOW(faccessat(AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW));
  SHOW(chown("f", -1, -1));
  SHOW(chown("f", geteuid(), getegid()));
  SHOW(lchown("l", geteuid(), getegid()));
  SHOW(fchownat(AT_FDCWD, "f", -1, -1, 0x8000));

  struct statx x;
  SHOW(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
  printf("statx: mode %o size %lu mtime %ld mask ok %d\n", x.stx_mode, (unsigned long)x.stx_size,
         (long)x.stx_mtime.tv_sec, (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
  SHOW(statx(f, "", AT_EMPTY_PATH, STATX_SIZE, &x));
  SHOW(statx(f, "", 0, STATX_SIZE, &x));
  SHOW(statx(f, "", 0x40000000, STATX_SIZE, &x));
  SHOW(statx(AT_FDCWD, "f", AT_STATX_DONT_SYNC | AT_STATX_FORCE_SYNC, STATX_SIZE, &x));
  SHOW(stat("f", (struct stat*)8));
  SHOW(fstat(99, &st));
  SHOW(fstatat(f, "", &st, AT_EMPTY_PATH));
  SHOW(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
  SHOW(fstatat(AT_FDCWD, "f", &st, 0x40000000));

  struct statfs fs;
  SHOW(statfs(".", &fs));
  printf("bsize %ld namelen %ld\n", (long)fs.f_bsize, (long)fs.f_namelen);
  SHOW(statfs("none", &fs));
  SHOW(fstatfs(99, &fs));

  // Only what does not depend on the file system below.
  char value[100];
  SHOW(setxattr("d", "user.x", value, 5, 77));
  SHOW(setxattr("d", "", value, 5, 0));
  SHOW(setxattr("none", "user.x", value, 5, 0));
  SHOW(lsetxattr("l", "user.x", "v", 1, 0));
  SHOW(getxattr("d", "bad", value, sizeof value));

  // memfd and seals
  int m = memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC);
  SHOW(write(m, "sealed", 6));
  SHOW(fcntl(m, F_GET_SEALS));
  SHOW(fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE));
  SHOW(write(m, "x", 1));
  SHOW(ftruncate(m, 1));
  SHOW(mmap(0, 6, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0) == MAP_FAILED ? -1 : 0);
  char* map = mmap(0, 6, PROT_READ, MAP_SHARED, m, 0);
  printf("%.6s\n", map == MAP_FAILED ? "failed" : map);
  fstat(m, &st);
  printf("memfd mode %o nlink %lu\n", st.st_mode, (unsigned long)st.st_nlink);
  SHOW(memfd_create("x", 0x8000));
  SHOW(fcntl(f, F_GET_SEALS));

  // a private and a shared mapping of one file
  SHOW(ftruncate(f, 0));
  SHOW(pwrite(f, "mapping", 7, 0));
  char* shared = mmap(0, 7, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
  char* private = mmap(0, 7, PROT_READ | PROT_WRITE, MAP_PRIVATE, f, 0);
  private[0] = 'P';
  shared[1] = 'S';
  char text[8] = {0};
  SHOW(pread(f, text, 7, 0));
  printf("%s %.7s\n", text, private);
  return chdir("/") || execlp("rm", "rm", "-rf", dir, (char*)0);
}
