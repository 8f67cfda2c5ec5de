// What tracing and injection keep about a thread (Task::trace).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "emulated_kernel/task/task.h"
#include "emulated_kernel/trace/event.h"
#include "emulated_kernel/trace/inject.h"

namespace starry {

struct TraceState {
  struct Wait {
    uint64_t from, to;
    bool preempted;
    std::string what;
  };

  // The call in progress.
  CallEvent call;
  CallState state;
  unsigned recording = 0;  // the recording that has its entry; 0: none
  uint8_t marks = 0;       // RecordHead::Mark
  uint64_t entry_ns = 0;

  int64_t interrupted_nr = -1;  // what restart_syscall(2) would continue
  std::vector<Wait> waits;      // since the exit of the call before

  // Injection counts by system call, valid for one set of injections.
  unsigned injection_set = 0;
  std::map<int64_t, InjectionCounter> injections;
};

inline TraceState& trace_state(Task& t) {
  if (t.trace == nullptr) t.trace = std::make_shared<TraceState>();
  return *t.trace;
}

}  // namespace starry
