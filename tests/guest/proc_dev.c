// Devices of /dev: null, zero, full, random, urandom, and the links.
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "say.h"

static void* volatile bad_address = (void*)16;

static void device(const char* path) {
  struct stat st;
  char buf[9000];
  stat(path, &st);
  printf("%s: type %o mode %o rdev %u:%u\n", path, st.st_mode & S_IFMT, st.st_mode & 0666, major(st.st_rdev),
         minor(st.st_rdev));
  int fd = open(path, O_RDWR);
  memset(buf, 'x', sizeof buf);
  ssize_t n = read(fd, buf, sizeof buf);
  printf("  read %s", result(n));
  int zeros = 0, untouched = 0;
  for (size_t i = 0; i < sizeof buf; i++) zeros += buf[i] == 0, untouched += buf[i] == 'x';
  printf(" zeros %s untouched %s\n",
         zeros == sizeof buf ? "all"
         : zeros > 200       ? "many"
                             : "few",
         untouched == sizeof buf ? "all"
         : untouched > 200       ? "many"
                                 : "few");
  printf("  read 0 %s", result(read(fd, buf, 0)));
  printf(" write %s", result(write(fd, buf, 100)));
  printf(" write 0 %s", result(write(fd, buf, 0)));
  printf(" seek %s", result(lseek(fd, 1000, SEEK_SET)));
  printf(" pread %s", result(pread(fd, buf, 10, 5)));
  printf(" read bad address %s\n", result(read(fd, bad_address, 10)));
  struct pollfd p = {fd, POLLIN | POLLOUT, 0};
  printf("  poll %s", result(poll(&p, 1, 0)));
  printf(" %x", p.revents);
  int ep = epoll_create1(0);
  struct epoll_event ev = {EPOLLIN, {0}};
  printf(" epoll %s", result(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev)));
  printf(" truncate %s", result(ftruncate(fd, 0)));
  printf(" fsync %s", result(fsync(fd)));
  int bits = 0;
  printf(" TCGETS %s", result(ioctl(fd, 0x5401, buf)));
  printf(" RNDGETENTCNT %s\n", result(ioctl(fd, RNDGETENTCNT, &bits)));
  char* m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  printf("  mmap %s\n", m == MAP_FAILED ? strerror(errno) : "ok");
  if (m != MAP_FAILED) {
    printf("  first %d", m[0]);
    m[5000] = 7;
    printf(" written %d\n", m[5000]);
    munmap(m, 8192);
  }
  close(ep);
  close(fd);
}

int main(void) {
  device("/dev/null");
  device("/dev/zero");
  device("/dev/full");
  device("/dev/urandom");
  device("/dev/random");

  int zero = open("/dev/zero", O_RDWR);
  int* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
  printf("shared /dev/zero %s\n", shared == MAP_FAILED ? strerror(errno) : "ok");
  int fd = open("/dev/zero", O_RDONLY);
  printf("write to a read-only one: %s\n", result(write(fd, "x", 1)));
  fd = open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT | O_APPEND, 0666);
  printf("shell's open of /dev/null: %s\n", fd >= 0 ? "ok" : strerror(errno));
  printf("read from a write-only one: %s\n", result(read(fd, &fd, 1)));
  char link[64];
  for (const char** name = (const char*[]){"/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", NULL};
       *name; name++) {
    ssize_t n = readlink(*name, link, sizeof link - 1);
    printf("%s -> %.*s\n", *name, (int)(n < 0 ? 0 : n), link);
  }
  int p[2];
  if (pipe(p) != 0 || write(p[1], "through /dev/fd", 15) != 15) return 1;
  char path[32], buf[32] = "";
  snprintf(path, sizeof path, "/dev/fd/%d", p[0]);
  fd = open(path, O_RDONLY);
  printf("read %s", result(read(fd, buf, 31)));
  printf(" %s\n", buf);
  struct stat st;
  stat("/dev/shm", &st);
  printf("/dev/shm %o\n", st.st_mode);
  fd = open("/dev/shm/starry-test", O_RDWR | O_CREAT | O_EXCL, 0600);
  printf("file there: %s %s\n", fd >= 0 ? "ok" : strerror(errno), result(write(fd, "abc", 3)));
  unlink("/dev/shm/starry-test");
  stat("/dev/tty", &st);
  printf("/dev/tty %o %u:%u\n", st.st_mode, major(st.st_rdev), minor(st.st_rdev));
  stat("/dev/ptmx", &st);
  printf("/dev/ptmx %o %u:%u\n", st.st_mode, major(st.st_rdev), minor(st.st_rdev));
  printf("no such device: %s\n", result(open("/dev/nonexistent", O_RDONLY)));
  printf("mknod: %s\n", result(mknod("node", S_IFCHR | 0600, makedev(1, 3))));
  return 0;
}
