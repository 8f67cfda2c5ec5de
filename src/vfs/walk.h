// Path resolution (path_resolution(7), openat2(2)): from a name to a Path, component by component, with
// permission checks, mounts and symbolic links. A walk can never leave the caller's root.
#pragma once

#include <string>
#include <string_view>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/task/cred.h"
#include "vfs/fs_context.h"
#include "vfs/path.h"

namespace starry {

class Task;

// On whose behalf a path is looked up or changed.
struct Caller {
  const Cred& cred;
  const FsContext& fs;
  explicit Caller(const Task& t);
  Caller(const Cred& c, const FsContext& f) : cred(c), fs(f) {}
};

enum WalkFlags : unsigned {
  WALK_FOLLOW = 1,     // follow a symbolic link in the last component
  WALK_DIRECTORY = 2,  // the result must be a directory (ENOTDIR)
  WALK_EMPTY = 4,      // the empty path means the start itself (AT_EMPTY_PATH)
  // openat2(2)'s RESOLVE_*
  WALK_NO_XDEV = 0x10,
  WALK_NO_MAGICLINKS = 0x20,
  WALK_NO_SYMLINKS = 0x40,
  WALK_BENEATH = 0x80,
  WALK_IN_ROOT = 0x100,
};

class Walk {
 public:
  // `start` is where relative paths begin. `path` is shorter than PATH_MAX.
  Walk(const Caller& caller, Path start, std::string_view path, unsigned flags);

  // Walks up to the last component; then dir() and last() name the place. last() is empty if the
  // path ends at dir() itself ("/").
  Result<void> to_last();
  const Path& dir() const { return cur_; }
  const std::string& last() const { return last_; }
  // "a/": the last component is followed by slashes, it must be a directory.
  bool trailing_slash() const { return slash_; }
  bool last_is_dots() const { return last_.empty() || last_ == "." || last_ == ".."; }

  // Takes the last component. False: it was a symbolic link that is followed: to_last() again.
  Result<bool> take_last(bool follow);
  const Path& result() const { return cur_; }

  // All of the above: to the existing object, mounts on it included.
  Result<Path> run();

 private:
  Result<bool> step(std::string_view name, bool follow);
  Result<void> step_up();
  Result<void> enter_link(const Path& link);
  Result<void> begin();

  const Caller& caller_;
  unsigned flags_;
  Path root_, cur_, start_;
  std::string rest_;  // what is still to be walked
  size_t at_ = 0;     // in rest_
  std::string last_;
  bool slash_ = false, started_ = false, jumped_ = false;
  int links_ = 0;
};

// The common cases. ENOENT for a name that does not exist.
Result<Path> walk_path(const Caller& caller, const Path& start, std::string_view path, unsigned flags);

}  // namespace starry
