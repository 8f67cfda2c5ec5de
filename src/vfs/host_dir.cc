#include "vfs/host_dir.h"

#include <fcntl.h>

#include <vector>

namespace starry {

namespace {

constexpr size_t MAX_OPEN = 256;

struct OpenDirs {
  boost::intrusive::list<HostDir, boost::intrusive::constant_time_size<false>> used;  // oldest first
  size_t count = 0;
};

OpenDirs& open_dirs() {
  static OpenDirs* d = new OpenDirs;  // outlives every HostDir
  return *d;
}

}  // namespace

HostDir::~HostDir() {
  if (is_linked()) --open_dirs().count;
  // One by one, for deep trees.
  Ref<HostDir> up = std::move(parent_);
  while (up && up->ref_count() == 1) {
    Ref<HostDir> next = std::move(up->parent_);
    up = std::move(next);
  }
}

void HostDir::moved(Ref<HostDir> parent, std::string name) {
  parent_ = std::move(parent);
  name_ = std::move(name);
}

Result<int> HostDir::fd() {
  OpenDirs& open = open_dirs();
  if (fd_) {
    if (is_linked()) open.used.splice(open.used.end(), open.used, open.used.iterator_to(*this));
    return fd_.get();
  }
  std::vector<HostDir*> chain;
  HostDir* top = this;
  for (; !top->fd_; top = top->parent_.get()) chain.push_back(top);
  // The directories in between are open only in passing: a call closes at most one other directory, so
  // a caller can use the descriptors of several at once.
  HostFd step;
  int at = top->fd_.get();
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
    HostFd next(TRY(host_files().open(at, (*it)->name_, O_PATH | O_DIRECTORY)));
    step = std::move(next);
    at = step.get();
  }
  fd_ = std::move(step);
  open.used.push_back(*this);
  if (++open.count > MAX_OPEN) {
    HostDir& oldest = open.used.front();
    open.used.pop_front();
    oldest.fd_ = HostFd();
    --open.count;
  }
  return fd_.get();
}

}  // namespace starry
