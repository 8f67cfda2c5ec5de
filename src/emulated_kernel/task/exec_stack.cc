#include "emulated_kernel/task/exec_stack.h"

#include <elf.h>

#include <cstring>

namespace starry {

namespace {

constexpr char PLATFORM[] = "x86_64";

// A stack that grows down from `top` in kernel memory.
class Builder {
 public:
  explicit Builder(uint64_t top, size_t size) : top_(top), sp_(top), bytes_(size) {}
  uint64_t push(const void* data, size_t n) {
    sp_ -= n;
    std::memcpy(at(sp_), data, n);
    return sp_;
  }
  uint64_t push(const std::string& s) { return push(s.c_str(), s.size() + 1); }
  void align(uint64_t to) { sp_ &= ~(to - 1); }
  void move_to(uint64_t sp) { sp_ = sp; }
  uint64_t sp() const { return sp_; }
  uint8_t* at(uint64_t addr) { return bytes_.data() + (bytes_.size() - (top_ - addr)); }
  std::vector<uint8_t> finish() { return {at(sp_), bytes_.data() + bytes_.size()}; }

 private:
  uint64_t top_, sp_;
  std::vector<uint8_t> bytes_;
};

// Pushes strings so that the first one has the lowest address. Returns the addresses in order.
std::vector<uint64_t> push_strings(Builder& b, const std::vector<std::string>& strings) {
  std::vector<uint64_t> addrs(strings.size());
  for (size_t i = strings.size(); i-- > 0;) addrs[i] = b.push(strings[i]);
  return addrs;
}

size_t bytes_of(const std::vector<std::string>& strings) {
  size_t n = 0;
  for (const std::string& s : strings) n += s.size() + 1;
  return n;
}

}  // namespace

StackImage build_stack(const StackInput& in) {
  const size_t pointers = in.argv.size() + in.envp.size() + 2 * in.auxv.size() + 5;
  constexpr size_t SLACK = 256;  // platform, random bytes, alignment, the null word on top
  Builder b(in.top, bytes_of(in.argv) + bytes_of(in.envp) + in.execfn.size() + pointers * 8 + SLACK);
  StackImage out;

  const uint64_t null_word = 0;
  b.push(&null_word, sizeof null_word);
  const uint64_t execfn = b.push(in.execfn);
  out.env_end = b.sp();
  const std::vector<uint64_t> envp = push_strings(b, in.envp);
  out.env_start = out.arg_end = b.sp();
  const std::vector<uint64_t> argv = push_strings(b, in.argv);
  out.arg_start = b.sp();

  b.align(16);
  const uint64_t platform = b.push(PLATFORM, sizeof PLATFORM);
  const uint64_t random = b.push(in.random, sizeof in.random);

  std::vector<uint64_t> words;
  words.reserve(pointers);
  words.push_back(in.argv.size());
  words.insert(words.end(), argv.begin(), argv.end());
  words.push_back(0);
  words.insert(words.end(), envp.begin(), envp.end());
  words.push_back(0);
  const size_t aux_index = words.size();
  for (auto [type, value] : in.auxv) {
    if (type == AT_RANDOM) value = random;
    if (type == AT_EXECFN) value = execfn;
    if (type == AT_PLATFORM) value = platform;
    words.push_back(type);
    words.push_back(value);
  }
  words.push_back(AT_NULL);
  words.push_back(0);

  out.sp = (b.sp() - words.size() * 8) & ~15ULL;
  b.move_to(out.sp);
  std::memcpy(b.at(out.sp), words.data(), words.size() * 8);
  const auto* aux = reinterpret_cast<const uint8_t*>(words.data() + aux_index);
  out.auxv.assign(aux, aux + (words.size() - aux_index) * 8);
  out.bytes = b.finish();
  return out;
}

}  // namespace starry
