// A scheduling class on one CPU: the queue of its runnable tasks and the rules among them. To try
// another scheduler, write another ClassQueue and put it into RunQueue.
#pragma once

#include <cstddef>
#include <cstdint>

#include "emulated_kernel/sched/sched_entity.h"

namespace starry {

enum class Place : uint8_t { head, tail };

class ClassQueue {
 public:
  virtual ~ClassQueue() = default;

  // `place` counts among equals. The running task is in no queue.
  virtual void enqueue(SchedEntity& se, Place place) = 0;
  virtual void dequeue(SchedEntity& se) = 0;
  // Who runs next; nullptr if the queue is empty.
  virtual SchedEntity* first() const = 0;
  // The first that may run on `cpu`, passing over `except`: for CPUs that look for work.
  virtual SchedEntity* first_allowed(int cpu, const SchedEntity* except = nullptr) const = 0;

  // `se` gets the CPU: prepares its slice.
  virtual void start(SchedEntity& se) = 0;
  // `running` has used `delta` ns more.
  virtual void charge(SchedEntity& running, uint64_t delta) = 0;
  // `se` of this queue has just become runnable while `running`, of the same class, holds the CPU:
  // does it take over? `ran_ns` is how long `running` has had the CPU.
  virtual bool preempts(const SchedEntity& se, SchedEntity& running, uint64_t ran_ns) const = 0;
  // Ns until `running` must make room for its equals in the queue; UINT64_MAX: it need not.
  virtual uint64_t slice_left(const SchedEntity& running) const = 0;
  // Where `running` goes when it is preempted now.
  virtual Place place_when_preempted(const SchedEntity& running) const = 0;

  size_t size() const { return size_; }

 protected:
  size_t size_ = 0;
};

}  // namespace starry
