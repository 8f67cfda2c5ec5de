// Makes a system call that Linux itself no longer has, from nested functions and from a signal handler.
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int missing(int nr) { return (int)syscall(nr, 7, "path", 0x10); }

__attribute__((noinline)) void inner_function(int nr) {
  missing(nr);
  __asm__ volatile("");
}

__attribute__((noinline)) void outer_function(int nr) {
  inner_function(nr);
  __asm__ volatile("");
}

static void on_signal(int signo) {
  (void)signo;
  outer_function(SYS_tuxcall);
  __asm__ volatile("");
}

// From code that no file and no unwind table knows, with a frame pointer that leads into a circle.
static void lost(void) {
  unsigned char* code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  // push %rbp; mov %rdi, %rbp; mov $SYS_vserver, %eax; syscall; pop %rbp; ret
  static const unsigned char PROGRAM[] = {0x55, 0x48, 0x89, 0xfd, 0xb8, SYS_vserver, 0,
                                          0,    0,    0x0f, 0x05, 0x5d, 0xc3};
  memcpy(code, PROGRAM, sizeof PROGRAM);
  static uintptr_t circle[2];
  circle[0] = (uintptr_t)circle;
  circle[1] = (uintptr_t)(code + 11);
  ((void (*)(void*))(uintptr_t)code)(circle);
}

int main(int argc, char** argv) {
  (void)argv;
  outer_function(SYS_lookup_dcookie);
  outer_function(SYS_lookup_dcookie);  // warned of once
  signal(SIGUSR1, on_signal);
  raise(SIGUSR1);
  if (argc > 1) lost();
  return 5;
}
