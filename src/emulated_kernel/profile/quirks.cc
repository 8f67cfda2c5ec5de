// The functions behind quirks.def, and calling them.
#include "emulated_kernel/profile/quirks.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/entry/dispatch.h"
#include "emulated_kernel/fd/epoll.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/process.h"

namespace starry::profile {
namespace {

// --- Descriptors and files ---

SysResult quirk_stat_follows_links(QuirkCall& c) { return sys_stat(c.task, {c.args[0]}, {c.args[1]}); }

SysResult quirk_getcwd_returns_buffer(QuirkCall& c) {
  TRY(c.emulate());
  return static_cast<int64_t>(c.args[0]);
}

SysResult quirk_cloexec_from_minimum(QuirkCall& c) {
  if (c.args[1] == F_DUPFD_CLOEXEC) {
    c.args[1] = (c.args[2] & 1) != 0 ? F_DUPFD_CLOEXEC : F_DUPFD;
    c.args[2] = 0;
  }
  return c.emulate();
}

SysResult quirk_exec_keeps_descriptors(QuirkCall& c) {
  const Ref<FdTable> files = c.task.files;
  std::vector<int> marked;
  for (int fd = 0; fd < files->capacity(); fd++) {
    if (files->get(fd) != nullptr && files->cloexec(fd)) marked.push_back(fd);
  }
  for (const int fd : marked) files->set_cloexec(fd, false);
  SysResult r = c.emulate();
  if (!r.ok()) {
    for (const int fd : marked) files->set_cloexec(fd, true);
  }
  return r;
}

SysResult quirk_exec_failure_kills(QuirkCall& c) {
  SysResult r = c.emulate();
  if (!r.ok() && r.code() < ERESTARTSYS) TRY(send_signal(*c.task.group, siginfo_kernel(SIGKILL)));
  return r;
}

SysResult quirk_rename_keeps_target(QuirkCall& c) {
  return sys_renameat2(c.task, AT_FDCWD, {c.args[0]}, AT_FDCWD, {c.args[1]}, RENAME_NOREPLACE);
}

SysResult quirk_renameat_reads_flags(QuirkCall& c) {
  return sys_renameat2(c.task, static_cast<int>(c.args[0]), {c.args[1]}, static_cast<int>(c.args[2]),
                       {c.args[3]}, static_cast<unsigned>(c.args[4]));
}

SysResult quirk_inode_numbers_are_one(QuirkCall& c) {
  const int64_t bytes = TRY(c.emulate());
  UserMemory& mem = c.task.mem();
  for (uint64_t at = c.args[1]; at < c.args[1] + static_cast<uint64_t>(bytes);) {
    const auto size = TRY(mem.get(UserPtr<uint16_t>{at + offsetof(dirent64, d_reclen)}));
    TRY(mem.put(UserPtr<uint64_t>{at + offsetof(dirent64, d_ino)}, uint64_t{1}));
    if (size == 0) break;
    at += size;
  }
  return bytes;
}

SysResult quirk_no_sigpipe(QuirkCall& c) {
  SysResult r = c.emulate();
  SigInfo taken;
  if (r.code() == EPIPE) dequeue_signal(c.task, sigbit(SIGPIPE), &taken);
  return r;
}

// --- Polling and epoll ---

SysResult quirk_poll_timeout_in_us(QuirkCall& c) {
  const auto timeout = static_cast<int>(c.args[2]);
  if (timeout > 0) c.args[2] = static_cast<uint64_t>((timeout + 999) / 1000);
  return c.emulate();
}

// epoll_ctl(2) with another event than the guest's.
template <class Change>
SysResult control_with(QuirkCall& c, Change change) {
  const auto op = static_cast<int>(c.args[1]);
  if (op == EPOLL_CTL_DEL) return c.emulate();
  const Ref<File> ep = TRY(get_io_file(c.task, static_cast<int>(c.args[0])));
  const auto fd = static_cast<int>(c.args[2]);
  const Ref<File> target = TRY(get_io_file(c.task, fd));
  epoll_event event = TRY(c.task.mem().get(UserPtr<epoll_event>{c.args[3]}));
  change(event);
  TRY(epoll_control(*ep, op, *target, fd, event));
  return 0;
}

SysResult quirk_epoll_level_triggered(QuirkCall& c) {
  return control_with(c, [](epoll_event& e) { e.events &= ~static_cast<uint32_t>(EPOLLET); });
}

SysResult quirk_epoll_one_shot_repeats(QuirkCall& c) {
  return control_with(c, [](epoll_event& e) { e.events &= ~static_cast<uint32_t>(EPOLLONESHOT); });
}

// As the 2024 kernel: of the events only the level-triggered ones are known.
SysResult quirk_epoll_data_is_fd(QuirkCall& c) {
  return control_with(c, [&](epoll_event& e) {
    e.events &= ~static_cast<uint32_t>(EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE);
    e.data.u64 = static_cast<uint32_t>(c.args[2]);
  });
}

SysResult quirk_epoll_add_replaces(QuirkCall& c) {
  SysResult r = c.emulate();
  if (r.code() != EEXIST || c.args[1] != EPOLL_CTL_ADD) return r;
  c.args[1] = EPOLL_CTL_MOD;
  return c.emulate();
}

SysResult quirk_epoll_zero_is_forever(QuirkCall& c) {
  if (static_cast<int>(c.args[3]) == 0) c.args[3] = ~0ULL;
  return c.emulate();
}

// --- Sockets ---

SysResult quirk_nonblock_ignored(QuirkCall& c) {
  switch (c.task.call.nr) {
    case SYS_ioctl:
      return c.args[1] == FIONBIO ? SysResult(0) : c.emulate();
    case SYS_fcntl:
      if (c.args[1] == F_SETFL) c.args[2] &= ~static_cast<uint64_t>(O_NONBLOCK);
      return c.emulate();
    default:  // SOCK_NONBLOCK
      c.args[c.task.call.nr == SYS_accept4 ? 3 : 1] &= ~static_cast<uint64_t>(O_NONBLOCK);
      return c.emulate();
  }
}

SysResult quirk_sockname_wrong_family(QuirkCall& c) {
  const int64_t r = TRY(c.emulate());
  const UserAddr addr = c.args[c.task.call.nr == SYS_recvfrom ? 4 : 1];
  if (addr == 0) return r;
  const UserPtr<uint16_t> family{addr};
  const auto found = TRY(c.task.mem().get(family));
  if (found == AF_INET) TRY(c.task.mem().put(family, uint16_t{AF_INET6}));
  if (found == AF_INET6) TRY(c.task.mem().put(family, uint16_t{AF_INET}));
  return r;
}

SysResult quirk_sockname_length_8(QuirkCall& c) {
  const int64_t r = TRY(c.emulate());
  TRY(c.task.mem().put(UserPtr<int>{c.args[2]}, 8));
  return r;
}

SysResult quirk_accept_reads_flags(QuirkCall& c) {
  return sys_accept4(c.task, static_cast<int>(c.args[0]), {c.args[1]}, {c.args[2]},
                     static_cast<int>(c.args[3]));
}

SysResult quirk_send_short(QuirkCall& c) {
  c.args[2] = std::min<uint64_t>(c.args[2], 1);
  return c.emulate();
}

// --- Futexes, threads, processes, signals ---

bool futex_is(const QuirkCall& c, int command) {
  return (static_cast<int>(c.args[1]) & FUTEX_CMD_MASK) == command;
}

// FUTEX_WAIT is the operation whose timeout is relative.
SysResult quirk_futex_timeout_relative(QuirkCall& c) {
  const bool any = static_cast<uint32_t>(c.args[5]) == FUTEX_BITSET_MATCH_ANY;
  if (futex_is(c, FUTEX_WAIT_BITSET) && any) c.args[1] = FUTEX_WAIT | (c.args[1] & FUTEX_PRIVATE_FLAG);
  return c.emulate();
}

SysResult quirk_futex_wake_all(QuirkCall& c) {
  if (futex_is(c, FUTEX_WAKE)) c.args[2] = INT32_MAX;
  return c.emulate();
}

SysResult quirk_futex_ignores_value(QuirkCall& c) {
  if (futex_is(c, FUTEX_WAIT) || futex_is(c, FUTEX_WAIT_BITSET))
    c.args[2] = TRY(c.task.mem().load32(c.args[0]));
  return c.emulate();
}

SysResult quirk_fork_without_signal(QuirkCall& c) { return sys_clone(c.task, 0, 0, {}, {}, 0); }

SysResult quirk_vfork_copies(QuirkCall& c) { return sys_clone(c.task, CLONE_VFORK | SIGCHLD, 0, {}, {}, 0); }

SysResult quirk_wait_hides_signals(QuirkCall& c) {
  const int64_t pid = TRY(c.emulate());
  if (pid <= 0 || c.args[1] == 0) return pid;
  const UserPtr<int> status{c.args[1]};
  if (WIFSIGNALED(TRY(c.task.mem().get(status)))) TRY(c.task.mem().put(status, 0));
  return pid;
}

SysResult quirk_sigaction_plain(QuirkCall& c) {
  const int64_t r = TRY(c.emulate());
  if (c.args[1] == 0) return r;
  KSigAction& a = c.task.group->signals.handlers->actions[c.args[0] - 1];
  a.flags &= ~static_cast<uint64_t>(SA_RESTART | SA_ONSTACK);
  a.mask = 0;
  return r;
}

SysResult quirk_tgkill_runs_tkill(QuirkCall& c) {
  return sys_tkill(c.task, static_cast<int>(c.args[0]), static_cast<int>(c.args[1]));
}

SysResult quirk_affinity_returns_cpus(QuirkCall& c) {
  TRY(c.emulate());
  return scheduler().cpu_count();
}

// --- Memory, time, the system ---

SysResult quirk_brk_128k(QuirkCall& c) {
  constexpr uint64_t HEAP = 128 << 10;
  if (c.args[0] > c.task.mm->brk_start + HEAP) return static_cast<int64_t>(c.task.mm->brk_end);
  return c.emulate();
}

SysResult quirk_time_since_boot(QuirkCall& c) {
  constexpr uint64_t NS_PER_SEC = 1'000'000'000;
  const int64_t r = TRY(c.emulate());
  const uint64_t ns = platform().boottime_ns();
  if (c.args[0] == 0) return r;
  TRY(c.task.mem().put(UserPtr<timeval>{c.args[0]}, timeval{static_cast<time_t>(ns / NS_PER_SEC),
                                                            static_cast<long>(ns % NS_PER_SEC / 1000)}));
  return r;
}

SysResult quirk_sysinfo_uptime_only(QuirkCall& c) {
  const int64_t r = TRY(c.emulate());
  const UserPtr<struct sysinfo> to{c.args[0]};
  struct sysinfo info {};
  info.uptime = TRY(c.task.mem().get(to)).uptime;
  TRY(c.task.mem().put(to, info));
  return r;
}

SysResult quirk_rusage_times_only(QuirkCall& c) {
  const int64_t r = TRY(c.emulate());
  const UserPtr<rusage> to{c.args[1]};
  const rusage all = TRY(c.task.mem().get(to));
  rusage times{};
  times.ru_utime = all.ru_utime;
  times.ru_stime = all.ru_stime;
  TRY(c.task.mem().put(to, times));
  return r;
}

SysResult quirk_random_predictable(QuirkCall& c) {
  const int64_t n = TRY(c.emulate());
  std::vector<uint8_t> bytes(static_cast<size_t>(std::max<int64_t>(n, 0)));
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<uint8_t>(i * 37 + 11);
  TRY(c.task.mem().write(c.args[0], bytes.data(), bytes.size()));
  return n;
}

constexpr Quirk QUIRKS[] = {
#define QUIRK(name, calls, text) {#name, calls, text, quirk_##name},
#include "emulated_kernel/profile/quirks.def"
#undef QUIRK
};

}  // namespace

QuirkCall::QuirkCall(Task& t, const uint64_t guest_args[6], std::span<const Quirk* const> quirks)
    : task(t), rest_(quirks) {
  std::copy_n(guest_args, std::size(args), args);
}

SysResult QuirkCall::emulate() {
  if (rest_.empty()) return emulated_syscall(task, args);
  const auto all = rest_;
  rest_ = all.subspan(1);
  SysResult r = all.front()->hook(*this);
  rest_ = all;  // for a hook that calls twice
  return r;
}

bool Quirk::fits(std::string_view call) const {
  for (std::string_view rest = calls; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == call) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

std::span<const Quirk> all_quirks() { return QUIRKS; }

const Quirk* find_quirk(std::string_view name) {
  for (const Quirk& q : QUIRKS)
    if (q.name == name) return &q;
  return nullptr;
}

}  // namespace starry::profile
