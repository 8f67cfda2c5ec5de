// User and group ids, groups and capabilities of an ordinary user without special rights.
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

static struct __user_cap_header_struct header;
static struct __user_cap_data_struct data[2];

static long capget_(unsigned version, int pid, void* to) {
  header.version = version;
  header.pid = pid;
  return syscall(SYS_capget, &header, to);
}

static long capset_(int pid) {
  header.version = _LINUX_CAPABILITY_VERSION_3;
  header.pid = pid;
  return syscall(SYS_capset, &header, data);
}

static void* other_thread(void* arg) {
  // Capabilities belong to the thread.
  capget_(_LINUX_CAPABILITY_VERSION_3, 0, data);
  memset(data, 0, sizeof data);
  printf("thread drops all: %s\n", result(capset_(0)));
  return arg;
}

int main(void) {
  uid_t u = getuid(), r, e, s;
  gid_t g = getgid();
  printf("ids equal: %d %d\n", u == geteuid(), g == getegid());
  printf("getresuid %s", result(getresuid(&r, &e, &s)));
  printf(" %d\n", r == u && e == u && s == u);
  printf("getresuid to nowhere %s\n", result(syscall(SYS_getresuid, 16L, &e, &s)));
  printf("setuid own %s, root %s, -1 %s\n", result(setuid(u)), result(setuid(0)),
         result(syscall(SYS_setuid, -1)));
  printf("setgid own %s, root %s, -1 %s\n", result(setgid(g)), result(setgid(0)),
         result(syscall(SYS_setgid, -1)));
  printf("setreuid %s %s %s\n", result(setreuid(-1, -1)), result(setreuid(u, u)), result(setreuid(u, 0)));
  printf("setregid %s %s %s\n", result(setregid(-1, -1)), result(setregid(g, g)), result(setregid(0, g)));
  printf("setresuid %s %s %s\n", result(setresuid(-1, -1, -1)), result(setresuid(u, u, u)),
         result(setresuid(u, u, 0)));
  printf("setresgid %s %s %s\n", result(setresgid(-1, -1, -1)), result(setresgid(g, g, g)),
         result(setresgid(0, -1, -1)));
  printf("setfsuid %d %d %d\n", setfsuid(0) == (int)u, setfsuid(-1) == (int)u, setfsuid(u) == (int)u);
  printf("setfsgid %d %d\n", setfsgid(0) == (int)g, setfsgid(-1) == (int)g);
  gid_t list[4] = {1, 2, 3, 4};
  int count = getgroups(0, NULL);
  printf("getgroups count known %d, negative %s\n", count >= 0, result(syscall(SYS_getgroups, -1, list)));
  printf("setgroups %s, negative %s\n", result(setgroups(1, list)), result(syscall(SYS_setgroups, -1, list)));

  printf("capget bad version %s", result(capget_(0x12345678, 0, data)));
  printf(", preferred %x\n", header.version);
  printf("capget bad version, no data %s\n", result(capget_(0, 0, NULL)));
  printf("capget v3 %s\n", result(capget_(_LINUX_CAPABILITY_VERSION_3, 0, data)));
  printf("effective within permitted: %d, inheritable beyond 40: %d\n",
         (data[0].effective & ~data[0].permitted) == 0, data[1].permitted >> 9);
  printf("capget v1 %s, self by pid %s\n", result(capget_(_LINUX_CAPABILITY_VERSION_1, 0, data)),
         result(capget_(_LINUX_CAPABILITY_VERSION_3, getpid(), data)));
  printf("capget negative pid %s, no such %s, no data %s\n",
         result(capget_(_LINUX_CAPABILITY_VERSION_3, -1, data)),
         result(capget_(_LINUX_CAPABILITY_VERSION_3, 999999999, data)),
         result(capget_(_LINUX_CAPABILITY_VERSION_3, 0, NULL)));
  printf("capget bad addresses %s %s\n", result(syscall(SYS_capget, 16L, data)),
         result(capget_(_LINUX_CAPABILITY_VERSION_3, 0, (void*)16)));
  capget_(_LINUX_CAPABILITY_VERSION_3, 0, data);
  struct __user_cap_data_struct before[2];
  memcpy(before, data, sizeof data);
  printf("capset same %s, other pid %s\n", result(capset_(0)), result(capset_(1)));
  data[0].permitted |= 1u << CAP_SYS_ADMIN;
  printf("capset more permitted %s\n", result(capset_(0)));
  memcpy(data, before, sizeof data);
  data[0].effective |= 1u << CAP_SYS_ADMIN;
  printf("capset more effective %s\n", result(capset_(0)));
  memcpy(data, before, sizeof data);
  data[0].inheritable |= 1u << CAP_SYS_ADMIN;
  printf("capset more inheritable %s\n", result(capset_(0)));
  fflush(stdout);
  pthread_t t;
  pthread_create(&t, NULL, other_thread, NULL);
  pthread_join(t, NULL);
  capget_(_LINUX_CAPABILITY_VERSION_3, 0, data);
  printf("ours as before: %d\n", memcmp(data, before, sizeof data) == 0);
  memset(data, 0, sizeof data);
  printf("drop all %s", result(capset_(0)));
  capget_(_LINUX_CAPABILITY_VERSION_3, 0, data);
  printf(", left %x %x\n", data[0].permitted, data[0].effective);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(getuid() == u && geteuid() == u && getgid() == g ? 7 : 8);
  int status;
  waitpid(child, &status, 0);
  printf("child inherits the ids: %d\n", WEXITSTATUS(status) == 7);
  printf("getcpu to nowhere: %s\n", result(syscall(SYS_getcpu, 16L, NULL, NULL)));
  return 0;
}
