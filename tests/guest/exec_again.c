// Programs one after the other, each of which leaves its address space and its registers as untidy as it can:
// the next one must not see anything of it, however the one before ended.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L
#define BURN_MS 30

// Nobody else maps these: low, beside the stub's window and high.
static char* const PLACES[] = {(char*)0x10000, (char*)0x20000000, (char*)0x6effff000000,
                               (char*)0x700000000000, (char*)0x7ffe00000000};

static long cpu_ms(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

static void look(const char* after) {
  uint32_t mxcsr, ymm15[8] = {0};
  uint16_t cw;
  __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(cw));
  if (__builtin_cpu_supports("avx")) __asm__ volatile(".byte 0xc5,0x7c,0x11,0x38" : : "a"(ymm15) : "memory");
  uint32_t any = 0;
  for (int i = 0; i < 8; i++) any |= ymm15[i];
  int mapped = 0;
  unsigned char in;
  for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++)
    mapped += mincore(PLACES[i], PAGE, &in) == 0 || errno != ENOMEM;
  stack_t ss;
  sigaltstack(NULL, &ss);
  uint64_t gs;
  __asm__ volatile("mov %%gs,%0" : "=r"(gs));
  printf(
      "after %s: mxcsr %x cw %x ymm15 %s, places mapped %d, altstack %d, gs %d, vdso %d, used much CPU time "
      "%d\n",
      after, mxcsr, cw, any ? "used" : "0", mapped, ss.ss_flags, (int)gs, getauxval(AT_SYSINFO_EHDR) != 0,
      cpu_ms() >= BURN_MS);
  fflush(stdout);
}

static void* wait_for_ever(void* unused) {
  for (;;) pause();
  return unused;
}

static void untidy(const char* how, char* self) {
  for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
    char* p = mmap(PLACES[i], 16 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                   (i % 2 ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (p == PLACES[i]) memset(p, 0xc3, 16 * PAGE);
    if (i == 1) mprotect(p, PAGE, PROT_NONE);
  }
  if (sbrk(16 << 20) != (void*)-1) memset((char*)sbrk(0) - PAGE, 1, PAGE);
  static char alt[65536];
  stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
  sigaltstack(&ss, NULL);
  while (cpu_ms() < BURN_MS) {
  }
  if (strcmp(how, "vdso") == 0) {  // what the host put there is gone
    FILE* f = fopen("/proc/self/maps", "r");
    char line[512];
    while (fgets(line, sizeof line, f)) {
      unsigned long from, to;
      if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &from, &to) == 2) munmap((void*)from, to - from);
    }
    fclose(f);
  }
  const uint32_t mxcsr = 0x7f80;
  const uint16_t cw = 0x27f;
  uint32_t ones[8];
  memset(ones, 0xff, sizeof ones);
  char* argv[] = {self, "look", "exec", NULL};
  pthread_t t;
  if (strcmp(how, "threads") == 0) pthread_create(&t, NULL, wait_for_ever, NULL);
  if (strcmp(how, "confined") == 0) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  __asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(cw));
  if (__builtin_cpu_supports("avx")) __asm__ volatile(".byte 0xc5,0x7c,0x10,0x38" : : "a"(ones));
  if (strcmp(how, "exec") == 0) execv(self, argv);
  if (strcmp(how, "signal") == 0) raise(SIGKILL);
  if (strcmp(how, "fault") == 0) *(volatile char*)8 = 1;
  _exit(0);
}

// By fork() and by vfork(), whose child has no address space of its own before it becomes a program.
static void run(int with_vfork, char* self, const char* what, const char* arg) {
  char* argv[] = {self, (char*)what, (char*)arg, NULL};
  fflush(stdout);
  pid_t pid = with_vfork ? vfork() : fork();
  if (pid == 0) {
    execv(self, argv);
    _exit(127);
  }
  int status;
  waitpid(pid, &status, 0);
  if (status) printf("%s %s: status %x\n", what, arg, status & 0xff7f);
}

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "look") == 0) return look(argv[2]), 0;
  if (argc == 3) untidy(argv[2], argv[0]);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  static const char* const WAYS[] = {"exit", "exec", "signal", "fault", "threads", "confined", "vdso"};
  for (int v = 0; v < 2; v++)
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
      run(v, argv[0], "untidy", WAYS[i]);
      run(v, argv[0], "look", WAYS[i]);
    }
  return 0;
}
