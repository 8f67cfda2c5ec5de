// Core files (core(5)): when there is one, the wait status, and that its registers and memory are those of
// the end.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile uint64_t marked = 0x1111;
static uint8_t *heap, *secret;

static void limit(rlim_t n) { setrlimit(RLIMIT_CORE, &(struct rlimit){n, RLIM_INFINITY}); }

static void fault(void) {
  marked = 0x5ca1ab1e;
  memset(heap, 0x77, 3 * 4096);
  // Recognisable registers at the fault.
  __asm__ volatile("mov $0x4711, %%r12d; mov $0x1234567, %%r13d; movl $1, (%%r12)" ::
                       : "r12", "r13", "memory");
}

static void run(const char* name, int sig, void (*before)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    limit(RLIM_INFINITY);
    if (before) before();
    if (sig == SIGSEGV) fault();
    raise(sig);
    _exit(0);
  }
  siginfo_t si;
  int st;
  waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
  waitpid(pid, &st, 0);
  struct stat s;
  int there = lstat("core", &s) == 0;
  printf("%s: signal %d core flag %d code %d, file %d", name, WTERMSIG(st), WCOREDUMP(st) != 0, si.si_code,
         there);
  if (there)
    printf(" mode %o size %s", s.st_mode, s.st_size > 20000 ? "large" : s.st_size > 0 ? "small" : "0");
  puts("");
}

static void no_limit(void) { limit(0); }
static void tiny_limit(void) { limit(4095); }
static void small_limit(void) { limit(8192); }
static void not_dumpable(void) { prctl(PR_SET_DUMPABLE, 0); }
static void ignoring(void) { signal(SIGQUIT, SIG_IGN); }

static uint8_t* image;
static size_t image_size;
static void load(void) {
  int fd = open("core", O_RDONLY);
  struct stat s;
  fstat(fd, &s);
  image_size = (size_t)s.st_size;
  image = malloc(image_size);
  size_t got = 0;
  ssize_t n;
  while ((n = read(fd, image + got, image_size - got)) > 0) got += (size_t)n;
  close(fd);
}

// What the core file has at an address; null if nothing.
static const void* at(uint64_t addr) {
  const Elf64_Ehdr* h = (void*)image;
  const Elf64_Phdr* p = (void*)(image + h->e_phoff);
  for (int i = 0; i < h->e_phnum; i++)
    if (p[i].p_type == PT_LOAD && addr >= p[i].p_vaddr && addr - p[i].p_vaddr < p[i].p_filesz)
      return image + p[i].p_offset + (addr - p[i].p_vaddr);
  return NULL;
}

static void look(void) {
  const Elf64_Ehdr* h = (void*)image;
  const Elf64_Phdr* p = (void*)(image + h->e_phoff);
  printf("ELF %d type %d machine %d\n", memcmp(h->e_ident, ELFMAG, SELFMAG) == 0, h->e_type, h->e_machine);
  const uint8_t* note = NULL;
  size_t left = 0;
  int loads = 0;
  for (int i = 0; i < h->e_phnum; i++) {
    if (p[i].p_type == PT_NOTE) note = image + p[i].p_offset, left = p[i].p_filesz;
    loads += p[i].p_type == PT_LOAD;
  }
  printf("many segments %d\n", loads > 5);
  unsigned seen = 0;
  while (left > sizeof(Elf64_Nhdr)) {
    const Elf64_Nhdr* n = (void*)note;
    const uint8_t* desc = note + sizeof *n + ((n->n_namesz + 3) & ~3u);
    if (n->n_type == NT_PRSTATUS) {
      const struct elf_prstatus* s = (void*)desc;
      const uint64_t* r = (void*)&s->pr_reg;  // r15, r14, r13, r12, ...
      printf("prstatus: signal %d r13 %lx r12 %lx\n", s->pr_cursig, (unsigned long)r[2], (unsigned long)r[3]);
      seen |= 1;
    } else if (n->n_type == NT_PRPSINFO) {
      const struct elf_prpsinfo* s = (void*)desc;
      printf("prpsinfo: %.16s\n", s->pr_fname);
      seen |= 2;
    } else if (n->n_type == NT_SIGINFO) {
      const siginfo_t* s = (void*)desc;
      printf("siginfo: %d code %d addr %p\n", s->si_signo, s->si_code, s->si_addr);
      seen |= 4;
    } else if (n->n_type == NT_AUXV) {
      seen |= 8;
    } else if (n->n_type == NT_FILE) {
      seen |= 16;
    } else if (n->n_type == NT_FPREGSET) {
      seen |= 32;
    }
    size_t size = (size_t)(desc - note) + ((n->n_descsz + 3) & ~3u);
    if (size >= left) break;
    note += size, left -= size;
  }
  printf("notes %x\n", seen);
  const uint64_t* m = at((uint64_t)&marked);
  const uint8_t* e = at((uint64_t)heap + 2 * 4096);
  printf("memory: %lx %x, MADV_DONTDUMP %s\n", m ? (unsigned long)*m : 0, e ? *e : 0,
         at((uint64_t)secret) ? "there" : "left out");
}

int main(void) {
  char pattern[128] = "", pid = '1';
  int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY),
      fd2 = open("/proc/sys/kernel/core_uses_pid", O_RDONLY);
  if (read(fd, pattern, sizeof pattern - 1) < 0 || read(fd2, &pid, 1) < 0 || strcmp(pattern, "core\n") != 0 ||
      pid != '0') {
    printf("SKIPPED: core files have another name here\n");
    return 77;
  }
  umask(022);
  heap = malloc(16 * 4096);
  secret = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *secret = 1;
  madvise(secret, 4096, MADV_DONTDUMP);
  run("SIGSEGV", SIGSEGV, NULL);
  load();
  look();
  unlink("core");
  run("limit 0", SIGABRT, no_limit);
  run("less than a page", SIGABRT, tiny_limit);
  run("two pages", SIGABRT, small_limit);
  unlink("core");
  run("not dumpable", SIGABRT, not_dumpable);
  run("SIGTERM", SIGTERM, NULL);
  run("SIGQUIT ignored", SIGQUIT, ignoring);
  run("SIGQUIT", SIGQUIT, NULL);
  run("over the old one", SIGXCPU, NULL);
  unlink("core");
  if (symlink("elsewhere", "core") != 0) return 1;
  run("a link in the way", SIGABRT, NULL);
  unlink("core");
  mkdir("core", 0755);
  run("a directory in the way", SIGABRT, NULL);
  rmdir("core");
  return 0;
}
