// Putting ready-made inodes into a tree of PseudoDirs by path; what the tables of procfs, sysfs and
// devfs are turned into. Missing directories of a path are made.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "vfs/pseudo.h"

namespace starry {

using TreeShow = std::function<std::string()>;
using TreeStore = std::function<Result<void>(std::string_view)>;

Ref<Inode> tree_add(const Ref<PseudoDir>& root, std::string_view path, Ref<Inode> inode);
Ref<Inode> tree_add_text(const Ref<PseudoDir>& root, std::string_view path, uint32_t perm, TreeShow show,
                         TreeStore store = nullptr);
Ref<Inode> tree_add_link(const Ref<PseudoDir>& root, std::string_view path, std::string text);
Ref<PseudoDir> tree_add_dir(const Ref<PseudoDir>& root, std::string_view path);

}  // namespace starry
