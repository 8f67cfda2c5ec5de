// -e inject= and -e fault=: calls that fail, return something else, take longer or raise a signal, by
// strace's rules. Counts are per thread and per system call, as in strace.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/trace/trace_options.h"

namespace starry {

class Task;

struct Injection {
  static constexpr uint32_t ENDLESS = UINT32_MAX;
  std::optional<int> error;
  std::optional<int64_t> value;
  int signal = 0;
  uint64_t delay_enter_ns = 0, delay_exit_ns = 0;
  int64_t instead = -1;  // the (pure) system call that is made in place of the one that is tampered with
  // when=first..last+step
  uint32_t first = 1, last = ENDLESS, step = 1;

  bool tampers() const { return error || value; }
};

// By number of the system call.
using Injections = std::map<int64_t, std::shared_ptr<const Injection>>;

// Which occurrences of a call are hit.
class InjectionCounter {
 public:
  explicit InjectionCounter(const Injection& i) : first_(i.first), last_(i.last), step_(i.step) {}
  // Once per call of its kind: true if this one is hit.
  bool hit();

 private:
  uint32_t first_, last_, step_;
};

// What threads do from now on; counts start again. Kernel thread only.
void inject_enable(Injections injections);

namespace inject_detail {
extern bool active;
SysResult serve(Task& t, const std::function<SysResult()>& handler);
}  // namespace inject_detail

inline bool inject_on() { return inject_detail::active; }

// The current call of `t` with what is injected into it; `handler` serves it as usual.
template <class Handler>
SysResult with_injection(Task& t, Handler&& handler) {
  if (inject_on()) [[unlikely]]
    return inject_detail::serve(t, handler);
  return handler();
}

}  // namespace starry
