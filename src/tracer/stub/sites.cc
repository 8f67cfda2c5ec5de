// Where a thread is that was interrupted in or beside a rewritten `syscall` instruction, in terms of the
// original code. All of it can be read off the trampoline's slot.
#include "tracer/stub/stub.h"

namespace starry::stub {

using namespace chan;

namespace {

constexpr uint64_t MOV_SIZE = 5, SYSCALL_SIZE = 2, JMP_SIZE = 5;
constexpr uint8_t JMP = 0xe9, INT3 = 0xcc;
constexpr uint64_t TRAP_BP = 3;

struct Slot {
  uint64_t base, after;  // `after`: the address behind the `syscall`
  uint8_t kind, moved;   // bytes
};

Slot slot_at(uint64_t addr) {
  uint64_t base = addr & ~(TRAMPOLINE_SIZE - 1);
  auto* p = reinterpret_cast<const uint8_t*>(base);
  return {base, *reinterpret_cast<const uint64_t*>(p + T_RETURN), p[T_KIND], p[T_LENGTH]};
}

// The supervisor is done with the instruction at `site` when this returns: until then its bytes are of both
// kinds.
void wait_for_patch(uint64_t site) {
  while (__atomic_load_n(&channel_of_slot(0)->patch_site, __ATOMIC_ACQUIRE) == site) __builtin_ia32_pause();
}

}  // namespace

bool skip_rewritten(ucontext* uc) {
  auto& m = uc->uc_mcontext;
  uint64_t site = m.rip - SYSCALL_SIZE;
  wait_for_patch(site);
  uint8_t code[JMP_SIZE];
  if (stub_copy(code, reinterpret_cast<const void*>(site), sizeof code) != 0 || code[0] != JMP) return false;
  int32_t displacement;
  memcpy(&displacement, code + 1, sizeof displacement);
  uint64_t target = site + JMP_SIZE + static_cast<uint64_t>(static_cast<int64_t>(displacement));
  if (!in_trampolines(target) || target % TRAMPOLINE_SIZE != T_AFTER) return false;
  Slot s = slot_at(target);
  if (s.kind != SITE_AFTER || s.after != m.rip) return false;
  m.rip = s.base + T_MOVED;
  return true;
}

bool leave_trampoline(ucontext* uc) {
  auto& m = uc->uc_mcontext;
  Slot s = slot_at(m.rip);
  uint64_t at = m.rip - s.base;
  if (at == T_BEFORE && s.kind == SITE_BEFORE) {
    m.rip = s.after - SYSCALL_SIZE - MOV_SIZE;
  } else if (at == T_AFTER) {
    m.rip = s.after - SYSCALL_SIZE;
  } else if (at == T_CONTINUE || at == T_MOVED) {
    m.rip = m.rcx = s.after;
  } else if (at > T_MOVED) {
    m.rip = s.after + s.moved;
  } else {
    return false;
  }
  return true;
}

// While the trap flag is set there is a trap after every instruction. The guest shall see those after its
// own, and none from code that is not there. Behind a `syscall` there is none either: Linux returns from it
// in a way that lets the next instruction run first.
bool hide_trap(ucontext* uc) {
  auto& m = uc->uc_mcontext;
  if (m.rip >= STUB_ADDR && m.rip < STUB_ADDR + STUB_SIZE) return true;
  if (in_trampolines(m.rip)) {
    Slot s = slot_at(m.rip);
    if (s.kind != SITE_BEFORE || m.rip - s.base == T_BEFORE) return true;
    // The `mov` was a step; the `syscall` is then taken where it is.
    bool report = m.rip - s.base == T_AFTER;
    leave_trampoline(uc);
    return !report;
  }
  if (m.trapno == TRAP_BP) {
    // Breakpoints stand for an instruction while it is being rewritten.
    uint64_t site = m.rip - 1;
    wait_for_patch(site);
    uint8_t code;
    if (stub_copy(&code, reinterpret_cast<const void*>(site), 1) == 0 && code != INT3) {
      m.rip = site;
      return true;
    }
  }
  return false;
}

}  // namespace starry::stub
