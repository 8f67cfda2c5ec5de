#include "vfs/devfs/dev_memory.h"

#include <linux/capability.h>
#include <linux/random.h>
#include <sys/epoll.h>

#include <algorithm>

#include "emulated_kernel/platform.h"
#include "emulated_kernel/task/task.h"
#include "vfs/dentry.h"

namespace starry {

namespace {

constexpr size_t CHUNK = 4096;

class DeviceFile : public File {
 public:
  DeviceFile(const Path& where, int flags) : File(flags) { path = std::make_shared<const Path>(where); }
  // null_lseek(): the position stays at 0.
  Result<int64_t> seek(int64_t /*offset*/, int /*whence*/) override { return pos = 0; }
  Result<Kstat> stat() override { return path->dentry->inode()->stat(); }

 protected:
  // Reads as if there were no end, with `fill` providing the bytes.
  template <class Fill>
  static Result<size_t> read_endless(IoVec& to, Fill fill) {
    uint8_t chunk[CHUNK];
    size_t done = 0;
    while (!to.empty()) {
      const size_t n = std::min(to.remaining(), CHUNK);
      fill(chunk, n);
      const Result<size_t> copied = to.copy_out(chunk, n);
      if (!copied.ok()) {
        if (done == 0) return copied.error();
        break;
      }
      done += copied.value();
      if (copied.value() < n || current().signal_pending(SleepMode::killable)) break;
    }
    return done;
  }
  static Result<size_t> read_zeros(IoVec& to) {
    return read_endless(to, [](uint8_t* p, size_t n) { std::fill_n(p, n, uint8_t{0}); });
  }
  static size_t discard(IoVec& from) {
    const size_t n = from.remaining();
    from.advance(n);
    return n;
  }
};

class NullFile final : public DeviceFile {
 public:
  using DeviceFile::DeviceFile;
  Result<size_t> read(IoVec& /*to*/, int64_t* /*at*/, int /*flags*/) override { return size_t{0}; }
  Result<size_t> write(IoVec& from, int64_t* /*at*/, int /*flags*/) override { return discard(from); }
};

class ZeroFile final : public DeviceFile {
 public:
  using DeviceFile::DeviceFile;
  Result<size_t> read(IoVec& to, int64_t* /*at*/, int /*flags*/) override { return read_zeros(to); }
  Result<size_t> write(IoVec& from, int64_t* /*at*/, int /*flags*/) override { return discard(from); }
  Result<MapBacking> map_backing(bool /*shared*/, int /*prot*/) override { return MapBacking{}; }
};

class FullFile final : public DeviceFile {
 public:
  using DeviceFile::DeviceFile;
  Result<size_t> read(IoVec& to, int64_t* /*at*/, int /*flags*/) override { return read_zeros(to); }
  Result<size_t> write(IoVec& /*from*/, int64_t* /*at*/, int /*flags*/) override { return Error{ENOSPC}; }
};

// random(4): both devices read the same generator and never block. Written bytes add nothing to it.
class RandomFile : public DeviceFile {
 public:
  using DeviceFile::DeviceFile;
  Result<size_t> read(IoVec& to, int64_t* /*at*/, int /*flags*/) override {
    return read_endless(to, [](uint8_t* p, size_t n) { platform().entropy(p, n); });
  }
  Result<size_t> write(IoVec& from, int64_t* /*at*/, int /*flags*/) override {
    uint8_t chunk[CHUNK];
    size_t done = 0;
    while (!from.empty()) {  // looked at, so that bad addresses are found
      const Result<size_t> got = from.copy_in(chunk, std::min(from.remaining(), CHUNK));
      if (!got.ok()) {
        if (done == 0) return got.error();
        break;
      }
      done += got.value();
    }
    return done;
  }
  SysResult ioctl(Task& t, unsigned long cmd, uint64_t arg) override {
    constexpr int POOL_BITS = 256;
    switch (cmd) {
      case RNDGETENTCNT:
        TRY(t.mem().put(UserPtr<int>{arg}, POOL_BITS));
        return 0;
      case RNDADDTOENTCNT:
      case RNDADDENTROPY:
      case RNDZAPENTCNT:
      case RNDCLEARPOOL:
      case RNDRESEEDCRNG:
        if (!t.cred->capable(CAP_SYS_ADMIN)) return Error{EPERM};
        return 0;  // the pool is always full and fresh
      default:
        return Error{EINVAL};
    }
  }
};

// Only /dev/random can be polled: its generator is ready from the start.
class PollableRandomFile final : public RandomFile {
 public:
  using RandomFile::RandomFile;
  uint32_t poll() override { return EPOLLIN | EPOLLRDNORM; }
  WaitQueue* poll_queue() override { return &never_changes_; }

 private:
  WaitQueue never_changes_;
};

}  // namespace

Result<Ref<File>> open_null(Inode& /*inode*/, const Path& where, int flags) {
  return Ref<File>(make_ref<NullFile>(where, flags));
}
Result<Ref<File>> open_zero(Inode& /*inode*/, const Path& where, int flags) {
  return Ref<File>(make_ref<ZeroFile>(where, flags));
}
Result<Ref<File>> open_full(Inode& /*inode*/, const Path& where, int flags) {
  return Ref<File>(make_ref<FullFile>(where, flags));
}
Result<Ref<File>> open_random(Inode& /*inode*/, const Path& where, int flags) {
  return Ref<File>(make_ref<PollableRandomFile>(where, flags));
}
Result<Ref<File>> open_urandom(Inode& /*inode*/, const Path& where, int flags) {
  return Ref<File>(make_ref<RandomFile>(where, flags));
}

}  // namespace starry
