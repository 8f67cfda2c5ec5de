// System V shared memory: shmget, shmat, shmdt, shmctl, and /proc/sysvipc/shm.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

static struct shmid_ds ds;
static void show(const char* what, int id) {
  if (shmctl(id, IPC_STAT, &ds) != 0) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    return;
  }
  printf("%s: size %zu nattch %lu mode %o mine %d lpid %s cpid %s atime %d dtime %d ctime %d\n", what,
         ds.shm_segsz, (unsigned long)ds.shm_nattch, ds.shm_perm.mode, ds.shm_perm.cuid == geteuid(),
         ds.shm_lpid == getpid() ? "me"
         : ds.shm_lpid           ? "other"
                                 : "none",
         ds.shm_cpid == getpid() ? "me" : "other", ds.shm_atime != 0, ds.shm_dtime != 0, ds.shm_ctime != 0);
}
// Lines of /proc/sysvipc/shm with this id: fields that are the same everywhere.
static void proc_line(int id) {
  FILE* f = fopen("/proc/sysvipc/shm", "r");
  char line[512];
  int n = 0;
  while (f && fgets(line, sizeof line, f)) {
    int key, lid, cpid, lpid;
    unsigned mode;
    unsigned long size, natt;
    if (n++ == 0) fputs(line, stdout);
    if (sscanf(line, "%d %d %o %lu %d %d %lu", &key, &lid, &mode, &size, &cpid, &lpid, &natt) == 7 &&
        lid == id)
      printf("proc: mode %o size %lu cpid %d lpid %d nattch %lu length %zu\n", mode, size, cpid == getpid(),
             lpid == getpid(), natt, strlen(line));
  }
  if (f) fclose(f);
}
static int faults(volatile char* p, int write) {
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

int main(void) {
  close(open("key", O_CREAT | O_RDWR, 0600));
  key_t key = ftok("key", 'S') ^ getpid();

  puts("-- shmget");
  SAY(shmget(key, 4096, 0));
  SAY(shmget(key, 0, IPC_CREAT | 0600));
  int id = shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0640);
  printf("made %d\n", id >= 0);
  SAY(shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0640));
  printf("found %d\n", shmget(key, 5000, 0) == id);
  printf("found smaller %d\n", shmget(key, 1, IPC_CREAT) == id);
  SAY(shmget(key, 5001, 0));
  SAY(shmget(key, 8193, 0));
  SAY(shmget(IPC_PRIVATE, 4096, SHM_HUGETLB | 0600));
  show("new", id);
  proc_line(id);

  puts("-- shmat");
  SAY(shmat(-1, NULL, 0));
  SAY(shmat(0x7ffffff, NULL, 0));
  char* a = shmat(id, NULL, 0);
  char* b = shmat(id, NULL, SHM_RDONLY);
  show("two attachments", id);
  strcpy(a, "hello");
  strcpy(a + 8000, "tail");  // the last page is whole
  printf("seen: %s %s, same place %d\n", b, b + 8000, a == b);
  printf("write to read-only: %d\n", faults(b, 1));
  SAY(mprotect(b, 4096, PROT_READ | PROT_WRITE));
  SAY(shmat(id, a, 0));
  SAY(shmat(id, a + 1, 0));
  SAY(shmat(id, NULL, SHM_REMAP));
  char* area = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SAY(shmat(id, area, 0));
  printf("remap at the place %d\n", shmat(id, area, SHM_REMAP) == area);
  printf("content %s\n", area);
  munmap(area + 8192, (1 << 20) - 8192);
  printf("rounded %d\n", shmat(id, area + 8192 + 77, SHM_RND) == area + 8192);
  show("four attachments", id);
  proc_line(id);

  puts("-- shmdt");
  SAY(shmdt(a + 4096));
  SAY(shmdt(a + 1));
  SAY(shmdt(area));
  SAY(shmdt(area));
  SAY(shmdt(area + 8192));
  show("two left", id);
  struct shmid_ds before, after;
  shmctl(id, IPC_STAT, &before);
  usleep(1100000);  // these times are seconds
  munmap(b, 4096);  // cut: what is left of it still counts
  show("cut", id);
  shmctl(id, IPC_STAT, &after);
  printf("cutting off is opening and closing: atime %d dtime %d\n", after.shm_atime > before.shm_atime,
         after.shm_dtime > before.shm_dtime);
  SAY(shmdt(b));
  show("one left", id);
  printf("after shmdt: %d\n", faults(b, 0));

  puts("-- over fork and exit");
  fflush(stdout);
  int p[2], q[2];
  if (pipe(p) || pipe(q)) return 1;
  pid_t c = fork();
  if (c == 0) {
    char ch;
    strcpy(a, "from the child");
    char* again = shmat(shmget(key, 0, 0), NULL, 0);
    printf("child sees %s\n", again);
    fflush(stdout);
    if (write(p[1], "x", 1) != 1 || read(q[0], &ch, 1) != 1) _exit(1);
    _exit(0);
  }
  char ch;
  if (read(p[0], &ch, 1) != 1) return 1;
  printf("parent sees %s\n", a);
  show("with the child", id);
  if (write(q[1], "x", 1) != 1) return 1;
  waitpid(c, NULL, 0);
  show("child gone", id);

  puts("-- shmctl");
  ds.shm_perm.mode = 0400;
  SAY(shmctl(id, IPC_SET, &ds));
  show("read-only now", id);
  SAY(shmat(id, NULL, 0));
  SAY(shmget(key, 0, 0600));
  SAY(shmget(key, 0, 0400));
  char* r = shmat(id, NULL, SHM_RDONLY);
  printf("reading works %d\n", r != (void*)-1 && !strcmp(r, a));
  SAY(shmdt(r));
  SAY(shmctl(id, IPC_SET, NULL));
  SAY(shmctl(id, IPC_STAT, NULL));
  SAY(shmctl(id, 4711, &ds));
  SAY(shmctl(-1, IPC_STAT, &ds));
  SAY(shmctl(id, SHM_LOCK, NULL));
  show("locked", id);
  SAY(shmctl(id, SHM_UNLOCK, NULL));
  struct shminfo lim;
  int inf_ok = shmctl(0, IPC_INFO, (void*)&lim) >= 0;
  printf("IPC_INFO %d: max %lu min %lu mni %lu seg %lu all %lu\n", inf_ok, lim.shmmax, lim.shmmin, lim.shmmni,
         lim.shmseg, lim.shmall);
  struct shm_info inf;
  int top = shmctl(0, SHM_INFO, (void*)&inf);
  printf("SHM_INFO %d used %d\n", top >= 0, inf.used_ids >= 1);
  int hits = 0;
  for (int i = 0; i <= top; i++) hits += shmctl(i, SHM_STAT, &ds) == id;
  printf("SHM_STAT finds it %d\n", hits);
  printf("swapped %lu\n", inf.shm_swp);

  puts("-- IPC_RMID while attached");
  SAY(shmctl(id, IPC_RMID, NULL));
  show("removed", id);
  printf("key %d\n", ds.shm_perm.__key);
  SAY(shmget(key, 0, 0));
  char* d = shmat(id, NULL, SHM_RDONLY);
  printf("attaching again works %d\n", d != (void*)-1);
  SAY(shmdt(d));
  printf("content %s\n", a);
  SAY(shmdt(a));
  show("gone", id);
  SAY(shmctl(id, IPC_RMID, NULL));
  SAY(shmat(id, NULL, 0));

  puts("-- mapped anew in its own place after IPC_RMID: the last attachment takes the segment along");
  int gone = shmget(IPC_PRIVATE, 8192, 0600);
  char* whole = shmat(gone, NULL, 0);
  strcpy(whole + 4096, "second");
  SAY(remap_file_pages(whole, 4096, 0, 1, 0));
  printf("page 1 is seen in front: %s\n", whole);
  SAY(remap_file_pages(whole, 8192, 0, 0, 0));
  printf("whole again: %s\n", whole + 4096);
  char* twice = shmat(gone, NULL, 0);
  SAY(shmctl(gone, IPC_RMID, NULL));
  SAY(remap_file_pages(whole, 8192, 0, 0, 0));  // the other one keeps it
  SAY(shmdt(twice));
  SAY(remap_file_pages(whole + 4096, 4096, 0, 0, 0));
  printf("a part: %d\n", whole[4096]);
  SAY(remap_file_pages(whole, 8192, 0, 0, 0));
  show("gone", gone);
  SAY(msync(whole, 4096, MS_SYNC));
  SAY(shmdt(whole));

  puts("-- an identifier is not used again at once");
  int one = shmget(IPC_PRIVATE, 4096, 0600);
  shmctl(one, IPC_RMID, NULL);
  int two = shmget(IPC_PRIVATE, 4096, 0700);
  printf("different %d\n", one != two);
  FILE* maps = fopen("/proc/self/maps", "r");
  char* m = shmat(two, NULL, SHM_EXEC);
  char line[512];
  while (fgets(line, sizeof line, maps)) {
    unsigned long start, end, ino;
    char perm[8], name[256] = "";
    if (sscanf(line, "%lx-%lx %7s %*s %*s %lu %255[^\n]", &start, &end, perm, &ino, name) >= 4 &&
        start == (uintptr_t)m)
      printf("maps: %s %lu %s ino %d\n", perm, end - start, name, ino == (unsigned long)two);
  }
  SAY(shmctl(two, IPC_RMID, NULL));
  SAY(shmdt(m));
  return 0;
}
