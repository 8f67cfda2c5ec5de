// What guest programs print of a call: its text and what it returned. Errors by name, so that natively and as
// a guest the same line stands there.
#pragma once

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// "close(3): ok", or the error's name.
#define SAY(call)                                                        \
  do {                                                                   \
    errno = 0;                                                           \
    long r_ = (long)(call);                                              \
    printf("%s: %s\n", #call, r_ == -1 ? strerrorname_np(errno) : "ok"); \
  } while (0)

// "read(fd, b, 4): 4 ", or "-1 EBADF".
#define SAY_NUMBER(call)                                                     \
  do {                                                                       \
    errno = 0;                                                               \
    long r_ = (long)(call);                                                  \
    printf("%s: %ld %s\n", #call, r_, r_ < 0 ? strerrorname_np(errno) : ""); \
  } while (0)

// The number that a call returned, or the text of its error. Good for eight results in one printf().
static inline const char* result(long r) {
  static char out[8][64];
  static int next;
  char* o = out[next++ % 8];
  if (r < 0)
    snprintf(o, 64, "%s", strerror(errno));
  else
    snprintf(o, 64, "%ld", r);
  return o;
}

// "write(fd, b, 4) = 4", or the error's name.
static inline void show_result(const char* what, long r) {
  if (r >= 0)
    printf("%s = %ld\n", what, r);
  else
    printf("%s: %s\n", what, strerrorname_np(errno));
}
#define SHOW(call) show_result(#call, (long)(call))

// Lets a child do one part of the test, so that the next one begins afresh.
static inline void say_part(const char* title, void (*part)(void)) {
  printf("--- %s\n", title);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    part();
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  if (status) printf("ended with %x\n", status);
}
