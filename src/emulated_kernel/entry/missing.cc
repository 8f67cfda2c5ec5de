#include "emulated_kernel/entry/missing.h"

#include <signal.h>

#include <set>
#include <utility>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/kernel.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/trace/tracer.h"

namespace starry {
namespace {

std::function<void()> panic_hook;

// Where the guest called from.
void log_stack(Task& t, LogLevel level) {
  const KernelConfig& config = kernel().config;
  if (!config.guest_stack) return;
  for (const std::string& frame : config.guest_stack(t)) klog(level, "{}", frame);
}

}  // namespace

// Once for each number: which program met it, with which arguments, and from where.
SysResult missing_syscall(Task& t) {
  constexpr size_t MAX_WARNED = 1024;  // numbers are the guest's to choose
  static std::set<int64_t> warned;
  if (!kernel().config.quiet && warned.size() < MAX_WARNED && warned.insert(t.call.nr).second) {
    klog(LogLevel::warn, "{}[{}]: {} is not implemented (ENOSYS)", t.name(), t.tid, render_call_brief(t));
    log_stack(t, LogLevel::warn);
  }
  return Error{ENOSYS};
}

SysResult kernel_panic(Task& t, std::string_view why) {
  klog(LogLevel::error, "the modelled kernel panics at {}[{}]: {}: {}", t.name(), t.tid, render_call_brief(t),
       why);
  log_stack(t, LogLevel::error);
  if (panic_hook) panic_hook();
  for_each_group([](ThreadGroup& g) {
    if (!g.zombie && g.leader() != nullptr) (void)send_signal(g, siginfo_kernel(SIGKILL));
  });
  return Error{ERESTARTSYS};  // as a call that a kill interrupts
}

void on_kernel_panic(std::function<void()> hook) { panic_hook = std::move(hook); }

}  // namespace starry
