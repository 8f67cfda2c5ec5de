#include "emulated_kernel/time/posix_timers.h"

#include <sys/time.h>

#include <algorithm>
#include <climits>
#include <csignal>

#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

int add_overrun(int have, uint64_t more) {
  return static_cast<int>(
      std::min<uint64_t>(static_cast<uint64_t>(have) + std::min<uint64_t>(more, INT_MAX), INT_MAX));
}

}  // namespace

PosixTimer::PosixTimer(ThreadGroup& group, int id, const Clock& clock, const Notify& notify)
    : group_(group),
      id_(id),
      clock_(clock),
      notify_(notify),
      timer_(notify.silent ? std::function<void(uint64_t)>() : [this](uint64_t n) { expired(n); }) {}

TimerSetting PosixTimer::get() { return {timer_.remaining(), timer_.interval()}; }

void PosixTimer::set(const TimerSetting& s, bool absolute) {
  timer_.stop();
  queued_ = false;
  queued_overrun_ = delivered_overrun_ = 0;
  if (s.value_ns == 0) return;
  if (absolute) {
    timer_.start(clock_, s.value_ns, s.interval_ns);
    return;
  }
  // A span of time does not change when somebody sets the clock.
  Clock c = clock_;
  if (c.base == Clock::Base::realtime) c.base = Clock::Base::monotonic;
  timer_.start(c, clock_now(c) + s.value_ns, s.interval_ns);
}

SigInfo* PosixTimer::pending() {
  PendingSet* set = &group_.signals.pending;
  if (notify_.tid != 0) {
    Task* target = find_task(notify_.tid);
    if (target == nullptr || target->group.get() != &group_) return nullptr;
    set = &target->sig.pending;
  }
  for (SigInfo& info : set->queue) {
    if (info.code == SI_TIMER && info.signo == notify_.signo && info.timer.tid == id_) return &info;
  }
  return nullptr;
}

void PosixTimer::note_delivery() {
  if (!queued_ || pending() != nullptr) return;
  queued_ = false;
  delivered_overrun_ = queued_overrun_;
}

void PosixTimer::expired(uint64_t periods) {
  note_delivery();
  if (queued_) {
    queued_overrun_ = add_overrun(queued_overrun_, periods);
    pending()->timer.overrun = queued_overrun_;
    return;
  }
  SigInfo info;
  info.signo = notify_.signo;
  info.code = SI_TIMER;
  info.timer.tid = id_;
  info.timer.value = notify_.value;
  info.timer.overrun = queued_overrun_ = add_overrun(0, periods - 1);
  queued_ = true;
  if (notify_.tid == 0) {
    (void)send_signal(group_, info);  // a full queue drops it, as an ignored one
    return;
  }
  Task* target = find_task(notify_.tid);
  if (target != nullptr && target->group.get() == &group_) (void)send_signal(*target, info);
}

int PosixTimer::overrun() {
  note_delivery();
  return delivered_overrun_;
}

namespace {

ClockTimer signalling_timer(ThreadGroup& g, int signo) {
  return ClockTimer([&g, signo](uint64_t) { (void)send_signal(g, siginfo_kernel(signo)); });
}

}  // namespace

PosixTimers::PosixTimers(ThreadGroup& g)
    : group_(g),
      interval_timers_{signalling_timer(g, SIGALRM), signalling_timer(g, SIGVTALRM),
                       signalling_timer(g, SIGPROF)} {}

PosixTimers& PosixTimers::of(ThreadGroup& g) {
  if (!g.timers) g.timers = std::make_shared<PosixTimers>(g);
  return *g.timers;
}

TimerSetting PosixTimers::get_interval_timer(int which) {
  ClockTimer& timer = interval_timers_[static_cast<size_t>(which)];
  const uint64_t value = timer.remaining();
  return {value, value == 0 ? 0 : timer.interval()};
}

void PosixTimers::set_interval_timer(int which, const TimerSetting& s) {
  ClockTimer& timer = interval_timers_[static_cast<size_t>(which)];
  timer.stop();
  if (s.value_ns == 0) return;
  Clock c;
  if (which != ITIMER_REAL) {
    c.base = Clock::Base::cpu;
    c.pid = group_.tgid;
    c.user_only = which == ITIMER_VIRTUAL;
  }
  timer.start(c, clock_now(c) + s.value_ns, s.interval_ns);
}

Result<int> PosixTimers::create(const Clock& clock, PosixTimer::Notify notify, bool default_notify,
                                uint64_t limit) {
  if (timers_.size() >= limit || next_id_ == INT_MAX) return Error{EAGAIN};
  const int id = next_id_++;
  if (default_notify) notify.value = static_cast<uint64_t>(id);
  timers_.emplace(id, std::make_unique<PosixTimer>(group_, id, clock, notify));
  return id;
}

PosixTimer* PosixTimers::find(int id) {
  const auto it = timers_.find(id);
  return it == timers_.end() ? nullptr : it->second.get();
}

bool PosixTimers::remove(int id) { return timers_.erase(id) != 0; }

void posix_timers_exec(ThreadGroup& g) {
  if (g.timers) g.timers->remove_all();
}

}  // namespace starry
