#include "emulated_kernel/entry/fibers.h"

#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <deque>
#include <vector>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/entry/fiber_sanitizer.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace ctx = boost::context;

class Fiber {
 public:
  ctx::fiber context;
  Task* task = nullptr;
  Sleeper* sleeper = nullptr;
  [[no_unique_address]] FiberSanitizer sanitizer;
};

namespace {

constexpr size_t STACK_SIZE = 256 * 1024;

struct Fibers {
  Fiber main;  // the caller of fibers_run; only there to come back to
  Fiber* current = &main;
  Fiber* previous = nullptr;  // who switched to the fiber that runs now
  std::vector<Fiber*> spare;  // parked in the loop, with nothing of their own to do
  std::deque<Fiber*> ready;
  std::deque<std::function<void()>> kthreads;
  std::function<void()> turn;
  bool quit = false;
} fibers;

// A kernel thread's sleeper: no signals, no emulated CPU.
class KthreadSleeper final : public Sleeper {
 public:
  explicit KthreadSleeper(Fiber* f) : fiber_(f) {}
  bool signal_pending(SleepMode) const override { return false; }
  void block() override {
    parked_ = true;
    fiber_park();
  }
  void wake_up() override {
    if (parked_) fiber_ready(fiber_);
    parked_ = false;
  }

 private:
  Fiber* fiber_;
  bool parked_ = false;
};

void switch_to(Fiber* to) {
  fibers.previous = fibers.current;
  fibers.current = to;
  Fiber* self = fibers.previous;
  self->sanitizer.leave_for(to->sanitizer);
  ctx::fiber from = std::move(to->context).resume();
  // Back again: `from` is the fiber that switched to us.
  self->sanitizer.arrived(fibers.previous->sanitizer);
  fibers.previous->context = std::move(from);
}

void run_kthread() {
  auto fn = std::move(fibers.kthreads.front());
  fibers.kthreads.pop_front();
  Fiber* self = fibers.current;
  KthreadSleeper sleeper(self);
  self->sleeper = &sleeper;
  fn();
  self->sleeper = nullptr;
}

void loop() {
  while (!fibers.quit) {
    if (!fibers.ready.empty()) {
      Fiber* next = fibers.ready.front();
      fibers.ready.pop_front();
      fibers.spare.push_back(fibers.current);
      switch_to(next);
    } else if (!fibers.kthreads.empty()) {
      run_kthread();
    } else {
      fibers.turn();
    }
  }
}

Fiber* new_fiber() {
  auto* f = new Fiber;
  ctx::protected_fixedsize_stack allocator(STACK_SIZE);
  const ctx::stack_context stack = allocator.allocate();
  f->sanitizer.created(stack.sp, stack.size);
  const ctx::preallocated place(stack.sp, stack.size, stack);
  f->context = ctx::fiber(std::allocator_arg, place, allocator, [](ctx::fiber&& from) {
    fibers.current->sanitizer.arrived(fibers.previous->sanitizer);
    fibers.previous->context = std::move(from);
    loop();
    // The end of the kernel: back to the caller of fibers_run. Suspended fibers are abandoned.
    fibers.previous = fibers.current;
    fibers.current = &fibers.main;
    fibers.previous->sanitizer.leave_for(fibers.main.sanitizer);
    return std::move(fibers.main.context);
  });
  return f;
}

}  // namespace

void fibers_run(std::function<void()> turn) {
  fibers.turn = std::move(turn);
  fibers.quit = false;
  switch_to(new_fiber());
  delete fibers.previous;  // the one whose loop has ended
}

void fibers_quit() { fibers.quit = true; }

Fiber* this_fiber() { return fibers.current; }

void fiber_park() {
  CHECK(fibers.current != &fibers.main);
  Fiber* next;
  if (fibers.spare.empty()) {
    next = new_fiber();
  } else {
    next = fibers.spare.back();
    fibers.spare.pop_back();
  }
  switch_to(next);
}

void fiber_ready(Fiber* f) { fibers.ready.push_back(f); }

bool fibers_pending() { return !fibers.ready.empty() || !fibers.kthreads.empty(); }

void kthread_run(std::function<void()> fn) { fibers.kthreads.push_back(std::move(fn)); }

void kthread_serve(Task* t) { fibers.current->task = t; }

void set_current(Task* t) {
  fibers.current->task = t;
  fibers.current->sleeper = t;
}

Task& current() {
  CHECK(fibers.current->task != nullptr);
  return *fibers.current->task;
}

bool in_task() { return fibers.current->task != nullptr; }

Sleeper& current_sleeper() {
  CHECK(fibers.current->sleeper != nullptr);
  return *fibers.current->sleeper;
}

}  // namespace starry
