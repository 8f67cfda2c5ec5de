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
  ~StateDir();  // removes what nobody needs: an unchanged directory that we made up

  const std::string& upper() const { return upper_; }
  // "3 files changed, kept in DIR"; empty if nothing changed. To be asked when the guest is gone.
  std::string summary() const;

 private:
  void reserve_name(Options& options);
  void make_default(const Options& options);
  void probe() const;

  HostLock name_lock_, upper_lock_;
  std::string upper_, made_;  // made_: created by us without the user's naming it
};

}  // namespace starry
