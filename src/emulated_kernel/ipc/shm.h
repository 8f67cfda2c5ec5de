// System V shared memory (shmget(2), shmop(2)): segments whose pages are a host memfd. Each shmat(2) makes
// a File of its own; the mappings that hold it are the segment's attachments.
#pragma once

#include <sys/shm.h>

#include <vector>

#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/ipc/ipc_perm.h"

namespace starry {

class IpcNamespace;  // ipc/ipc_namespace.h
class ShmAttachment;

class ShmSegment final : public IpcObject {
 public:
  uint64_t size = 0;
  int cpid = 0, lpid = 0;
  int64_t atime = 0, dtime = 0, ctime = 0;  // seconds
  Ref<File> data;
  std::vector<ShmAttachment*> attachments;

  uint64_t nattch() const;  // mappings of it in all address spaces
};

class ShmAttachment final : public File {
 public:
  ShmAttachment(Ref<ShmSegment> s, int flags);
  ~ShmAttachment() override;
  Result<MapBacking> map_backing(bool shared, int prot) override {
    return segment->data->map_backing(shared, prot);
  }
  Result<Kstat> stat() override;
  std::string describe() const override { return segment->data->describe(); }

  const Ref<ShmSegment> segment;

 private:
  const Ref<IpcNamespace> ns_;  // the segment's
};

inline constexpr int SHM_COUNT_MAX = 4096;  // kernel.shmmni
IpcTable<ShmSegment>& shm_table();
Result<int> shm_get(Task& t, int key, size_t size, int flags);
Result<uint64_t> shm_attach(Task& t, int id, uint64_t addr, int flags);
Result<void> shm_detach(Task& t, uint64_t addr);
// There is one more mapping of `file` (fork(2), a part of one changed) or one less (munmap(2), exit): noted
// in the segment's times if it is an attachment, as by the open and close of its vm_operations_struct.
void shm_opened(const Ref<File>& file);
void shm_closed(const Ref<File>& file);
// Before `file` is mapped in the place of a mapping of it: the old one goes first, and with the last one a
// segment that IPC_RMID has marked. EINVAL then.
Result<void> shm_remap(Task& t, const Ref<File>& file, uint64_t addr, uint64_t len);
// IPC_RMID: gone at once, or with its last attachment.
void shm_destroy(ShmSegment& s);

}  // namespace starry
