#include "tracer/guest_files.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstring>

#include "tracer/host_streams.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

bool is_terminal(int fd) {
  Termios t;
  return ioctl(fd, TCGETS2, &t) == 0;
}

// Where the guest has the same device itself, it gets its own: programs compare device and inode.
const char* guest_device(int fd) {
  struct stat st {};
  if (fstat(fd, &st) != 0 || !S_ISCHR(st.st_mode)) return nullptr;
  if (st.st_rdev == makedev(1, 3)) return "/dev/null";
  if (st.st_rdev == makedev(1, 5)) return "/dev/zero";
  if (st.st_rdev == makedev(1, 7)) return "/dev/full";
  return nullptr;
}

}  // namespace

DescriptorSet::DescriptorSet(std::vector<std::pair<int, int>> fds) : fds_(std::move(fds)) {
  std::sort(fds_.begin(), fds_.end());
  for (auto [number, fd] : fds_) {
    struct stat st {};
    if (number > 2 || terminal_ >= 0 || !is_terminal(fd) || fstat(fd, &st) != 0) continue;
    terminal_ = fd;
    terminal_dev_ = st.st_rdev;
  }
  auto is_on_terminal = [this](int number) {
    return std::any_of(fds_.begin(), fds_.end(),
                       [&](auto& p) { return p.first == number && on_terminal(p.second); });
  };
  interactive_ = is_on_terminal(0) && is_on_terminal(1);
}

bool DescriptorSet::on_terminal(int host_fd) const {
  struct stat st {};
  return terminal_ >= 0 && fstat(host_fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == terminal_dev_;
}

GuestFiles open_guest_files(const DescriptorSet& fds, HostPoller& poller, HostTerminal::Setup setup,
                            const OpenDevice& device) {
  GuestFiles out;
  if (fds.terminal() >= 0) {
    setup.eager = fds.interactive();
    out.tty = std::make_unique<HostTerminal>(poller, fds.terminal(), std::move(setup));
  }
  for (auto [number, fd] : fds.all()) {
    if (out.files.size() <= static_cast<size_t>(number)) out.files.resize(static_cast<size_t>(number) + 1);
    Ref<File>& file = out.files[static_cast<size_t>(number)];
    if (fds.on_terminal(fd)) {
      file = out.tty->open(fcntl(fd, F_GETFL));
      continue;
    }
    if (const char* path = guest_device(fd)) file = device(path, fcntl(fd, F_GETFL) & O_ACCMODE);
    if (file) continue;
    Result<Ref<File>> stream = host_stream(poller, fd);
    if (!stream) start_error("cannot use descriptor {}: {}", number, strerror(stream.code()));
    file = std::move(stream).value();
  }
  return out;
}

}  // namespace starry
