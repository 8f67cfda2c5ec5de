// /proc/PID/mem: the memory of a process, for debuggers. /proc/PID/pagemap: what is in memory.
#include <fcntl.h>

#include <algorithm>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/secretmem.h"
#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/task/task.h"
#include "vfs/procfs/task_dir.h"

namespace starry::proc {

namespace {

class AddressSpaceFile : public File {
 public:
  AddressSpaceFile(TaskId id, int flags) : File(flags), id_(id) {}
  // Positions are addresses: all 64-bit values, so there is no error for "negative" ones.
  Result<int64_t> seek(int64_t offset, int whence) override {
    if (whence == SEEK_SET)
      pos = offset;
    else if (whence == SEEK_CUR)
      pos = static_cast<int64_t>(static_cast<uint64_t>(pos) + static_cast<uint64_t>(offset));
    else
      return Error{EINVAL};
    return pos;
  }

 protected:
  const TaskId id_;
};

class MemFile final : public AddressSpaceFile {
 public:
  using AddressSpaceFile::AddressSpaceFile;

  Result<size_t> read(IoVec& to, int64_t* at, int /*flags*/) override {
    return copy(to, at, [&](HostSpace& space, uint64_t addr, char* chunk, size_t n) -> Result<size_t> {
      const size_t got = TRY(space.peek(addr, chunk, n));
      return to.copy_out(chunk, got);
    });
  }
  Result<size_t> write(IoVec& from, int64_t* at, int /*flags*/) override {
    return copy(from, at, [&](HostSpace& space, uint64_t addr, char* chunk, size_t n) -> Result<size_t> {
      const size_t got = TRY(from.copy_in(chunk, n));
      Task* t = id_.find();
      // A debugger may write to what its stopped tracee has mapped read-only.
      if (t == nullptr || !t->ptrace || !t->ptrace->stopped) return space.poke(addr, chunk, got);
      TRY(ptrace_poke(*t, addr, chunk, got));
      return got;
    });
  }

 private:
  // Page by page, until the first that fails. EIO if that is the first one; 0 when the process is gone.
  template <class Step>
  Result<size_t> copy(IoVec& io, int64_t* at, Step step) {
    constexpr size_t PAGE = 4096;
    size_t done = 0;
    while (!io.empty()) {
      const Task* t = id_.find();
      if (t == nullptr || !t->mm) break;
      const uint64_t addr = static_cast<uint64_t>(*at) + done;
      const size_t n = std::min(io.remaining(), PAGE - addr % PAGE);
      // Only what the guest itself has mapped is its memory.
      if (t->mm->find(addr) == nullptr || holds_secrets(*t->mm, addr, n)) {
        if (done == 0) return Error{EIO};
        break;
      }
      char chunk[PAGE];
      const Result<size_t> moved = step(*t->mm->space, addr, chunk, n);
      if (!moved.ok()) {
        if (done == 0) return moved.code() == EFAULT ? Error{EIO} : moved.error();
        break;
      }
      done += moved.value();
      if (moved.value() < n) break;
    }
    *at += static_cast<int64_t>(done);
    return done;
  }
};

// One word for each page of the address space. Frame numbers are for root natively, and for nobody here.
class PagemapFile final : public AddressSpaceFile {
 public:
  using AddressSpaceFile::AddressSpaceFile;

  Result<size_t> read(IoVec& to, int64_t* at, int /*flags*/) override {
    constexpr size_t PAGE = 4096, WORD = sizeof(uint64_t);
    if (*at < 0 || static_cast<uint64_t>(*at) % WORD != 0 || to.remaining() % WORD != 0) return Error{EINVAL};
    size_t done = 0;
    while (!to.empty()) {
      const Task* t = id_.find();
      const uint64_t addr = static_cast<uint64_t>(*at) / WORD * PAGE;
      if (t == nullptr || !t->mm || addr >= GUEST_TASK_SIZE) break;
      uint64_t entries[512] = {};
      const size_t count =
          std::min({std::size(entries), to.remaining() / WORD, (GUEST_TASK_SIZE - addr) / PAGE});
      (void)platform().page_map(*t->mm->space, addr, std::span(entries).first(count));
      for (size_t i = 0; i < count; i++)  // only what the guest itself has mapped
        if (t->mm->find(addr + i * PAGE) == nullptr) entries[i] = 0;
      done += TRY(to.copy_out(entries, count * WORD));
      *at += static_cast<int64_t>(count * WORD);
    }
    return done;
  }
};

// `Opened`: the file that it is.
template <class Opened>
class MemInode final : public Inode {
 public:
  MemInode(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino)
      : Inode(std::move(sb), S_IFREG | perm, ino), id_(id) {}
  Result<Kstat> stat() override { return owned_by(attr, id_); }
  bool revalidate() override { return id_.find() != nullptr; }
  Result<Ref<File>> open(const Path& /*where*/, int flags) override {
    const Task* t = id_.find();
    if (t == nullptr) return Error{ESRCH};
    if (!may_inspect(current(), *t)) return Error{EACCES};
    return Ref<File>(make_ref<Opened>(id_, flags));
  }
  Result<void> setattr(const SetAttr& a) override {
    if (a.valid == SetAttr::SIZE) return {};  // O_TRUNC
    return Error{EPERM};
  }

 private:
  const TaskId id_;
};

}  // namespace

Ref<Inode> make_mem(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino) {
  return make_ref<MemInode<MemFile>>(std::move(sb), perm, id, ino);
}

Ref<Inode> make_pagemap(Ref<SuperBlock> sb, uint32_t perm, TaskId id, uint64_t ino) {
  return make_ref<MemInode<PagemapFile>>(std::move(sb), perm, id, ino);
}

}  // namespace starry::proc
