// A directory on the host, opened when needed. Only a bounded number of them is open at any time (LRU);
// each is found again from its parent, one component at a time and never through a symbolic link.
#pragma once

#include <boost/intrusive/list.hpp>
#include <string>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/platform_files.h"

namespace starry {

class HostDir final
    : public RefCounted,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  // The top of a tree: `fd` stays open.
  HostDir(HostFd fd, uint64_t host_dev) : dev(host_dev), fd_(std::move(fd)) {}
  HostDir(Ref<HostDir> parent, std::string name, uint64_t host_dev)
      : dev(host_dev), parent_(std::move(parent)), name_(std::move(name)) {}
  ~HostDir() override;

  // An O_PATH descriptor of the directory, good while the caller uses one or two others besides.
  Result<int> fd();
  // The directory was renamed on the host; an open descriptor stays right.
  void moved(Ref<HostDir> parent, std::string name);

  const uint64_t dev;  // host device, to notice mount points

 private:
  Ref<HostDir> parent_;
  std::string name_;
  HostFd fd_;
};

}  // namespace starry
