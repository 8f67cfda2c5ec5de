// guest-args: one "two words" three
// The other files of /proc/PID: stat, statm, cmdline, environ, comm, fd, fdinfo, task, links, limits.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[65536];

static ssize_t load(const char* path) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) {
    printf("%s: %s\n", path, strerror(errno));
    return -1;
  }
  ssize_t n = 0, got;
  while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0) n += got;
  text[n] = 0;
  close(fd);
  return n;
}

static void check(const char* what, int ok) { printf("%s: %s\n", what, ok ? "ok" : "WRONG"); }

static const char* target(const char* path) {
  static char link[4096];
  ssize_t n = readlink(path, link, sizeof link - 1);
  if (n < 0) return strerror(errno);
  link[n] = 0;
  return link;
}

// Digits become N, so that only the shape is left.
static const char* shape(const char* s) {
  static char out[4096];
  char* o = out;
  for (; *s && o < out + sizeof out - 1; s++) {
    if (*s >= '0' && *s <= '9') {
      if (o == out || o[-1] != 'N') *o++ = 'N';
    } else {
      *o++ = *s;
    }
  }
  *o = 0;
  return out;
}

static void store(const char* path, const char* what) {
  int fd = open(path, O_WRONLY);
  ssize_t n = fd < 0 ? -1 : write(fd, what, strlen(what));
  printf("write %s: %s\n", strrchr(path, '/'), n < 0 ? strerror(errno) : "ok");
  if (fd >= 0) close(fd);
}

static void* wait_for_byte(void* arg) {
  char c;
  return read(*(int*)arg, &c, 1) == 1 ? NULL : arg;
}

static void stat_file(void) {
  load("/proc/self/stat");
  char* name_end = strrchr(text, ')');
  int fields = 2;
  for (char* p = name_end; *p; p++) fields += *p == ' ';
  printf("stat: %d fields, name %.*s\n", fields, (int)(name_end - strchr(text, '(')) + 1, strchr(text, '('));
  char state;
  int ppid, pgrp, session, tty, tpgid, nice, threads;
  long priority;
  unsigned long long start, vsize;
  long rss;
  sscanf(name_end + 2, "%c %d %d %d %d %d %*u %*u %*u %*u %*u %*u %*u %*u %*u %ld %d %d %*d %llu %llu %ld",
         &state, &ppid, &pgrp, &session, &tty, &tpgid, &priority, &nice, &threads, &start, &vsize, &rss);
  printf("state %c, priority %ld, nice %d, threads %d\n", state, priority, nice, threads);
  check("stat ids", atoi(text) == getpid() && ppid == getppid() && pgrp == getpgrp() && session == getsid(0));
  check("stat memory", vsize > 100000 && rss > 10 && (unsigned long long)rss * 4096 <= vsize);
  double up;
  load("/proc/uptime");
  sscanf(text, "%lf", &up);
  check("start time", start > 0 && start / 100.0 <= up + 0.02 && start / 100.0 > up - 15);
  load("/proc/self/statm");
  printf("statm %s", shape(text));
}

static void arguments(void) {
  ssize_t n = load("/proc/self/cmdline");
  char* first_end = memchr(text, 0, n);
  char* base = strrchr(text, '/');
  printf("cmdline %s:", base ? base + 1 : text);
  for (char* p = first_end + 1; p < text + n; p += strlen(p) + 1) printf(" [%s]", p);
  n = load("/proc/self/environ");
  int found = 0;
  for (char* p = text; p < text + n; p += strlen(p) + 1) found |= strncmp(p, "LC_ALL=", 7) == 0;
  printf("\nenviron has LC_ALL: %d, same in the program: %d\n", found, getenv("LC_ALL") != NULL);
  n = load("/proc/self/auxv");
  check("auxv", n % 16 == 0 && n > 160);
}

static void names(void) {
  store("/proc/self/comm", "a new name which is long\n");
  char name[17] = "";
  prctl(PR_GET_NAME, name);
  printf("PR_GET_NAME %s\n", name);
  prctl(PR_SET_NAME, "again");
  load("/proc/self/comm");
  printf("comm %s", text);
  load("/proc/thread-self/comm");
  printf("thread-self comm %s", text);
  printf("exe %s\n", strrchr(target("/proc/self/exe"), '/'));
  char cwd[4096];
  if (!getcwd(cwd, sizeof cwd)) return;
  check("cwd", strcmp(target("/proc/self/cwd"), cwd) == 0);
  printf("root %s\n", target("/proc/self/root"));
  char self[32];
  snprintf(self, sizeof self, "%d", getpid());
  check("self", strcmp(target("/proc/self"), self) == 0);
  printf("thread-self %s\n", shape(target("/proc/thread-self")));
  printf("ns %s %s\n", shape(target("/proc/self/ns/net")), shape(strdup(target("/proc/self/ns/uts"))));
  printf("mounts %s\n", target("/proc/mounts"));
}

static void descriptors(void) {
  char path[64], file[] = "proc_files.tmp";
  int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0600);
  if (write(fd, "hello", 5) != 5) return;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  printf("fd %s\n", strrchr(target(path), '/'));
  struct stat link, through, direct;
  lstat(path, &link);
  stat(path, &through);
  fstat(fd, &direct);
  printf("link mode %o size %ld, same file %d\n", link.st_mode, (long)link.st_size,
         through.st_ino == direct.st_ino && through.st_size == 5);
  int other = open(path, O_RDONLY);
  char buf[8] = "";
  printf("opened again, read %zd %s\n", read(other, buf, 7), buf);
  close(other);
  unlink(file);
  printf("unlinked: %s\n", strrchr(target(path), '/'));
  other = open(path, O_RDONLY);
  printf("still opens: %d\n", other >= 0);
  close(other);
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  load(path);
  printf("fdinfo %.*s\nkeys", (int)(strstr(text, "mnt_id") - text), text);
  for (char* p = strtok(text, "\n"); p; p = strtok(NULL, "\n")) printf(" %.*s", (int)strcspn(p, ":"), p);
  close(fd);
  int p[2], s[2];
  if (pipe(p) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, s) != 0) return;
  snprintf(path, sizeof path, "/proc/self/fd/%d", p[1]);
  printf("\npipe %s", shape(target(path)));
  lstat(path, &link);
  printf(" mode %o\n", link.st_mode);
  snprintf(path, sizeof path, "/proc/self/fd/%d", s[0]);
  printf("socket %s\n", shape(target(path)));
  close(p[0]);
  close(p[1]);
  snprintf(path, sizeof path, "/proc/self/fd/%d", p[1]);
  printf("closed: %s\n", target(path));
  printf("bad name: %s\n", target("/proc/self/fd/01"));
  // Every entry is an open descriptor of ours.
  DIR* dir = opendir("/proc/self/fd");
  struct dirent* e;
  int bad = 0, count = 0;
  while ((e = readdir(dir))) {
    if (e->d_name[0] == '.') continue;
    count++;
    bad += fcntl(atoi(e->d_name), F_GETFD) < 0;
  }
  closedir(dir);
  printf("listed %s, bad %d\n", count >= 5 ? "enough" : "too few", bad);
}

static void tasks(void) {
  int p[2];
  if (pipe(p) != 0) return;
  pthread_t t[2];
  for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, wait_for_byte, &p[0]);
  DIR* dir = opendir("/proc/self/task");
  struct dirent* e;
  int count = 0, leader = 0, type_ok = 1;
  char path[300], last[256] = "";
  while ((e = readdir(dir))) {
    if (e->d_name[0] == '.') continue;
    count++;
    leader += atoi(e->d_name) == getpid();
    type_ok &= e->d_type == DT_DIR;
    strcpy(last, e->d_name);
  }
  closedir(dir);
  printf("tasks %d, leader %d, directories %d\n", count, leader, type_ok);
  snprintf(path, sizeof path, "/proc/self/task/%s/comm", last);
  store(path, "worker");
  load(path);
  printf("its comm %s", text);
  snprintf(path, sizeof path, "/proc/%s/status", last);
  load(path);
  printf("by tid: %.12s\n", text);
  if (write(p[1], "xx", 2) != 2) return;
  for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
}

struct io {
  long rchar, wchar, syscr, syscw, length;
};
static struct io read_io(void) {
  struct io c = {0};
  char b[512] = "";
  int fd = open("/proc/self/io", O_RDONLY);
  c.length = read(fd, b, sizeof b - 1);
  close(fd);
  sscanf(b, "rchar: %ld wchar: %ld syscr: %ld syscw: %ld", &c.rchar, &c.wchar, &c.syscr, &c.syscw);
  return c;
}
static void* other_thread(void* p) {
  if (write(*(int*)p, "thread", 6) != 6) puts("?");
  return NULL;
}
static void counters(void) {
  char b[100];
  int in = open("io.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600), p[2];
  if (pipe(p) != 0) return;
  struct io x = read_io();
  for (int i = 0; i < 5; i++)
    if (write(in, "0123456789", 10) != 10) puts("?");
  if (pread(in, b, 7, 0) != 7 || read(in, b, 10) != 0 || pread(in, b, 10, -1) != -1) puts("?");
  off_t at = 0;
  if (sendfile(p[1], in, &at, 20) != 20) puts("?");
  pthread_t t;
  pthread_create(&t, NULL, other_thread, &p[1]);
  pthread_join(t, NULL);
  if (read(p[0], b, 100) != 26) puts("?");
  pid_t child = fork();
  if (child == 0) _exit(write(p[1], "child", 5) != 5);
  waitpid(child, NULL, 0);  // what it did is ours from now on
  struct io y = read_io();
  printf("io: read %ld in %ld calls, written %ld in %ld\n", y.rchar - x.rchar - x.length, y.syscr - x.syscr - 1,
         y.wchar - x.wchar, y.syscw - x.syscw);
  close(in), close(p[0]), close(p[1]);
  unlink("io.tmp");
}

int main(void) {
  stat_file();
  arguments();
  names();
  descriptors();
  tasks();
  struct rlimit lim = {17, 23};
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  setrlimit(RLIMIT_NOFILE, &lim);
  load("/proc/self/limits");
  for (char* p = strtok(text, "\n"); p; p = strtok(NULL, "\n")) {
    if (strncmp(p, "Limit ", 6) == 0 || strncmp(p, "Max open", 8) == 0 || strncmp(p, "Max core", 8) == 0 ||
        (strncmp(p, "Max real", 8) == 0 && strstr(p, "priority") == NULL))
      printf("[%s]\n", p);
    else
      printf("[%.25s\n", p);
  }
  load("/proc/self/oom_score_adj");
  printf("oom_score_adj %s", text);
  store("/proc/self/oom_score_adj", "500");
  store("/proc/self/oom_score_adj", "1001");
  store("/proc/self/oom_score_adj", "x");
  store("/proc/self/oom_score_adj", "100");
  load("/proc/self/oom_score_adj");
  printf("oom_score_adj %s", text);
  load("/proc/self/io");
  for (char* p = strtok(text, "\n"); p; p = strtok(NULL, "\n")) printf("%.*s ", (int)strcspn(p, ":"), p);
  puts("");
  counters();
  load("/proc/self/uid_map");
  printf("[%s", text);
  load("/proc/999999999/stat");
  load("/proc/self/nothing");
  load("/proc/self/status/x");
  int fd = open("/proc/self/stat", O_WRONLY);
  printf("open stat for writing: %s\n", fd < 0 ? strerror(errno) : "ok");
  // /proc/self of a child is the child's.
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    printf("child: self %s\n", atoi(target("/proc/self")) == getpid() ? "ok" : "WRONG");
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  return 0;
}
