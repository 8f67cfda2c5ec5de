// System V message queues: msgget, msgsnd, msgrcv, msgctl, /proc/sysvipc/msg.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

struct {
  long type;
  char text[9000];
} m;
static int id;
static struct msqid_ds ds;
static int send_text(long type, const char* s, int flags) {
  m.type = type;
  strcpy(m.text, s);
  return msgsnd(id, &m, strlen(s), flags);
}
static void receive(long type, size_t size, int flags) {
  memset(&m, 0, sizeof m);
  errno = 0;
  long n = msgrcv(id, &m, size, type, flags);
  printf("msgrcv type %ld size %zu flags %#x: %ld %s type %ld '%s'\n", type, size, flags, n,
         n < 0 ? strerrorname_np(errno) : "-", m.type, m.text);
}
static void show(const char* what) {
  if (msgctl(id, IPC_STAT, &ds) != 0) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    return;
  }
  printf("%s: qnum %lu bytes %lu max %lu mode %o lspid %s lrpid %s stime %d rtime %d ctime %d\n", what, ds.msg_qnum,
         ds.__msg_cbytes, ds.msg_qbytes, ds.msg_perm.mode, ds.msg_lspid == getpid() ? "me" : ds.msg_lspid ? "other" : "none",
         ds.msg_lrpid == getpid() ? "me" : ds.msg_lrpid ? "other" : "none", ds.msg_stime != 0, ds.msg_rtime != 0,
         ds.msg_ctime != 0);
}
static int join(pid_t c) {
  int st;
  waitpid(c, &st, 0);
  return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
}
static void on_signal(int s) { (void)s; }
// Waits until `c` sleeps.
static void until_asleep(pid_t c) {
  char path[64], state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", c);
  while (state != 'S') {
    FILE* f = fopen(path, "r");
    if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1) state = 0;
    if (f) fclose(f);
    usleep(1000);
  }
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  close(open("key", O_CREAT | O_RDWR, 0600));
  key_t key = ftok("key", 'Q') ^ getpid();

  puts("-- msgget");
  SAY(msgget(key, 0600));
  id = msgget(key, IPC_CREAT | IPC_EXCL | 0640);
  SAY(msgget(key, IPC_CREAT | IPC_EXCL | 0640));
  printf("found %d\n", msgget(key, 0) == id);
  show("new");

  puts("-- errors");
  SAY(send_text(0, "x", 0));
  SAY(send_text(-1, "x", 0));
  m.type = 1;
  SAY(msgsnd(id, &m, 8193, 0));
  SAY(msgsnd(id, &m, -1, 0));
  SAY(msgsnd(-1, &m, 1, 0));
  SAY(msgsnd(id, NULL, 1, 0));
  SAY(msgrcv(id, &m, -1, 0, IPC_NOWAIT));
  SAY(msgrcv(id, &m, 10, 0, IPC_NOWAIT));
  SAY(msgrcv(id, &m, 10, 0, MSG_COPY));
  SAY(msgrcv(id, &m, 10, 0, MSG_COPY | IPC_NOWAIT));

  puts("-- order and types");
  send_text(5, "five", 0);
  send_text(3, "three", 0);
  send_text(9, "nine", 0);
  send_text(3, "three again", 0);
  send_text(7, "", 0);
  show("five messages");
  receive(0, 100, MSG_COPY | IPC_NOWAIT);
  receive(2, 100, MSG_COPY | IPC_NOWAIT);
  receive(5, 100, MSG_COPY | IPC_NOWAIT);
  receive(4, 100, IPC_NOWAIT);
  receive(-2, 100, IPC_NOWAIT);
  receive(-6, 3, 0);
  receive(-6, 3, MSG_NOERROR);
  receive(-6, 100, 0);
  receive(5, 100, MSG_EXCEPT);
  receive(0, 100, 0);
  receive(7, 0, 0);
  receive(0, 100, IPC_NOWAIT);
  show("empty");

  puts("-- full");
  memset(m.text, 'x', sizeof m.text);
  m.type = 1;
  printf("two fit: %d %d\n", msgsnd(id, &m, 8192, 0), msgsnd(id, &m, 8192, IPC_NOWAIT));
  SAY(msgsnd(id, &m, 1, IPC_NOWAIT));
  SAY(msgsnd(id, &m, 0, IPC_NOWAIT));
  show("full");
  pid_t c = fork();
  if (c == 0) _exit(send_text(2, "waited", 0) == 0 ? 3 : 1);
  until_asleep(c);
  printf("first out %zd\n", msgrcv(id, &m, 9000, 1, 0));
  printf("sender %d\n", join(c));
  printf("second out %zd\n", msgrcv(id, &m, 9000, 1, 0));
  show("by another");
  receive(2, 100, 0);
  receive(0, 100, 0);

  puts("-- a receiver that waits");
  if ((c = fork()) == 0) {
    receive(6, 100, 0);
    _exit(4);
  }
  until_asleep(c);
  send_text(5, "not this", 0);
  send_text(6, "this", 0);
  printf("receiver %d\n", join(c));
  show("the other is left");
  receive(0, 100, 0);
  if ((c = fork()) == 0) {
    receive(0, 2, 0);
    _exit(4);
  }
  until_asleep(c);
  send_text(5, "too long", 0);
  printf("receiver %d\n", join(c));
  show("kept");
  receive(0, 100, 0);

  puts("-- signals and removal");
  struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &sa, NULL);
  if ((c = fork()) == 0) _exit(msgrcv(id, &m, 10, 0, 0) == -1 && errno == EINTR ? 5 : 1);
  until_asleep(c);
  kill(c, SIGUSR1);
  printf("interrupted %d\n", join(c));
  struct msginfo inf;
  int inf_ok = msgctl(0, IPC_INFO, (void*)&inf) >= 0;
  printf("IPC_INFO %d: pool %d map %d max %d mnb %d mni %d ssz %d tql %d seg %d\n",
         inf_ok, inf.msgpool, inf.msgmap, inf.msgmax, inf.msgmnb, inf.msgmni, inf.msgssz,
         inf.msgtql, inf.msgseg);
  send_text(1, "abc", 0);
  int top = msgctl(0, MSG_INFO, (void*)&inf), hits = 0;
  for (int i = 0; i <= top; i++) hits += msgctl(i, MSG_STAT, &ds) == id;
  printf("MSG_INFO %d %d %d, MSG_STAT finds it %d\n", inf.msgpool >= 1, inf.msgmap >= 1, inf.msgtql >= 3, hits);
  msgctl(id, IPC_STAT, &ds);
  ds.msg_qbytes = 2;
  SAY(msgctl(id, IPC_SET, &ds));
  SAY(send_text(1, "abc", IPC_NOWAIT));
  ds.msg_qbytes = 20000;
  SAY(msgctl(id, IPC_SET, &ds));
  ds.msg_qbytes = 16384;
  ds.msg_perm.mode = 0200;
  SAY(msgctl(id, IPC_SET, &ds));
  SAY(msgrcv(id, &m, 10, 0, 0));
  SAY(send_text(1, "abc", 0));
  show("write-only");
  ds.msg_perm.mode = 0600;
  SAY(msgctl(id, IPC_SET, &ds));
  SAY(msgctl(id, IPC_STAT, NULL));
  SAY(msgctl(id, 4711, &ds));
  FILE* f = fopen("/proc/sysvipc/msg", "r");
  char line[256];
  int n = 0;
  while (f && fgets(line, sizeof line, f)) {
    int k, i;
    unsigned mode;
    long bytes, num;
    if (n++ == 0) fputs(line, stdout);
    if (sscanf(line, "%d %d %o %ld %ld", &k, &i, &mode, &bytes, &num) == 5 && i == id)
      printf("proc: mode %o bytes %ld num %ld length %zu\n", mode, bytes, num, strlen(line));
  }
  if ((c = fork()) == 0) _exit(msgrcv(id, &m, 10, 77, 0) == -1 && errno == EIDRM ? 6 : 1);
  until_asleep(c);
  SAY(msgctl(id, IPC_RMID, NULL));
  printf("removed %d\n", join(c));
  SAY(msgctl(id, IPC_RMID, NULL));
  SAY(send_text(1, "abc", 0));
  return 0;
}
