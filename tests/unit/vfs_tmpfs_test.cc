// tmpfs and memfds.
#include <stdio.h>
#include <sys/mman.h>

#include "unit/vfs_world.h"
#include "vfs/hostdir/hostdir.h"

namespace starry {
namespace {

class Tmpfs : public VfsWorld {
 protected:
  Tmpfs() {
    host_file("t/hidden", "");
    mount();
    EXPECT_TRUE(vfs_mount("tmpfs", "tmpfs", "/t", 0, "size=1m").ok());
  }
};

TEST_F(Tmpfs, FilesAndDirectories) {
  ASSERT_EQ(mkdir("/t/d"), 0);
  write_file("/t/d/f", "hello");
  EXPECT_EQ(text("/t/d/f"), "hello");
  EXPECT_EQ(stat("/t/d/f")->size, 5u);
  EXPECT_EQ(stat("/t")->nlink, 3u);
  EXPECT_EQ(rmdir("/t/d"), ENOTEMPTY);
  ASSERT_EQ(link("/t/d/f", "/t/g"), 0);
  EXPECT_EQ(stat("/t/g")->nlink, 2u);
  ASSERT_EQ(unlink("/t/d/f"), 0);
  EXPECT_EQ(text("/t/g"), "hello");
  ASSERT_EQ(symlink("g", "/t/l"), 0);
  EXPECT_EQ(text("/t/l"), "hello");
  ASSERT_EQ(rename("/t/g", "/t/d/h"), 0);
  ASSERT_EQ(mkdir("/t/e"), 0);
  EXPECT_EQ(rename("/t/e", "/t/d"), ENOTEMPTY);
  ASSERT_EQ(rename("/t/d", "/t/e"), 0);
  EXPECT_EQ(text("/t/e/h"), "hello");
  ASSERT_EQ(rename("/t/e", "/t/l", RENAME_EXCHANGE), 0);
  EXPECT_EQ(text("/t/l/h"), "hello");
  EXPECT_EQ(names("/t"), (Names{"e", "l"}));
}

TEST_F(Tmpfs, SizeLimit) {
  Ref<File> f = open("/t/big", O_CREAT | O_RDWR).value();
  const std::string half(600 * 1024, 'x');
  ASSERT_EQ(*put(*f, half), half.size());
  EXPECT_EQ(*put(*f, half), 424u * 1024);  // as much as fits
  EXPECT_EQ(put(*f, half).code(), ENOSPC);
  ASSERT_TRUE(f->truncate(0).ok());
  f->pos = 0;
  EXPECT_EQ(*put(*f, half), half.size());
  f = nullptr;
  ASSERT_EQ(unlink("/t/big"), 0);
  dentry_cache_shrink();
  const struct statfs s = *Got(walk("/t")->mount->sb->statfs());
  EXPECT_EQ(s.f_bfree, s.f_blocks);
}

TEST_F(Tmpfs, SeekDataAndHole) {
  Ref<File> f = open("/t/sparse", O_CREAT | O_RDWR).value();
  f->pos = 64 * 1024;
  ASSERT_EQ(*put(*f, "x"), 1u);
  EXPECT_EQ(*Got(f->seek(0, SEEK_DATA)), 64 * 1024);
  EXPECT_EQ(*Got(f->seek(0, SEEK_HOLE)), 0);
  EXPECT_EQ(f->seek(1 << 20, SEEK_DATA).code(), ENXIO);
  EXPECT_EQ(*Got(f->seek(-1, SEEK_END)), 64 * 1024);
  EXPECT_EQ(f->seek(-1, SEEK_SET).code(), EINVAL);
  EXPECT_EQ(f->seek(0, 9).code(), EINVAL);
}

TEST_F(Tmpfs, MemfdSeals) {
  Ref<File> f = make_memfd("m", MFD_ALLOW_SEALING, 1, 1).value();
  EXPECT_EQ(f->describe(), "/memfd:m (deleted)");
  ASSERT_EQ(*put(*f, "abc"), 3u);
  ASSERT_TRUE(f->add_seals(F_SEAL_GROW).ok());
  EXPECT_EQ(put(*f, "d").code(), EPERM);
  EXPECT_EQ(f->truncate(9).code(), EPERM);
  EXPECT_EQ(f->truncate(2).code(), 0);
  ASSERT_TRUE(f->add_seals(F_SEAL_WRITE | F_SEAL_SEAL).ok());
  f->pos = 0;
  EXPECT_EQ(put(*f, "x").code(), EPERM);
  EXPECT_EQ(f->map_backing(true, PROT_WRITE).code(), EPERM);
  EXPECT_EQ(f->map_backing(true, PROT_READ).code(), 0);
  EXPECT_EQ(f->add_seals(F_SEAL_SHRINK).code(), EPERM);
  EXPECT_EQ(*Got(f->seals()), F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  Ref<File> plain = make_memfd("p", 0, 1, 1).value();
  EXPECT_EQ(*Got(plain->seals()), F_SEAL_SEAL);
  EXPECT_EQ(Got(plain->stat())->nlink, 0u);
}

TEST_F(Tmpfs, HostDirectoriesShowTheirOwnerAsTheGuest) {
  std::filesystem::create_directories(dir_ + "/bound");
  std::ofstream(dir_ + "/bound/h") << "host";
  Ref<Inode> root = make_hostdir({dir_ + "/bound", 4242, 4243}).value();
  ASSERT_TRUE(vfs_mount_inode(root, dir_ + "/bound", "/bind/here", 0, true).ok());
  as(4242, 4243);
  EXPECT_EQ(stat("/bind/here/h")->uid, 4242u);
  EXPECT_EQ(text("/bind/here/h"), "host");
  write_file("/bind/here/g", "guest");
  EXPECT_EQ(host_text(dir_ + "/bound/g"), "guest");
  std::ofstream(dir_ + "/bound/late") << "x";  // behind our back
  EXPECT_EQ(text("/bind/here/late"), "x");
  std::filesystem::remove(dir_ + "/bound/late");
  EXPECT_EQ(stat_code("/bind/here/late"), ENOENT);
  ASSERT_EQ(mkdir("/bind/here/d"), 0);
  ASSERT_EQ(rename("/bind/here/g", "/bind/here/d/g"), 0);
  EXPECT_EQ(text("/bind/here/d/g"), "guest");
  ASSERT_EQ(symlink("/etc/passwd", "/bind/here/d/esc"), 0);
  EXPECT_EQ(stat_code("/bind/here/d/esc"), ENOENT);  // the guest's /etc, not the host's
  ASSERT_EQ(unlink("/bind/here/d/g"), 0);
  ASSERT_EQ(unlink("/bind/here/d/esc"), 0);
  ASSERT_EQ(rmdir("/bind/here/d"), 0);
  // one file
  Ref<Inode> file = make_hostdir({dir_ + "/bound/h", 4242, 4243}).value();
  ASSERT_TRUE(vfs_mount_inode(file, "h", "/bind/file", 0, true).ok());
  EXPECT_EQ(text("/bind/file"), "host");
}

}  // namespace
}  // namespace starry
