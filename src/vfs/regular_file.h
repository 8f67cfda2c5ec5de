// Regular files whose data is a host file: upper and lower files of the overlay, files of host
// directories, memfds behind tmpfs.
#pragma once

#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/platform_files.h"
#include "vfs/inode.h"
#include "vfs/path.h"

namespace starry {

class DataInode;

// The open host file behind an inode, shared by all its open files; closed with the last of them, or some
// opens of other files later (DataInode::stays_open).
class HostData final : public RefCounted {
 public:
  HostData(HostFd fd, bool can_write) : writable(can_write), fd_(std::move(fd)) {}
  ~HostData() override;
  int fd() const { return fd_.get(); }
  const bool writable;

 private:
  friend class DataInode;
  HostFd fd_;
  DataInode* owner_ = nullptr;  // whose current data this is
  bool kept_ = false;           // by the list of those that stay open
};

// An inode that may be a regular file with host data. Other types work as for Inode.
class DataInode : public Inode {
 public:
  using Inode::Inode;
  ~DataInode() override;

  // The data as it is now; opened if nobody has it open. `write` makes it writable first (copy-up).
  Result<Ref<HostData>> data(bool write);

  Result<Ref<File>> open(const Path& where, int flags) override;

  // Before a write of [offset, offset + len): how much of it may be written. ENOSPC, EPERM (sealed).
  virtual Result<size_t> may_write(uint64_t /*offset*/, size_t len) { return len; }
  virtual void wrote(uint64_t /*end*/) {}  // afterwards
  virtual void was_read() {}
  virtual Result<void> fallocate(int mode, int64_t offset, int64_t len);
  virtual void mapped_writable() {}  // stores through a mapping will go unnoticed
  virtual Result<int> seals() { return Error{EINVAL}; }
  virtual Result<void> add_seals(int /*seals*/) { return Error{EINVAL}; }

 protected:
  virtual Result<Ref<HostData>> open_data(bool write) = 0;
  HostData* current() const { return current_; }
  // Whether read-only data may stay open for the next one who opens it. Not where the host may replace the
  // file.
  virtual bool stays_open() const { return false; }
  // The data moved (copy-up): the next data() opens it anew.
  void forget_data();

 private:
  friend class HostData;
  void keep_open(HostData& d);
  HostData* current_ = nullptr;  // weak
};

class RegularFile final : public File {
 public:
  RegularFile(const Path& where, int flags, Ref<HostData> data);
  ~RegularFile() override;

  Result<size_t> read(IoVec& to, int64_t* pos, int flags) override;
  Result<size_t> write(IoVec& from, int64_t* pos, int flags) override;
  Result<int64_t> seek(int64_t offset, int whence) override;
  SysResult ioctl(Task& t, unsigned long cmd, uint64_t arg) override;
  Result<Kstat> stat() override { return inode().stat(); }
  Result<MapBacking> map_backing(bool shared, int prot) override;
  Result<void> truncate(int64_t size) override;
  Result<void> fsync(bool data_only) override;
  Result<void> fallocate(int mode, int64_t off, int64_t len) override;
  Ref<FileLocks>& lock_slot() override { return inode().locks; }
  Result<int> seals() override { return inode().seals(); }
  Result<void> add_seals(int seals) override;
  std::string describe() const override;

  // This description is a program that runs: until it goes, nobody opens the file for writing.
  void deny_writers();

  // copy_file_range(2) between regular files, without the data passing through guest memory.
  static Result<uint64_t> copy(RegularFile& from, uint64_t from_off, RegularFile& to, uint64_t to_off,
                               uint64_t len);

 private:
  DataInode& inode() const;
  Result<size_t> do_read(IoVec& to, int64_t* at);
  Result<size_t> do_write(IoVec& from, int64_t* at, int flags);
  Result<HostData*> data(bool write);  // the inode's current data, kept open by this file
  Result<size_t> put(HostData& d, const void* buf, size_t n, uint64_t* offset, bool append);

  Ref<HostData> data_;
  bool denies_writers_ = false;
};

}  // namespace starry
