// How the calls of several tasks share a log.
#include <gtest/gtest.h>

#include "unit/trace_world.h"

namespace starry {
namespace {

class TraceLines : public testing::Test {
 protected:
  StringSink sink;
  TraceOptions options;
  trace::LineWriter lines{sink, options};
  int a = 0, b = 0;  // two owners
};

TEST_F(TraceLines, ResultIsPaddedToTheColumn) {
  lines.begin(&a, 18363, 0);
  lines.add("close(4");
  lines.finish_call("0");
  EXPECT_EQ(sink.text, "18363 close(4)                          = 0\n");
  sink.text.clear();
  lines.begin(&a, 18363, 0);
  lines.add("openat(AT_FDCWD, \"/proc/self/task\", O_RDONLY");
  lines.finish_call("4");
  EXPECT_EQ(sink.text, "18363 openat(AT_FDCWD, \"/proc/self/task\", O_RDONLY) = 4\n");
}

TEST_F(TraceLines, AnotherTaskCutsALine) {
  lines.begin(&a, 7, 0);
  lines.add("read(3, ");
  lines.flush();
  EXPECT_EQ(sink.text, "7     read(3, ");
  EXPECT_TRUE(lines.is_open(&a));
  lines.begin(&b, 8, 0);
  EXPECT_FALSE(lines.is_open(&a));
  lines.add("getpid(");
  lines.finish_call("8");
  lines.begin(&a, 7, 0);
  lines.add("<... read resumed>\"x\", 1");
  lines.finish_call("1");
  EXPECT_EQ(sink.text,
            "7     read(3,  <unfinished ...>\n"
            "8     getpid()                          = 8\n"
            "7     <... read resumed>\"x\", 1)         = 1\n");
}

TEST_F(TraceLines, TimeStamps) {
  options.stamp = TraceOptions::Stamp::EPOCH;
  options.stamp_digits = 6;
  lines.begin(nullptr, 7, 1795455163'000123000);
  lines.end_line("+++ exited with 0 +++");
  options.stamp = TraceOptions::Stamp::NONE;
  options.relative = true;
  lines.begin(nullptr, 7, 1795455163'000123000);
  lines.end_line("a");
  lines.begin(nullptr, 7, 1795455164'000124000);
  lines.end_line("b");
  options.stamp = TraceOptions::Stamp::EPOCH;
  lines.begin(nullptr, 7, 1795455174'500124000);
  lines.end_line("c");
  EXPECT_EQ(sink.text,
            "7     1795455163.000123 +++ exited with 0 +++\n"
            "7          0.000000 a\n"
            "7          1.000001 b\n"
            "7     1795455174.500124 (+    10.500000) c\n");
}

TEST_F(TraceLines, NumbersAndNoPids) {
  options.numbers = true;
  options.pids = false;
  lines.begin(&a, 7, 0, 59);
  lines.add("execve(");
  lines.finish_call("0");
  EXPECT_EQ(sink.text, "[  59] execve()                         = 0\n");
}

}  // namespace
}  // namespace starry
