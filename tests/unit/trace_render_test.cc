// Lines as strace 6.1 prints them on Debian 12.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/base/result.h"
#include "unit/trace_world.h"

namespace starry {
namespace {

TEST(TraceRender, SuccessAndError) {
  TestCall c("openat", {AT_CWD, A, O_WRONLY | O_CREAT | O_APPEND, 0666});
  c.mem.put_string(A, "/var/log/x.log");
  EXPECT_EQ(c.line(3), "openat(AT_FDCWD, \"/var/log/x.log\", O_WRONLY|O_CREAT|O_APPEND, 0666) = 3");
  EXPECT_EQ(
      c.line(0, ENOENT),
      "openat(AT_FDCWD, \"/var/log/x.log\", O_WRONLY|O_CREAT|O_APPEND, 0666) = -1 ENOENT (No such file or "
      "directory)");
  TestCall no_mode("openat", {AT_CWD, A, O_RDONLY | O_CLOEXEC, 0x1234});
  no_mode.mem.put_string(A, "etc");
  EXPECT_EQ(no_mode.line(0, EAGAIN),
            "openat(AT_FDCWD, \"etc\", O_RDONLY|O_CLOEXEC) = -1 EAGAIN (Resource temporarily unavailable)");
}

TEST(TraceRender, RestartCodes) {
  TestCall c("pause", {});
  EXPECT_EQ(c.line(0, ERESTARTNOHAND), "pause() = ? ERESTARTNOHAND (To be restarted if no handler)");
  TestCall sleep("nanosleep", {A, B});
  sleep.mem.put(A, timespec{5, 0});
  sleep.mem.put(B, timespec{4, 978393667});
  EXPECT_EQ(sleep.line(0), "nanosleep({tv_sec=5, tv_nsec=0}, 0x7ffe00002000) = 0");
  EXPECT_EQ(sleep.line(0, ERESTART_RESTARTBLOCK),
            "nanosleep({tv_sec=5, tv_nsec=0}, {tv_sec=4, tv_nsec=978393667}) = ? ERESTART_RESTARTBLOCK "
            "(Interrupted by signal)");
}

TEST(TraceRender, HalvesSplitBeforeTheFirstOutput) {
  TestCall c("read", {3, A, 100});
  c.mem.put_bytes(A, std::string("abc"));
  EXPECT_EQ(c.enter(), "read(3, ");
  EXPECT_EQ(c.leave(3), "\"abc\", 100");
  EXPECT_EQ(c.result(), "3");
  TestCall futex("futex", {A, 128, 2, 0, 0, 0});
  EXPECT_EQ(futex.enter(), "futex(0x7ffe00001000, FUTEX_WAIT_PRIVATE, 2, NULL");
  EXPECT_EQ(futex.leave(0, EAGAIN), "");
}

TEST(TraceRender, Strings) {
  TestCall c("write", {3, A, 60});
  c.mem.put_bytes(
      A, std::string("hello\n\t\"q\"\\ \1\0012\377\200 end of a long string, more than 32 characters", 60));
  EXPECT_EQ(c.line(60), R"(write(3, "hello\n\t\"q\"\\ \1\0012\377\200 end of a long "..., 60) = 60)");
  TestCall none("write", {3, 0, 5});
  EXPECT_EQ(none.line(0, EFAULT), "write(3, NULL, 5) = -1 EFAULT (Bad address)");
  TestCall bad("read", {3, 8, 10});
  EXPECT_EQ(bad.line(0, EFAULT), "read(3, 0x8, 10) = -1 EFAULT (Bad address)");
  TestCall hex("getrandom", {A, 5, 1});
  hex.mem.put_bytes(A, "\x3c\xac\xc7\xee\x35");
  EXPECT_EQ(hex.line(5), R"(getrandom("\x3c\xac\xc7\xee\x35", 5, GRND_NONBLOCK) = 5)");
}

TEST(TraceRender, PathsAreNotShortenedButStringsAre) {
  std::string name(40, 'n');
  TestCall c("memfd_create", {A, 1});
  c.mem.put_string(A, name);
  EXPECT_EQ(c.line(3), "memfd_create(\"" + name.substr(0, 32) + "\"..., MFD_CLOEXEC) = 3");
  TestCall p("chdir", {A});
  p.mem.put_string(A, name);
  EXPECT_EQ(p.line(0), "chdir(\"" + name + "\") = 0");
}

TEST(TraceRender, UnknownFlagsAndCodes) {
  TestCall c("fcntl", {static_cast<uint32_t>(-1), 9999, 5});
  EXPECT_EQ(c.line(0, EBADF), "fcntl(-1, 0x270f /* F_??? */, 0x5) = -1 EBADF (Bad file descriptor)");
  TestCall m("mlockall", {0xffffffff});
  EXPECT_EQ(m.line(0, EINVAL),
            "mlockall(MCL_CURRENT|MCL_FUTURE|MCL_ONFAULT|0xfffffff8) = -1 EINVAL (Invalid argument)");
}

TEST(TraceRender, Memory) {
  TestCall c("mmap",
             {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, static_cast<uint32_t>(-1), 0});
  EXPECT_EQ(c.line(0x7f0000000000),
            "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000");
  TestCall none("mmap", {A, 4096, PROT_NONE, MAP_PRIVATE | MAP_FIXED, 3, 0x26000});
  EXPECT_EQ(none.line(static_cast<int64_t>(A)),
            "mmap(0x7ffe00001000, 4096, PROT_NONE, MAP_PRIVATE|MAP_FIXED, 3, 0x26000) = 0x7ffe00001000");
  TestCall brk("brk", {0});
  EXPECT_EQ(brk.line(0x55b342f73000), "brk(NULL) = 0x55b342f73000");
  TestCall mremap("mremap", {A, 4096, 8192, MREMAP_MAYMOVE, 0x1111});
  EXPECT_EQ(mremap.line(static_cast<int64_t>(B)),
            "mremap(0x7ffe00001000, 4096, 8192, MREMAP_MAYMOVE) = 0x7ffe00002000");
}

TEST(TraceRender, NodeMask) {
  TestCall c("set_mempolicy", {5, A, 65});
  c.mem.put<uint64_t>(A, 1);
  EXPECT_EQ(c.line(0), "set_mempolicy(MPOL_PREFERRED_MANY, [0x00000000000001], 65) = 0");
}

TEST(TraceRender, Stat) {
  struct stat s {};
  s.st_mode = S_IFREG | 0644;
  s.st_size = 1221;
  TestCall c("newfstatat", {3, A, B, AT_EMPTY_PATH});
  c.mem.put_string(A, "");
  c.mem.put(B, s);
  EXPECT_EQ(c.enter(), "newfstatat(3, \"\", ");
  EXPECT_EQ(c.line(0), "newfstatat(3, \"\", {st_mode=S_IFREG|0644, st_size=1221, ...}, AT_EMPTY_PATH) = 0");
  s.st_mode = S_IFCHR | 0666;
  s.st_rdev = makedev(1, 3);
  c.mem.put(B, s);
  EXPECT_EQ(c.line(0),
            "newfstatat(3, \"\", {st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), ...}, AT_EMPTY_PATH) = 0");
  EXPECT_EQ(c.line(0, ENOENT),
            "newfstatat(3, \"\", 0x7ffe00002000, AT_EMPTY_PATH) = -1 ENOENT (No such file or directory)");
}

TEST(TraceRender, Vectors) {
  TestCall c("writev", {4, A, 2});
  struct {
    GuestIovec v[2];
  } iov{{{0, 0}, {B, 43}}};
  c.mem.put(A, iov);
  c.mem.put_bytes(B, std::string(43, 'x'));
  EXPECT_EQ(c.line(43), "writev(4, [{iov_base=NULL, iov_len=0}, {iov_base=\"" + std::string(32, 'x') +
                            "\"..., iov_len=43}], 2) = 43");
  TestCall r("readv", {3, A, 2});
  iov.v[0] = {B, 3};
  iov.v[1] = {B + 16, 4};
  r.mem.put(A, iov);
  r.mem.put_bytes(B, "hel             lo\n\t");
  EXPECT_EQ(r.line(5), R"(readv(3, [{iov_base="hel", iov_len=3}, {iov_base="lo", iov_len=4}], 2) = 5)");
}

TEST(TraceRender, Fcntl) {
  EXPECT_EQ(TestCall("fcntl", {3, F_GETFL}).line(0x8002),
            "fcntl(3, F_GETFL) = 0x8002 (flags O_RDWR|O_LARGEFILE)");
  EXPECT_EQ(TestCall("fcntl", {3, F_GETFD}).line(1), "fcntl(3, F_GETFD) = 0x1 (flags FD_CLOEXEC)");
  EXPECT_EQ(TestCall("fcntl", {3, F_GETFD}).line(0), "fcntl(3, F_GETFD) = 0");
  EXPECT_EQ(TestCall("fcntl", {3, F_DUPFD_CLOEXEC, 10}).line(10), "fcntl(3, F_DUPFD_CLOEXEC, 10) = 10");
  EXPECT_EQ(TestCall("fcntl", {3, F_SETFL, O_RDWR | O_NONBLOCK}).line(0),
            "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0");
  TestCall lock("fcntl", {3, F_SETLK, A});
  struct flock l {};
  l.l_type = F_WRLCK;
  l.l_len = 10;
  lock.mem.put(A, l);
  EXPECT_EQ(lock.line(0), "fcntl(3, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=0, l_len=10}) = 0");
}

TEST(TraceRender, Poll) {
  struct {
    pollfd f[3];
  } fds{{{7, POLLIN, 0}, {8, POLLOUT | POLLIN, 0}, {-1, 0, 0}}};
  TestCall c("poll", {A, 3, 0});
  c.mem.put(A, fds);
  std::string text = c.enter();
  fds.f[1].revents = POLLOUT;
  c.mem.put(A, fds);
  text += c.leave(1);
  EXPECT_EQ(text, "poll([{fd=7, events=POLLIN}, {fd=8, events=POLLIN|POLLOUT}, {fd=-1}], 3, 0");
  EXPECT_EQ(c.result(), "1 ([{fd=8, revents=POLLOUT}])");
  TestCall idle("poll", {A, 1, 0});
  idle.mem.put(A, fds);
  EXPECT_EQ(idle.line(0), "poll([{fd=7, events=POLLIN}], 1, 0) = 0 (Timeout)");
}

TEST(TraceRender, Select) {
  TestCall c("pselect6", {9, A, B, 0, C, 0});
  c.mem.put<uint64_t>(A, 1 << 7);
  c.mem.put<uint64_t>(B, 1 << 8 | 1);
  c.mem.put(C, timespec{1, 5});
  std::string text = c.enter();
  EXPECT_EQ(text, "pselect6(9, [7], [0 8], NULL, {tv_sec=1, tv_nsec=5}, NULL");
  c.mem.put<uint64_t>(A, 0);
  c.mem.put(C, timespec{1, 3});
  c.leave(2);
  EXPECT_EQ(c.result(), "2 (out [0 8], left {tv_sec=1, tv_nsec=3})");
  TestCall sleep("select", {0, 0, 0, 0, C});
  sleep.mem.put(C, timeval{0, 1});
  EXPECT_EQ(sleep.line(0), "select(0, NULL, NULL, NULL, {tv_sec=0, tv_usec=1}) = 0 (Timeout)");
}

TEST(TraceRender, Epoll) {
  epoll_event e{};
  e.events = EPOLLIN | EPOLLET;
  e.data.u64 = 0x1234567890;
  TestCall c("epoll_ctl", {12, EPOLL_CTL_ADD, 8, A});
  c.mem.put(A, e);
  EXPECT_EQ(
      c.line(0),
      "epoll_ctl(12, EPOLL_CTL_ADD, 8, {events=EPOLLIN|EPOLLET, data={u32=878082192, u64=78187493520}}) = 0");
  TestCall w("epoll_wait", {12, A, 4, static_cast<uint32_t>(-1)});
  w.mem.put(A, e);
  EXPECT_EQ(w.line(1),
            "epoll_wait(12, [{events=EPOLLIN|EPOLLET, data={u32=878082192, u64=78187493520}}], 4, -1) = 1");
  EXPECT_EQ(w.line(0), "epoll_wait(12, [], 4, -1) = 0");
}

TEST(TraceRender, Futex) {
  EXPECT_EQ(TestCall("futex", {A, 129, 1}).line(0), "futex(0x7ffe00001000, FUTEX_WAKE_PRIVATE, 1) = 0");
  EXPECT_EQ(TestCall("futex", {A, 0x189, 9, 0, 0, 0xffffffff}).line(0),
            "futex(0x7ffe00001000, FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME, 9, NULL, "
            "FUTEX_BITSET_MATCH_ANY) = 0");
  EXPECT_EQ(TestCall("futex", {A, 132, 1, 0x7fffffff, B, 7}).line(3),
            "futex(0x7ffe00001000, FUTEX_CMP_REQUEUE_PRIVATE, 1, 2147483647, 0x7ffe00002000, 7) = 3");
  EXPECT_EQ(TestCall("futex", {A, 133, 1, 1, B, 0x04000001}).line(0),
            "futex(0x7ffe00001000, FUTEX_WAKE_OP_PRIVATE, 1, 1, 0x7ffe00002000, "
            "FUTEX_OP_SET<<28|0<<12|FUTEX_OP_CMP_GT<<24|0x1) = 0");
  EXPECT_EQ(TestCall("futex", {A, 135}).line(0), "futex(0x7ffe00001000, FUTEX_UNLOCK_PI_PRIVATE) = 0");
}

TEST(TraceRender, Signals) {
  KSigAction old{}, act{0x1000, SA_RESTART | 0x4000000, 0x2000, 1ULL << (SIGTERM - 1)};
  TestCall c("rt_sigaction", {SIGTERM, A, B, 8});
  c.mem.put(A, act);
  c.mem.put(B, old);
  EXPECT_EQ(c.enter(),
            "rt_sigaction(SIGTERM, {sa_handler=0x1000, sa_mask=[TERM], sa_flags=SA_RESTORER|SA_RESTART, "
            "sa_restorer=0x2000}, ");
  EXPECT_EQ(c.leave(0), "{sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8");
  TestCall mask("rt_sigprocmask", {SIG_BLOCK, A, B, 8});
  mask.mem.put<uint64_t>(A, ~0ULL);
  mask.mem.put<uint64_t>(B, 1ULL << (SIGINT - 1) | 1ULL << 35);
  EXPECT_EQ(mask.line(0), "rt_sigprocmask(SIG_BLOCK, ~[], [INT RT_4], 8) = 0");
  mask.mem.put<uint64_t>(A, ~(1ULL << 8 | 1ULL << 18));
  EXPECT_EQ(mask.line(0), "rt_sigprocmask(SIG_BLOCK, ~[KILL STOP], [INT RT_4], 8) = 0");
  EXPECT_EQ(TestCall("kill", {50, 36}).line(0), "kill(50, SIGRT_4) = 0");
}

TEST(TraceRender, SignalReturnShowsTheRestoredResult) {
  TestCall c("rt_sigreturn", {A});
  c.mem.put<uint64_t>(A, 0);
  EXPECT_EQ(c.line(-EINTR), "rt_sigreturn({mask=[]}) = -1 EINTR (Interrupted system call)");
  EXPECT_EQ(c.line(17), "rt_sigreturn({mask=[]}) = 17");
}

TEST(TraceRender, Clone) {
  TestCall c("clone", {CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD, 0, 0, A, 0});
  EXPECT_EQ(c.enter(), "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD");
  EXPECT_EQ(c.leave(7), ", child_tidptr=0x7ffe00001000");
  CloneArgs a{};
  a.flags = CLONE_VM | CLONE_PARENT_SETTID;
  a.parent_tid = B;
  a.stack = 0x7000;
  a.stack_size = 0x9000;
  TestCall c3("clone3", {A, 88});
  c3.mem.put(A, a);
  c3.mem.put<int>(B, 16662);
  EXPECT_EQ(
      c3.enter(),
      "clone3({flags=CLONE_VM|CLONE_PARENT_SETTID, parent_tid=0x7ffe00002000, exit_signal=0, stack=0x7000, "
      "stack_size=0x9000}");
  EXPECT_EQ(c3.leave(16662), " => {parent_tid=[16662]}, 88");
}

TEST(TraceRender, Exec) {
  TestCall c("execve", {A, B, C});
  c.mem.put_string(A, "/bin/sh");
  struct {
    uint64_t p[3];
  } argv{{A, A + 0x100, 0}};
  c.mem.put(B, argv);
  c.mem.put_string(A + 0x100, "-c\n");
  argv.p[1] = 0;
  c.mem.put(C, argv);
  EXPECT_EQ(c.line(0), R"(execve("/bin/sh", ["/bin/sh", "-c\n"], 0x7ffe00003000 /* 1 var */) = 0)");
}

TEST(TraceRender, Wait) {
  TestCall c("wait4", {static_cast<uint32_t>(-1), A, WUNTRACED, 0});
  auto line = [&c](int status) {
    c.mem.put(A, status);
    return c.line(99);
  };
  EXPECT_EQ(line(3 << 8), "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], WSTOPPED, NULL) = 99");
  EXPECT_EQ(line(9), "wait4(-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], WSTOPPED, NULL) = 99");
  EXPECT_EQ(line(SIGSTOP << 8 | 0x7f),
            "wait4(-1, [{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}], WSTOPPED, NULL) = 99");
  EXPECT_EQ(c.line(0), "wait4(-1, 0x7ffe00001000, WSTOPPED, NULL) = 0");
}

TEST(TraceRender, NumbersWithDecodedResult) {
  EXPECT_EQ(TestCall("umask", {077}).line(022), "umask(077) = 022");
  EXPECT_EQ(TestCall("sched_getscheduler", {0}).line(0), "sched_getscheduler(0) = 0 (SCHED_OTHER)");
  EXPECT_EQ(TestCall("time", {0}).line(1795455163), "time(NULL) = 1795455163 (2026-11-23T17:32:43+0000)");
  EXPECT_EQ(TestCall("prctl", {3}).line(1), "prctl(PR_GET_DUMPABLE) = 1 (SUID_DUMP_USER)");
  EXPECT_EQ(TestCall("exit_group", {5}).line(0), "exit_group(5) = ?");
  EXPECT_EQ(TestCall("setresuid", {0xffffffff, 0xffffffff, 5}).line(0), "setresuid(-1, -1, 5) = 0");
}

TEST(TraceRender, ManyElementsAreShortened) {
  TestCall c("setgroups", {40, A});
  c.mem.put_bytes(A, std::string(160, '\0'));
  c.options.string_limit = 2;
  EXPECT_EQ(c.line(0), "setgroups(40, [0, 0, ...]) = 0");
}

TEST(TraceRender, NumberThatLinuxDoesNotHave) {
  TestCall c("read", {1, 2, 3, 4, 5, 6});
  c.event.nr = 999;
  EXPECT_EQ(c.line(0, ENOSYS),
            "syscall_0x3e7(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)");
}

TEST(TraceRender, EveryRowRendersWithBadPointers) {
  for (int nr = 0; nr < MAX_SYSCALL; ++nr) {
    const SyscallSpec& spec = syscall_spec(nr);
    if (spec.name == nullptr) continue;
    TestCall c(spec.name, {8, 8, 8, 8, 8, 8});
    std::string line = c.line(0, EFAULT);
    EXPECT_EQ(line.rfind(std::string(spec.name) + "(", 0), 0u) << line;
    c = TestCall(spec.name, {~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL});
    EXPECT_FALSE(c.line(0).empty());
    c = TestCall(spec.name, {0, 0, 0, 0, 0, 0});
    EXPECT_FALSE(c.line(5).empty());
  }
}

}  // namespace
}  // namespace starry
