// Notes the guest memory that decoding a call will look at, so that it can be rendered later. What plain
// arguments need is said by the table (kind, size, count); the formatters of the others, DEEP_FORMAT in
// abi/arg_formats.def, are run on a memory that writes down what they read.
#pragma once

#include "emulated_kernel/trace/event.h"
#include "emulated_kernel/trace/record.h"

namespace starry::trace {

// The guest as it is now.
class GuestView : public MemoryView {
 public:
  // A NUL-terminated string with its NUL, or its first max bytes; empty: not readable.
  virtual std::string c_string(uint64_t addr, size_t max) = 0;
  // True if the descriptor refers to one of `paths` (-P).
  virtual bool fd_is(int fd, const std::vector<std::string>& paths) = 0;
};

// Before the handler runs; decides which arguments wait for the exit (`state.next_arg`). False: the call
// has nothing to do with the paths of -P.
bool capture_entry(const CallEvent& call, CallState& state, GuestView& guest, const TraceOptions& opt,
                   RecordBuilder& record);
// After it, with the result in `call`.
void capture_exit(const CallEvent& call, CallState& state, GuestView& guest, const TraceOptions& opt,
                  RecordBuilder& record);

}  // namespace starry::trace
