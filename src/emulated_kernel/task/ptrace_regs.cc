// Registers and memory of a stopped tracee.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include <algorithm>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/task/ptrace.h"

namespace starry {

namespace {

constexpr uint64_t USER_CS = 0x33, USER_SS = 0x2b;
constexpr uint64_t CHANGEABLE_FLAGS = 0x54dd5;  // FLAG_MASK of arch/x86/kernel/ptrace.c

// struct user_regs_struct, in which order the members of GuestRegs are. Null: not among them.
enum : size_t { ORIG_RAX = 15, CS = 17, EFLAGS = 18, SS = 20, FS_BASE = 21, GS_BASE = 22 };
constexpr uint64_t GuestRegs::*MEMBERS[USER_REGS] = {
    &GuestRegs::r15, &GuestRegs::r14,    &GuestRegs::r13, &GuestRegs::r12, &GuestRegs::rbp,
    &GuestRegs::rbx, &GuestRegs::r11,    &GuestRegs::r10, &GuestRegs::r9,  &GuestRegs::r8,
    &GuestRegs::rax, &GuestRegs::rcx,    &GuestRegs::rdx, &GuestRegs::rsi, &GuestRegs::rdi,
    nullptr,         &GuestRegs::rip,    nullptr,         nullptr,         &GuestRegs::rsp,
    nullptr,         &GuestRegs::fs_base};
static_assert(sizeof(user_regs_struct) == USER_REGS * sizeof(uint64_t));
static_assert(offsetof(user_regs_struct, orig_rax) == ORIG_RAX * 8 &&
              offsetof(user_regs_struct, fs_base) == FS_BASE * 8);

Result<int64_t> protect(Task& t, uint64_t page, int prot) {
  HostOp op;
  op.nr = SYS_mprotect;
  op.args[0] = page, op.args[1] = PAGE, op.args[2] = static_cast<uint64_t>(prot);
  return t.host->run_ops({&op, 1});
}

}  // namespace

UserRegs user_regs(Task& t, int64_t orig_rax) {
  UserRegs out{};
  for (size_t i = 0; i < USER_REGS; ++i)
    if (MEMBERS[i] != nullptr) out[i] = t.regs().*MEMBERS[i];
  out[ORIG_RAX] = static_cast<uint64_t>(orig_rax);
  out[CS] = USER_CS;
  out[SS] = USER_SS;
  out[EFLAGS] = t.regs().eflags;
  return out;
}

UserRegs ptrace_get_regs(Task& t) { return user_regs(t, t.ptrace->orig_rax); }

Result<void> ptrace_set_regs(Task& t, const UserRegs& r) {
  if (r[FS_BASE] >= GUEST_TASK_SIZE || r[GS_BASE] != 0) return Error{EIO};
  for (size_t i = 0; i < USER_REGS; ++i)
    if (MEMBERS[i] != nullptr) t.regs().*MEMBERS[i] = r[i];
  t.ptrace->orig_rax = static_cast<int32_t>(r[ORIG_RAX]);
  t.regs().eflags = (t.regs().eflags & ~CHANGEABLE_FLAGS) | (r[EFLAGS] & CHANGEABLE_FLAGS);
  return {};
}

Result<void> ptrace_poke(Task& t, uint64_t addr, const void* src, size_t n) {
  const auto* bytes = static_cast<const uint8_t*>(src);
  while (n != 0) {
    const size_t step = std::min<size_t>(n, PAGE - addr % PAGE);
    const Vma* v = t.mm->find(addr);
    if (v == nullptr || (v->file && v->file->secret())) return Error{EIO};
    const bool writable = (v->prot & PROT_WRITE) != 0;
    // Writing to a private page makes it the tracee's own, as FOLL_FORCE does.
    if (!writable && v->shared()) return Error{EIO};
    const int prot = v->prot;
    const uint64_t page = addr & ~(PAGE - 1);
    if (!writable && !protect(t, page, PROT_READ | PROT_WRITE).ok()) return Error{EIO};
    auto done = t.mm->space->poke(addr, bytes, step);
    if (!writable) (void)protect(t, page, prot);
    if (!done.ok() || *done != step) return Error{EIO};
    addr += step, bytes += step, n -= step;
  }
  return {};
}

FpAccess& ptrace_fp() {
  static FpAccess access;
  return access;
}

}  // namespace starry
