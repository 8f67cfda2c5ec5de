// A directory (or one file) of the host in the guest's tree: --bind HOST:GUEST[:ro]. Writes go straight
// to the host; others may change it at any time, so nothing is cached.
//
// Owners: what belongs to the user who runs us belongs to the guest's user, because the supervisor acts
// with that user's rights; every other owner is shown as it is. chown to another user is for the host to
// refuse. Devices, FIFOs and sockets cannot be made here (EPERM); those of the host are shown, but only
// the emulated kernel's own meaning of them can be opened.
#pragma once

#include <string>

#include "emulated_kernel/base/result.h"
#include "vfs/inode.h"

namespace starry {

struct HostDirConfig {
  std::string path;  // on the host; symbolic links are followed
  uint32_t guest_uid = 1000, guest_gid = 1000;
};

// The root inode of a new instance; ENOENT, EACCES, ... of opening `path`.
Result<Ref<Inode>> make_hostdir(const HostDirConfig& config);

}  // namespace starry
