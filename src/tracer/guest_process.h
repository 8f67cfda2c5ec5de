// Guest processes from the host's side: one host process per address space, one carrier (a host thread
// waiting in the stub) per guest thread, and the channels between them and the kernel.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "emulated_kernel/platform.h"
#include "emulated_kernel/sync/wait.h"
#include "tracer/calm.h"
#include "tracer/channel.h"
#include "tracer/channel_memory.h"
#include "tracer/owned_fd.h"
#include "tracer/rewriter.h"

namespace starry {

class Fiber;
class GuestThread;

// The descriptor of the shared info page and doorbell, and the table of channels. One per supervisor.
class ChannelTable {
 public:
  static ChannelTable& instance();
  // Creates the shared pages; false with errno set.
  bool init();
  int info_fd() const { return info_fd_; }
  chan::Doorbell& doorbell() { return *doorbell_; }
  chan::InfoPage& info() { return *info_; }
  // Doorbell numbers. Thread-safe: processes are made ready on a thread of their own.
  // Finds a number for the thread, MAX_CHANNELS when none is free. The kernel thread may see it from then on,
  // so the rest of it must be complete: `id` is set before.
  void attach(GuestThread* t, uint32_t& id);
  void detach(uint32_t id);
  // The number stays with a carrier that has no thread for now, and goes to the next one.
  void reserve(uint32_t id);
  void attach_again(GuestThread* t, uint32_t id);
  GuestThread* get(uint32_t id) {
    GuestThread* t = slots_[id].load(std::memory_order_acquire);
    return t == RESERVED ? nullptr : t;
  }
  // Threads that run in user mode or carry out an action: their events are looked for in their channels. On
  // the kernel thread.
  void poll(GuestThread* t) { polled_.push_back(t); }
  void unpoll(GuestThread* t);
  // Next thread that may have an event, or null.
  GuestThread* next_rung();
  // Next channel that offers a nap, or -1.
  int64_t next_nap();
  bool anything() const;  // one of the two would find something
  // Whether carriers may do short sleeps on their own.
  void allow_naps(bool allow);
  // Sleeps until a channel rings, wake() is called or the deadline (CLOCK_MONOTONIC ns) passes.
  // `something` is asked once more when a wake() can no longer be missed.
  void sleep(uint64_t deadline_ns, const std::function<bool()>& something);
  // A carrier has bound the kernel thread to its CPU since the last time.
  bool pulled() {
    return __atomic_load_n(&doorbell_->pulled, __ATOMIC_RELAXED) != 0 &&
           __atomic_exchange_n(&doorbell_->pulled, 0, __ATOMIC_SEQ_CST) != 0;
  }
  // A carrier whose call had to wait was woken on an idle CPU: it takes longer to ring again than spinning
  // for it is worth.
  bool woke_sleeper = false;
  // A carrier was kicked, or enters a handler, which mostly is short: however rare calls are, one comes soon.
  bool comes_soon = false;
  Calm calm;
  // Before an action that takes pages away: nobody spins from now on.
  void calm_down(uint32_t calls);

  // A thread whose call has to wait spins a moment longer: if another gets its CPU, it wakes that one's
  // carrier.
  void leaves(GuestThread* t);
  // True: the one that leaves the CPU of `t` will wake the carrier of `t`.
  bool woken_by_leaver(GuestThread& t);
  void turn_begins();     // of the kernel loop
  void before_idle();     // nobody takes the CPU
  void check_assisted();  // whoever was to wake another has had the time for it
  void forget(GuestThread* t);
  void wake();  // from any thread

 private:
  static inline GuestThread* const RESERVED = reinterpret_cast<GuestThread*>(1);

  int info_fd_ = -1;
  chan::InfoPage* info_ = nullptr;
  chan::Doorbell* doorbell_ = nullptr;
  // What was taken from the doorbell and is not yet handled. Not on the stack: the loop changes fibers.
  chan::DoorbellBits pending_naps_{};
  std::atomic<GuestThread*> slots_[chan::MAX_CHANNELS] = {};  // half a MiB: never written at the start
  std::atomic<uint32_t> next_id_{0};
  void stop_spinning();

  std::vector<GuestThread*> polled_;  // at most one per emulated CPU, and those that are busy
  GuestThread* leaver_ = nullptr;
  GuestThread* assisted_ = nullptr;  // another carrier was asked to wake its carrier
  uint32_t leaver_turns_ = 0, assisted_turns_ = 0;
  size_t next_polled_ = 0;
};

// A host thread that waits in the stub, and what the kernel knows of it. It outlives the guest thread that it
// was made for: the next one of the process takes it over, which costs less than to end it and make another.
struct Carrier {
  uint32_t slot, id;
  int tid, bound_cpu;
  uint64_t fs;  // its FS base
  uint32_t seen_ring;
  uint64_t seen_napped;
  uint64_t cpu_ns;  // that it had used when its guest thread ended
  OwnedFd schedstat;
};

class GuestProcess final : public HostSpace {
 public:
  // Before its process is there. `parent`: what its parent keeps of the channels of former children.
  GuestProcess(OwnedFd socket, ChannelMemory channels, std::shared_ptr<SpareChannels> parent);
  // Of the host process of `before`, which has ended for the guest.
  explicit GuestProcess(GuestProcess& before);
  ~GuestProcess() override;

  Result<size_t> peek(uint64_t addr, void* dst, size_t n) override;
  Result<size_t> poke(uint64_t addr, const void* src, size_t n) override;
  int host_pid() const override { return pid_; }

  // False if it is no child of the supervisor, or the process of another: a guest said it.
  bool set_pid(int pid);
  // The one with this host pid, or null.
  static GuestProcess* find(int pid);
  // Whether the host process has ended, also before anybody noticed.
  bool ended() const;
  chan::Channel* channel(uint32_t slot) { return channels_.channel(slot); }
  // Channels for a child.
  ChannelMemory take_channels();
  const std::shared_ptr<SpareChannels>& spare_channels() const { return spare_channels_; }
  // A slot whose former carrier is gone for certain; MAX_SLOTS when all are taken.
  uint32_t take_slot(uint32_t want = chan::MAX_SLOTS);
  void release_slot(uint32_t slot) { used_[slot] = false; }
  bool send_fds(const int* fds, int count);

  bool dead = false;         // the host process is gone
  bool ends_itself = false;  // its last carrier was told to end it
  bool had_threads = false;  // more than one carrier, ever
  static constexpr size_t MAX_IDLE = 16;
  std::vector<Carrier> idle;  // the one that waits for the shortest time last
  std::vector<GuestThread*> threads;
  Mutex fd_lock;  // descriptors travel in order: one user of the socket at a time
  std::vector<Platform::FixedMap> fixed;
  Rewriter rewriter{*this};

 private:
  int pid_ = 0, pidfd_ = -1;
  OwnedFd socket_;
  ChannelMemory channels_;
  uint32_t first_slot_ = 0;
  std::shared_ptr<SpareChannels> parent_channels_, spare_channels_ = std::make_shared<SpareChannels>();
  std::vector<bool> used_;
  uint32_t next_slot_ = 0;
};

class GuestThread final : public HostThread {
 public:
  // `slot` is already taken. id is assigned and written to the channel.
  GuestThread(Ref<GuestProcess> process, uint32_t slot);
  // Takes over an idle carrier.
  GuestThread(Ref<GuestProcess> process, Carrier c);
  ~GuestThread() override;
  bool attached() const { return id_ < chan::MAX_CHANNELS; }

  GuestRegs& regs() override { return regs_; }
  void resume() override;
  void resume_signal(const ResumeSignal&) override;
  Result<SavedFrame> load_signal_frame() override;
  Result<void> load_left_fp() override;
  Result<int64_t> run_ops(std::span<const HostOp> ops) override;
  Result<void> run_op_on_return(const HostOp& op) override;
  void gather_ops() override { gathering_ = true; }
  Result<void> run_gathered() override;
  void kick() override;
  void will_wait() override;
  void bind_cpu(int emulated_cpu) override;
  Result<std::unique_ptr<HostThread>> clone_thread(Task& child) override;
  Result<std::pair<Ref<HostSpace>, std::unique_ptr<HostThread>>> fork(Task& child) override;
  // The same without a guest thread in it.
  using Forked = std::pair<Ref<GuestProcess>, std::unique_ptr<GuestThread>>;
  Result<Forked> fork_process();
  void exit(Ref<const Cred> owner) override;
  int host_tid() const override;
  bool window_read(uint64_t addr, void* dst, size_t n) override;
  size_t window_prefix(uint64_t addr, void* dst, size_t n) override;
  bool window_write(uint64_t addr, const void* src, size_t n) override;
  uint8_t* window_room(size_t n) override;
  void window_filled(uint64_t addr, size_t n) override;
  const uint8_t* window_view(uint64_t addr, size_t n) override;
  std::optional<uint32_t> futex_word(uint64_t addr) override;

  // Called by the loop when the channel has rung, or offers a nap.
  void on_ring();
  void on_nap();
  bool rang() const { return __atomic_load_n(&ch_->ring_seq, __ATOMIC_ACQUIRE) != seen_ring_; }
  // The host process is gone: whoever waits for the carrier gets an error.
  void on_death();
  void set_task(Task* t) { task_ = t; }
  // Of ChannelTable: the two ends of a hand-over of a CPU.
  chan::Channel& shared() { return *ch_; }
  bool yields() const { return __atomic_load_n(&ch_->parked, __ATOMIC_SEQ_CST) == chan::PARKED_YIELDS; }
  int bound_cpu() const { return bound_cpu_; }
  uint32_t id() const { return id_; }
  void wake_host_thread();
  GuestProcess& process() { return *process_; }
  void set_host_tid(int tid) { tid_ = tid; }
  uint32_t slot() const { return slot_; }
  // Unmaps everything but what a pristine process has; ESRCH.
  Result<void> empty_space(std::span<const HostOp> ops);
  // CPU time that the carrier has used for this thread.
  uint64_t cpu_ns();
  // Makes the carrier wait inside a host signal frame, which holds its FP state. Suspends the fiber. ESRCH.
  Result<void> enter_frame();

 private:
  enum class State : uint8_t {
    in_kernel,  // also before it has started: it finds the first reply in its channel
    in_guest,
    busy,  // runs an action for the kernel; a fiber waits for EV_DONE
    gone,
  };
  void reply(chan::Action action);
  void report_death();
  void set_state(State s);
  void read_regs();
  void load_event();
  void forget_inputs(uint64_t addr, size_t n);
  void account_naps();
  void finish_outs();
  void write_outputs();  // at once, not when the guest goes on
  Result<void> run_left_op();
  // Starts an action and suspends the fiber until it is done. ESRCH if the carrier died.
  Result<int64_t> run_action(chan::Action action);
  // Puts operations into the channel, and descriptors on their way; ENOMEM.
  Result<void> send_ops(std::span<const HostOp> ops);
  bool is_first() const;
  void inherit_cpu(int emulated_cpu);
  void publish_cpu();  // to the channel
  // For a new thread: a carrier that waits for one, with a copy of our frame; null if there is none.
  std::unique_ptr<GuestThread> reuse_carrier();
  // What becomes of a carrier whose thread has ended; true: it keeps slot and number.
  bool leave_carrier();
  Carrier carrier();  // what a next thread needs of this one
  bool leaves_it_whole() const;

  Ref<GuestProcess> process_;
  uint32_t slot_, id_ = chan::MAX_CHANNELS;
  bool in_frame_ = true;
  chan::Channel* ch_;
  Task* task_ = nullptr;
  GuestRegs regs_{}, event_regs_{};  // event_regs_: what the stub has in the channel
  chan::Answers answers_;            // what was published
  uint64_t rseq_at_ = 0;             // of the task, as the stub knows it
  uint64_t host_fs_ = 0;             // fs_base that the carrier has
  State state_ = State::in_kernel;
  bool waited_ = false;  // the call gave up its emulated CPU
  Fiber* waiter_ = nullptr;
  bool gathering_ = false;
  bool op_left_ = false;   // of run_op_on_return(): it is in the channel
  bool op_given_ = false;  // it went with the last reply
  std::vector<HostOp> gathered_;
  bool fp_left_ = false;  // of load_signal_frame(): the FP state is still to be taken from Channel::fp_at
  uint32_t seen_ring_ = 0;
  uint64_t seen_napped_ = 0;
  uint64_t cpu_base_ns_ = 0;   // what the carrier used for others
  uint64_t cpu_total_ns_ = 0;  // that it had used when asked last
  OwnedFd schedstat_;
  bool waits_ = false;          // exit() left the carrier where it is
  Ref<const Cred> next_owner_;  // its host process goes back to the pool, for programs of this one
  int tid_ = 0, bound_cpu_ = -1;
  chan::Window in_[chan::MAX_IN];
  uint32_t in_count_ = 0;
  std::optional<uint32_t> futex_word_;  // that came with the call
  uint32_t futex_wakes_ = 0, futex_own_wakes_ = 0;
  chan::Window out_[chan::MAX_OUT];
  uint32_t out_count_ = 0, data_used_ = 0;
};

// Pristine processes: an address space with nothing of a guest, one carrier waiting in the stub. The first
// one is made by the host's exec and is never given away: the others are forks of it, which costs a fraction.
// A few are made in advance, so that exec does not wait for one. And those whose program has ended come back:
// to unmap what is in them costs what the end of the process would, and saves the next fork. Since a program
// could have changed the stub's data too, they serve only others with the same credentials.
class ProcessPool {
 public:
  static ProcessPool& instance();
  // Begins to make the first one, on a thread of its own. Reports why when the host lacks something.
  Result<void> start(int ready, std::string* why);
  // Waits for it. Reports why when it cannot be made.
  Result<void> await(std::string* why);
  // For a program with credentials `cred`. On the kernel thread; suspends the fiber if none is ready.
  Result<GuestThread::Forked> take(const Cred& cred);
  bool wants_back() const;
  // The host process and only carrier of a guest process that has ended.
  void take_back(GuestProcess& process, Carrier carrier, Ref<const Cred> owner);
  void stop();

 private:
  struct Impl;
  Impl* impl_ = nullptr;
};

}  // namespace starry
