// System calls that the stub answers itself, from words that the kernel keeps up to date in the channel.
// Nobody else sees such a call: while calls are logged, or a profile changes one, it goes to the kernel.
#pragma once

#include "emulated_kernel/task/task.h"
#include "tracer/channel.h"

namespace starry {

class StubAnswers {
 public:
  // Switched off by --no-stub-answers.
  static bool enabled;
  // Brings the table of answered calls up to date. On the kernel thread, often.
  static void update(chan::InfoPage& info);
  // Writes what `t` would get now, if that changed since `last`.
  static void publish(const Task& t, chan::Channel* ch, chan::Answers& last);
};

}  // namespace starry
