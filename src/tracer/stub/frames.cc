// Signal frames: the host's, in which a carrier waits, and those that the guest sees.
#include "tracer/stub/stub.h"

namespace starry::stub {

using namespace chan;

namespace {

// struct _fpx_sw_bytes at byte 464 of the FP state (asm/sigcontext.h).
struct FpSw {
  uint32_t magic1, extended_size;
  uint64_t xfeatures;
  uint32_t xstate_size;
};
constexpr uint32_t FP_MAGIC1 = 0x46505853;

}  // namespace

size_t fp_size(const void* fp) {
  auto* sw = reinterpret_cast<const FpSw*>(static_cast<const char*>(fp) + 464);
  return sw->magic1 == FP_MAGIC1 && sw->extended_size < 32768 ? sw->extended_size : 512;
}

void save_regs(Channel* ch, const ucontext* uc) {
  const auto& m = uc->uc_mcontext;
  GuestRegs& r = ch->regs;
  r.r8 = m.r8, r.r9 = m.r9, r.r10 = m.r10, r.r11 = m.r11, r.r12 = m.r12, r.r13 = m.r13;
  r.r14 = m.r14, r.r15 = m.r15, r.rdi = m.rdi, r.rsi = m.rsi, r.rbp = m.rbp, r.rbx = m.rbx;
  r.rdx = m.rdx, r.rax = m.rax, r.rcx = m.rcx, r.rsp = m.rsp, r.rip = m.rip, r.eflags = m.eflags;
}

void load_regs(ucontext* uc, const Channel* ch) {
  auto& m = uc->uc_mcontext;
  const GuestRegs& r = ch->regs;
  m.r8 = r.r8, m.r9 = r.r9, m.r10 = r.r10, m.r11 = r.r11, m.r12 = r.r12, m.r13 = r.r13;
  m.r14 = r.r14, m.r15 = r.r15, m.rdi = r.rdi, m.rsi = r.rsi, m.rbp = r.rbp, m.rbx = r.rbx;
  m.rdx = r.rdx, m.rax = r.rax, m.rcx = r.rcx, m.rsp = r.rsp, m.rip = r.rip, m.eflags = r.eflags;
  uc->uc_sigmask = 0;  // the host never blocks anything while the guest runs
}

void fresh_fp(ucontext* uc) {
  char* fp = reinterpret_cast<char*>(uc->uc_mcontext.fpstate);
  if (fp == nullptr || fp_size(fp) <= 576) return;
  *reinterpret_cast<uint64_t*>(fp + 512) = 0;
  *reinterpret_cast<uint32_t*>(fp + 24) = 0x1f80;
}

// The frame that Linux builds (arch/x86/kernel/signal_64.c): return address, ucontext, siginfo; FP state
// above, 64-byte aligned.
struct GuestFrame {
  uint64_t restorer;
  ucontext uc;
  uint8_t info[128];
};

bool build_frame(Channel* ch, ucontext* uc) {
  const SignalFrame s = ch->sig;
  char* fp = reinterpret_cast<char*>(uc->uc_mcontext.fpstate);
  size_t fps = fp != nullptr ? fp_size(fp) : 0;
  uint64_t fp_at = (s.sp - fps) & ~63ULL;
  uint64_t at = ((fp_at - sizeof(GuestFrame)) & ~15ULL) - 8;
  if (at > s.sp) return false;
  ucontext copy = *uc;
  copy.uc_link = nullptr;
  copy.uc_stack.ss_sp = reinterpret_cast<void*>(s.altstack_sp);
  copy.uc_stack.ss_size = s.altstack_size;
  copy.uc_stack.ss_flags = static_cast<int>(s.altstack_flags);
  copy.uc_sigmask = s.saved_mask;
  copy.uc_mcontext.oldmask = s.saved_mask;
  copy.uc_mcontext.fpstate = fps != 0 ? reinterpret_cast<decltype(copy.uc_mcontext.fpstate)>(fp_at) : nullptr;
  auto* f = reinterpret_cast<GuestFrame*>(at);
  if (fps != 0 && stub_copy(reinterpret_cast<void*>(fp_at), fp, fps) != 0) return false;
  if (stub_copy(&f->restorer, &s.restorer, 8) != 0 || stub_copy(&f->uc, &copy, sizeof copy) != 0 ||
      stub_copy(f->info, s.siginfo, sizeof s.siginfo) != 0)
    return false;
  auto& m = uc->uc_mcontext;
  m.rip = s.handler;
  m.rsp = at;
  m.rdi = static_cast<uint64_t>(s.signo);
  m.rsi = u(f->info);
  m.rdx = u(&f->uc);
  m.rax = 0;
  m.eflags &= ~0x10500ULL;  // RF, DF, TF
  fresh_fp(uc);
  return true;
}

bool load_frame(Channel* ch, ucontext* uc) {
  ucontext copy;
  if (stub_copy(&copy, reinterpret_cast<void*>(ch->regs.rsp), sizeof copy) != 0) return false;
  char* fp = reinterpret_cast<char*>(uc->uc_mcontext.fpstate);
  char* from = reinterpret_cast<char*>(copy.uc_mcontext.fpstate);
  if (fp != nullptr && from != nullptr) {
    size_t fps = fp_size(fp);
    alignas(8) char sw[48];  // software bytes 464..511 stay the host's
    memcpy(sw, fp + 464, sizeof sw);
    uint32_t magic;
    if (stub_copy(&magic, from + 464, 4) != 0) return false;
    size_t n = magic == FP_MAGIC1 ? fps : 512;
    if (stub_copy(fp, from, n) != 0) return false;
    memcpy(fp + 464, sw, sizeof sw);
    auto* mxcsr = reinterpret_cast<uint32_t*>(fp + 24);
    *mxcsr &= 0xffff;
    if (fps > 576) {
      auto* hdr = reinterpret_cast<uint64_t*>(fp + 512);
      if (n <= 512) hdr[0] |= 3;
      hdr[0] &= reinterpret_cast<FpSw*>(sw)->xfeatures;
      for (int i = 1; i < 8; ++i) hdr[i] = 0;
    }
    if (fps > 4) *reinterpret_cast<uint32_t*>(fp + fps - 4) = 0x46505845;  // FP_XSTATE_MAGIC2
  }
  ucontext regs = *uc;
  regs.uc_mcontext = copy.uc_mcontext;
  uint64_t flags = uc->uc_mcontext.eflags;
  save_regs(ch, &regs);
  // As Linux: only the flags a user may set (FIX_EFLAGS).
  constexpr uint64_t FIX = 0x50dd5;
  ch->regs.eflags = (flags & ~FIX) | (regs.uc_mcontext.eflags & FIX);
  ch->saved_mask = copy.uc_sigmask;
  ch->saved_sp = u(copy.uc_stack.ss_sp);
  ch->saved_size = copy.uc_stack.ss_size;
  ch->saved_flags = static_cast<uint32_t>(copy.uc_stack.ss_flags);
  return true;
}

}  // namespace starry::stub
