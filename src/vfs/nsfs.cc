#include "vfs/nsfs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/nsfs.h>
#include <linux/sched.h>

#include "emulated_kernel/ipc/ipc_namespace.h"
#include "emulated_kernel/task/ns_proxy.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/task.h"
#include "netstack/net_namespace.h"
#include "vfs/fs_context.h"

namespace starry {

namespace {

template <auto MEMBER>
Ref<Namespace> proxy_member(const Task& t) {
  return t.ns ? Ref<Namespace>((*t.ns).*MEMBER) : nullptr;
}

// Capabilities come with credentials, which hold it as something that does not change.
Ref<Namespace> user_ns_of(const Task& t) { return boost::const_pointer_cast<UserNamespace>(t.cred->user_ns); }

Ref<Namespace> mounts_of(const Task& t) {
  if (t.fs) return t.fs->mounts;
  return &t == &init_task() ? initial_mounts() : nullptr;  // init has no files
}

Ref<Namespace> pid_ns_for_children(const Task& t) {
  // One in which nobody has been born yet cannot be entered (pidns_for_children_get()).
  if (!t.ns || (!t.ns->pid_for_children->initial() && t.ns->pid_for_children->reaper == nullptr))
    return nullptr;
  return t.ns->pid_for_children;
}

constexpr NamespaceKind KINDS[] = {
    {"user", "user", CLONE_NEWUSER, false, user_ns_of},
    {"mnt", "mnt", CLONE_NEWNS, false, mounts_of},
    {"uts", "uts", CLONE_NEWUTS, false, proxy_member<&Namespaces::uts>},
    {"ipc", "ipc", CLONE_NEWIPC, false, proxy_member<&Namespaces::ipc>},
    {"pid", "pid", CLONE_NEWPID, false, [](const Task& t) -> Ref<Namespace> { return t.group->pid_ns; }},
    {"pid_for_children", "pid", CLONE_NEWPID, true, pid_ns_for_children},
    {"cgroup", "cgroup", CLONE_NEWCGROUP, false, proxy_member<&Namespaces::cgroup>},
    {"net", "net", CLONE_NEWNET, false, proxy_member<&Namespaces::net>},
    {"time", "time", CLONE_NEWTIME, false, proxy_member<&Namespaces::time>},
    {"time_for_children", "time", CLONE_NEWTIME, true, proxy_member<&Namespaces::time_for_children>},
};

class NsFile final : public File {
 public:
  NsFile(Ref<Namespace> n, int flags) : File(flags), ns(std::move(n)) {}
  const Ref<Namespace> ns;

  Result<Kstat> stat() override {
    constexpr uint64_t NSFS_DEV = 4;
    Kstat st;
    st.dev = NSFS_DEV;
    st.ino = ns->ino;
    st.mode = S_IFREG | 0444;
    return st;
  }
  bool can_read() const override { return false; }
  std::string describe() const override { return namespace_text(*ns); }
  Result<Ref<File>> reopen(int flags) override { return open_namespace(ns, flags); }

  SysResult ioctl(Task& t, unsigned long cmd, uint64_t arg) override {
    switch (cmd) {
      case NS_GET_USERNS:
        return give(t, owner_for(t));
      case NS_GET_PARENT:
        if (ns->type == CLONE_NEWUSER) return give(t, owner_for(t));
        if (ns->type == CLONE_NEWPID) return give(t, parent_pid_ns_for(t));
        return Error{EINVAL};
      case NS_GET_NSTYPE:
        return ns->type;
      case NS_GET_OWNER_UID:
        if (ns->type != CLONE_NEWUSER) return Error{EINVAL};
        TRY(t.mem().put(UserPtr<uint32_t>{arg},
                        t.cred->user_ns->uid(static_cast<const UserNamespace&>(*ns).owner)));
        return 0;
      default:
        return Error{ENOTTY};
    }
  }

 private:
  // What is not the caller's own or below that is not shown (ns_get_owner(), pidns_get_parent()).
  Ref<Namespace> owner_for(const Task& t) const {
    const Ref<const UserNamespace>& owner = ns->owner_ref();
    if (!owner || !owner->is_below(*t.cred->user_ns)) return nullptr;
    return boost::const_pointer_cast<UserNamespace>(owner);
  }
  Ref<Namespace> parent_pid_ns_for(const Task& t) const {
    const Ref<PidNamespace>& parent = static_cast<const PidNamespace&>(*ns).parent;
    return parent && parent->is_below(*t.group->pid_ns) ? parent : nullptr;
  }
  static SysResult give(Task& t, Ref<Namespace> n) {
    if (!n) return Error{EPERM};
    return TRY(t.files->install(open_namespace(std::move(n), O_RDONLY), true, t.rlimit(RLIMIT_NOFILE)));
  }
};

}  // namespace

const std::span<const NamespaceKind> NAMESPACE_KINDS{KINDS};

std::string namespace_text(const Namespace& n) {
  for (const NamespaceKind& kind : KINDS)
    if (kind.type == n.type) return fmt::format("{}:[{}]", kind.name, n.ino);
  __builtin_unreachable();
}

Ref<File> open_namespace(Ref<Namespace> n, int flags) { return make_ref<NsFile>(std::move(n), flags); }

Ref<Namespace> namespace_of_file(const File& f) {
  const auto* file = dynamic_cast<const NsFile*>(&f);
  return file != nullptr ? file->ns : nullptr;
}

}  // namespace starry
