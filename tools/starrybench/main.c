/* starrybench_cases CASE MILLISECONDS: measures one case for about that long and prints the median of its
 * batches: nanoseconds per operation, or bytes per second. `--list` prints "name time|rate" lines; `--spin`
 * keeps one CPU busy until it is killed. */
#include <string.h>

#include "cases.h"

enum { BATCHES = 7 };

static const struct bench_case* const tables[] = {call_cases, file_cases, wake_cases, stream_cases,
                                                  process_cases};

static int compare(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static int measure(const struct bench_case* c, double seconds) {
  /* Grow the batch until one takes a fair share of the time. */
  long n = c->first;
  double t = c->run(n);
  while (t < seconds / (2 * BATCHES)) {
    double want = seconds / BATCHES / (t > 1e-6 ? t : 1e-6);
    n = (long)((double)n * (want > 10 ? 10 : want < 2 ? 2 : want));
    t = c->run(n);
  }
  double value[BATCHES];
  for (int i = 0; i < BATCHES; ++i) {
    t = c->run(n);
    value[i] = c->rate ? (double)n / t : t * 1e9 / (double)n;
  }
  qsort(value, BATCHES, sizeof value[0], compare);
  printf("%.3f\n", value[BATCHES / 2]);
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "--spin") == 0)
    for (volatile long i = 0;; ++i) continue;
  if (argc == 5 && strcmp(argv[1], "--scale") == 0)
    return scale_main(argv[2], atol(argv[3]), atof(argv[4]) / 1000);
  int list = argc == 2 && strcmp(argv[1], "--list") == 0;
  if (!list && argc != 3) {
    fprintf(stderr,
            "usage: starrybench_cases CASE MILLISECONDS | --scale CASE N MILLISECONDS | --list | --spin\n");
    return 2;
  }
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; ++i)
    for (const struct bench_case* c = tables[i]; c->name != NULL; ++c) {
      if (list)
        printf("%s %s\n", c->name, c->rate ? "rate" : "time");
      else if (strcmp(argv[1], c->name) == 0)
        return measure(c, atof(argv[2]) / 1000);
    }
  if (list) return 0;
  fprintf(stderr, "starrybench_cases: no case %s\n", argv[1]);
  return 2;
}
