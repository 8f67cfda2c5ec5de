// One system call as text, in strace's format. Pure: the same event and memory give the same text.
//
//   read(3, "abc", 3)   = 3
//   ^ entry  ^ exit       ^ result
//
// The entry half ends before the first argument that the kernel fills, so that it can be written (and
// another task's lines can follow) while the call sleeps.
#pragma once

#include <string>

#include "emulated_kernel/trace/event.h"

namespace starry::trace {

// "read(3, ". Fills `state`.
std::string render_entry(const CallEvent& call, CallState& state, MemoryView& mem, const TraceOptions& opt);
// Remembers in `state` value-result arguments, whose formatters show what has changed.
void save_entry_values(const SyscallSpec& spec, const CallEvent& call, CallState& state, MemoryView& mem);
// What remains of the arguments, without the closing parenthesis: "\"abc\", 3".
std::string render_exit(const CallEvent& call, CallState& state, MemoryView& mem, const TraceOptions& opt);
// "3", "-1 ENOENT (No such file or directory)", "0x2 (flags O_RDWR)", "?".
std::string render_result(const CallEvent& call, CallState& state, MemoryView& mem, const TraceOptions& opt);

}  // namespace starry::trace
