// Kernel fibers. Every suspended piece of kernel code keeps its own stack; the kernel loop itself moves
// from fiber to fiber: when a system call sleeps, another fiber carries the loop on, and a call that does
// not sleep never switches. All fibers run on the kernel thread.
#pragma once

#include <functional>

namespace starry {

class Fiber;
class Sleeper;
class Task;

// Runs `turn` over and over (on changing fibers) until fibers_quit(). Call once, on the kernel thread.
void fibers_run(std::function<void()> turn);
void fibers_quit();

Fiber* this_fiber();
// Suspends this fiber until fiber_ready() was called for it; the loop goes on elsewhere.
void fiber_park();
void fiber_ready(Fiber* f);
// True when a fiber waits to be continued: the loop's turn should return soon.
bool fibers_pending();

// Runs `fn` on a fiber of its own, soon, outside any task: kernel work that may sleep.
void kthread_run(std::function<void()> fn);
// From kthread_run's `fn`: works on behalf of `t` from now on (it is current(), but the kernel thread
// sleeps by itself, without an emulated CPU); null ends that.
void kthread_serve(Task* t);

// Which task's kernel code this fiber runs; null for the loop itself and for kernel threads.
void set_current(Task* t);

}  // namespace starry
