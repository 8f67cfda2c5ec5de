// Path resolution, permissions, mounts.
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "unit/vfs_world.h"
#include "vfs/pseudo.h"

namespace starry {
namespace {

class Walking : public VfsWorld {
 protected:
  Walking() {
    host_file("a/b/file", "x");
    mount();
  }
};

TEST_F(Walking, FindsFilesAndReportsWhatIsMissing) {
  EXPECT_EQ(stat_code("/a/b/file"), 0);
  EXPECT_EQ(stat_code("a//b/./../b/file"), 0);
  EXPECT_EQ(stat_code("/a/none"), ENOENT);
  EXPECT_EQ(stat_code("/a/none/file"), ENOENT);
  EXPECT_EQ(stat_code("/a/b/file/"), ENOTDIR);
  EXPECT_EQ(stat_code("/a/b/file/x"), ENOTDIR);
  EXPECT_EQ(stat_code("/a/b/file/."), ENOTDIR);
  EXPECT_EQ(stat_code(""), ENOENT);
  EXPECT_EQ(stat_code("/" + std::string(255, 'n')), ENOENT);
  EXPECT_EQ(stat_code("/" + std::string(256, 'n')), ENAMETOOLONG);
}

TEST_F(Walking, DotDotStopsAtTheRoot) {
  EXPECT_EQ(stat_code("/../../../a/b/file"), 0);
  fs_->root = *walk("/a");
  fs_->cwd = *walk("/b");
  EXPECT_EQ(stat_code("../../b/file"), 0);
  EXPECT_EQ(stat_code("../../a"), ENOENT);
  ASSERT_EQ(symlink("/../../b/file", "/out"), 0);
  EXPECT_EQ(stat_code("/out"), 0);  // an absolute link stays inside, too
}

TEST_F(Walking, SymbolicLinks) {
  ASSERT_EQ(symlink("b/file", "/a/l"), 0);
  ASSERT_EQ(symlink("a/b/", "/d"), 0);
  EXPECT_EQ(text("/a/l"), "x");
  EXPECT_EQ(text("/d/file"), "x");
  EXPECT_TRUE(S_ISLNK(stat("/a/l", 0)->mode));
  EXPECT_TRUE(S_ISDIR(stat("/d/", 0)->mode));  // trailing slash follows
  EXPECT_EQ(stat_code("/a/l/"), ENOTDIR);
  ASSERT_EQ(symlink("loop", "/loop"), 0);
  EXPECT_EQ(stat_code("/loop"), ELOOP);
  EXPECT_EQ(open("/a/l", O_RDONLY | O_NOFOLLOW).code(), ELOOP);
  EXPECT_EQ(open("/a/l", O_PATH | O_NOFOLLOW).code(), 0);
  EXPECT_EQ(open("/d", O_RDONLY | O_NOFOLLOW | O_DIRECTORY).code(), ENOTDIR);
  ASSERT_EQ(symlink("a/new", "/dangling"), 0);
  EXPECT_EQ(open("/dangling", O_RDONLY).code(), ENOENT);
  EXPECT_EQ(open("/dangling", O_WRONLY | O_CREAT | O_EXCL).code(), EEXIST);
  write_file("/dangling", "made");
  EXPECT_EQ(text("/a/new"), "made");
}

TEST_F(Walking, FortyLinksAreFollowedNotMore) {
  ASSERT_EQ(symlink("/a", "/s0"), 0);
  for (int i = 1; i <= 40; ++i) ASSERT_EQ(symlink("s" + std::to_string(i - 1), "/s" + std::to_string(i)), 0);
  EXPECT_EQ(stat_code("/s39"), 0);
  EXPECT_EQ(stat_code("/s40"), ELOOP);
}

TEST_F(Walking, ResolveFlagsOfOpenat2) {
  ASSERT_EQ(symlink("/a/b/file", "/a/abs"), 0);
  ASSERT_EQ(symlink("../b", "/a/up"), 0);
  const Path a = *walk("/a");
  auto code = [&](const char* path, unsigned flags) {
    return walk_path(caller(), a, path, flags | WALK_FOLLOW).code();
  };
  EXPECT_EQ(code("b/file", WALK_BENEATH), 0);
  EXPECT_EQ(code("b/../b/file", WALK_BENEATH), 0);
  EXPECT_EQ(code("../a/b", WALK_BENEATH), EXDEV);
  EXPECT_EQ(code("/a", WALK_BENEATH), EXDEV);
  EXPECT_EQ(code("abs", WALK_BENEATH), EXDEV);
  EXPECT_EQ(code("abs", WALK_NO_SYMLINKS), ELOOP);
  EXPECT_EQ(code("../../b/file", WALK_IN_ROOT), 0);
  EXPECT_EQ(code("/b/file", WALK_IN_ROOT), 0);
  EXPECT_EQ(code("abs", WALK_IN_ROOT), ENOENT);
}

TEST_F(Walking, PermissionsAreTheGuestsOwn) {
  host_file("secret/f", "s", 0600);
  host_file("pub", "p", 0644);
  ASSERT_EQ(chmod(lower("secret").c_str(), 0700), 0);
  as(geteuid() + 1, getegid() + 1);
  EXPECT_EQ(stat_code("/secret/f"), EACCES);
  EXPECT_EQ(text("/pub"), "p");
  EXPECT_EQ(open("/pub", O_RDWR).code(), EACCES);
  EXPECT_EQ(open("/new", O_RDWR | O_CREAT).code(), EACCES);
  as(4711, 4711, 1ULL << CAP_NR_DAC_READ_SEARCH);
  EXPECT_EQ(text("/secret/f"), "s");
  EXPECT_EQ(open("/pub", O_RDWR).code(), EACCES);
  as(0, 0, CAP_FULL);
  EXPECT_EQ(open("/pub", O_RDWR).code(), 0);
}

TEST_F(Walking, StickyDirectories) {
  ASSERT_EQ(mkdir("/t", 0777), 0);
  ASSERT_EQ(change_mode(caller(), *walk("/t"), 01777).code(), 0);
  write_file("/t/mine", "1");
  const uint32_t me = geteuid();
  as(me + 1, 1);
  EXPECT_EQ(unlink("/t/mine"), EPERM);
  EXPECT_EQ(rename("/t/mine", "/t/x"), EPERM);
  write_file("/t/other", "2");
  as(me, 1);
  EXPECT_EQ(unlink("/t/mine"), 0);
  EXPECT_EQ(unlink("/t/other"), 0);  // owner of the directory
}

TEST_F(Walking, UmaskAndSetGroupIdDirectories) {
  fs_->umask = 027;
  ASSERT_EQ(mkdir("/g", 0777), 0);
  EXPECT_EQ(stat("/g")->mode & 07777, 0750u);
  as(geteuid(), getegid(), CAP_FULL);
  ASSERT_EQ(change_owner(caller(), *walk("/g"), ~0u, 77).code(), 0);
  ASSERT_EQ(change_mode(caller(), *walk("/g"), 02777).code(), 0);
  write_file("/g/f", "");
  ASSERT_EQ(mkdir("/g/d"), 0);
  EXPECT_EQ(stat("/g/f")->gid, 77u);
  EXPECT_EQ(stat("/g/d")->mode & 07777, 02750u);
}

TEST_F(Walking, OpenFlags) {
  EXPECT_EQ(open("/a", O_WRONLY).code(), EISDIR);
  EXPECT_EQ(open("/a", O_RDONLY | O_CREAT).code(), EISDIR);
  EXPECT_EQ(open("/a/b/file", O_RDONLY | O_DIRECTORY).code(), ENOTDIR);
  EXPECT_EQ(open("/a/b/file", O_RDWR | O_CREAT | O_EXCL).code(), EEXIST);
  EXPECT_EQ(open("/a/new/", O_RDWR | O_CREAT).code(), EISDIR);
  EXPECT_EQ(open("/x", O_CREAT | O_DIRECTORY).code(), EINVAL);
  EXPECT_EQ(open("/a", O_TMPFILE | O_RDONLY).code(), EINVAL);
  Result<Ref<File>> f = open("/ro", O_CREAT | O_WRONLY, 0400);  // a mode without write permission
  ASSERT_TRUE(f.ok());
  EXPECT_EQ(*put(**f, "abc"), 3u);
  IoVec none = IoVec::kernel(nullptr, 0);
  EXPECT_EQ((*f)->read(none, &(*f)->pos, 0).code(), EBADF);
}

TEST_F(Walking, MountsAndTheirRoots) {
  ASSERT_TRUE(vfs_mount("tmpfs", "tmpfs", "/a/b", MS_NOSUID, "size=64k,mode=755").ok());
  EXPECT_EQ(stat_code("/a/b/file"), ENOENT);
  as(0, 0, CAP_FULL);
  write_file("/a/b/in", "mounted");
  EXPECT_EQ(text("/a/b/../b/in"), "mounted");
  EXPECT_NE(stat("/a/b")->dev, stat("/a")->dev);
  EXPECT_EQ(rmdir("/a/b"), EBUSY);
  EXPECT_EQ(rename("/a/b/in", "/a/in"), EXDEV);
  EXPECT_EQ(link("/a/b/in", "/a/in"), EXDEV);
  EXPECT_EQ(walk_path(caller(), *walk("/a"), "b/in", WALK_NO_XDEV).code(), EXDEV);
  EXPECT_EQ(vfs_path_name(*walk("/a/b/in"), fs_->root), "/a/b/in");
  {
    Ref<File> f = open("/a/b/in", O_RDONLY).value();
    EXPECT_EQ(detach_mount(*f->path->mount, false).code(), EBUSY);
  }
  Mount* m = walk("/a/b")->mount.get();
  EXPECT_EQ(detach_mount(*m, false).code(), 0);
  EXPECT_EQ(text("/a/b/file"), "x");
}

TEST_F(Walking, PathNames) {
  EXPECT_EQ(vfs_path_name(*walk("/a/b/file"), fs_->root), "/a/b/file");
  EXPECT_EQ(vfs_path_name(*walk("/"), fs_->root), "/");
  EXPECT_EQ(vfs_path_name(*walk("/a/b/file"), *walk("/a")), "/b/file");
  EXPECT_EQ(vfs_path_name(*walk("/a"), *walk("/a/b")), "(unreachable)/a");
  Ref<File> f = open("/gone", O_CREAT | O_RDWR).value();
  ASSERT_EQ(rename("/gone", "/a/moved"), 0);
  EXPECT_EQ(f->describe(), "/a/moved");
  ASSERT_EQ(unlink("/a/moved"), 0);
  EXPECT_EQ(f->describe(), "/a/moved (deleted)");
}

TEST_F(Walking, PseudoFilesAreMadeWhenRead) {
  auto sb = make_ref<SuperBlock>("testfs", 1);
  auto root = make_ref<PseudoDir>(sb, 0555);
  int count = 0;
  std::string stored;
  root->add("n", make_ref<TextFile>(
                     sb, 0644, [&] { return std::to_string(++count) + "\n"; },
                     [&](std::string_view s) -> Result<void> {
                       if (s == "bad") return Error{EINVAL};
                       stored = s;
                       return {};
                     }));
  root->add("magic", make_ref<MagicLink>(
                         sb, [] { return std::string("pipe:[1]"); },
                         [this]() -> Result<Path> { return walk("/a/b/file"); }));
  as(0, 0, CAP_FULL);
  ASSERT_EQ(mkdir("/p"), 0);
  ASSERT_TRUE(vfs_mount_inode(root, "t", "/p", 0).ok());
  Ref<File> f = open("/p/n", O_RDWR).value();
  EXPECT_EQ(read_all(*f), "1\n");
  EXPECT_EQ(read_all(*f), "2\n");
  EXPECT_EQ(put(*f, "bad").code(), EINVAL);
  EXPECT_EQ(*put(*f, "good"), 4u);
  EXPECT_EQ(stored, "good");
  EXPECT_EQ(text("/p/magic"), "x");
  EXPECT_EQ(walk("/p/magic", WALK_FOLLOW | WALK_NO_MAGICLINKS).code(), ELOOP);
  EXPECT_EQ(unlink("/p/n"), EPERM);
  EXPECT_EQ(open("/p/new", O_CREAT | O_RDWR).code(), EPERM);
  root->remove("n");
  EXPECT_EQ(names("/p"), Names{"magic"});
}

}  // namespace
}  // namespace starry
