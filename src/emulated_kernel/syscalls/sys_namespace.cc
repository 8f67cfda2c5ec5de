// unshare(2), setns(2).
#include <linux/capability.h>
#include <linux/sched.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/fget.h"
#include "emulated_kernel/fd/pidfd.h"
#include "emulated_kernel/ipc/ipc_namespace.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/ns_proxy.h"
#include "emulated_kernel/task/pid_table.h"
#include "netstack/net_namespace.h"
#include "vfs/fs_context.h"
#include "vfs/nsfs.h"

namespace starry {

namespace {

constexpr uint64_t ALL_NAMESPACES = CLONE_NEWNS | CLONE_NEWUSER | NEW_NAMESPACES;

// What has several users and cannot be unshared by one of several threads, or needs no work for a single one.
Result<void> check_unshare_flags(const Task& t, uint64_t flags) {
  if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) == 0) return {};
  if (t.group->threads.size() > 1) return Error{EINVAL};
  if ((flags & (CLONE_SIGHAND | CLONE_VM)) != 0 && t.group->signals.handlers->ref_count() > 1)
    return Error{EINVAL};
  if ((flags & CLONE_VM) != 0 && t.mm->ref_count() > 1) return Error{EINVAL};
  return {};
}

// setns(2) in the making: nothing has happened yet if one of several namespaces may not be entered.
class NamespaceSet {
 public:
  explicit NamespaceSet(Task& t) : t_(t), cred_(t.cred), ns_(t.ns->copy()) {}

  // EPERM, EINVAL. User namespaces go first: their capabilities count for the others.
  Result<void> enter(const Ref<Namespace>& n) {
    switch (n->type) {
      case CLONE_NEWUSER:
        return enter_user(boost::static_pointer_cast<UserNamespace>(n));
      case CLONE_NEWNS:
        mounts_ = boost::static_pointer_cast<MountNamespace>(n);
        return check_capable(*n, cred_->capable_here(CAP_SYS_CHROOT));
      case CLONE_NEWUTS:
        ns_->uts = boost::static_pointer_cast<UtsNamespace>(n);
        return check_capable(*n);
      case CLONE_NEWIPC:
        ns_->ipc = boost::static_pointer_cast<IpcNamespace>(n);
        return check_capable(*n);
      case CLONE_NEWNET:
        ns_->net = boost::static_pointer_cast<NetNamespace>(n);
        return check_capable(*n);
      case CLONE_NEWCGROUP:
        ns_->cgroup = n;
        return check_capable(*n);
      case CLONE_NEWTIME:
        if (t_.group->threads.size() > 1) return Error{EUSERS};
        ns_->time = ns_->time_for_children = n;
        return check_capable(*n);
      case CLONE_NEWPID: {
        ns_->pid_for_children = boost::static_pointer_cast<PidNamespace>(n);
        TRY(check_capable(*n));
        // Up there everybody can be seen already, and nobody may leave.
        return ns_->pid_for_children->is_below(*t_.group->pid_ns) ? Result<void>() : Error{EINVAL};
      }
      default:
        return Error{EINVAL};
    }
  }

  void commit() {
    if (mounts_ && t_.fs->ref_count() > 1) t_.fs = t_.fs->copy();
    if (mounts_) enter_mounts(*t_.fs, mounts_);
    if (cred_ != t_.cred) commit_cred(t_, boost::const_pointer_cast<Cred>(cred_));
    if (ns_->ipc != t_.ns->ipc) sem_exit(t_);  // what is to be undone is in the old one
    t_.ns = ns_;
  }

 private:
  Result<void> check_capable(const Namespace& n, bool also = true) const {
    const bool over_it = cred_->capable_in(n.user_ns(), CAP_SYS_ADMIN);
    return over_it && also && cred_->capable_here(CAP_SYS_ADMIN) ? Result<void>() : Error{EPERM};
  }

  Result<void> enter_user(const Ref<UserNamespace>& n) {
    if (n == t_.cred->user_ns) return Error{EINVAL};
    if (t_.group->threads.size() > 1 || t_.fs->ref_count() > 1) return Error{EINVAL};
    if (!t_.cred->capable_in(*n, CAP_SYS_ADMIN)) return Error{EPERM};
    const Ref<Cred> next = t_.cred->copy();
    enter_user_ns(*next, n);
    cred_ = next;
    return {};
  }

  Task& t_;
  Ref<const Cred> cred_;
  Ref<Namespaces> ns_;
  Ref<MountNamespace> mounts_;
};

// The task behind a pidfd whose namespaces may be entered. ESRCH, EPERM.
Result<Task*> task_to_join(const Task& t, const ThreadGroup& g) {
  Task* target = g.leader();
  if (target == nullptr || find_group(g.tgid) != &g || !target->ns) return Error{ESRCH};
  if (!may_access_task(t, *target, t.cred->uid, t.cred->gid)) return Error{EPERM};
  return target;
}

}  // namespace

SysResult sys_unshare(Task& t, unsigned long flags) {
  constexpr uint64_t SHARED =
      CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
  if ((flags & CLONE_NEWUSER) != 0) flags |= CLONE_THREAD | CLONE_FS;
  if ((flags & CLONE_NEWNS) != 0) flags |= CLONE_FS;
  if ((flags & ~(SHARED | ALL_NAMESPACES)) != 0) return Error{EINVAL};
  TRY(check_unshare_flags(t, flags));
  Ref<Cred> next;
  if ((flags & CLONE_NEWUSER) != 0) {
    next = t.cred->copy();
    TRY(create_user_ns(*next, is_chrooted(*t.fs)));
  }
  const Cred& cred = next ? *next : *t.cred;
  Ref<const Namespaces> ns = t.ns;
  if ((flags & (CLONE_NEWNS | NEW_NAMESPACES)) != 0) {
    if (!cred.capable_here(CAP_SYS_ADMIN)) return Error{EPERM};
    ns = TRY(copy_namespaces(t, cred, flags));
  }
  // What is to be undone is in the old namespace.
  if ((flags & (CLONE_SYSVSEM | CLONE_NEWIPC)) != 0) sem_exit(t);
  if ((flags & CLONE_FS) != 0 && t.fs->ref_count() > 1) t.fs = t.fs->copy();
  if ((flags & CLONE_NEWNS) != 0) unshare_mounts(*t.fs, cred.user_ns);
  if ((flags & CLONE_FILES) != 0 && t.files->ref_count() > 1) t.files = t.files->copy();
  t.ns = std::move(ns);
  if (next) commit_cred(t, std::move(next));
  return 0;
}

SysResult sys_setns(Task& t, int fd, int flags) {
  const Ref<File> f = TRY(get_file(t, fd));
  NamespaceSet set(t);
  if (const Ref<Namespace> n = namespace_of_file(*f)) {
    if (flags != 0 && flags != n->type) return Error{EINVAL};
    if (n->type == CLONE_NEWNS && t.fs->ref_count() > 1) return Error{EINVAL};
    TRY(set.enter(n));
  } else if (const ThreadGroup* g = pidfd_group(*f)) {
    const auto wanted = static_cast<uint32_t>(flags);
    if (wanted == 0 || (wanted & ~ALL_NAMESPACES) != 0) return Error{EINVAL};
    const Task& target = *TRY(task_to_join(t, *g));
    for (const NamespaceKind& kind : NAMESPACE_KINDS) {
      if ((wanted & static_cast<uint32_t>(kind.type)) == 0 || kind.for_children) continue;
      const Ref<Namespace> theirs = kind.of(target);
      if (!theirs) return Error{ESRCH};
      TRY(set.enter(theirs));
    }
  } else {
    return Error{EINVAL};
  }
  set.commit();
  return 0;
}

}  // namespace starry
