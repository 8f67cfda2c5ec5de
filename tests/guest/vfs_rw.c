// Reading and writing regular files: positions, offsets, errors.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "say.h"

static volatile int xfsz;
// Out of the compiler's sight, so that it does not warn.
static void* volatile nowhere = (void*)1;
static volatile size_t huge = -1;
static volatile int minus = -1, many = 1025;
static void on_xfsz(int sig) { xfsz = sig == SIGXFSZ; }

static void dump(const char* name) {
  char buf[64] = {0};
  int fd = open(name, O_RDONLY);
  ssize_t n = read(fd, buf, sizeof buf - 1);
  printf("%s: %zd \"", name, n);
  for (ssize_t i = 0; i < n; ++i) putchar(buf[i] ? buf[i] : '.');
  puts("\"");
  close(fd);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  char dir[] = "/tmp/vfs_rw_XXXXXX", buf[100];
  char* bad = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(bad + 4096, 4096);
  if (!mkdtemp(dir) || chdir(dir)) return 1;

  int f = open("f", O_CREAT | O_RDWR, 0644), p[2];
  SHOW(write(f, "hello", 5));
  SHOW(lseek(f, 0, SEEK_CUR));
  int g = dup(f);
  SHOW(lseek(g, 1, SEEK_SET));
  SHOW(read(f, buf, 2));
  SHOW(lseek(g, 0, SEEK_CUR));
  SHOW(pread(f, buf, 100, 3));
  SHOW(pread(f, buf, 100, 5));
  SHOW(pread(f, buf, 1, -1));
  SHOW(pwrite(f, "J", 1, 0));
  SHOW(lseek(f, -100, SEEK_CUR));
  SHOW(lseek(f, 0, 99));
  SHOW(lseek(f, 10, SEEK_END));
  SHOW(write(f, "end", 3));
  dump("f");
  SHOW(ftruncate(f, 3));
  SHOW(ftruncate(f, 6));
  dump("f");
  SHOW(ftruncate(f, -1));
  SHOW(truncate("f", 2));
  SHOW(truncate("none", 2));
  SHOW(truncate(".", 2));
  SHOW(read(f, nowhere, 5));
  SHOW(lseek(f, 0, SEEK_SET));
  SHOW(read(f, nowhere, 5));
  SHOW(read(f, nowhere, 0));
  SHOW(write(f, nowhere, 5));
  SHOW(read(f, buf, huge));
  memset(bad + 4086, 'b', 10);
  SHOW(pwrite(f, bad + 4086, 20, 0));
  dump("f");
  SHOW(pread(f, bad + 4090, 10, 0));

  struct iovec v[3] = {{"one", 3}, {"", 0}, {"two", 3}};
  SHOW(lseek(f, 0, SEEK_SET));
  SHOW(writev(f, v, 3));
  SHOW(pwritev(f, v, 3, 10));
  dump("f");
  struct iovec w[2] = {{buf, 4}, {buf + 10, 4}};
  SHOW(preadv(f, w, 2, 1));
  printf("%.4s|%.4s\n", buf, buf + 10);
  SHOW(readv(f, w, minus));
  SHOW(readv(f, w, many));
  SHOW(readv(f, w, 0));
  SHOW(preadv2(f, w, 1, -1, 0));
  SHOW(preadv2(f, w, 1, 0, 0x40000000));
  SHOW(pwritev2(f, v, 1, 0, RWF_APPEND));
  dump("f");

  int a = open("f", O_WRONLY | O_APPEND), r = open("f", O_RDONLY), d = open(".", O_RDONLY);
  SHOW(write(a, "!", 1));
  SHOW(lseek(a, 0, SEEK_CUR));
  SHOW(pwrite(a, "?", 1, 0));
  dump("f");
  SHOW(read(a, buf, 1));
  SHOW(write(r, buf, 1));
  SHOW(ftruncate(r, 1));
  SHOW(read(d, buf, 1));
  SHOW(write(d, buf, 1));
  SHOW(read(99, buf, 1));
  SHOW(pipe(p));
  SHOW(pread(p[0], buf, 1, 0));
  SHOW(pwrite(p[1], buf, 1, 0));
  SHOW(lseek(p[0], 0, SEEK_SET));
  SHOW(fsync(p[0]));
  SHOW(ftruncate(p[1], 0));
  SHOW(fallocate(p[1], 0, 0, 1));
  SHOW(posix_fadvise(p[0], 0, 0, 0));
  int o = open("f", O_PATH);
  SHOW(read(o, buf, 1));
  SHOW(lseek(o, 0, SEEK_SET));
  SHOW(ftruncate(o, 0));
  SHOW(fchmod(o, 0600));

  int s = open("sparse", O_CREAT | O_RDWR, 0600);
  SHOW(fallocate(s, 0, 0, 100000));
  SHOW(lseek(s, 0, SEEK_END));
  SHOW(fallocate(s, 0, -1, 1));
  SHOW(fallocate(s, 0, 0, 0));
  SHOW(fallocate(s, 4096, 0, 1));
  SHOW(fallocate(r, 0, 0, 1));
  SHOW(fallocate(d, 0, 0, 1));
  SHOW(fsync(s));
  SHOW(fdatasync(s));
  SHOW(sync_file_range(s, 0, 0, 7));
  SHOW(sync_file_range(s, -1, 0, 7));
  SHOW(posix_fadvise(s, 0, 0, 77));
  SHOW(readahead(s, 0, 4096));
  SHOW(readahead(a, 0, 4096));

  int c = open("copy", O_CREAT | O_RDWR, 0600);
  off64_t from = 2, to = 4;
  SHOW(copy_file_range(r, &from, c, &to, 5, 0));
  printf("from %ld to %ld\n", (long)from, (long)to);
  dump("copy");
  SHOW(copy_file_range(r, 0, c, 0, 5, 1));
  SHOW(copy_file_range(c, 0, c, 0, 5, 0));
  SHOW(copy_file_range(r, 0, a, 0, 5, 0));
  SHOW(copy_file_range(d, 0, c, 0, 5, 0));
  SHOW(copy_file_range(p[0], 0, c, 0, 5, 0));
  off_t at = 3;
  SHOW(sendfile(p[1], r, &at, 4));
  printf("at %ld\n", (long)at);
  SHOW(read(p[0], buf, 100));
  SHOW(sendfile(p[1], p[0], 0, 4));
  SHOW(sendfile(a, r, 0, 4));
  SHOW(sendfile(r, r, 0, 4));

  // Nothing is printed under the limit: stdout may be a file.
  struct rlimit lim, old;
  long r1, r2, r3, r4, r5;
  int e2, e3;
  signal(SIGXFSZ, on_xfsz);
  getrlimit(RLIMIT_FSIZE, &old);
  lim = old;
  lim.rlim_cur = 20;
  int l = open("limited", O_CREAT | O_RDWR, 0600);
  setrlimit(RLIMIT_FSIZE, &lim);
  r1 = write(l, "0123456789abcdefghijklmnop", 26);
  r2 = write(l, "x", 1), e2 = errno;
  r3 = ftruncate(l, 21), e3 = errno;
  r4 = ftruncate(l, 19);
  r5 = pwrite(l, "xyz", 3, 18);
  setrlimit(RLIMIT_FSIZE, &old);
  printf("limited: %ld, %ld %s, %ld %s, %ld, %ld, SIGXFSZ %d\n", r1, r2, strerrorname_np(e2), r3,
         strerrorname_np(e3), r4, r5, xfsz);

  printf("%x %x\n", fcntl(a, F_GETFL), fcntl(o, F_GETFL));
  unlink("f");
  struct stat st;
  fstat(f, &st);
  printf("unlinked: nlink %lu, size %ld\n", (unsigned long)st.st_nlink, (long)st.st_size);
  SHOW(pread(f, buf, 3, 0));
  SHOW(pwrite(f, "still", 5, 0));
  return chdir("/") || execlp("rm", "rm", "-rf", dir, (char*)0);
}
