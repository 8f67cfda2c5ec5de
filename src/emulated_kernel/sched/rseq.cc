#include "emulated_kernel/sched/rseq.h"

#include <sys/mman.h>

#include <csignal>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

// struct rseq and struct rseq_cs of the kernel ABI (include/uapi/linux/rseq.h).
struct RseqArea {
  uint32_t cpu_id_start, cpu_id;
  uint64_t rseq_cs;
  uint32_t flags, node_id, mm_cid;
};
static_assert(offsetof(RseqArea, mm_cid) + 4 == RSEQ_FEATURE_SIZE);

struct RseqCs {
  uint32_t version, flags;
  uint64_t start_ip, post_commit_offset, abort_ip;
};
static_assert(sizeof(RseqCs) == 32);

// Threads in rseq_fence() wait here for the others to pass rseq_handle_return().
WaitQueue& fence_queue() {
  static WaitQueue q;
  return q;
}

bool planted_bug = false;

// The area is written behind the system call's back: never through the buffers that travel with it.
bool peek(Task& t, UserAddr addr, void* dst, size_t n) {
  if (!t.mm->range_has(addr, n, PROT_READ)) return false;
  auto r = t.mm->space->peek(addr, dst, n);
  return r.ok() && *r == n;
}

bool poke(Task& t, UserAddr addr, const void* src, size_t n) {
  if (!t.mm->range_has(addr, n, PROT_WRITE)) return false;
  auto r = t.mm->space->poke(addr, src, n);
  return r.ok() && *r == n;
}

bool write_ids(Task& t, uint32_t cpu_start, uint32_t cpu, uint32_t mm_cid) {
  const uint32_t ids[2] = {cpu_start, cpu};
  if (!poke(t, t.rseq + offsetof(RseqArea, cpu_id_start), ids, sizeof ids)) return false;
  // The original area ends with padding at the place of the newer fields.
  const uint32_t more[2] = {0, mm_cid};
  return poke(t, t.rseq + offsetof(RseqArea, node_id), more, sizeof more);
}

bool clear_cs(Task& t) {
  const uint64_t none = 0;
  return poke(t, t.rseq + offsetof(RseqArea, rseq_cs), &none, sizeof none);
}

// Loads and checks the descriptor of a critical section. False: the guest's memory is at fault.
bool load_cs(Task& t, uint64_t addr, RseqCs* cs) {
  if (addr >= GUEST_TASK_SIZE || !peek(t, addr, cs, sizeof *cs)) return false;
  if (cs->start_ip >= GUEST_TASK_SIZE || cs->start_ip + cs->post_commit_offset >= GUEST_TASK_SIZE ||
      cs->abort_ip >= GUEST_TASK_SIZE || cs->version > 0)
    return false;
  if (cs->start_ip + cs->post_commit_offset < cs->start_ip) return false;
  if (cs->abort_ip - cs->start_ip < cs->post_commit_offset) return false;  // aborts into itself
  uint32_t signature = 0;
  if (!peek(t, cs->abort_ip - sizeof signature, &signature, sizeof signature)) return false;
  if (signature != t.rseq_sig) {
    klog(LogLevel::warn, "{}[{}]: possible attack attempt: unexpected rseq signature {:#x}, expecting {:#x}",
         t.name(), t.tid, signature, t.rseq_sig);
    return false;
  }
  return true;
}

// Outside a section the pointer is stale and goes; inside, the thread continues at the abort handler.
bool fix_ip(Task& t) {
  RseqArea area;
  if (!t.host->window_read(t.rseq, &area, RSEQ_FEATURE_SIZE) && !peek(t, t.rseq, &area, RSEQ_FEATURE_SIZE))
    return false;
  if (area.rseq_cs == 0) return true;
  RseqCs cs;
  if (!load_cs(t, area.rseq_cs, &cs)) return false;
  const bool inside = t.regs().rip - cs.start_ip < cs.post_commit_offset;
  if (!inside) return clear_cs(t);
  // The NO_RESTART flags exist no more; a guest that sets them is told so.
  if (area.flags != 0 || cs.flags != 0) return false;
  if (!clear_cs(t)) return false;
  if (!planted_bug) t.regs().rip = cs.abort_ip;
  return true;
}

}  // namespace

void rseq_handle_return(Task& t, bool preempted_migrated_or_signal) {
  if (t.se.rseq_fence && preempted_migrated_or_signal) {
    t.se.rseq_fence = false;
    fence_queue().wake_all();
  }
  if (t.rseq == 0 || t.exiting) return;
  bool good = !preempted_migrated_or_signal || fix_ip(t);
  if (good && t.se.rseq_cpu != t.se.cpu) {
    const auto cpu = static_cast<uint32_t>(t.se.cpu);
    good = write_ids(t, cpu, cpu, cpu);
    t.se.rseq_cpu = t.se.cpu;
  }
  if (!good) force_signal(t, siginfo_kernel(SIGSEGV));
}

void rseq_register(Task& t, uint64_t area, uint32_t len, uint32_t sig) {
  t.rseq = area;
  t.rseq_len = len;
  t.rseq_sig = sig;
  t.se.rseq_cpu = -1;
  rseq_handle_return(t, false);
}

Result<void> rseq_unregister(Task& t) {
  constexpr uint32_t UNINITIALIZED = ~0U;  // RSEQ_CPU_ID_UNINITIALIZED
  if (!write_ids(t, 0, UNINITIALIZED, 0)) return Error{EFAULT};
  rseq_exec(t);
  return {};
}

void rseq_plant_bug() { planted_bug = true; }

void rseq_exec(Task& t) {
  t.rseq = 0;
  t.rseq_len = t.rseq_sig = 0;
  t.se.rseq_cpu = -1;
}

Result<void> rseq_fence(Task& t, int cpu) {
  constexpr uint64_t RECHECK_NS = 1'000'000;  // a thread that blocks instead does not wake us
  const auto must_pass = [&](const Task& other) {
    return &other != &t && !other.exited && other.se.state == SchedEntity::State::running &&
           (cpu < 0 || other.se.cpu == cpu) && other.se.rseq_fence;
  };
  const auto for_each_other = [&](auto&& fn) {
    for (Task* other : t.group->threads) {
      if (other != &t && other->mm == t.mm) fn(*other);
    }
  };
  for_each_other([&](Task& other) {
    if (other.rseq == 0 || other.se.state != SchedEntity::State::running) return;
    if (cpu >= 0 && other.se.cpu != cpu) return;
    other.se.rseq_fence = true;
    scheduler().request_resched(other.se);
  });
  for (;;) {
    bool waiting = false;
    for_each_other([&](Task& other) { waiting |= must_pass(other); });
    if (!waiting) return {};
    SleepEntry entry(t);
    fence_queue().add(entry);
    if (sleep_entry(entry, Deadline::after(RECHECK_NS), SleepMode::killable) == Wake::signal)
      return Error{EINTR};
  }
}

}  // namespace starry
