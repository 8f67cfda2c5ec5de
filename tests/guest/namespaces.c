// IPC, network, control-group and time namespaces, and entering all kinds at once through a pidfd.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

static const char* const KINDS[] = {
    "user", "mnt", "uts", "ipc", "pid", "pid_for_children", "cgroup", "net", "time", "time_for_children"};
enum { COUNT = sizeof KINDS / sizeof *KINDS };

static ino_t number(pid_t pid, const char* kind) {
  char path[64];
  struct stat st;
  sprintf(path, "/proc/%d/ns/%s", pid, kind);
  return stat(path, &st) ? 0 : st.st_ino;
}

static void all(pid_t pid, ino_t* to) {
  for (int i = 0; i < COUNT; i++) to[i] = number(pid, KINDS[i]);
}

static void show_new(const ino_t* before) {
  ino_t now[COUNT];
  all(getpid(), now);
  printf("new:");
  for (int i = 0; i < COUNT; i++)
    if (now[i] != before[i]) printf(" %s", KINDS[i]);
  printf("\n");
}

static void count_lines(const char* file) {
  char line[512];
  int n = 0;
  FILE* f = fopen(file, "r");
  while (f && fgets(line, sizeof line, f)) n++;
  if (f) fclose(f);
  printf("%s has %d lines\n", file, n);
}

static void ipc(void) {
  const key_t key = 0x5a5a1234;
  int shm = shmget(key, 4096, IPC_CREAT | 0600);
  SAY(semget(key, 1, IPC_CREAT | 0600));
  SAY(msgget(key, IPC_CREAT | 0600));
  int* mine = shmat(shm, 0, 0);
  *mine = 17;
  mqd_t q = mq_open("/namespaces-test", O_CREAT | O_RDWR, 0600, 0);
  SAY(unshare(CLONE_NEWUSER | CLONE_NEWIPC));
  SAY(shmget(key, 4096, 0600));
  SAY(semget(key, 1, 0600));
  SAY(msgget(key, 0600));
  SAY(shmat(shm, 0, 0));
  SAY(shmctl(shm, IPC_RMID, 0));
  SAY(mq_unlink("/namespaces-test"));
  count_lines("/proc/sysvipc/shm");
  printf("attached before: %d, %s\n", *mine, result(mq_send(q, "x", 1, 0)));
  int other = shmget(key, 4096, IPC_CREAT | 0600);
  SAY(other);
  struct shmid_ds d;
  SAY(shmctl(other, IPC_STAT, &d));
  printf("owner %u %u\n", d.shm_perm.uid, d.shm_perm.gid);
  SAY(shmctl(other, IPC_RMID, 0));
  SAY(shmdt(mine));
}

static void ipc_end(void) {
  const key_t key = 0x5a5a1234;
  int shm = shmget(key, 4096, 0600);
  int* p = shmat(shm, 0, 0);
  printf("still there: %d\n", *p);
  SAY(shmctl(shm, IPC_RMID, 0));
  SAY(semctl(semget(key, 1, 0600), 0, IPC_RMID));
  SAY(msgctl(msgget(key, 0600), IPC_RMID, 0));
  SAY(mq_unlink("/namespaces-test"));
}

static struct sockaddr_un abstract_name(void) {
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  strcpy(un.sun_path + 1, "namespaces-test");
  return un;
}

static void net(void) {
  const struct sockaddr_un un = abstract_name();
  const socklen_t size = offsetof(struct sockaddr_un, sun_path) + 16;
  const struct sockaddr_in lo = {
      .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  const struct sockaddr_in6 lo6 = {
      .sin6_family = AF_INET6, .sin6_port = htons(81), .sin6_addr = in6addr_loopback};
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(80)};
  socklen_t n = sizeof any;
  int old = socket(AF_INET, SOCK_STREAM, 0);
  any.sin_port = 0;
  bind(old, (struct sockaddr*)&any, n);
  listen(old, 1);
  getsockname(old, (struct sockaddr*)&any, &n);
  int path = socket(AF_UNIX, SOCK_STREAM, 0);
  const struct sockaddr_un named = {AF_UNIX, "named"};
  bind(path, (const struct sockaddr*)&named, sizeof named);
  listen(path, 1);

  SAY(unshare(CLONE_NEWUSER | CLONE_NEWNET));
  for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
    int s = socket(AF_INET, type, 0), t = socket(AF_INET, type, 0), u = socket(AF_INET6, type, 0);
    SAY(bind(s, (struct sockaddr*)&lo, sizeof lo));  // a low port: ours to give
    SAY(bind(t, (struct sockaddr*)&lo, sizeof lo));
    SAY(bind(u, (struct sockaddr*)&lo6, sizeof lo6));
    SAY(bind(t, (struct sockaddr*)&any, sizeof any));  // taken outside
    SAY(listen(s, 1));
    SAY(connect(t, (struct sockaddr*)&lo, sizeof lo));
    SAY(connect(u, (struct sockaddr*)&lo6, sizeof lo6));
    SAY(sendto(t, "x", 1, MSG_NOSIGNAL, (struct sockaddr*)&lo, sizeof lo));
    struct ifreq r = {.ifr_name = "lo"};
    SAY(ioctl(s, SIOCGIFFLAGS, &r));
    printf("flags %x\n", r.ifr_flags);
    SAY(ioctl(s, SIOCGIFADDR, &r));
    SAY(ioctl(s, SIOCGIFINDEX, &r));
    int mark = 7;
    SAY(setsockopt(s, SOL_SOCKET, SO_MARK, &mark, sizeof mark));
    SAY(setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &mark, sizeof mark));
    close(s), close(t), close(u);
  }
  struct ifaddrs* list = 0;
  SAY(getifaddrs(&list));
  for (struct ifaddrs* i = list; i; i = i->ifa_next) printf("%s %x\n", i->ifa_name, i->ifa_flags);
  int mark = 7;
  SAY(setsockopt(old, SOL_SOCKET, SO_MARK, &mark, sizeof mark));  // belongs to the old one
  int client = socket(AF_UNIX, SOCK_STREAM, 0), server = socket(AF_UNIX, SOCK_STREAM, 0);
  SAY(connect(client, (const struct sockaddr*)&un, size));
  SAY(bind(server, (const struct sockaddr*)&un, size));
  SAY(connect(client, (const struct sockaddr*)&named, sizeof named));  // names of files are the files'
  count_lines("/proc/net/tcp");
  count_lines("/proc/net/route");
  count_lines("/proc/net/if_inet6");
  unlink("named");
}

static void times(void) {
  ino_t before[COUNT];
  all(getpid(), before);
  SAY(unshare(CLONE_NEWUSER | CLONE_NEWTIME | CLONE_NEWCGROUP));
  show_new(before);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    show_new(before);
    int t = open("/proc/self/ns/time", O_RDONLY);
    SAY(setns(t, CLONE_NEWTIME));
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, 0, 0);
  SAY(setns(open("/proc/self/ns/time_for_children", O_RDONLY), 0));
  show_new(before);
}

static void joined(void) {
  const int EVERY = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID |
                    CLONE_NEWCGROUP | CLONE_NEWNET;
  int ready[2], hold[2];
  char c;
  if (pipe(ready) || pipe(hold)) return;
  ino_t before[COUNT], theirs[COUNT], now[COUNT];
  all(getpid(), before);
  fflush(stdout);
  pid_t pid = (pid_t)syscall(SYS_clone, EVERY | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    close(hold[1]);
    sethostname("joined", 6);
    (void)!write(ready[1], "x", 1);
    (void)!read(hold[0], &c, 1);
    _exit(0);
  }
  close(hold[0]);
  (void)!read(ready[0], &c, 1);
  all(pid, theirs);
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  SAY(setns(pidfd, 0));
  SAY(setns(pidfd, CLONE_NEWUTS));
  SAY(setns(pidfd, EVERY | CLONE_VM));
  SAY(setns(pidfd, EVERY));
  all(getpid(), now);
  for (int i = 0; i < COUNT; i++)
    printf("%s: ours %d theirs %d\n", KINDS[i], now[i] == before[i], now[i] == theirs[i]);
  char name[64];
  gethostname(name, sizeof name);
  printf("%s\n", name);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    printf("number %d\n", getpid());
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, 0, 0);
  close(hold[1]);
  waitpid(pid, 0, 0);
  SAY(setns(pidfd, EVERY));
}

int main(void) {
  int status;
  pid_t pid = fork();
  if (pid == 0)
    _exit(unshare(CLONE_NEWUSER | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME) != 0);
  waitpid(pid, &status, 0);
  if (status) {
    printf("SKIPPED: an ordinary user cannot make namespaces here\n");
    return 77;
  }
  const struct sockaddr_un un = abstract_name();
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(listener, (const struct sockaddr*)&un, offsetof(struct sockaddr_un, sun_path) + 16);
  listen(listener, 1);
  say_part("ipc", ipc);
  say_part("ipc, the old one", ipc_end);
  say_part("net", net);
  say_part("time and control groups", times);
  say_part("all through a pidfd", joined);
  return 0;
}
