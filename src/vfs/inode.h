// Inodes, superblocks and file system types: what a file system implements (struct inode_operations,
// struct super_operations). Written against it: overlay, tmpfs, hostdir, procfs, sysfs, devfs, devpts.
//
// Division of labour: the VFS (walk.cc, vfs_*.cc) splits paths, caches names (dentry.h), follows mounts
// and symbolic links, checks permissions, names, types and flags, and computes the owner and mode of new
// objects. A file system only does the thing. Everything runs on the kernel thread and none of these
// functions may suspend the fiber except open() of a FIFO or device.
//
// Pseudo file systems: see vfs/pseudo.h for ready-made inodes ("text file from a function", "directory
// from a list"). Most only subclass Inode for a directory with lookup(), list() and revalidate().
#pragma once

#include <sys/statfs.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/result.h"
#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/task/cred.h"
#include "vfs/path.h"

namespace starry {

class Inode;
class FileLocks;
class Task;
class UnixBinding;

// One mounted file system instance. Inodes keep it alive; it keeps nothing alive.
class SuperBlock : public RefCounted {
 public:
  // `magic` is f_type of statfs(2) (linux/magic.h).
  SuperBlock(std::string fs_name, uint64_t magic);
  const std::string& fs_name() const { return fs_name_; }  // "proc", as in /proc/mounts
  uint64_t dev() const { return dev_; }                    // st_dev: an anonymous device number
  uint64_t next_ino() { return ++last_ino_; }
  uint32_t block_size() const { return block_size_; }  // st_blksize, how much stdio reads at once
  virtual Result<struct statfs> statfs();              // default: an empty pseudo file system
  virtual Result<void> sync() { return {}; }
  // Whether a whiteout, a character device 0:0, may be made by anybody and by RENAME_WHITEOUT.
  virtual bool keeps_whiteouts() const { return false; }
  // name_to_handle_at(2): inode numbers stand for the same file for good.
  virtual bool has_handles() const { return false; }
  // Whose root may do things with it that root may do; from outside it, set-user-ID files and devices count
  // for nothing.
  Ref<const UserNamespace> user_ns = initial_user_ns();
  // Options after "rw," in /proc/mounts, with a leading comma: ",size=65536k".
  virtual std::string show_options() const { return {}; }

 protected:
  uint64_t magic_;
  uint32_t block_size_ = 4096;

 private:
  std::string fs_name_;
  uint64_t dev_;
  uint64_t last_ino_ = 0;
};

// What chmod, chown, utimensat, truncate ask for (struct iattr). The VFS has checked permissions and
// resolved UTIME_NOW; a file system applies the members whose bit is set, all or none.
struct SetAttr {
  enum : uint32_t { MODE = 1, UID = 2, GID = 4, SIZE = 8, ATIME = 16, MTIME = 32 };
  uint32_t valid = 0;
  uint32_t mode = 0;  // permission bits incl. suid, sgid, sticky (07777)
  uint32_t uid = 0, gid = 0;
  uint64_t size = 0;
  timespec atime{}, mtime{};
};

// Into what stat(2) shows; updates ctime.
void apply_setattr(Kstat& attr, const SetAttr& a);

// An object to be created. The VFS has applied the umask and the rules for set-group-ID directories.
struct NewInode {
  uint32_t mode = 0;  // with the type bits: S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK
  uint32_t uid = 0, gid = 0;
  uint64_t rdev = 0;
  std::string target;  // of a symbolic link
};

struct DirEntry {
  std::string name;
  uint64_t ino;
  uint8_t type;  // DT_*
};

// Bits of permission().
inline constexpr int MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4;

class Inode : public RefCounted {
 public:
  // `mode` with the type bits; the type never changes. ino 0: the superblock numbers it.
  Inode(Ref<SuperBlock> sb, uint32_t mode, uint64_t ino = 0);
  ~Inode() override;

  SuperBlock& sb() const { return *sb_; }
  uint64_t ino() const { return attr.ino; }
  uint32_t type() const { return attr.mode & S_IFMT; }
  bool is_dir() const { return type() == S_IFDIR; }
  bool is_symlink() const { return type() == S_IFLNK; }
  bool is_regular() const { return type() == S_IFREG; }

  // --- Attributes ---
  // Current attributes. The default returns `attr`; override when they are computed (owner of
  // /proc/PID) or must be fetched.
  virtual Result<Kstat> stat() { return attr; }
  // The same where only mode, owner and group count: asked on every path component, must be cheap.
  // Override where stat() is not and `attr` has these three.
  virtual Result<Kstat> ownership() { return stat(); }
  // Default EPERM. In-memory file systems: `apply_attr(a); return {};`.
  virtual Result<void> setattr(const SetAttr& a);
  // Default: the mode bits with the capability rules of path_resolution(7). EACCES.
  virtual Result<void> permission(const Cred& cred, int may);

  // --- Extended attributes (xattr(7)); default EOPNOTSUPP ---
  virtual Result<std::string> getxattr(const std::string& name);  // ENODATA
  virtual Result<void> setxattr(const std::string& name, std::string_view value, int flags);
  virtual Result<void> removexattr(const std::string& name);
  virtual Result<std::vector<std::string>> listxattr() { return std::vector<std::string>{}; }

  // --- Directories; names are single components, never "." or ".." ---
  // ENOENT. The same object must have the same Inode while anybody holds it, or be indistinguishable.
  virtual Result<Ref<Inode>> lookup(std::string_view name);
  // All entries but "." and "..". Called when a directory is read from its beginning; the open file
  // keeps the list, so offsets are stable.
  virtual Result<std::vector<DirEntry>> list();
  // The rest defaults to EPERM (as in procfs: what cannot be, cannot be made). The VFS has made sure
  // that `name` is absent (create, link) or names `victim` (unlink, rmdir) and that types fit.
  virtual Result<Ref<Inode>> create(std::string_view name, const NewInode& what);
  virtual Result<void> link(std::string_view name, Inode& target);
  virtual Result<void> unlink(std::string_view name, Inode& victim);
  virtual Result<void> rmdir(std::string_view name, Inode& victim);  // ENOTEMPTY
  // `target` is what is replaced, or null. flags: RENAME_EXCHANGE (target not null) or 0.
  virtual Result<void> rename(std::string_view old_name, Inode& what, Inode& new_dir,
                              std::string_view new_name, Inode* target, unsigned flags);
  // O_TMPFILE: an unnamed regular file in this file system. EOPNOTSUPP.
  virtual Result<Ref<Inode>> tmpfile(const NewInode& what);

  // --- What the name cache may keep ---
  // Asked of a cached inode each time its name is looked up: false = the name may mean something else
  // by now, call lookup() again (/proc/PID, /proc/self/fd/N, /dev/pts/N).
  virtual bool revalidate() { return true; }
  // For directories: may "no such entry" be cached? Must be false if entries appear by themselves.
  virtual bool cache_negative() const { return true; }
  // For directories: may the cache keep it and what is below while nobody uses them? False if they vanish by
  // themselves: nobody would ever take them out.
  virtual bool cache_unused() const { return true; }

  // --- Symbolic links ---
  virtual Result<std::string> readlink();
  // A magic link (/proc/PID/exe, /proc/PID/fd/N) goes straight to a place instead of through its
  // text. An empty Path (the default): an ordinary link, walk readlink(). Only called when followed,
  // in the context of the walking task. For an open file: vfs_file_path() of vfs/vfs.h.
  virtual Result<Path> follow() { return Path(); }

  // --- Opening ---
  // flags as open(2) without O_CREAT, O_EXCL, O_NOFOLLOW, O_CLOEXEC; O_TRUNC has been done.
  // Permissions were checked. Default: directories through list(); FIFOs, devices and sockets through
  // vfs/special.h; others ENXIO. The VFS sets File::path afterwards if it is not set yet.
  virtual Result<Ref<File>> open(const Path& where, int flags);

  // Attributes as far as they are kept in memory.
  Kstat attr;
  // State that other subsystems hang on an inode; they own the meaning.
  Ref<RefCounted> pipe_state;           // FIFO: fd/pipe
  Ref<FileLocks> locks;                 // flock(2), fcntl(2) locks: fd/locks.h
  Ref<RefCounted> watches;              // inotify(7): fd/inotify.h, told through vfs/notify.h
  UnixBinding* unix_binding = nullptr;  // S_IFSOCK: who is bound there (weak)
  int opens = 0;                        // open files of this inode
  int writers = 0;                      // those of regular files that are open for writing
  int executed = 0;                     // those that are programs being run: no writers then (ETXTBSY)

 protected:
  void apply_attr(const SetAttr& a);  // into `attr`; updates ctime
  void touch_mtime();                 // mtime = ctime = now
  static timespec now();              // CLOCK_REALTIME of the platform

 private:
  Ref<SuperBlock> sb_;
};

// --- File system types (filesystems(5)) ---
struct MountArgs {
  std::string source;       // first field of /proc/mounts
  std::string data;         // comma-separated options: "size=64k,mode=1777"
  unsigned long flags = 0;  // MS_*
};
struct FileSystemType {
  std::string name;
  bool needs_device = false;  // else "nodev" in /proc/filesystems
  // Root inode of a new superblock, or of the shared one (procfs, devpts).
  std::function<Result<Ref<Inode>>(const MountArgs&)> mount;
  // In which user namespace `t` must have CAP_SYS_ADMIN to mount it; null: in the initial one
  // (FS_USERNS_MOUNT).
  const UserNamespace& (*ruler)(const Task& t) = nullptr;
  // It shows the system: a less privileged mount namespace gets it only if it has one already, and all of it.
  bool revealing = false;
};
// Called once per type by the file system's init function, before the first mount.
void register_filesystem(FileSystemType type);
const FileSystemType* find_filesystem(std::string_view name);
const std::vector<FileSystemType>& filesystems();

// Splits mount data; false for an absent key. "mode=1777" -> value "1777", "ro" -> value "".
bool mount_option(const std::string& data, std::string_view key, std::string* value);

}  // namespace starry
