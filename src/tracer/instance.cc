#include "tracer/instance.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tracer/start_error.h"

namespace starry {
namespace {

constexpr const char* SOCKET_SUFFIX = ".sock";

}  // namespace

std::string runtime_dir() {
  const char* xdg = getenv("XDG_RUNTIME_DIR");
  const bool use_xdg = xdg != nullptr && xdg[0] == '/' && access(xdg, W_OK) == 0;
  const std::string dir =
      use_xdg ? std::string(xdg) + "/starryrun" : fmt::format("/tmp/starryrun-{}", getuid());
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST)
    start_error("cannot create {}: {}", dir, strerror(errno));
  struct stat st {};
  if (lstat(dir.c_str(), &st) != 0) start_error("{}: {}", dir, strerror(errno));
  // Somebody else could have put a directory or a link there first.
  if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 077) != 0)
    start_error("{} is not a private directory of ours", dir);
  return dir;
}

ControlSocketPath::ControlSocketPath(const std::string& name) {
  const std::string dir = runtime_dir();
  dir_ = OwnedFd(open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir_) start_error("cannot open {}: {}", dir, strerror(errno));
  path_ = fmt::format("/proc/self/fd/{}/{}{}", dir_.get(), name, SOCKET_SUFFIX);
}

std::vector<std::string> instance_names() {
  std::vector<std::string> names;
  std::error_code ec;
  for (const auto& e : std::filesystem::directory_iterator(runtime_dir(), ec))
    if (e.path().extension() == SOCKET_SUFFIX) names.push_back(e.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

bool HostLock::take(const std::string& path) {
  for (;;) {
    int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) start_error("cannot open {}: {}", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      close(fd);
      if (error == EWOULDBLOCK) return false;
      start_error("cannot lock {}: {}", path, strerror(error));
    }
    // The former holder may have removed the file between our open and our lock.
    struct stat held {
    }, named{};
    if (fstat(fd, &held) == 0 && stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
        held.st_dev == named.st_dev) {
      fd_ = fd;
      path_ = path;
      return true;
    }
    close(fd);
  }
}

HostLock::~HostLock() {
  if (fd_ < 0) return;
  if (remove_) unlink(path_.c_str());
  close(fd_);
}

}  // namespace starry
