// A traced call made by hand: arguments, guest memory before and after, and the line it gives.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/trace/line_writer.h"
#include "emulated_kernel/trace/render.h"

namespace starry {

// Where the tests put things.
inline constexpr uint64_t A = 0x7ffe00001000, B = 0x7ffe00002000, C = 0x7ffe00003000, D = 0x7ffe00004000;
inline constexpr uint64_t AT_CWD = static_cast<uint32_t>(AT_FDCWD);

class TestMemory final : public MemoryView {
 public:
  size_t read_some(uint64_t addr, void* dst, size_t n) override {
    auto it = blocks_.upper_bound(addr);
    if (it == blocks_.begin()) return 0;
    --it;
    uint64_t offset = addr - it->first;
    if (offset >= it->second.size()) return 0;
    n = std::min(n, it->second.size() - offset);
    std::memcpy(dst, it->second.data() + offset, n);
    return n;
  }
  uint64_t put_bytes(uint64_t addr, std::string bytes) {
    blocks_[addr] = std::move(bytes);
    return addr;
  }
  uint64_t put_string(uint64_t addr, std::string text) { return put_bytes(addr, text + '\0'); }
  template <class T>
  uint64_t put(uint64_t addr, const T& v) {
    return put_bytes(addr, std::string(reinterpret_cast<const char*>(&v), sizeof v));
  }

 private:
  std::map<uint64_t, std::string> blocks_;
};

class StringSink final : public TraceSink {
 public:
  void write(std::string_view t) override { text += t; }
  std::string text;
};

struct TestCall {
  TestCall(const char* name, std::vector<uint64_t> args) {
    event.nr = syscall_by_name(name)->nr;
    std::copy(args.begin(), args.end(), event.args);
  }
  // The entry half, with the memory as it is now.
  std::string enter() { return trace::render_entry(event, state, mem, options); }
  std::string leave(int64_t value, int err = 0) {
    event.value = value;
    event.err = err;
    return trace::render_exit(event, state, mem, options);
  }
  std::string result() { return trace::render_result(event, state, mem, options); }
  // The whole line without pid and padding.
  std::string line(int64_t value, int err = 0) {
    std::string text = enter();
    text += leave(value, err);
    return text + ") = " + result();
  }

  TestMemory mem;
  CallEvent event;
  CallState state;
  TraceOptions options;
};

}  // namespace starry
