// What one traced system call consists of. Rendering (trace/render.h) needs nothing else: no Task, no
// kernel state, so that it can be tested with events made by hand.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace starry {

// How lines look and which are written; names follow strace's options.
struct TraceOptions {
  size_t string_limit = 32;                                                                      // -s
  bool abbreviate = true;                                                                        // off: -v
  enum class Stamp : uint8_t { NONE, CLOCK, CLOCK_US, EPOCH_US, RELATIVE } stamp = Stamp::NONE;  // -t -r
  bool duration = false;                                                                         // -T
  std::vector<bool> calls;  // -e trace=: indexed by number; empty: all
  int column = 40;          // -a
  bool traces(int64_t nr) const {
    return calls.empty() ||
           (nr >= 0 && static_cast<size_t>(nr) < calls.size() && calls[static_cast<size_t>(nr)]);
  }
};

// Guest memory as formatters see it.
class MemoryView {
 public:
  virtual ~MemoryView() = default;
  // Bytes readable from `addr`, at most n; 0 if none.
  virtual size_t read_some(uint64_t addr, void* dst, size_t n) = 0;
  bool read(uint64_t addr, void* dst, size_t n) { return read_some(addr, dst, n) == n; }
};

struct CallEvent {
  int64_t nr = -1;
  uint64_t args[6] = {};
  // Valid at exit: an errno or restart code, or 0 and the value.
  int err = 0;
  int64_t value = 0;
};

// What must be remembered between the two halves of a call.
struct CallState {
  int next_arg = 0;              // the first argument that is shown at exit
  bool complete = false;         // all arguments were shown at entry
  unsigned notes = 0;            // bit i: argument i adds to the note behind the result
  uint64_t entry_value[6] = {};  // value-result arguments (socklen_t, offsets) as they were at entry
  bool entry_valid[6] = {};
  std::vector<uint32_t> name_lens;  // msg_namelen of the messages of recvmsg / recvmmsg at entry
};

}  // namespace starry
