/* What the files of this program share. A case does `n` operations, or moves `n` bytes, and returns the
 * seconds that took; its value per operation is what starrybench compares. */
#ifndef STARRYBENCH_CASES_H
#define STARRYBENCH_CASES_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct bench_case {
  const char* name;
  int rate;   /* 0: time of an operation, ns; 1: bytes per second */
  long first; /* operations of the first try, which is not counted */
  double (*run)(long n);
};

extern const struct bench_case call_cases[], file_cases[], wake_cases[], stream_cases[], process_cases[];

/* scale.c */
int scale_main(const char* name, long n, double seconds);

static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Ends the program if `ok` is false: a case that fails has no time. */
#define MUST(ok)                                                          \
  do {                                                                    \
    if (!(ok)) {                                                          \
      fprintf(stderr, "%s:%d: %s failed: %m\n", __FILE__, __LINE__, #ok); \
      exit(1);                                                            \
    }                                                                     \
  } while (0)

#endif
