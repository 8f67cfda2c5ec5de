// Alignment, folding and pairing.
#include <random>

#include "starrydiff/align.h"
#include "starrydiff/fold.h"
#include "starrydiff/pair.h"
#include "world.h"

namespace starry::diff {
namespace {

using Keys = std::vector<uint64_t>;

void check(const Keys& a, const Keys& b, const std::vector<Match>& m) {
  for (size_t i = 0; i < m.size(); i++) {
    ASSERT_LT(m[i].first, a.size());
    ASSERT_LT(m[i].second, b.size());
    EXPECT_EQ(a[m[i].first], b[m[i].second]);
    if (i > 0) {
      EXPECT_LT(m[i - 1].first, m[i].first);
      EXPECT_LT(m[i - 1].second, m[i].second);
    }
  }
}

size_t longest_common(const Keys& a, const Keys& b) {
  std::vector<std::vector<size_t>> t(a.size() + 1, std::vector<size_t>(b.size() + 1, 0));
  for (size_t i = 0; i < a.size(); i++)
    for (size_t j = 0; j < b.size(); j++)
      t[i + 1][j + 1] = a[i] == b[j] ? t[i][j] + 1 : std::max(t[i][j + 1], t[i + 1][j]);
  return t[a.size()][b.size()];
}

TEST(DiffAlign, FindsTheLongestMatchOfShortSequences) {
  std::mt19937 rng(1);
  for (int turn = 0; turn < 300; turn++) {
    Keys a(rng() % 8), b(rng() % 8);
    for (auto& k : a) k = rng() % 4;
    for (auto& k : b) k = rng() % 4;
    const auto m = align(a, b);
    check(a, b, m);
    EXPECT_EQ(m.size(), longest_common(a, b));
  }
}

TEST(DiffAlign, FindsWhatWasTakenOutOfALongSequence) {
  std::mt19937 rng(2);
  Keys a(20000);
  for (auto& k : a) k = rng() % 300;
  Keys b;
  size_t removed = 0;
  for (size_t i = 0; i < a.size(); i++) {
    if (i % 1000 == 500) {
      removed++;
      continue;
    }
    b.push_back(a[i]);
  }
  const auto m = align(a, b);
  check(a, b, m);
  EXPECT_EQ(m.size(), a.size() - removed);
}

TEST(DiffAlign, StaysFastWhereNothingMatches) {
  Keys a(50000), b(50000);
  for (size_t i = 0; i < a.size(); i++) {
    a[i] = i % 2;
    b[i] = 2 + i % 2;
  }
  EXPECT_TRUE(align(a, b).empty());
}

Sequence fold_text(World& w, const std::string& text, bool parallel) {
  w.a = w.log(text);
  return fold(w.a, w.a.tasks[0].events, 0, {parallel, true, w.strings.intern("rt_sigreturn")}, w.normal);
}

TEST(DiffFold, FoldsPollingLoops) {
  World w;
  std::string text;
  for (int i = 0; i < 50; i++) text += "nanosleep({tv_sec=0, tv_nsec=500000}, NULL) = 0\ngetpid() = 1\n";
  const Sequence s = fold_text(w, text + "close(3) = 0\n", false);
  ASSERT_EQ(s.items.size(), 3u);
  EXPECT_EQ(s.items[0].count, 50u);
  EXPECT_EQ(s.items[1].count, 50u);
}

TEST(DiffFold, DoesNotFoldWork) {
  World w;
  std::string text;
  for (int i = 0; i < 50; i++) text += "write(1, \"x\", 1) = 1\n";
  EXPECT_EQ(fold_text(w, text, false).items.size(), 50u);
  EXPECT_EQ(fold_text(w, text, true).items.size(), 50u);
}

TEST(DiffFold, PutsWaitingAsideInParallelPrograms) {
  World w;
  const Sequence s =
      fold_text(w,
                "futex(0x7f0000000000, FUTEX_WAIT_PRIVATE, 2, NULL) = 0\n"
                "futex(0x7f0000000000, FUTEX_WAKE_PRIVATE, 1) = 1\n"
                "close(3) = 0\n"
                "futex(0x7f0000000000, FUTEX_WAKE_PRIVATE, 1) = -1 EINVAL (Invalid argument)\n",
                true);
  EXPECT_EQ(s.items.size(), 2u);  // close, and the futex that failed for no natural reason
  ASSERT_EQ(s.idle.size(), 1u);
  EXPECT_EQ(s.idle[0].count, 2u);
}

TEST(DiffPair, GoesByNamesNotByNumbers) {
  World w;
  const std::string head = "1 execve(\"/bin/x\", [\"x\"], 0x7ffd00000000 /* 1 var */) = 0\n";
  const auto thread = [](int tid, const std::string& name) {
    const std::string t = std::to_string(tid);
    return "1 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = " + t + "\n" + t + " prctl(PR_SET_NAME, \"" + name +
           "\") = 0\n";
  };
  w.a = w.log(head + thread(5, "poller") + thread(6, "logger"));
  w.b = w.log(head + thread(8, "logger") + thread(9, "poller"));
  const Pairing p = pair_tasks(w.a, w.b, w.strings);
  ASSERT_EQ(p.pairs.size(), 3u);
  for (const TaskPair& t : p.pairs) EXPECT_EQ(w.a.tasks[t.a].name, w.b.tasks[t.b].name);
}

TEST(DiffPair, FindsTheProgramBehindTheShellThatStartsIt) {
  World w;
  const std::string program =
      "brk(NULL) = 0x5000000\nopenat(AT_FDCWD, \"a\", O_RDONLY) = 3\nread(3, \"\", 9) = 0\n";
  w.a = w.log("execve(\"/bin/x\", [\"x\"], 0x7ffd00000000 /* 1 var */) = 0\n" + program);
  w.b = w.log(
      "7 rt_sigaction(SIGINT, NULL, NULL, 8) = 0\n7 ioctl(0, TCGETS, 0x7ffd00000000) = 0\n7 fork() = 9\n7 "
      "wait4(-1, NULL, 0, NULL) = 9\n"
      "9 setpgid(0, 9) = 0\n9 execve(\"/bin/x\", [\"x\"], 0x7ffd00000000 /* 1 var */) = 0\n"
      "9 brk(NULL) = 0x5000000\n9 openat(AT_FDCWD, \"a\", O_RDONLY) = 3\n9 read(3, \"\", 9) = 0\n");
  const Pairing p = pair_tasks(w.a, w.b, w.strings);
  ASSERT_EQ(p.pairs.size(), 1u);
  EXPECT_EQ(w.b.tasks[p.pairs[0].b].tid, 9);
  EXPECT_EQ(p.pairs[0].b_from, 1u);
  EXPECT_EQ(p.outside_b.size(), 1u);
}

}  // namespace
}  // namespace starry::diff
