#include "tracer/rewriter.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "emulated_kernel/mm/mm.h"
#include "tracer/guest_process.h"

namespace starry {

using namespace chan;

namespace {

// A trap costs about as much as a third of a rewriting, and most sites of a short program run once or twice.
constexpr uint32_t TRAPS_BEFORE_REWRITE = 4;
// A rewritten site can trap: its `syscall` is jumped to, or other code was mapped there. Then look again.
constexpr uint32_t TRAPS_BEFORE_ANOTHER = 64;

constexpr bool windows_match() {
  for (size_t i = 0; i < std::size(TRAMPOLINE_AREAS); ++i)
    if (TRAMPOLINE_AREAS[i].start != GUEST_TRAMPOLINES[i].start ||
        TRAMPOLINE_AREAS[i].start + TRAMPOLINE_AREAS[i].size != GUEST_TRAMPOLINES[i].end)
      return false;
  return std::size(TRAMPOLINE_AREAS) == std::size(GUEST_TRAMPOLINES);
}
static_assert(windows_match());

// Calls that need a host signal frame anyhow. Code that unwinds stacks recognises the instructions of the
// signal trampoline (rt_sigreturn), which therefore must stay as they are.
bool needs_frame(uint64_t nr) {
  switch (nr) {
    case SYS_rt_sigreturn:
    case SYS_clone:
    case SYS_clone3:
    case SYS_fork:
    case SYS_vfork:
    case SYS_execve:
    case SYS_execveat:
    case SYS_exit:
    case SYS_exit_group:
      return true;
    default:
      return false;
  }
}

// After it every CPU has seen what was written to code before (the interrupt returns by a serialising IRET).
bool serialize_cpus() { return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0; }

}  // namespace

bool Rewriter::enabled = true;

Rewriter::~Rewriter() {
  if (mem_ >= 0) close(mem_);
}

void Rewriter::copy(const Rewriter& parent) {
  state_ = parent.state_;
  entry_ = parent.entry_;
  areas_ = parent.areas_;
  failed_ = parent.failed_;
}

void Rewriter::begin_again(Rewriter& before) {
  entry_ = before.entry_;
  areas_ = before.areas_;
  failed_ = before.failed_;
  mem_ = std::exchange(before.mem_, -1);
}

Rewriter::State& Rewriter::state() {
  if (state_.use_count() > 1) state_ = std::make_shared<State>(*state_);
  return *state_;
}

bool Rewriter::open_memory() {
  if (mem_ >= 0) return true;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", process_.host_pid());
  mem_ = open(path, O_RDWR | O_CLOEXEC);
  return mem_ >= 0;
}

// Writes where the guest may only read: the page becomes the process's own copy.
bool Rewriter::write_memory(uint64_t addr, const void* src, size_t n) {
  return pwrite(mem_, src, n, static_cast<off_t>(addr)) == static_cast<ssize_t>(n);
}

void Rewriter::trapped(const Mm& mm, uint64_t rip, uint64_t nr, bool others) {
  if (!enabled || failed_ || areas_ == 0 || needs_frame(nr)) return;
  const uint64_t site = rip - SYSCALL_SIZE;
  uint32_t& traps = state().traps[site];
  ++traps;
  if (traps != TRAPS_BEFORE_REWRITE && traps % TRAPS_BEFORE_ANOTHER != 0) return;
  const Vma* v = mm.find(site);
  if (v == nullptr || !v->file || v->shared() || v->prot != (PROT_READ | PROT_EXEC) ||
      site - v->start < SITE_BEFORE_BYTES || v->end - site < SITE_AFTER_BYTES)
    return;
  rewrite(site, nr, others);
}

void Rewriter::rewrite(uint64_t site, uint64_t nr, bool others) {
  uint8_t code[SITE_BEFORE_BYTES + SITE_AFTER_BYTES];
  auto got = process_.peek(site - SITE_BEFORE_BYTES, code, sizeof code);
  if (!got.ok() || *got != sizeof code) return;
  SitePlan plan = plan_site(code, nr);
  if (plan.kind == SITE_NONE) return;
  uint64_t slot = take_slot(plan.kind, site);
  if (slot == 0) return;
  uint8_t bytes[TRAMPOLINE_SIZE];
  build_trampoline(plan, site, slot, entry_, bytes);
  // A host that does not let us write there (CONFIG_PROC_MEM_NO_FORCE) lets every call trap.
  failed_ = !open_memory() || !write_memory(slot, bytes, sizeof bytes) ||
            !patch(site_jump(plan.kind, site, slot), others);
}

uint64_t Rewriter::take_slot(SiteKind kind, uint64_t site) {
  for (size_t i = 0; i < std::size(TRAMPOLINE_AREAS); ++i) {
    const TrampolineArea& area = TRAMPOLINE_AREAS[i];
    if ((areas_ >> i & 1) == 0) continue;
    auto& used = state().used[i];
    used.resize(area.size / TRAMPOLINE_SIZE);
    for (size_t n = 0; n < used.size(); ++n) {
      uint64_t slot = area.start + n * TRAMPOLINE_SIZE;
      if (n == 0 && !trampoline_reaches(SITE_BEFORE, site, slot)) break;  // too far away
      if (used[n] || !trampoline_reaches(kind, site, slot)) continue;
      used[n] = true;
      return slot;
    }
  }
  return 0;
}

// Other threads may be running the very bytes: first a breakpoint, at which they wait in the stub
// (sites.cc), then the rest, then the first byte, as the Linux kernel patches its own text.
bool Rewriter::patch(const SiteJump& jump, bool others) {
  if (!others) return write_memory(jump.at, jump.code, sizeof jump.code);
  constexpr uint8_t INT3 = 0xcc;
  uint64_t& waiting = process_.channel(0)->patch_site;
  __atomic_store_n(&waiting, jump.at, __ATOMIC_SEQ_CST);
  bool good = serialize_cpus() && write_memory(jump.at, &INT3, 1) && serialize_cpus() &&
              write_memory(jump.at + 1, jump.code + 1, sizeof jump.code - 1) && serialize_cpus() &&
              write_memory(jump.at, jump.code, 1);
  __atomic_store_n(&waiting, 0, __ATOMIC_SEQ_CST);
  return good;
}

}  // namespace starry
