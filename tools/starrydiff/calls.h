// What is known of each system call: the kernel's table (abi/syscalls.def) and flag tables, used as data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace starry::diff {

struct ArgInfo {
  std::string_view name;  // as in the table: "flags"
  std::string_view kind;  // as in the table: "FD", "BUF_OUT(2)", "FLAGS(open_flags)"
  bool fd = false, pointer = false, output = false, pid = false, hex = false;
};

struct CallInfo {
  int number = -1;
  std::string_view name, ret;  // ret: "DEC", "FD", "PTR", ...
  int arg_count = -1;          // -1: not known
  ArgInfo args[6];
  bool memory = false;  // mmap and relatives
};

// nullptr if there is no such call.
const CallInfo* call_by_name(std::string_view name);
const CallInfo* call_by_number(int64_t number);

// The value as strace prints it, as far as a number allows; "?" for what it points to.
std::string decode_raw(const CallInfo& call, int arg, const uint64_t (&values)[6]);
// "ENOENT" for 2; empty if there is no such number.
std::string_view errno_name(int64_t number);

// Calls that wait: their number and moment depend on timing.
bool waits(std::string_view name);
// Calls that only ask: they change nothing, such as clock_gettime and getpid.
bool only_asks(std::string_view name);
// Calls that make a process or thread and return its number.
bool makes_task(std::string_view name);
// Calls that take bytes out of a stream, or put them in.
bool reads_stream(std::string_view name);
bool writes_stream(std::string_view name);

}  // namespace starry::diff
