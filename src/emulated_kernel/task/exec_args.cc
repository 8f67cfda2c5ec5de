#include "emulated_kernel/task/exec_args.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr uint64_t ARG_MAX_LEAST = 131072;     // what every stack limit allows
constexpr uint64_t ARG_MAX_MOST = 6ULL << 20;  // three quarters of the default stack limit

// Room for strings and the pointers to them.
class Budget {
 public:
  Budget(const Task& t, size_t path_len)
      : left_(std::max(std::min(t.rlimit(RLIMIT_STACK) / 4, ARG_MAX_MOST), ARG_MAX_LEAST)) {
    left_ -= std::min<uint64_t>(left_, path_len + 1);
  }
  Result<void> take(size_t n) {
    if (n >= left_) return Error{E2BIG};
    left_ -= n;
    return {};
  }

 private:
  uint64_t left_;
};

// Arguments lie close together: reading memory by pages saves most of the host calls.
class PageReader {
 public:
  explicit PageReader(UserMemory& mem) : mem_(mem) {}
  // The bytes from `addr` to the end of its page.
  Result<std::span<const uint8_t>> from(UserAddr addr) {
    const UserAddr page = addr & ~(PAGE - 1);
    if (page != page_ || valid_ == 0) {
      valid_ = 0;
      valid_ = TRY(mem_.read_some(page, buf_, PAGE));
      page_ = page;
    }
    const size_t offset = addr - page;
    if (offset >= valid_) return Error{EFAULT};
    return std::span<const uint8_t>(buf_ + offset, valid_ - offset);
  }

 private:
  UserMemory& mem_;
  UserAddr page_ = 0;
  size_t valid_ = 0;
  uint8_t buf_[PAGE];
};

Result<std::string> read_string(PageReader& reader, UserAddr addr) {
  std::string s;
  for (;;) {
    const std::span<const uint8_t> chunk = TRY(reader.from(addr));
    const auto* nul = static_cast<const uint8_t*>(std::memchr(chunk.data(), 0, chunk.size()));
    const size_t n = nul != nullptr ? static_cast<size_t>(nul - chunk.data()) : chunk.size();
    if (s.size() + n >= MAX_ARG_STRLEN) return Error{E2BIG};
    s.append(reinterpret_cast<const char*>(chunk.data()), n);
    if (nul != nullptr) return s;
    addr += n;
  }
}

Result<UserAddr> read_pointer(PageReader& reader, UserMemory& mem, UserAddr addr) {
  const std::span<const uint8_t> chunk = TRY(reader.from(addr));
  UserAddr p = 0;
  if (chunk.size() < sizeof p) return mem.get(UserPtr<UserAddr>{addr});
  std::memcpy(&p, chunk.data(), sizeof p);
  return p;
}

Result<std::vector<std::string>> read_strings(Task& t, UserAddr array, Budget& budget) {
  std::vector<std::string> out;
  if (array == 0) return out;
  PageReader pointers(t.mem()), strings(t.mem());
  for (;; array += sizeof(UserAddr)) {
    const UserAddr p = TRY(read_pointer(pointers, t.mem(), array));
    if (p == 0) return out;
    TRY(budget.take(sizeof p));
    out.push_back(TRY(read_string(strings, p)));
    TRY(budget.take(out.back().size() + 1));
  }
}

}  // namespace

Result<ExecArgs> read_exec_args(Task& t, UserAddr argv, UserAddr envp, size_t path_len) {
  Budget budget(t, path_len);
  ExecArgs args;
  args.argv = TRY(read_strings(t, argv, budget));
  args.envp = TRY(read_strings(t, envp, budget));
  if (args.argv.empty()) args.argv.emplace_back();
  return args;
}

Result<void> check_exec_size(Task& t, const ExecArgs& args, size_t path_len) {
  Budget budget(t, path_len);
  for (const auto* strings : {&args.argv, &args.envp}) {
    for (const std::string& s : *strings) {
      if (s.size() >= MAX_ARG_STRLEN) return Error{E2BIG};
      TRY(budget.take(s.size() + 1 + sizeof(UserAddr)));
    }
  }
  return {};
}

}  // namespace starry
