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
  std::vector<HostDir*> chain;
  HostDir* top = this;
  for (; !top->fd_; top = top->parent_.get()) chain.push_back(top);
  auto touch = [&](HostDir* d) {
    if (d->is_linked()) open.used.splice(open.used.end(), open.used, open.used.iterator_to(*d));
  };
  touch(top);
  while (!chain.empty()) {
    HostDir* d = chain.back();
    chain.pop_back();
    int fd = TRY(host_files().open(d->parent_->fd_.get(), d->name_, O_PATH | O_DIRECTORY));
    d->fd_ = HostFd(fd);
    open.used.push_back(*d);
    if (++open.count > MAX_OPEN) {
      HostDir& oldest = open.used.front();
      open.used.pop_front();
      oldest.fd_ = HostFd();
      --open.count;
    }
  }
  return fd_.get();
}

}  // namespace starry
