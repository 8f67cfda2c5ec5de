// System V semaphores: atomic operations, waiting, SEM_UNDO, semtimedop, semctl, /proc/sysvipc/sem.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

union semun {
  int val;
  struct semid_ds* buf;
  unsigned short* array;
  struct seminfo* info;
};
static int id;
static int op(int num, int by, int flags) {
  struct sembuf s = {num, by, flags};
  return semop(id, &s, 1);
}
static int get(int num, int cmd) { return semctl(id, num, cmd, 0); }
static void values(const char* what) {
  unsigned short v[3];
  union semun u = {.array = v};
  if (semctl(id, 0, GETALL, u) != 0) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    return;
  }
  printf("%s: %d %d %d\n", what, v[0], v[1], v[2]);
}
static void until(int num, int cmd, int n) {  // that many wait
  while (get(num, cmd) != n) usleep(1000);
}
static void set(int num, int v) {
  union semun u = {.val = v};
  semctl(id, num, SETVAL, u);
}
static void on_signal(int s) { (void)s; }
static int join(pid_t c) {
  int st;
  waitpid(c, &st, 0);
  return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  close(open("key", O_CREAT | O_RDWR, 0600));
  key_t key = ftok("key", 'M') ^ getpid();
  struct semid_ds ds;
  union semun u;

  puts("-- semget");
  SAY(semget(key, 0, IPC_CREAT | 0600));
  SAY(semget(key, -1, IPC_CREAT | 0600));
  SAY(semget(key, 32001, IPC_CREAT | 0600));
  SAY(semget(key, 3, 0600));
  id = semget(key, 3, IPC_CREAT | IPC_EXCL | 0640);
  SAY(semget(key, 3, IPC_CREAT | IPC_EXCL | 0640));
  SAY(semget(key, 4, 0));
  printf("found %d\n", semget(key, 0, 0) == id);
  values("new");

  puts("-- semctl");
  u.val = 5;
  SAY(semctl(id, 1, SETVAL, u));
  u.val = 32768;
  SAY(semctl(id, 1, SETVAL, u));
  u.val = -1;
  SAY(semctl(id, 1, SETVAL, u));
  u.val = 1;
  SAY(semctl(id, 3, SETVAL, u));
  SAY(semctl(id, -1, GETVAL));
  SAY(semctl(id, 3, GETVAL));
  SAY(semctl(id, 0, 4711));
  SAY(semctl(-1, 0, GETVAL));
  printf("GETVAL %d GETPID me %d other %d\n", get(1, GETVAL), get(1, GETPID) == getpid(), get(0, GETPID));
  unsigned short arr[3] = {1, 2, 40000};
  u.array = arr;
  SAY(semctl(id, 0, SETALL, u));
  arr[2] = 3;
  SAY(semctl(id, 0, SETALL, u));
  u.array = NULL;
  SAY(semctl(id, 0, SETALL, u));
  values("set");
  u.buf = &ds;
  SAY(semctl(id, 0, IPC_STAT, u));
  printf("nsems %lu mode %o otime %d ctime %d mine %d\n", ds.sem_nsems, ds.sem_perm.mode, ds.sem_otime != 0,
         ds.sem_ctime != 0, ds.sem_perm.cuid == geteuid());
  struct seminfo inf;
  u.info = &inf;
  int inf_ok = semctl(0, 0, IPC_INFO, u) >= 0;
  printf("IPC_INFO %d: map %d mni %d mns %d mnu %d msl %d opm %d ume %d usz %d vmx %d aem %d\n",
         inf_ok, inf.semmap, inf.semmni, inf.semmns, inf.semmnu, inf.semmsl, inf.semopm,
         inf.semume, inf.semusz, inf.semvmx, inf.semaem);
  int top = semctl(0, 0, SEM_INFO, u), hits = 0;
  u.buf = &ds;
  for (int i = 0; i <= top; i++) hits += semctl(i, 0, SEM_STAT, u) == id;
  printf("SEM_INFO used %d, SEM_STAT finds it %d\n", inf.semusz >= 1 && inf.semaem >= 3, hits);

  puts("-- semop");
  struct sembuf s[4] = {{0, -1, 0}, {1, -2, 0}, {2, -4, IPC_NOWAIT}, {0, 0, 0}};
  SAY(semop(id, s, 0));
  SAY(semop(id, s, 501));
  SAY(semop(-1, s, 1));
  SAY(semop(id, NULL, 1));
  SAY(op(3, 1, 0));
  SAY(semop(id, s, 3));
  values("all or nothing");
  s[2].sem_op = -3;
  SAY(semop(id, s, 4));
  values("all");
  SAY(op(0, -1, IPC_NOWAIT));
  SAY(op(0, 32767, 0));
  SAY(op(0, 1, 0));
  SAY(op(0, 0, IPC_NOWAIT));
  set(0, 0);
  SAY(op(0, 0, 0));
  u.buf = &ds;
  semctl(id, 0, IPC_STAT, u);
  printf("otime %d\n", ds.sem_otime != 0);

  puts("-- waiting: who comes first is served first");
  int out[2];
  if (pipe(out)) return 1;
  pid_t c[3];
  for (int i = 0; i < 3; i++) {
    c[i] = fork();
    if (c[i] == 0) {
      if (op(0, i == 0 ? -3 : -1, 0) == 0 && write(out[1], &"abc"[i], 1) == 1) _exit(0);
      _exit(1);
    }
    until(0, GETNCNT, i + 1);
  }
  printf("ncnt %d zcnt %d\n", get(0, GETNCNT), get(0, GETZCNT));
  char order[4] = "";
  op(0, 1, 0);  // too little for the first one
  if (read(out[0], order, 1) != 1) return 1;
  op(0, 1, 0);
  if (read(out[0], order + 1, 1) != 1) return 1;
  op(0, 3, 0);
  if (read(out[0], order + 2, 1) != 1) return 1;
  printf("order %s, exits", order);
  for (int i = 0; i < 3; i++) printf(" %d", join(c[i]));
  printf("\nGETPID the last %d\n", get(0, GETPID) == c[0]);

  puts("-- waiting for zero");
  set(0, 2);
  if ((c[0] = fork()) == 0) _exit(op(0, 0, 0) == 0 ? 7 : 1);
  until(0, GETZCNT, 1);
  printf("ncnt %d zcnt %d\n", get(0, GETNCNT), get(0, GETZCNT));
  op(0, -1, 0);
  printf("still waits %d\n", get(0, GETZCNT));
  op(0, -1, 0);
  printf("exit %d\n", join(c[0]));

  puts("-- SETVAL wakes, signals end, removal ends");
  if ((c[0] = fork()) == 0) _exit(op(1, -5, 0) == 0 ? 8 : 1);
  until(1, GETNCNT, 1);
  set(1, 5);
  printf("exit %d\n", join(c[0]));
  struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &sa, NULL);
  if ((c[0] = fork()) == 0) _exit(op(1, -5, 0) == -1 && errno == EINTR ? 9 : 1);
  until(1, GETNCNT, 1);
  kill(c[0], SIGUSR1);
  printf("exit %d", join(c[0]));
  printf(" ncnt %d\n", get(1, GETNCNT));

  puts("-- semtimedop");
  struct timespec ts = {0, 20000000}, t0, t1;
  s[0] = (struct sembuf){1, -1, 0};
  clock_gettime(CLOCK_MONOTONIC, &t0);
  SAY(semtimedop(id, s, 1, &ts));
  clock_gettime(CLOCK_MONOTONIC, &t1);
  printf("long enough %d\n", (t1.tv_sec - t0.tv_sec) * 1000000000L + t1.tv_nsec - t0.tv_nsec >= 20000000);
  ts.tv_nsec = 1000000000;
  SAY(semtimedop(id, s, 1, &ts));
  ts = (struct timespec){0, 0};
  SAY(semtimedop(id, s, 1, &ts));
  s[0].sem_op = 1;
  SAY(semtimedop(id, s, 1, &ts));
  SAY(semtimedop(id, s, 1, NULL));

  puts("-- SEM_UNDO");
  unsigned short init[3] = {10, 10, 10};
  u.array = init;
  semctl(id, 0, SETALL, u);
  if ((c[0] = fork()) == 0) {
    op(0, -3, SEM_UNDO);
    op(1, 4, SEM_UNDO);
    op(2, -1, 0);
    values("in the child");
    _exit(0);
  }
  join(c[0]);
  values("after its exit");
  printf("GETPID the child %d\n", get(0, GETPID) == c[0]);
  if ((c[0] = fork()) == 0) {
    op(0, -3, SEM_UNDO);
    set(0, 20);  // forgets it
    op(1, -2, SEM_UNDO);
    raise(SIGKILL);
  }
  printf("killed by %d\n", join(c[0]));
  values("after SETVAL and kill");
  if ((c[0] = fork()) == 0) {  // undo wakes those who wait
    op(2, -9, SEM_UNDO);
    usleep(1000);
    until(2, GETNCNT, 1);
    _exit(0);
  }
  while (get(2, GETVAL) != 0) usleep(1000);
  SAY(op(2, -5, 0));
  join(c[0]);
  values("woken by undo");
  if ((c[0] = fork()) == 0) {  // never below zero
    op(0, 5, SEM_UNDO);
    op(0, -25, 0);
    _exit(0);
  }
  join(c[0]);
  values("cut off at zero");
  set(1, 0);
  SAY(op(1, 20000, SEM_UNDO));
  set(1, 0);
  SAY(op(1, 32767, SEM_UNDO));
  SAY(op(1, -32767, SEM_UNDO));

  puts("-- permissions and removal");
  ds.sem_perm.mode = 0400;
  u.buf = &ds;
  SAY(semctl(id, 0, IPC_SET, u));
  SAY(op(0, 1, 0));
  SAY(op(0, 0, 0));
  u.val = 1;
  SAY(semctl(id, 0, SETVAL, u));
  SAY(semget(key, 0, 0600));
  ds.sem_perm.mode = 0600;
  u.buf = &ds;
  SAY(semctl(id, 0, IPC_SET, u));
  FILE* f = fopen("/proc/sysvipc/sem", "r");
  char line[256];
  int n = 0;
  while (f && fgets(line, sizeof line, f)) {
    int k, i, ns;
    unsigned m;
    if (n++ == 0) fputs(line, stdout);
    if (sscanf(line, "%d %d %o %d", &k, &i, &m, &ns) == 4 && i == id) printf("proc: mode %o nsems %d length %zu\n", m, ns, strlen(line));
  }
  if ((c[0] = fork()) == 0) _exit(op(0, -30000, 0) == -1 && errno == EIDRM ? 11 : 1);
  until(0, GETNCNT, 1);
  SAY(semctl(id, 0, IPC_RMID));
  printf("exit %d\n", join(c[0]));
  SAY(op(0, 1, 0));
  SAY(semctl(id, 0, IPC_RMID));
  return 0;
}
