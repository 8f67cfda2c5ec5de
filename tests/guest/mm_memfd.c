// memfd_create(2) and its seals; files seen through mappings, read(2) and other processes.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define RW (PROT_READ | PROT_WRITE)

static void seals(const char* what, int fd) {
  errno = 0;
  int s = fcntl(fd, F_GET_SEALS);
  printf("%s: seals %d %s\n", what, s, s < 0 ? strerrorname_np(errno) : "-");
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("-- memfd_create");
  char name[300];
  memset(name, 'n', sizeof name);
  name[250] = 0;
  SAY(memfd_create(name, 0));
  name[249] = 0;
  SAY(memfd_create(name, 0));
  SAY(memfd_create("x", 0x8000));
  SAY(memfd_create(NULL, 0));
  SAY(memfd_create("x", MFD_HUGETLB | 16U << 26));  // no machine has pages of 64 KiB
  SAY(memfd_create("x", 16U << 26));
  int fd = memfd_create("plain", MFD_CLOEXEC);
  char link[300];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(name, link, sizeof link);
  printf("%.*s cloexec %d\n", (int)n, link, fcntl(fd, F_GETFD));
  struct stat st;
  fstat(fd, &st);
  printf("mode %o size %ld nlink %ld mine %d\n", st.st_mode, (long)st.st_size, (long)st.st_nlink, st.st_uid == geteuid());
  seals("plain", fd);
  SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  SAY(fcntl(0, F_GET_SEALS));
  int file = open("file", O_RDWR | O_CREAT, 0600);
  seals("ordinary file", file);
  SAY(write(fd, "hello", 5));
  char buf[32] = "";
  SAY(pread(fd, buf, 31, 0));
  printf("%s\n", buf);

  puts("-- seals");
  fd = memfd_create("sealed", MFD_ALLOW_SEALING);
  seals("new", fd);
  SAY(ftruncate(fd, 8192));
  SAY(fcntl(fd, F_ADD_SEALS, 0x4000));
  SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
  SAY(ftruncate(fd, 4096));
  SAY(ftruncate(fd, 12288));
  SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  SAY(ftruncate(fd, 12289));
  SAY(pwrite(fd, "x", 1, 12288));
  printf("up to the end: %zd\n", pwrite(fd, "xyz", 3, 12287));
  SAY(fallocate(fd, 0, 0, 20000));
  char* p = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);
  SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  SAY(mprotect(p, 4096, PROT_READ));
  SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  fflush(stdout);
  int pp[2], qq[2];
  if (pipe(pp) || pipe(qq)) return 1;
  pid_t c = fork();
  if (c == 0) {
    char ch;
    close(qq[1]);
    if (write(pp[1], "x", 1) != 1 || read(qq[0], &ch, 1) != 0) _exit(1);
    _exit(0);
  }
  if (read(pp[0], buf, 1) != 1) return 1;
  munmap(p, 4096);
  SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));  // the child still has it
  close(qq[1]);
  waitpid(c, NULL, 0);
  p = mmap(NULL, 4096, RW, MAP_PRIVATE, fd, 0);
  strcpy(p, "private");
  SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  seals("now", fd);
  SAY(pwrite(fd, "x", 1, 0));
  SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
  SAY(mmap(NULL, 4096, RW, MAP_SHARED, fd, 0));
  char* r = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  printf("reading %d\n", r != MAP_FAILED);
  SAY(mprotect(r, 4096, RW));
  printf("private copy %s, file '%s'\n", p, r);
  SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
  SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  seals("end", fd);

  puts("-- future write");
  fd = memfd_create("future", MFD_ALLOW_SEALING);
  if (ftruncate(fd, 4096)) return 1;
  p = mmap(NULL, 4096, RW, MAP_SHARED, fd, 0);
  SAY(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
  strcpy(p, "still writable");
  SAY(pread(fd, buf, 20, 0));
  printf("%s\n", buf);
  SAY(pwrite(fd, "x", 1, 0));
  SAY(mmap(NULL, 4096, RW, MAP_SHARED, fd, 0));
  r = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  SAY(mprotect(r, 4096, RW));
  int ro = open(name, O_RDONLY);
  (void)ro;
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  int again = open(name, O_RDONLY);
  SAY(fcntl(again, F_ADD_SEALS, F_SEAL_GROW));
  seals("read-only descriptor", again);

  puts("-- one file, several views");
  if (ftruncate(file, 8192)) return 1;
  p = mmap(NULL, 8192, RW, MAP_SHARED, file, 0);
  char* q = mmap(NULL, 8192, RW, MAP_PRIVATE, file, 0);
  strcpy(p, "mapped");
  SAY(pread(file, buf, 31, 0));
  printf("read %s private %s\n", buf, q);
  SAY(pwrite(file, "written", 8, 4096));
  printf("mapped %s\n", p + 4096);
  strcpy(q, "mine");
  strcpy(p, "theirs");
  printf("copy on write: %s %s\n", q, p);
  if ((c = fork()) == 0) {
    strcpy(p, "child");
    strcpy(q, "child's own");
    _exit(0);
  }
  waitpid(c, NULL, 0);
  printf("after the child: %s %s\n", p, q);
  SAY(msync(p, 8192, MS_SYNC));
  SAY(msync(p, 8192, MS_SYNC | MS_ASYNC));
  SAY(msync(p, 8192, 0x10));
  SAY(msync(p + 1, 8192, MS_SYNC));
  munmap(p + 4096, 4096);
  SAY(msync(p, 8192, MS_SYNC));
  if ((c = fork()) == 0) {  // behind the end of the file
    if (ftruncate(file, 0)) _exit(1);
    p[0] = 1;
    _exit(0);
  }
  int stt;
  waitpid(c, &stt, 0);
  printf("signal %d\n", WIFSIGNALED(stt) ? WTERMSIG(stt) : 0);
  return 0;
}
