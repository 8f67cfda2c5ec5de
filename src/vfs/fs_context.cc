#include "vfs/fs_context.h"

namespace starry {

Ref<FsContext> FsContext::copy() const {
  auto c = make_ref<FsContext>();
  c->root = root;
  c->cwd = cwd;
  c->umask = umask;
  return c;
}

}  // namespace starry
