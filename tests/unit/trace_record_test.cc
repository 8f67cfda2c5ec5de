// Records: what is noted of a call is enough to render it later as if from live memory; the writer's lines,
// summary and JSON.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/base/result.h"
#include "emulated_kernel/signal/task_signals.h"
#include "emulated_kernel/trace/capture.h"
#include "emulated_kernel/trace/log_writer.h"
#include "unit/trace_world.h"

namespace starry {
namespace {

class TestGuest final : public trace::GuestView {
 public:
  explicit TestGuest(TestMemory& m) : memory_(m) {}
  size_t read_some(uint64_t addr, void* dst, size_t n) override { return memory_.read_some(addr, dst, n); }
  std::string c_string(uint64_t addr, size_t max) override {
    std::string s(max, '\0');
    s.resize(read_some(addr, s.data(), max));
    return s.substr(0, std::min(s.find('\0'), s.size() - 1) + 1);
  }
  std::string fd_text(int fd) override { return "</fd/" + std::to_string(fd) + ">"; }
  bool fd_is(int fd, const std::vector<std::string>& paths) override {
    return std::find(paths.begin(), paths.end(), "/fd/" + std::to_string(fd)) != paths.end();
  }

 private:
  TestMemory& memory_;
};

// A log and the task(s) that fill it.
class TraceRecord : public testing::Test {
 protected:
  TestMemory memory;
  TestGuest guest{memory};
  TraceOptions options;
  StringSink lines, summary, json;
  std::vector<std::string> notices;
  bool with_json = false;
  std::unique_ptr<trace::LogWriter> writer;
  RecordBuilder builder;
  CallEvent call;
  CallState state;
  uint64_t now = 1'000'000'000;

  void take(RecordHead& head) {
    head.ns = now;
    if (writer == nullptr) {
      trace::LogOutputs out;
      out.lines = [this](pid_t) { return &lines; };
      out.summary = &summary;
      out.json = with_json ? &json : nullptr;
      out.notice = [this](const std::string& text) { notices.push_back(text); };
      writer = std::make_unique<trace::LogWriter>(options, out, 1'000'000'000, 1'700'000'000'000'000'000);
    }
    std::string_view bytes = builder.finish();
    RecordView view;
    ASSERT_TRUE(view.next(bytes));
    EXPECT_TRUE(bytes.empty());
    writer->take(view);
  }
  RecordHead& start(RecordHead::Kind kind, pid_t tid) {
    RecordHead& h = builder.start(kind);
    h.tid = h.tgid = tid;
    std::strcpy(h.comm, "prog");
    return h;
  }
  bool enter(pid_t tid, const char* name, std::vector<uint64_t> args) {
    call = CallEvent{};
    call.nr = syscall_by_name(name)->nr;
    std::copy(args.begin(), args.end(), call.args);
    RecordHead& h = start(RecordHead::Kind::ENTER, tid);
    h.number = call.nr;
    std::copy(std::begin(call.args), std::end(call.args), h.args);
    if (!trace::capture_entry(call, state, guest, options, builder)) return false;
    take(h);
    return true;
  }
  void leave(pid_t tid, int64_t value, int err = 0, uint8_t marks = 0) {
    now += 5000;
    RecordHead& h = start(RecordHead::Kind::EXIT, tid);
    h.number = call.nr;
    h.value = call.value = value;
    h.err = call.err = err;
    h.marks = marks;
    h.system_ns = 2000;
    trace::capture_exit(call, state, guest, options, builder);
    take(h);
  }
  // The memory changes behind the writer's back: only what was noted counts.
  void forget() { memory = TestMemory(); }
};

TEST_F(TraceRecord, PathsAndBuffers) {
  memory.put_string(A, "/etc/passwd");
  enter(7, "openat", {AT_CWD, A, O_RDONLY, 0});
  forget();
  leave(7, 3);
  enter(7, "read", {3, B, 100});
  memory.put_bytes(B, std::string(50, 'x'));
  leave(7, 50);
  enter(7, "write", {1, B, 50});
  forget();
  leave(7, 0, EPIPE);
  EXPECT_EQ(lines.text,
            "7     openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) = 3\n"
            "7     read(3, \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"..., 100) = 50\n"
            "7     write(1, \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"..., 50) = -1 EPIPE (Broken pipe)\n");
}

TEST_F(TraceRecord, StructuresBeforeAndAfter) {
  memory.put(A, pollfd{3, POLLIN, 0});
  enter(7, "poll", {A, 1, 1000});
  memory.put(A, pollfd{3, POLLIN, POLLIN});
  leave(7, 1);
  memory.put(B, static_cast<int32_t>(16));
  enter(7, "getsockname", {4, A, B});
  memory.put_bytes(A, std::string("\2\0\0\x50\x7f\0\0\1\0\0\0\0\0\0\0\0", 16));
  leave(7, 0);
  EXPECT_EQ(lines.text,
            "7     poll([{fd=3, events=POLLIN}], 1, 1000) = 1 ([{fd=3, revents=POLLIN}])\n"
            "7     getsockname(4, {sa_family=AF_INET, sin_port=htons(80), "
            "sin_addr=inet_addr(\"127.0.0.1\")}, [16]) "
            "= 0\n");
}

TEST_F(TraceRecord, NestedPointers) {
  memory.put(A, GuestIovec{B, 5});
  memory.put_bytes(B, "hello");
  enter(7, "writev", {1, A, 1});
  forget();
  leave(7, 5);
  EXPECT_EQ(lines.text, "7     writev(1, [{iov_base=\"hello\", iov_len=5}], 1) = 5\n");
}

TEST_F(TraceRecord, UnfinishedResumedAndKilled) {
  enter(7, "read", {0, A, 10});
  const CallEvent first = call;
  const CallState first_state = state;
  enter(8, "getpid", {});
  leave(8, 8);
  call = first;
  state = first_state;
  memory.put_bytes(A, "ab");
  leave(7, 2);
  enter(7, "read", {0, A, 10});
  RecordHead& h = start(RecordHead::Kind::TASK_EXIT, 7);
  h.number = SIGKILL;
  take(h);
  EXPECT_EQ(lines.text,
            "7     read(0,  <unfinished ...>\n"
            "8     getpid()                          = 8\n"
            "7     <... read resumed>\"ab\", 10)       = 2\n"
            "7     read(0,  <unfinished ...>)        = ?\n"
            "7     +++ killed by SIGKILL +++\n");
}

TEST_F(TraceRecord, StatesChooseWholeLines) {
  options.statuses = NumberSet::none();
  options.statuses.add(static_cast<int>(CallStatus::FAILED));
  enter(7, "close", {3});
  leave(7, 0);
  enter(7, "close", {4});
  leave(7, 0, EBADF);
  EXPECT_EQ(lines.text, "7     close(4)                          = -1 EBADF (Bad file descriptor)\n");
}

TEST_F(TraceRecord, PathsOfDescriptors) {
  options.fd_paths = true;
  memory.put_string(A, "x");
  enter(7, "openat", {AT_CWD, A, O_RDONLY, 0});
  leave(7, 5);
  EXPECT_EQ(lines.text, "7     openat(AT_FDCWD</fd/-100>, \"x\", O_RDONLY) = 5</fd/5>\n");
}

TEST_F(TraceRecord, PathFilter) {
  options.paths = {"/fd/4", "/a"};
  memory.put_string(A, "/a");
  memory.put(B, pollfd{4, POLLIN, 0});
  EXPECT_TRUE(enter(7, "close", {4}));
  EXPECT_FALSE(enter(7, "close", {5}));
  EXPECT_TRUE(enter(7, "access", {A, 0}));
  EXPECT_TRUE(enter(7, "poll", {B, 1, 0}));
  EXPECT_FALSE(enter(7, "getpid", {}));
}

TEST_F(TraceRecord, StylesOfNames) {
  options.names = XlatStyle::RAW;
  memory.put_string(A, "x");
  enter(7, "openat", {AT_CWD, A, O_RDONLY | O_CLOEXEC, 0});
  leave(7, 5);
  options.names = XlatStyle::VERBOSE;
  writer->set_options(options);
  enter(7, "openat", {AT_CWD, A, O_RDONLY | O_CLOEXEC, 0});
  leave(7, 5);
  options = TraceOptions();
  options.raw = CallSet::all();
  writer->set_options(options);
  enter(7, "read", {3, A, 16});
  leave(7, 1);
  EXPECT_EQ(lines.text,
            "7     openat(-100, \"x\", 0x80000)        = 5\n"
            "7     openat(-100 /* AT_FDCWD */, \"x\", 0x80000 /* O_RDONLY|O_CLOEXEC */) = 5\n"
            "7     read(0x3, 0x7ffe00001000, 0x10)   = 0x1\n");
}

TEST_F(TraceRecord, HexStrings) {
  options.quotes = QuoteStyle::HEX_UNPRINTABLE;
  memory.put_bytes(A, std::string("a\1\n", 3));
  enter(7, "write", {1, A, 3});
  leave(7, 3);
  memory.put_bytes(A, "ab\n");
  enter(7, "write", {1, A, 3});
  leave(7, 3);
  EXPECT_EQ(lines.text,
            "7     write(1, \"\\x61\\x01\\x0a\", 3)       = 3\n"
            "7     write(1, \"ab\\n\", 3)               = 3\n");
}

TEST_F(TraceRecord, Dump) {
  options.dump_writes.add(1);
  memory.put_bytes(A, std::string("hello\0", 6));
  enter(7, "write", {1, A, 6});
  leave(7, 6);
  EXPECT_EQ(lines.text,
            "7     write(1, \"hello\\0\", 6)            = 6\n"
            " | 00000  68 65 6c 6c 6f 00                                 hello.           |\n");
}

TEST_F(TraceRecord, InjectedAndUnknown) {
  enter(7, "close", {3});
  leave(7, 0, EIO, RecordHead::INJECTED | RecordHead::DELAYED);
  memory.put_string(A, "x");
  for (int i = 0; i < 2; ++i) {
    enter(7, "access", {A, 0x80});
    leave(7, 0, EINVAL);
  }
  EXPECT_NE(lines.text.find("= -1 EIO (Input/output error) (INJECTED) (DELAYED)\n"), std::string::npos);
  ASSERT_EQ(notices.size(), 1u);  // once
  EXPECT_NE(notices[0].find("prog[7]: access"), std::string::npos);
  EXPECT_NE(notices[0].find("0x80"), std::string::npos);
}

TEST_F(TraceRecord, Summary) {
  options.summary = TraceOptions::Summary::ONLY;
  options.summary_sort = "calls";
  for (int i = 0; i < 3; ++i) {
    enter(7, "close", {3});
    leave(7, 0, i == 0 ? EBADF : 0);
  }
  enter(7, "getpid", {});
  leave(7, 7);
  writer->finish();
  EXPECT_EQ(lines.text, "");
  EXPECT_EQ(summary.text,
            "% time     seconds  usecs/call     calls    errors syscall\n"
            "------ ----------- ----------- --------- --------- ----------------\n"
            " 75.00    0.000006           2         3         1 close\n"
            " 25.00    0.000002           2         1           getpid\n"
            "------ ----------- ----------- --------- --------- ----------------\n"
            "100.00    0.000008           2         4         1 total\n");
}

TEST_F(TraceRecord, Json) {
  with_json = true;
  memory.put_string(A, "a\"b");
  enter(7, "open", {A, O_RDONLY, 0});
  leave(7, 0, ENOENT);
  enter(7, "read", {0, B, 4});
  memory.put_bytes(B, "\n");
  leave(7, 1);
  EXPECT_EQ(
      json.text,
      "{\"type\":\"call\",\"pid\":7,\"tid\":7,\"comm\":\"prog\",\"start\":0,\"duration\":5000,\"cpu\":-1,"
      "\"nr\":2,\"name\":\"open\",\"args\":[\"\\\"a\\\\\\\"b\\\"\",\"O_RDONLY\"],\"raw\":[140728898424832,0,"
      "0],"
      "\"ret\":-1,\"errno\":\"ENOENT\",\"text\":\"open(\\\"a\\\\\\\"b\\\", O_RDONLY) = -1 ENOENT (No such "
      "file or "
      "directory)\",\"blocked\":[],\"preempted\":[]}\n"
      "{\"type\":\"call\",\"pid\":7,\"tid\":7,\"comm\":\"prog\",\"start\":5000,\"duration\":5000,\"cpu\":-1,"
      "\"nr\":0,\"name\":\"read\",\"args\":[\"0\",\"\\\"\\\\n\\\"\",\"4\"],\"raw\":[0,140728898428928,4],"
      "\"ret\":1,"
      "\"errno\":null,\"text\":\"read(0, \\\"\\\\n\\\", 4) = 1\",\"blocked\":[],\"preempted\":[]}\n");
}

TEST(TraceRecordView, BrokenRecordsEndTheList) {
  RecordBuilder b;
  b.start(RecordHead::Kind::ENTER);
  b.add(RecordItem::MEMORY, A, "abc");
  const std::string whole(b.finish());
  for (size_t n = 0; n < whole.size(); ++n) {
    std::string_view part = std::string_view(whole).substr(0, n);
    RecordView view;
    EXPECT_FALSE(view.next(part)) << n;
  }
}

}  // namespace
}  // namespace starry
