// strace's -e expressions and what is injected by them.
#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "emulated_kernel/trace/filter.h"

namespace starry {
namespace {

int64_t nr(const char* name) { return syscall_by_name(name)->nr; }

bool has(const CallSet& set, const char* name) { return set.has(nr(name)); }

std::string error_of(const std::string& expr) {
  TraceOptions o;
  Injections i;
  try {
    trace::apply_expression(expr, o, i);
  } catch (const trace::FilterError& e) {
    return e.what();
  }
  return "";
}

Injection injection_of(const std::string& expr, const char* call) {
  TraceOptions o;
  Injections i;
  trace::apply_expression(expr, o, i);
  return *i.at(nr(call));
}

// Which of the first n calls are hit.
std::string hits(const std::string& when, int n) {
  InjectionCounter counter(injection_of("inject=open:error=EIO:when=" + when, "open"));
  std::string text;
  for (int i = 0; i < n; ++i) text += counter.hit() ? 'x' : '.';
  return text;
}

TEST(TraceFilter, Lists) {
  const CallSet some = trace::parse_calls("open,close,?nonsense,39");
  EXPECT_TRUE(has(some, "open") && has(some, "close") && has(some, "getpid"));
  EXPECT_FALSE(has(some, "read") || some.has(9999));
  const CallSet others = trace::parse_calls("!open,close");
  EXPECT_TRUE(has(others, "read") && others.has(9999));
  EXPECT_FALSE(has(others, "close"));
  EXPECT_EQ(trace::parse_calls("!!open"), trace::parse_calls("open"));
  EXPECT_EQ(trace::parse_calls("all"), trace::parse_calls("!none"));
}

TEST(TraceFilter, ClassesAndRegularExpressions) {
  const CallSet net = trace::parse_calls("%net");
  EXPECT_TRUE(has(net, "socket") && has(net, "sendto"));
  EXPECT_FALSE(has(net, "open"));
  EXPECT_EQ(trace::parse_calls("network"), trace::parse_calls("%network"));
  EXPECT_EQ(trace::parse_calls("file"), trace::parse_calls("%file"));
  const CallSet times = trace::parse_calls("/^clock_.*(time|sleep)$");
  EXPECT_TRUE(has(times, "clock_gettime") && has(times, "clock_nanosleep"));
  EXPECT_FALSE(has(times, "clock_getres"));
}

TEST(TraceFilter, Errors) {
  EXPECT_EQ(error_of("trace=nonsense"), "invalid system call 'nonsense'");
  EXPECT_EQ(error_of("trace="), "invalid system call ''");
  EXPECT_EQ(error_of("trace=pure"), "invalid system call 'pure'");  // this class has no old name
  EXPECT_EQ(error_of("signal=FOO"), "invalid signal 'FOO'");
  EXPECT_EQ(error_of("status=good"), "invalid status 'good'");
  EXPECT_EQ(error_of("read=x"), "invalid descriptor 'x'");
  for (const char* bad : {"open", "open:error=NOPE", "open:error=EIO:retval=1", "open:when=0:error=EIO",
                          "open:when=3..2:error=EIO", "open:signal=99", "open:delay_enter=x",
                          "open:retval=", "open:syscall=write:error=EIO"})
    EXPECT_EQ(error_of(std::string("inject=") + bad), std::string("invalid inject argument '") + bad + "'");
  EXPECT_EQ(error_of("fault=open:retval=1"), "invalid fault argument 'open:retval=1'");
}

TEST(TraceFilter, SignalsAndStates) {
  TraceOptions o;
  Injections i;
  trace::apply_expression("signal=!SIGCHLD,usr1", o, i);
  EXPECT_FALSE(o.signals.has(SIGCHLD) || o.signals.has(SIGUSR1));
  EXPECT_TRUE(o.signals.has(SIGTERM));
  trace::apply_expression("status=failed,unfinished", o, i);
  EXPECT_TRUE(o.statuses.has(static_cast<int>(CallStatus::FAILED)));
  EXPECT_FALSE(o.statuses.has(static_cast<int>(CallStatus::SUCCESSFUL)));
  trace::apply_expression("read=0,5", o, i);
  EXPECT_TRUE(o.dump_reads.has(5) && !o.dump_reads.has(1) && o.dump_writes.empty());
  trace::apply_expression("close", o, i);  // the word alone: trace=
  EXPECT_EQ(o.calls, trace::parse_calls("close"));
}

TEST(TraceFilter, Injections) {
  EXPECT_EQ(injection_of("fault=open", "open").error, ENOSYS);
  const Injection i = injection_of(
      "inject=open,close:retval=0x10:signal=USR1:delay_enter=20:delay_exit=1.5ms:syscall=getpid", "close");
  EXPECT_EQ(i.value, 16);
  EXPECT_EQ(i.signal, SIGUSR1);
  EXPECT_EQ(i.delay_enter_ns, 20'000u);
  EXPECT_EQ(i.delay_exit_ns, 1'500'000u);
  EXPECT_EQ(i.instead, nr("getpid"));
  EXPECT_EQ(injection_of("inject=open:error=13", "open").error, EACCES);
}

TEST(TraceFilter, When) {
  EXPECT_EQ(hits("1+", 5), "xxxxx");
  EXPECT_EQ(hits("3", 6), "..x...");
  EXPECT_EQ(hits("2+", 5), ".xxxx");
  EXPECT_EQ(hits("2+2", 7), ".x.x.x.");
  EXPECT_EQ(hits("2..4", 6), ".xxx..");
  EXPECT_EQ(hits("1..5+2", 8), "x.x.x...");
}

}  // namespace
}  // namespace starry
