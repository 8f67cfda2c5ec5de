// Reading directories, and files that come and go while they are read.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int by_name(const void* a, const void* b) { return strcmp(*(char* const*)a, *(char* const*)b); }

static void list(const char* dir) {
  char* names[64];
  int n = 0;
  DIR* d = opendir(dir);
  for (struct dirent* e; (e = readdir(d)) && n < 64;) {
    char text[300];
    snprintf(text, sizeof text, "%s:%d", e->d_name, e->d_type);
    names[n++] = strdup(text);
  }
  closedir(d);
  qsort(names, n, sizeof *names, by_name);
  printf("%s:", dir);
  for (int i = 0; i < n; ++i) printf(" %s", names[i]);
  puts("");
}

static char buf[4096];

static void entries(const char* what, int fd, size_t size) {
  long n = syscall(SYS_getdents64, fd, buf, size);
  printf("%s: %s\n", what, n > 0 ? "some" : n == 0 ? "none" : strerrorname_np(errno));
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  char dir[] = "/tmp/vfs_dir_XXXXXX", name[40];
  if (!mkdtemp(dir) || chdir(dir)) return 1;
  mkdir("d", 0755);
  close(open("f", O_CREAT | O_WRONLY, 0644));
  symlink("f", "l");
  mkfifo("p", 0644);
  list(".");
  list("d");

  int fd = open("d", O_RDONLY);
  entries("too small", fd, 8);
  entries("first", fd, sizeof buf);
  entries("then", fd, sizeof buf);
  entries("file", open("f", O_RDONLY), sizeof buf);
  entries("no memory", fd, 0);
  lseek(fd, 0, SEEK_SET);
  rmdir("d");
  entries("removed", fd, sizeof buf);

  // every one of many entries is seen exactly once, with small buffers, while others are removed
  mkdir("many", 0755);
  for (int i = 0; i < 1000; ++i) {
    snprintf(name, sizeof name, "many/entry_with_a_name_%d", i);
    close(open(name, O_CREAT | O_WRONLY, 0644));
  }
  static unsigned char seen[1000];
  int total = 0, twice = 0;
  fd = open("many", O_RDONLY);
  for (long n; (n = syscall(SYS_getdents64, fd, buf, 500)) > 0;) {
    for (long at = 0; at < n;) {
      struct dirent64* e = (struct dirent64*)(buf + at);
      int i;
      if (sscanf(e->d_name, "entry_with_a_name_%d", &i) == 1) {
        twice += seen[i]++ != 0;
        ++total;
        unlinkat(fd, e->d_name, 0);
      }
      at += e->d_reclen;
    }
  }
  printf("seen %d, twice %d, rmdir %d\n", total, twice, rmdir("many"));

  // telldir and seekdir
  mkdir("t", 0755);
  for (int i = 0; i < 20; ++i) {
    snprintf(name, sizeof name, "t/%d", i);
    close(open(name, O_CREAT | O_WRONLY, 0644));
  }
  DIR* d = opendir("t");
  for (int i = 0; i < 7; ++i) readdir(d);
  long where = telldir(d);
  strcpy(name, readdir(d)->d_name);
  while (readdir(d)) {
  }
  seekdir(d, where);
  printf("seekdir: %d\n", strcmp(name, readdir(d)->d_name) == 0);
  rewinddir(d);
  int count = 0;
  while (readdir(d)) ++count;
  printf("after rewind: %d\n", count);
  closedir(d);

  // inode numbers agree
  struct stat st;
  int same = 0;
  d = opendir("/etc");
  for (struct dirent* e; (e = readdir(d));) {
    if (strcmp(e->d_name, "passwd") == 0) same = stat("/etc/passwd", &st) == 0 && st.st_ino == e->d_ino;
  }
  closedir(d);
  printf("d_ino of /etc/passwd: %d\n", same);
  return chdir("/") || execlp("rm", "rm", "-rf", dir, (char*)0);
}
