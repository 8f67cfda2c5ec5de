// IPC namespaces (struct ipc_namespace, ipc_namespaces(7)): System V objects and POSIX message queues.
#pragma once

#include "emulated_kernel/ipc/msg.h"
#include "emulated_kernel/ipc/sem.h"
#include "emulated_kernel/ipc/shm.h"
#include "emulated_kernel/task/namespace.h"
#include "vfs/path.h"

namespace starry {

class IpcNamespace final : public Namespace {
 public:
  explicit IpcNamespace(Ref<const UserNamespace> owner, uint64_t number = 0);
  ~IpcNamespace() override;

  IpcTable<SemSet> sem;
  IpcTable<MsgQueue> msg;
  IpcTable<ShmSegment> shm;
  Path mqueue;  // the kernel's own mount of its queues; made when it is needed
};

const Ref<IpcNamespace>& initial_ipc_ns();
// That of the running task.
const Ref<IpcNamespace>& current_ipc_ns();

}  // namespace starry
