// Moving data without passing it through the program: fallocate, copy_file_range, sendfile; statx, statfs.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "say.h"

static void show(const char* what, int fd) {
  char b[16384];
  ssize_t n = pread(fd, b, sizeof b, 0);
  unsigned sum = 0;
  for (ssize_t i = 0; i < n; i++) sum = sum * 31 + (unsigned char)b[i];
  printf("%s: %zd bytes, sum %u\n", what, n, sum);
}

// What each block of the file begins with afterwards.
static void rearrange(int f, int mode, long first, long count) {
  int r = fallocate(f, mode, first * 4096, count * 4096);
  printf("mode %x of %ld from %ld: %s, ", (unsigned)mode, count, first, r == 0 ? "ok" : strerrorname_np(errno));
  char c;
  for (off_t at = 0; pread(f, &c, 1, at) == 1; at += 4096) printf("%c", c ? c : '.');
  puts("");
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int a = open("a", O_RDWR | O_CREAT, 0644), b = open("b", O_RDWR | O_CREAT, 0644);
  char page[4096];
  for (int i = 0; i < 3; i++) {
    memset(page, 'x' + i, sizeof page);
    if (write(a, page, sizeof page) != sizeof page) return 1;
  }
  show("a", a);

  puts("-- fallocate");
  int f = open("f", O_RDWR | O_CREAT, 0644);
  SAY_NUMBER(fallocate(f, 0, 0, 0));
  SAY_NUMBER(fallocate(f, 0, -1, 10));
  SAY_NUMBER(fallocate(f, 0, 0, -1));
  SAY_NUMBER(fallocate(f, 0, 0, 5000));
  show("grown", f);
  SAY_NUMBER(fallocate(f, FALLOC_FL_KEEP_SIZE, 0, 10000));
  show("kept", f);
  SAY_NUMBER(fallocate(a, FALLOC_FL_PUNCH_HOLE, 0, 10));
  SAY_NUMBER(fallocate(a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 5000));
  show("hole", a);
  printf("data %ld hole %ld\n", (long)lseek(a, 0, SEEK_DATA), (long)(lseek(a, 0, SEEK_HOLE) > 0));
  SAY_NUMBER(lseek(a, 100000, SEEK_DATA));
  SAY_NUMBER(fallocate(a, 0x1000, 0, 10));
  int blocks = open("blocks", O_RDWR | O_CREAT | O_TRUNC, 0600);
  for (int i = 0; i < 8; i++) {
    char block[4096];
    memset(block, 'a' + i, sizeof block);
    if (write(blocks, block, sizeof block) != sizeof block) return 1;
  }
  rearrange(blocks, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 1);
  rearrange(blocks, FALLOC_FL_ZERO_RANGE, 2, 1);
  rearrange(blocks, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 7, 4);
  rearrange(blocks, FALLOC_FL_COLLAPSE_RANGE, 1, 2);
  rearrange(blocks, FALLOC_FL_INSERT_RANGE, 1, 1);
  rearrange(blocks, FALLOC_FL_COLLAPSE_RANGE, 0, 100);
  rearrange(blocks, FALLOC_FL_INSERT_RANGE, 100, 1);
  rearrange(blocks, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1);
  rearrange(blocks, FALLOC_FL_UNSHARE_RANGE, 0, 1);
  rearrange(blocks, 0, 0, 10);
  SAY_NUMBER(fallocate(blocks, FALLOC_FL_COLLAPSE_RANGE, 100, 4096));
  printf("hole at %ld, data at %ld\n", (long)lseek(blocks, 0, SEEK_HOLE) / 4096, (long)lseek(blocks, 0, SEEK_DATA));
  int ro = open("a", O_RDONLY);
  SAY_NUMBER(fallocate(ro, 0, 0, 10));
  int pp[2];
  if (pipe(pp)) return 1;
  SAY_NUMBER(fallocate(pp[1], 0, 0, 10));
  SAY_NUMBER(posix_fallocate(f, 0, 6000));
  SAY_NUMBER(posix_fadvise(f, 0, 0, POSIX_FADV_DONTNEED));
  SAY_NUMBER(posix_fadvise(f, 0, 0, 77));
  SAY_NUMBER(readahead(f, 0, 4096));

  puts("-- copy_file_range");
  loff_t in = 4000, out = 10;
  SAY_NUMBER(copy_file_range(a, &in, b, &out, 6000, 0));
  printf("offsets %ld %ld\n", (long)in, (long)out);
  show("b", b);
  lseek(a, 0, SEEK_SET);
  SAY_NUMBER(copy_file_range(a, NULL, b, NULL, 100, 0));
  printf("positions %ld %ld\n", (long)lseek(a, 0, SEEK_CUR), (long)lseek(b, 0, SEEK_CUR));
  in = 100000;
  SAY_NUMBER(copy_file_range(a, &in, b, NULL, 100, 0));
  in = 0, out = 100;
  SAY_NUMBER(copy_file_range(a, &in, a, &out, 1000, 0));  // overlapping
  in = 0, out = 5000;
  SAY_NUMBER(copy_file_range(a, &in, a, &out, 1000, 0));
  SAY_NUMBER(copy_file_range(a, NULL, ro, NULL, 10, 0));
  SAY_NUMBER(copy_file_range(a, NULL, b, NULL, 10, 1));
  SAY_NUMBER(copy_file_range(pp[0], NULL, b, NULL, 10, 0));
  int dir = open(".", O_RDONLY), app = open("b", O_WRONLY | O_APPEND);
  SAY_NUMBER(copy_file_range(dir, NULL, b, NULL, 10, 0));
  SAY_NUMBER(copy_file_range(a, NULL, app, NULL, 10, 0));

  puts("-- sendfile");
  off_t off = 4090;
  SAY_NUMBER(sendfile(pp[1], a, &off, 20));
  printf("offset %ld\n", (long)off);
  char got[64] = "";
  printf("read %zd %02x %02x\n", read(pp[0], got, 64), got[0], got[19]);
  int sv[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv)) return 1;
  lseek(a, 0, SEEK_SET);
  SAY_NUMBER(sendfile(sv[0], a, NULL, 50));
  printf("position %ld read %zd\n", (long)lseek(a, 0, SEEK_CUR), read(sv[1], got, 64));
  int c = open("c", O_RDWR | O_CREAT, 0644);
  off = 0;
  SAY_NUMBER(sendfile(c, a, &off, 100000));
  show("c", c);
  SAY_NUMBER(sendfile(c, a, &off, 10));
  SAY_NUMBER(sendfile(c, pp[0], NULL, 10));
  SAY_NUMBER(sendfile(ro, a, NULL, 10));
  SAY_NUMBER(sendfile(app, a, NULL, 10));
  off = -1;
  SAY_NUMBER(sendfile(c, a, &off, 10));

  puts("-- statx");
  struct statx x;
  memset(&x, 0xff, sizeof x);
  SAY_NUMBER(statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS | STATX_BTIME, &x));
  printf("mask %#x mode %o nlink %u size %llu blksize %u uid %d btime %d\n",
         x.stx_mask & (STATX_BASIC_STATS | STATX_BTIME), x.stx_mode, x.stx_nlink,
         (unsigned long long)x.stx_size, x.stx_blksize, x.stx_uid == getuid(), x.stx_btime.tv_sec > 0);
  SAY_NUMBER(statx(a, "", AT_EMPTY_PATH, 0, &x));
  SAY_NUMBER(statx(a, "", 0, STATX_SIZE, &x));
  SAY_NUMBER(statx(AT_FDCWD, "a", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_SIZE, &x));
  SAY_NUMBER(statx(AT_FDCWD, "a", 0x100000, STATX_SIZE, &x));
  SAY_NUMBER(statx(AT_FDCWD, "a", 0, 0x80000000, &x));
  SAY_NUMBER(statx(AT_FDCWD, "none", 0, STATX_SIZE, &x));
  void* volatile nowhere = NULL;
  SAY_NUMBER(statx(AT_FDCWD, "a", 0, STATX_SIZE, nowhere));

  puts("-- statfs");
  struct statfs s;
  SAY_NUMBER(statfs("/proc", &s));
  printf("proc %lx bsize %ld blocks %lu namelen %ld\n", (long)s.f_type, (long)s.f_bsize, (long)s.f_blocks,
         (long)s.f_namelen);
  SAY_NUMBER(statfs("/dev/shm", &s));
  printf("shm %lx bsize %ld namelen %ld\n", (long)s.f_type, (long)s.f_bsize, (long)s.f_namelen);
  struct stat shm;
  struct {
    int tfree;
    unsigned long tinode;
    char fname[6], fpack[6];
  } u;
  memset(&u, 0xff, sizeof u);
  stat("/dev/shm", &shm);
  SAY_NUMBER(syscall(SYS_ustat, (unsigned)shm.st_dev, &u));
  printf("ustat of it: blocks %d inodes %d names %d %d\n",
         u.tfree > 0 && (unsigned long)u.tfree <= s.f_blocks, u.tinode > 0 && u.tinode <= s.f_files,
         u.fname[0], u.fpack[5]);
  SAY_NUMBER(syscall(SYS_ustat, 0x12345, &u));
  SAY_NUMBER(syscall(SYS_ustat, (unsigned)shm.st_dev, NULL));
  SAY_NUMBER(statfs("none", &s));
  SAY_NUMBER(statfs("a", nowhere));
  SAY_NUMBER(fstatfs(pp[0], &s));
  printf("pipe %lx\n", (long)s.f_type);
  SAY_NUMBER(fstatfs(99, &s));
  return 0;
}
