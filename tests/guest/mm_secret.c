// memfd_secret(2): memory that only those who map it see, and that is always locked.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define MAP(...) (mmap(__VA_ARGS__) == MAP_FAILED ? -1 : 0)

static void as_a_file(int fd) {
  struct stat st;
  char b[8], path[40], name[64];
  fstat(fd, &st);
  printf("mode %o, size %ld, links %ld\n", st.st_mode, (long)st.st_size, (long)st.st_nlink);
  sprintf(path, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(path, name, sizeof name);
  printf("%.*s, close on exec %d\n", (int)n, name, fcntl(fd, F_GETFD));
  SAY(open(path, O_RDWR));
  SAY(read(fd, b, 1));
  SAY(write(fd, b, 1));
  SAY(pread(fd, b, 1, 0));
  SAY(lseek(fd, 0, SEEK_SET));
  SAY(fallocate(fd, 0, 0, 4096));
  SAY(fsync(fd));
  SAY(MAP(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
}

static void secrets(char* mem) {
  char b[4];
  struct iovec here = {b, 4}, there = {mem, 4};
  int pid = getpid(), self = open("/proc/self/mem", O_RDWR);
  SAY(process_vm_readv(pid, &here, 1, &there, 1, 0));
  SAY(process_vm_writev(pid, &here, 1, &there, 1, 0));
  SAY(pread(self, b, 4, (long)mem));
  SAY(pwrite(self, b, 4, (long)mem));
  // What a process gives to the kernel itself is no secret.
  int p[2];
  if (pipe(p) != 0) return;
  SAY_NUMBER(write(p[1], mem, 4));
  SAY_NUMBER(read(p[0], mem + 4, 4));
  printf("%.8s\n", mem);
}

static void locked(char* mem) {
  SAY(munlock(mem, 4096));
  SAY(munlockall());
  SAY(madvise(mem, 4096, MADV_DONTNEED));
  SAY(msync(mem, 4096, MS_INVALIDATE));
  SAY(mprotect(mem, 4096, PROT_READ | PROT_EXEC));
  SAY(mprotect(mem, 4096, PROT_READ));
  char line[256];
  FILE* f = fopen("/proc/self/smaps", "r");
  for (int ours = 0; f && fgets(line, sizeof line, f);) {
    unsigned long start, end;
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2) ours = strstr(line, "secretmem") != NULL;
    if (ours && (!strncmp(line, "Locked", 6) || !strncmp(line, "Size", 4))) printf("%s", line);
  }
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
  if (fd < 0 && errno == ENOSYS) {
    puts("SKIPPED: no memfd_secret(2) here");
    return 77;
  }
  SAY(syscall(SYS_memfd_secret, 1));
  as_a_file(fd);
  char* mem = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  SAY(ftruncate(fd, 4096));
  SAY(ftruncate(fd, 8192));
  strcpy(mem, "hidden");
  if (fork() == 0) {  // the same memory
    secrets(mem);
    _exit(0);
  }
  wait(NULL);
  printf("%.6s\n", mem + 4);
  locked(mem);
  if (fork() == 0) mem[4096] = 1;  // beyond the end
  int status;
  wait(&status);
  printf("signal %d\n", WTERMSIG(status));
  munmap(mem, 8192);
  struct rlimit limit = {4096, 4096};
  setrlimit(RLIMIT_MEMLOCK, &limit);
  SAY(MAP(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0));
  SAY(MAP(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
  return 0;
}
