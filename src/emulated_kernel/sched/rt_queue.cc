#include "emulated_kernel/sched/rt_queue.h"

#include <sched.h>

#include <algorithm>
#include <bit>

namespace starry {

RtQueue::~RtQueue() {
  for (List& l : lists_) l.clear();
}

void RtQueue::enqueue(SchedEntity& se, Place place) {
  const auto rank = static_cast<size_t>(se.rt_rank());
  List& list = lists_[rank];
  if (place == Place::head)
    list.push_front(se);
  else
    list.push_back(se);
  used_[rank / 64] |= 1ULL << (rank % 64);
  ++size_;
}

void RtQueue::dequeue(SchedEntity& se) {
  const auto rank = static_cast<size_t>(se.rt_rank());
  List& list = lists_[rank];
  list.erase(list.iterator_to(se));
  if (list.empty()) used_[rank / 64] &= ~(1ULL << (rank % 64));
  --size_;
}

int RtQueue::highest() const { return highest_below(LEVELS); }

int RtQueue::highest_below(int rank) const {
  for (int word = (rank - 1) / 64; word >= 0; --word) {
    uint64_t bits = used_[word];
    if (rank < (word + 1) * 64) bits &= (1ULL << (rank % 64)) - 1;
    if (bits != 0) return word * 64 + std::bit_width(bits) - 1;
  }
  return 0;
}

SchedEntity* RtQueue::first() const {
  const int rank = highest();
  if (rank == 0) return nullptr;
  return const_cast<SchedEntity*>(&lists_[static_cast<size_t>(rank)].front());
}

SchedEntity* RtQueue::first_allowed(int cpu, const SchedEntity* except) const {
  for (int rank = highest(); rank != 0; rank = highest_below(rank)) {
    for (const SchedEntity& se : lists_[static_cast<size_t>(rank)]) {
      if (&se != except && se.affinity.test(static_cast<size_t>(cpu))) return const_cast<SchedEntity*>(&se);
    }
  }
  return nullptr;
}

void RtQueue::start(SchedEntity& se) {
  if (se.slice_left_ns == 0 || se.slice_left_ns > RR_SLICE_NS) se.slice_left_ns = RR_SLICE_NS;
}

void RtQueue::charge(SchedEntity& running, uint64_t delta) {
  if (running.policy != SCHED_RR) return;
  if (delta < running.slice_left_ns) {
    running.slice_left_ns -= delta;
  } else if (others_at(running.rt_rank())) {
    running.slice_left_ns = 0;
  } else {  // alone at its priority: slices follow each other
    running.slice_left_ns = RR_SLICE_NS - (delta - running.slice_left_ns) % RR_SLICE_NS;
  }
}

bool RtQueue::preempts(const SchedEntity& se, SchedEntity& running, uint64_t) const {
  return se.rt_rank() > running.rt_rank();
}

uint64_t RtQueue::slice_left(const SchedEntity& running) const {
  if (running.policy != SCHED_RR || !others_at(running.rt_rank())) return UINT64_MAX;
  return running.slice_left_ns;
}

Place RtQueue::place_when_preempted(const SchedEntity& running) const {
  const bool slice_over = running.policy == SCHED_RR && running.slice_left_ns == 0;
  return slice_over ? Place::tail : Place::head;
}

}  // namespace starry
