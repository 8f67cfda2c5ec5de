#include "emulated_kernel/sched/scheduler.h"

#include <algorithm>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/sched/policy.h"
#include "emulated_kernel/sched/scheduler_impl.h"

namespace starry {

using State = SchedEntity::State;

Scheduler::Impl::Impl(int n, SchedHooks& h, uint64_t now) : hooks(h), cpus(bit(n)) {
  for (int cpu = 0; cpu < n; cpu++) {
    existing.set(bit(cpu));
    rq(cpu).idle_since_ns = rq(cpu).started_ns = now;
  }
  idle = existing;
}

// Virtual times are relative to their CPU's clock.
void Scheduler::Impl::move_to_cpu(SchedEntity& se, int cpu) {
  if (se.cpu == cpu) return;
  const int64_t from = se.cpu >= 0 ? rq(se.cpu).fair.min_vruntime() : 0;
  se.vruntime += rq(cpu).fair.min_vruntime() - from;
  se.cpu = cpu;
}

void Scheduler::Impl::enqueue(SchedEntity& se, int cpu, Place place) {
  move_to_cpu(se, cpu);
  RunQueue& q = rq(cpu);
  ClassQueue& c = q.class_of(se);
  c.enqueue(se, place);
  se.state = State::queued;
  ++queued;
  if (&c == &q.rt) ++rt_queued;
  if (q.current == nullptr) ready.set(bit(cpu));
  pull_useful = true;
  next_tick_known = false;
}

void Scheduler::Impl::dequeue(SchedEntity& se) {
  RunQueue& q = rq(se.cpu);
  ClassQueue& c = q.class_of(se);
  c.dequeue(se);
  --queued;
  if (&c == &q.rt) --rt_queued;
  if (q.handoff == &se) q.handoff = nullptr;
  if (q.queued() == 0) ready.reset(bit(se.cpu));
  next_tick_known = false;
}

void Scheduler::Impl::ask_to_leave(SchedEntity& current) {
  if (current.need_resched) return;
  current.need_resched = true;
  next_tick_known = false;
  hooks.request_resched(current);
}

// `se` becomes runnable on `cpu`: it may have to take over from the one that runs there.
void Scheduler::Impl::arrive(SchedEntity& se, int cpu, Place place, uint64_t now) {
  RunQueue& q = rq(cpu);
  q.charge(now);
  enqueue(se, cpu, place);
  if (SchedEntity* current = q.current; current != nullptr && q.handoff != &se) {
    ClassQueue& c = q.class_of(se);
    const bool takes_over = &c != &q.class_of(*current)
                                ? se.rt_rank() > 0
                                : c.preempts(se, *current, now - std::min(now, current->picked_at_ns));
    if (takes_over) ask_to_leave(*current);
  }
  if (se.rt_rank() > 0 && q.rt.size() > 1) push_rt(cpu, now);
}

// Real-time tasks that have to wait here go where something less important runs.
void Scheduler::Impl::push_rt(int cpu, uint64_t now) {
  for (int other = 0; other < count() && rq(cpu).rt.size() != 0; other++) {
    if (other == cpu) continue;
    // What this CPU runs next stays.
    const SchedEntity* current = rq(cpu).current;
    const SchedEntity* next = rq(cpu).rt.first();
    if (current != nullptr && current->rt_rank() >= next->rt_rank()) next = nullptr;
    SchedEntity* se = rq(cpu).rt.first_allowed(other, next);
    if (se == nullptr || se->rt_rank() <= rq(other).rank()) continue;
    dequeue(*se);
    arrive(*se, other, Place::tail, now);
  }
}

void Scheduler::Impl::leave_cpu(SchedEntity& se, uint64_t now) {
  RunQueue& q = rq(se.cpu);
  CHECK(q.current == &se);
  q.charge(now);
  q.current = nullptr;
  q.idle_since_ns = now;
  --running;
  se.need_resched = false;
  idle.set(bit(se.cpu));
  if (q.queued() != 0) ready.set(bit(se.cpu));
  pull_useful = true;
  next_tick_known = false;
}

// A task that has left its CPU but wants to go on.
void Scheduler::Impl::put_back(SchedEntity& se, Place place, uint64_t now) {
  int cpu = se.cpu;
  if (!good_for(se, cpu))
    cpu = this->place(se);
  else if (se.rt_rank() == 0)
    cpu = least_loaded(se);
  arrive(se, cpu, place, now);
  if (rq(cpu).best() != &se) ++se.nivcsw;
}

void Scheduler::Impl::run(SchedEntity& se, int cpu, uint64_t now) {
  se.handed_over = rq(cpu).handoff == &se;
  dequeue(se);
  move_to_cpu(se, cpu);
  RunQueue& q = rq(cpu);
  q.idle_total_ns += now - std::min(now, q.idle_since_ns);
  q.current = &se;
  idle.reset(bit(cpu));
  ready.reset(bit(cpu));
  ++running;
  se.state = State::running;
  se.run_since_ns = se.picked_at_ns = now;
  q.class_of(se).start(se);
}

// sched(7): a raised task goes behind its new equals, a lowered one before them, and one whose
// priority stays keeps its place.
template <class Change>
void Scheduler::Impl::change_rank(SchedEntity& se, uint64_t now, Change change) {
  if (se.state == State::running) rq(se.cpu).charge(now);
  const int old_rank = se.rt_rank();
  if (se.state == State::queued) {
    // The queue is chosen by the rank: take the task out while it changes, unless nothing moves.
    SchedEntity probe;
    probe.rt_priority = se.rt_priority;
    probe.pi_priority = se.pi_priority;
    change(probe);
    if (probe.rt_rank() == old_rank) {
      change(se);
      return;
    }
    dequeue(se);
    change(se);
    if (se.rt_rank() == 0) rq(se.cpu).fair.place_woken(se);
    arrive(se, place(se), se.rt_rank() > old_rank ? Place::tail : Place::head, now);
    return;
  }
  change(se);
  if (se.state != State::running || se.rt_rank() == old_rank) return;
  RunQueue& q = rq(se.cpu);
  if (se.rt_rank() == 0) q.fair.place_woken(se);
  if (se.rt_rank() == 0 || old_rank == 0) q.class_of(se).start(se);
  next_tick_known = false;
  const SchedEntity* local = q.rt.first();
  if ((local != nullptr && local->rt_rank() > se.rt_rank()) || pull_rt(se.cpu, se.rt_rank()) != nullptr)
    ask_to_leave(se);
}

Scheduler::Scheduler(int cpus, SchedHooks& hooks, uint64_t now)
    : impl_(std::make_unique<Impl>(std::clamp(cpus, 1, MAX_CPUS), hooks, now)) {}

Scheduler::~Scheduler() = default;

int Scheduler::cpu_count() const { return impl_->count(); }

void Scheduler::init_task(SchedEntity& se) { se.affinity = impl_->existing; }

void Scheduler::fork_task(SchedEntity& child, const SchedEntity& parent) {
  child.policy = parent.policy;
  child.rt_priority = parent.rt_priority;
  child.nice = parent.nice;
  child.affinity = parent.affinity;
  child.cpu = parent.cpu;
  child.vruntime = parent.vruntime;
  child.rseq_cpu = parent.rseq_cpu;
  if (!parent.reset_on_fork) return;
  if (is_rt_policy(child.policy)) {
    child.policy = SCHED_OTHER;
    child.rt_priority = 0;
    child.nice = 0;
  }
  child.nice = std::max(child.nice, 0);
}

void Scheduler::wake(SchedEntity& se, uint64_t now, SchedEntity* waker) {
  if (se.state != State::blocked) return;
  int cpu = impl_->place(se);
  if (waker != nullptr && impl_->wants_handoff(se, *waker, cpu)) {
    cpu = waker->cpu;
    impl_->begin_handoff(se, *waker, now);
  }
  impl_->move_to_cpu(se, cpu);
  ++se.sleeps;
  if (se.rt_rank() == 0) impl_->rq(cpu).fair.place_woken(se);
  impl_->arrive(se, cpu, Place::tail, now);
}

void Scheduler::block(SchedEntity& se, uint64_t now) {
  if (se.state == State::running) {
    impl_->waker_blocks(se);
    impl_->leave_cpu(se, now);
    ++se.nvcsw;
  } else if (se.state == State::queued) {
    impl_->dequeue(se);
  }
  se.state = State::blocked;
}

void Scheduler::yield(SchedEntity& se, uint64_t now) {
  if (se.state != State::running) return;
  impl_->leave_cpu(se, now);
  if (se.rt_rank() == 0) {
    // Behind whoever would be next, so that one of the others runs.
    if (const SchedEntity* next = impl_->rq(se.cpu).fair.first())
      se.vruntime = std::max(se.vruntime, next->vruntime);
  }
  impl_->put_back(se, Place::tail, now);
}

void Scheduler::preempt(SchedEntity& se, uint64_t now) {
  if (se.state != State::running) return;
  impl_->leave_cpu(se, now);
  impl_->put_back(se, impl_->rq(se.cpu).class_of(se).place_when_preempted(se), now);
}

void Scheduler::slept(SchedEntity& se, uint64_t ns, uint64_t now) {
  if (se.state != State::running) return;
  ns = std::min(ns, now - std::min(now, se.run_since_ns));
  se.run_since_ns += ns;
  ++se.sleeps;
  impl_->rq(se.cpu).idle_total_ns += ns;
  impl_->next_tick_known = false;
}

void Scheduler::remove(SchedEntity& se, uint64_t now) {
  if (se.state == State::running) {
    impl_->waker_blocks(se);
    impl_->leave_cpu(se, now);
  }
  if (se.state == State::queued) impl_->dequeue(se);
  se.state = State::blocked;
}

int Scheduler::pick(uint64_t now) {
  Impl& s = *impl_;
  int switched = 0;
  if (now >= s.next_handoff_end) s.end_handoffs(now);
  const auto run_on = [&](SchedEntity& se, int cpu) {
    s.run(se, cpu, now);
    if (s.rq(cpu).rt.size() != 0) s.push_rt(cpu, now);
    ++switched;
    s.hooks.switch_to(se);
  };
  // CPUs with work of their own, the most important first; a still more important task that waits
  // elsewhere goes before it.
  for (int cpu = s.highest_ready(); cpu >= 0; cpu = s.highest_ready()) {
    RunQueue& q = s.rq(cpu);
    SchedEntity* se = q.best();
    if (s.rt_queued > q.rt.size()) {
      if (SchedEntity* better = s.pull_rt(cpu, se->rt_rank())) se = better;
    }
    run_on(*se, cpu);
  }
  if (s.queued == 0 || !s.pull_useful) return switched;
  for (size_t i = s.idle._Find_first(); i < MAX_CPUS; i = s.idle._Find_next(i)) {
    const int cpu = static_cast<int>(i);
    SchedEntity* se = s.rt_queued != 0 ? s.pull_rt(cpu, 0) : nullptr;
    if (se == nullptr) se = s.pull_fair(cpu);
    if (se != nullptr) run_on(*se, cpu);
  }
  s.pull_useful = s.ready.any() || s.next_handoff_end != UINT64_MAX;
  return switched;
}

uint64_t Scheduler::next_tick() const {
  const Impl& s = *impl_;
  if (s.queued == 0) return UINT64_MAX;
  if (s.next_tick_known) return s.next_tick;
  s.next_tick = s.next_handoff_end;
  for (const RunQueue& q : s.cpus) {
    if (q.current == nullptr || q.current->need_resched) continue;
    const uint64_t left = const_cast<RunQueue&>(q).class_of(*q.current).slice_left(*q.current);
    if (left != UINT64_MAX) s.next_tick = std::min(s.next_tick, q.current->run_since_ns + left);
  }
  s.next_tick_known = true;
  return s.next_tick;
}

void Scheduler::tick(uint64_t now) {
  if (impl_->queued == 0) return;
  for (RunQueue& q : impl_->cpus) {
    if (q.current == nullptr || q.current->need_resched || q.queued() == 0) continue;
    q.charge(now);
    if (q.class_of(*q.current).slice_left(*q.current) == 0) impl_->ask_to_leave(*q.current);
  }
  impl_->next_tick_known = false;
}

void Scheduler::set_policy(SchedEntity& se, int policy, int rt_priority, int nice, uint64_t now) {
  const bool was_rt = is_rt_policy(se.policy);
  impl_->change_rank(se, now, [&](SchedEntity& e) {
    if (!was_rt) ++e.sleeps;
    e.policy = policy;
    e.rt_priority = is_rt_policy(policy) ? rt_priority : 0;
    e.nice = nice;
  });
}

void Scheduler::set_pi_priority(SchedEntity& se, int prio, uint64_t now) {
  if (se.pi_priority == prio) return;
  impl_->change_rank(se, now, [&](SchedEntity& e) { e.pi_priority = prio; });
}

Result<void> Scheduler::set_affinity(SchedEntity& se, const CpuMask& mask, uint64_t now) {
  const CpuMask usable = mask & impl_->existing;
  if (usable.none()) return Error{EINVAL};
  se.affinity = usable;
  impl_->pull_useful = true;
  if (se.state == State::running) {
    if (!impl_->may_use(se, se.cpu)) impl_->ask_to_leave(se);
  } else if (se.state == State::queued) {
    if (!impl_->may_use(se, se.cpu)) {
      impl_->dequeue(se);
      impl_->arrive(se, impl_->place(se), Place::tail, now);
    } else if (se.rt_rank() > 0) {
      impl_->push_rt(se.cpu, now);
    }
  }
  return {};
}

void Scheduler::keep_free(const CpuMask& cpus, uint64_t now) {
  Impl& s = *impl_;
  s.kept_free = cpus & s.existing;
  s.pull_useful = true;
  for (int cpu = 0; cpu < s.count(); cpu++) {
    if (!s.kept_free.test(Impl::bit(cpu))) continue;
    RunQueue& q = s.rq(cpu);
    if (q.current != nullptr && !s.good_for(*q.current, cpu)) s.ask_to_leave(*q.current);
    for (int other = 0; other < s.count(); other++) {
      if (s.kept_free.test(Impl::bit(other))) continue;
      while (SchedEntity* se = q.fair.first_allowed(other)) {
        s.dequeue(*se);
        s.arrive(*se, other, Place::tail, now);
      }
    }
  }
}

void Scheduler::request_resched(SchedEntity& se) {
  if (se.state == State::running) impl_->ask_to_leave(se);
}

SchedEntity* Scheduler::current_on(int cpu) const { return impl_->rq(cpu).current; }
bool Scheduler::idle(int cpu) const { return impl_->idle.test(Impl::bit(cpu)); }
int Scheduler::queued(int cpu) const { return static_cast<int>(impl_->rq(cpu).queued()); }
bool Scheduler::anybody_waits() const { return impl_->queued != 0; }
int Scheduler::nr_running() const { return static_cast<int>(impl_->queued + impl_->running); }
int Scheduler::cpus_in_use() const { return static_cast<int>(impl_->running); }

uint64_t Scheduler::idle_ns(int cpu, uint64_t now) const {
  const RunQueue& q = impl_->rq(cpu);
  uint64_t total = q.idle_total_ns;
  if (q.current == nullptr) total += now - std::min(now, q.idle_since_ns);
  return total;
}

uint64_t Scheduler::busy_ns(int cpu, uint64_t now) const {
  const uint64_t up = now - std::min(now, impl_->rq(cpu).started_ns);
  return up - std::min(up, idle_ns(cpu, now));
}

uint64_t Scheduler::rr_interval_ns(const SchedEntity& se) const {
  if (se.policy == SCHED_FIFO) return 0;
  return se.policy == SCHED_RR ? RR_SLICE_NS : FAIR_SLICE_NS;
}

}  // namespace starry
