#include "tracer/stream_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace starry {
namespace {

// What poll(2) promises to be writable at least (pipe(7): PIPE_BUF; terminals: less).
constexpr size_t SAFE_PIPE = 4096, SAFE_TTY = 128;

int open_again(int fd, int flags) {
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  return open(link.c_str(), flags | O_NOCTTY | O_CLOEXEC);
}

// A terminal that we may not open by its name (after su) can be our controlling terminal all the same.
int open_controlling(int fd, int flags) {
  struct stat wanted {};
  const int tty = open("/dev/tty", flags | O_NOCTTY | O_CLOEXEC);
  if (tty < 0) return -1;
  unsigned dev = 0;
  const bool same = fstat(fd, &wanted) == 0 && ioctl(tty, TIOCGDEV, &dev) == 0 && dev == wanted.st_rdev;
  if (same) return tty;
  close(tty);
  return -1;
}

}  // namespace

Result<StreamFd> StreamFd::from(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  struct stat st {};
  if (flags < 0 || fstat(fd, &st) != 0) return Error{errno};
  auto duplicate = [&](How how) -> Result<StreamFd> {
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return Error{errno};
    return StreamFd(copy, how, flags);
  };
  if (S_ISSOCK(st.st_mode)) return duplicate(How::socket);
  const bool tty = S_ISCHR(st.st_mode) && isatty(fd) != 0;
  if (!S_ISFIFO(st.st_mode) && !tty) {
    // A description that is shared keeps its position shared: regular files are never opened anew.
    pollfd p{fd, POLLIN | POLLOUT, 0};
    const bool always_ready = !S_ISCHR(st.st_mode) || poll(&p, 1, 0) == 1;
    return duplicate(always_ready ? How::direct : How::shared);
  }
  int own = open_again(fd, (flags & O_ACCMODE) | O_NONBLOCK);
  if (own < 0 && tty) own = open_controlling(fd, (flags & O_ACCMODE) | O_NONBLOCK);
  if (own < 0) return duplicate(How::shared);
  return StreamFd(own, How::own, flags);
}

Result<StreamFd> StreamFd::reopen(int flags) const {
  const bool waits = how_ == How::own || how_ == How::shared;
  const int fd = open_again(fd_, (flags & ~O_NONBLOCK) | (waits ? O_NONBLOCK : 0));
  if (fd < 0) return Error{errno};
  return StreamFd(fd, waits ? How::own : How::direct, flags);
}

StreamFd::~StreamFd() {
  if (fd_ >= 0) close(fd_);
}

uint32_t StreamFd::ready() const {
  pollfd p{fd_, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0};
  if (poll(&p, 1, 0) < 0) return 0;
  return static_cast<uint32_t>(p.revents);  // POLL* and EPOLL* have the same values
}

Result<size_t> StreamFd::read(void* dst, size_t n) const {
  ssize_t r = -1;
  do {
    switch (how_) {
      case How::direct:
      case How::own:
        r = ::read(fd_, dst, n);
        break;
      case How::socket:
        r = recv(fd_, dst, n, MSG_DONTWAIT);
        break;
      case How::shared: {
        iovec iov{dst, n};
        r = preadv2(fd_, &iov, 1, -1, RWF_NOWAIT);
        if (r >= 0 || errno != EOPNOTSUPP) break;
        if ((ready() & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return Error{EAGAIN};
        r = ::read(fd_, dst, n);
        break;
      }
    }
  } while (r < 0 && errno == EINTR);
  if (r < 0) return Error{errno};
  return static_cast<size_t>(r);
}

Result<size_t> StreamFd::write(const void* src, size_t n, bool append) const {
  ssize_t r = -1;
  do {
    iovec iov{const_cast<void*>(src), n};
    switch (how_) {
      case How::direct:
      case How::own:
        r = append ? pwritev2(fd_, &iov, 1, -1, RWF_APPEND) : ::write(fd_, src, n);
        break;
      case How::socket:
        r = send(fd_, src, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
      case How::shared:
        r = pwritev2(fd_, &iov, 1, -1, RWF_NOWAIT);
        if (r >= 0 || errno != EOPNOTSUPP) break;
        if ((ready() & (EPOLLOUT | EPOLLHUP | EPOLLERR)) == 0) return Error{EAGAIN};
        r = ::write(fd_, src, std::min(n, isatty(fd_) != 0 ? SAFE_TTY : SAFE_PIPE));
        break;
    }
  } while (r < 0 && errno == EINTR);
  if (r < 0) return Error{errno};
  return static_cast<size_t>(r);
}

}  // namespace starry
