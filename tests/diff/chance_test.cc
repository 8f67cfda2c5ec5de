// What several threads and processes make differ from run to run, and what they do not.
#include <fmt/format.h>

#include "world.h"

namespace starry::diff {
namespace {

constexpr const char* EXEC = "1 execve(\"/bin/x\", [\"x\"], 0x7ffd00000000 /* 1 var */) = 0\n";

// A process with two event loops.
std::string loops(const std::string& first, const std::string& second, const std::string& before = "") {
  const std::string born = "({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD}, 88) = ";
  return EXEC + before + "1 clone3" + born + "2\n1 clone3" + born + "3\n" +
         "2 prctl(PR_SET_NAME, \"loop 0\") = 0\n3 prctl(PR_SET_NAME, \"loop 1\") = 0\n" + first + second +
         "1 exit_group(0) = ?\n";
}

// A process and its child.
std::string family(const std::string& parent, const std::string& child, const std::string& before = "") {
  return EXEC + before + "1 clone(child_stack=NULL, flags=SIGCHLD) = 2\n" + child +
         "2 exit_group(0) = ?\n2 +++ exited with 0 +++\n" + parent +
         "1 exit_group(0) = ?\n1 +++ exited with 0 +++\n";
}

TEST(DiffChance, WhichThreadOfAPoolDoesTheWork) {
  World w;
  const std::string two = " accept4(5, NULL, NULL, 0) = 7\n", three = " shutdown(5, SHUT_RDWR) = 0\n";
  w.compare(loops("2" + two + "2" + three, ""), loops("2" + three, "3" + two));
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
  // But somebody has to do it.
  w.compare(loops("2" + two + "2" + three, ""), loops("2" + three, ""));
  EXPECT_EQ(w.c.counted, 1u);
  EXPECT_EQ(w.first_call(), "accept4");
}

TEST(DiffChance, WhichDescriptorAThreadOfAPoolServes) {
  World w;
  const std::string made =
      "1 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5\n1 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 6\n"
      "1 eventfd2(0, 0) = 7\n";
  const auto closes = [](const char* who, int fd) {
    return fmt::format("{} shutdown({}, SHUT_RDWR) = 0\n", who, fd);
  };
  w.compare(loops(closes("2", 5), closes("3", 6), made), loops(closes("2", 6), closes("3", 5), made));
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
  w.compare(loops(closes("2", 5), closes("3", 6), made), loops(closes("2", 7), closes("3", 6), made));
  EXPECT_EQ(w.c.counted, 1u);
}

TEST(DiffChance, ThreadsOfAPoolAreWhoDidTheirWork) {
  World w;
  const auto by = [&](const char* who) {
    std::string s;
    for (int i = 0; i < 20; i++)
      s += fmt::format("{} setsockopt(5, SOL_SOCKET, SO_SNDBUF, [{}], 4) = 0\n", who, i);
    return s;
  };
  w.compare(loops(by("2"), "3 close(9) = 0\n"), loops(by("3"), "2 close(9) = 0\n"));
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
  // A wake is saved if the thread is awake.
  const std::string pipe = "1 pipe2([8, 9], 0) = 0\n";
  w.compare(loops("1 write(9, \"\\0\", 1) = 1\n2 read(8, \"\\0\", 64) = 1\n", "", pipe), loops("", "", pipe));
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
}

TEST(DiffChance, WhichThreadTakesASignal) {
  World w;
  const auto signal = [](int who) {
    return fmt::format("{} --- SIGINT {{si_signo=SIGINT, si_code=SI_USER, si_pid=77, si_uid=0}} ---\n", who);
  };
  w.compare(loops(signal(2), ""), loops(signal(3), ""));
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
  const std::string end = "2 exit(0) = ?\n";
  w.compare(loops(signal(2) + end, ""), loops(end, ""));
  EXPECT_EQ(w.c.counted, 1u);
}

TEST(DiffChance, WhereTheHeapGrowsWhileThreadsShareIt) {
  World w;
  const auto reads = [](int before) {
    std::string s = "1 brk(NULL) = 0x555555600000\n1 openat(AT_FDCWD, \"f\", O_RDONLY) = 5\n";
    for (int i = 0; i < 9; i++) {
      if (i == before) s += "1 brk(0x555555700000) = 0x555555700000\n";
      s += fmt::format("1 read(5, \"{0}{0}{0}\"..., 4096) = 4096\n", static_cast<char>('a' + i));
    }
    return s;
  };
  w.compare(loops(reads(2), ""), loops(reads(6), ""));
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
}

TEST(DiffChance, PortionsOfAStream) {
  World w;
  const std::string pipe = "1 pipe2([3, 4], 0) = 0\n";
  const auto child = [](const char* text) { return std::string("2 write(4, \"") + text + "\", 4) = 4\n"; };
  const std::string whole = "1 read(3, \"abcd\", 64) = 4\n",
                    halves = "1 read(3, \"ab\", 64) = 2\n1 read(3, \"cd\", 64) = 2\n";
  w.compare(family(whole, child("abcd"), pipe), family(halves, child("abcd"), pipe));
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
  w.compare(family(whole, child("abcd"), pipe), family("1 read(3, \"ab\", 64) = 2\n", child("abcd"), pipe));
  EXPECT_GT(w.c.counted, 0u);
  // The same place of the stream, the same length, other bytes.
  w.compare(family(whole, child("abcd"), pipe), family("1 read(3, \"abxd\", 64) = 4\n", child("abcd"), pipe));
  EXPECT_EQ(w.c.counted, 1u);
}

TEST(DiffChance, AWriteThatWaitsWritesAll) {
  World w;
  const std::string pipe = "1 pipe2([3, 4], 0) = 0\n", read = "1 read(3, \"abcd\", 64) = 4\n";
  const std::string all = "2 write(4, \"abcd\", 4) = 4\n",
                    parts = "2 write(4, \"abcd\", 4) = 3\n2 write(4, \"d\", 1) = 1\n";
  w.compare(family(read, all, pipe), family(read, parts, pipe));
  EXPECT_EQ(w.first_call(), "write");
  // One that does not wait may write less.
  const std::string full = "2 write(4, \"abcd\", 4) = -1 EAGAIN (x)\n";
  w.compare(family(read, full + all, pipe), family(read, full + parts, pipe));
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
}

TEST(DiffChance, WhetherAChildHasEndedYet) {
  World w;
  const std::string not_yet = "1 wait4(-1, 0x7ffd00000000, WNOHANG, NULL) = 0\n",
                    ended = "1 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WNOHANG, NULL) = 2\n",
                    none = "1 wait4(-1, 0x7ffd00000000, WNOHANG, NULL) = -1 ECHILD (No child processes)\n",
                    wrong = "1 wait4(-1, 0x7ffd00000000, WNOHANG, NULL) = -1 EINVAL (Invalid argument)\n";
  w.compare(family(ended + none, ""), family(not_yet + ended + none, ""));
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
  w.compare(family(ended + none, ""), family(not_yet + none, ""));
  EXPECT_GT(w.c.counted, 0u);
  w.compare(family(ended + none, ""), family(ended + wrong, ""));
  EXPECT_EQ(w.c.counted, 1u);
}

TEST(DiffChance, ButNothingIsReadBeforeItIsWritten) {
  World w;
  const std::string pipe = "1 pipe2([3, 4], 0) = 0\n", write = "2 write(4, \"abcd\", 4) = 4\n",
                    read = "1 read(3, \"abcd\", 64) = 4\n", dup = "1 dup2(3, 0) = 0\n",
                    from_copy = "1 read(0, \"abcd\", 64) = 4\n";
  const auto job = [&](const std::string& calls) {
    return EXEC + pipe + dup + "1 clone(child_stack=NULL, flags=SIGCHLD) = 2\n" + calls +
           "2 exit_group(0) = ?\n1 exit_group(0) = ?\n";
  };
  w.compare(job(write + read), job(write + read));
  EXPECT_EQ(w.c.counted, 0u);
  w.compare(job(write + read), job(read + write));
  EXPECT_EQ(w.c.counted, 1u);
  EXPECT_EQ(w.first().kind, Kind::order);
  w.compare(job(write + from_copy), job(from_copy + write));
  EXPECT_EQ(w.c.counted, 1u);
  // What the native log shows too is none of the kernel's.
  w.compare(job(read + write), job(read + write));
  EXPECT_EQ(w.c.counted, 0u);
}

TEST(DiffChance, TheShellThatStartsTheProgramIsNotPartOfIt) {
  World w;
  const std::string program =
      "1 execve(\"/srv/x\", [\"x\"], 0x7ffd00000000 /* 1 var */) = 0\n1 close(5) = 0\n1 exit_group(0) = ?\n";
  const std::string shell =
      "1 execve(\"/bin/sh\", [\"sh\"], 0x7ffd00000000 /* 1 var */) = 0\n1 getuid() = 0\n1 umask(0) = 022\n";
  w.compare(program, shell + program);
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
}

TEST(DiffChance, APointerShownAsANumberIsAnAddress) {
  World w;
  const auto registered = [](const char* at) {
    return std::string(EXEC) + "1 rseq(" + at + ", 0x20, 0, 0x53053053) = 0\n1 exit_group(0) = ?\n";
  };
  w.compare(registered("0x555500001020"), registered("0x61020"));
  EXPECT_EQ(w.c.counted, 0u) << verdict(w.c, w.strings);
}

}  // namespace
}  // namespace starry::diff
