#include "vfs/special.h"

#include <sys/sysmacros.h>

#include <map>

#include "emulated_kernel/fd/pipe.h"
#include "vfs/dentry.h"

namespace starry {

namespace {

using DriverKey = std::pair<unsigned, int>;  // major, minor; minor -1: all

std::map<DriverKey, SpecialOpener>& drivers() {
  static std::map<DriverKey, SpecialOpener> d;
  return d;
}

// An open named pipe: the pipe's behaviour with the inode's attributes.
class FifoFile final : public PipeFile {
 public:
  FifoFile(Ref<Pipe> pipe, const Path& where, int flags) : PipeFile(std::move(pipe), flags) {
    path = std::make_shared<const Path>(where);
    ++inode().opens;
  }
  ~FifoFile() override { --inode().opens; }
  using PipeFile::open_fifo;
  Result<Kstat> stat() override { return inode().stat(); }
  Ref<FileLocks>& lock_slot() override { return inode().locks; }
  std::string describe() const override { return path->dentry->name(); }

 private:
  Inode& inode() const { return *path->dentry->inode(); }
};

Result<Ref<File>> open_fifo(Inode& inode, const Path& where, int flags) {
  Ref<RefCounted> pipe = inode.pipe_state;
  if (!pipe) inode.pipe_state = pipe = make_ref<Pipe>();
  auto file = make_ref<FifoFile>(boost::static_pointer_cast<Pipe>(pipe), where, flags);
  TRY(file->open_fifo());
  return Ref<File>(file);
}

}  // namespace

void register_chrdev(unsigned major, int minor, SpecialOpener open) {
  drivers()[{major, minor}] = std::move(open);
}

Result<Ref<File>> open_special(Inode& inode, const Path& where, int flags) {
  if (inode.type() == S_IFIFO) return open_fifo(inode, where, flags);
  if (inode.type() != S_IFCHR) return Error{ENXIO};
  unsigned maj = major(inode.attr.rdev), min = minor(inode.attr.rdev);
  auto it = drivers().find({maj, static_cast<int>(min)});
  if (it == drivers().end()) it = drivers().find({maj, -1});
  if (it == drivers().end()) return Error{ENXIO};
  return it->second(inode, where, flags);
}

}  // namespace starry
