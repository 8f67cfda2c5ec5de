// User namespaces: who may write which map, what is seen through it, what its root may do and what not,
// entering one with setns(2), and what ioctl_ns(2) says of it. Also host names, which are the simplest thing
// to rule over.
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

static const char directory[] = "directory";

static void put(const char* file, const char* text) {
  int fd = open(file, O_WRONLY);
  long n = fd < 0 ? -1 : write(fd, text, strlen(text));
  printf("%s <- \"%s\": %s\n", file, text, n < 0 ? strerrorname_np(errno) : "ok");
  if (fd >= 0) close(fd);
}

static void show(const char* file) {
  char b[512];
  int fd = open(file, O_RDONLY);
  long n = fd < 0 ? -1 : read(fd, b, sizeof b - 1);
  printf("%s: %s", file, n < 0 ? "cannot be read\n" : n == 0 ? "empty\n" : "");
  if (n > 0) b[n] = 0, fputs(b, stdout);
  if (fd >= 0) close(fd);
}

static void show_line(const char* file, const char* key) {
  char line[512];
  FILE* f = fopen(file, "r");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, key, strlen(key))) fputs(line, stdout);
  if (f) fclose(f);
}

static void show_ids(void) {
  uid_t r, e, s;
  gid_t gr, ge, gs;
  getresuid(&r, &e, &s);
  getresgid(&gr, &ge, &gs);
  printf("ids %u %u %u  %u %u %u  get %u %u %u %u\n", r, e, s, gr, ge, gs, getuid(), geteuid(), getgid(),
         getegid());
  show_line("/proc/self/status", "Uid:");
  show_line("/proc/self/status", "Gid:");
  show_line("/proc/self/status", "CapEff:");
  show_line("/proc/self/status", "CapPrm:");
  show_line("/proc/self/status", "CapInh:");
}

static void owner(const char* path) {
  struct stat st;
  if (stat(path, &st))
    printf("%s: %s\n", path, strerrorname_np(errno));
  else
    printf("%s: %u %u %o\n", path, st.st_uid, st.st_gid, st.st_mode & 07777);
}

static ino_t number(const char* path) {
  struct stat st;
  return stat(path, &st) ? 0 : st.st_ino;
}

static void without_maps(void) {
  ino_t before = number("/proc/self/ns/user");
  SAY(unshare(CLONE_NEWUSER));
  printf("another namespace: %d\n", number("/proc/self/ns/user") != before);
  show_ids();
  show("/proc/self/uid_map");
  show("/proc/self/gid_map");
  show("/proc/self/setgroups");
  owner("/");
  owner(directory);
  SAY(setuid(0));
  SAY(setuid(65534));
  gid_t none;
  SAY(setgroups(0, &none));
  // The capabilities hold here, not over what belongs to the system.
  SAY(mount("none", directory, "tmpfs", 0, ""));
  SAY(sethostname("x", 1));
  SAY(chown(directory, 0, 0));
  struct rlimit r;
  getrlimit(RLIMIT_NOFILE, &r);
  r.rlim_max++;
  SAY(setrlimit(RLIMIT_NOFILE, &r));
  SAY(setpriority(PRIO_PROCESS, 0, -5));
  SAY(mknod("node", S_IFCHR | 0600, 0x103));
  SAY(kill(getppid(), 0));
  SAY(open("/proc/1/environ", O_RDONLY));
}

static void own_ids(void) {
  SAY(unshare(CLONE_NEWUSER));
  put("/proc/self/uid_map", "");
  put("/proc/self/uid_map", "0 1000\n");
  put("/proc/self/uid_map", "0 1000 0\n");
  put("/proc/self/uid_map", "0 1000 x\n");
  put("/proc/self/uid_map", "4294967295 1000 1\n");
  put("/proc/self/uid_map", "0 1000 1\n0 1001 1\n");
  put("/proc/self/uid_map", "0 1000 1\n5 1000 1\n");
  put("/proc/self/uid_map", "0 0 1\n");
  put("/proc/self/uid_map", "0 1000 2\n");
  put("/proc/self/uid_map", "  0   1000\t1");
  put("/proc/self/uid_map", "0 1000 1\n");
  put("/proc/self/gid_map", "0 1000 1\n");
  put("/proc/self/setgroups", "never");
  put("/proc/self/setgroups", "allow");
  put("/proc/self/setgroups", "deny ");
  put("/proc/self/setgroups", "allow");
  put("/proc/self/gid_map", "0 1000 1\n");
  put("/proc/self/setgroups", "deny");
  show("/proc/self/uid_map");
  show("/proc/self/gid_map");
  show("/proc/self/setgroups");
  show_ids();
  owner("/");
  owner("/proc/self");
  SAY(chown("/tmp", 0, 0));
  SAY(chown(directory, 0, 0));
  SAY(chown(directory, 1, 0));
  owner(directory);
  SAY(chmod(directory, 0));
  SAY(open(directory, O_RDONLY));  // CAP_DAC_OVERRIDE over what is mapped
  SAY(access("/root", R_OK));
  SAY(open("/etc/shadow", O_RDONLY));
  SAY(setuid(0));
  SAY(setuid(1));
  SAY(setgid(1000));
  SAY(setreuid(-1, 1000));
  gid_t g = 0;
  SAY(setgroups(1, &g));
  SAY(chroot("/"));
  SAY(unshare(CLONE_NEWUSER));  // in what is as good as the whole tree
  show("/proc/self/uid_map");
  put("/proc/self/uid_map", "7 0 1\n");
  show("/proc/self/uid_map");
  printf("getuid %u\n", getuid());
  SAY(chmod(directory, 0755));
}

static void of_a_child(void) {
  int ready[2], mapped[2];
  char c;
  if (pipe(ready) || pipe(mapped)) _exit(1);
  pid_t pid = fork();
  if (pid == 0) {
    SAY(unshare(CLONE_NEWUSER));
    fflush(stdout);
    (void)!write(ready[1], "x", 1);
    (void)!read(mapped[0], &c, 1);
    show_ids();
    show("/proc/self/uid_map");
    SAY(prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT));
    int fd[2];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, fd);
    struct ucred u;
    socklen_t n = sizeof u;
    getsockopt(fd[0], SOL_SOCKET, SO_PEERCRED, &u, &n);
    printf("peer %d %u %u\n", u.pid == getpid(), u.uid, u.gid);
    fflush(stdout);
    (void)!write(ready[1], "x", 1);
    (void)!read(mapped[0], &c, 1);
    // exec makes a full set of capabilities of being root only.
    execl("/bin/sh", "sh", "-c", "id -u; grep Cap[PE] /proc/self/status", (char*)0);
    _exit(1);
  }
  (void)!read(ready[0], &c, 1);
  char map[64], users[64];
  sprintf(map, "/proc/%d/uid_map", pid);
  sprintf(users, "/proc/%d/ns/user", pid);
  int fd = open(map, O_WRONLY);
  SAY(write(fd, "100 1000 1", 10));
  close(fd);
  // Whoever made it rules over it, with all capabilities.
  char link[64];
  printf("link can be read: %d\n", readlink(users, link, sizeof link) > 0);
  (void)!write(mapped[1], "x", 1);
  (void)!read(ready[0], &c, 1);
  show("/proc/self/uid_map");
  int ns = open(users, O_RDONLY), other = open("/proc/self/ns/uts", O_RDONLY), file = open("/", O_RDONLY);
  printf("type %d %d %s\n", ioctl(ns, NS_GET_NSTYPE) == CLONE_NEWUSER,
         ioctl(other, NS_GET_NSTYPE) == CLONE_NEWUTS, result(ioctl(file, NS_GET_NSTYPE)));
  uid_t by = 0;
  SAY(ioctl(ns, NS_GET_OWNER_UID, &by));
  printf("owner %u\n", by);
  SAY(ioctl(other, NS_GET_OWNER_UID, &by));
  SAY(ioctl(other, NS_GET_PARENT));
  struct stat a, b;
  int parent = ioctl(ns, NS_GET_PARENT), users_of = ioctl(ns, NS_GET_USERNS);
  fstat(parent, &a);
  fstat(users_of, &b);
  printf("parent is ours: %d %d\n", a.st_ino == number("/proc/self/ns/user"), b.st_ino == a.st_ino);
  SAY(ioctl(parent, NS_GET_PARENT));
  SAY(setns(-1, 0));
  SAY(setns(file, 0));
  SAY(setns(ns, CLONE_NEWUTS));
  SAY(setns(parent, CLONE_NEWUSER));
  SAY(setns(other, CLONE_NEWUTS));
  SAY(setns(ns, CLONE_NEWUSER));
  SAY(setns(ns, 0));
  show_ids();
  SAY(setns(parent, 0));
  SAY(ioctl(ns, NS_GET_PARENT));
  (void)!write(mapped[1], "x", 1);
  waitpid(pid, 0, 0);
}

static void host_names(void) {
  struct utsname u, v;
  uname(&u);
  SAY(unshare(CLONE_NEWUTS));
  SAY(unshare(CLONE_NEWUSER | CLONE_NEWUTS));
  uname(&v);
  printf("the same name: %d\n", !strcmp(u.nodename, v.nodename));
  SAY(sethostname("inside", 6));
  SAY(setdomainname("domain", 6));
  uname(&v);
  printf("%s %s\n", v.nodename, v.domainname);
  show("/proc/sys/kernel/hostname");
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    SAY(unshare(CLONE_NEWUTS));
    SAY(sethostname("deeper", 6));
    uname(&v);
    printf("%s %s\n", v.nodename, v.domainname);
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, 0, 0);
  uname(&v);
  printf("%s\n", v.nodename);
  // The namespace of names is ruled by ours.
  int ns = open("/proc/self/ns/uts", O_RDONLY), by = ioctl(ns, NS_GET_USERNS);
  struct stat st;
  fstat(by, &st);
  printf("ruled by ours: %d\n", st.st_ino == number("/proc/self/ns/user"));
}

static void mounts(void) {
  SAY(unshare(CLONE_NEWUSER | CLONE_NEWNS));
  put("/proc/self/setgroups", "deny");
  put("/proc/self/uid_map", "0 1000 1");
  put("/proc/self/gid_map", "0 1000 1");
  SAY(mount("none", directory, "tmpfs", 0, "mode=750"));
  char path[128];
  sprintf(path, "%s/file", directory);
  close(open(path, O_CREAT | O_WRONLY, 0644));
  owner(directory);
  owner(path);
  SAY(chown(path, 5, 0));
  sprintf(path, "%s/node", directory);
  SAY(mknod(path, S_IFCHR | 0666, 0x103));
  SAY(mknod(path, S_IFIFO | 0666, 0));
  SAY(umount("/proc"));  // inherited: locked
  SAY(mount("none", directory, 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0));
  SAY(umount(directory));
  SAY(mount("none", directory, "no such file system", 0, ""));
  SAY(mount("none", directory, "proc", 0, ""));  // the PID namespace is not ours
  SAY(mount("none", directory, "devtmpfs", 0, ""));
}

static void by_clone(void) {
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    show_ids();
    SAY(sethostname("cloned", 6));
    printf("parent may be signalled: %s\n", result(kill(getppid(), 0)));
    fflush(stdout);
    _exit(0);
  }
  printf("made: %d\n", pid > 0);
  waitpid(pid, 0, 0);
  struct utsname u;
  uname(&u);
  printf("our name is not the child's: %d\n", strcmp(u.nodename, "cloned") != 0);
  printf("with FS: %s\n", result(syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0)));
}

int main(void) {
  int status;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) _exit(unshare(CLONE_NEWUSER) != 0);
  waitpid(pid, &status, 0);
  if (status || getuid() != 1000 || getgid() != 1000) {
    printf("SKIPPED: user 1000 cannot make a user namespace here\n");
    return 77;
  }
  if (mkdir(directory, 0700)) return 1;
  say_part("without maps", without_maps);
  say_part("own ids", own_ids);
  say_part("of a child", of_a_child);
  say_part("host names", host_names);
  say_part("mounts", mounts);
  say_part("by clone", by_clone);
  chmod(directory, 0755);
  SAY(rmdir(directory));
  return 0;
}
