#include "emulated_kernel/sync/wait_queue.h"

namespace starry {

int WaitQueue::wake(uint32_t events, int nr_exclusive) {
  int accepted = 0;
  // The iterator moves on before the callback: the entry may unlink itself.
  for (auto it = entries_.begin(); it != entries_.end();) {
    WaitEntry& e = *it++;
    const bool exclusive = e.exclusive;
    if (!e.on_wake(events)) continue;
    ++accepted;
    if (exclusive && nr_exclusive > 0 && --nr_exclusive == 0) break;
  }
  return accepted;
}

}  // namespace starry
