// The guest's file tree as starryrun sets it up: overlay, pseudo file systems, --bind.
#pragma once

#include <string>
#include <vector>

#include "emulated_kernel/fd/file.h"
#include "tracer/options.h"
#include "vfs/inode.h"

namespace starry {

class GuestTree {
 public:
  // Registers the file system types and mounts everything; `state` is the overlay's upper layer.
  // Kernel thread, once. StartError.
  void mount(const Options& options, const std::string& state);
  // --workdir, or the host's current directory if the guest has it, or "/". StartError.
  std::string start_directory(const Options& options) const;
  bool has_directory(const std::string& path) const;
  // A device node of the guest, opened as the kernel; null if that fails.
  Ref<File> open_device(const char* path, int flags) const;
  // Whether `path`, relative to the directory `start`, names a file, whoever may use it.
  bool exists(const std::string& path, const std::string& start) const;
  // What the guest has changed: paths. Not the directories made for --bind.
  std::vector<std::string> changes(const Options& options) const;

 private:
  Ref<Inode> overlay_;
};

}  // namespace starry
