#include "emulated_kernel/fd/pidfd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/task/pid_table.h"

namespace starry {

namespace {

class PidFd final : public AnonFile {
 public:
  PidFd(ThreadGroup& g, int flags) : AnonFile("[pidfd]", O_RDWR | (flags & O_NONBLOCK)), group(&g) {}

  bool can_read() const override { return false; }
  bool can_write() const override { return false; }
  uint32_t poll() override { return ended() ? EPOLLIN | EPOLLRDNORM : 0; }
  WaitQueue* poll_queue() override { return &group->pidfd_queue; }
  Result<int64_t> seek(int64_t /*offset*/, int /*whence*/) override { return Error{ESPIPE}; }
  std::string fdinfo() const override {
    // -1 once the process was waited for: its number may be somebody else's by now.
    const bool exists = group.get() == &init_group() || find_group(group->tgid) == group.get();
    if (!exists) return "Pid:\t-1\nNSpid:\t-1\n";
    const pid_t pid = PidView::number(group->tgid);
    // 0: it is not below the namespace that looks.
    return fmt::format("Pid:\t{}\nNSpid:\t{}\n", pid,
                       pid != 0 ? PidView::numbers(*group->pid_ns, group->tgid) : "0");
  }

  const Ref<ThreadGroup> group;

 private:
  bool ended() const { return group->zombie || (group->threads.empty() && group.get() != &init_group()); }
};

}  // namespace

Ref<File> make_pidfd(ThreadGroup& group, int flags) { return make_ref<PidFd>(group, flags); }

ThreadGroup* pidfd_group(File& f) {
  auto* p = dynamic_cast<PidFd*>(&f);
  return p != nullptr ? p->group.get() : nullptr;
}

}  // namespace starry
