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
constexpr size_t MXCSR_AT = 24, FP_SW_AT = 464, LEGACY_SIZE = 512, XSAVE_HEADER_END = 576;
constexpr uint32_t DEFAULT_MXCSR = 0x1f80;

// What XRSTOR needs to make every component what it is at first.
struct FreshFp {
  uint32_t legacy[128] = {0x37f, 0, 0, 0, 0, 0, DEFAULT_MXCSR};  // x87 control word, MXCSR
  uint64_t header[8] = {};
};
static_assert(sizeof(FreshFp) == XSAVE_HEADER_END);

}  // namespace

size_t fp_size(const void* fp) {
  auto* sw = reinterpret_cast<const FpSw*>(static_cast<const char*>(fp) + FP_SW_AT);
  return sw->magic1 == FP_MAGIC1 && sw->extended_size < 32768 ? sw->extended_size : LEGACY_SIZE;
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
  *reinterpret_cast<uint64_t*>(fp + LEGACY_SIZE) = 0;
  memcpy(fp + MXCSR_AT, &DEFAULT_MXCSR, sizeof DEFAULT_MXCSR);
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

namespace {

// What the FP state in a guest's frame is good for, by the rules of Linux (arch/x86/kernel/fpu/signal.c).
enum class FpKind { bad, legacy, whole };
struct GuestFp {
  FpKind kind = FpKind::bad;
  uint32_t size;      // bytes to take
  uint64_t features;  // to take; the others become what they are at first
};

constexpr uint64_t FP_AND_SSE = 3, SSE_AND_AVX = 6;

// `host`: the FP state of the host's frame.
GuestFp check_fp(const char* from, const char* host) {
  FpSw known, sw;
  uint32_t mxcsr, mask, end = 0;
  uint64_t header[8];
  memcpy(&known, host + FP_SW_AT, sizeof known);
  memcpy(&mask, host + MXCSR_AT + 4, sizeof mask);
  if (stub_copy(&sw, from + FP_SW_AT, sizeof sw) != 0 ||
      stub_copy(&mxcsr, from + MXCSR_AT, sizeof mxcsr) != 0)
    return {};
  const bool sized = known.magic1 == FP_MAGIC1 && sw.magic1 == FP_MAGIC1 &&
                     sw.xstate_size >= XSAVE_HEADER_END && sw.xstate_size <= known.xstate_size &&
                     sw.xstate_size <= sw.extended_size;
  if (sized && stub_copy(&end, from + sw.xstate_size, sizeof end) != 0) return {};
  const bool whole = sized && end == FP_MAGIC2;
  const uint64_t features = whole ? known.xfeatures & sw.xfeatures : FP_AND_SSE;
  if ((features & SSE_AND_AVX) != 0 && (mxcsr & ~(mask != 0 ? mask : 0xffbf)) != 0) return {};
  if (!whole) return {FpKind::legacy, LEGACY_SIZE, features};
  if (stub_copy(header, from + LEGACY_SIZE, sizeof header) != 0) return {};
  if ((header[0] & ~known.xfeatures) != 0 || header[1] != 0 || header[2] != 0) return {};
  return {FpKind::whole, sw.xstate_size, features};
}

}  // namespace

bool load_fp(const Channel* ch, ucontext* uc) {
  char* fp = reinterpret_cast<char*>(uc->uc_mcontext.fpstate);
  const char* from = reinterpret_cast<const char*>(ch->fp_at);
  if (fp == nullptr) return true;
  const GuestFp g = from != nullptr ? check_fp(from, fp) : GuestFp{};
  char kept[LEGACY_SIZE - FP_SW_AT];  // these bytes, and the mask, stay the host's
  uint32_t mask;
  memcpy(kept, fp + FP_SW_AT, sizeof kept);
  memcpy(&mask, fp + MXCSR_AT + 4, sizeof mask);
  const bool good = g.kind != FpKind::bad && stub_copy(fp, from, g.size) == 0;
  memcpy(fp + FP_SW_AT, kept, sizeof kept);
  memcpy(fp + MXCSR_AT + 4, &mask, sizeof mask);
  if (!good) {
    fresh_fp(uc);
    return from == nullptr;
  }
  if (fp_size(fp) <= XSAVE_HEADER_END) return true;
  auto* header = reinterpret_cast<uint64_t*>(fp + LEGACY_SIZE);
  header[0] = (g.kind == FpKind::whole ? header[0] : FP_AND_SSE) & g.features;
  for (int i = 1; i < 8; ++i) header[i] = 0;
  if ((g.features & SSE_AND_AVX) == 0) memcpy(fp + MXCSR_AT, &DEFAULT_MXCSR, sizeof DEFAULT_MXCSR);
  return true;
}

}  // namespace starry::stub
