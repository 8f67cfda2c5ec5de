#include "emulated_kernel/fd/signalfd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

enum class Layout { kill, timer, poll, fault, chld, rt, sys };

// Which member of the siginfo union is in use (kernel/signal.c: siginfo_layout).
Layout layout_of(const SigInfo& info) {
  constexpr int FROM_KERNEL = 0x80;  // SI_KERNEL
  if (info.code > SI_USER && info.code < FROM_KERNEL) {
    switch (info.signo) {
      case SIGILL:
      case SIGFPE:
      case SIGSEGV:
      case SIGBUS:
      case SIGTRAP:
        return Layout::fault;
      case SIGCHLD:
        return Layout::chld;
      case SIGSYS:
        return Layout::sys;
      default:
        return info.code <= POLL_HUP ? Layout::poll : Layout::kill;
    }
  }
  if (info.code == SI_TIMER) return Layout::timer;
  if (info.code == SI_SIGIO) return Layout::poll;
  return info.code < 0 ? Layout::rt : Layout::kill;
}

signalfd_siginfo convert(const SigInfo& info) {
  signalfd_siginfo s{};
  s.ssi_signo = static_cast<uint32_t>(info.signo);
  s.ssi_errno = info.err;
  s.ssi_code = info.code;
  switch (layout_of(info)) {
    case Layout::kill:
      s.ssi_pid = static_cast<uint32_t>(info.rt.pid);
      s.ssi_uid = info.rt.uid;
      break;
    case Layout::timer:
      s.ssi_tid = static_cast<uint32_t>(info.timer.tid);
      s.ssi_overrun = static_cast<uint32_t>(info.timer.overrun);
      s.ssi_ptr = info.timer.value;
      s.ssi_int = static_cast<int32_t>(info.timer.value);
      break;
    case Layout::poll:
      s.ssi_band = static_cast<uint32_t>(info.poll.band);
      s.ssi_fd = info.poll.fd;
      break;
    case Layout::fault:
      s.ssi_addr = info.fault.addr;
      s.ssi_addr_lsb = static_cast<uint16_t>(info.fault.lsb);
      break;
    case Layout::chld:
      s.ssi_pid = static_cast<uint32_t>(info.chld.pid);
      s.ssi_uid = info.chld.uid;
      s.ssi_status = info.chld.status;
      s.ssi_utime = static_cast<uint64_t>(info.chld.utime);
      s.ssi_stime = static_cast<uint64_t>(info.chld.stime);
      break;
    case Layout::rt:
      s.ssi_pid = static_cast<uint32_t>(info.rt.pid);
      s.ssi_uid = info.rt.uid;
      s.ssi_ptr = info.rt.value;
      s.ssi_int = static_cast<int32_t>(info.rt.value);
      break;
    case Layout::sys:
      s.ssi_call_addr = info.sys.call_addr;
      s.ssi_syscall = info.sys.nr;
      s.ssi_arch = info.sys.arch;
      break;
  }
  return s;
}

}  // namespace

SignalFd::SignalFd(SigSet mask, int flags)
    : AnonFile("[signalfd]", O_RDWR | (flags & SFD_NONBLOCK)), mask_(mask & ~SIG_UNBLOCKABLE) {}

void SignalFd::set_mask(SigSet mask) {
  mask_ = mask & ~SIG_UNBLOCKABLE;
  poll_queue()->wake_all();
}

Result<size_t> SignalFd::read(IoVec& to, int64_t* /*pos*/, int flags) {
  if (to.remaining() < sizeof(signalfd_siginfo)) return Error{EINVAL};
  Task& t = current();
  SigInfo info;
  const auto take = [&] { return dequeue_signal(t, mask_, &info); };
  if (!take()) {
    if (nonblocking() || (flags & RWF_NOWAIT) != 0) return Error{EAGAIN};
    TRY(wait_event(t.group->signals.signalfd_queue, Deadline::never(), take));
  }
  size_t done = 0;
  do {
    const signalfd_siginfo s = convert(info);
    const Result<size_t> copied = to.copy_out(&s, sizeof s);
    if (!copied.ok() || copied.value() != sizeof s) return done != 0 ? Result<size_t>(done) : Error{EFAULT};
    done += sizeof s;
  } while (to.remaining() >= sizeof(signalfd_siginfo) && take());
  return done;
}

uint32_t SignalFd::poll() {
  Task& t = current();
  const SigSet pending = t.sig.pending.bits | t.group->signals.pending.bits;
  if ((pending & mask_) == 0) return 0;
  return EPOLLIN;
}

WaitQueue* SignalFd::poll_queue() { return &current().group->signals.signalfd_queue; }

std::string SignalFd::fdinfo() const { return fmt::format("sigmask:\t{:016x}\n", mask_); }

}  // namespace starry
