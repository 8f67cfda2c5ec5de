// System call instructions that are jumped into, moved, replaced, written over, shared by racing threads and
// copied by fork, all of them hot.
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOT = 300, SITES = 64, THREADS = 8 };

// Jumps into the middle: behind the mov, and behind the syscall.
__asm__(
    ".text\n.globl before, before_syscall, after, after_cmp\n"
    "before: mov $39,%eax\nbefore_syscall: syscall\n ret\n"
    // long after(int nr, long value): 1 if the result is an error
    "after: mov %edi,%eax\n syscall\nafter_cmp: cmp $-4095,%rax\n setae %al\n movzbl %al,%eax\n ret\n"
    // long enter(void* code, long rax)
    ".globl enter\nenter: mov %rsi,%rax\n jmp *%rdi\n");
long before(void), after(int), enter(const void*, long);
extern char before_syscall[], after_cmp[];

static void middle(void) {
  int good = 1;
  for (int i = 0; i < HOT; ++i) good &= before() == getpid() && after(SYS_getpid) == 0;
  printf("hot: %s\n", good ? "right" : "wrong");
  good = 1;
  for (int i = 0; i < HOT; ++i) {
    good &= enter(before_syscall, SYS_getuid) == (long)getuid();
    good &= enter(after_cmp, -1) == 1 && enter(after_cmp, -5000) == 0 && enter(after_cmp, 17) == 0;
  }
  printf("entered in the middle: %s\n", good ? "right" : "wrong");
}

// Code in files: mov $nr,%eax; syscall; ret, or with the number in edi and a cmp.
static size_t put_code(uint8_t* p, int nr, int with_cmp) {
  static const uint8_t cmp[] = {0x89, 0xf8, 0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0xc3};
  uint8_t mov[] = {0xb8, (uint8_t)nr, 0, 0, 0, 0x0f, 0x05, 0xc3};
  memset(p, 0x90, 16);
  if (with_cmp) {
    memcpy(p + 16, cmp, sizeof cmp);
    return 16;
  }
  memcpy(p + 16, mov, sizeof mov);
  return 16;
}

static int code_file(int nr, int with_cmp) {
  char path[] = "code.XXXXXX";
  uint8_t page[4096];
  memset(page, 0xc3, sizeof page);
  put_code(page, nr, with_cmp);
  int fd = mkstemp(path);
  unlink(path);
  if (fd < 0 || write(fd, page, sizeof page) != sizeof page) exit(2);
  return fd;
}

static void remapped(void) {
  int numbers[] = {SYS_getpid, SYS_getuid, SYS_getppid, SYS_getpid};
  uint8_t* at = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int good = 1;
  for (int round = 0; round < 8; ++round) {
    int nr = numbers[round % 4], with_cmp = round / 2 % 2, fd = code_file(nr, with_cmp);
    if (round % 3 == 0) munmap(at, 4096);
    if (mmap(at, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) != at) exit(2);
    close(fd);
    long (*f)(int) = (long (*)(int))(at + 16);
    for (int i = 0; i < HOT; ++i) good &= f(nr) == syscall(nr);
  }
  // Thrown away pages come back as they are in the file.
  madvise(at, 4096, MADV_DONTNEED);
  long (*f)(int) = (long (*)(int))(at + 16);
  for (int i = 0; i < HOT; ++i) good &= f(SYS_getpid) == getpid();
  munmap(at, 4096);
  printf("mapped again: %s\n", good ? "right" : "wrong");
}

static void self_modifying(void) {
  uint8_t* p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int good = 1;
  long (*f)(void) = (long (*)(void))(p + put_code(p, SYS_getpid, 0));
  for (int i = 0; i < HOT; ++i) good &= f() == getpid();
  for (int i = 0; i < HOT; ++i) {
    p[17] = i % 2 ? SYS_getpid : SYS_getppid;
    good &= f() == (i % 2 ? getpid() : getppid());
  }
  // A private copy of file code that was hot, made writable and changed.
  int fd = code_file(SYS_getpid, 0);
  uint8_t* q = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  f = (long (*)(void))(q + 16);
  for (int i = 0; i < HOT; ++i) good &= f() == getpid();
  mprotect(q, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
  put_code(q, SYS_getuid, 0);
  for (int i = 0; i < HOT; ++i) good &= f() == (long)getuid();
  printf("self-modifying: %s\n", good ? "right" : "wrong");
}

// A table of equal sites that nobody has used yet.
#define TABLE(name, code) \
  __asm__(".text\n.balign 64\n.globl " name "\n" name ":\n.rept 64\n" code "\n.balign 32\n.endr\n")
TABLE("table_mov", "mov $39,%eax\n syscall\n ret");
TABLE("table_cmp", "mov %edi,%eax\n syscall\n cmp $-4095,%rax\n jae 1f\n1: ret");
TABLE("table_fork_mov", "mov $39,%eax\n syscall\n ret");
TABLE("table_fork_cmp", "mov %edi,%eax\n syscall\n cmp $-4095,%rax\n jae 1f\n1: ret");
extern char table_mov[], table_cmp[], table_fork_mov[], table_fork_cmp[];

static pthread_barrier_t barrier;

static long call_all(const char* table, long pid, int rounds) {
  long bad = 0;
  for (int i = 0; i < rounds; ++i)
    for (int s = 0; s < SITES; ++s) {
      long (*f)(int) = (long (*)(int))(table + 32 * s);
      bad += f(SYS_getpid) != pid;
    }
  return bad;
}

static void* racer(void* arg) {
  long pid = getpid(), bad = 0;
  (void)arg;
  for (int s = 0; s < SITES; ++s) {
    // All meet at each site, so that the one that changes it meets others inside.
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 40; ++i) {
      long (*f)(int) = (long (*)(int))(table_mov + 32 * s), (*g)(int) = (long (*)(int))(table_cmp + 32 * s);
      bad += f(SYS_getpid) != pid;
      bad += g(SYS_getpid) != pid;
    }
  }
  return (void*)bad;
}

static void race(void) {
  pthread_t t[THREADS];
  long bad = 0;
  pthread_barrier_init(&barrier, NULL, THREADS);
  for (int i = 0; i < THREADS; ++i) pthread_create(&t[i], NULL, racer, NULL);
  for (int i = 0; i < THREADS; ++i) {
    void* r;
    pthread_join(t[i], &r);
    bad += (long)r;
  }
  printf("threads racing through: %ld wrong\n", bad);
}

static void* heat(void* arg) {
  (void)arg;
  return (void*)(call_all(table_fork_mov, getpid(), 60) + call_all(table_fork_cmp, getpid(), 60));
}

static void forks(char* self) {
  pthread_t t[2];
  int bad = 0;
  for (int i = 0; i < 2; ++i) pthread_create(&t[i], NULL, heat, NULL);
  for (int i = 0; i < 12; ++i) {
    pid_t child = fork();
    if (child == 0) {
      if (i % 3 == 0) execl(self, self, "child", (char*)NULL);
      _exit(call_all(table_fork_mov, getpid(), 3) + call_all(table_fork_cmp, getpid(), 3) != 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    bad += status != 0;
  }
  for (int i = 0; i < 2; ++i) {
    void* r;
    pthread_join(t[i], &r);
    bad += r != NULL;
  }
  printf("fork and exec meanwhile: %d wrong\n", bad);
}

int main(int argc, char** argv) {
  if (argc > 1) return call_all(table_mov, getpid(), 10) + call_all(table_cmp, getpid(), 10) != 0;
  middle();
  remapped();
  self_modifying();
  race();
  forks(argv[0]);
  return 0;
}
