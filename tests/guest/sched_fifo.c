// Real-time scheduling on one CPU: the order of execution. Natively this needs RLIMIT_RTPRIO or
// CAP_SYS_NICE; without it the program prints the order that sched(7) prescribes ("Scheduling policies",
// SCHED_FIFO and SCHED_RR; futex(2) and pthread_mutexattr_setprotocol(3) for the last two).
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char EXPECTED[] =
    // a and b have priority 98 (the director has 99), c 5, d 1; a and b sleep, a wakes first, b while a runs.
    "mission: c a a. b b. c. d d.\n"
    // Equal FIFO tasks run until they block; RR tasks take turns of 100 ms.
    "fifo: x x. y y.\n"
    "rr: x y y. x.\n"
    // sched_yield: to the end of the list.
    "yield: x y x y x y x. y.\n"
    // A pre-empted task stays at the head of its list.
    "preempted: x h h. x. y y.\n"
    // A raised one goes behind its new equals, a lowered one before them.
    "raised: m m. p p. q q.\n"
    "lowered: m m. q q. p p.\n"
    // A higher policy takes over at once, and loses the CPU when it gives the policy up.
    "changed: n r r. n.\n"
    "futex: 30 20 10b 10a other\n"
    "inheritance: low mid! low. high high. mid.\n"
    "inherited by fork: 1 7, reset: 0 0\n";

static char log_text[512];
static _Atomic int log_len;
static void note(const char* fmt, ...) {
  char word[32];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(word, sizeof word, fmt, ap);
  va_end(ap);
  int at = atomic_fetch_add(&log_len, n + 1);
  log_text[at] = ' ';
  memcpy(log_text + at + 1, word, (size_t)n);
}
static void show(const char* name) {
  printf("%s:%.*s\n", name, log_len, log_text);
  log_len = 0;
}

static int64_t now(clockid_t c) {
  struct timespec ts;
  clock_gettime(c, &ts);
  return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}
// Works for so long, not counting the time during which others have the CPU.
static void work(int ms) {
  int64_t done = 0, last = now(CLOCK_MONOTONIC);
  while (done < ms * 1000000LL) {
    int64_t t = now(CLOCK_MONOTONIC);
    if (t - last < 500000) done += t - last;
    last = t;
  }
}
static int policy(pid_t tid, int pol, int prio) {
  struct sched_param p = {prio};
  return sched_setscheduler(tid, pol, &p);
}

enum { WORK, YIELD, FUTEX, LOCK_LOW, MID, LOCK_HIGH };
// What ends a task's work comes from another task where the order depends on it: load must not change it.
struct task {
  const char* name;
  int policy, priority, what, ms;
  const struct task* sleep_until;  // sleeps, by time, and begins after this one has begun
  const struct task* until_done;   // works at least until this one has ended
  const struct task* until_awake;  // ... until this one has woken up and waits for the CPU
  pthread_t thread;
  _Atomic pid_t tid;
  _Atomic int begun, done;
};

static _Atomic uint32_t gate, word, mid_may, high_may;
static pthread_mutex_t pi;

// Whether a thread that has begun is waiting for its turn.
static int sleeps(pid_t tid) {
  char path[64], text[256] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  int fd = open(path, O_RDONLY);
  if (fd < 0 || read(fd, text, sizeof text - 1) < 0) return 0;
  close(fd);
  const char* state = strrchr(text, ')');
  return state != NULL && state[2] == 'S';
}

static void await(_Atomic uint32_t* w) {
  while (*w == 0) syscall(SYS_futex, w, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}
static void allow(_Atomic uint32_t* w) {
  *w = 1;
  syscall(SYS_futex, w, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0);
}

static void* run(void* p) {
  struct task* t = p;
  policy(0, t->policy, t->priority);
  t->tid = (pid_t)syscall(SYS_gettid);
  if (t->what == FUTEX) {
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    note("%s", t->name);
    return NULL;
  }
  await(t->what == MID ? &mid_may : t->what == LOCK_HIGH ? &high_may : &gate);
  // The sleepers have the higher priorities: they go to sleep before the others begin.
  while (t->sleep_until != NULL && !t->sleep_until->begun) usleep(20000);
  switch (t->what) {
    case LOCK_LOW:
      pthread_mutex_lock(&pi);
      note("low");
      allow(&mid_may);  // which takes the CPU, until high waits for us
      note("low.");
      pthread_mutex_unlock(&pi);
      return NULL;
    case MID:
      note("mid!");
      allow(&high_may);  // which takes the CPU and lends its priority to low
      note("mid.");
      return NULL;
    case LOCK_HIGH:
      pthread_mutex_lock(&pi);
      note("high");
      note("high.");
      pthread_mutex_unlock(&pi);
      return NULL;
  }
  note("%s", t->name);
  t->begun = 1;
  if (t->what == YIELD) {
    for (int i = 0; i < 2; i++) {
      sched_yield();
      note("%s", t->name);
    }
    sched_yield();
  }
  work(t->ms);
  while (t->until_done != NULL && !t->until_done->done) work(1);
  while (t->until_awake != NULL && sleeps(t->until_awake->tid)) work(1);
  note("%s.", t->name);
  t->done = 1;
  return NULL;
}

// Starts the tasks in order; those without a sleep begin together, in that order.
static void begin(struct task* t, int n) {
  gate = word = 0;
  for (int i = 0; i < n; i++) {
    t[i].tid = 0;
    pthread_create(&t[i].thread, NULL, run, &t[i]);
    while (t[i].tid == 0 || !sleeps(t[i].tid)) usleep(2000);
  }
}
static void open_gate(void) {
  if (gate != 0) return;
  allow(&gate);
}
static void go(struct task* t, int n, const char* name) {
  open_gate();
  for (int i = 0; i < n; i++) pthread_join(t[i].thread, NULL);
  show(name);
}
static void scenario(const char* name, struct task* t, int n) {
  begin(t, n);
  go(t, n, name);
}
#define N(a) ((int)(sizeof a / sizeof *a))

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  // The director runs above all but lets go of the CPU when it waits.
  if (policy(0, SCHED_FIFO, 99) != 0) {
    fputs(EXPECTED, stdout);
    return 0;
  }
  struct task mission[] = {
      {"a", SCHED_FIFO, 98, WORK, 5, .sleep_until = &mission[2], .until_awake = &mission[1]},
      {"b", SCHED_FIFO, 98, WORK, 5, .sleep_until = &mission[0]},
      {"c", SCHED_FIFO, 5, WORK, 5, .until_done = &mission[1]},
      {"d", SCHED_FIFO, 1, WORK, 5}};
  scenario("mission", mission, 4);
  struct task fifo[] = {{"x", SCHED_FIFO, 10, WORK, 130}, {"y", SCHED_FIFO, 10, WORK, 10}};
  scenario("fifo", fifo, 2);
  struct task rr[] = {{"x", SCHED_RR, 10, WORK, 5, .until_done = &rr[1]}, {"y", SCHED_RR, 10, WORK, 0}};
  scenario("rr", rr, 2);
  struct task yield[] = {{"x", SCHED_FIFO, 10, YIELD, 0}, {"y", SCHED_FIFO, 10, YIELD, 0}};
  scenario("yield", yield, 2);
  struct task preempted[] = {{"x", SCHED_FIFO, 10, WORK, 5, .until_done = &preempted[2]},
                             {"y", SCHED_FIFO, 10, WORK, 5},
                             {"h", SCHED_FIFO, 20, WORK, 5, .sleep_until = &preempted[0]}};
  scenario("preempted", preempted, 3);

  for (int lower = 0; lower < 2; lower++) {
    struct task changer = {0};  // the director
    struct task t[] = {{"m", SCHED_FIFO, 50, WORK, 5, .until_done = &changer},
                       {"p", SCHED_FIFO, 20, WORK, 5},
                       {"q", SCHED_FIFO, lower ? 30 : 10, WORK, 5}};
    begin(t, 3);
    open_gate();
    while (!t[0].begun) usleep(20000);  // m runs, the others wait
    policy(t[2].tid, SCHED_FIFO, 20);
    changer.done = 1;
    go(t, 3, lower ? "lowered" : "raised");
  }
  struct task changed[] = {{"n", SCHED_OTHER, 0, WORK, 5, .until_done = &changed[1]},
                           {"r", SCHED_OTHER, 0, WORK, 5}};
  begin(changed, 2);
  policy(changed[0].tid, SCHED_FIFO, 3);  // so that it begins
  open_gate();
  while (!changed[0].begun) usleep(20000);
  policy(changed[1].tid, SCHED_FIFO, 4);
  go(changed, 2, "changed");

  struct task waiters[] = {{"10b", SCHED_FIFO, 10, FUTEX, 0},
                           {"other", SCHED_OTHER, 0, FUTEX, 0},
                           {"30", SCHED_FIFO, 30, FUTEX, 0},
                           {"10a", SCHED_RR, 10, FUTEX, 0},
                           {"20", SCHED_FIFO, 20, FUTEX, 0}};
  begin(waiters, 5);
  for (int i = 0; i < 5; i++) {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    usleep(5000);
  }
  go(waiters, 5, "futex");

  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&pi, &a);
  struct task inherit[] = {{"low", SCHED_FIFO, 1, LOCK_LOW, 0},
                           {"mid", SCHED_FIFO, 5, MID, 0},
                           {"high", SCHED_FIFO, 9, LOCK_HIGH, 0}};
  scenario("inheritance", inherit, 3);

  int result[2][2];
  for (int reset = 0; reset < 2; reset++) {
    policy(0, SCHED_FIFO | (reset ? SCHED_RESET_ON_FORK : 0), 7);
    int fds[2];
    if (pipe(fds) != 0) return 1;
    if (fork() == 0) {
      struct sched_param p;
      sched_getparam(0, &p);
      int r[2] = {sched_getscheduler(0), p.sched_priority};
      _exit(write(fds[1], r, sizeof r) != sizeof r);
    }
    if (read(fds[0], result[reset], sizeof result[reset]) != sizeof result[reset]) return 1;
    wait(NULL);
  }
  printf("inherited by fork: %d %d, reset: %d %d\n", result[0][0], result[0][1], result[1][0], result[1][1]);
  return 0;
}
