#include "vfs/regular_file.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>
#include <optional>
#include <utility>

#include "emulated_kernel/task/task.h"
#include "vfs/dentry.h"
#include "vfs/notify.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

constexpr size_t BOUNCE = 64 * 1024;  // data for guest memory passes through a buffer of this size

// A buffer for one transfer: on the fiber's stack when it is small.
class Bounce {
 public:
  explicit Bounce(size_t want) : size_(std::min(want, BOUNCE)) {
    if (size_ > sizeof small_) large_ = std::make_unique_for_overwrite<uint8_t[]>(size_);
  }
  uint8_t* data() { return large_ ? large_.get() : small_; }
  size_t size() const { return size_; }

 private:
  size_t size_;
  uint8_t small_[1024];
  std::unique_ptr<uint8_t[]> large_;
};

}  // namespace

// The last ones opened of those that stay open: programs open the same libraries and headers again and again.
static std::array<Ref<HostData>, 32>& kept_open() {
  static auto& list = *new std::array<Ref<HostData>, 32>;
  return list;
}

void DataInode::keep_open(HostData& d) {
  static size_t next = 0;
  if (d.kept_ || d.writable || !stays_open()) return;
  d.kept_ = true;
  Ref<HostData>& place = kept_open()[next++ % kept_open().size()];
  if (place) place->kept_ = false;
  place = Ref<HostData>(&d);
}

HostData::~HostData() {
  if (owner_ != nullptr) owner_->current_ = nullptr;
}

DataInode::~DataInode() { forget_data(); }

void DataInode::forget_data() {
  HostData* d = std::exchange(current_, nullptr);
  if (d == nullptr) return;
  d->owner_ = nullptr;
  if (!d->kept_) return;
  d->kept_ = false;
  *std::find_if(kept_open().begin(), kept_open().end(), [d](const auto& r) { return r.get() == d; }) =
      nullptr;
}

Result<Ref<HostData>> DataInode::data(bool write) {
  if (current_ != nullptr && (!write || current_->writable)) return Ref<HostData>(current_);
  Ref<HostData> d = TRY(open_data(write));
  forget_data();
  d->owner_ = this;
  current_ = d.get();
  keep_open(*d);
  return d;
}

Result<Ref<File>> DataInode::open(const Path& where, int flags) {
  if (!is_regular()) return Inode::open(where, flags);
  const bool write = (flags & O_ACCMODE) != O_RDONLY;
  return Ref<File>(make_ref<RegularFile>(where, flags, TRY(data(write))));
}

Result<void> DataInode::fallocate(int mode, int64_t offset, int64_t len) {
  Ref<HostData> d = TRY(data(true));
  TRY(host_files().fallocate(d->fd(), mode, offset, len));
  wrote(0);
  return {};
}

RegularFile::RegularFile(const Path& where, int flags, Ref<HostData> data)
    : File(flags), data_(std::move(data)) {
  path = std::make_shared<const Path>(where);
  ++inode().opens;
  if (writable()) ++inode().writers;
  notify_file(*where.dentry, IN_OPEN);
}

RegularFile::~RegularFile() {
  --inode().opens;
  if (writable()) --inode().writers;
  if (denies_writers_) --inode().executed;
  data_ = nullptr;  // before the inode may go
  notify_file(*path->dentry, writable() ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
  notify_last_close(*path->dentry);
}

DataInode& RegularFile::inode() const { return static_cast<DataInode&>(*path->dentry->inode()); }

Result<HostData*> RegularFile::data(bool write) {
  Ref<HostData> d = TRY(inode().data(write));
  data_ = std::move(d);
  return data_.get();
}

Result<size_t> RegularFile::read(IoVec& to, int64_t* at, int) {
  const size_t n = TRY(do_read(to, at));
  if (n != 0) notify_file(*path->dentry, IN_ACCESS);
  return n;
}

Result<size_t> RegularFile::write(IoVec& from, int64_t* at, int flags) {
  const size_t n = TRY(do_write(from, at, flags));
  if (n != 0) notify_file(*path->dentry, IN_MODIFY);
  return n;
}

Result<size_t> RegularFile::do_read(IoVec& to, int64_t* at) {
  if (!readable()) return Error{EBADF};
  int64_t& offset = at != nullptr ? *at : pos;
  HostData* d = TRY(data(false));
  if (!(flags_ & O_NOATIME)) inode().was_read();
  size_t done = 0;
  while (!to.empty()) {
    std::span<uint8_t> room = to.room(to.remaining());
    if (room.empty()) break;
    Result<size_t> got = host_files().pread(d->fd(), room.data(), room.size(), static_cast<uint64_t>(offset));
    if (!got.ok()) return done != 0 ? Result<size_t>(done) : got.error();
    to.filled(*got);
    offset += static_cast<int64_t>(*got);
    done += *got;
    if (*got < room.size()) return done;
  }
  if (to.empty()) return done;
  Bounce buf(to.remaining());
  while (!to.empty()) {
    size_t want = std::min(buf.size(), to.remaining());
    Result<size_t> got = host_files().pread(d->fd(), buf.data(), want, static_cast<uint64_t>(offset));
    if (!got.ok()) return done != 0 ? Result<size_t>(done) : got.error();
    if (*got == 0) break;
    Result<size_t> copied = to.copy_out(buf.data(), *got);
    if (!copied.ok()) return done != 0 ? Result<size_t>(done) : copied.error();
    offset += static_cast<int64_t>(*copied);
    done += *copied;
    if (*copied < *got || *got < want) break;
  }
  return done;
}

Result<size_t> RegularFile::put(HostData& d, const void* buf, size_t n, uint64_t* offset, bool append) {
  n = TRY(inode().may_write(*offset, n));
  size_t done =
      append ? TRY(host_files().append(d.fd(), buf, n)) : TRY(host_files().pwrite(d.fd(), buf, n, *offset));
  if (append) {
    auto end = TRY(host_files().seek(d.fd(), 0, SEEK_END));
    *offset = static_cast<uint64_t>(end);
  } else {
    *offset += done;
  }
  inode().wrote(*offset);
  return done;
}

Result<size_t> RegularFile::do_write(IoVec& from, int64_t* at, int flags) {
  if (!writable()) return Error{EBADF};
  if (from.empty()) return size_t{0};
  int64_t& offset = at != nullptr ? *at : pos;
  const bool append = (flags_ & O_APPEND) || (flags & RWF_APPEND);
  HostData* d = TRY(data(true));
  uint64_t where = append ? static_cast<uint64_t>(TRY(host_files().seek(d->fd(), 0, SEEK_END)))
                          : static_cast<uint64_t>(offset);
  std::optional<Bounce> buf;
  size_t done = 0;
  while (!from.empty()) {
    std::span<const uint8_t> view = from.view(from.remaining());
    const void* src = view.data();
    size_t n = view.size();
    if (view.empty()) {
      if (!buf) buf.emplace(from.remaining());
      Result<size_t> got = from.peek_in(buf->data(), std::min(buf->size(), from.remaining()));
      if (!got.ok()) return done != 0 ? Result<size_t>(done) : got.error();
      src = buf->data();
      n = *got;
    }
    Result<size_t> r = put(*d, src, n, &where, append);
    if (!r.ok()) return done != 0 ? Result<size_t>(done) : r.error();
    from.advance(*r);
    done += *r;
    // pwrite(2) on an O_APPEND file appends as well, but its position stays the caller's business.
    offset = static_cast<int64_t>(where);
    if (*r < n) break;
  }
  if (flags_ & (O_SYNC | O_DSYNC)) TRY(host_files().sync(d->fd(), (flags_ & O_SYNC) != O_SYNC));
  return done;
}

Result<int64_t> RegularFile::seek(int64_t offset, int whence) {
  int64_t target;
  switch (whence) {
    case SEEK_SET:
      target = offset;
      break;
    case SEEK_CUR:
      if (offset == 0) return pos;
      if (__builtin_add_overflow(pos, offset, &target)) return Error{EOVERFLOW};
      break;
    case SEEK_END: {
      Kstat st = TRY(stat());
      if (__builtin_add_overflow(static_cast<int64_t>(st.size), offset, &target)) return Error{EOVERFLOW};
      break;
    }
    case SEEK_DATA:
    case SEEK_HOLE: {
      if (offset < 0) return Error{ENXIO};
      HostData* d = TRY(data(false));
      target = TRY(host_files().seek(d->fd(), offset, whence));
      break;
    }
    default:
      return Error{EINVAL};
  }
  if (target < 0) return Error{EINVAL};
  return pos = target;
}

SysResult RegularFile::ioctl(Task& t, unsigned long cmd, uint64_t arg) {
  switch (cmd) {
    case FIONREAD: {
      Kstat st = TRY(stat());
      TRY(t.mem().put(UserPtr<int>{arg}, static_cast<int>(static_cast<int64_t>(st.size) - pos)));
      return 0;
    }
    case FIGETBSZ: {
      Kstat st = TRY(stat());
      TRY(t.mem().put(UserPtr<int>{arg}, static_cast<int>(st.blksize)));
      return 0;
    }
    default:
      return Error{ENOTTY};
  }
}

Result<MapBacking> RegularFile::map_backing(bool shared, int prot) {
  const bool write = shared && writable();
  if (shared && (prot & PROT_WRITE) && !writable()) return Error{EACCES};
  if (shared && (prot & PROT_WRITE)) {
    Result<int> s = inode().seals();
    if (s.ok() && (*s & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))) return Error{EPERM};
  }
  if (write) inode().mapped_writable();
  MapBacking b;
  b.host_fd = TRY(data(write))->fd();
  return b;
}

Result<void> RegularFile::truncate(int64_t size) {
  if (!writable()) return Error{EINVAL};
  SetAttr a;
  a.valid = SetAttr::SIZE;
  a.size = static_cast<uint64_t>(size);
  TRY(inode().setattr(a));
  notify_file(*path->dentry, IN_MODIFY);
  return {};
}

Result<void> RegularFile::fsync(bool data_only) {
  HostData* d = TRY(data(false));
  return host_files().sync(d->fd(), data_only);
}

Result<void> RegularFile::fallocate(int mode, int64_t off, int64_t len) {
  TRY(inode().fallocate(mode, off, len));
  notify_file(*path->dentry, IN_MODIFY);
  return {};
}

Result<void> RegularFile::add_seals(int seals) {
  if (!writable()) return Error{EPERM};
  return inode().add_seals(seals);
}

void RegularFile::deny_writers() {
  if (!denies_writers_) ++inode().executed;
  denies_writers_ = true;
}

std::string RegularFile::describe() const { return vfs_path_name(*path, Path()); }

Result<uint64_t> RegularFile::copy(RegularFile& from, uint64_t from_off, RegularFile& to, uint64_t to_off,
                                   uint64_t len) {
  HostData* in = TRY(from.data(false));
  HostData* out = TRY(to.data(true));
  if (&from.inode() == &to.inode()) in = TRY(from.data(false));  // copy-up may have moved it
  Kstat st = TRY(from.stat());
  if (from_off >= st.size) return uint64_t{0};
  len = TRY(to.inode().may_write(to_off, std::min(len, st.size - from_off)));
  uint64_t done = TRY(host_files().copy(in->fd(), from_off, out->fd(), to_off, len));
  to.inode().wrote(to_off + done);
  if (done != 0) {
    notify_file(*from.path->dentry, IN_ACCESS);
    notify_file(*to.path->dentry, IN_MODIFY);
  }
  return done;
}

}  // namespace starry
