#include "tracer/fault_guard.h"

#include <csetjmp>
#include <csignal>

namespace starry {

namespace {

thread_local sigjmp_buf* way_out = nullptr;

void on_fault(int signo) {
  if (way_out != nullptr) siglongjmp(*way_out, 1);
  std::signal(signo, SIG_DFL);  // a fault of somebody else: it happens again, and ends us
}

}  // namespace

bool survives_faults(const std::function<void()>& fn) {
  struct sigaction guard = {}, old_segv, old_bus;
  guard.sa_handler = on_fault;
  guard.sa_flags = SA_NODEFER;
  sigjmp_buf here;
  sigjmp_buf* const outer = way_out;
  sigaction(SIGSEGV, &guard, &old_segv);
  sigaction(SIGBUS, &guard, &old_bus);
  volatile bool survived = false;
  if (sigsetjmp(here, 1) == 0) {
    way_out = &here;
    fn();
    survived = true;
  }
  way_out = outer;
  sigaction(SIGSEGV, &old_segv, nullptr);
  sigaction(SIGBUS, &old_bus, nullptr);
  return survived;
}

}  // namespace starry
