// A guest tree for VFS tests: an overlay of two temporary host directories, with real host files.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "emulated_kernel/fd/dir_sink.h"
#include "tracer/host_files.h"
#include "unit/fiber_world.h"
#include "vfs/dentry.h"
#include "vfs/mount.h"
#include "vfs/ops.h"
#include "vfs/overlay/overlay.h"
#include "vfs/permission.h"
#include "vfs/tmpfs/tmpfs.h"
#include "vfs/vfs.h"

namespace starry {

// A result whose value a test takes for granted: `*stat("/x")`, `stat("/x")->mode`.
template <class T>
struct Got : Result<T> {
  Got(Result<T> r) : Result<T>(std::move(r)) {}  // NOLINT(google-explicit-constructor)
  Got(Error e) : Result<T>(e) {}                 // NOLINT(google-explicit-constructor)
  T& operator*() {
    if (!this->ok()) throw std::runtime_error("errno " + std::to_string(this->code()));
    return this->value();
  }
  T* operator->() { return &**this; }
};
template <class T>
Got(Result<T>) -> Got<T>;

class VfsWorld : public ::testing::Test {
 protected:
  VfsWorld() {
    set_platform(&clock_);
    install_host_files();
    if (find_filesystem("tmpfs") == nullptr) init_tmpfs();
    char name[] = "/tmp/starry_vfs_XXXXXX";
    dir_ = mkdtemp(name);
    std::filesystem::create_directories(dir_ + "/lower");
    std::filesystem::create_directories(dir_ + "/state");
    as(geteuid(), getegid());
  }
  ~VfsWorld() override {
    fs_ = nullptr;
    root_ = nullptr;
    std::filesystem::remove_all(dir_);
  }

  std::string lower(const std::string& p) const { return dir_ + "/lower/" + p; }
  std::string upper(const std::string& p) const { return dir_ + "/state/upper/" + p; }

  // Puts a file into the lower layer; before mount() or at a name nobody looked at.
  void host_file(const std::string& path, const std::string& text, mode_t mode = 0644) {
    std::filesystem::create_directories(std::filesystem::path(lower(path)).parent_path());
    std::ofstream(lower(path)) << text;
    ASSERT_EQ(chmod(lower(path).c_str(), mode), 0);
  }
  static std::string host_text(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // Mounts the overlay, or mounts it anew as the next run would.
  void mount() {
    fs_ = nullptr;
    dentry_cache_shrink();
    Result<Ref<Inode>> root = make_overlay({{dir_ + "/lower"}, dir_ + "/state"});
    ASSERT_TRUE(root.ok()) << root.code();
    root_ = *root;
    Result<Path> p = vfs_mount_root(root_, "overlay", 0);
    ASSERT_TRUE(p.ok());
    fs_ = make_ref<FsContext>();
    fs_->root = fs_->cwd = *p;
    fs_->mounts = initial_mounts();
  }

  void as(uint32_t uid, uint32_t gid, uint64_t caps = 0) {
    cred_ = make_ref<Cred>();
    cred_->uid = cred_->euid = cred_->fsuid = uid;
    cred_->gid = cred_->egid = cred_->fsgid = gid;
    cred_->cap_effective = cred_->cap_permitted = caps;
  }
  Caller caller() const { return Caller(*cred_, *fs_); }

  Got<Ref<File>> open(const std::string& path, int flags, uint32_t mode = 0644) {
    return open_at(caller(), fs_->cwd, path, {flags, mode, 0});
  }
  Got<Path> walk(const std::string& path, unsigned flags = WALK_FOLLOW) {
    return walk_path(caller(), fs_->cwd, path, flags);
  }
  Got<Kstat> stat(const std::string& path, unsigned flags = WALK_FOLLOW) {
    Path p = TRY(walk(path, flags));
    return p.dentry->inode()->stat();
  }
  int stat_code(const std::string& path) { return stat(path).code(); }

  static std::string read_all(File& f) {
    std::string text(1 << 16, '\0');
    IoVec v = IoVec::kernel(text.data(), text.size());
    int64_t pos = 0;
    Result<size_t> n = f.read(v, &pos, 0);
    EXPECT_TRUE(n.ok()) << n.code();
    text.resize(n.ok() ? *n : 0);
    return text;
  }
  std::string text(const std::string& path) {
    Result<Ref<File>> f = open(path, O_RDONLY);
    EXPECT_TRUE(f.ok()) << path << ": " << f.code();
    return f.ok() ? read_all(**f) : "";
  }
  static Got<size_t> put(File& f, const std::string& text) {
    std::string copy = text;
    IoVec v = IoVec::kernel(copy.data(), copy.size());
    return f.write(v, &f.pos, 0);
  }
  void write_file(const std::string& path, const std::string& content, int flags = O_CREAT | O_TRUNC) {
    Result<Ref<File>> f = open(path, O_WRONLY | flags);
    ASSERT_TRUE(f.ok()) << path << ": " << f.code();
    Result<size_t> n = put(**f, content);
    ASSERT_TRUE(n.ok()) << n.code();
    ASSERT_EQ(*n, content.size());
  }

  int mkdir(const std::string& p, uint32_t mode = 0755) {
    return mkdir_at(caller(), fs_->cwd, p, mode).code();
  }
  int unlink(const std::string& p) { return unlink_at(caller(), fs_->cwd, p).code(); }
  int rmdir(const std::string& p) { return rmdir_at(caller(), fs_->cwd, p).code(); }
  int rename(const std::string& a, const std::string& b, unsigned flags = 0) {
    return rename_at(caller(), fs_->cwd, a, fs_->cwd, b, flags).code();
  }
  int symlink(const std::string& target, const std::string& p) {
    return symlink_at(caller(), target, fs_->cwd, p).code();
  }
  int link(const std::string& a, const std::string& b) {
    Result<Path> old = walk(a, 0);
    return old.ok() ? link_at(caller(), *old, fs_->cwd, b).code() : old.code();
  }

  // Sorted names of a directory, without dots.
  std::vector<std::string> names(const std::string& path) {
    struct Sink final : DirSink {
      std::vector<std::string> all;
      bool add(std::string_view name, uint64_t, int64_t, uint8_t) override {
        if (name != "." && name != "..") all.emplace_back(name);
        return true;
      }
    } sink;
    Result<Ref<File>> f = open(path, O_RDONLY | O_DIRECTORY);
    EXPECT_TRUE(f.ok()) << path << ": " << f.code();
    if (!f.ok()) return {};
    EXPECT_TRUE((*f)->read_dir(sink).ok());
    std::sort(sink.all.begin(), sink.all.end());
    return sink.all;
  }
  using Names = std::vector<std::string>;

  ManualClock clock_;
  std::string dir_;
  Ref<Inode> root_;
  Ref<FsContext> fs_;
  Ref<Cred> cred_;
};

}  // namespace starry
