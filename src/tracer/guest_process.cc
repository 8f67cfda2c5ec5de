#include "tracer/guest_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "emulated_kernel/sync/timer.h"

namespace starry {

using namespace chan;

namespace {

// By host pid, for the watcher's news of deaths. Processes are made on a thread of their own.
struct Registry {
  std::mutex mutex;
  std::unordered_map<int, GuestProcess*> by_pid;
};
Registry& registry() {
  static Registry r;
  return r;
}

// Those that were told to end, and are killed if they do not. A killed carrier would not wake who gets its
// CPU.
class Ending {
 public:
  void add(int pidfd) {
    if (!timer_.armed()) timer_.arm(platform().monotonic_ns() + PATIENCE_NS);
    pidfds_.emplace_back(pidfd);
  }
  static void kill_by(int pidfd) { syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0); }

 private:
  static constexpr uint64_t PATIENCE_NS = 20'000'000;
  std::vector<OwnedFd> pidfds_;
  Timer timer_{[this] {
    // Harmless if it is gone; the watcher reaps it.
    for (const OwnedFd& fd : pidfds_) kill_by(fd.get());
    pidfds_.clear();
  }};
};
Ending& ending() {
  static Ending e;
  return e;
}

}  // namespace

GuestProcess::GuestProcess(OwnedFd socket, ChannelMemory channels, std::shared_ptr<SpareChannels> parent)
    : socket_(std::move(socket)),
      channels_(std::move(channels)),
      parent_channels_(std::move(parent)),
      used_(MAX_SLOTS, false) {}

GuestProcess::GuestProcess(GuestProcess& before)
    : fixed(before.fixed),
      pid_(std::exchange(before.pid_, 0)),
      pidfd_(std::exchange(before.pidfd_, -1)),
      socket_(std::move(before.socket_)),
      channels_(std::move(before.channels_)),
      first_slot_(before.first_slot_),
      parent_channels_(std::move(before.parent_channels_)),
      used_(std::move(before.used_)) {
  before.dead = true;
  rewriter.begin_again(before.rewriter);
  std::lock_guard lock(registry().mutex);
  registry().by_pid[pid_] = this;
}

GuestProcess::~GuestProcess() {
  {
    std::lock_guard lock(registry().mutex);
    auto it = registry().by_pid.find(pid_);
    if (it != registry().by_pid.end() && it->second == this) registry().by_pid.erase(it);
  }
  if (pidfd_ >= 0 && ends_itself) {
    ending().add(pidfd_);
  } else if (pidfd_ >= 0) {
    Ending::kill_by(pidfd_);
    close(pidfd_);
  }
  if (pid_ <= 0 || parent_channels_ == nullptr || had_threads) return;
  if (dead)
    LeftChannels::reuse(std::move(channels_), first_slot_, *parent_channels_);
  else
    LeftChannels::instance().add(pid_, std::move(channels_), first_slot_, std::move(parent_channels_));
}

bool GuestProcess::set_pid(int pid) {
  siginfo_t info{};
  if (pid <= 0 || waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    return false;
  std::lock_guard lock(registry().mutex);
  GuestProcess*& known = registry().by_pid[pid];
  if (known != nullptr) return false;
  known = this;
  pid_ = pid;
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  return true;
}

ChannelMemory GuestProcess::take_channels() {
  if (spare_channels_->empty()) return ChannelMemory::make();
  ChannelMemory m = std::move(spare_channels_->back());
  spare_channels_->pop_back();
  return m;
}

GuestProcess* GuestProcess::find(int pid) {
  std::lock_guard lock(registry().mutex);
  auto it = registry().by_pid.find(pid);
  return it == registry().by_pid.end() ? nullptr : it->second;
}

bool GuestProcess::ended() const {
  if (dead) return true;
  if (pidfd_ < 0) return kill(pid_, 0) != 0;
  pollfd p{pidfd_, POLLIN, 0};
  return poll(&p, 1, 0) > 0;
}

Result<size_t> GuestProcess::peek(uint64_t addr, void* dst, size_t n) {
  iovec local{dst, n}, remote{reinterpret_cast<void*>(addr), n};
  ssize_t r = process_vm_readv(pid_, &local, 1, &remote, 1, 0);
  if (r < 0) return Error{errno};
  return static_cast<size_t>(r);
}

Result<size_t> GuestProcess::poke(uint64_t addr, const void* src, size_t n) {
  iovec local{const_cast<void*>(src), n}, remote{reinterpret_cast<void*>(addr), n};
  ssize_t r = process_vm_writev(pid_, &local, 1, &remote, 1, 0);
  if (r < 0) return Error{errno};
  return static_cast<size_t>(r);
}

uint32_t GuestProcess::take_slot(uint32_t want) {
  for (uint32_t i = 0; i < MAX_SLOTS; ++i) {
    uint32_t s = want < MAX_SLOTS ? want : (next_slot_ + i) % MAX_SLOTS;
    // host_tid is cleared by the host when the former carrier has left its stack.
    if (!used_[s] && __atomic_load_n(&channel(s)->host_tid, __ATOMIC_ACQUIRE) == 0) {
      used_[s] = true;
      if (want < MAX_SLOTS) first_slot_ = s;
      next_slot_ = want < MAX_SLOTS ? next_slot_ : (s + 1) % 64 == 0 ? 0 : s + 1;
      return s;
    }
    if (want < MAX_SLOTS) break;
  }
  return MAX_SLOTS;
}

bool GuestProcess::send_fds(const int* fds, int count) {
  char byte = 'f';
  iovec iov{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {};
  msghdr m{};
  m.msg_iov = &iov;
  m.msg_iovlen = 1;
  m.msg_control = control;
  m.msg_controllen = CMSG_SPACE(static_cast<size_t>(count) * sizeof(int));
  cmsghdr* c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(static_cast<size_t>(count) * sizeof(int));
  std::memcpy(CMSG_DATA(c), fds, static_cast<size_t>(count) * sizeof(int));
  ssize_t r;
  do r = sendmsg(socket_.get(), &m, MSG_NOSIGNAL);
  while (r < 0 && errno == EINTR);
  return r == 1;
}

}  // namespace starry
