#include "netstack/caller.h"

#include <csignal>

#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/ns_proxy.h"
#include "emulated_kernel/task/task.h"
#include "netstack/net_namespace.h"
#include "vfs/vfs.h"

namespace starry {

NetCaller net_caller() {
  if (!in_task()) return {};
  const Task& t = current();
  return {t.tgid(), t.cred->uid, t.cred->gid, t.cred->euid, t.cred->egid};
}

bool net_capable(int cap, const Namespace& over) {
  return !in_task() || current().cred->capable_in(over.user_ns(), cap);
}

const Ref<NetNamespace>& caller_net() {
  return in_task() && current().ns ? current().ns->net : initial_net_ns();
}

bool net_capable(int cap) { return !in_task() || current().cred->capable(cap); }

uint32_t caller_sees_uid(uint32_t uid) { return in_task() ? current().cred->user_ns->uid(uid) : uid; }

uint32_t caller_sees_gid(uint32_t gid) { return in_task() ? current().cred->user_ns->gid(gid) : gid; }

pid_t caller_sees_pid(pid_t pid) { return in_task() ? current().shown_pid(pid) : pid; }

void raise_sigpipe() {
  if (!in_task()) return;
  SigInfo info = siginfo_user(SIGPIPE, current());
  (void)send_signal(current(), info);
}

Result<Path> caller_bind_unix(std::string_view path, uint32_t mode, UnixBinding* owner) {
  return vfs_bind_unix(current(), path, mode, owner);
}

Result<UnixBinding*> caller_find_unix(std::string_view path) { return vfs_find_unix(current(), path); }

void caller_unbind_unix(const Path& p) { vfs_unbind_unix(p); }

}  // namespace starry
