// Steps in the lives of tasks as the kernel thread notes them, in compact form, for another thread to
// render: a fixed head, then items that hold what decoding will look at. A record is a string of bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "emulated_kernel/trace/event.h"

namespace starry {

struct RecordHead {
  enum class Kind : uint8_t { ENTER, EXIT, SIGNAL, STOPPED, TASK_EXIT, SUPERSEDED };
  enum Mark : uint8_t { INJECTED = 1, DELAYED = 2 };

  uint32_t size = 0;  // of the whole record, a multiple of 8
  Kind kind = Kind::ENTER;
  uint8_t marks = 0;
  int16_t cpu = -1;  // emulated
  int32_t tid = 0, tgid = 0;
  uint64_t ns = 0;         // monotonic clock
  uint64_t system_ns = 0;  // EXIT: CPU time spent in the call
  int64_t number = 0;      // of the call, the signal, the wait status, or the pid that took over
  uint64_t args[6] = {};
  int64_t value = 0;
  int32_t err = 0;
  char comm[16] = {};

  CallEvent event() const;
};

// What follows the head. Key and data:
enum class RecordItem : uint32_t {
  MEMORY,     // guest address: the bytes there
  FD,         // descriptor: MemoryView::fd_text
  SIGINFO,    // struct siginfo
  STACK,      // a line of the call stack
  BLOCKED,    // start: Interval; the name of what was waited for follows it
  PREEMPTED,  // start: Interval
};

// Puts a record together; the buffer is used again for the next one.
class RecordBuilder {
 public:
  RecordHead& start(RecordHead::Kind kind);
  void add(RecordItem item, uint64_t key, std::string_view data);
  std::string_view finish();

 private:
  RecordHead head_;
  std::string bytes_;
};

// A record taken apart. The bytes must outlive it. As MemoryView it is the memory that was noted.
class RecordView final : public MemoryView {
 public:
  struct Interval {
    uint64_t from, to;
    std::string_view what;
  };

  // Takes the first record off `bytes`; false when there is none (or it is broken).
  bool next(std::string_view& bytes);

  RecordHead head;
  std::vector<std::string_view> stack;
  std::vector<Interval> blocked, preempted;
  std::string_view siginfo;

  size_t read_some(uint64_t addr, void* dst, size_t n) override;
  std::string fd_text(int fd) override;

 private:
  struct Range {
    uint64_t addr;
    std::string_view bytes;
  };
  void clear();
  bool take_item(std::string_view& items);

  std::vector<Range> ranges_;
  std::vector<std::pair<int, std::string_view>> fds_;
};

// Where the kernel thread leaves records.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void push(std::string_view record) = 0;
};

}  // namespace starry
