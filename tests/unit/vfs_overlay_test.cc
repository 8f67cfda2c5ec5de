// The overlay: layers, copy-up, whiteouts, and what is still there in the next run.
#include <stdio.h>

#include "unit/vfs_world.h"

namespace starry {
namespace {

class Overlay : public VfsWorld {
 protected:
  Overlay() {
    host_file("etc/passwd", "root\n");
    host_file("etc/shadow", "secret\n", 0600);
    host_file("dir/one", "1");
    host_file("dir/sub/two", "2");
    mount();
  }
  Names changes() { return *Got(overlay_changes(*root_)); }
};

TEST_F(Overlay, ReadsFromTheLowerLayer) {
  EXPECT_EQ(text("/etc/passwd"), "root\n");
  EXPECT_EQ(names("/dir"), (Names{"one", "sub"}));
  EXPECT_TRUE(changes().empty());
}

TEST_F(Overlay, WritingCopiesUpAndLeavesTheLowerAlone) {
  const Kstat before = *stat("/etc/passwd");
  Ref<File> reader = open("/etc/passwd", O_RDONLY).value();
  Ref<File> writer = open("/etc/passwd", O_WRONLY | O_APPEND).value();
  ASSERT_EQ(*put(*writer, "me\n"), 3u);
  EXPECT_EQ(text("/etc/passwd"), "root\nme\n");
  EXPECT_EQ(read_all(*reader), "root\nme\n");  // opened before the copy-up
  EXPECT_EQ(host_text(lower("etc/passwd")), "root\n");
  EXPECT_EQ(host_text(upper("etc/passwd")), "root\nme\n");
  const Kstat after = *stat("/etc/passwd");
  EXPECT_EQ(after.ino, before.ino);
  EXPECT_EQ(after.mode, before.mode);
  EXPECT_EQ(after.size, 8u);
  EXPECT_EQ(changes(), Names{"/etc/passwd"});
}

TEST_F(Overlay, CopyUpKeepsTimesOfFileAndDirectory) {
  const Kstat file = *stat("/dir/one"), dir = *stat("/dir");
  ASSERT_EQ(change_mode(caller(), *walk("/dir/one"), 0600).code(), 0);
  EXPECT_EQ(stat("/dir/one")->mtime.tv_nsec, file.mtime.tv_nsec);
  EXPECT_EQ(stat("/dir")->mtime.tv_nsec, dir.mtime.tv_nsec);
  EXPECT_EQ(stat("/dir/one")->mode & 07777, 0600u);
}

TEST_F(Overlay, DirectoriesCountTheSubdirectoriesOfAllLayers) {
  struct stat native {};
  ASSERT_EQ(::stat(lower("").c_str(), &native), 0);
  EXPECT_EQ(stat("/")->nlink, native.st_nlink);
  EXPECT_EQ(stat("/")->mtime.tv_nsec, native.st_mtim.tv_nsec);
  if (native.st_nlink == 1) GTEST_SKIP() << "this file system does not count them";
  EXPECT_EQ(stat("/dir")->nlink, 3u);
  ASSERT_EQ(mkdir("/dir/new"), 0);
  EXPECT_EQ(stat("/dir")->nlink, 4u);
  ASSERT_EQ(unlink("/dir/sub/two"), 0);
  ASSERT_EQ(rmdir("/dir/sub"), 0);
  EXPECT_EQ(stat("/dir")->nlink, 3u);
  ASSERT_EQ(rename("/dir/new", "/new"), 0);
  EXPECT_EQ(stat("/dir")->nlink, 2u);
  EXPECT_EQ(stat("/")->nlink, native.st_nlink + 1);
}

TEST_F(Overlay, TruncatingOpenDoesNotCopy) {
  write_file("/etc/passwd", "new", O_TRUNC);
  EXPECT_EQ(text("/etc/passwd"), "new");
}

TEST_F(Overlay, RemovedNamesStayRemovedInTheNextRun) {
  ASSERT_EQ(unlink("/dir/one"), 0);
  EXPECT_EQ(stat_code("/dir/one"), ENOENT);
  EXPECT_EQ(names("/dir"), Names{"sub"});
  EXPECT_EQ(changes(), Names{"/dir/one (deleted)"});
  mount();
  EXPECT_EQ(stat_code("/dir/one"), ENOENT);
  write_file("/dir/one", "again", O_CREAT | O_EXCL);
  mount();
  EXPECT_EQ(text("/dir/one"), "again");
  ASSERT_EQ(unlink("/dir/one"), 0);
  EXPECT_EQ(stat_code("/dir/one"), ENOENT);
}

TEST_F(Overlay, ADirectoryMadeAgainIsEmpty) {
  ASSERT_EQ(unlink("/dir/sub/two"), 0);
  EXPECT_EQ(rmdir("/dir"), ENOTEMPTY);
  ASSERT_EQ(rmdir("/dir/sub"), 0);
  ASSERT_EQ(mkdir("/dir/sub"), 0);
  EXPECT_EQ(names("/dir/sub"), Names{});
  mount();
  EXPECT_EQ(names("/dir/sub"), Names{});
}

TEST_F(Overlay, OwnersAndModesTheHostCannotHold) {
  as(0, 0, CAP_FULL);
  write_file("/f", "data");
  ASSERT_EQ(change_owner(caller(), *walk("/f"), 4711, 4712).code(), 0);
  ASSERT_EQ(change_mode(caller(), *walk("/f"), 06000).code(), 0);
  ASSERT_EQ(mknod_at(caller(), fs_->cwd, "/null", S_IFCHR | 0666, 0x103).code(), 0);
  ASSERT_EQ(mknod_at(caller(), fs_->cwd, "/fifo", S_IFIFO | 0600, 0).code(), 0);
  mount();
  const Kstat f = *stat("/f"), null = *stat("/null");
  EXPECT_EQ(f.uid, 4711u);
  EXPECT_EQ(f.gid, 4712u);
  EXPECT_EQ(f.mode, S_IFREG | 06000u);
  EXPECT_EQ(text("/f"), "data");  // we can always read it
  EXPECT_EQ(null.mode & S_IFMT, static_cast<uint32_t>(S_IFCHR));
  EXPECT_EQ(null.rdev, 0x103u);
  EXPECT_EQ(stat("/fifo")->mode, S_IFIFO | 0600u);
  EXPECT_EQ(host_text(upper("f")), "data");
}

TEST_F(Overlay, UnlinkedFilesStayUsableWhileOpen) {
  Ref<File> low = open("/dir/one", O_RDONLY).value();
  Ref<File> up = open("/new", O_CREAT | O_RDWR).value();
  ASSERT_EQ(*put(*up, "abc"), 3u);
  ASSERT_EQ(unlink("/dir/one"), 0);
  ASSERT_EQ(unlink("/new"), 0);
  EXPECT_EQ(read_all(*low), "1");
  ASSERT_EQ(*put(*up, "def"), 3u);
  EXPECT_EQ(read_all(*up), "abcdef");
  EXPECT_EQ(Got(up->stat())->nlink, 0u);
  EXPECT_EQ(Got(up->stat())->size, 6u);
  EXPECT_TRUE(up->truncate(2).ok());
  EXPECT_EQ(Got(up->stat())->size, 2u);
  EXPECT_EQ(Got(low->stat())->nlink, 0u);
  // again through /proc/self/fd/N
  Ref<File> again = open_path(caller(), vfs_file_path(up), O_RDWR).value();
  EXPECT_EQ(read_all(*again), "ab");
}

TEST_F(Overlay, RenamingFiles) {
  ASSERT_EQ(rename("/dir/one", "/moved"), 0);
  EXPECT_EQ(stat_code("/dir/one"), ENOENT);
  EXPECT_EQ(text("/moved"), "1");
  ASSERT_EQ(rename("/moved", "/etc/passwd"), 0);
  EXPECT_EQ(text("/etc/passwd"), "1");
  mount();
  EXPECT_EQ(stat_code("/dir/one"), ENOENT);
  EXPECT_EQ(text("/etc/passwd"), "1");
  EXPECT_EQ(rename("/dir", "/dir/sub/x"), EINVAL);
  EXPECT_EQ(rename("/etc/passwd", "/dir"), EISDIR);
  EXPECT_EQ(rename("/dir", "/etc/passwd"), ENOTDIR);
  EXPECT_EQ(rename("/etc/passwd", "/etc/shadow", RENAME_NOREPLACE), EEXIST);
  ASSERT_EQ(rename("/etc/passwd", "/dir/sub/two", RENAME_EXCHANGE), 0);
  EXPECT_EQ(text("/etc/passwd"), "2");
  EXPECT_EQ(text("/dir/sub/two"), "1");
}

TEST_F(Overlay, RenamingDirectories) {
  ASSERT_EQ(mkdir("/n"), 0);
  write_file("/n/f", "f");
  Ref<File> open_file = open("/n/f", O_RDWR).value();
  ASSERT_EQ(rename("/n", "/dir/n"), 0);
  EXPECT_EQ(text("/dir/n/f"), "f");
  EXPECT_EQ(open_file->describe(), "/dir/n/f");
  ASSERT_EQ(*put(*open_file, "g"), 1u);
  EXPECT_EQ(text("/dir/n/f"), "g");
  // a directory of the lower layer is copied up as a whole
  Ref<File> reader = open("/dir/sub/two", O_RDONLY).value();
  ASSERT_EQ(rename("/dir", "/elsewhere"), 0);
  EXPECT_EQ(stat_code("/dir"), ENOENT);
  EXPECT_EQ(names("/elsewhere"), (Names{"n", "one", "sub"}));
  EXPECT_EQ(text("/elsewhere/sub/two"), "2");
  EXPECT_EQ(read_all(*reader), "2");
  mount();
  EXPECT_EQ(stat_code("/dir"), ENOENT);
  EXPECT_EQ(names("/elsewhere"), (Names{"n", "one", "sub"}));
  ASSERT_EQ(mkdir("/dir"), 0);
  EXPECT_EQ(names("/dir"), Names{});
  // onto an empty directory, and not onto a full one
  ASSERT_EQ(mkdir("/empty"), 0);
  EXPECT_EQ(rename("/empty", "/elsewhere"), ENOTEMPTY);
  EXPECT_EQ(rename("/elsewhere", "/empty"), 0);
  EXPECT_EQ(text("/empty/one"), "1");
}

TEST_F(Overlay, HardLinksAreOneFile) {
  ASSERT_EQ(link("/dir/one", "/dir/uno"), 0);
  write_file("/dir/uno", "both", O_TRUNC);
  EXPECT_EQ(text("/dir/one"), "both");
  EXPECT_EQ(stat("/dir/one")->nlink, 2u);
  EXPECT_EQ(stat("/dir/one")->ino, stat("/dir/uno")->ino);
  EXPECT_EQ(rename("/dir/one", "/dir/uno"), 0);  // two names of one file: nothing happens
  as(0, 0, CAP_FULL);
  ASSERT_EQ(change_owner(caller(), *walk("/dir/uno"), 5, 6).code(), 0);
  mount();
  EXPECT_EQ(stat("/dir/one")->uid, 5u);
  ASSERT_EQ(change_owner(caller(), *walk("/dir/one"), 7, 8).code(), 0);
  EXPECT_EQ(stat("/dir/uno")->uid, 7u);
  ASSERT_EQ(unlink("/dir/one"), 0);
  EXPECT_EQ(text("/dir/uno"), "both");
  EXPECT_EQ(stat("/dir/uno")->nlink, 1u);
  EXPECT_EQ(link("/dir", "/dirlink"), EPERM);
}

TEST_F(Overlay, NamelessFilesCanGetAName) {
  Result<Ref<File>> f = open("/dir", O_TMPFILE | O_RDWR, 0600);
  ASSERT_TRUE(f.ok()) << f.code();
  ASSERT_EQ(*put(**f, "tmp"), 3u);
  EXPECT_EQ(Got((*f)->stat())->nlink, 0u);
  EXPECT_EQ(link_at(caller(), vfs_file_path(*f), fs_->cwd, "/dir/named").code(), 0);
  EXPECT_EQ(text("/dir/named"), "tmp");
  EXPECT_EQ(stat("/dir/named")->nlink, 1u);
}

TEST_F(Overlay, SeveralLowerLayers) {
  std::filesystem::create_directories(dir_ + "/second/dir/sub");
  std::filesystem::create_directories(dir_ + "/second/etc/passwd");
  std::ofstream(dir_ + "/second/dir/one") << "covered";
  std::ofstream(dir_ + "/second/dir/sub/three") << "3";
  Result<Ref<Inode>> root = make_overlay({{dir_ + "/lower", dir_ + "/second"}, dir_ + "/state"});
  ASSERT_TRUE(root.ok());
  fs_->root = fs_->cwd = *Got(vfs_mount_root(*root, "overlay", 0));
  EXPECT_EQ(text("/dir/one"), "1");
  EXPECT_EQ(names("/dir/sub"), (Names{"three", "two"}));
  EXPECT_TRUE(S_ISREG(stat("/etc/passwd")->mode));
  ASSERT_EQ(unlink("/dir/one"), 0);
  EXPECT_EQ(stat_code("/dir/one"), ENOENT);  // what it covered stays covered
  ASSERT_EQ(rename("/dir", "/moved"), 0);
  EXPECT_EQ(names("/moved"), Names{"sub"});
  EXPECT_EQ(names("/moved/sub"), (Names{"three", "two"}));
}

TEST_F(Overlay, TheUpperLayerIsNotVisibleThroughTheLower) {
  std::filesystem::create_directories(lower("state"));
  Result<Ref<Inode>> root = make_overlay({{dir_}, lower("state")});
  ASSERT_TRUE(root.ok());
  fs_->root = fs_->cwd = *Got(vfs_mount_root(*root, "overlay", 0));
  EXPECT_EQ(stat_code("/lower/dir/one"), 0);
  EXPECT_EQ(stat_code("/lower/state"), ENOENT);
  EXPECT_EQ(names("/lower"), (Names{"dir", "etc"}));
}

TEST_F(Overlay, ProcSysAndDevOfTheHostLookEmpty) {
  Result<Ref<Inode>> root = make_overlay({{"/"}, dir_ + "/state"});
  ASSERT_TRUE(root.ok());
  fs_->root = fs_->cwd = *Got(vfs_mount_root(*root, "overlay", 0));
  EXPECT_EQ(names("/proc"), Names{});
  EXPECT_EQ(names("/sys"), Names{});
  EXPECT_EQ(names("/dev"), Names{});
  EXPECT_EQ(stat_code("/proc/self"), ENOENT);
  EXPECT_EQ(stat_code("/etc/passwd"), 0);
}

TEST_F(Overlay, ATornJournalLineIsIgnored) {
  ASSERT_EQ(unlink("/dir/one"), 0);
  std::ofstream(dir_ + "/state/meta", std::ios::app) << "h etc/pas";
  mount();
  EXPECT_EQ(stat_code("/dir/one"), ENOENT);
  EXPECT_EQ(stat_code("/etc/passwd"), 0);
}

TEST_F(Overlay, OddNames) {
  const std::string odd = "/dir/a b\\c\n\x01\xff";
  write_file(odd, "odd");
  as(0, 0, CAP_FULL);
  ASSERT_EQ(change_owner(caller(), *walk(odd), 9, 9).code(), 0);
  mount();
  EXPECT_EQ(stat(odd)->uid, 9u);
  EXPECT_EQ(text(odd), "odd");
}

TEST_F(Overlay, TreesDeeperThanAPathIsLong) {
  const std::string name(40, 'd');
  constexpr int DEPTH = 300;
  for (int i = 0; i < DEPTH; ++i) {
    ASSERT_EQ(mkdir(name), 0) << i;
    fs_->cwd = *walk(name);
  }
  write_file("leaf", "deep");
  EXPECT_EQ(text("leaf"), "deep");
  const Path p = *walk("..");
  fs_->cwd = fs_->root;
  dentry_cache_shrink();
  fs_->cwd = p;
  EXPECT_EQ(text(name + "/leaf"), "deep");
  ASSERT_EQ(unlink(name + "/leaf"), 0);
  for (int i = 0; i < DEPTH - 1; ++i) {
    ASSERT_EQ(rmdir(name), 0) << i;
    fs_->cwd = *walk("..");
  }
  ASSERT_EQ(rmdir(name), 0);
  EXPECT_TRUE(changes().empty());
}

}  // namespace
}  // namespace starry
