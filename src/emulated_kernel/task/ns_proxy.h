// The namespaces of a task but those of users (Cred), of mounts (FsContext) and the one that its own number
// is in (ThreadGroup): struct nsproxy, namespaces(7).
#pragma once

#include <optional>

#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/namespace.h"
#include "emulated_kernel/task/pid_namespace.h"

namespace starry {

class Cred;
class IpcNamespace;  // ipc/ipc_namespace.h
class NetNamespace;  // netstack/net_namespace.h
class Task;

// uts_namespaces(7): host name and domain name.
class UtsNamespace final : public Namespace {
 public:
  // nullopt: the initial one, whose names are uts_names().
  UtsNamespace(std::optional<UtsNames> copied, Ref<const UserNamespace> owner, uint64_t number = 0);
  UtsNames& names() { return own_ ? *own_ : uts_names(); }

 private:
  std::optional<UtsNames> own_;
};

// Shared by those who have the same; replaced, never edited.
class Namespaces final : public RefCounted {
 public:
  Namespaces();
  ~Namespaces() override;
  Ref<UtsNamespace> uts;
  Ref<IpcNamespace> ipc;
  Ref<NetNamespace> net;
  // One control group without controllers, and no offsets to be set: these are there to be told apart.
  Ref<Namespace> cgroup, time, time_for_children;
  Ref<PidNamespace> pid_for_children;
  Ref<Namespaces> copy() const;
};

const Ref<const Namespaces>& initial_namespaces();

// CLONE_NEW* for unshare(2) and clone(2) besides those of users and mounts.
inline constexpr uint64_t NEW_NAMESPACES = 0x04000000 /* UTS */ | 0x20000000 /* PID */ |
                                           0x02000000 /* CGROUP */ | 0x08000000 /* IPC */ |
                                           0x40000000 /* NET */ | 0x80 /* TIME */;
// CLONE_NEW* that make a new namespace of `from`, owned by the user namespace of `cred` (copy_namespaces()).
// EPERM, ENOSPC, EINVAL.
Result<Ref<const Namespaces>> copy_namespaces(const Task& t, const Cred& cred, uint64_t flags);
// A process that is born, or becomes another program, moves to its time namespace "for children".
Ref<const Namespaces> with_time_for_children(const Ref<const Namespaces>& ns);

}  // namespace starry
