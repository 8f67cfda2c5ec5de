// Descriptor table of a process (struct files_struct): shared by CLONE_FILES, copied by fork. It is
// also the owner of the process's POSIX record locks: whatever takes a file out of the table drops the
// locks that the table holds on that file's inode (fcntl(2)).
#pragma once

#include <cstdint>
#include <vector>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/result.h"
#include "emulated_kernel/fd/file.h"

namespace starry {

class FdTable : public RefCounted {
 public:
  ~FdTable() override;
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
  // Size of the table, growing in Linux's steps (64, 128, 256, ...): FDSize, iteration, select(2).
  int capacity() const { return static_cast<int>(slots_.size()); }
  int open_count() const;

 private:
  struct Slot {
    Ref<File> file;
    bool cloexec = false;
  };
  static constexpr size_t MIN_SLOTS = 64;  // NR_OPEN_DEFAULT
  void grow_to(int fd);
  // A descriptor of it was closed: what this table holds on it (record locks, F_NOTIFY) ends.
  void ends_in_table(File& f);

  std::vector<Slot> slots_ = std::vector<Slot>(MIN_SLOTS);
  int first_free_hint_ = 0;  // no free number below it
};

}  // namespace starry
