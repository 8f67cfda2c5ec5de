#include "tracer/supervisor.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/entry/fibers.h"
#include "emulated_kernel/entry/watched.h"
#include "emulated_kernel/sched/scheduler.h"
#include "tracer/guest_process.h"
#include "tracer/host_cpus.h"
#include "tracer/precopy_table.h"
#include "tracer/start_error.h"
#include "tracer/stub_answers.h"

namespace starry {

namespace {

constexpr uint32_t GUEST_SPIN = 2000;       // turns of a pause loop: about 30 us
constexpr uint64_t SHORT_SPIN_NS = 50'000;  // before the kernel thread sleeps
constexpr uint64_t LONG_SPIN_NS = 400'000;  // while it is woken again and again after less than that
// Of note_gap(): what there is between two calls.
constexpr uint64_t FAR_BELOW_NS = 40'000, NEAR_ABOVE_NS = 120'000, MAX_GAP_NS = 400'000;
constexpr uint64_t MAX_KERNEL_SPIN_NS = 100'000;  // to a timer
constexpr int POOL_SIZE = 2;
// Of share_cpus(): what a call takes at most on crowded CPUs so that it is worth a trial.
constexpr uint64_t CROWDED_CALL_NS = 200'000;
constexpr uint32_t CALLS_COUNTED = 64;
constexpr uint32_t MAX_TRIAL_PENALTY = 128;  // times as many calls

void raise_limits() {
  rlimit r{};
  if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
  }
}

cpu_set_t guest_cpus() {
  cpu_set_t used;
  CPU_ZERO(&used);
  for (int cpu = 0; cpu < scheduler().cpu_count(); ++cpu) {
    if (scheduler().current_on(cpu) == nullptr) continue;
    const cpu_set_t host = host_cpu_for(cpu);
    CPU_OR(&used, &used, &host);
  }
  return used;
}

}  // namespace

bool Supervisor::spin_enabled = true;

Supervisor::Supervisor(KernelConfig config) {
  raise_limits();
  prctl(PR_SET_TIMERSLACK, 1);
  set_platform(&host_platform);
  if (!ChannelTable::instance().init()) start_error("cannot create shared memory: {}", strerror(errno));
  fill_precopy_table(ChannelTable::instance().info_fd());
  std::string why;
  if (!ProcessPool::instance().start(POOL_SIZE, &why).ok()) start_error("{}", why);
  kernel_ = std::make_unique<Kernel>(std::move(config));
  watcher_ = std::thread([this] { watch_children(); });
  watcher_.detach();
}

Supervisor::~Supervisor() { ProcessPool::instance().stop(); }

void Supervisor::await_processes() {
  std::string why;
  if (!ProcessPool::instance().await(&why).ok()) start_error("{}", why);
}

void Supervisor::run(std::function<void()> boot) {
  if (host_cpu_count() > 1) ChannelTable::instance().info().kernel_tid = kernel_tid_ = gettid();
  kthread_run(std::move(boot));
  fibers_run([this] { turn(); });
}

void Supervisor::quit() { fibers_quit(); }

// Whoever waits may spin while not every host CPU runs a guest; else the other side needs this very CPU.
bool Supervisor::may_spin() {
  const bool spare =
      spin_enabled && scheduler().cpus_in_use() < host_cpu_count() && !ChannelTable::instance().calm.now();
  uint32_t& turns = ChannelTable::instance().info().spin;
  if (spare != (turns != 0)) __atomic_store_n(&turns, spare ? GUEST_SPIN : 0, __ATOMIC_RELAXED);
  return spare;
}

// While guests run on every host CPU nobody spins, and a call costs a sleep and a wake-up on each side.
// Guests that make many calls are better off if they leave one CPU to the kernel thread. Whether they are is
// tried out; after a failure it takes longer until the next trial.
void Supervisor::share_cpus(uint64_t now) {
  const uint64_t per_call = (now - counted_since_ns_) / std::max(calls_, 1U);
  const bool crowded = spin_enabled && host_cpu_count() > 1 && crowded_ > CALLS_COUNTED / 2;
  calls_ = crowded_ = 0;
  counted_since_ns_ = now;
  if (has_cpu_) {
    if (per_call < crowded_call_ns_) {
      trial_penalty_ = 0;
      return;
    }
    trial_pause_ = trial_penalty_ = std::clamp(trial_penalty_ * 2, 2U, MAX_TRIAL_PENALTY);
  } else {
    if (!crowded || per_call > CROWDED_CALL_NS) return;
    if (trial_pause_ != 0) {
      --trial_pause_;
      return;
    }
    crowded_call_ns_ = per_call;
  }
  has_cpu_ = !has_cpu_;
  CpuMask mask;
  if (has_cpu_)
    for (int cpu = host_cpu_count() - 1; cpu < scheduler().cpu_count(); cpu += host_cpu_count())
      mask.set(static_cast<size_t>(cpu));
  scheduler().keep_free(mask, now);
}

void Supervisor::turn() {
  bool did = false;
  ChannelTable& table = ChannelTable::instance();
  table.turn_begins();
  StubAnswers::update(table.info());
  may_spin();
  const bool crowded = scheduler().cpus_in_use() >= host_cpu_count();
  // First: nothing else may see these threads as running.
  for (int64_t id; (id = table.next_nap()) >= 0;) {
    did = true;
    if (GuestThread* t = table.get(static_cast<uint32_t>(id))) t->on_nap();
    if (fibers_pending()) return;
  }
  while (host_platform.run_posted()) {
    did = true;
    if (fibers_pending()) return;
  }
  for (int i = 0; i < 64; ++i) {
    GuestThread* t = table.next_rung();
    if (t == nullptr) break;
    did = true;
    table.calm.count_call();
    crowded_ += crowded ? 1 : 0;
    if (++calls_ == CALLS_COUNTED) share_cpus(host_platform.monotonic_ns());
    t->on_ring();
    if (fibers_pending()) return;
  }
  uint64_t deadline = kernel_->run_pending();
  // A carrier's own sleep is a call that nobody sees.
  const bool watched = call_is_watched(SYS_nanosleep) || call_is_watched(SYS_clock_nanosleep);
  table.allow_naps(!watched && !scheduler().anybody_waits());
  if (!did && !fibers_pending()) idle(deadline);
}

// The host has taken the CPU from the kernel thread since the last time.
bool Supervisor::others_want_this_cpu() {
  rusage used{};
  getrusage(RUSAGE_THREAD, &used);
  return std::exchange(preemptions_, used.ru_nivcsw) != used.ru_nivcsw;
}

// Where the kernel thread is between calls. Far: on a CPU without guests, where it spins. Near: asleep, and
// who calls has it woken on its own CPU (stub/channel_io.cc). Near is better where calls are rare: the CPU
// without guests would have gone to sleep itself.
void Supervisor::note_gap(uint64_t gap_ns) {
  constexpr int64_t SHARE = 32;
  mean_gap_ns_ += (static_cast<int64_t>(std::min(gap_ns, MAX_GAP_NS)) - mean_gap_ns_) / SHARE;
  const auto mean = static_cast<uint64_t>(mean_gap_ns_);
  if (near_ ? mean >= FAR_BELOW_NS : mean <= NEAR_ABOVE_NS) return;
  near_ = !near_;
  ChannelTable::instance().info().kernel_tid = near_ ? kernel_tid_ : 0;
}

// Nothing to do until `deadline`: spins a little while a guest runs and a CPU is to spare, then sleeps.
void Supervisor::idle(uint64_t deadline) {
  ChannelTable& table = ChannelTable::instance();
  auto something = [&] { return table.anything() || host_platform.posted(); };
  const uint64_t start = host_platform.monotonic_ns();
  if (has_cpu_ && start - counted_since_ns_ > 2 * CALLS_COUNTED * CROWDED_CALL_NS) {
    share_cpus(start);
    return;
  }
  if (start >= deadline) return;
  table.calm.end_in_time(start);
  table.before_idle();
  release_if_pulled();
  // Only a guest in user mode can ring soon. For a moment it costs more to set the host's timer than to wait.
  const bool soon = deadline - start < MAX_KERNEL_SPIN_NS;
  const bool woke_sleeper = std::exchange(table.woke_sleeper, false);
  const bool comes_soon = std::exchange(table.comes_soon, false);
  if (scheduler().cpus_in_use() > 0 && may_spin() && (soon || comes_soon || (!woke_sleeper && !near_))) {
    // A thread that spins where the one runs that it waits for keeps it from running. The host would not move
    // either of them for milliseconds: guests are bound.
    leave_cpus(guest_cpus());
    for (;;) {
      for (int i = 0; i < 32; ++i) {
        if (something()) return note_gap(host_platform.monotonic_ns() - start);
        __builtin_ia32_pause();
      }
      uint64_t t = host_platform.monotonic_ns();
      if (t >= deadline) return;
      if (t - start > (near_ ? SHORT_SPIN_NS : spin_ns_) && !soon) break;
    }
  }
  table.check_assisted();
  if (near_ ? scheduler().cpus_in_use() == 0 : !table.calm.now())
    use_all_cpus();
  else if (!near_ && scheduler().cpus_in_use() > 0)
    stay_on_cpus(guest_cpus());
  const uint64_t asleep_since = host_platform.monotonic_ns();
  table.sleep(deadline, something);
  release_if_pulled();
  const uint64_t now = host_platform.monotonic_ns();
  note_gap(now - start);
  const bool soon_back = now - asleep_since < LONG_SPIN_NS;
  spin_ns_ = soon_back && !others_want_this_cpu() ? LONG_SPIN_NS : SHORT_SPIN_NS;
}

void Supervisor::release_if_pulled() {
  if (!ChannelTable::instance().pulled()) return;
  was_bound();
  use_all_cpus();
}

// Reaps host processes and tells the kernel. A guest that ended as it should has no carriers left.
void Supervisor::watch_children() {
  prctl(PR_SET_NAME, "starry-watch");
  for (;;) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED) != 0) {
      if (errno == ECHILD) usleep(10000);
      continue;
    }
    int pid = info.si_pid;
    host_platform.post([pid] {
      LeftChannels::instance().process_gone(pid);
      GuestProcess* found = GuestProcess::find(pid);
      if (found == nullptr) return;
      Ref<GuestProcess> p(found);
      p->dead = true;
      auto threads = p->threads;
      for (GuestThread* g : threads) g->on_death();
    });
  }
}

}  // namespace starry
