// Memory policies of a thread and of ranges of memory (set_mempolicy(2), mbind(2)) on node 0.
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define PAGE 4096
static unsigned long nodes[16];  // 1024 nodes, more than a kernel knows
static int mode;

static long get(void* addr, int flags) {
  mode = -1;
  memset(nodes, 0, sizeof nodes);
  return syscall(SYS_get_mempolicy, &mode, nodes, sizeof nodes * 8, addr, flags);
}
static void show(const char* what, void* addr, int flags) {
  if (get(addr, flags) < 0)
    printf("%s: %s\n", what, strerrorname_np(errno));
  else
    printf("%s: mode %d, nodes %lx\n", what, mode, nodes[0]);
}
static long set(int how, unsigned long mask) { return syscall(SYS_set_mempolicy, how, &mask, 64); }
static long bind_range(void* addr, unsigned long len, int how, unsigned long mask, unsigned flags) {
  return syscall(SYS_mbind, addr, len, how, &mask, 64, flags);
}

int main(void) {
  if (get(NULL, 0) < 0 && errno == ENOSYS) {
    puts("SKIPPED: no NUMA in the kernel");
    return 77;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  show("at first", NULL, 0);
  SAY(set(MPOL_BIND, 1));
  show("bound", NULL, 0);
  if (fork() == 0) {
    show("child", NULL, 0);
    _exit(0);
  }
  wait(NULL);
  SAY(set(MPOL_BIND, 0));
  SAY(set(MPOL_DEFAULT, 1));
  SAY(set(99, 1));
  SAY(set(MPOL_DEFAULT, 0));
  show("default", NULL, 0);
  SAY(get(NULL, MPOL_F_MEMS_ALLOWED));
  printf("node 0 allowed %d\n", (nodes[0] & 1) != 0);
  SAY(get(NULL, 8));
  SAY(get((void*)8, MPOL_F_ADDR));

  char* mem = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mem[0] = 1;
  show("range", mem, MPOL_F_ADDR);
  SAY(bind_range(mem + PAGE, 2 * PAGE, MPOL_BIND, 1, 0));
  show("before", mem, MPOL_F_ADDR);
  show("first", mem + PAGE, MPOL_F_ADDR);
  show("last", mem + 2 * PAGE, MPOL_F_ADDR);
  show("behind", mem + 3 * PAGE, MPOL_F_ADDR);
  SAY(bind_range(mem, PAGE, MPOL_INTERLEAVE, 1, MPOL_MF_STRICT));
  show("interleaved", mem, MPOL_F_ADDR);
  get(mem, MPOL_F_NODE | MPOL_F_ADDR);
  printf("on node %d\n", mode);
  char line[256];
  FILE* f = fopen("/proc/self/numa_maps", "r");
  while (f && fgets(line, sizeof line, f)) {
    char policy[32];
    unsigned long at;
    if (sscanf(line, "%lx %31s", &at, policy) == 2 && at >= (unsigned long)mem &&
        at < (unsigned long)mem + 4 * PAGE)
      printf("numa_maps +%lu: %s\n", (at - (unsigned long)mem) / PAGE, policy);
  }
  SAY(bind_range(mem, 4 * PAGE, MPOL_DEFAULT, 0, 0));
  show("default again", mem + PAGE, MPOL_F_ADDR);
  SAY(bind_range(mem + 1, PAGE, MPOL_BIND, 1, 0));
  SAY(bind_range(mem, PAGE, MPOL_BIND, 0, 0));
  SAY(bind_range(mem, PAGE, 99, 1, 0));
  SAY(bind_range(mem, PAGE, MPOL_BIND, 1, 99));
  munmap(mem + PAGE, PAGE);
  SAY(bind_range(mem, 4 * PAGE, MPOL_BIND, 1, 0));

  void* page = mem;
  int status = -1;
  unsigned long one = 1, none = 0;
  SAY(syscall(SYS_move_pages, 0, 1, &page, NULL, &status, 0));
  printf("page on node %d\n", status);
  SAY(syscall(SYS_migrate_pages, 0, 64, &one, &one));
  SAY(syscall(SYS_migrate_pages, 0, 64, &one, &none));
  return 0;
}
