/* Files, names and memory. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cases.h"

enum { SMALL = 4096, LARGE = 65536, FILE_SIZE = 1 << 20 };

static char buffer[LARGE];

static int data_file(void) {
  static int fd = -1;
  if (fd < 0) {
    char path[] = "bench.XXXXXX";
    MUST((fd = mkstemp(path)) >= 0);
    unlink(path);
    memset(buffer, 7, sizeof buffer);
    for (int i = 0; i < FILE_SIZE / LARGE; ++i) MUST(write(fd, buffer, LARGE) == LARGE);
  }
  return fd;
}

static double transfer(long n, long size, int writing) {
  int fd = data_file();
  double start = now();
  for (long i = 0; i < n; ++i) {
    off_t at = i * size % FILE_SIZE;
    ssize_t r = writing ? pwrite(fd, buffer, (size_t)size, at) : pread(fd, buffer, (size_t)size, at);
    MUST(r == size);
  }
  return now() - start;
}

static double c_pread_4k(long n) { return transfer(n, SMALL, 0); }
static double c_pwrite_4k(long n) { return transfer(n, SMALL, 1); }
static double c_pread_64k(long n) { return transfer(n, LARGE, 0); }
static double c_pwrite_64k(long n) { return transfer(n, LARGE, 1); }

static double c_stat(long n) {
  struct stat st;
  double start = now();
  for (long i = 0; i < n; ++i) MUST(stat("/usr/bin/env", &st) == 0);
  return now() - start;
}

static double c_open_close(long n) {
  double start = now();
  for (long i = 0; i < n; ++i) {
    int fd = open("/usr/bin/env", O_RDONLY);
    MUST(fd >= 0);
    close(fd);
  }
  return now() - start;
}

static double c_mmap_touch(long n) {
  double start = now();
  for (long i = 0; i < n; ++i) {
    volatile char* p = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(p != MAP_FAILED);
    for (int j = 0; j < LARGE; j += SMALL) p[j] = 1;
    munmap((void*)p, LARGE);
  }
  return now() - start;
}

/* An operation is one page. */
static double c_page_faults(long n) {
  size_t size = 256u << 20;
  double took = 0;
  for (long done = 0; done < n;) {
    volatile char* p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(p != MAP_FAILED);
    double start = now();
    for (size_t at = 0; at < size && done < n; at += SMALL, ++done) p[at] = 1;
    took += now() - start;
    munmap((void*)p, size);
  }
  return took;
}

const struct bench_case file_cases[] = {
    {"pread_4k", 0, 200, c_pread_4k},
    {"pwrite_4k", 0, 200, c_pwrite_4k},
    {"pread_64k", 0, 50, c_pread_64k},
    {"pwrite_64k", 0, 50, c_pwrite_64k},
    {"stat", 0, 200, c_stat},
    {"open_close", 0, 100, c_open_close},
    {"mmap_touch", 0, 50, c_mmap_touch},
    {"page_faults", 0, 4096, c_page_faults},
    {NULL, 0, 0, NULL},
};
