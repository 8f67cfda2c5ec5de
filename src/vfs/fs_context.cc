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

}  // namespace starry
