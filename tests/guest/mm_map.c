// mmap, mprotect, mremap, madvise, mincore, mlock: forms, effects and errors.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
enum { P = 4096 };

static int touch(volatile char* p, int write) {
  fflush(stdout);
  pid_t c = fork();
  if (c == 0) {
    if (write)
      *p = 1;
    else
      (void)*p;
    _exit(0);
  }
  int st;
  waitpid(c, &st, 0);
  return WIFSIGNALED(st) ? WTERMSIG(st) : 0;
}
static char* area(size_t pages) { return mmap(NULL, pages * P, RW, ANON, -1, 0); }
// The maps that cover [p, p + pages): number, and permissions of each.
static void maps(const char* what, char* p, size_t pages) {
  FILE* f = fopen("/proc/self/maps", "r");
  char line[512], perm[8];
  unsigned long start, end;
  printf("%s:", what);
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "%lx-%lx %7s", &start, &end, perm) == 3 && start < (uintptr_t)p + pages * P &&
        end > (uintptr_t)p) {
      unsigned long s = start < (uintptr_t)p ? (uintptr_t)p : start;
      unsigned long e = end > (uintptr_t)p + pages * P ? (uintptr_t)p + pages * P : end;
      printf(" %lu+%lu%s", (s - (uintptr_t)p) / P, (e - s) / P, perm);
    }
  puts("");
  fclose(f);
}
static void resident(const char* what, char* p, size_t pages) {
  unsigned char v[16];
  if (mincore(p, pages * P, v) != 0) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    return;
  }
  printf("%s:", what);
  for (size_t i = 0; i < pages; i++) printf(" %d", v[i] & 1);
  puts("");
}
static long locked_kb(void) {
  FILE* f = fopen("/proc/self/status", "r");
  char line[256];
  long kb = -1;
  while (fgets(line, sizeof line, f)) sscanf(line, "VmLck: %ld", &kb);
  fclose(f);
  return kb;
}

// Which of the codes that depend on advice and locks are among the VmFlags of smaps.
static void vm_flags(const char* what, char* p) {
  static const char* const codes[] = {"lo", "sr", "rr", "dc", "lf", "wf", "dd", "hg", "nh", "mg"};
  FILE* f = fopen("/proc/self/smaps", "r");
  char line[512];
  unsigned long start, end;
  int here = 0;
  printf("%s:", what);
  while (fgets(line, sizeof line, f)) {
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2) here = start <= (uintptr_t)p && (uintptr_t)p < end;
    if (!here || strncmp(line, "VmFlags:", 8) != 0) continue;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
      char code[8];
      snprintf(code, sizeof code, " %s ", codes[i]);
      if (strstr(line, code)) printf(" %s", codes[i]);
    }
  }
  puts("");
  fclose(f);
}
static void hints(void) {
  static const struct {
    int advice;
    const char* name;
  } all[] = {{MADV_SEQUENTIAL, "SEQUENTIAL"}, {MADV_RANDOM, "RANDOM"},         {MADV_NORMAL, "NORMAL"},
             {MADV_HUGEPAGE, "HUGEPAGE"},     {MADV_NOHUGEPAGE, "NOHUGEPAGE"}, {MADV_DONTDUMP, "DONTDUMP"},
             {MADV_DODUMP, "DODUMP"},         {MADV_DONTFORK, "DONTFORK"},     {MADV_DOFORK, "DOFORK"},
             {MADV_WIPEONFORK, "WIPEONFORK"}};
  char* p = area(6);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (madvise(p + P, P, all[i].advice)) printf("%s ", strerrorname_np(errno));
    vm_flags(all[i].name, p + P);
    maps("  maps", p, 3);
  }
  SAY(mlock2(p + 3 * P, P, MLOCK_ONFAULT));
  vm_flags("locked on fault", p + 3 * P);
  SAY(mlock(p + 3 * P, P));
  vm_flags("locked", p + 3 * P);
  SAY(munlock(p + 3 * P, P));
  vm_flags("unlocked", p + 3 * P);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int file = open("file", O_RDWR | O_CREAT, 0600);
  if (ftruncate(file, 4 * P)) return 1;
  for (int i = 0; i < 4; i++)
    if (pwrite(file, &"abcd"[i], 1, i * P) != 1) return 1;
  int ro = open("file", O_RDONLY), wo = open("file", O_WRONLY), path = open("file", O_PATH);

  puts("-- mmap: errors");
  SAY(mmap(NULL, 0, RW, ANON, -1, 0));
  SAY(mmap(NULL, P, RW, ANON, -1, 1));
  SAY(mmap(NULL, P, RW, MAP_ANONYMOUS, -1, 0));
  SAY(mmap(NULL, (size_t)1 << 60, RW, ANON, -1, 0));
  SAY(mmap(NULL, -1UL, RW, ANON, -1, 0));
  SAY(mmap(NULL, P, RW, MAP_SHARED, ro, 0));
  SAY(mmap(NULL, P, RW, MAP_PRIVATE, ro, 0));
  SAY(mmap(NULL, P, PROT_READ, MAP_SHARED, wo, 0));
  SAY(mmap(NULL, P, PROT_READ, MAP_SHARED, path, 0));
  SAY(mmap(NULL, P, PROT_READ, MAP_SHARED, 99, 0));
  SAY(mmap(NULL, P, PROT_READ, MAP_SHARED, file, P / 2));
  SAY(mmap((void*)(P / 2), P, PROT_READ, ANON | MAP_FIXED, -1, 0));
  SAY(mmap((void*)0x7ffffffff000, P, PROT_READ, ANON | MAP_FIXED, -1, 0));
  SAY(mmap(NULL, P, RW, MAP_SHARED_VALIDATE, file, 0));
  SAY(mmap(NULL, P, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
  SAY(mmap(NULL, P, RW, MAP_SHARED_VALIDATE | MAP_SYNC, file, 0));
  SAY(mmap(NULL, P, RW, MAP_SHARED_VALIDATE | 0x2000000, file, 0));
  SAY(mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
  SAY(mmap(NULL, P, RW, MAP_PRIVATE | MAP_GROWSDOWN, file, 0));
  int pp[2];
  if (pipe(pp)) return 1;
  SAY(mmap(NULL, P, PROT_READ, MAP_PRIVATE, pp[0], 0));
  int dir = open(".", O_RDONLY);
  SAY(mmap(NULL, P, PROT_READ, MAP_PRIVATE, dir, 0));
  int proc = open("/proc/self/status", O_RDONLY);
  SAY(mmap(NULL, P, PROT_READ, MAP_PRIVATE, proc, 0));

  puts("-- mmap: places");
  char* a = area(8);
  munmap(a + 2 * P, 4 * P);
  printf("hint taken %d\n", mmap(a + 3 * P, P, RW, ANON, -1, 0) == a + 3 * P);
  printf("hint not taken %d\n", mmap(a + 3 * P, P, RW, ANON, -1, 0) != a + 3 * P);
  SAY(mmap(a + 3 * P, P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
  SAY(mmap(a + 2 * P, 2 * P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
  printf("free %d\n", mmap(a + 2 * P, P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == a + 2 * P);
  a[0] = 1;
  printf("replaced %d", mmap(a, P, RW, ANON | MAP_FIXED, -1, 0) == a);
  printf(" %d\n", a[0]);
  printf("low %d\n", (uintptr_t)mmap(NULL, P, RW, ANON | MAP_32BIT, -1, 0) < 0x80000000u);
  char* pop = mmap(NULL, 4 * P, RW, ANON | MAP_POPULATE, -1, 0);
  resident("populated", pop, 4);
  char* lazy = area(4);
  lazy[P] = 1;
  resident("touched", lazy, 4);
  SAY(mincore(lazy + 1, P, (unsigned char*)a));
  SAY(mincore(lazy, P, NULL));
  SAY(mincore((void*)(1UL << 46), P, (unsigned char*)a));
  int zero = open("/dev/zero", O_RDWR);
  char* z = mmap(NULL, P, RW, MAP_SHARED, zero, 0);
  printf("zero %d\n", z != MAP_FAILED && z[0] == 0);

  puts("-- munmap");
  SAY(munmap(a + 1, P));
  SAY(munmap(a, 0));
  SAY(munmap(a, 1));
  SAY(munmap(a, P));
  SAY(munmap((void*)0x7fffffffe000, 1UL << 48));

  puts("-- mprotect");
  char* m = area(6);
  maps("before", m, 6);
  SAY(mprotect(m + P, P, PROT_READ));
  SAY(mprotect(m + 3 * P, P, PROT_NONE));
  SAY(mprotect(m + 4 * P, P, RW | PROT_EXEC));
  maps("after", m, 6);
  printf("signals %d %d %d %d\n", touch(m + P, 1), touch(m + P, 0), touch(m + 3 * P, 0), touch(m + 4 * P, 1));
  SAY(mprotect(m + 1, P, RW));
  SAY(mprotect(m, P, 0x100));
  SAY(mprotect(m, 0, RW));
  SAY(mprotect(m, P, PROT_GROWSDOWN | RW));
  SAY(mprotect(m, P, PROT_GROWSUP | RW));
  SAY(mprotect(m, P, PROT_GROWSUP | PROT_GROWSDOWN | RW));
  munmap(m + 2 * P, P);
  SAY(mprotect(m, 6 * P, PROT_NONE));
  maps("up to the hole", m, 6);
  SAY(mprotect(m + P, 2 * P, RW));
  maps("again", m, 6);
  char* s = mmap(NULL, 2 * P, PROT_READ, MAP_SHARED, ro, 0);
  SAY(mprotect(s, P, RW));
  SAY(mprotect(s, P, PROT_READ | PROT_EXEC));

  puts("-- mremap");
  char* to = area(4);
  char* r = area(4);
  strcpy(r, "moved");
  munmap(r + 3 * P, P);
  printf("in place %d\n", mremap(r, 3 * P, 4 * P, 0) == r);
  char* block = mmap(r + 4 * P, P, PROT_READ, ANON | MAP_FIXED, -1, 0);
  SAY(mremap(r, 4 * P, 8 * P, 0));
  char* r2 = mremap(r, 4 * P, 8 * P, MREMAP_MAYMOVE);
  printf("moved %d %s\n", r2 != r, r2);
  SAY(mincore(r, P, (unsigned char*)to));
  SAY(mremap(r, P, 2 * P, MREMAP_MAYMOVE));
  printf("shrunk %d\n", mremap(r2, 8 * P, 2 * P, 0) == r2);
  SAY(mincore(r2 + 2 * P, P, (unsigned char*)to));
  printf("fixed %d", mremap(r2, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
  printf(" %s\n", to);
  SAY(mremap(to, P, P, MREMAP_FIXED, to + P));
  SAY(mremap(to, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, to + P));
  SAY(mremap(to, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, to + 1));
  SAY(mremap(to, P, 0, MREMAP_MAYMOVE));
  SAY(mremap(to + 1, P, P, MREMAP_MAYMOVE));
  SAY(mremap(to, P, P, 0x100));
  SAY(mremap(to, 0, P, MREMAP_MAYMOVE));
  strcpy(to, "dont unmap");
  char* du = mremap(to, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  printf("DONTUNMAP: new '%s' old '%s'\n", du, to);
  SAY(mremap(du, 2 * P, P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
  SAY(mremap(du, 2 * P, 2 * P, MREMAP_DONTUNMAP, NULL));
  char* fs = mmap(NULL, 2 * P, RW, MAP_SHARED, file, 0);
  char* dup = mremap(fs, 0, P, MREMAP_MAYMOVE);
  dup[0] = 'A';
  printf("second view of a shared map %c\n", fs[0]);
  char* big = mremap(fs, 2 * P, 4 * P, MREMAP_MAYMOVE);
  printf("file pages %c %c %c %c\n", big[0], big[P], big[2 * P], big[3 * P]);
  SAY(mremap(big, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
  char* two = area(4);
  mprotect(two + 2 * P, 2 * P, PROT_READ);
  SAY(mremap(two, 4 * P, 6 * P, MREMAP_MAYMOVE));
  munmap(two + P, P);
  SAY(mremap(two, 2 * P, 3 * P, MREMAP_MAYMOVE));
  (void)block;

  puts("-- madvise");
  char* d = area(4);
  memset(d, 'x', 4 * P);
  SAY(madvise(d, 2 * P, MADV_DONTNEED));
  printf("zero %d, kept %c\n", d[0], d[2 * P]);
  SAY(madvise(d + 1, P, MADV_DONTNEED));
  SAY(madvise(d, P, 12345));
  SAY(madvise(d, 0, MADV_DONTNEED));
  SAY(madvise(d, 2 * P, MADV_FREE));
  d[0] = 'n';  // not free any more
  printf("written after MADV_FREE %c\n", d[0]);
  SAY(madvise(d, P, MADV_HUGEPAGE));
  SAY(madvise(d, P, MADV_WILLNEED));
  SAY(madvise(d, P, MADV_REMOVE));
  munmap(d + P, P);
  SAY(madvise(d, 4 * P, MADV_DONTNEED));
  printf("behind the hole %d\n", d[3 * P]);
  char* sh = mmap(NULL, 2 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  memset(sh, 'y', 2 * P);
  SAY(madvise(sh, P, MADV_DONTNEED));
  printf("shared memory kept %c\n", sh[0]);
  SAY(madvise(sh, P, MADV_REMOVE));
  printf("removed %d %c\n", sh[0], sh[P]);
  SAY(madvise(sh, P, MADV_FREE));
  char* fp = mmap(NULL, P, RW, MAP_PRIVATE, file, P);
  fp[0] = 'Z';
  SAY(madvise(fp, P, MADV_DONTNEED));
  printf("file page again %c\n", fp[0]);
  char* wf = area(2);
  strcpy(wf, "secret");
  SAY(madvise(wf, P, MADV_WIPEONFORK));
  char* df = area(1);
  SAY(madvise(df, P, MADV_DONTFORK));
  fflush(stdout);
  if (fork() == 0) {
    printf("child: '%s', dont-fork %s\n", wf,
           mincore(df, P, (unsigned char*)a) == 0 ? "there" : strerrorname_np(errno));
    exit(0);
  }
  wait(NULL);
  printf("dont-fork %d\n", touch(df, 0));
  SAY(madvise(sh, P, MADV_WIPEONFORK));
  SAY(madvise(wf, P, MADV_POPULATE_WRITE));
  resident("populated by advice", wf, 2);

  puts("-- what smaps shows of it");
  hints();

  puts("-- mlock");
  struct rlimit rl = {8 * P, 8 * P};
  setrlimit(RLIMIT_MEMLOCK, &rl);
  char* l = area(16);
  printf("locked %ld\n", locked_kb());
  SAY(mlock(l, 4 * P));
  SAY(madvise(l, P, MADV_DONTNEED));
  SAY(madvise(l, P, MADV_COLD));
  SAY(madvise(l, P, MADV_PAGEOUT));
  l[0] = 'l';
  SAY(madvise(l, P, 24));  // MADV_DONTNEED_LOCKED
  printf("byte %d\n", l[0]);
  resident("locked pages", l, 4);
  printf("locked %ld\n", locked_kb());
  SAY(mlock(l, 8 * P));
  SAY(mlock(l + 4 * P, 5 * P));
  SAY(mlock(l + 100, 1));
  SAY(munlock(l, P));
  printf("locked %ld\n", locked_kb());
  char* gap = area(4);  // a range with a hole: locked, or not, up to it
  munmap(gap + 2 * P, P);
  SAY(mlock(gap, 4 * P));
  printf("locked %ld\n", locked_kb());
  resident("not brought in", gap, 2);
  SAY(munlock(gap, 4 * P));
  printf("locked %ld\n", locked_kb());
  SAY(mlock(gap + 2 * P, 2 * P));
  printf("locked %ld\n", locked_kb());
  munmap(gap, 4 * P);
  SAY(mlock2(l, P, 2));
  SAY(mlock2(l, P, MLOCK_ONFAULT));
  SAY(madvise(l, P, MADV_DONTNEED));
  SAY(msync(l, P, MS_INVALIDATE));
  SAY(mlockall(0));
  SAY(mlockall(8));
  SAY(mlockall(MCL_CURRENT));
  SAY(mmap(NULL, 8 * P, RW, ANON | MAP_LOCKED, -1, 0));
  SAY(mmap(NULL, 2 * P, RW, ANON | MAP_LOCKED, -1, 0));
  printf("locked %ld\n", locked_kb());
  SAY(munlockall());
  printf("locked %ld\n", locked_kb());
  SAY(mlockall(MCL_FUTURE));
  SAY(mmap(NULL, 16 * P, RW, ANON, -1, 0));
  SAY(mmap(NULL, 2 * P, RW, ANON, -1, 0));
  printf("locked %ld\n", locked_kb());
  SAY(munlockall());
  rl = (struct rlimit){0, 0};
  setrlimit(RLIMIT_MEMLOCK, &rl);
  SAY(mlock(l, P));
  SAY(mlockall(MCL_CURRENT));
  SAY(mmap(NULL, P, RW, ANON | MAP_LOCKED, -1, 0));

  puts("-- remap_file_pages, userfaultfd, brk");
  char* rf = mmap(NULL, 4 * P, RW, MAP_SHARED, file, 0);
  SAY(remap_file_pages(rf, P, 0, 2, 0));
  printf("%c %c\n", rf[0], rf[P]);
  SAY(remap_file_pages(rf, P, PROT_READ, 2, 0));
  SAY(remap_file_pages(l, P, 0, 2, 0));
  SAY(syscall(SYS_userfaultfd, 0));
  char* b = sbrk(0);
  SAY(brk(b + 3 * P));
  b[3 * P - 1] = 1;
  printf("grown %d\n", sbrk(0) == (void*)(b + 3 * P));
  SAY(brk(b));
  for (int i = 0; i < 3; ++i)  // too far up
    printf("stays %d\n", syscall(SYS_brk, ((long[]){-1, -4096, 0x7ffffffff001})[i]) == (long)b);
  printf("below the heap %d\n", (long)syscall(SYS_brk, 1) == (long)b);
  return 0;
}
