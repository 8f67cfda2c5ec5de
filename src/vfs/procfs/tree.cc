#include "vfs/procfs/tree.h"

namespace starry {

Ref<PseudoDir> tree_add_dir(const Ref<PseudoDir>& root, std::string_view path) {
  Ref<PseudoDir> dir = root;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    dir = dir->subdir(std::string(name));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
  }
  return dir;
}

Ref<Inode> tree_add(const Ref<PseudoDir>& root, std::string_view path, Ref<Inode> inode) {
  const size_t slash = path.rfind('/');
  if (slash == path.npos) return root->add(std::string(path), std::move(inode));
  return tree_add_dir(root, path.substr(0, slash))
      ->add(std::string(path.substr(slash + 1)), std::move(inode));
}

Ref<Inode> tree_add_text(const Ref<PseudoDir>& root, std::string_view path, uint32_t perm, TreeShow show,
                         TreeStore store) {
  return tree_add(root, path, make_ref<TextFile>(&root->sb(), perm, std::move(show), std::move(store)));
}

Ref<Inode> tree_add_link(const Ref<PseudoDir>& root, std::string_view path, std::string text) {
  return tree_add(root, path,
                  make_ref<PseudoLink>(&root->sb(), [text] { return Result<std::string>(text); }));
}

}  // namespace starry
