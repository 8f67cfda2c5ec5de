// /proc/self/maps, smaps and mem: shape of the lines, and maps that the program makes itself.
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char text[1 << 20];

static void load(const char* path) {
  int fd = open(path, O_RDONLY);
  ssize_t n = 0, got;
  while (fd >= 0 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0) n += got;
  text[n] = 0;
  close(fd);
}

// "perms offset inode-is-zero name" of the line that covers `addr`.
static void show(const char* what, void* addr, int with_size) {
  load("/proc/self/maps");
  for (char* p = text; *p; p = strchr(p, '\n') + 1) {
    unsigned long start, end, offset, ino;
    char perms[8], name[4096] = "";
    if (sscanf(p, "%lx-%lx %7s %lx %*x:%*x %lu%*[ ]%4095[^\n]", &start, &end, perms, &offset, &ino, name) < 5)
      continue;
    if ((unsigned long)addr < start || (unsigned long)addr >= end) continue;
    char* base = name[0] == '/' ? strrchr(name, '/') : name;
    printf("%s: %s %lx %s [%s]", what, perms, offset, ino ? "inode" : "0", base);
    if (with_size) printf(" %lu pages at %lu", (end - start) / 4096, ((unsigned long)addr - start) / 4096);
    printf("\n");
    return;
  }
  printf("%s: not mapped\n", what);
}

// kB of `key` in the smaps entry that begins at `addr`.
static long smaps_kb(const void* addr, const char* key) {
  char head[32];
  snprintf(head, sizeof head, "\n%lx-", (unsigned long)addr);
  load("/proc/self/smaps");
  char* p = strstr(text, head);
  p = p ? strstr(p, key) : NULL;
  return p ? atol(p + strlen(key)) : -1;
}

// What is in memory: smaps and pagemap.
static void residency(void) {
  char* a = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(a + 6 * 4096, 4096, PROT_READ);  // an entry of its own
  a[0] = a[2 * 4096] = a[3 * 4096] = 1;
  printf("anonymous: size %ld rss %ld anonymous %ld dirty %ld\n", smaps_kb(a, "Size:"), smaps_kb(a, "Rss:"),
         smaps_kb(a, "Anonymous:"), smaps_kb(a, "Private_Dirty:"));
  uint64_t e[8];
  int map = open("/proc/self/pagemap", O_RDONLY);
  off_t at = (off_t)((uintptr_t)a / 4096 * 8);
  printf("pagemap %zd:", pread(map, e, sizeof e, at));
  for (int i = 0; i < 8; i++) printf(" %d", (int)(e[i] >> 63));
  madvise(a + 2 * 4096, 4096, MADV_DONTNEED);
  printf(", frame numbers %d, then %zd", (e[0] & ((1ULL << 55) - 1)) != 0, pread(map, e, 8, at + 16));
  printf(" %d, in pieces of words only: %zd", (int)(e[0] >> 63), pread(map, e, 7, at));
  printf(" %s", strerror(errno));
  printf(" %zd, behind the end %zd, by write %d\n", pread(map, e, 8, at + 4),
         pread(map, e, 8, (off_t)0x7ffffffff000 / 4096 * 8), open("/proc/self/pagemap", O_WRONLY));
  printf("after MADV_DONTNEED: rss %ld\n", smaps_kb(a, "Rss:"));

  int fd = open("resident", O_RDWR | O_CREAT, 0600);
  if (ftruncate(fd, 4 * 4096)) exit(1);
  char* f = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  char* s = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  f[4096] = 1;
  s[0] = 1;
  printf("private copy of a page of a file: anonymous %ld, shared %ld\n", smaps_kb(f, "Anonymous:"),
         smaps_kb(s, "Anonymous:"));
  munmap(f, 4 * 4096), munmap(s, 4 * 4096);
  unlink("resident");
}

int main(void) {
  int local = 0, zero = open("/dev/zero", O_RDWR);
  regex_t line;
  regcomp(&line,
          "^[0-9a-f]{8,16}-[0-9a-f]{8,16} [r-][w-][x-][sp] [0-9a-f]{8,} [0-9a-f]{2,}:[0-9a-f]{2,} [0-9]+ *( "
          "(/|\\[).*)?$",
          REG_EXTENDED);
  load("/proc/self/maps");
  char* copy = strdup(text);
  int count = 0, bad = 0, unaligned = 0, stack = 0, vdso = 0;
  unsigned long last = 0, sorted = 1;
  for (char* p = strtok(copy, "\n"); p; p = strtok(NULL, "\n")) {
    count++;
    bad += regexec(&line, p, 0, NULL, 0) != 0;
    char* name = strpbrk(p, "/[");
    unaligned += name && name - p != 73;
    stack += strstr(p, "[stack]") != NULL;
    vdso += strstr(p, "[vdso]") != NULL;
    sorted &= strtoul(p, NULL, 16) >= last;
    last = strtoul(p, NULL, 16);
  }
  printf("lines %s, bad %d, names off column %d, [stack] %d, [vdso] %d, sorted %lu\n",
         count > 10 ? "enough" : "few", bad, unaligned, stack, vdso, sorted);
  show("code", (void*)main, 0);
  show("stack", &local, 0);
  if (sbrk(8192) == (void*)-1) return 1;
  show("heap", (char*)sbrk(0) - 1, 0);

  char* a = mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* at = a + 4 * 4096;
  mmap(at, 4 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  show("readable", at, 1);
  mprotect(at + 4096, 4096, PROT_READ | PROT_WRITE);
  show("split, middle", at + 4096, 1);
  show("split, end", at + 3 * 4096, 1);
  mprotect(at + 4096, 4096, PROT_READ);
  show("merged", at + 3 * 4096, 1);
  mmap(at, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  show("shared anonymous", at, 1);
  munmap(at, 4096);
  show("unmapped", at, 1);
  mmap(at, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, zero, 0);
  show("/dev/zero private", at, 1);

  int fd = open("proc maps.tmp", O_RDWR | O_CREAT, 0600);
  if (ftruncate(fd, 3 * 4096) != 0) return 1;
  mmap(at, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 4096);
  close(fd);
  show("file", at, 1);
  show("file, second page", at + 4096, 1);
  munmap(at, 4096);
  show("file, rest", at + 4096, 1);
  unlink("proc maps.tmp");
  show("file unlinked", at + 4096, 1);
  fd = memfd_create("region", 0);
  if (ftruncate(fd, 4096) != 0) return 1;
  mmap(at, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
  show("memfd", at, 1);

  load("/proc/self/smaps");
  static const char* keys[] = {"Size",          "KernelPageSize", "MMUPageSize",  "Rss",
                               "Pss",           "Shared_Clean",   "Shared_Dirty", "Private_Clean",
                               "Private_Dirty", "Referenced",     "Anonymous",    "LazyFree",
                               "AnonHugePages", "ShmemPmdMapped", "Swap",         "SwapPss",
                               "Locked",        "THPeligible",    "VmFlags"};
  char* p = text;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    char key[32];
    snprintf(key, sizeof key, "\n%s:", keys[i]);
    char* found = strstr(p, key);
    if (!found) printf("smaps: %s missing\n", keys[i]);
    if (found) p = found;
  }
  load("/proc/self/smaps_rollup");
  static const char* parts[] = {"Pss", "Pss_Anon", "Pss_File", "Pss_Shmem"};
  long kb[4] = {0};
  for (int i = 0; i < 4; i++) {
    char key[32];
    snprintf(key, sizeof key, "\n%s:", parts[i]);
    char* found = strstr(text, key);
    if (found) kb[i] = atol(found + strlen(key));
  }
  long more = kb[0] - kb[1] - kb[2] - kb[3];  // each is rounded down
  printf("rollup: parts %d\n", kb[1] > 0 && kb[2] > 0 && more >= 0 && more < 4);
  load("/proc/self/smaps");
  printf("smaps Size line: %.24s\n", strstr(text, "Size: "));

  residency();

  int mem = open("/proc/self/mem", O_RDWR);
  int secret = 12345, got = 0;
  printf("mem read %zd", pread(mem, &got, sizeof got, (long)&secret));
  printf(" %d\n", got);
  got = 777;
  printf("mem write %zd", pwrite(mem, &got, sizeof got, (long)&secret));
  printf(" %d\n", *(volatile int*)&secret);
  ssize_t n = pread(mem, &got, sizeof got, 4096);
  printf("mem unmapped %s\n", n < 0 ? strerror(errno) : "read");
  return 0;
}
