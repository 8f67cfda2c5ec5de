// Extended attributes of the user name space.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "say.h"

static int by_name(const void* a, const void* b) { return strcmp(*(char* const*)a, *(char* const*)b); }
static void list(const char* what, const char* path) {
  char b[1024], *names[16];
  ssize_t n = listxattr(path, b, sizeof b);
  int k = 0;
  printf("%s:", what);
  for (char* p = b; n > 0 && p < b + n; p += strlen(p) + 1)
    if (!strncmp(p, "user.", 5)) names[k++] = p;
  qsort(names, (size_t)k, sizeof *names, by_name);
  for (int i = 0; i < k; i++) printf(" %s", names[i]);
  puts(n < 0 ? strerrorname_np(errno) : "");
}

// Sockets have one attribute, the name of the protocol.
static void of_socket(int family, int type) {
  char b[64] = "";
  int s = socket(family, type, 0);
  SAY_NUMBER(flistxattr(s, NULL, 0));
  SAY_NUMBER(flistxattr(s, b, 5));
  SAY_NUMBER(flistxattr(s, b, sizeof b));
  printf("%s: ", b);
  SAY_NUMBER(fgetxattr(s, b, b, sizeof b));
  printf("%s\n", b);
  SAY_NUMBER(fgetxattr(s, "system.none", b, sizeof b));
  close(s);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  if (setxattr("f", "user.probe", "x", 1, 0) != 0 && errno == EOPNOTSUPP) {
    puts("SKIPPED: the file system has no extended attributes");
    return 77;
  }
  removexattr("f", "user.probe");
  char b[128] = "";
  list("none", "f");
  SAY_NUMBER(setxattr("f", "user.one", "1st", 3, 0));
  SAY_NUMBER(setxattr("f", "user.one", "x", 1, XATTR_CREATE));
  SAY_NUMBER(setxattr("f", "user.two", "x", 1, XATTR_REPLACE));
  SAY_NUMBER(setxattr("f", "user.two", "", 0, XATTR_CREATE));
  SAY_NUMBER(setxattr("f", "user.one", "first", 5, XATTR_REPLACE));
  SAY_NUMBER(setxattr("f", "user.one", "x", 1, 4));
  SAY_NUMBER(setxattr("f", "user.", "x", 1, 0));
  SAY_NUMBER(setxattr("f", "", "x", 1, 0));
  SAY_NUMBER(setxattr("f", "nothing", "x", 1, 0));
  SAY_NUMBER(setxattr("f", "other.name", "x", 1, 0));
  SAY_NUMBER(setxattr("f", "trusted.name", "x", 1, 0));
  SAY_NUMBER(setxattr("none", "user.one", "x", 1, 0));
  char name[300] = "user.";
  memset(name + 5, 'n', 290);
  SAY_NUMBER(setxattr("f", name, "x", 1, 0));
  char* big = calloc(1, 65537);
  SAY_NUMBER(setxattr("f", "user.big", big, 65537, 0));
  free(big);
  list("two", "f");
  SAY_NUMBER(getxattr("f", "user.one", b, sizeof b));
  printf("%.5s\n", b);
  SAY_NUMBER(getxattr("f", "user.one", NULL, 0));
  SAY_NUMBER(getxattr("f", "user.one", b, 2));
  SAY_NUMBER(getxattr("f", "user.two", b, 2));
  SAY_NUMBER(getxattr("f", "user.three", b, 2));
  SAY_NUMBER(fgetxattr(fd, "user.one", b, sizeof b));
  SAY_NUMBER(fsetxattr(fd, "user.three", "3", 1, 0));
  SAY_NUMBER(listxattr("f", b, 1));
  symlink("f", "l");
  SAY_NUMBER(getxattr("l", "user.three", b, sizeof b));
  SAY_NUMBER(lgetxattr("l", "user.three", b, sizeof b));
  SAY_NUMBER(lsetxattr("l", "user.three", "x", 1, 0));
  SAY_NUMBER(fremovexattr(fd, "user.two"));
  SAY_NUMBER(removexattr("f", "user.two"));
  list("left", "f");
  mkdir("d", 0755);
  SAY_NUMBER(setxattr("d", "user.dir", "yes", 3, 0));
  SAY_NUMBER(rename("f", "g"));
  list("renamed", "g");
  chmod("g", 0444);
  SAY_NUMBER(setxattr("g", "user.four", "4", 1, 0));
  SAY_NUMBER(fsetxattr(fd, "user.four", "4", 1, 0));
  chmod("g", 0222);
  SAY_NUMBER(getxattr("g", "user.one", b, sizeof b));
  int p = open("g", O_PATH);
  SAY_NUMBER(fsetxattr(p, "user.five", "5", 1, 0));
  mkfifo("p", 0600);
  SAY_NUMBER(setxattr("p", "user.pipe", "x", 1, 0));
  of_socket(AF_INET, SOCK_STREAM);
  of_socket(AF_INET6, SOCK_DGRAM);
  of_socket(AF_UNIX, SOCK_STREAM);
  of_socket(AF_UNIX, SOCK_DGRAM);
  of_socket(AF_NETLINK, SOCK_RAW);
  SAY_NUMBER(setxattr("/dev/shm", "system.none", "x", 1, 0));
  return 0;
}
