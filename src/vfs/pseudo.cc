#include "vfs/pseudo.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>

#include "emulated_kernel/task/task.h"
#include "vfs/dentry.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

constexpr size_t STORE_MAX = 64 * 1024;  // one write to a pseudo file

const Cred* opener = nullptr;  // TextFile::opened_by()

class TextFileOpen final : public File {
 public:
  TextFileOpen(const Path& where, int flags) : File(flags) {
    path = std::make_shared<const Path>(where);
    ++inode().opens;
    if (in_task()) cred_ = current().cred;
  }
  ~TextFileOpen() override { --inode().opens; }

  Result<size_t> read(IoVec& to, int64_t* at, int) override {
    if (!readable()) return Error{EBADF};
    int64_t& offset = at != nullptr ? *at : pos;
    if (offset == 0 || !made_) {
      text_ = TRY(inode().show());
      made_ = true;
    }
    if (static_cast<uint64_t>(offset) >= text_.size()) return size_t{0};
    size_t n = TRY(to.copy_out(text_.data() + offset, text_.size() - static_cast<size_t>(offset)));
    offset += static_cast<int64_t>(n);
    return n;
  }

  Result<size_t> write(IoVec& from, int64_t* at, int) override {
    if (!writable()) return Error{EBADF};
    std::string text(std::min(from.remaining(), STORE_MAX), '\0');
    size_t n = TRY(from.copy_in(text.data(), text.size()));
    text.resize(n);
    opener = cred_.get();
    Result<void> stored = inode().store(text);
    opener = nullptr;
    TRY(stored);
    (at != nullptr ? *at : pos) += static_cast<int64_t>(n);
    return n;
  }

  Result<int64_t> seek(int64_t offset, int whence) override {
    if (whence != SEEK_SET && whence != SEEK_CUR) return Error{EINVAL};
    int64_t target = (whence == SEEK_CUR ? pos : 0) + offset;
    if (target < 0) return Error{EINVAL};
    return pos = target;
  }

  Result<Kstat> stat() override { return inode().stat(); }
  Result<void> truncate(int64_t) override { return {}; }
  std::string describe() const override { return vfs_path_name(*path, Path()); }

 private:
  TextFile& inode() const { return static_cast<TextFile&>(*path->dentry->inode()); }
  Ref<const Cred> cred_;
  std::string text_;
  bool made_ = false;
};

}  // namespace

TextFile::TextFile(Ref<SuperBlock> s, uint32_t perm, Show show, Store store)
    : Inode(std::move(s), S_IFREG | perm), show_(std::move(show)), store_(std::move(store)) {}

Result<Ref<File>> TextFile::open(const Path& where, int flags) {
  return Ref<File>(make_ref<TextFileOpen>(where, flags));
}

Result<void> TextFile::setattr(const SetAttr& a) {
  return a.valid == SetAttr::SIZE ? Result<void>() : Error{EPERM};
}

Result<void> TextFile::store(std::string_view text) { return store_ ? store_(text) : Error{EINVAL}; }

const Cred& TextFile::opened_by() { return opener != nullptr ? *opener : *current().cred; }

PseudoDir::PseudoDir(Ref<SuperBlock> s, uint32_t perm) : Inode(std::move(s), S_IFDIR | perm) {}

Ref<Inode> PseudoDir::add(const std::string& name, Ref<Inode> inode) {
  entries_[name] = inode;
  return inode;
}

void PseudoDir::remove(const std::string& name) { entries_.erase(name); }

Ref<PseudoDir> PseudoDir::subdir(const std::string& name, uint32_t perm) {
  auto it = entries_.find(name);
  if (it == entries_.end())
    it = entries_.emplace(name, make_ref<PseudoDir>(Ref<SuperBlock>(&sb()), perm)).first;
  return boost::static_pointer_cast<PseudoDir>(it->second);
}

Result<Ref<Inode>> PseudoDir::lookup(std::string_view name) {
  auto it = entries_.find(name);
  if (it != entries_.end()) return it->second;
  return dynamic_lookup(name);
}

Result<std::vector<DirEntry>> PseudoDir::list() {
  std::vector<DirEntry> out;
  for (auto& [name, inode] : entries_)
    out.push_back({name, inode->ino(), static_cast<uint8_t>(IFTODT(inode->type()))});
  dynamic_list(out);
  return out;
}

PseudoLink::PseudoLink(Ref<SuperBlock> s, std::function<Result<std::string>()> text)
    : Inode(std::move(s), S_IFLNK | 0777), text_(std::move(text)) {}

MagicLink::MagicLink(Ref<SuperBlock> s, std::function<Result<std::string>()> text,
                     std::function<Result<Path>()> target)
    : Inode(std::move(s), S_IFLNK | 0777), text_(std::move(text)), target_(std::move(target)) {}

PseudoNode::PseudoNode(Ref<SuperBlock> s, uint32_t mode, uint64_t rdev) : Inode(std::move(s), mode) {
  attr.rdev = rdev;
}

Result<void> PseudoNode::setattr(const SetAttr& a) {
  apply_attr(a);
  return {};
}

}  // namespace starry
