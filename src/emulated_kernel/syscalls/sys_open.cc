// open, openat, openat2, creat, memfd_create, memfd_secret.
#include <linux/openat2.h>
#include <sys/mman.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/mm/secretmem.h"
#include "emulated_kernel/syscalls/path_arg.h"
#include "vfs/tmpfs/tmpfs.h"

namespace starry {

namespace {

// All flags of open(2); openat2(2) refuses others, open(2) ignores them.
constexpr int VALID_FLAGS = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |
                            O_SYNC | O_DSYNC | O_ASYNC | O_DIRECT | KERNEL_O_LARGEFILE | O_DIRECTORY |
                            O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE;

SysResult open_fd(Task& t, int dirfd, UserPtr<const char> pathname, OpenHow how) {
  PathArg a = TRY(path_arg(t, dirfd, pathname));
  const bool cloexec = (how.flags & O_CLOEXEC) != 0;
  if (!(how.flags & O_PATH)) how.flags |= KERNEL_O_LARGEFILE;
  Ref<File> f = TRY(open_at(Caller(t), a.start, a.text, how));
  return TRY(t.files->install(std::move(f), cloexec, t.rlimit(RLIMIT_NOFILE)));
}

SysResult open_legacy(Task& t, int dirfd, UserPtr<const char> pathname, int flags, uint32_t mode) {
  flags &= VALID_FLAGS;
  const bool creates = (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) != 0;
  return open_fd(t, dirfd, pathname, {flags, creates ? mode & 07777 : 0, 0});
}

Result<unsigned> resolution_of(uint64_t resolve) {
  static constexpr struct {
    uint64_t bit;
    unsigned walk;
  } MAP[] = {{RESOLVE_NO_XDEV, WALK_NO_XDEV},         {RESOLVE_NO_MAGICLINKS, WALK_NO_MAGICLINKS},
             {RESOLVE_NO_SYMLINKS, WALK_NO_SYMLINKS}, {RESOLVE_BENEATH, WALK_BENEATH},
             {RESOLVE_IN_ROOT, WALK_IN_ROOT},         {RESOLVE_CACHED, 0}};  // lookups never wait here
  unsigned walk = 0;
  for (auto& m : MAP) {
    if (resolve & m.bit) walk |= m.walk;
    resolve &= ~m.bit;
  }
  if (resolve != 0) return Error{EINVAL};
  if ((walk & WALK_BENEATH) && (walk & WALK_IN_ROOT)) return Error{EINVAL};
  return walk;
}

// struct open_how of `size` bytes; later versions of it must be all zero beyond what we know.
Result<GuestOpenHow> read_open_how(Task& t, UserPtr<const GuestOpenHow> how, size_t size) {
  if (size < sizeof(GuestOpenHow)) return Error{EINVAL};
  if (size > PAGE) return Error{E2BIG};
  auto bytes = TRY(t.mem().get_array(UserPtr<uint8_t>{how.addr}, size));
  for (size_t i = sizeof(GuestOpenHow); i < size; ++i)
    if (bytes[i] != 0) return Error{E2BIG};
  GuestOpenHow h;
  std::memcpy(&h, bytes.data(), sizeof h);
  return h;
}

}  // namespace

SysResult sys_open(Task& t, UserPtr<const char> pathname, int flags, uint32_t mode) {
  return open_legacy(t, AT_FDCWD, pathname, flags, mode);
}

SysResult sys_openat(Task& t, int dirfd, UserPtr<const char> pathname, int flags, uint32_t mode) {
  return open_legacy(t, dirfd, pathname, flags, mode);
}

SysResult sys_creat(Task& t, UserPtr<const char> pathname, uint32_t mode) {
  return open_legacy(t, AT_FDCWD, pathname, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

SysResult sys_openat2(Task& t, int dirfd, UserPtr<const char> pathname, UserPtr<const GuestOpenHow> how,
                      size_t size) {
  GuestOpenHow h = TRY(read_open_how(t, how, size));
  if (h.flags & ~static_cast<uint64_t>(VALID_FLAGS)) return Error{EINVAL};
  auto flags = static_cast<int>(h.flags);
  const unsigned resolve = TRY(resolution_of(h.resolve));
  const bool creates = (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) != 0;
  if (creates ? (h.mode & ~07777ULL) != 0 : h.mode != 0) return Error{EINVAL};
  constexpr int PATH_FLAGS = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
  if ((flags & O_PATH) && (flags & ~PATH_FLAGS)) return Error{EINVAL};
  return open_fd(t, dirfd, pathname,
                 {flags, static_cast<uint32_t>(h.mode), resolve, (h.resolve & RESOLVE_CACHED) != 0});
}

SysResult sys_memfd_create(Task& t, UserPtr<const char> name, unsigned flags) {
  constexpr unsigned NOEXEC_SEAL = 8, EXEC = 16;  // MFD_NOEXEC_SEAL, MFD_EXEC: Linux 6.3
  constexpr size_t NAME_MAX_LEN = 249;            // NAME_MAX without "memfd:"
  constexpr unsigned HUGE_SIZE = 0x3fU << 26;     // MFD_HUGE_2MB, ...: only with MFD_HUGETLB
  const unsigned known = MFD_CLOEXEC | MFD_ALLOW_SEALING | NOEXEC_SEAL | EXEC | MFD_HUGETLB |
                         ((flags & MFD_HUGETLB) != 0 ? HUGE_SIZE : 0);
  if ((flags & ~known) != 0) return Error{EINVAL};
  if ((flags & NOEXEC_SEAL) && (flags & EXEC)) return Error{EINVAL};
  std::string text = TRY(t.mem().read_cstr(name.addr, NAME_MAX_LEN + 1, EINVAL));
  if ((flags & MFD_HUGETLB) != 0) return Error{ENODEV};  // there are no huge pages of any size
  if (flags & NOEXEC_SEAL) flags |= MFD_ALLOW_SEALING;
  Ref<File> f = TRY(make_memfd(text, flags, t.cred->fsuid, t.cred->fsgid));
  return TRY(t.files->install(std::move(f), (flags & MFD_CLOEXEC) != 0, t.rlimit(RLIMIT_NOFILE)));
}

SysResult sys_memfd_secret(Task& t, unsigned flags) {
  if (flags & ~static_cast<unsigned>(O_CLOEXEC)) return Error{EINVAL};
  return TRY(t.files->install(TRY(make_secret_memory(t)), (flags & O_CLOEXEC) != 0, t.rlimit(RLIMIT_NOFILE)));
}

}  // namespace starry
