// Reading logs: every form that strace 4 to 6 writes, the target kernel's log, starryrun's JSON.
#include <fmt/format.h>

#include "starrydiff/lexer.h"
#include "world.h"

namespace starry::diff {
namespace {

struct Prefixed {
  const char* line;
  int pid;
  int64_t time;
};

TEST(DiffLexer, TakesPrefixes) {
  const Prefixed cases[] = {
      {"getpid() = 1", 0, -1},
      {"1234  getpid() = 1", 1234, -1},
      {"[pid  1234] getpid() = 1", 1234, -1},
      {"12:34:56 getpid() = 1", 0, 45296000000000},
      {"77 12:34:56.000001 getpid() = 1", 77, 45296000001000},
      {"77    1700000000.250000 getpid() = 1", 77, 1700000000250000000},
      {"     0.000012 getpid() = 1", 0, 12000},
      {"[pid 5] 12:34:56 [00007f0012345678] getpid() = 1", 5, 45296000000000},
      {"[  39] getpid() = 1", 0, -1},
  };
  for (const Prefixed& c : cases) {
    std::string_view line = c.line;
    const Prefix p = take_prefix(line);
    EXPECT_EQ(p.pid, c.pid) << c.line;
    EXPECT_EQ(p.time, c.time) << c.line;
    EXPECT_EQ(line, "getpid() = 1") << c.line;
  }
}

TEST(DiffLexer, FindsTheResultBehindAnyString) {
  const Statement s = parse_statement(R"(write(1, "a) = 5, (\"", 9)              = 9 <0.000012>)");
  EXPECT_EQ(s.form, Form::call);
  EXPECT_EQ(s.name, "write");
  EXPECT_EQ(s.args, R"(1, "a) = 5, (\"", 9)");
  EXPECT_EQ(s.ret, "9");
  EXPECT_EQ(s.duration, 12000);
}

TEST(DiffLexer, TellsFormsApart) {
  EXPECT_EQ(parse_statement("read(0,  <unfinished ...>").form, Form::entry);
  EXPECT_EQ(parse_statement("read(0,  <unfinished ...>) = ?").form, Form::call);
  EXPECT_EQ(parse_statement("<... read resumed>\"\", 1) = 0").form, Form::resumed);
  EXPECT_EQ(parse_statement("<... ???? resumed>) = ?").form, Form::resumed);
  EXPECT_EQ(parse_statement("execve(\"/x\", [\"x\"], 0x1 /* 2 vars */ <pid changed to 7 ...>").form,
            Form::entry);
  EXPECT_EQ(parse_statement("--- SIGCHLD {si_signo=SIGCHLD} ---").name, "SIGCHLD");
  EXPECT_EQ(parse_statement("--- stopped by SIGSTOP ---").form, Form::stop);
  EXPECT_EQ(parse_statement("+++ killed by SIGSEGV (core dumped) +++").name, "SIGSEGV");
  EXPECT_EQ(parse_statement("+++ exited with 3 +++").name, "3");
  EXPECT_EQ(parse_statement("+++ superseded by execve in pid 9 +++").form, Form::superseded);
  EXPECT_EQ(parse_statement(" > /lib/libc.so.6(read+0x10) [0xfe7]").form, Form::stack);
  EXPECT_EQ(parse_statement("strace: Process 7 attached").form, Form::notice);
  EXPECT_EQ(parse_statement("hello (world) = 1").form, Form::none);
}

TEST(DiffLexer, SplitsArguments) {
  const std::string_view args = R"(3</a,b>, {x=[1, 2], y="a,\"b"}, O_RDONLY /* a, b */)";
  const size_t one = argument_end(args, 0), two = argument_end(args, one + 1);
  EXPECT_EQ(args.substr(0, one), "3</a,b>");
  EXPECT_EQ(trim(args.substr(one + 1, two - one - 1)), R"({x=[1, 2], y="a,\"b"})");
  EXPECT_EQ(argument_end(args, two + 1), args.size());
}

TEST(DiffLexer, ReadsResults) {
  EXPECT_EQ(parse_result("-1 ENOENT (No such file or directory)").error, "ENOENT");
  EXPECT_EQ(parse_result("? ERESTARTSYS (To be restarted if SA_RESTART is set)").error, "ERESTARTSYS");
  EXPECT_EQ(parse_result("0x7f00").number, 0x7f00);
  EXPECT_EQ(parse_result("3</etc/passwd>").number, 3);
  EXPECT_TRUE(parse_result("-1 (errno 515)").has_number);
  EXPECT_FALSE(parse_result("?").has_number);
}

TEST(DiffReader, JoinsHalves) {
  World w;
  const Log log = w.log(
      "1 clone3({flags=CLONE_VM|CLONE_THREAD} <unfinished ...>\n"
      "2 read(4,  <unfinished ...>\n"
      "1 <... clone3 resumed> => {parent_tid=[2]}, 88) = 2\n"
      "2 <... read resumed> \"ab\", 8) = 2\n"
      "2 +++ exited with 0 +++\n");
  ASSERT_EQ(log.events.size(), 3u);
  EXPECT_EQ(w.args(log.events[1]), "4, \"ab\", 8");
  EXPECT_EQ(log.events[1].number, 2);
  EXPECT_EQ(log.events[1].line, 2u);
  EXPECT_EQ(log.events[1].end_line, 4u);
  EXPECT_EQ(log.joined, 2u);
  ASSERT_EQ(log.tasks.size(), 2u);
  EXPECT_TRUE(log.tasks[1].thread);
  EXPECT_EQ(log.tasks[1].parent, 0u);
}

TEST(DiffReader, GivesAnOldNumberToANewTask) {
  World w;
  const Log log = w.log(
      "1 fork() = 2\n2 exit(0) = ?\n2 +++ exited with 0 +++\n1 fork() = 2\n2 exit(1) = ?\n2 +++ exited with "
      "1 +++\n");
  EXPECT_EQ(log.tasks.size(), 3u);
  EXPECT_EQ(log.tasks[0].children.size(), 2u);
}

TEST(DiffReader, ReportsBrokenLinesAndGoesOn) {
  World w;
  const Log log = w.log("1 getpid() = 1\n1 nonsense here\n1 getpid( = \n1 <... \n1 getppid() = 1\n");
  ASSERT_EQ(log.bad_count, 3u);
  EXPECT_EQ(log.bad[0].line, 2u);
  EXPECT_EQ(log.bad[1].line, 3u);
  EXPECT_EQ(log.bad[2].line, 4u);
  EXPECT_EQ(w.name(log.events.back()), "getppid");
}

TEST(DiffReader, TakesOutputOutOfTerminalLogs) {
  World w;
  const Log log = w.log(
      "write(1, \"hel\"..., 118hello\n"
      "world\n"
      ") = 118\n"
      "getpid(noise\n"
      ")                                = 7\n"
      "exit_group(0) = ?\n");
  EXPECT_EQ(log.bad_count, 0u);
  EXPECT_EQ(log.output_lines, 1u);
  ASSERT_EQ(log.events.size(), 3u);
  EXPECT_EQ(w.args(log.events[0]), "1, \"hel\"..., 118");
  EXPECT_EQ(log.events[1].number, 7);
}

TEST(DiffReader, TimesOfDayPassMidnight) {
  World w;
  const Log log = w.log("23:59:59 getpid() = 1\n00:00:01 getppid() = 1\n");
  EXPECT_EQ(log.events[1].start - log.events[0].start, 2'000'000'000);
}

TEST(DiffReader, ReadsTheKernelLog) {
  World w;
  const std::string at = "[  0.1 0:6 axstarry::syscall:40] [syscall] ";
  const Log log = w.log(at + "id = MMAP, args = [0, 4096, 3, 34, 18446744073709551615, 0], entry\n" +
                        "output of the program\n" + at +
                        "id = 9, args = [0, 4096, 3, 34, 18446744073709551615, 0], return 4096\n" + at +
                        "id = OPENAT, args = [4294967196, 5, 524288, 0, 0, 0], entry\n" + at +
                        "id = 257, args = [4294967196, 5, 524288, 0, 0, 0], return -2\n" +
                        "[  0.2 0:6 axmem:403] Page fault address VA:0x1 not found\n");
  EXPECT_EQ(log.format, "kernel log");
  ASSERT_EQ(log.events.size(), 2u);
  EXPECT_EQ(w.args(log.events[0]), "NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0");
  EXPECT_EQ(w.args(log.events[1]), "AT_FDCWD, ?, O_RDONLY|O_CLOEXEC, ?");
  EXPECT_EQ(w.strings[log.events[1].error], "ENOENT");
  EXPECT_EQ(log.output_lines, 1u);
  EXPECT_EQ(log.ending_line, 6u);
}

TEST(DiffReader, ReadsJson) {
  World w;
  const Log log = w.log(
      R"({"type":"start","version":1,"program":["x"],"cpus":2,"time":5})"
      "\n"
      R"({"type":"call","pid":1,"tid":1,"comm":"x","start":10,"duration":5,"cpu":1,"nr":0,"name":"read","args":["3","\"a\"","9"],"raw":[3,1,9],"ret":1,"errno":null,"text":"read(3, \"a\", 9) = 1","blocked":[{"on":"pipe","from":11,"to":14}],"preempted":[]})"
      "\n"
      "{broken\n"
      R"({"type":"exit","pid":1,"tid":1,"text":"+++ exited with 0 +++"})"
      "\n");
  EXPECT_EQ(log.cpus, 2);
  EXPECT_EQ(log.bad_count, 1u);
  ASSERT_EQ(log.events.size(), 2u);
  EXPECT_EQ(w.args(log.events[0]), "3, \"a\", 9");
  EXPECT_EQ(log.events[0].cpu, 1);
  ASSERT_EQ(log.extras.size(), 1u);
  EXPECT_EQ(w.strings[log.extras[0].blocked[0].on], "pipe");
  EXPECT_EQ(log.events[1].type, EventType::exit);
}

TEST(DiffReader, RefusesWhatIsNoLog) {
  Strings strings;
  EXPECT_THROW(read_log("/nonexistent/file", strings), ReadError);
}

}  // namespace
}  // namespace starry::diff
