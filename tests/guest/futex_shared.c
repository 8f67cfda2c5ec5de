// Futexes across processes: anonymous shared memory, files, private mappings, and which operations meet.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long futex(void* a, int op, uint32_t v, const void* t, void* b, uint32_t v3) {
  return syscall(SYS_futex, a, op, v, t, b, v3);
}

static const struct timespec LONG = {3, 0}, SHORT = {0, 150000000};

// Until the child sleeps (or has already ended).
static void settle(pid_t pid) {
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  for (;;) {
    memset(text, 0, sizeof text);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0) return;
    close(fd);
    const char* state = strrchr(text, ')');
    if (state != NULL && (state[2] == 'S' || state[2] == 'Z')) return;
    usleep(1000);
  }
}

// A child waits at `there` with `op`; the parent wakes at `here`. Prints what both saw.
static void meet(const char* name, _Atomic uint32_t* here, _Atomic uint32_t* there, int wait_op, int wake_op,
                 const struct timespec* patience) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    long r = futex(there, wait_op, 0, patience, NULL, 0);
    _exit(r == 0 ? 0 : errno);
  }
  settle(pid);
  long n = futex(here, wake_op, 10, NULL, NULL, 0);
  int status;
  waitpid(pid, &status, 0);
  int code = WEXITSTATUS(status);
  printf("%s: woke %ld, waiter %s\n", name, n, code == 0 ? "woken" : strerrorname_np(code));
}

int main(void) {
  char path[] = "futex_fileXXXXXX";
  int fd = mkstemp(path);
  unlink(path);
  if (ftruncate(fd, 3 * 4096) != 0) return 1;
  _Atomic uint32_t* anon = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  _Atomic uint32_t* priv = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  _Atomic uint32_t* file = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  _Atomic uint32_t* again = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
  _Atomic uint32_t* read_only = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
  int mem = memfd_create("futex", 0);
  if (ftruncate(mem, 4096) != 0) return 1;
  _Atomic uint32_t* mem1 = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
  _Atomic uint32_t* mem2 = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);

  meet("anonymous", anon, anon, FUTEX_WAIT, FUTEX_WAKE, &LONG);
  meet("anonymous, second page", anon + 1024, anon + 1024, FUTEX_WAIT, FUTEX_WAKE, &LONG);
  meet("other word", anon + 1, anon, FUTEX_WAIT, FUTEX_WAKE, &SHORT);
  meet("private operations", anon, anon, FUTEX_WAIT_PRIVATE, FUTEX_WAKE_PRIVATE, &SHORT);
  meet("mixed operations", anon, anon, FUTEX_WAIT, FUTEX_WAKE_PRIVATE, &SHORT);
  meet("private memory", priv, priv, FUTEX_WAIT, FUTEX_WAKE, &SHORT);
  meet("file", file, file, FUTEX_WAIT, FUTEX_WAKE, &LONG);
  meet("file at two addresses", file + 1024 + 5, again + 5, FUTEX_WAIT, FUTEX_WAKE, &LONG);
  meet("read-only mapping", file + 1024 + 7, read_only + 7, FUTEX_WAIT, FUTEX_WAKE, &LONG);
  meet("file, other page", file, again, FUTEX_WAIT, FUTEX_WAKE, &SHORT);
  meet("memfd", mem1 + 3, mem2 + 3, FUTEX_WAIT, FUTEX_WAKE, &LONG);

  // After an unmap of the first page the second one keeps its identity.
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    munmap(anon, 4096);
    _exit(futex(anon + 1024, FUTEX_WAIT, 0, &LONG, NULL, 0) == 0 ? 0 : errno);
  }
  settle(pid);
  printf("after a partial unmap: woke %ld\n", futex(anon + 1024, FUTEX_WAKE, 1, NULL, NULL, 0));
  int status;
  waitpid(pid, &status, 0);
  printf("child: %d\n", WEXITSTATUS(status));

  // Requeue from one process's waiters to another word.
  pid = fork();
  if (pid == 0) _exit(futex(anon, FUTEX_WAIT, 0, &LONG, NULL, 0) == 0 ? 0 : errno);
  settle(pid);
  printf("requeued %ld\n", futex(anon, FUTEX_CMP_REQUEUE, 0, (void*)5, file, 0));
  printf("woke %ld\n", futex(anon, FUTEX_WAKE, 5, NULL, NULL, 0));
  printf("woke %ld\n", futex(file, FUTEX_WAKE, 5, NULL, NULL, 0));
  waitpid(pid, &status, 0);
  printf("child: %d\n", WEXITSTATUS(status));
  return 0;
}
