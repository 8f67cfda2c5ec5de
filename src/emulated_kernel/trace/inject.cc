#include "emulated_kernel/trace/inject.h"

#include "emulated_kernel/entry/dispatch.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/trace/record.h"
#include "emulated_kernel/trace/trace_state.h"
#include "emulated_kernel/trace/tracer.h"

namespace starry {

namespace {

Injections injections;
unsigned current_set = 0;

void delay(Task& t, uint64_t ns) {
  if (ns == 0) return;
  const bool woken = false;
  (void)sleep_until(woken, Deadline::after(ns), SleepMode::killable);
  trace_mark(t, RecordHead::DELAYED);
}

bool hit(Task& t, const Injection& injection) {
  TraceState& s = trace_state(t);
  if (std::exchange(s.injection_set, current_set) != current_set) s.injections.clear();
  return s.injections.try_emplace(t.call.nr, injection).first->second.hit();
}

}  // namespace

bool InjectionCounter::hit() {
  if (first_ == 0 || last_ == 0) return false;
  if (last_ != Injection::ENDLESS) --last_;
  if (--first_ != 0) return false;
  first_ = step_;
  return true;
}

bool inject_detail::active = false;

void inject_enable(Injections list) {
  injections = std::move(list);
  ++current_set;
  inject_detail::active = !injections.empty();
}

SysResult inject_detail::serve(Task& t, const std::function<SysResult()>& handler) {
  const auto it = injections.find(t.call.nr);
  if (it == injections.end() || !hit(t, *it->second)) return handler();
  const std::shared_ptr<const Injection> injection = it->second;  // may be replaced while we sleep
  if (injection->signal != 0) (void)send_signal(t, siginfo_kernel(injection->signal));
  delay(t, injection->delay_enter_ns);
  SysResult result(0);
  if (!injection->tampers()) {
    result = handler();
  } else {
    if (const SyscallFn other = syscall_handler(injection->instead)) (void)other(t, t.call.args);
    result = injection->value ? SysResult(*injection->value) : SysResult(Error{*injection->error});
    trace_mark(t, RecordHead::INJECTED);
  }
  if (!t.exited) delay(t, injection->delay_exit_ns);
  return result;
}

}  // namespace starry
