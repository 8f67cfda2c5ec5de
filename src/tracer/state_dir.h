// Where the guest's changes are kept: the upper layer of its file tree. --upper DIR, or a directory of
// the instance below $XDG_STATE_HOME/starryrun (default ~/.local/state/starryrun), which stays there.
#pragma once

#include <optional>
#include <string>

#include "tracer/instance.h"
#include "tracer/options.h"

namespace starry {

class StateDir {
 public:
  // Creates, locks and tries the directory; reserves the instance's name, which may get a suffix if it
  // was not given by the user. StartError: not writable, disk full, in use.
  explicit StateDir(Options& options);
  ~StateDir();

  // What the overlay takes as its upper layer (vfs/overlay/overlay.h): the files are in DIR/upper.
  const std::string& dir() const { return dir_; }
  // There are changes in it: from now on it stays, even if nobody asked for it.
  void keep() { keep_ = true; }

 private:
  void reserve_name(Options& options);
  void make_default(const Options& options);
  void probe() const;

  HostLock name_lock_, dir_lock_;
  std::string dir_;
  bool made_up_ = false, keep_ = false;  // made_up_: created by us, without the user's naming it
};

}  // namespace starry
