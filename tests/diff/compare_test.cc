// What is a difference and what is not.
#include "world.h"

namespace starry::diff {
namespace {

constexpr const char* HEAD = "execve(\"/bin/x\", [\"x\"], 0x7ffd00000000 /* 1 var */) = 0\n";

bool same(const std::string& a, const std::string& b, Normal normal = {}) {
  World w;
  w.normal = normal;
  return w.compare(HEAD + a, HEAD + b).counted == 0;
}

TEST(DiffCompare, TakesNumbersOfOneRunForThoseOfTheOther) {
  EXPECT_TRUE(same("getpid() = 5312\nkill(5312, SIGTERM) = 0\n", "getpid() = 7\nkill(7, SIGTERM) = 0\n"));
  EXPECT_FALSE(same("getpid() = 5312\nkill(5312, SIGTERM) = 0\n", "getpid() = 7\nkill(9, SIGTERM) = 0\n"));
  EXPECT_TRUE(same("clock_gettime(CLOCK_REALTIME, {tv_sec=1700000000, tv_nsec=5}) = 0\n",
                   "clock_gettime(CLOCK_REALTIME, {tv_sec=1700000001, tv_nsec=6}) = 0\n"));
  EXPECT_TRUE(same("utimensat(5, NULL, [{tv_sec=1700000000, tv_nsec=5}, UTIME_OMIT], 0) = 0\n",
                   "utimensat(5, NULL, [{tv_sec=1700000001, tv_nsec=70388094}, UTIME_OMIT], 0) = 0\n"));
  EXPECT_TRUE(same("fstat(1, {st_dev=makedev(0, 1), st_ino=7, st_mode=S_IFREG|0644}) = 0\n",
                   "fstat(1, {st_dev=makedev(0, 1), st_ino=9, st_mode=S_IFREG|0644}) = 0\n"));
  EXPECT_FALSE(same("fstat(1, {st_ino=7, st_mode=S_IFREG|0644}) = 0\n",
                    "fstat(1, {st_ino=7, st_mode=S_IFREG|0600}) = 0\n"));
  EXPECT_TRUE(same("getsockname(3, {sa_family=AF_INET, sin_port=htons(40000)}, [16]) = 0\n",
                   "getsockname(3, {sa_family=AF_INET, sin_port=htons(50000)}, [16]) = 0\n"));
  EXPECT_FALSE(same("getsockname(3, {sa_family=AF_INET, sin_port=htons(80)}, [16]) = 0\n",
                    "getsockname(3, {sa_family=AF_INET, sin_port=htons(81)}, [16]) = 0\n"));
  EXPECT_TRUE(
      same("getrandom(\"\\1\\2\", 8, GRND_NONBLOCK) = 8\n", "getrandom(\"\\3\\4\", 8, GRND_NONBLOCK) = 8\n"));
  EXPECT_TRUE(same("write(1, \"10:11:12 pid 5312\", 17) = 17\ngetpid() = 5312\n",
                   "write(1, \"10:11:13 pid 5312\", 17) = 17\ngetpid() = 5312\n"));
}

TEST(DiffCompare, KnowsNamesMadeUpByChance) {
  const auto writes = [](const std::string& made, const std::string& used) {
    return "openat(AT_FDCWD, \"" + made + "\", O_RDWR|O_CREAT|O_EXCL, 0600) = 3\nunlink(\"" + used +
           "\") = 0\n";
  };
  EXPECT_TRUE(same(writes("/tmp/a.XyZ123", "/tmp/a.XyZ123"), writes("/tmp/a.0bcDeF", "/tmp/a.0bcDeF")));
  EXPECT_TRUE(same(writes("tmp_obj_abcdef", "tmp_obj_abcdef"), writes("tmp_obj_ABCDEF", "tmp_obj_ABCDEF")));
  EXPECT_TRUE(same(writes("tmpabcd_fgh.c", "tmpabcd_fgh.c"), writes("tmp01234567.c", "tmp01234567.c")));
  EXPECT_FALSE(same(writes("/tmp/a.XyZ123", "/tmp/a.XyZ123"), writes("/tmp/a.0bcDeF", "/tmp/a.zzzzzz")));
  EXPECT_FALSE(same(writes("/tmp/a.XyZ123", "/tmp/a.XyZ123"), writes("/tmp/b.0bcDeF", "/tmp/b.0bcDeF")));
  EXPECT_FALSE(same("unlink(\"/tmp/a.XyZ123\") = 0\n", "unlink(\"/tmp/a.0bcDeF\") = 0\n"));
  EXPECT_FALSE(same("openat(AT_FDCWD, \"/tmp/first0\", O_RDWR|O_CREAT, 0600) = 3\n",
                    "openat(AT_FDCWD, \"/tmp/second\", O_RDWR|O_CREAT, 0600) = 3\n"));
  EXPECT_TRUE(same("mkdir(\"/tmp/d.XyZ123\", 0700) = 0\n", "mkdir(\"/tmp/d.0bcDeF\", 0700) = 0\n"));
  EXPECT_FALSE(same("mkdir(\"/tmp/d.XyZ123\", 0777) = 0\n", "mkdir(\"/tmp/d.0bcDeF\", 0777) = 0\n"));
  Normal strict;
  strict.random = false;
  EXPECT_FALSE(
      same(writes("/tmp/a.XyZ123", "/tmp/a.XyZ123"), writes("/tmp/a.0bcDeF", "/tmp/a.0bcDeF"), strict));
}

TEST(DiffCompare, SwitchesOff) {
  Normal strict;
  strict.pids = false;
  EXPECT_FALSE(same("getpid() = 5312\n", "getpid() = 7\n", strict));
  strict = {};
  strict.times = false;
  EXPECT_FALSE(same("clock_gettime(CLOCK_REALTIME, {tv_sec=1700000000, tv_nsec=5}) = 0\n",
                    "clock_gettime(CLOCK_REALTIME, {tv_sec=1700000001, tv_nsec=6}) = 0\n", strict));
  strict = {};
  strict.addresses = false;
  EXPECT_FALSE(
      same("set_robust_list(0x7f0000001000, 24) = 0\n", "set_robust_list(0x7f0000002000, 24) = 0\n", strict));
  for (const char* name :
       {"pids", "addresses", "fds", "times", "random", "ports", "inodes", "folding", "timing"})
    EXPECT_NE(strict.by_name(name), nullptr) << name;
  EXPECT_EQ(strict.by_name("nonsense"), nullptr);
}

TEST(DiffCompare, KnowsTheThirdMmap) {
  const auto maps = [](const char* one, const char* two, const char* unmapped) {
    const std::string args = "(NULL, 8192, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = ";
    return "mmap" + args + one + "\nmmap" + args + two + "\nmunmap(" + unmapped + ", 8192) = 0\n";
  };
  EXPECT_TRUE(same(maps("0x7f0000000000", "0x7f0000010000", "0x7f0000010000"),
                   maps("0x6e0000000000", "0x6d0000000000", "0x6d0000000000")));
  EXPECT_FALSE(same(maps("0x7f0000000000", "0x7f0000010000", "0x7f0000010000"),
                    maps("0x6e0000000000", "0x6d0000000000", "0x6e0000000000")));
}

TEST(DiffCompare, CutStringsAgreeAsFarAsTheyGo) {
  EXPECT_TRUE(same("write(1, \"hello wo\"..., 20) = 20\n", "write(1, \"hello world\"..., 20) = 20\n"));
  EXPECT_FALSE(same("write(1, \"hello wo\"..., 20) = 20\n", "write(1, \"hello xo\"..., 20) = 20\n"));
}

TEST(DiffCompare, DropsAnnotationsOfDescriptors) {
  EXPECT_TRUE(same("read(0</dev/pts/1<char 136:1>>, \"a\", 1) = 1\n", "read(0, \"a\", 1) = 1\n"));
  EXPECT_TRUE(same("openat(AT_FDCWD</home/x>, \"f\", O_RDONLY) = 3</home/x/f>\n",
                   "openat(AT_FDCWD, \"f\", O_RDONLY) = 3\n"));
}

TEST(DiffCompare, NamesTheKindOfDifference) {
  World w;
  w.compare(std::string(HEAD) + "close(3) = 0\nchdir(\"/\") = 0\nuname({}) = 0\n",
            std::string(HEAD) + "close(3) = 0\nuname({}) = 0\n");
  EXPECT_EQ(w.first().kind, Kind::missing);
  EXPECT_EQ(w.first_call(), "chdir");
  w.compare(std::string(HEAD) + "close(3) = 0\nuname({}) = 0\n",
            std::string(HEAD) + "close(3) = 0\nchdir(\"/\") = 0\nuname({}) = 0\n");
  EXPECT_EQ(w.first().kind, Kind::extra);
  w.compare(std::string(HEAD) + "close(3) = 0\n",
            std::string(HEAD) + "close(3) = -1 EBADF (Bad file descriptor)\n");
  EXPECT_EQ(w.first().kind, Kind::result);
  w.compare(std::string(HEAD) + "close(3) = -1 EIO (x)\n",
            std::string(HEAD) + "close(3) = -1 EBADF (Bad file descriptor)\n");
  EXPECT_EQ(w.first().kind, Kind::error);
  w.compare(std::string(HEAD) + "chdir(\"/a\") = 0\n", std::string(HEAD) + "chdir(\"/b\") = 0\n");
  EXPECT_EQ(w.first().kind, Kind::argument);
  EXPECT_EQ(w.first().arg, 0);
  w.compare(std::string(HEAD) + "chdir(\"/a\") = 0\numask(0) = 0\nuname({}) = 0\n",
            std::string(HEAD) + "umask(0) = 0\nchdir(\"/a\") = 0\nuname({}) = 0\n");
  EXPECT_EQ(w.first().kind, Kind::order);
}

TEST(DiffCompare, TheLowestDescriptorIsTheKernelsDuty) {
  World w;
  w.compare(std::string(HEAD) +
                "openat(AT_FDCWD, \"f\", O_RDONLY) = 3\nread(3, \"x\", 1) = 1\nopenat(AT_FDCWD, \"g\", "
                "O_RDONLY) = 4\n",
            std::string(HEAD) +
                "openat(AT_FDCWD, \"f\", O_RDONLY) = 4\nread(4, \"x\", 1) = 1\nopenat(AT_FDCWD, \"g\", "
                "O_RDONLY) = 5\n");
  EXPECT_EQ(w.c.counted, 1u);  // said once, not for every use
  EXPECT_EQ(w.first_call(), "openat");
}

TEST(DiffCompare, SeesWhatNeverReturns) {
  World w;
  w.compare(std::string(HEAD) + "read(3, \"x\", 1) = 1\nclose(3) = 0\n+++ exited with 0 +++\n",
            std::string(HEAD) + "read(3,  <unfinished ...>\n");
  EXPECT_EQ(w.first_call(), "read");
  EXPECT_STREQ(w.first().note, "never returned");
  EXPECT_FALSE(ending(w.c, w.strings).empty());
}

// Two threads: the main one creates and joins, the other works.
std::string threads(const std::string& work, const std::string& between = "") {
  return "1 execve(\"/bin/x\", [\"x\"], 0x7ffd00000000 /* 1 var */) = 0\n1 "
         "clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 2\n" +
         between + work +
         "2 exit(0) = ?\n2 +++ exited with 0 +++\n1 exit_group(0) = ?\n1 +++ exited with 0 +++\n";
}

TEST(DiffCompare, TimingOfThreadsIsNoDifference) {
  World w;
  const std::string wait = "2 futex(0x7f0000000000, FUTEX_WAIT_PRIVATE, 2, NULL) = -1 EAGAIN (x)\n";
  w.compare(threads("2 close(3) = 0\n"), threads(wait + wait + "2 close(3) = 0\n"));
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
  w.normal.timing = false;
  w.compare(threads("2 close(3) = 0\n"), threads(wait + wait + "2 close(3) = 0\n"));
  EXPECT_GT(w.c.counted, 0u);
}

TEST(DiffCompare, ButAWrongErrorOfAWaitIs) {
  World w;
  w.compare(
      threads("2 futex(0x7f0000000000, FUTEX_WAKE_PRIVATE, 1) = 0\n"),
      threads("2 futex(0x7f0000000000, FUTEX_WAKE_PRIVATE, 1) = -1 ENOSYS (Function not implemented)\n"));
  EXPECT_EQ(w.c.counted, 1u);
  EXPECT_EQ(w.first_call(), "futex");
}

TEST(DiffCompare, AStormOfWaitsIs) {
  World w;
  std::string storm;
  for (int i = 0; i < 500; i++)
    storm += "2 epoll_wait(4, [{events=EPOLLIN, data={u32=5, u64=5}}], 8, -1) = 1\n";
  w.compare(threads("2 epoll_wait(4, [{events=EPOLLIN, data={u32=5, u64=5}}], 8, -1) = 1\n2 close(3) = 0\n"),
            threads(storm + "2 close(3) = 0\n"));
  ASSERT_EQ(w.c.counted, 1u);
  EXPECT_EQ(w.first_call(), "epoll_wait");
}

TEST(DiffCompare, AWaitThatReturnsBeforeItsWakeIs) {
  World w;
  const std::string wake = "1 futex(0x7f0000000000, FUTEX_WAKE_PRIVATE, 1) = 1\n";
  const std::string wait = "2 futex(0x7f0000000000, FUTEX_WAIT_PRIVATE, 2, NULL <unfinished ...>\n",
                    back = "2 <... futex resumed>) = 0\n";
  w.compare(threads(wait + wake + back), threads(wait + wake + back));
  EXPECT_EQ(w.c.counted, 0u);
  w.compare(threads(wait + wake + back), threads(wait + back + wake));
  ASSERT_EQ(w.c.counted, 1u);
  EXPECT_EQ(w.first().kind, Kind::order);
}

TEST(DiffCompare, MissesNoTaskOfALogThatHasOnlyTheFirst) {
  const std::string made = "clone(child_stack=NULL, flags=SIGCHLD) = 9\n", end = "exit_group(0) = ?\n";
  const std::string first_only = HEAD + made + "chdir(\"/a\") = 0\n" + end;
  const auto all = [&](const std::string& call) {
    std::string s;
    for (const std::string& line : {std::string(HEAD), made, call + "\n", end}) s += "7 " + line;
    return s + "9 chdir(\"/\") = 0\n9 exit_group(0) = ?\n";
  };
  World w;
  w.compare(first_only, all("chdir(\"/a\") = 0"));
  EXPECT_EQ(w.c.counted, 0u);
  EXPECT_EQ(w.c.outside_b.size(), 1u);
  w.compare(all("chdir(\"/a\") = 0"), first_only);
  EXPECT_EQ(w.c.counted, 0u);
  w.compare(first_only, all("chdir(\"/b\") = 0"));
  EXPECT_GT(w.c.counted, 0u);
  // With -f a process that is not in the log did nothing.
  const std::string alone = "7 " + std::string(HEAD) + "7 " + made + "7 chdir(\"/a\") = 0\n7 " + end;
  w.compare(alone, all("chdir(\"/a\") = 0"));
  EXPECT_GT(w.c.counted, 0u);
}

TEST(DiffCompare, LeavesOutWhatVariesBetweenNativeRuns) {
  World w;
  const std::string one = std::string(HEAD) + "chdir(\"/a\") = 0\nclose(3) = 0\n",
                    two = std::string(HEAD) + "chdir(\"/b\") = 0\nclose(3) = 0\n";
  Variation v;
  w.compare(one, two);
  add_variation(v, w.c, w.strings);
  w.compare(one, std::string(HEAD) + "chdir(\"/c\") = 0\nclose(3) = 0\n", v);
  EXPECT_EQ(w.c.counted, 0u);
  EXPECT_EQ(w.c.natural, 1u);
  w.compare(one, std::string(HEAD) + "chdir(\"/a\") = 0\nclose(3) = -1 EIO (x)\n", v);
  EXPECT_EQ(w.c.counted, 1u);
}

TEST(DiffCompare, Ignores) {
  World w;
  std::string why;
  ASSERT_TRUE(w.rules.add("ch*,kind=argument", why));
  EXPECT_FALSE(w.rules.add("colour=red", why));
  EXPECT_FALSE(w.rules.add("kind=odd", why));
  w.compare(std::string(HEAD) + "chdir(\"/a\") = 0\n", std::string(HEAD) + "chdir(\"/b\") = 0\n");
  EXPECT_EQ(w.c.counted, 0u);
  EXPECT_EQ(w.c.ignored, 1u);
  w.compare(std::string(HEAD) + "chdir(\"/a\") = 0\n", std::string(HEAD) + "chdir(\"/a\") = -1 EIO (x)\n");
  EXPECT_EQ(w.c.counted, 1u);
}

TEST(DiffCompare, ComparesALogOfNumbers) {
  World w;
  w.normal.scalar_keys = true;
  const std::string at = "[  0.1 0:6 axstarry::syscall:40] [syscall] ";
  const auto call = [&](const std::string& name, int number, const std::string& args,
                        const std::string& ret) {
    return at + "id = " + name + ", args = [" + args + "], entry\n" + at + "id = " + std::to_string(number) +
           ", args = [" + args + "], return " + ret + "\n";
  };
  w.compare(
      "brk(NULL) = 0x55d329f14000\nopenat(AT_FDCWD, \"/a\", O_RDONLY|O_CLOEXEC) = 3\nread(3, \"abc\", 832) = "
      "832\nfutex(0x7feda711c77c, FUTEX_WAKE_PRIVATE, 2147483647) = 0\n",
      call("BRK", 12, "0, 0, 0, 0, 0, 0", "1067450368") +
          call("OPENAT", 257, "4294967196, 5, 524288, 0, 0, 0", "3") +
          call("READ", 0, "3, 10, 832, 0, 0, 0", "832") +
          call("FUTEX", 202, "70000000, 129, 2147483647, 0, 0, 0", "2147483647"));
  EXPECT_EQ(w.c.counted, 1u) << verdict(w.c, w.strings);
  EXPECT_EQ(w.first_call(), "futex");
}

}  // namespace
}  // namespace starry::diff
