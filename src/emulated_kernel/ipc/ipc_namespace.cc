#include "emulated_kernel/ipc/ipc_namespace.h"

#include <linux/sched.h>

#include "emulated_kernel/task/ns_proxy.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {
constexpr uint64_t INITIAL_IPC_NS_INO = 4026531839;
}  // namespace

IpcNamespace::IpcNamespace(Ref<const UserNamespace> owner, uint64_t number)
    : Namespace(CLONE_NEWIPC, std::move(owner), number),
      sem(SEM_SETS_MAX),
      msg(MSG_QUEUES_MAX),
      shm(SHM_COUNT_MAX) {}

IpcNamespace::~IpcNamespace() = default;

const Ref<IpcNamespace>& initial_ipc_ns() {
  static const auto* ns =
      new Ref<IpcNamespace>(make_ref<IpcNamespace>(initial_user_ns(), INITIAL_IPC_NS_INO));
  return *ns;  // outlives every mapping of a segment
}

const Ref<IpcNamespace>& current_ipc_ns() {
  return in_task() && current().ns ? current().ns->ipc : initial_ipc_ns();
}

IpcTable<SemSet>& sem_table() { return current_ipc_ns()->sem; }
IpcTable<MsgQueue>& msg_table() { return current_ipc_ns()->msg; }
IpcTable<ShmSegment>& shm_table() { return current_ipc_ns()->shm; }

}  // namespace starry
