// Which of several errors a call reports: what it looks at first.
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

static void* volatile nowhere = (void*)1;
#define BAD nowhere

static void files(int file) {
  SAY(sendfile(-1, -1, BAD, 1));
  off_t negative = -1;
  SAY(sendfile(1, -1, &negative, 1));
  SAY(sendfile(-1, file, &negative, 1));
  SAY(mknod(BAD, S_IFDIR, 0));
  SAY(mknod(BAD, S_IFMT, 0));
  SAY(mknodat(-1, "x", S_IFDIR, 0));
  SAY(mknod(BAD, S_IFREG, 0));
  SAY(renameat2(-1, BAD, -1, BAD, 0x100));
  SAY(renameat2(-1, BAD, -1, BAD, RENAME_NOREPLACE | RENAME_EXCHANGE));
  SAY(renameat2(file, "a", -1, BAD, 0));
  SAY(renameat2(file, "a", AT_FDCWD, "", 0));
  SAY(renameat2(AT_FDCWD, "none/x", AT_FDCWD, BAD, 0));
  SAY(renameat2(AT_FDCWD, "none", AT_FDCWD, BAD, 0));
  SAY(syscall(SYS_swapon, BAD, 0x1000000));
  SAY(syscall(SYS_swapon, BAD, 0));
  SAY(flock(-1, LOCK_MAND));
  SAY(flock(-1, LOCK_SH));
  SAY(syscall(SYS_mount_setattr, AT_FDCWD, ".", 0, NULL, 0));
  SAY(syscall(SYS_open_tree, AT_FDCWD, "none", 0x8000));  // AT_RECURSIVE
  SAY(syscall(SYS_open_tree, AT_FDCWD, "none", 1));       // OPEN_TREE_CLONE
  SAY(syscall(SYS_open_tree, AT_FDCWD, "none", 0));
}

static void mounting(int file) {
#define CONFIG(...) syscall(SYS_fsconfig, __VA_ARGS__)
  SAY(CONFIG(-1, 99, NULL, NULL, 0));
  SAY(CONFIG(file, 99, NULL, NULL, 0));
  SAY(CONFIG(file, 0, NULL, NULL, 0));
  SAY(CONFIG(file, 0, "ro", NULL, 0));
  SAY(CONFIG(99, 1, "size", "1m", 0));
  SAY(CONFIG(file, 1, "size", "1m", 1));
  SAY(CONFIG(99, 6, NULL, NULL, 0));
  SAY(syscall(SYS_fsopen, "tmpfs", 0));
}

// What nobody finds in procfs is not there for those who would make it either.
static void procfs(void) {
  SAY(open("/proc/none", O_CREAT | O_RDWR, 0600));
  SAY(mkdir("/proc/sys/none", 0700));
  SAY(symlink("x", "/proc/self/none"));
  SAY(mkdir("/sys/none", 0700));
}

static void sockets(int file) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  SAY(accept4(-1, NULL, NULL, 0x12345));
  SAY(accept4(file, NULL, NULL, 0x12345));
  SAY(accept4(file, NULL, NULL, 0));
  SAY(connect(-1, BAD, 16));
  SAY(connect(file, BAD, 16));
  SAY(connect(file, BAD, 1000));
  SAY(bind(file, BAD, 16));
  SAY(bind(s, BAD, 1000));
  close(s);
}

static void memory(int file) {
  SAY(mmap(NULL, 0, 0, 0, -1, 1) == MAP_FAILED ? -1 : 0);
  SAY(mmap(NULL, 4096, 0, MAP_PRIVATE, -1, 0) == MAP_FAILED ? -1 : 0);
  SAY(mmap(NULL, 0, 0, 0, file, 0) == MAP_FAILED ? -1 : 0);
  SAY(mprotect(NULL, 0, 0xff00));
  SAY(mprotect(NULL, 4096, 0xff00));
  SAY(syscall(SYS_pkey_mprotect, NULL, 0, 0, 5));
  SAY(syscall(SYS_pkey_mprotect, BAD, 0, 0, 5));
  SAY(syscall(SYS_pkey_mprotect, NULL, 4096, 0, 15));
  SAY(syscall(SYS_userfaultfd, 0x1001));
}

static void others(void) {
  struct sembuf op = {0, 0, 0};
  struct timespec negative = {-1, 0};
  SAY(semop(-1, &op, 501));
  SAY(semop(-1, &op, 0));
  SAY(semop(-1, BAD, 1));
  SAY(semop(-1, &op, 1));
  SAY(semtimedop(-1, &op, 501, BAD));
  SAY(semtimedop(-1, &op, 501, &negative));
  struct timeval far = {1L << 60, 0};
  struct timespec later = {1L << 60, 0};
  SAY(syscall(SYS_settimeofday, &far, NULL));
  SAY(syscall(SYS_clock_settime, CLOCK_REALTIME, &later));
  SAY(syscall(SYS_clock_settime, -1, BAD));  // the CPU clock of a process that there is not
  SAY(syscall(SYS_clock_settime, -1, &later));
  SAY(syscall(SYS_clock_nanosleep, -1, 0, BAD, NULL));
  SAY(syscall(SYS_clock_nanosleep, -1, 0, &later, NULL));
  siginfo_t info = {0};
  SAY(syscall(SYS_rt_tgsigqueueinfo, 0, 0, 0, BAD));
  SAY(syscall(SYS_rt_tgsigqueueinfo, 0, 0, 0, &info));
  SAY(syscall(SYS_quotactl, 0x80000103, NULL, 0, NULL));  // Q_SYNC of a type that there is not
  SAY(syscall(SYS_quotactl, 0x80000100, NULL, 0, NULL));
  SAY(syscall(SYS_quotactl, 0x80000700, NULL, 0, NULL));
  SAY(syscall(SYS_quotactl, 0x80000700, "none", 0, NULL));
  SAY(syscall(SYS_quotactl, 0x80000700, ".", 0, NULL));
  SAY(syscall(SYS_quotactl_fd, -1, 3, 0, NULL));
  SAY(syscall(SYS_quotactl_fd, 1, 3, 0, NULL));
}

// readv and writev look at what the descriptor can do, at the array, and at the file only if there is
// anything to transfer.
static void vectors(int file) {
  struct iovec none = {BAD, 0}, bad = {BAD, 1};
  int p[2], ev = eventfd(0, EFD_NONBLOCK), closed[2];
  if (pipe(p) != 0 || pipe(closed) != 0) return;
  close(closed[0]);
  signal(SIGPIPE, SIG_IGN);
  int dir = open(".", O_RDONLY), full = open("/dev/full", O_RDWR);
  SAY_NUMBER(readv(dir, &none, 1));
  SAY_NUMBER(readv(dir, &bad, 1));
  SAY_NUMBER(read(dir, BAD, 0));
  SAY_NUMBER(readv(p[0], &none, 1));
  SAY_NUMBER(preadv(p[0], &none, 1, 0));
  SAY_NUMBER(writev(closed[1], &none, 1));
  SAY_NUMBER(writev(closed[1], &bad, 1));
  SAY_NUMBER(writev(full, &none, 1));
  SAY_NUMBER(write(full, "", 0));
  SAY_NUMBER(readv(ev, &none, 1));
  SAY_NUMBER(writev(ev, &none, 1));
  SAY_NUMBER(read(ev, BAD, 0));
  SAY_NUMBER(pread(ev, BAD, 8, 0));
  SAY_NUMBER(preadv2(-1, &none, 1, 0, 0x8000));
  SAY_NUMBER(preadv2(file, &none, 1, 0, 0x8000));
  SAY_NUMBER(preadv2(file, &bad, 1, 0, 0x8000));
  SAY_NUMBER(pwritev2(p[1], &none, 1, -1, RWF_DSYNC));
  SAY_NUMBER(pwritev2(file, &none, 1, -2, 0x8000));
  SAY_NUMBER(readv(file, BAD, 1));
  SAY_NUMBER(readv(-1, NULL, 0));
}

int main(void) {
  int file = open("file", O_RDWR | O_CREAT, 0600);
  files(file);
  mounting(file);
  procfs();
  sockets(file);
  memory(file);
  others();
  vectors(file);
  return 0;
}
