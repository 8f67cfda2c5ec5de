// Names and links: what path calls return and in which order they check.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void show(const char* what, long r) {
  printf("%s: %s\n", what, r >= 0 ? "ok" : strerrorname_np(errno));
}
#define SHOW(call) show(#call, (long)(call))

static long openat2(int dir, const char* path, unsigned long flags, unsigned long resolve) {
  struct open_how how = {.flags = flags, .resolve = resolve};
  return syscall(SYS_openat2, dir, path, &how, sizeof how);
}

static int touch(const char* name) {
  int fd = open(name, O_CREAT | O_WRONLY, 0644);
  if (fd >= 0) close(fd);
  return fd;
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  char dir[] = "/tmp/vfs_paths_XXXXXX";
  char text[100], longname[400], longpath[5000];
  struct stat st;
  if (!mkdtemp(dir) || chdir(dir)) return 1;

  SHOW(mkdir("d", 0755));
  SHOW(mkdir("d", 0755));
  SHOW(mkdir("d/", 0755));
  SHOW(mkdir("e/", 0755));
  SHOW(mkdir(".", 0755));
  SHOW(mkdir("/", 0755));
  SHOW(mkdir("none/x", 0755));
  SHOW(mkdir("", 0755));
  SHOW(touch("f"));
  SHOW(mkdir("f/x", 0755));
  SHOW(open("f/", O_RDONLY));
  SHOW(open("g/", O_CREAT | O_WRONLY, 0644));
  SHOW(open("d", O_CREAT | O_WRONLY, 0644));
  SHOW(open("d", O_WRONLY));
  SHOW(open("f", O_CREAT | O_EXCL | O_WRONLY, 0644));
  SHOW(open(".", O_CREAT | O_EXCL | O_WRONLY, 0644));
  SHOW(open("..", O_CREAT | O_WRONLY, 0644));
  SHOW(open("d/", O_CREAT | O_EXCL | O_WRONLY, 0644));
  SHOW(open("/", O_CREAT | O_EXCL | O_RDONLY, 0644));
  SHOW(open("f", O_DIRECTORY));
  SHOW(open("", O_RDONLY));
  SHOW(open((char*)8, O_RDONLY));

  memset(longname, 'n', sizeof longname);
  longname[255] = 0;
  SHOW(touch(longname));
  longname[255] = 'n';
  longname[256] = 0;
  SHOW(touch(longname));
  memset(longpath, '/', sizeof longpath);
  longpath[4095] = 0;
  SHOW(stat(longpath, &st));
  longpath[4095] = '/';
  longpath[4096] = 0;
  SHOW(stat(longpath, &st));

  SHOW(symlink("f", "l"));
  SHOW(symlink("f", "l"));
  SHOW(symlink("", "x"));
  SHOW(symlink("nowhere", "x/"));
  SHOW(symlink("d", "ld"));
  SHOW(symlink("loop", "loop"));
  SHOW(symlink("nowhere", "dangling"));
  SHOW(open("loop", O_RDONLY));
  SHOW(open("l", O_RDONLY | O_NOFOLLOW));
  SHOW(open("l", O_PATH | O_NOFOLLOW));
  SHOW(open("ld", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
  SHOW(open("dangling", O_RDONLY));
  SHOW(open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0644));
  SHOW(touch("dangling"));
  SHOW(access("nowhere", F_OK));
  SHOW(mkdir("loop", 0755));
  memset(text, 0, sizeof text);
  printf("readlink %zd %s\n", readlink("ld", text, 1), text);
  SHOW(readlink("f", text, 10));
  SHOW(readlink("l", text, 0));
  lstat("l", &st);
  printf("link mode %o size %ld\n", st.st_mode, (long)st.st_size);
  SHOW(stat("l/", &st));
  SHOW(lstat("ld/", &st));
  printf("is directory: %d\n", S_ISDIR(st.st_mode));

  SHOW(link("f", "h"));
  SHOW(link("f", "h"));
  SHOW(link("d", "hd"));
  SHOW(link("none", "hd"));
  SHOW(linkat(AT_FDCWD, "l", AT_FDCWD, "hl", 0));
  printf("hl is a link: %d\n", lstat("hl", &st) == 0 && S_ISLNK(st.st_mode));
  SHOW(linkat(AT_FDCWD, "l", AT_FDCWD, "hf", AT_SYMLINK_FOLLOW));
  stat("f", &st);
  printf("nlink %lu\n", (unsigned long)st.st_nlink);

  SHOW(rename("h", "d/h"));
  SHOW(rename("d/h", "hf"));
  SHOW(rename("d/h", "hf"));
  SHOW(rename("none", "x"));
  SHOW(rename("f", "d"));
  SHOW(rename("d", "f"));
  SHOW(rename("d", "d/x"));
  SHOW(rename("d/.", "x"));
  SHOW(rename("f/", "x"));
  SHOW(rename("f", "x/"));
  SHOW(rename("d", "e"));
  SHOW(access("d", F_OK));
  SHOW(touch("e/in"));
  SHOW(mkdir("d2", 0755));
  SHOW(rename("d2", "e"));
  SHOW(rename("e", "d2/e/"));
  SHOW(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "l", RENAME_NOREPLACE));
  SHOW(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "l", RENAME_EXCHANGE));
  printf("f is a link: %d\n", lstat("f", &st) == 0 && S_ISLNK(st.st_mode));
  SHOW(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "none", RENAME_EXCHANGE));
  SHOW(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "l", RENAME_EXCHANGE | RENAME_NOREPLACE));

  SHOW(rmdir("d2"));
  SHOW(rmdir("d2/e/."));
  SHOW(rmdir("d2/e/.."));
  SHOW(rmdir("l"));
  SHOW(rmdir("/"));
  SHOW(rmdir("none"));
  SHOW(unlink("d2"));
  SHOW(unlink("l/"));
  SHOW(unlink("none"));
  SHOW(unlinkat(AT_FDCWD, "l", 4711));
  SHOW(unlink("d2/e/in"));
  SHOW(unlinkat(AT_FDCWD, "d2/e", AT_REMOVEDIR));

  int d = open("d2", O_RDONLY | O_DIRECTORY), f = open("l", O_RDONLY);
  SHOW(openat(d, "../l", O_RDONLY));
  SHOW(openat(f, "x", O_RDONLY));
  SHOW(openat(77, "x", O_RDONLY));
  SHOW(openat(77, "/tmp", O_RDONLY));
  SHOW(openat2(d, "../l", O_RDONLY, RESOLVE_BENEATH));
  SHOW(openat2(d, "/tmp", O_RDONLY, RESOLVE_BENEATH));
  SHOW(openat2(d, "../../..", O_RDONLY, RESOLVE_IN_ROOT));
  SHOW(openat2(AT_FDCWD, "ld/..", O_RDONLY, RESOLVE_NO_SYMLINKS));
  SHOW(openat2(AT_FDCWD, "/proc/self/fd/0", O_RDONLY, RESOLVE_NO_MAGICLINKS));
  SHOW(openat2(d, ".", O_RDONLY, 0x4000));
  SHOW(openat2(d, ".", O_RDONLY | (1ul << 40), 0));
  SHOW(openat2(AT_FDCWD, "/proc/version", O_RDONLY, RESOLVE_NO_XDEV));
  int root = open("/", O_PATH);
  SHOW(openat2(root, "proc/version", O_RDONLY, RESOLVE_NO_XDEV));
  SHOW(openat2(root, "etc/passwd", O_RDONLY, RESOLVE_BENEATH) > 0);
  SHOW(openat2(root, "etc/../../etc/passwd", O_RDONLY, RESOLVE_BENEATH));
  SHOW(openat2(root, "etc/../../etc/passwd", O_RDONLY, RESOLVE_IN_ROOT) > 0);
  SHOW(openat2(AT_FDCWD, "l", O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS) > 0);
  SHOW(openat2(AT_FDCWD, "/proc/self/exe", O_PATH | O_NOFOLLOW, RESOLVE_NO_MAGICLINKS) > 0);
  SHOW(openat2(AT_FDCWD, "new", O_CREAT | O_RDWR, RESOLVE_CACHED));
  SHOW(openat2(AT_FDCWD, "new", O_TMPFILE | O_RDONLY, RESOLVE_CACHED));
  SHOW(openat2(AT_FDCWD, "f", O_RDONLY, RESOLVE_CACHED) > 0);
  SHOW(openat2(d, ".", O_RDONLY, RESOLVE_IN_ROOT | RESOLVE_BENEATH));
  struct {
    struct open_how how;
    unsigned long more;
  } longer = {{O_RDONLY, 0, 0}, 0};
  SHOW(syscall(SYS_openat2, AT_FDCWD, ".", &longer, 16));
  SHOW(syscall(SYS_openat2, AT_FDCWD, ".", &longer, sizeof longer) > 0);
  longer.more = 1;
  SHOW(syscall(SYS_openat2, AT_FDCWD, ".", &longer, sizeof longer));
  longer.how.mode = 0600;
  SHOW(syscall(SYS_openat2, AT_FDCWD, ".", &longer, sizeof longer.how));
  SHOW(syscall(SYS_openat2, AT_FDCWD, ".", 8, sizeof longer.how));

  SHOW(mkdir("gone", 0755));
  SHOW(chdir("gone"));
  SHOW(rmdir("../gone"));
  SHOW(getcwd(text, sizeof text) ? 0 : -1);
  SHOW(touch("x"));
  SHOW(open(".", O_RDONLY));
  SHOW(open("..", O_RDONLY));
  SHOW(chdir(dir));
  SHOW(getcwd(text, 3) ? 0 : -1);
  printf("cwd is right: %d\n", getcwd(text, sizeof text) && strcmp(text, dir) == 0);
  SHOW(chdir("l"));
  SHOW(chdir("none"));
  SHOW(fchdir(f));

  SHOW(mknod("fifo", S_IFIFO | 0644, 0));
  SHOW(mknod("reg", 0644, 0));
  SHOW(mknod("dir", S_IFDIR | 0644, 0));
  SHOW(mknod("bad", 0170000, 0));
  SHOW(open("fifo", O_WRONLY | O_NONBLOCK));
  printf("umask %o", umask(077));
  printf(" %o\n", umask(022));
  return chdir("/") || execlp("rm", "rm", "-rf", dir, (char*)0);
}
