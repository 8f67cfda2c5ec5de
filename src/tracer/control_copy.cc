// starryctl cp: files out of and into the instance's file tree, through the kernel's VFS, so that what is
// seen is what the guest sees: mounts, unlinked names, modes, owners.
#include <fcntl.h>

#include <cstring>

#include "emulated_kernel/entry/fibers.h"
#include "emulated_kernel/sync/wait.h"
#include "tracer/control_session.h"
#include "tracer/start_error.h"
#include "vfs/dentry.h"
#include "vfs/fs_context.h"
#include "vfs/ops.h"
#include "vfs/permission.h"
#include "vfs/vfs.h"

namespace starry {
namespace {

using control::Message;

constexpr size_t MAX_UNSENT = 1 << 20;
constexpr int COPY_FAILED = 1;

// May read and write everything; what it creates belongs to the guest's user.
class CopyCaller {
 public:
  explicit CopyCaller(const ControlHost& host) {
    cred_ = host.cred->copy();
    for (int cap : {CAP_NR_DAC_OVERRIDE, CAP_NR_DAC_READ_SEARCH, CAP_NR_FOWNER, CAP_NR_FSETID})
      cred_->cap_effective |= 1ULL << cap;
    Result<Ref<FsContext>> fs = vfs_initial_context(host.tree.start_directory(host.options));
    if (!fs) start_error("cannot use the guest's file tree: {}", strerror(fs.code()));
    fs_ = std::move(fs).value();
    fs_->umask = 0;
  }
  Caller get() const { return Caller(*cred_, *fs_); }
  const Path& start() const { return fs_->cwd; }

 private:
  Ref<Cred> cred_;
  Ref<FsContext> fs_;
};

std::string joined(const std::string& dir, const std::string& name) {
  return dir.empty() ? name : dir + "/" + name;
}

Message time_of(const timespec& t) { return Message::array({t.tv_sec, t.tv_nsec}); }

// --- Out of the guest ---

class GetSession final : public ControlSession, public std::enable_shared_from_this<GetSession> {
 public:
  GetSession(const ControlHost& host, std::shared_ptr<ControlPeer> peer)
      : caller_(host), peer_(std::move(peer)) {}

  void on_frame(control::Frame& frame) override {
    if (frame.is_data || started_) return;
    started_ = true;
    kthread_run(
        [self = shared_from_this(), path = control::text(frame.message, "path")] { self->run(path); });
  }
  void on_sent() override { sent_.wake_all(); }
  void on_closed() override {
    closed_ = true;
    sent_.wake_all();
  }

 private:
  void run(const std::string& path) {
    Result<Path> top = walk_path(caller_.get(), caller_.start(), path, WALK_FOLLOW);
    const Result<void> r = top ? send_object(top.value(), "") : Result<void>(top.error());
    if (!r)
      peer_->error(COPY_FAILED, path + ": " + strerror(r.code()));
    else if (incomplete_)
      peer_->error(COPY_FAILED, path + ": not everything could be copied");
    else
      peer_->send(Message{{"done", true}});
  }

  Result<void> send_object(const Path& p, const std::string& name) {
    Inode& inode = *p.dentry->inode();
    const Kstat st = TRY(inode.stat());
    Message entry{{"entry", name}, {"mode", st.mode & 07777}, {"mtime", time_of(st.mtime)}};
    switch (st.mode & S_IFMT) {
      case S_IFDIR:
        entry["type"] = "dir";
        peer_->send(entry);
        return send_directory(p, name);
      case S_IFLNK:
        entry["type"] = "link";
        entry["target"] = TRY(inode.readlink());
        peer_->send(entry);
        return {};
      case S_IFREG:
        entry["type"] = "file";
        return send_file(p, entry);
      default:
        peer_->send(Message{{"warning", name + ": not a file, directory or link; skipped"}});
        return {};
    }
  }

  Result<void> send_directory(const Path& p, const std::string& name) {
    const std::vector<DirEntry> entries = TRY(p.dentry->inode()->list());
    for (const DirEntry& e : entries) {
      if (closed_) return {};
      const std::string child_name = joined(name, e.name);
      Result<Path> child = walk_path(caller_.get(), p, e.name, 0);
      const Result<void> r = child ? send_object(child.value(), child_name) : Result<void>(child.error());
      if (r || r.code() == ENOENT) continue;  // removed meanwhile
      incomplete_ = true;
      peer_->send(Message{{"warning", child_name + ": " + strerror(r.code())}});
    }
    return {};
  }

  Result<void> send_file(const Path& p, const Message& entry) {
    const Ref<File> file = TRY(open_path(caller_.get(), p, O_RDONLY));
    peer_->send(entry);
    std::string chunk;
    for (;;) {
      chunk.resize(control::DATA_CHUNK);
      IoVec io = IoVec::kernel(chunk.data(), chunk.size());
      chunk.resize(TRY(file->read(io, &file->pos, 0)));
      if (chunk.empty() || closed_) break;
      peer_->send(control::encode_data(chunk));
      wait_until(sent_, Deadline::never(), [this] { return closed_ || peer_->unsent() < MAX_UNSENT; });
    }
    peer_->send(Message{{"eof", true}});
    return {};
  }

  CopyCaller caller_;
  std::shared_ptr<ControlPeer> peer_;
  WaitQueue sent_;
  bool started_ = false, closed_ = false, incomplete_ = false;
};

// --- Into the guest ---

class PutSession final : public ControlSession {
 public:
  PutSession(const ControlHost& host, std::shared_ptr<ControlPeer> peer)
      : caller_(host), peer_(std::move(peer)) {}

  void on_frame(control::Frame& frame) override {
    if (failed_) return;  // what is still under way
    const Result<void> r = frame.is_data ? write(frame.data) : take(frame.message);
    if (r) return;
    failed_ = true;
    peer_->error(COPY_FAILED, at_ + ": " + strerror(r.code()));
  }
  void on_closed() override {}

 private:
  Result<void> take(const Message& m) {
    const std::string op = control::text(m, "op");
    if (op == "put") return begin(control::text(m, "path"), control::text(m, "base"));
    if (op == "end") {
      peer_->send(Message{{"ok", true}});
      return {};
    }
    if (m.contains("eof")) return end_file();
    return make(m);
  }

  // As cp(1): into a directory that exists, or under the new name.
  Result<void> begin(const std::string& path, const std::string& base) {
    at_ = top_ = path;
    const Result<Path> there = walk_path(caller_.get(), caller_.start(), path, WALK_FOLLOW);
    if (there && there.value().dentry->inode()->is_dir()) top_ = joined(path, base);
    return {};
  }

  Result<void> make(const Message& entry) {
    const std::string name = control::text(entry, "entry"), type = control::text(entry, "type");
    at_ = name.empty() ? top_ : joined(top_, name);
    const uint32_t mode = static_cast<uint32_t>(control::number(entry, "mode", 0644)) & 07777;
    const Caller c = caller_.get();
    if (type == "dir") {
      const Result<Path> made = mkdir_at(c, caller_.start(), at_, mode);
      if (!made && made.code() != EEXIST) return made.error();
      return {};
    }
    if (type == "link") {
      const Result<void> old = unlink_at(c, caller_.start(), at_);
      if (!old && old.code() != ENOENT) return old;
      return symlink_at(c, control::text(entry, "target"), caller_.start(), at_);
    }
    if (type != "file") return Error{EINVAL};
    file_ = TRY(open_at(c, caller_.start(), at_, {O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, mode, 0}));
    mode_ = mode;
    mtime_ = {};
    if (const auto it = entry.find("mtime"); it != entry.end() && it->is_array() && it->size() == 2)
      mtime_ = {(*it)[0].get<int64_t>(), (*it)[1].get<int64_t>()};
    return {};
  }

  Result<void> write(const std::string& data) {
    if (!file_) return Error{EINVAL};
    IoVec io = IoVec::kernel(const_cast<char*>(data.data()), data.size());
    while (!io.empty()) TRY(file_->write(io, &file_->pos, 0));
    return {};
  }

  Result<void> end_file() {
    if (!file_ || !file_->path) return Error{EINVAL};
    const Path path = *file_->path;
    file_.reset();
    TRY(change_mode(caller_.get(), path, mode_));
    const timespec now_then[2] = {{0, UTIME_NOW}, mtime_};
    return change_times(caller_.get(), path, now_then);
  }

  CopyCaller caller_;
  std::shared_ptr<ControlPeer> peer_;
  std::string top_, at_;
  Ref<File> file_;  // being written
  uint32_t mode_ = 0;
  timespec mtime_{};
  bool failed_ = false;
};

template <class Session>
std::shared_ptr<ControlSession> make(const ControlHost& host, std::shared_ptr<ControlPeer> peer) {
  try {
    return std::make_shared<Session>(host, peer);
  } catch (const StartError& e) {
    peer->error(EXIT_STARRYRUN_FAILED, e.what());
    return nullptr;
  }
}

}  // namespace

std::shared_ptr<ControlSession> make_get_session(const ControlHost& host, std::shared_ptr<ControlPeer> peer) {
  return make<GetSession>(host, std::move(peer));
}
std::shared_ptr<ControlSession> make_put_session(const ControlHost& host, std::shared_ptr<ControlPeer> peer) {
  return make<PutSession>(host, std::move(peer));
}

}  // namespace starry
