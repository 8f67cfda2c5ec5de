// /proc/PID/fd and /proc/PID/fdinfo.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>

#include "emulated_kernel/fd/fd_table.h"
#include "emulated_kernel/task/task.h"
#include "vfs/mount.h"
#include "vfs/procfs/task_dir.h"
#include "vfs/vfs.h"

namespace starry::proc {

namespace {

// The open file `fd` of a task; null: closed, or the task is gone.
Ref<File> open_file(TaskId id, int fd) {
  const Task* t = id.find();
  return t != nullptr && t->files ? Ref<File>(t->files->get(fd)) : nullptr;
}

// The mode of the link tells how the file is open.
uint32_t link_mode(const File& f) {
  return S_IFLNK | (f.readable() ? 0500U : 0U) | (f.writable() ? 0300U : 0U);
}

class FdLink final : public Inode {
 public:
  FdLink(Ref<SuperBlock> sb, TaskId id, int fd, const File& f)
      : Inode(std::move(sb), link_mode(f), task_ino(id, Sort::fd, static_cast<uint64_t>(fd))),
        id_(id),
        fd_(fd) {
    attr.size = 64;
  }
  Result<Kstat> stat() override { return owned_by(attr, id_); }
  // The descriptor may be another file, open in another way, the next time.
  bool revalidate() override { return false; }
  Result<std::string> readlink() override {
    const Ref<File> f = TRY(file());
    return vfs_file_name(current(), *f);
  }
  Result<Path> follow() override { return vfs_file_path(TRY(file())); }

 private:
  Result<Ref<File>> file() const {
    const Task* t = id_.find();
    if (t == nullptr) return Error{ENOENT};
    if (!may_inspect(current(), *t)) return Error{EACCES};
    Ref<File> f = open_file(id_, fd_);
    if (!f) return Error{ENOENT};
    return f;
  }
  const TaskId id_;
  const int fd_;
};

// A descriptor as /proc/PID/fdinfo/N shows it.
class FdInfo final : public TextFile {
 public:
  FdInfo(Ref<SuperBlock> sb, TaskId id, int fd) : TextFile(std::move(sb), 0444, nullptr), id_(id), fd_(fd) {
    attr.ino = task_ino(id, Sort::fdinfo, static_cast<uint64_t>(fd));
  }
  Result<Kstat> stat() override { return owned_by(attr, id_); }
  bool revalidate() override { return open_file(id_, fd_) != nullptr; }
  Result<Ref<File>> open(const Path& where, int flags) override {
    const Task* t = id_.find();
    if (t == nullptr) return Error{ENOENT};
    if (!may_inspect(current(), *t)) return Error{EACCES};
    return TextFile::open(where, flags);
  }
  Result<std::string> show() override {
    const Ref<File> f = open_file(id_, fd_);
    if (!f) return Error{ENOENT};
    const PidView view(pid_ns_of(sb()));
    constexpr int ANON_MOUNT_ID = 15;  // of pipes, sockets and the like
    const int cloexec = id_.find()->files->cloexec(fd_) ? O_CLOEXEC : 0;
    const Kstat st = TRY(vfs_file_stat(*f));
    return fmt::format("pos:\t{}\nflags:\t0{:o}\nmnt_id:\t{}\nino:\t{}\n{}", f->pos, f->flags() | cloexec,
                       f->path ? f->path->mount->id : ANON_MOUNT_ID, st.ino, f->fdinfo());
  }

 private:
  const TaskId id_;
  const int fd_;
};

class FdDir final : public TaskOwnedDir {
 public:
  FdDir(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino, Sort sort)
      : TaskOwnedDir(std::move(sb), perm, id, ino), sort_(sort) {}

  // A process always sees its own descriptors, whatever its ids have become.
  Result<void> permission(const Cred& cred, int may) override {
    const Task* t = id_.find();
    if (t != nullptr && t->group == current().group && (may & MAY_WRITE) == 0) return {};
    return TaskOwnedDir::permission(cred, may);
  }
  Result<Ref<Inode>> dynamic_lookup(std::string_view name) override {
    TRY(task());
    const std::optional<int> fd = parse_id(name);
    const Ref<File> f = fd ? open_file(id_, *fd) : nullptr;
    if (!f) return Error{ENOENT};
    if (sort_ == Sort::fd) return Ref<Inode>(make_ref<FdLink>(&sb(), id_, *fd, *f));
    return Ref<Inode>(make_ref<FdInfo>(&sb(), id_, *fd));
  }
  void dynamic_list(std::vector<DirEntry>& out) override {
    const Task* t = id_.find();
    if (t == nullptr || !t->files) return;
    for (int fd = 0; fd < t->files->capacity(); fd++) {
      if (t->files->get(fd) == nullptr) continue;
      out.push_back({std::to_string(fd), task_ino(id_, sort_, static_cast<uint64_t>(fd)),
                     static_cast<uint8_t>(sort_ == Sort::fd ? DT_LNK : DT_REG)});
    }
  }

 private:
  const Sort sort_;
};

}  // namespace

Ref<Inode> make_fd_dir(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino) {
  return make_ref<FdDir>(std::move(sb), perm, id, ino, Sort::fd);
}

Ref<Inode> make_fdinfo_dir(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino) {
  return make_ref<FdDir>(std::move(sb), perm, id, ino, Sort::fdinfo);
}

}  // namespace starry::proc
