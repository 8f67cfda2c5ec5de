#include "emulated_kernel/kernel.h"

#include <boost/intrusive/parent_from_member.hpp>
#include <deque>

#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/base/log.h"
#include "emulated_kernel/entry/dispatch.h"
#include "emulated_kernel/entry/fibers.h"
#include "emulated_kernel/entry/missing.h"
#include "emulated_kernel/sched/rseq.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/task/seccomp.h"
#include "emulated_kernel/task/task_sched.h"
#include "emulated_kernel/trace/inject.h"
#include "emulated_kernel/trace/tracer.h"

namespace starry {

namespace {

Task& task_of(SchedEntity& se) { return *boost::intrusive::get_parent_from_member<Task>(&se, &Task::se); }

// Carries out what the scheduler decides.
class Switcher final : public SchedHooks {
 public:
  void request_resched(SchedEntity& se) override {
    se.need_resched = true;
    task_of(se).host->kick();  // does nothing while the task is in the kernel: it will pass return_to_user
  }

  void switch_to(SchedEntity& se) override {
    Task& t = task_of(se);
    t.host->bind_cpu(se.cpu);
    if (t.fiber != nullptr)
      fiber_ready(std::exchange(t.fiber, nullptr));
    else
      fresh.push_back(Ref<Task>(&t));
  }

  std::deque<Ref<Task>> fresh;  // tasks that run for the first time: no kernel code to continue
};

Switcher switcher;
Kernel* the_kernel = nullptr;
std::unique_ptr<Scheduler> the_scheduler;

uint64_t now() { return platform().monotonic_ns(); }

// Suspends the current task's kernel code; the scheduler has been told why.
void park(Task& t) {
  t.fiber = this_fiber();
  fiber_park();
}

// The way back to user mode: gives way to a better task first, then signals.
void return_to_user(Task& t, const SysResult* result) {
  if (t.exited) return;
  bool preempted = false;
  while (t.se.need_resched) {
    t.se.need_resched = false;
    scheduler().preempt(t.se, now());
    if (t.se.state != SchedEntity::State::running) {
      const uint64_t from = now();
      park(t);
      preempted = true;
      trace_waited(t, from, true);
    }
  }
  // After a sleep it may be on another CPU: then only the number changes, system calls are in no section.
  if (t.rseq != 0) rseq_handle_return(t, preempted || result == nullptr);
  exit_to_user(t, result);
}

// One call in so many is timed and stands for the others: to look at the clock around each would cost as much
// as a short call. A prime, so as not to meet the same call of a loop again and again.
constexpr uint32_t SAMPLE_EVERY = 13;
uint32_t until_sample = SAMPLE_EVERY;

SysResult execute(Task& t) {
  SyscallFn fn = syscall_handler(t.call.nr);
  const auto handler = [&] { return fn != nullptr ? fn(t, t.call.args) : missing_syscall(t); };
  if (--until_sample != 0) [[likely]]
    return with_injection(t, handler);
  until_sample = SAMPLE_EVERY;
  const uint64_t switches = t.se.nvcsw + t.se.nivcsw, from = now();
  SysResult result = with_injection(t, handler);
  if (t.se.nvcsw + t.se.nivcsw == switches) t.syscall_ns += (now() - from) * SAMPLE_EVERY;
  return result;
}

void serve_syscall(Task& t) {
  const GuestRegs& r = t.regs();
  auto nr = static_cast<int64_t>(r.rax);
  t.call.nr = nr;
  t.call.args[0] = r.rdi, t.call.args[1] = r.rsi, t.call.args[2] = r.rdx;
  t.call.args[3] = r.r10, t.call.args[4] = r.r8, t.call.args[5] = r.r9;
  t.call.active = true;
  if (trace_on()) trace_enter(t);
  bool silent = false;
  SysResult result = 0;
  if (t.ptrace && !ptrace_syscall_enter(t)) [[unlikely]] {
    result = static_cast<int64_t>(t.regs().rax);
  } else if (t.seccomp || t.seccomp_strict) [[unlikely]] {
    const SeccompVerdict v = seccomp_check(t);
    silent = v.silent;
    result = v.run ? execute(t) : v.result;
  } else {
    result = execute(t);
  }
  if (t.ptrace && !silent && !t.exited) [[unlikely]]
    result = ptrace_syscall_exit(t, result);
  if (trace_on() && !t.exited) trace_exit(t, result);
  t.call.active = false;
  return_to_user(t, silent ? nullptr : &result);
}

void run_event(Task& t, const GuestEvent& e) {
  switch (e.kind) {
    case GuestEvent::Kind::syscall:
      return serve_syscall(t);
    case GuestEvent::Kind::kicked:
      if (t.ptrace) [[unlikely]]
        ptrace_handler_entered(t);
      return return_to_user(t, nullptr);
    case GuestEvent::Kind::fault:
      if (t.ptrace) [[unlikely]]
        ptrace_end_step(t);
      fault_to_signal(t, e.info);
      return return_to_user(t, nullptr);
    case GuestEvent::Kind::bad_frame:
      signal_bad_frame(t);
      return return_to_user(t, nullptr);
    case GuestEvent::Kind::died:
      if (!t.group->exiting)
        klog(LogLevel::error, "{}[{}]: its process on the host was killed", t.name(), t.tgid());
      return task_died(t);
  }
}

}  // namespace

Kernel::Kernel(KernelConfig cfg) : config(std::move(cfg)) {
  the_kernel = this;
  the_scheduler = std::make_unique<Scheduler>(config.cpus, switcher);
}

Kernel::~Kernel() { the_kernel = nullptr; }

Kernel& kernel() {
  CHECK(the_kernel != nullptr);
  return *the_kernel;
}

Scheduler& scheduler() {
  CHECK(the_scheduler != nullptr);
  return *the_scheduler;
}

void Kernel::handle_event(Task& t, const GuestEvent& e) {
  Ref<Task> keep(&t);
  set_current(&t);
  run_event(t, e);
  set_current(nullptr);
}

uint64_t Kernel::run_pending() {
  uint64_t time = now();
  timer_queue().fire(time);
  if (scheduler().next_tick() <= time) scheduler().tick(time);
  scheduler().pick(time);
  // What they do on the way to user mode (die of a signal, say) may wake others: come back at once.
  const bool more = !switcher.fresh.empty();
  while (!switcher.fresh.empty()) {
    Ref<Task> t = std::move(switcher.fresh.front());
    switcher.fresh.pop_front();
    set_current(t.get());
    return_to_user(*t, nullptr);
    set_current(nullptr);
  }
  return more ? time : std::min(timer_queue().next_deadline(), scheduler().next_tick());
}

void Task::block() {
  scheduler().block(se, now());
  if (host) host->will_wait();
  const uint64_t from = trace_on() ? now() : 0;
  park(*this);
  if (from != 0) trace_waited(*this, from, false);
}

void Task::wake_up() { scheduler().wake(se, now(), in_task() ? &current().se : nullptr); }

void yield_current(Task& t) {
  scheduler().yield(t.se, now());
  if (t.se.state == SchedEntity::State::running) return;
  if (t.host) t.host->will_wait();
  park(t);
}

void cond_resched() {
  if (!in_task()) return;
  Task& t = current();
  if (t.se.rt_rank() == 0 && scheduler().queued(t.se.cpu) != 0) yield_current(t);
}

}  // namespace starry
