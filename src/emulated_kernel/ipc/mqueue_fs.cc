// The file system that holds the POSIX message queues, and opening and removing them.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mount.h>

#include <algorithm>

#include "emulated_kernel/ipc/ipc_namespace.h"
#include "emulated_kernel/ipc/mqueue.h"
#include "emulated_kernel/task/ns_proxy.h"
#include "emulated_kernel/task/task.h"
#include "netstack/netlink.h"
#include "vfs/dentry.h"
#include "vfs/fs_context.h"
#include "vfs/mount.h"
#include "vfs/ops.h"

namespace starry {

namespace {

constexpr int64_t MSG_MAX = 10, MSGSIZE_MAX = 8192;  // fs.mqueue.msg_max, msgsize_max
constexpr int64_t MSG_HARD_MAX = 65536, MSGSIZE_HARD_MAX = 16 << 20;
constexpr int QUEUES_MAX = 256;  // fs.mqueue.queues_max

constexpr uint64_t MQUEUE_MAGIC = 0x19800202;

class MqSuper final : public SuperBlock {
 public:
  explicit MqSuper(const IpcNamespace& ns) : SuperBlock("mqueue", MQUEUE_MAGIC) { user_ns = ns.owner_ref(); }
  int queues = 0;
};

int& queues_of(const Inode& i) { return static_cast<MqSuper&>(i.sb()).queues; }

std::map<uint32_t, uint64_t> bytes_of_user;
const MqAttr* creation_attr = nullptr;  // what the creation in progress asks for

// mqueue_get_inode(): what a full queue takes, as RLIMIT_MSGQUEUE counts it. EINVAL, EOVERFLOW.
Result<uint64_t> bytes_for(const Task& t, const MqAttr& a) {
  const bool privileged = t.cred->capable(CAP_SYS_RESOURCE);
  if (a.maxmsg <= 0 || a.msgsize <= 0) return Error{EINVAL};
  if (a.maxmsg > (privileged ? MSG_HARD_MAX : MSG_MAX)) return Error{EINVAL};
  if (a.msgsize > (privileged ? MSGSIZE_HARD_MAX : MSGSIZE_MAX)) return Error{EINVAL};
  constexpr uint64_t MSG_HEADER = 48, TREE_NODE = 48;  // sizeof struct msg_msg, posix_msg_tree_node
  const auto n = static_cast<uint64_t>(a.maxmsg);
  return n * MSG_HEADER + std::min<uint64_t>(n, MQ_PRIORITY_MAX) * TREE_NODE +
         n * static_cast<uint64_t>(a.msgsize);
}

class MqRoot final : public Inode {
 public:
  explicit MqRoot(Ref<SuperBlock> s) : Inode(std::move(s), S_IFDIR | S_ISVTX | 0777) {}

  Result<Ref<Inode>> lookup(std::string_view name) override {
    auto it = entries_.find(name);
    if (it == entries_.end()) return Error{ENOENT};
    return Ref<Inode>(it->second);
  }
  Result<std::vector<DirEntry>> list() override {
    std::vector<DirEntry> out;
    for (auto& [name, q] : entries_) out.push_back({name, q->ino(), 8 /* DT_REG */});
    return out;
  }
  bool cache_negative() const override { return false; }
  Result<Ref<Inode>> create(std::string_view name, const NewInode& what) override {
    if (!S_ISREG(what.mode)) return Error{EPERM};
    const Task& t = current();
    if (queues_of(*this) >= QUEUES_MAX && !t.cred->capable(CAP_SYS_RESOURCE)) return Error{ENOSPC};
    const MqAttr a = creation_attr != nullptr ? *creation_attr : MqAttr{};
    const uint64_t bytes = TRY(bytes_for(t, a));
    if (bytes_of_user[t.cred->uid] + bytes > t.rlimit(RLIMIT_MSGQUEUE)) return Error{EMFILE};
    auto q = make_ref<MqInode>(Ref<SuperBlock>(&sb()), what, a, bytes);
    entries_.emplace(name, q);
    attr.size += 20;
    touch_mtime();
    return Ref<Inode>(q);
  }
  Result<void> unlink(std::string_view name, Inode& victim) override {
    const Ref<Inode> keep(&victim);
    victim.attr.nlink = 0;
    entries_.erase(entries_.find(name));
    attr.size -= 20;
    touch_mtime();
    return {};
  }

 private:
  std::map<std::string, Ref<MqInode>, std::less<>> entries_;
};

// Where mq_open finds queues, whatever is mounted where.
const Path& kernel_mount() {
  IpcNamespace& ns = *current_ipc_ns();
  if (!ns.mqueue) {
    const Ref<SuperBlock> sb = make_ref<MqSuper>(ns);
    auto dentry = Dentry::make_root(make_ref<MqRoot>(sb));
    ns.mqueue = Path(make_ref<Mount>(sb, dentry, "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC), dentry);
  }
  return ns.mqueue;
}

// lookup_noperm(): one component.
Result<void> check_name(const std::string& name) {
  if (name.empty()) return Error{ENOENT};
  if (const std::string_view v = name; v == "." || v == ".." || v.find('/') != v.npos) return Error{EACCES};
  if (name.size() > NAME_LEN_MAX) return Error{ENAMETOOLONG};
  return {};
}

}  // namespace

MqInode::MqInode(Ref<SuperBlock> s, const NewInode& what, const MqAttr& a, uint64_t bytes)
    : Inode(std::move(s), what.mode), limits(a), accounted_(bytes), creator_(current().cred->uid) {
  attr.uid = what.uid, attr.gid = what.gid;
  attr.size = 80;  // of the status text
  ++queues_of(*this);
  bytes_of_user[creator_] += accounted_;
}

MqInode::~MqInode() {
  --queues_of(*this);
  bytes_of_user[creator_] -= accounted_;
}

Result<Ref<File>> MqInode::open(const Path&, int flags) {
  return Ref<File>(make_ref<MqFile>(Ref<MqInode>(this), flags));
}

Result<void> MqInode::setattr(const SetAttr& a) {
  SetAttr without_size = a;  // O_TRUNC is accepted and does nothing
  without_size.valid &= ~static_cast<uint32_t>(SetAttr::SIZE);
  apply_attr(without_size);
  return {};
}

Result<size_t> MqFile::read(IoVec& to, int64_t* at, int) {
  if (!readable()) return Error{EBADF};
  int64_t& offset = at != nullptr ? *at : pos;
  const std::string text = queue->status();
  if (static_cast<size_t>(offset) >= text.size()) return size_t{0};
  const size_t n = TRY(
      to.copy_out(text.data() + offset, std::min(to.remaining(), text.size() - static_cast<size_t>(offset))));
  offset += static_cast<int64_t>(n);
  return n;
}

Result<int64_t> MqFile::seek(int64_t offset, int whence) {
  const int64_t base = whence == SEEK_CUR   ? pos
                       : whence == SEEK_END ? static_cast<int64_t>(queue->attr.size)
                                            : 0;
  if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) return Error{EINVAL};
  if (base + offset < 0) return Error{EINVAL};
  return pos = base + offset;
}

Result<void> MqFile::flush(Task& t) {
  queue->forget_notification(t);
  return {};
}

void mqueue_init() {
  register_filesystem(
      {"mqueue", false,
       [](const MountArgs&) -> Result<Ref<Inode>> { return Ref<Inode>(kernel_mount().dentry->inode()); },
       [](const Task& t) -> const UserNamespace& { return t.ns->ipc->user_ns(); }});
}

Result<Ref<File>> mq_open(Task& t, const std::string& name, int oflag, uint32_t mode, const MqAttr* attr) {
  if ((oflag & O_ACCMODE) == O_ACCMODE) return Error{EINVAL};
  TRY(check_name(name));
  constexpr int KEPT = O_ACCMODE | O_CREAT | O_EXCL | O_NONBLOCK;
  creation_attr = attr;
  auto f = open_at(Caller(t), kernel_mount(), name, {.flags = oflag & KEPT, .mode = mode & 0777});
  creation_attr = nullptr;
  return f;
}

Result<void> mq_unlink(Task& t, const std::string& name) {
  TRY(check_name(name));
  return unlink_at(Caller(t), kernel_mount(), name);
}

}  // namespace starry
