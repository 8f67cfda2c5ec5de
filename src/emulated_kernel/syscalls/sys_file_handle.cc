// name_to_handle_at(2). The handle tells files apart, also after they were renamed; open_by_handle_at(2) is
// for administrators and not there.
#include <fcntl.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/syscalls/path_arg.h"
#include "vfs/mount.h"

namespace starry {

namespace {

constexpr int FILEID_INO64_GEN = 0x81;  // linux/exportfs.h: what the bytes are
struct FileId {
  uint32_t ino_low, ino_high, generation;
};

}  // namespace

SysResult sys_name_to_handle_at(Task& t, int dirfd, UserPtr<const char> pathname,
                                UserPtr<GuestFileHandle> handle, UserPtr<int> mount_id, int flags) {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0) return Error{EINVAL};
  unsigned walk = (flags & AT_SYMLINK_FOLLOW) != 0 ? static_cast<unsigned>(WALK_FOLLOW) : 0;
  if ((flags & AT_EMPTY_PATH) != 0) walk |= WALK_EMPTY;
  const Path p = TRY(path_of(t, dirfd, pathname, walk));
  if (!p.mount->sb->has_handles()) return Error{EOPNOTSUPP};
  auto header = TRY(t.mem().get(handle));
  if (header.bytes > MAX_HANDLE_SZ) return Error{EINVAL};
  const bool fits = header.bytes >= sizeof(FileId);
  header = {sizeof(FileId), FILEID_INO64_GEN};
  const uint64_t ino = TRY(p.dentry->inode()->stat()).ino;
  const FileId id{static_cast<uint32_t>(ino), static_cast<uint32_t>(ino >> 32), 0};
  TRY(t.mem().put(mount_id, p.mount->id));
  TRY(t.mem().put(handle, header));
  if (!fits) return Error{EOVERFLOW};  // the caller has learned how many it needs
  TRY(t.mem().write(handle.addr + sizeof header, &id, sizeof id));
  return 0;
}

}  // namespace starry
