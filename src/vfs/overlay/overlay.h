// The overlay: read-only lower directories of the host below one writable upper directory.
//
//   DIR/upper   the files as the guest wrote them, for people to look at and copy out
//   DIR/meta    journal of what the host cannot hold (overlay/meta.h)
//   DIR/work    files on their way up; emptied at the start
//
// Rules: an object of the upper layer covers everything of its name below, except that directories
// merge. What exists below is copied up before it changes (data, times, mode). Lower layers are taken
// to be immutable while we run and the upper one to be changed by us alone, so attributes are cached.
// Only regular files, directories and symbolic links are stored as such in the upper layer; devices,
// FIFOs and sockets are empty files there and typed in the journal. Host files are always created with
// owner access for us, whatever mode the guest gave; the journal has the guest's.
#pragma once

#include <string>
#include <vector>

#include "emulated_kernel/base/result.h"
#include "vfs/inode.h"

namespace starry {

struct OverlayConfig {
  std::vector<std::string> lowers;  // topmost first
  std::string upper;                // DIR, exists and is writable
};

// The root inode of a new overlay. Errors are those of opening the directories.
Result<Ref<Inode>> make_overlay(const OverlayConfig& config);

// What differs from the lower layers: absolute guest paths, sorted; of a new directory also what is
// in it; a removed name ends in " (deleted)". `root` is make_overlay's.
Result<std::vector<std::string>> overlay_changes(Inode& root);

}  // namespace starry
