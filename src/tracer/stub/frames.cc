// Signal frames: the host's, in which a carrier waits, and those that the guest sees.
#include "tracer/stub/stub.h"

namespace starry::stub {

using namespace chan;

namespace {

// struct _fpx_sw_bytes at FP_SW_AT of the FP state (asm/sigcontext.h).
struct FpSw {
  uint32_t magic1, extended_size;
  uint64_t xfeatures;
  uint32_t xstate_size;
};
constexpr uint32_t FP_MAGIC1 = 0x46505853, FP_MAGIC2 = 0x46505845;
constexpr size_t FP_SW_AT = 464, XSAVE_HEADER_END = 576;

// What XRSTOR needs to make every component what it is at first.
struct FreshFp {
  uint32_t legacy[128] = {0x37f, 0, 0, 0, 0, 0, 0x1f80};  // x87 control word, MXCSR
  uint64_t header[8] = {};
};
static_assert(sizeof(FreshFp) == XSAVE_HEADER_END);

}  // namespace

size_t fp_size(const void* fp) {
  auto* sw = reinterpret_cast<const FpSw*>(static_cast<const char*>(fp) + FP_SW_AT);
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
  if (fp == nullptr || fp_size(fp) <= XSAVE_HEADER_END) return;
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

namespace {

struct FramePlace {
  uint64_t fp, frame;
};
FramePlace place_frame(uint64_t sp, size_t fp_size) {
  const uint64_t fp = (sp - fp_size) & ~63ULL;
  return {fp, ((fp - sizeof(GuestFrame)) & ~15ULL) - 8};
}

// Writes the frame but for the FP state. The registers are in f.uc already.
bool write_frame(GuestFrame& f, const SignalFrame& s, const FramePlace& at, size_t fp_size) {
  f.restorer = s.restorer;
  f.uc.uc_link = nullptr;
  f.uc.uc_stack.ss_sp = reinterpret_cast<void*>(s.altstack_sp);
  f.uc.uc_stack.ss_size = s.altstack_size;
  f.uc.uc_stack.ss_flags = static_cast<int>(s.altstack_flags);
  f.uc.uc_sigmask = s.saved_mask;
  f.uc.uc_mcontext.oldmask = s.saved_mask;
  f.uc.uc_mcontext.fpstate = reinterpret_cast<decltype(f.uc.uc_mcontext.fpstate)>(fp_size != 0 ? at.fp : 0);
  memcpy(f.info, s.siginfo, sizeof f.info);
  return stub_copy(reinterpret_cast<void*>(at.frame), &f, sizeof f) == 0;
}

// Of ucontext's registers or the channel's.
template <class Regs>
void enter_handler(Regs& r, uint64_t* flags, const SignalFrame& s, uint64_t frame) {
  r.rip = s.handler;
  r.rsp = frame;
  r.rdi = static_cast<uint64_t>(s.signo);
  r.rsi = frame + offsetof(GuestFrame, info);
  r.rdx = frame + offsetof(GuestFrame, uc);
  r.rax = 0;
  *flags &= ~0x10500ULL;  // RF, DF, TF
}

}  // namespace

bool build_frame(Channel* ch, ucontext* uc) {
  const SignalFrame s = ch->sig;
  const auto* fp = reinterpret_cast<const char*>(uc->uc_mcontext.fpstate);
  const size_t fps = fp != nullptr ? fp_size(fp) : 0;
  const FramePlace at = place_frame(s.sp, fps);
  if (at.frame > s.sp) return false;
  GuestFrame f;
  f.uc = *uc;
  if (fps != 0 && stub_copy(reinterpret_cast<void*>(at.fp), fp, fps) != 0) return false;
  if (!write_frame(f, s, at, fps)) return false;
  auto& m = uc->uc_mcontext;
  uint64_t flags = m.eflags;
  enter_handler(m, &flags, s, at.frame);
  m.eflags = flags;
  fresh_fp(uc);
  return true;
}

void learn_frame_format(const ucontext* uc) {
  FrameFormat& f = g.frame;
  const auto* fp = reinterpret_cast<const char*>(uc->uc_mcontext.fpstate);
  if (fp == nullptr || fp_size(fp) <= XSAVE_HEADER_END) return;
  f.uc_flags = uc->uc_flags;
  f.cs = uc->uc_mcontext.cs;
  f.ss = uc->uc_mcontext.ss;
  memcpy(f.fp_sw, fp + FP_SW_AT, sizeof f.fp_sw);
  f.fp_features = reinterpret_cast<const FpSw*>(f.fp_sw)->xfeatures;
  f.fp_size = static_cast<uint32_t>(fp_size(fp));
}

bool build_frame_here(Channel* ch) {
  alignas(64) static const FreshFp fresh;
  const FrameFormat& host = g.frame;
  const SignalFrame s = ch->sig;
  const FramePlace at = place_frame(s.sp, host.fp_size);
  if (at.frame > s.sp) return false;
  char* fp = reinterpret_cast<char*>(at.fp);
  if (stub_save_fp(fp, host.fp_features) != 0 ||
      stub_copy(fp + FP_SW_AT, host.fp_sw, sizeof host.fp_sw) != 0 ||
      stub_copy(fp + host.fp_size - sizeof FP_MAGIC2, &FP_MAGIC2, sizeof FP_MAGIC2) != 0)
    return false;
  GuestFrame f = {};
  load_regs(&f.uc, ch);
  f.uc.uc_flags = host.uc_flags;
  f.uc.uc_mcontext.cs = host.cs;
  f.uc.uc_mcontext.ss = host.ss;
  if (!write_frame(f, s, at, host.fp_size)) return false;
  enter_handler(ch->regs, &ch->regs.eflags, s, at.frame);
  stub_load_fp(&fresh, host.fp_features);
  return true;
}

static_assert(sizeof(SavedContext) == sizeof(ucontext) &&
              offsetof(SavedContext, fpstate) == offsetof(ucontext, uc_mcontext.fpstate) &&
              offsetof(SavedContext, mask) == offsetof(ucontext, uc_sigmask));

bool load_fp(const Channel* ch, ucontext* uc) {
  char* fp = reinterpret_cast<char*>(uc->uc_mcontext.fpstate);
  const char* from = reinterpret_cast<const char*>(ch->fp_at);
  if (from == nullptr) fresh_fp(uc);
  if (fp != nullptr && from != nullptr) {
    size_t fps = fp_size(fp);
    alignas(8) char sw[48];  // software bytes 464..511 stay the host's
    memcpy(sw, fp + FP_SW_AT, sizeof sw);
    uint32_t magic;
    if (stub_copy(&magic, from + FP_SW_AT, 4) != 0) return false;
    size_t n = magic == FP_MAGIC1 ? fps : 512;
    if (stub_copy(fp, from, n) != 0) return false;
    memcpy(fp + FP_SW_AT, sw, sizeof sw);
    auto* mxcsr = reinterpret_cast<uint32_t*>(fp + 24);
    *mxcsr &= 0xffff;
    if (fps > 576) {
      auto* hdr = reinterpret_cast<uint64_t*>(fp + 512);
      if (n <= 512) hdr[0] |= 3;
      hdr[0] &= reinterpret_cast<FpSw*>(sw)->xfeatures;
      for (int i = 1; i < 8; ++i) hdr[i] = 0;
    }
    if (fps > 4) memcpy(fp + fps - 4, &FP_MAGIC2, 4);
  }
  return true;
}

}  // namespace starry::stub
