/* starrybench_cases --scale CASE N MILLISECONDS: what an operation costs when there are N of something.
 * Prints nanoseconds per operation. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

static double budget; /* seconds */

/* Runs `op` until the time is over; ns per operation. */
static double repeat(void (*op)(long i)) {
  long done = 0;
  double start = now(), took;
  do {
    for (int i = 0; i < 16; ++i) op(done++);
    took = now() - start;
  } while (took < budget);
  return took * 1e9 / (double)done;
}

/* N threads in a ring: an operation passes the turn to the next one. */
static uint32_t* turns;
static long ring_size, ring_left;

static void pass(long to) {
  __atomic_store_n(&turns[to], 1, __ATOMIC_RELEASE);
  syscall(SYS_futex, &turns[to], FUTEX_WAKE_PRIVATE, 1);
}

static void* ring_thread(void* arg) {
  long me = (long)arg;
  for (;;) {
    while (__atomic_load_n(&turns[me], __ATOMIC_ACQUIRE) == 0)
      syscall(SYS_futex, &turns[me], FUTEX_WAIT_PRIVATE, 0, NULL);
    turns[me] = 0;
    long left = __atomic_sub_fetch(&ring_left, 1, __ATOMIC_RELAXED);
    pass((me + 1) % ring_size);
    if (left <= 0) return NULL; /* the next one sees it as well */
  }
}

static double s_futex_threads(long n) {
  pthread_t* t = calloc((size_t)n, sizeof *t);
  pthread_attr_t attr;
  turns = calloc((size_t)n + 1, sizeof *turns);
  ring_size = n;
  long hops = (long)(budget / 20e-6) + 2 * n;
  ring_left = hops;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 64 * 1024);
  for (long i = 0; i < n; ++i) MUST(pthread_create(&t[i], &attr, ring_thread, (void*)i) == 0);
  double start = now();
  pass(0);
  for (long i = 0; i < n; ++i) pthread_join(t[i], NULL);
  return (now() - start) * 1e9 / (double)(hops + n);
}

/* N processes in a ring of pipes. */
static double s_pipe_processes(long n) {
  int(*p)[2] = calloc((size_t)n + 1, sizeof *p);
  MUST(pipe(p[0]) == 0);
  for (long i = 0; i < n; ++i) {
    MUST(pipe(p[i + 1]) == 0);
    pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
      char c;
      close(p[0][1]);
      close(p[i + 1][0]);
      while (read(p[i][0], &c, 1) == 1)
        if (write(p[i + 1][1], &c, 1) != 1) break;
      _exit(0);
    }
    close(p[i][0]);
    close(p[i + 1][1]);
  }
  long rounds = 0;
  double start = now(), took;
  do {
    char c = 'x';
    MUST(write(p[0][1], &c, 1) == 1 && read(p[n][0], &c, 1) == 1);
    ++rounds;
    took = now() - start;
  } while (took < budget);
  close(p[0][1]);
  while (wait(NULL) > 0) continue;
  return took * 1e9 / (double)(rounds * n);
}

/* N connected sockets in one epoll: an operation is a write, epoll_wait and read. */
static int epoll_fd;
static int (*pairs)[2];
static long pair_count;

static void epoll_op(long i) {
  int* p = pairs[(i * 7919) % pair_count];
  struct epoll_event e[4];
  char c = 'x';
  MUST(write(p[0], &c, 1) == 1);
  MUST(epoll_wait(epoll_fd, e, 4, -1) == 1 && e[0].data.fd == p[1]);
  MUST(read(p[1], &c, 1) == 1);
}

static double s_epoll_sockets(long n) {
  struct rlimit r;
  getrlimit(RLIMIT_NOFILE, &r);
  r.rlim_cur = r.rlim_max;
  MUST(setrlimit(RLIMIT_NOFILE, &r) == 0);
  pair_count = n / 2;
  pairs = calloc((size_t)pair_count, sizeof *pairs);
  epoll_fd = epoll_create1(0);
  for (long i = 0; i < pair_count; ++i) {
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) == 0);
    for (int j = 0; j < 2; ++j) {
      struct epoll_event e = {.events = EPOLLIN, .data.fd = pairs[i][j]};
      MUST(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pairs[i][j], &e) == 0);
    }
  }
  return repeat(epoll_op);
}

/* A directory of N files: an operation opens and closes one of them. */
static long file_count;

static void file_name(char* s, long i) { sprintf(s, "files/file-%ld", i); }

static void open_op(long i) {
  char s[64];
  file_name(s, (i * 7919) % file_count);
  int fd = open(s, O_RDONLY);
  MUST(fd >= 0);
  close(fd);
}

static double directory(long n, int listing) {
  char s[64];
  MUST(mkdir("files", 0755) == 0);
  double start = now(), result;
  for (long i = 0; i < n; ++i) {
    file_name(s, i);
    int fd = open(s, O_CREAT | O_EXCL | O_WRONLY, 0644);
    MUST(fd >= 0);
    close(fd);
  }
  if (listing) {
    long seen = 0;
    DIR* d = opendir("files");
    MUST(d != NULL);
    while (readdir(d) != NULL) ++seen;
    closedir(d);
    MUST(seen == n + 2);
    result = (now() - start) * 1e9 / (double)n;
  } else {
    file_count = n;
    result = repeat(open_op);
  }
  for (long i = 0; i < n; ++i) {
    file_name(s, i);
    unlink(s);
  }
  rmdir("files");
  return result;
}

static double s_directory_fill(long n) { return directory(n, 1); }
static double s_directory_open(long n) { return directory(n, 0); }

/* A file of N MiB, of which one block in each is there: an operation writes one of them and reads another. */
static int large_file;
static long large_mib;

static void large_op(long i) {
  static char block[4096];
  off_t one = (off_t)((i * 7919) % large_mib) << 20, other = (off_t)((i * 104729 + 1) % large_mib) << 20;
  MUST(pwrite(large_file, block, sizeof block, one) == (ssize_t)sizeof block);
  MUST(pread(large_file, block, sizeof block, other) == (ssize_t)sizeof block);
}

static double s_large_file(long n) {
  large_mib = n;
  large_file = open("large", O_RDWR | O_CREAT | O_TRUNC, 0600);
  MUST(large_file >= 0);
  MUST(ftruncate(large_file, (off_t)n << 20) == 0);
  for (long i = 0; i < n; ++i) large_op(i);
  double result = repeat(large_op);
  struct stat st;
  MUST(fstat(large_file, &st) == 0 && st.st_size == (off_t)n << 20);
  unlink("large");
  return result;
}

static const struct {
  const char* name;
  double (*run)(long n);
} cases[] = {
    {"futex_threads", s_futex_threads},   {"pipe_processes", s_pipe_processes},
    {"epoll_sockets", s_epoll_sockets},   {"directory_fill", s_directory_fill},
    {"directory_open", s_directory_open}, {"large_file", s_large_file},
};

int scale_main(const char* name, long n, double seconds) {
  budget = seconds;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; ++i) {
    if (strcmp(cases[i].name, name) != 0) continue;
    printf("%.3f\n", cases[i].run(n));
    return 0;
  }
  fprintf(stderr, "starrybench_cases: no scale case %s\n", name);
  return 2;
}
