// The host CPUs that this process may use, and which of them stands for an emulated CPU.
#pragma once

#include <sched.h>

namespace starry {

int host_cpu_count();
// Emulated CPU i is the i-th allowed host CPU, modulo their number.
int host_cpu_number(int emulated_cpu);
cpu_set_t host_cpu_for(int emulated_cpu);
// Moves the calling thread away from where it is if that is one of `used` and another is left.
void leave_cpus(const cpu_set_t& used);
// Keeps it on `cpus`.
void stay_on_cpus(const cpu_set_t& cpus);
// Allows it again to run anywhere. All three are for one thread.
void use_all_cpus();
// Somebody else has bound it.
void was_bound();

}  // namespace starry
