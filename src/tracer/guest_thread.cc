#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/entry/fibers.h"
#include "emulated_kernel/kernel.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/scheduler.h"
#include "tracer/guest_process.h"
#include "tracer/host_cpus.h"
#include "tracer/stub_answers.h"

namespace starry {

using namespace chan;

GuestThread::GuestThread(Ref<GuestProcess> process, uint32_t slot)
    : process_(std::move(process)), slot_(slot), ch_(process_->channel(slot)) {
  seen_ring_ = __atomic_load_n(&ch_->ring_seq, __ATOMIC_ACQUIRE);
  __atomic_store_n(&ch_->reply_seq, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&ch_->parked, 0, __ATOMIC_RELEASE);
  process_->threads.push_back(this);
  ChannelTable::instance().attach(this, id_);
  ch_->id = id_;
  ch_->rseq_at = 0;
}

GuestThread::GuestThread(Ref<GuestProcess> process, Carrier c)
    : process_(std::move(process)),
      slot_(c.slot),
      id_(c.id),
      ch_(process_->channel(slot_)),
      host_fs_(c.fs),
      seen_ring_(c.seen_ring),
      seen_napped_(c.seen_napped),
      cpu_base_ns_(c.cpu_ns),
      schedstat_(std::move(c.schedstat)),
      tid_(c.tid),
      bound_cpu_(c.bound_cpu) {
  __atomic_store_n(&ch_->answers.valid, 0, __ATOMIC_RELEASE);
  ch_->rseq_at = 0;
  process_->threads.push_back(this);
  ChannelTable::instance().attach_again(this, id_);
}

GuestThread::~GuestThread() {
  set_state(State::gone);
  ChannelTable::instance().forget(this);
  std::erase(process_->threads, this);
  if (leave_carrier()) return;
  if (attached()) ChannelTable::instance().detach(id_);
  if (!is_first()) process_->release_slot(slot_);
}

Carrier GuestThread::carrier() {
  __atomic_store_n(&ch_->no_spin, 1, __ATOMIC_RELEASE);
  ChannelTable::instance().reserve(id_);
  return {slot_,      id_,          tid_,          bound_cpu_,           host_fs_,
          seen_ring_, seen_napped_, cpu_total_ns_, std::move(schedstat_)};
}

bool GuestThread::leave_carrier() {
  if (!waits_ || process_->dead) return false;
  task_ = nullptr;  // it may be gone
  if (process_->threads.empty()) {
    ChannelTable::instance().calm_down(Calm::EXIT);
    if (next_owner_ && ProcessPool::instance().wants_back()) {
      ProcessPool::instance().take_back(*process_, carrier(), std::move(next_owner_));
      return true;
    }
    process_->ends_itself = true;
    reply(ACT_EXIT_GROUP);
    return false;
  }
  // Of a process whose first thread is gone the host neither reads the memory (process_vm_readv(2)) nor
  // shows much in /proc/PID: that carrier stays where it waits until the process ends.
  if (is_first()) return false;
  if (!in_frame_ || process_->idle.size() >= GuestProcess::MAX_IDLE) {
    reply(ACT_EXIT);
    return false;
  }
  process_->idle.push_back(carrier());
  return true;
}

void GuestThread::set_state(State s) {
  const auto polled = [](State x) { return x == State::in_guest || x == State::busy; };
  if (polled(s) && !polled(state_)) ChannelTable::instance().poll(this);
  if (!polled(s) && polled(state_)) ChannelTable::instance().unpoll(this);
  state_ = s;
}

// The carrier that is the host process's first thread.
bool GuestThread::is_first() const { return tid_ != 0 && tid_ == process_->host_pid(); }

void GuestThread::reply(Action action) {
  ch_->action = action;
  ch_->ops_first = op_left_ ? 1 : 0;
  op_given_ = std::exchange(op_left_, false);
  __atomic_store_n(&ch_->no_spin, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&ch_->cpu_taken, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&ch_->kicked, 0, __ATOMIC_RELAXED);
  __atomic_fetch_add(&ch_->reply_seq, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&ch_->parked, __ATOMIC_SEQ_CST) != 0) {
    ChannelTable& table = ChannelTable::instance();
    __atomic_fetch_add(&table.doorbell().wake[id_], 1, __ATOMIC_SEQ_CST);
    const bool left_to_it = state_ != State::gone && table.woken_by_leaver(*this);
    const bool awake = left_to_it || yields();
    if (!awake) wake_host_thread();
    if (state_ != State::gone)
      table.woke_sleeper = waited_ && !awake && !(task_ != nullptr && task_->se.handed_over);
  }
}

void GuestThread::wake_host_thread() {
  syscall(SYS_futex, &ChannelTable::instance().doorbell().wake[id_], FUTEX_WAKE, 1);
}

void GuestThread::finish_outs() {
  std::memcpy(ch_->out, out_, out_count_ * sizeof(Window));
  ch_->out_count = out_count_;
  // Mostly only the result is new; cache lines that nobody writes need not travel.
  event_regs_.rax = regs_.rax;
  const bool set_fs = regs_.fs_base != host_fs_;
  const bool changed = set_fs || std::memcmp(&event_regs_, &regs_, sizeof regs_) != 0;
  if (changed) ch_->regs = regs_;
  ch_->regs_changed = changed;
  ch_->rax = regs_.rax;
  ch_->set_fs = set_fs;
  if (task_ != nullptr) {
    StubAnswers::publish(*task_, ch_, answers_);
    if (rseq_at_ != task_->rseq) ch_->rseq_at = rseq_at_ = task_->rseq;
  }
  host_fs_ = regs_.fs_base;
  out_count_ = 0;
  in_count_ = 0;
}

void GuestThread::resume() {
  if (state_ == State::gone) return report_death();
  if (state_ != State::in_kernel) return;
  finish_outs();
  set_state(State::in_guest);
  reply(std::exchange(fp_left_, false) ? ACT_RETURN : ACT_RESUME);
}

void GuestThread::resume_signal(const ResumeSignal& s) {
  CHECK(state_ == State::in_kernel || state_ == State::gone);
  if (state_ == State::gone) return report_death();
  finish_outs();
  SignalFrame& f = ch_->sig;
  f = {s.signo,      s.altstack_flags, s.handler,       s.restorer, s.sp,
       s.saved_mask, s.altstack_sp,    s.altstack_size, {}};
  std::memcpy(f.siginfo, s.siginfo, sizeof f.siginfo);
  set_state(State::in_guest);
  // In the stub a kick is only noted: the carrier comes back when it leaves for the handler.
  if (s.again) kick();
  ChannelTable::instance().comes_soon = true;
  reply(ACT_SIGNAL);
}

// What else the carrier is to do comes after it.
Result<void> GuestThread::run_left_op() {
  if (std::exchange(op_left_, false)) TRY(run_action(ACT_OPS));
  return {};
}

Result<void> GuestThread::run_op_on_return(const HostOp& op) {
  if (state_ != State::in_kernel || gathering_ || op_left_ || op.fd >= 0 || process_->threads.size() != 1) {
    TRY(run_ops({&op, 1}));
    return {};
  }
  TRY(send_ops({&op, 1}));
  op_left_ = true;
  return {};
}

Result<int64_t> GuestThread::run_action(Action action) {
  TRY(run_left_op());
  if (state_ != State::in_kernel) return Error{ESRCH};
  set_state(State::busy);
  waiter_ = this_fiber();
  reply(action);
  fiber_park();
  if (state_ == State::gone) return Error{ESRCH};
  int64_t r = ch_->op_result;
  if (r < 0 && r > -4096) return Error{static_cast<int>(-r)};
  return r;
}

Result<void> GuestThread::enter_frame() {
  if (in_frame_) return {};
  TRY(run_action(ACT_FRAME));
  in_frame_ = true;
  return {};
}

Result<HostThread::SavedFrame> GuestThread::load_signal_frame() {
  SavedContext c;
  // A tracer may have changed what the stub brought along.
  const bool traced = task_ != nullptr && task_->ptrace;
  if (traced || !window_read(regs_.rsp, &c, sizeof c)) {
    auto n = process_->peek(regs_.rsp, &c, sizeof c);
    if (!n.ok() || *n != sizeof c) return Error{EFAULT};
  }
  constexpr uint64_t FIX_EFLAGS = 0x50dd5;  // as Linux: only the flags that a user may set
  const uint64_t eflags = regs_.eflags;
  static_assert(sizeof c.regs == offsetof(GuestRegs, fs_base));
  std::memcpy(&regs_, c.regs, sizeof c.regs);
  regs_.eflags = (eflags & ~FIX_EFLAGS) | (regs_.eflags & FIX_EFLAGS);
  fp_left_ = true;
  ch_->fp_at = c.fpstate;
  return SavedFrame{c.mask, c.altstack_sp, c.altstack_size, c.altstack_flags};
}

Result<void> GuestThread::load_left_fp() {
  if (std::exchange(fp_left_, false)) TRY(run_action(ACT_LOAD_FP));
  return {};
}

Result<void> GuestThread::send_ops(std::span<const HostOp> ops) {
  int last = -1;
  for (size_t i = 0; i < ops.size(); ++i) {
    Op& op = ch_->ops[i];
    op.nr = ops[i].nr;
    std::memcpy(op.args, ops[i].args, sizeof op.args);
    op.fd = ops[i].fd < 0 ? OpFd::none : ops[i].fd == last ? OpFd::same : OpFd::fresh;
    if (op.fd == OpFd::fresh && !process_->send_fds(&ops[i].fd, 1)) return Error{ENOMEM};
    if (op.fd != OpFd::none) last = ops[i].fd;
  }
  ch_->nops = static_cast<uint32_t>(ops.size());
  return {};
}

static bool takes_pages(const HostOp& op) {
  return op.nr == SYS_munmap || op.nr == SYS_mprotect || op.nr == SYS_madvise || op.nr == SYS_mremap;
}

Result<int64_t> GuestThread::run_ops(std::span<const HostOp> ops) {
  if (gathering_) {
    gathered_.insert(gathered_.end(), ops.begin(), ops.end());
    return 0;
  }
  const bool taken = std::any_of(ops.begin(), ops.end(), takes_pages);
  bool fds = std::any_of(ops.begin(), ops.end(), [](const HostOp& o) { return o.fd >= 0; });
  TRY(run_left_op());
  if (fds) process_->fd_lock.lock();
  Result<int64_t> r = 0;
  while (!ops.empty() && r.ok()) {
    size_t n = std::min<size_t>(ops.size(), MAX_OPS);
    auto sent = send_ops(ops.first(n));
    r = sent.ok() ? run_action(ACT_OPS) : Result<int64_t>(sent.error());
    ops = ops.subspan(n);
  }
  if (fds) process_->fd_lock.unlock();
  if (taken && r.ok()) ChannelTable::instance().calm.pages_taken(ch_->op_cycles, platform().monotonic_ns());
  return r;
}

Result<void> GuestThread::run_gathered() {
  gathering_ = false;
  TRY(run_ops(std::exchange(gathered_, {})));
  return {};
}

int GuestThread::host_tid() const {
  int tid = static_cast<int>(__atomic_load_n(&ch_->host_tid, __ATOMIC_RELAXED));
  return tid_ != 0 ? tid_ : tid;
}

void GuestThread::kick() {
  if (state_ != State::in_guest || process_->dead) return;
  __atomic_store_n(&ch_->kicked, 1, __ATOMIC_SEQ_CST);
  ChannelTable::instance().comes_soon = true;
  syscall(SYS_tgkill, process_->host_pid(), host_tid(), KICK_SIGNAL);
}

void GuestThread::will_wait() {
  waited_ = true;
  if (state_ == State::in_kernel) ChannelTable::instance().leaves(this);
}

void GuestThread::bind_cpu(int emulated_cpu) {
  if (bound_cpu_ == emulated_cpu || host_tid() == 0) return;
  bound_cpu_ = emulated_cpu;
  const cpu_set_t set = host_cpu_for(emulated_cpu);
  sched_setaffinity(host_tid(), sizeof set, &set);
  publish_cpu();
}

// A new carrier begins where its creator is.
void GuestThread::inherit_cpu(int emulated_cpu) {
  bound_cpu_ = emulated_cpu;
  publish_cpu();
}

void GuestThread::publish_cpu() {
  ch_->host_cpu = bound_cpu_ < 0 ? 0 : 1 + static_cast<uint32_t>(host_cpu_number(bound_cpu_));
}

std::unique_ptr<GuestThread> GuestThread::reuse_carrier() {
  while (!process_->idle.empty()) {
    Carrier c = std::move(process_->idle.back());
    process_->idle.pop_back();
    auto t = std::make_unique<GuestThread>(process_, std::move(c));
    ch_->new_slot = t->slot_;
    if (run_action(ACT_REUSE).ok()) return t;
    t->waits_ = true;
    t->in_frame_ = false;  // not another time
  }
  return nullptr;
}

Result<std::unique_ptr<HostThread>> GuestThread::clone_thread(Task& child) {
  process_->had_threads = true;
  std::unique_ptr<GuestThread> t = reuse_carrier();
  if (t == nullptr) {
    uint32_t slot = process_->take_slot();
    if (slot >= MAX_SLOTS) return Error{EAGAIN};
    t = std::make_unique<GuestThread>(process_, slot);
    if (!t->attached()) return Error{EAGAIN};
    t->task_ = &child;
    t->host_fs_ = host_fs_;
    t->inherit_cpu(bound_cpu_);
    ch_->new_slot = slot;
    auto tid = run_action(ACT_CLONE);
    if (!tid.ok()) {
      t->set_state(State::gone);
      return tid.error();
    }
    t->tid_ = static_cast<int>(*tid);
  }
  t->task_ = &child;
  t->regs_ = regs_;
  return Result<std::unique_ptr<HostThread>>(std::unique_ptr<HostThread>(std::move(t)));
}

Result<std::pair<Ref<HostSpace>, std::unique_ptr<HostThread>>> GuestThread::fork(Task& child) {
  ChannelTable::instance().calm_down(Calm::FORK);
  auto [process, t] = TRY(fork_process());
  t->task_ = &child;
  t->regs_ = regs_;
  t->host_fs_ = host_fs_;
  t->inherit_cpu(bound_cpu_);
  return std::pair<Ref<HostSpace>, std::unique_ptr<HostThread>>(std::move(process), std::move(t));
}

Result<GuestThread::Forked> GuestThread::fork_process() {
  ChannelMemory channels = process_->take_channels();
  int pair[2];
  if (!channels || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return Error{EAGAIN};
  const OwnedFd its_end(pair[1]);
  const int fds[2] = {pair[1], channels.fd()};
  auto process = make_ref<GuestProcess>(OwnedFd(pair[0]), std::move(channels), process_->spare_channels());
  if (process->take_slot(slot_) != slot_) return Error{EAGAIN};
  auto t = std::make_unique<GuestThread>(process, slot_);
  Result<int64_t> pid = Error{EAGAIN};
  if (t->attached()) {
    MutexGuard guard(process_->fd_lock);
    if (process_->send_fds(fds, 2)) pid = run_action(ACT_FORK);
  }
  if (pid.ok() && !process->set_pid(static_cast<int>(*pid))) pid = Error{EAGAIN};
  if (!pid.ok()) {
    t->set_state(State::gone);
    return pid.error();
  }
  process->rewriter.copy(process_->rewriter);
  process->fixed = process_->fixed;
  t->tid_ = static_cast<int>(*pid);
  if (process->ended()) t->set_state(State::gone);  // and maybe reaped before its pid was known here
  return Forked(std::move(process), std::move(t));
}

Result<void> GuestThread::empty_space(std::span<const HostOp> ops) {
  TRY(send_ops(ops));
  TRY(run_action(ACT_EMPTY));
  return {};
}

// Whether what is not the guest's own is as the host has put it, so that only the rest need be unmapped.
bool GuestThread::leaves_it_whole() const {
  if (process_->had_threads || !is_first() || !task_->mm || task_->mm->space.get() != process_.get())
    return false;
  return std::all_of(process_->fixed.begin(), process_->fixed.end(), [this](const Platform::FixedMap& f) {
    const Vma* v = task_->mm->find(f.start);
    return v != nullptr && v->start == f.start && v->end == f.end && v->prot == f.prot && v->name == f.name;
  });
}

// The carrier waits on until this object is destroyed: it wakes the carrier of whoever gets its CPU.
void GuestThread::exit(Ref<const Cred> owner) {
  waits_ = state_ == State::in_kernel;
  if (waits_ && owner && task_ != nullptr && leaves_it_whole()) next_owner_ = std::move(owner);
  set_state(State::gone);
  out_count_ = 0;
  if (waits_) ChannelTable::instance().leaves(this);
}

// The host's clock of a process is that of its only thread; of another process's threads one by one only
// schedstat tells.
uint64_t GuestThread::cpu_ns() {
  if (!process_->had_threads) {
    constexpr clockid_t CPUCLOCK_SCHED = 2;
    timespec ts{};
    if (clock_gettime(static_cast<clockid_t>(~process_->host_pid() * 8) | CPUCLOCK_SCHED, &ts) != 0) return 0;
    cpu_total_ns_ = static_cast<uint64_t>(ts.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(ts.tv_nsec);
    return cpu_total_ns_ - std::min(cpu_base_ns_, cpu_total_ns_);
  }
  char text[64] = "";
  if (!schedstat_) {
    snprintf(text, sizeof text, "/proc/%d/task/%d/schedstat", process_->host_pid(), host_tid());
    schedstat_ = OwnedFd(open(text, O_RDONLY | O_CLOEXEC));
  }
  const ssize_t n = pread(schedstat_.get(), text, sizeof text - 1, 0);
  if (n <= 0) return 0;
  text[n] = '\0';
  cpu_total_ns_ = strtoull(text, nullptr, 10);
  return cpu_total_ns_ - std::min(cpu_base_ns_, cpu_total_ns_);
}

void GuestThread::read_regs() {
  const uint64_t fs = regs_.fs_base;
  regs_ = ch_->regs;
  regs_.fs_base = fs;
  event_regs_ = regs_;
}

void GuestThread::load_event() {
  read_regs();
  out_count_ = 0;
  data_used_ = 0;
  waited_ = false;
  if (op_given_) ChannelTable::instance().calm.pages_taken(ch_->op_cycles, platform().monotonic_ns());
  op_given_ = false;
  fp_left_ = false;
  account_naps();
  futex_wakes_ = ch_->futex_wakes;
  futex_own_wakes_ = ch_->futex_own_wakes;
  const uint32_t futex_word = ch_->futex_word;
  futex_word_ = ch_->futex_known != 0 ? std::optional(futex_word) : std::nullopt;
  in_count_ = std::min(ch_->in_count, MAX_IN);
  std::memcpy(in_, ch_->in, in_count_ * sizeof(Window));
  for (uint32_t i = 0; i < in_count_; ++i) {
    const Window& w = in_[i];
    if (w.off > DATA_SIZE || w.len > DATA_SIZE - w.off || w.addr + w.len < w.addr) {
      in_count_ = i;
      break;
    }
    data_used_ = std::max(data_used_, (w.off + w.len + 15) & ~15u);
  }
}

// While it slept on its own the thread held its emulated CPU, but did not use it.
void GuestThread::account_naps() {
  const uint64_t total = __atomic_load_n(&ch_->napped, __ATOMIC_RELAXED);
  if (total != seen_napped_) scheduler().slept(task_->se, total - seen_napped_, platform().monotonic_ns());
  seen_napped_ = total;
}

// Takes over a sleep that the carrier began on its own, as the system call that it is, for the time that
// is left of it.
void GuestThread::on_nap() {
  uint32_t offered = NAP_OFFERED;
  if (state_ != State::in_guest || task_ == nullptr ||
      !__atomic_compare_exchange_n(&ch_->nap, &offered, NAP_TAKEN, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    return;
  load_event();
  const uint64_t until = __atomic_load_n(&ch_->nap_until, __ATOMIC_RELAXED);
  const uint64_t now = platform().monotonic_ns();
  const timespec left{0, static_cast<long>(std::min<uint64_t>(until - std::min(now, until), MAX_NAP_NS))};
  if (in_count_ == 1 && in_[0].len == sizeof left) std::memcpy(ch_->data + in_[0].off, &left, sizeof left);
  set_state(State::in_kernel);
  kernel().handle_event(*task_, GuestEvent{GuestEvent::Kind::syscall, {}, 0, 0});
}

void GuestThread::on_ring() {
  uint32_t seq = __atomic_load_n(&ch_->ring_seq, __ATOMIC_ACQUIRE);
  if (seq == seen_ring_) return;
  seen_ring_ = seq;
  uint32_t event = ch_->event;
  switch (state_) {
    case State::busy: {
      if (event != EV_DONE) return;
      set_state(State::in_kernel);
      Fiber* f = waiter_;
      waiter_ = nullptr;
      fiber_ready(f);
      return;
    }
    case State::in_guest: {
      if (task_ == nullptr) return;
      GuestEvent e;
      switch (event) {
        case EV_SYSCALL:
        case EV_SYSCALL_FAST:
          e.kind = GuestEvent::Kind::syscall;
          break;
        case EV_KICKED:
          e.kind = GuestEvent::Kind::kicked;
          break;
        case EV_FAULT:
          e.kind = GuestEvent::Kind::fault;
          std::memcpy(&e.info, ch_->siginfo, sizeof e.info);
          e.trap_no = ch_->trap_no;
          e.error_code = ch_->error_code;
          break;
        case EV_BAD_FRAME:
          e.kind = GuestEvent::Kind::bad_frame;
          break;
        default:
          return;
      }
      load_event();
      set_state(State::in_kernel);
      in_frame_ = event != EV_SYSCALL_FAST;
      if (event == EV_SYSCALL && task_->mm)
        process_->rewriter.trapped(*task_->mm, regs_.rip, regs_.rax, process_->threads.size() > 1);
      kernel().handle_event(*task_, e);
      return;
    }
    case State::in_kernel:
    case State::gone:
      return;
  }
}

// The kernel lets a carrier go on that does not exist any more: its code was suspended when the host
// process died, or the process died before the kernel knew of it.
void GuestThread::report_death() {
  platform().post([t = Ref<Task>(task_)] {
    if (!t->exiting) kernel().handle_event(*t, GuestEvent{GuestEvent::Kind::died, {}, 0, 0});
  });
}

void GuestThread::on_death() {
  State was = state_;
  set_state(State::gone);
  if (was == State::busy && waiter_ != nullptr) {
    fiber_ready(std::exchange(waiter_, nullptr));  // and ends in resume()
    return;
  }
  if (was == State::gone || task_ == nullptr) return;
  kernel().handle_event(*task_, GuestEvent{GuestEvent::Kind::died, {}, 0, 0});
}

}  // namespace starry
