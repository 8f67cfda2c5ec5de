// Restartable sequences, rseq(2): the emulated CPU's number in guest memory, and the jump to the abort
// handler when a thread lost its CPU inside a critical section. Behaves as kernel/rseq.c of Linux 6.3
// and later (with node_id and mm_cid).
#pragma once

#include <cstdint>

#include "emulated_kernel/base/result.h"

namespace starry {

class Task;

// Bytes of struct rseq that the kernel maintains, for the auxiliary vector (AT_RSEQ_FEATURE_SIZE and
// AT_RSEQ_ALIGN).
inline constexpr uint64_t RSEQ_FEATURE_SIZE = 28;
inline constexpr uint64_t RSEQ_ALIGN = 32;

// rseq(2) after its checks. What is wrong with the memory shows on the way back to user mode, as SIGSEGV.
void rseq_register(Task& t, uint64_t area, uint32_t len, uint32_t sig);
Result<void> rseq_unregister(Task& t);  // EFAULT

// Called on the way back to user mode, before a signal frame is built. `preempted_migrated_or_signal`:
// the thread lost its CPU or is about to enter a signal handler, so that a critical section has to be
// given up; else only the CPU number is brought up to date. Cheap when there is nothing to do: call it
// whenever t.rseq is not 0. May send SIGSEGV.
void rseq_handle_return(Task& t, bool preempted_migrated_or_signal);

// execve(2): the new program has no registration.
void rseq_exec(Task& t);

// membarrier(2), PRIVATE_EXPEDITED_RSEQ: returns when no other thread of the address space is inside a
// critical section that it entered before (`cpu` >= 0: only threads on that CPU matter). EINTR-free
// unless a fatal signal arrives.
Result<void> rseq_fence(Task& t, int cpu);

// For tests of tests: from now on threads continue inside their critical sections instead of aborting.
void rseq_plant_bug();

}  // namespace starry
