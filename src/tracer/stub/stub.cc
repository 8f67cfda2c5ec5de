// The part of StarryRun that lives inside a guest process. Freestanding: no libc, no thread-local
// storage, general registers only. Every carrier of a guest thread waits here, inside a genuine host
// signal frame: resuming the guest is a host sigreturn, which restores all of its state.

#include <asm/prctl.h>
#include <linux/audit.h>
#include <linux/membarrier.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#include <initializer_list>

#include "tracer/stub/filter_program.h"
#include "tracer/stub/stub.h"

using namespace starry;
using namespace starry::chan;
using namespace starry::stub;

extern "C" {
void stub_main(uint64_t* sp);
[[noreturn]] void stub_child(ucontext* uc);

// The compiler may call these.
void* memcpy(void* d, const void* s, size_t n) {
  void* r = d;
  asm volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
  return r;
}
void* memset(void* d, int c, size_t n) {
  void* r = d;
  asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
  return r;
}
}

namespace starry::stub {
Globals g;
}

namespace {

bool in_stub(uint64_t rip) { return rip - STUB_ADDR < STUB_SIZE; }

void init_area(Area* area, Channel* ch) {
  *area = {};
  area->channel = ch;
  area->stack = u(area);
}

// What code that was entered by a jump is told of the carrier. A forked child has it from its parent if that
// was alone too, and shall not copy the page for it.
void use_lone_entry(const Area* area) {
  if (stub_fast_target == stub_fast_lone && stub_lone_channel == area->channel) return;
  stub_lone_channel = area->channel;
  stub_lone_stack = area->stack;
  stub_fast_target = stub_fast_lone;
}

// No longer alone.
void use_shared_entry(const Area* area) {
  if (stub_fast_target == stub_fast_shared) return;
  sys(__NR_arch_prctl, ARCH_SET_GS, u(area));
  stub_fast_target = stub_fast_shared;
}

// The child starts by a sigreturn from a copy of our own frame, placed on its signal stack.
int64_t clone_carrier(Channel* ch, ucontext* uc) {
  uint32_t slot = ch->new_slot;
  if (slot >= MAX_SLOTS) return -11;
  Area* area = area_of_slot(slot);
  Channel* child_ch = channel_of_slot(slot);
  init_area(area, child_ch);
  area->started = 1;
  use_shared_entry(this_area());
  char* top = reinterpret_cast<char*>(area);
  char* fp = reinterpret_cast<char*>(uc->uc_mcontext.fpstate);
  size_t fps = fp != nullptr ? fp_size(fp) : 0;
  char* fp_at = reinterpret_cast<char*>((u(top) - fps) & ~63ULL);
  auto* child_uc = reinterpret_cast<ucontext*>((u(fp_at) - sizeof(ucontext)) & ~63ULL);
  memcpy(child_uc, uc, sizeof *uc);
  if (fps != 0) {
    memcpy(fp_at, fp, fps);
    child_uc->uc_mcontext.fpstate = reinterpret_cast<decltype(child_uc->uc_mcontext.fpstate)>(fp_at);
  }
  child_uc->uc_stack.ss_sp = reinterpret_cast<void*>(signal_stack_of(area));
  child_uc->uc_stack.ss_size = SIGNAL_STACK_SIZE;
  child_uc->uc_stack.ss_flags = 0;
  area->frame = child_uc;
  // host_tid is 0 again once the host is done with the child and its stack: only then is the slot free.
  constexpr uint64_t FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                             CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
  return stub_clone(FLAGS, child_uc, &child_ch->host_tid, &child_ch->host_tid, 0);
}

// A carrier whose guest thread has ended waits in a frame of its own; general registers come from the kernel.
int64_t reuse_carrier(Channel* ch, const ucontext* uc) {
  if (ch->new_slot >= MAX_SLOTS) return -11;
  ucontext* to = area_of_slot(ch->new_slot)->frame;
  const auto* fp = reinterpret_cast<const char*>(uc->uc_mcontext.fpstate);
  auto* to_fp = reinterpret_cast<char*>(to->uc_mcontext.fpstate);
  if (fp == nullptr || to_fp == nullptr || fp_size(fp) != fp_size(to_fp)) return -11;
  memcpy(to_fp, fp, fp_size(fp));
  return 0;
}

// The parent process of every guest process is the supervisor; if it is gone already, so are we.
void die_with_supervisor() {
  sys(__NR_prctl, PR_SET_PDEATHSIG, 9);
  if (sys(__NR_getppid) != g.supervisor) sys(__NR_exit_group, 1);
}

// No memory is written but the stack's first page: what the child writes, the host has to copy. Returns in
// both: in the parent with the child's host pid, in the child with 0 and the new channels.
int64_t fork_process() {
  int fds[2];
  if (long r = receive_fds(fds, 2); r < 0) return r;
  // CLONE_PARENT: every guest process is a child of the supervisor, whoever forked it.
  // The address of host_tid is the same in the child's own channels.
  uint32_t* tid = &this_area()->channel->host_tid;
  long pid = sys(__NR_clone, CLONE_PARENT | CLONE_CHILD_CLEARTID, 0, 0, u(tid), 0);
  if (pid != 0) {
    sys(__NR_close, static_cast<uint64_t>(fds[0]));
    sys(__NR_close, static_cast<uint64_t>(fds[1]));
    return pid;
  }
  die_with_supervisor();
  sys(__NR_dup2, static_cast<uint64_t>(fds[0]), FD_SOCKET);
  sys(__NR_close, static_cast<uint64_t>(fds[0]));
  long m = sys(__NR_mmap, CHANNELS_ADDR, MAX_SLOTS * CHANNEL_SIZE, 3, MAP_SHARED | MAP_FIXED | MAP_NORESERVE,
               static_cast<uint64_t>(fds[1]), 0);
  if (m < 0) sys(__NR_exit_group, 1);
  sys(__NR_close, static_cast<uint64_t>(fds[1]));
  use_lone_entry(this_area());
  return 0;
}

bool carry_out(Channel* ch, ucontext* uc);

// A new carrier does what the kernel has asked for, or will.
bool start(Channel* ch, ucontext* uc) {
  this_area()->frame = uc;
  wait_reply(ch, 0);
  return carry_out(ch, uc);
}

// The kernel has taken everything else from the guest's signal frame: a fault of the guest, as in Linux.
void report_bad_fp(Channel* ch, const ucontext* uc) {
  save_regs(ch, uc);
  precopy_interrupted(ch);
  ch->event = EV_FAULT;
  memset(ch->siginfo, 0, sizeof ch->siginfo);
  auto* si = reinterpret_cast<siginfo_t*>(ch->siginfo);
  si->si_signo = SIGSEGV;
  si->si_code = SI_KERNEL;
  ch->trap_no = ch->error_code = 0;
}

// Does what the kernel asks. True: the guest goes on with what `uc` then holds. False: there is an event
// in the channel to report.
bool carry_out(Channel* ch, ucontext* uc) {
  switch (ch->action) {
    case ACT_RESUME:
    case ACT_RETURN:
    case ACT_SIGNAL: {
      run_first_ops(ch);
      bool good = write_outs(ch);
      take_result(ch);
      load_regs(uc, ch);
      if (!good) uc->uc_mcontext.rax = static_cast<uint64_t>(-14);  // EFAULT: unmapped meanwhile
      if (ch->set_fs) sys(__NR_arch_prctl, ARCH_SET_FS, ch->regs.fs_base);
      Area* area = this_area();
      if (ch->action == ACT_SIGNAL && !build_frame(ch, uc)) {
        save_regs(ch, uc);
        ch->event = EV_BAD_FRAME;
      } else if (ch->action == ACT_RETURN && !load_fp(ch, uc)) {
        report_bad_fp(ch, uc);
      } else if (area->kicked != 0) {  // while this call waited in the stub, where kicks are not blocked
        area->kicked = 0;
        save_regs(ch, uc);
        precopy_interrupted(ch);
        ch->event = EV_KICKED;
      } else {
        if (ch->action == ACT_SIGNAL || !good) save_regs(ch, uc);  // for leave()
        skip_rewritten(uc);
        return true;
      }
      break;
    }
    case ACT_EMPTY:
      fresh_fp(uc);
      [[fallthrough]];
    case ACT_OPS:
      ch->op_result = run_ops(ch);
      ch->event = EV_DONE;
      break;
    case ACT_LOAD_FP:
      ch->op_result = load_fp(ch, uc) ? 0 : -14;
      ch->event = EV_DONE;
      break;
    case ACT_CLONE:
      ch->op_result = clone_carrier(ch, uc);
      ch->event = EV_DONE;
      break;
    case ACT_REUSE:
      ch->op_result = reuse_carrier(ch, uc);
      ch->event = EV_DONE;
      break;
    case ACT_FORK: {
      int64_t r = fork_process();
      if (r == 0) {
        ch->host_tid = 1;  // taken; the kernel knows the number
        return start(ch, uc);
      }
      ch->op_result = r;
      ch->event = EV_DONE;
      break;
    }
    case ACT_EXIT:
      sys(__NR_exit, 0);
      break;
    case ACT_EXIT_GROUP:
      sys(__NR_exit_group, 0);
      break;
    case ACT_FRAME:  // we are in it
      ch->op_result = 0;
      ch->event = EV_DONE;
      break;
    default:
      sys(__NR_exit_group, 1);
  }
  return false;
}

// Reports the event that the caller has put into the channel and does what the kernel asks until the
// guest may go on with what `uc` then holds.
void serve(Channel* ch, ucontext* uc) {
  this_area()->frame = uc;
  do report(ch);
  while (!carry_out(ch, uc));
}

void serve_kick(Channel* ch, ucontext* uc) {
  save_regs(ch, uc);
  precopy_interrupted(ch);
  ch->event = EV_KICKED;
  serve(ch, uc);
}

constexpr uint64_t KICKS = 1ULL << (KICK_SIGNAL - 1);
void block_kicks() { sys(__NR_rt_sigprocmask, SIG_BLOCK, u(&KICKS), 0, 8); }

// Back to the guest, with what `uc` holds, from a handler that does not block kicks: without the host's
// sigreturn, which takes as long as a system call. The channel holds the same, but for the place in a
// trampoline. Returns if it is to be the host's all the same; then no kick can come any more.
void leave(Channel* ch, ucontext* uc) {
  Area* area = this_area();
  const auto& m = uc->uc_mcontext;
  const void* fp = m.fpstate;
  const bool possible = fp != nullptr && can_leave_to(m.rip, m.eflags);
  if (possible && stub_load_fp(fp, g.frame.fp_features) == 0) {
    ch->continuation = m.rip;
    stub_fast_leave(ch, area);
  }
  block_kicks();
  if (area->kicked == 0) return;
  area->kicked = 0;
  serve_kick(ch, uc);
}

void on_sigsys(int, siginfo_t* si, void* ctx) {
  auto* uc = static_cast<ucontext*>(ctx);
  Area* area = this_area();
  Channel* ch = area->channel;
  area->frame = uc;
  if (uc->uc_mcontext.rip == u(stub_gate_trap_return)) {
    // A call that came from a trampoline. It waits for a reply to be carried out, or was kicked at its end.
    load_regs(uc, ch);
    if (area->kick_gate != 0) {
      area->kick_gate = 0;
      serve_kick(ch, uc);
    } else if (!carry_out(ch, uc)) {
      serve(ch, uc);
    }
    return leave(ch, uc);
  }
  // A kick before the event is answered by the event.
  __atomic_store_n(&area->kicked, 0, __ATOMIC_RELAXED);
  save_regs(ch, uc);
  // int 0x80: a number of another table, which this kernel does not have.
  if (si->_sifields._sigsys._arch != AUDIT_ARCH_X86_64) ch->regs.rax = ~0ULL;
  ch->event = EV_SYSCALL;
  precopy(ch, ch->regs.rax);
  if (!report_call(ch))
    ch->regs.rax = uc->uc_mcontext.rax = 0;
  else if (!carry_out(ch, uc))
    serve(ch, uc);
  leave(ch, uc);
}

void on_kick(int, siginfo_t*, void* ctx) {
  auto* uc = static_cast<ucontext*>(ctx);
  uint64_t rip = uc->uc_mcontext.rip;
  Area* area = this_area();
  Channel* ch = area->channel;
  if (area->started == 0) {  // from stub_main
    area->started = 1;
    learn_frame_format(uc);
    if (!start(ch, uc)) serve(ch, uc);
    return leave(ch, uc);
  }
  if (rip >= u(stub_fast_exit) && rip < u(stub_fast_exit_end)) {
    load_regs(uc, ch);
  } else if (in_stub(rip) || (in_trampolines(rip) && !leave_trampoline(uc))) {
    area->kicked = 1;  // a system call is on its way: the kernel hears of it first
    return;
  }
  area->kicked = 0;
  serve_kick(ch, uc);
  leave(ch, uc);
}

void on_fault(int sig, siginfo_t* si, void* ctx) {
  auto* uc = static_cast<ucontext*>(ctx);
  uint64_t rip = uc->uc_mcontext.rip;
  if (rip >= u(stub_guard_start) && rip < u(stub_guard_end)) {
    uc->uc_mcontext.rip = u(stub_guard_fixup);
    return;
  }
  if (sig == SIGTRAP && hide_trap(uc)) return;
  if (sig == SIGILL && skip_rewritten(uc)) return;
  if (sig == SIGSEGV && rip == u(reinterpret_cast<void*>(stub_fast_shared))) {
    // The guest loaded a selector into GS, which changes its base: with the right one the entry works.
    sys(__NR_arch_prctl, ARCH_SET_GS, u(this_area()));
    return;
  }
  if (in_stub(rip)) sys(__NR_exit_group, 139);
  Channel* ch = this_area()->channel;
  save_regs(ch, uc);
  precopy_interrupted(ch);
  ch->event = EV_FAULT;
  memcpy(ch->siginfo, si, sizeof ch->siginfo);
  ch->trap_no = uc->uc_mcontext.trapno;
  ch->error_code = uc->uc_mcontext.err;
  serve(ch, uc);
}

[[noreturn]] void die() {
  for (;;) sys(__NR_exit_group, 1);
}

// `mask`: blocked meanwhile. Never the synchronous ones, which the guarded accesses need.
void set_handler(int sig, void (*fn)(int, siginfo_t*, void*), uint64_t mask) {
  struct {
    void (*handler)(int, siginfo_t*, void*);
    uint64_t flags;
    void (*restorer)();
    uint64_t mask;
  } sa;
  sa.handler = fn;
  sa.flags = SA_SIGINFO | SA_ONSTACK | SA_RESTORER | SA_NODEFER;
  sa.restorer = stub_restorer;
  sa.mask = mask;
  if (sys(__NR_rt_sigaction, static_cast<uint64_t>(sig), u(&sa), 0, 8) != 0) die();
}

// Second half of the start, on the signal stack of slot 0, so that the host's own stack can go.
void start_on_area() {
  Hello hello{g.vdso, u(reinterpret_cast<void*>(stub_fast_entry)), 0};
  for (uint32_t i = 0; i < sizeof TRAMPOLINE_AREAS / sizeof TRAMPOLINE_AREAS[0]; ++i) {
    const TrampolineArea& a = TRAMPOLINE_AREAS[i];
    auto at = static_cast<uint64_t>(sys(__NR_mmap, a.start, a.size, PROT_READ | PROT_EXEC,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
                                        ~0ULL, 0));
    if (at == a.start) hello.trampolines |= 1u << i;
  }
  // So that whoever rewrites code makes all CPUs notice (membarrier(2)).
  sys(__NR_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0);
  if (sys(__NR_write, FD_SOCKET, u(&hello), sizeof hello) < 0) die();
  // Neither lies on the stack: below it comes the signal frame, which shall end in the same page.
  static Unmap list;
  static sock_filter prog[FILTER_MAX];
  if (sys(__NR_read, FD_SOCKET, u(&list), sizeof list) != sizeof list) die();
  for (uint32_t i = 0; i < list.count && i < 16; ++i)
    sys(__NR_munmap, list.range[i].start, list.range[i].len);

  sock_fprog fprog{static_cast<unsigned short>(build_filter(prog, u(stub_gate_start), u(stub_gate_end),
                                                            static_cast<uint32_t>(g.supervisor))),
                   prog};
  if (sys(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die();
  // The carrier waits in the frame of this signal; the kernel resumes it somewhere else. It is sent
  // before the filter is in force, which allows no call that sends signals.
  uint64_t none = 0;
  block_kicks();
  sys(__NR_tgkill, static_cast<uint64_t>(sys(__NR_getpid)), static_cast<uint64_t>(sys(__NR_gettid)),
      KICK_SIGNAL);
  if (sys(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, u(&fprog)) != 0) die();
  sys(__NR_rt_sigprocmask, SIG_SETMASK, u(&none), 0, 8);
  die();
}

}  // namespace

extern "C" void stub_child(ucontext* uc) {
  Area* area = this_area();
  Channel* ch = area->channel;
  sys(__NR_arch_prctl, ARCH_SET_GS, u(area));
  block_kicks();  // the host's sigreturn is needed: it sets the signal stack
  if (!start(ch, uc)) serve(ch, uc);
  stub_sigreturn(uc);
}

extern "C" void stub_main(uint64_t* sp) {
  // Above argc, argv and envp: the auxiliary vector.
  uint64_t* p = sp + 1 + sp[0] + 1;
  while (*p != 0) ++p;
  for (++p; p[0] != 0; p += 2)
    if (p[0] == 33) g.vdso = p[1];  // AT_SYSINFO_EHDR

  static const char name[] = "starry-guest";
  sys(__NR_prctl, PR_SET_NAME, u(name));
  g.supervisor = sys(__NR_getppid);
  die_with_supervisor();
  auto map = [](uint64_t at, uint64_t len, uint64_t prot, uint64_t flags, int fd, uint64_t off) {
    if (static_cast<uint64_t>(
            sys(__NR_mmap, at, len, prot, flags | MAP_FIXED, static_cast<uint64_t>(fd), off)) != at)
      die();
  };
  map(INFO_ADDR, INFO_SIZE, 1, MAP_SHARED, FD_INFO, 0);
  map(DOORBELL_ADDR, DOORBELL_SIZE, 3, MAP_SHARED, FD_INFO, INFO_SIZE);
  map(CHANNELS_ADDR, MAX_SLOTS * CHANNEL_SIZE, 3, MAP_SHARED | MAP_NORESERVE, FD_CHANNELS, 0);
  map(AREAS_ADDR, MAX_SLOTS * AREA_SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  sys(__NR_close, FD_CHANNELS);
  sys(__NR_close, FD_INFO);

  Area* area = area_of_slot(0);
  init_area(area, channel_of_slot(0));
  use_lone_entry(area);
  area->channel->host_tid = static_cast<uint32_t>(sys(__NR_set_tid_address, u(&area->channel->host_tid)));
  struct {
    uint64_t sp;
    int flags, pad;
    uint64_t size;
  } ss = {signal_stack_of(area), 0, 0, SIGNAL_STACK_SIZE};
  if (sys(__NR_sigaltstack, u(&ss), 0) != 0) die();
  set_handler(SIGSYS, on_sigsys, 0);
  set_handler(KICK_SIGNAL, on_kick, 0);
  for (int sig : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP}) set_handler(sig, on_fault, KICKS);
  stub_call_on(reinterpret_cast<char*>(area) - 64, start_on_area);
}
