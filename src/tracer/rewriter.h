// Turns the hot `syscall` instructions of one address space into jumps to trampolines, which enter the stub
// without a host signal. Only code in private, read-only mappings of files is touched; what does not match a
// known pattern keeps trapping (site_plan.h).
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "tracer/site_plan.h"

namespace starry {

class GuestProcess;
class Mm;

class Rewriter {
 public:
  // Switched off by --no-rewrite.
  static bool enabled;

  explicit Rewriter(GuestProcess& process) : process_(process) {}
  ~Rewriter();
  Rewriter(const Rewriter&) = delete;
  Rewriter& operator=(const Rewriter&) = delete;

  // What the process's stub said when it started: chan::Hello.
  void set_stub(uint64_t entry, uint32_t areas) { entry_ = entry, areas_ = areas; }
  // The process is a fork of `parent`'s: its memory is a copy.
  void copy(const Rewriter& parent);
  // The process is that of `before`, with nothing left in it.
  void begin_again(Rewriter& before);
  // Whether there is code in TRAMPOLINE_AREAS[i].
  bool uses(size_t i) const { return !state_->used[i].empty(); }
  bool has_area(size_t i) const { return (areas_ >> i & 1) != 0; }
  // A system call trapped with the number `nr` in rax, its instruction ending at `rip`. `others`: more
  // threads may be running in the address space.
  void trapped(const Mm& mm, uint64_t rip, uint64_t nr, bool others);

 private:
  // All that a fork shares until one of the two changes it.
  struct State {
    std::unordered_map<uint64_t, uint32_t> traps;  // by address of the `syscall`
    std::vector<bool> used[std::size(chan::TRAMPOLINE_AREAS)];
  };
  bool open_memory();
  bool write_memory(uint64_t addr, const void* src, size_t n);
  void rewrite(uint64_t site, uint64_t nr, bool others);
  uint64_t take_slot(chan::SiteKind kind, uint64_t site);
  bool patch(const SiteJump& jump, bool others);
  State& state();

  GuestProcess& process_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
  uint64_t entry_ = 0;
  uint32_t areas_ = 0;
  int mem_ = -1;  // /proc/PID/mem
  bool failed_ = false;
};

}  // namespace starry
