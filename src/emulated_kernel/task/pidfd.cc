#include "emulated_kernel/task/pidfd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

class PidFile final : public AnonFile {
 public:
  PidFile(Ref<ThreadGroup> g, int flags) : AnonFile("pidfd", flags), group(std::move(g)) {}
  // Readable once the process has terminated, reaped or not.
  uint32_t poll() override { return group->zombie ? EPOLLIN | EPOLLRDNORM : 0; }
  WaitQueue* poll_queue() override { return &group->pidfd_queue; }
  std::string fdinfo() const override {
    const pid_t shown = find_group(group->tgid) == group.get() ? group->tgid : -1;
    return fmt::format("Pid:\t{0}\nNSpid:\t{0}\n", shown);
  }

  const Ref<ThreadGroup> group;
};

}  // namespace

Ref<File> make_pidfd(Ref<ThreadGroup> g, int flags) {
  return make_ref<PidFile>(std::move(g), O_RDWR | flags);
}

ThreadGroup* pidfd_group(File& f) {
  auto* file = dynamic_cast<PidFile*>(&f);
  return file == nullptr ? nullptr : file->group.get();
}

}  // namespace starry
