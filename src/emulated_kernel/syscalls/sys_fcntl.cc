// fcntl(2).
#include <fcntl.h>

#include <utility>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/log.h"
#include "emulated_kernel/fd/async_owner.h"
#include "emulated_kernel/fd/dnotify.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/fd/locks.h"
#include "emulated_kernel/fd/pipe.h"
#include "emulated_kernel/task/pid_table.h"
#include "vfs/inode.h"
#include "vfs/permission.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

constexpr int CAP_LEASE_NR = 28;         // CAP_LEASE
constexpr int CAP_SYS_RESOURCE_NR = 24;  // CAP_SYS_RESOURCE
// <linux/fcntl.h>; <fcntl.h> does not have them.
constexpr unsigned F_DUPFD_QUERY_CMD = 1027;
constexpr unsigned F_GETOWNER_UIDS_CMD = 17;

SysResult dup_fd(Task& t, Ref<File> f, uint64_t min, bool cloexec) {
  const uint64_t limit = t.rlimit(RLIMIT_NOFILE);
  if (static_cast<uint32_t>(min) >= limit) return Error{EINVAL};
  return TRY(t.files->install(std::move(f), cloexec, limit, static_cast<int>(min)));
}

SysResult set_flags(Task& t, File& f, int fd, int arg) {
  constexpr int CHANGEABLE = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;
  const int now = (f.flags() & ~CHANGEABLE) | (arg & CHANGEABLE);
  const int on = now & ~f.flags();
  if ((on & (O_NOATIME | O_DIRECT)) != 0) {
    const Kstat st = TRY(f.stat());
    if ((on & O_NOATIME) != 0 && !owner_or_capable(st, *t.cred)) return Error{EPERM};
    const uint32_t type = st.mode & S_IFMT;
    if ((on & O_DIRECT) != 0 && type != S_IFREG && type != S_IFBLK && type != S_IFIFO) return Error{EINVAL};
  }
  // Files that never signal readiness just keep the bit, as those without f_op->fasync do.
  if (((now ^ f.flags()) & O_ASYNC) != 0) (void)set_async(f, fd, (now & O_ASYNC) != 0);
  TRY(f.set_status_flags(now));
  return 0;
}

// --- Owner of signals: F_SETOWN and relatives ---

// Numbers are those of the caller, ids kernel-wide.
SysResult set_owner(Task& t, File& f, int type, pid_t number) {
  const pid_t id = t.kernel_pid(number);
  const bool exists = type == F_OWNER_PGRP  ? pgrp_exists(id)
                      : type == F_OWNER_TID ? find_task(id) != nullptr
                                            : find_group(id) != nullptr || find_task(id) != nullptr;
  if (number != 0 && !exists) return Error{ESRCH};
  AsyncOwner& owner = async_owner(f);
  owner.type = type;
  owner.id = id;
  return 0;
}

SysResult set_owner_arg(Task& t, File& f, int who) {
  if (who == INT32_MIN) return Error{EINVAL};
  return who < 0 ? set_owner(t, f, F_OWNER_PGRP, -who) : set_owner(t, f, F_OWNER_PID, who);
}

SysResult get_owner(const Task& t, const File& f) {
  const AsyncOwner* o = f.attached.owner.get();
  if (o == nullptr) return 0;
  const pid_t number = t.shown_pid(o->id);
  return o->type == F_OWNER_PGRP ? -number : number;
}

SysResult owner_ex(Task& t, File& f, unsigned cmd, UserPtr<f_owner_ex> arg) {
  if (cmd == F_GETOWN_EX) {
    const AsyncOwner* o = f.attached.owner.get();
    f_owner_ex out{};
    out.type = static_cast<__pid_type>(o != nullptr ? o->type : F_OWNER_TID);
    out.pid = o != nullptr ? t.shown_pid(o->id) : 0;
    TRY(t.mem().put(arg, out));
    return 0;
  }
  const f_owner_ex in = TRY(t.mem().get(arg));
  const int type = static_cast<int>(in.type);
  if (type != F_OWNER_TID && type != F_OWNER_PID && type != F_OWNER_PGRP) return Error{EINVAL};
  return set_owner(t, f, type, in.pid);
}

// --- Record locks ---

// The bytes that a struct flock means (fs/locks.c: flock64_to_posix_lock).
Result<std::pair<int64_t, int64_t>> lock_range(File& f, const struct flock& l) {
  int64_t start = 0;
  switch (l.l_whence) {
    case SEEK_SET:
      break;
    case SEEK_CUR:
      start = f.pos;
      break;
    case SEEK_END:
      start = static_cast<int64_t>(TRY(f.stat()).size);
      break;
    default:
      return Error{EINVAL};
  }
  if (__builtin_add_overflow(start, l.l_start, &start)) return Error{EOVERFLOW};
  if (start < 0) return Error{EINVAL};
  if (l.l_len == 0) return std::pair<int64_t, int64_t>(start, INT64_MAX);
  if (l.l_len > 0) {
    if (l.l_len - 1 > INT64_MAX - start) return Error{EOVERFLOW};
    return std::pair<int64_t, int64_t>(start, start + l.l_len - 1);
  }
  if (start + l.l_len < 0) return Error{EINVAL};
  return std::pair<int64_t, int64_t>(start + l.l_len, start - 1);
}

SysResult record_lock(Task& t, const Ref<File>& f, int fd, unsigned cmd, UserPtr<struct flock> arg) {
  const bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
  const bool query = cmd == F_GETLK || cmd == F_OFD_GETLK;
  struct flock l = TRY(t.mem().get(arg));
  const bool real_lock = l.l_type == F_RDLCK || l.l_type == F_WRLCK;
  if (query && !real_lock && (cmd != F_OFD_GETLK || l.l_type != F_UNLCK)) return Error{EINVAL};
  const auto [start, end] = TRY(lock_range(*f, l));
  if (!real_lock && l.l_type != F_UNLCK) return Error{EINVAL};
  if (ofd && l.l_pid != 0) return Error{EINVAL};
  const void* owner = ofd ? description_owner(*f) : t.files.get();
  const RecordLock req = {owner, l.l_type, start, end, ofd ? -1 : t.tgid()};
  FileLocks& locks = file_locks(*f);

  if (query) {
    const RecordLock* other = real_lock ? locks.find_conflict(req) : nullptr;
    if (other == nullptr) {
      l.l_type = F_UNLCK;
    } else {
      l.l_type = static_cast<int16_t>(other->type);
      l.l_whence = SEEK_SET;
      l.l_start = other->start;
      l.l_len = other->end == INT64_MAX ? 0 : other->end - other->start + 1;
      l.l_pid = other->pid > 0 ? t.shown_pid(other->pid) : other->pid;
    }
    TRY(t.mem().put(arg, l));
    return 0;
  }

  if ((l.l_type == F_RDLCK && !f->readable()) || (l.l_type == F_WRLCK && !f->writable())) return Error{EBADF};
  TRY(locks.set_record(req, cmd == F_SETLKW || cmd == F_OFD_SETLKW));
  if (ofd) {
    f->attached.owned_locks = &locks;
  } else if (l.l_type != F_UNLCK && t.file(fd) != f.get()) {
    // Another thread closed the descriptor while we slept: its close must have dropped this lock too.
    locks.drop_records(owner);
    return Error{EBADF};
  }
  return 0;
}

// --- Leases ---

SysResult set_lease(Task& t, File& f, int fd, int type) {
  if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK) return Error{EINVAL};
  const Kstat st = TRY(f.stat());
  if (st.uid != t.cred->fsuid && !t.cred->capable(CAP_LEASE_NR)) return Error{EACCES};
  const Inode* inode = vfs_inode(f);
  if (inode == nullptr || !inode->is_regular()) return Error{EINVAL};
  FileLocks& locks = file_locks(f);
  if (type == F_UNLCK) {
    TRY(locks.leases.remove(description_owner(f)));
    return 0;
  }
  // Nobody may write beside a read lease, nobody may have the file open beside a write lease.
  if (type == F_RDLCK ? inode->writers != 0 : inode->opens > 1) return Error{EAGAIN};
  TRY(locks.leases.set(f, type));
  f.attached.owned_locks = &locks;
  AsyncOwner& owner = async_owner(f);
  owner.fd = fd;
  if (owner.id == 0) owner.id = t.tgid();
  return 0;
}

bool allowed_on_path_fd(unsigned cmd) {
  return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC || cmd == F_GETFD || cmd == F_SETFD || cmd == F_GETFL ||
         cmd == F_DUPFD_QUERY_CMD;
}

}  // namespace

SysResult sys_fcntl(Task& t, int fd, unsigned cmd, uint64_t arg) {
  const Ref<File> f = TRY(get_file(t, fd));
  if ((f->flags() & O_PATH) != 0 && !allowed_on_path_fd(cmd)) return Error{EBADF};
  const int value = static_cast<int>(arg);
  switch (cmd) {
    case F_DUPFD:
      return dup_fd(t, f, arg, false);
    case F_DUPFD_CLOEXEC:
      return dup_fd(t, f, arg, true);
    case F_DUPFD_QUERY_CMD:
      return t.file(value) == nullptr ? SysResult(Error{EBADF}) : SysResult(t.file(value) == f.get());
    case F_GETFD:
      return t.files->cloexec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
      t.files->set_cloexec(fd, (value & FD_CLOEXEC) != 0);
      return 0;
    case F_GETFL:
      return f->flags();
    case F_SETFL:
      return set_flags(t, *f, fd, value);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      return record_lock(t, f, fd, cmd, {arg});
    case F_SETOWN:
      return set_owner_arg(t, *f, value);
    case F_GETOWN:
      return get_owner(t, *f);
    case F_SETOWN_EX:
    case F_GETOWN_EX:
      return owner_ex(t, *f, cmd, {arg});
    case F_SETSIG:
      if (arg > 64) return Error{EINVAL};
      async_owner(*f).signo = value;
      return 0;
    case F_GETSIG:
      return f->attached.owner ? f->attached.owner->signo : 0;
    case F_SETPIPE_SZ:
      return set_pipe_size(*f, static_cast<uint32_t>(arg), t.cred->capable(CAP_SYS_RESOURCE_NR));
    case F_GETPIPE_SZ:
      return get_pipe_size(*f);
    case F_ADD_SEALS:
      if (arg > UINT32_MAX) return Error{EINVAL};
      TRY(f->add_seals(value));
      return 0;
    case F_GET_SEALS:
      return TRY(f->seals());
    case F_SETLEASE:
      return set_lease(t, *f, fd, value);
    case F_GETLEASE:
      return f->lock_slot() ? f->lock_slot()->leases.get(*f) : F_UNLCK;
    case F_NOTIFY:
      TRY(dnotify_set(t, *f, fd, static_cast<uint32_t>(arg)));
      return 0;
    case F_GETOWNER_UIDS_CMD:
    case F_GET_RW_HINT:
    case F_SET_RW_HINT:
      klog(LogLevel::warn, "fcntl: command {} is not supported", cmd);
      return Error{EINVAL};
    default:
      return Error{EINVAL};
  }
}

}  // namespace starry
