// Descriptor table of a process (struct files_struct): shared by CLONE_FILES, copied by fork.
#pragma once

#include <cstdint>
#include <vector>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/result.h"
#include "emulated_kernel/fd/file.h"

namespace starry {

class FdTable : public RefCounted {
 public:
  // Lowest free number >= min and < limit (RLIMIT_NOFILE). EMFILE.
  Result<int> install(Ref<File> f, bool cloexec, uint64_t limit, int min = 0);
  // Puts f at exactly `fd` (dup2/dup3), returning what was there (may be null). The caller closes it.
  Ref<File> install_at(int fd, Ref<File> f, bool cloexec);
  File* get(int fd) const {  // nullptr: EBADF
    return static_cast<size_t>(fd) < slots_.size() ? slots_[static_cast<size_t>(fd)].file.get() : nullptr;
  }
  Ref<File> remove(int fd);  // null: EBADF
  bool cloexec(int fd) const;
  void set_cloexec(int fd, bool on);
  Ref<FdTable> copy() const;
  // Removes and returns all descriptors marked close-on-exec (or all, at exit).
  std::vector<Ref<File>> take_cloexec();
  std::vector<Ref<File>> take_all();
  int capacity() const { return static_cast<int>(slots_.size()); }  // for FDSize, iteration
  int open_count() const;

 private:
  struct Slot {
    Ref<File> file;
    bool cloexec = false;
  };
  std::vector<Slot> slots_;
  int first_free_hint_ = 0;
};

}  // namespace starry
