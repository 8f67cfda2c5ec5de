#include "vfs/fs_context.h"

namespace starry {

Ref<FsContext> FsContext::copy() const {
  auto c = make_ref<FsContext>();
  c->root = root;
  c->cwd = cwd;
  c->umask = umask;
  c->mounts = mounts;
  return c;
}

bool is_chrooted(const FsContext& fs) {
  Path root = fs.root, top(fs.mounts->root, fs.mounts->root->root);
  follow_mounts(root);
  follow_mounts(top);
  return root.mount != top.mount || root.dentry != top.dentry;
}

}  // namespace starry
