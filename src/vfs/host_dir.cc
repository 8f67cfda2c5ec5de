#include "vfs/host_dir.h"

#include <fcntl.h>

#include <vector>

namespace starry {

namespace {

constexpr size_t MAX_OPEN = 256;
constexpr size_t KEEP = 64;  // ancestors that one call opens and keeps
static_assert(3 * KEEP < MAX_OPEN);

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
  // Of the directories in between only the nearest stay open: a call closes a bounded number of others,
  // the oldest, so that a caller can use the descriptors of a few directories at once.
  HostFd step;
  int at = top->fd_.get();
  for (size_t left = chain.size(); left-- > 0;) {
    HostDir* d = chain[left];
    HostFd next(TRY(host_files().open(at, d->name_, O_PATH | O_DIRECTORY)));
    at = next.get();
    if (left >= KEEP) {
      step = std::move(next);
      continue;
    }
    d->fd_ = std::move(next);
    open.used.push_back(*d);
    ++open.count;
  }
  while (open.count > MAX_OPEN) {
    HostDir& oldest = open.used.front();
    open.used.pop_front();
    oldest.fd_ = HostFd();
    --open.count;
  }
  return fd_.get();
}

}  // namespace starry
