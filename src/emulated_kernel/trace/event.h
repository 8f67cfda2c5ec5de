// What one traced system call consists of. Rendering (trace/render.h) needs nothing else: no Task, no
// kernel state, so that it can be tested with events made by hand.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "emulated_kernel/trace/trace_options.h"

namespace starry {

// Guest memory and descriptors as formatters see them.
class MemoryView {
 public:
  virtual ~MemoryView() = default;
  // Bytes readable from `addr`, at most n; 0 if none.
  virtual size_t read_some(uint64_t addr, void* dst, size_t n) = 0;
  bool read(uint64_t addr, void* dst, size_t n) { return read_some(addr, dst, n) == n; }
  // What the caller's descriptor refers to, as -y and -yy show it with its brackets; empty: unknown.
  virtual std::string fd_text(int fd) {
    (void)fd;
    return {};
  }
};

struct CallEvent {
  int64_t nr = -1;
  uint64_t args[6] = {};
  // Valid at exit: an errno or restart code, or 0 and the value.
  int err = 0;
  int64_t value = 0;
};

// A bit or value that has no name.
struct UnknownValue {
  int family;  // FlagFamily
  uint64_t value;
};

// What must be remembered between the two halves of a call.
struct CallState {
  int next_arg = 0;              // the first argument that is shown at exit
  bool complete = false;         // all arguments were shown at entry
  unsigned notes = 0;            // bit i: argument i adds to the note behind the result
  uint64_t entry_value[6] = {};  // value-result arguments (socklen_t, offsets) as they were at entry
  bool entry_valid[6] = {};
  std::vector<uint32_t> name_lens;     // msg_namelen of the messages of recvmsg / recvmmsg at entry
  std::vector<std::string> arg_texts;  // with TraceOptions::split_args: each argument alone
  int resumed_arg = -1;                // the argument that was shown in part at entry
  std::vector<UnknownValue> unknown;   // met so far
};

}  // namespace starry
