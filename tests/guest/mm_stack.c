// Stacks that grow: the main one within RLIMIT_STACK, which counts from exec on and while it grows, and
// MAP_GROWSDOWN mappings; by faults, by the kernel's own accesses and by signal frames.
#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { P = 4096 };
static size_t stack_kb(void) {  // size of [stack] in /proc/self/maps
  int fd = open("/proc/self/maps", O_RDONLY);
  static char text[65536];
  size_t n = 0;
  ssize_t r;
  while ((r = read(fd, text + n, sizeof text - 1 - n)) > 0) n += (size_t)r;
  close(fd);
  text[n] = 0;
  char* at = strstr(text, "[stack]");
  if (!at) return 0;
  while (at > text && at[-1] != '\n') at--;
  unsigned long start, end;
  sscanf(at, "%lx-%lx", &start, &end);
  return (end - start) / 1024;
}
// Goes down `kb` of stack, touching it all the way. Returns what [stack] is then.
static size_t __attribute__((noinline)) deep(long kb) {
  volatile char room[8192];
  room[0] = (char)kb;
  size_t r = kb <= 8 ? stack_kb() : deep(kb - 8);
  room[1] = (char)r;
  return r + (size_t)(room[0] & 0);
}
static char alt[65536];
static char* volatile base;
static void on_segv(int s, siginfo_t* si, void* u) {
  (void)s;
  (void)u;
  size_t below = (size_t)(base - (char*)si->si_addr) / 1024;
  char line[128];
  // How far it came: in steps of 64 KiB.
  int n = snprintf(line, sizeof line, "SIGSEGV code %d, %zu KiB down\n", si->si_code, (below + 32) / 64 * 64);
  if (write(1, line, (size_t)n) != n) _exit(1);
  _exit(7);
}
static void in_child(const char* what, void (*fn)(void)) {
  printf("%s: ", what);
  fflush(stdout);
  pid_t c = fork();
  if (c == 0) {
    fn();
    fflush(stdout);
    _exit(0);
  }
  int st;
  waitpid(c, &st, 0);
  printf("exit %d signal %d\n", WIFEXITED(st) ? WEXITSTATUS(st) : -1, WIFSIGNALED(st) ? WTERMSIG(st) : 0);
}
static void without_end(void) {
  stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
  sigaltstack(&ss, NULL);
  struct sigaction sa = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, &sa, NULL);
  char here;
  base = &here;
  deep(1L << 30);
}
static void killed_without_handler(void) {
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  deep(1L << 30);
}
static void limit_kb(rlim_t kb) {
  struct rlimit rl;
  getrlimit(RLIMIT_STACK, &rl);
  rl.rlim_cur = kb * 1024;
  if (setrlimit(RLIMIT_STACK, &rl)) perror("setrlimit");
}
static void grow_4m(void) {
  size_t before = stack_kb(), after = deep(4000);
  printf("small before %d, then %d ", before < 300, after > 4000 && after < 4900);
}
static void lower_then_overflow(void) {
  limit_kb(1024);
  without_end();
}
static void raise_then_grow(void) {
  limit_kb(32 << 10);
  size_t n = deep(24 << 10);
  printf("%d ", n > (24 << 10));
}
static void by_the_kernel(void) {  // nothing touched in between
  char* buf = alloca(1 << 20);
  int p[2];
  if (pipe(p) || write(p[1], "hello", 5) != 5) return;
  ssize_t n = read(p[0], buf, 5);
  printf("read %zd %.5s ", n, n > 0 ? buf : "");
}
static volatile sig_atomic_t got;
static void on_usr1(int s) {
  char here;
  got = s + (&here - (char*)base < 0 ? 100 : 0);
}
static void by_a_frame(void) {
  char here;
  base = &here;
  signal(SIGUSR1, on_usr1);
  char* volatile room = alloca(2 << 20);  // the frame goes below it
  raise(SIGUSR1);
  printf("handled %d %d ", (int)got, room != NULL);
}
static void growsdown(void) {
  char* area = mmap(NULL, 2048 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(area, 2048 * P);
  char* top = mmap(area + 2000 * P, 2 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
  top[0] = 1;
  top[-1] = 2;
  top[-100 * P] = 3;
  printf("grown %d %d %d %d ", top[0], top[-1], top[-100 * P], top[-50 * P]);
  printf("mprotect %d ", mprotect(top, P, PROT_READ | PROT_GROWSDOWN));
  printf("read-only %d ", top[-100 * P]);
  fflush(stdout);
  top[-100 * P] = 4;
}
static void growsdown_guard(void) {  // keeps its distance from what is below
  char* area = mmap(NULL, 2048 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(area, 2048 * P);
  char* top = mmap(area + 1000 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
  char* low = mmap(area + 500 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  low[0] = 1;
  top[-(1000 - 501 - 257) * P] = 1;
  printf("to the guard gap ");
  fflush(stdout);
  top[-(1000 - 501 - 100) * P] = 1;
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  if (argc > 1) {  // after exec with another limit
    struct rlimit rl;
    getrlimit(RLIMIT_STACK, &rl);
    printf("limit %lu KiB\n", (unsigned long)rl.rlim_cur / 1024);
    in_child("overflow", without_end);
    return 0;
  }
  limit_kb(8192);
  printf("[stack] at first below 300 KiB: %d\n", stack_kb() < 300);
  in_child("4 MiB", grow_4m);
  in_child("overflow", without_end);
  in_child("no handler", killed_without_handler);
  in_child("lowered", lower_then_overflow);
  in_child("raised", raise_then_grow);
  in_child("by the kernel", by_the_kernel);
  in_child("by a signal frame", by_a_frame);
  in_child("MAP_GROWSDOWN", growsdown);
  in_child("guard gap", growsdown_guard);
  const int kb[] = {256, 1024, 16384, 136 << 10};
  for (int i = 0; i < 4; i++) {
    fflush(stdout);
    if (fork() == 0) {
      limit_kb((rlim_t)kb[i]);
      execl("/proc/self/exe", "mm_stack", "x", NULL);
      _exit(1);
    }
    wait(NULL);
  }
  return 0;
}
