#include "emulated_kernel/task/ns_proxy.h"

#include <linux/capability.h>
#include <linux/sched.h>

#include "emulated_kernel/ipc/ipc_namespace.h"
#include "emulated_kernel/task/task.h"
#include "netstack/net_namespace.h"

namespace starry {

namespace {

constexpr uint64_t INITIAL_UTS_NS_INO = 4026531838, INITIAL_CGROUP_NS_INO = 4026531835,
                   INITIAL_TIME_NS_INO = 4026531834;

template <class T>
Result<void> renew(Ref<T>& ns, auto&&... args) {
  TRY(Namespace::check_room(ns->type));
  ns = make_ref<T>(std::forward<decltype(args)>(args)...);
  return {};
}

}  // namespace

UtsNamespace::UtsNamespace(std::optional<UtsNames> copied, Ref<const UserNamespace> owner, uint64_t number)
    : Namespace(CLONE_NEWUTS, std::move(owner), number), own_(std::move(copied)) {}

Namespaces::Namespaces() = default;

Namespaces::~Namespaces() = default;

Ref<Namespaces> Namespaces::copy() const {
  auto c = make_ref<Namespaces>();
  c->uts = uts;
  c->ipc = ipc;
  c->net = net;
  c->cgroup = cgroup;
  c->time = time;
  c->time_for_children = time_for_children;
  c->pid_for_children = pid_for_children;
  return c;
}

const Ref<const Namespaces>& initial_namespaces() {
  static const auto* ns = [] {
    auto n = make_ref<Namespaces>();
    n->uts = make_ref<UtsNamespace>(std::nullopt, initial_user_ns(), INITIAL_UTS_NS_INO);
    n->ipc = initial_ipc_ns();
    n->net = initial_net_ns();
    n->cgroup = make_ref<Namespace>(CLONE_NEWCGROUP, initial_user_ns(), INITIAL_CGROUP_NS_INO);
    n->time = n->time_for_children =
        make_ref<Namespace>(CLONE_NEWTIME, initial_user_ns(), INITIAL_TIME_NS_INO);
    n->pid_for_children = initial_pid_ns();
    return new Ref<const Namespaces>(std::move(n));  // outlives every task
  }();
  return *ns;
}

Result<Ref<const Namespaces>> copy_namespaces(const Task& t, const Cred& cred, uint64_t flags) {
  if ((flags & CLONE_NEWNS) != 0) TRY(Namespace::check_room(CLONE_NEWNS));  // made by unshare_mounts()
  Ref<Namespaces> ns = t.ns->copy();
  const Ref<const UserNamespace>& owner = cred.user_ns;
  if ((flags & CLONE_NEWUTS) != 0) TRY(renew(ns->uts, ns->uts->names(), owner));
  if ((flags & CLONE_NEWIPC) != 0) TRY(renew(ns->ipc, owner));
  if ((flags & CLONE_NEWCGROUP) != 0) TRY(renew(ns->cgroup, CLONE_NEWCGROUP, owner));
  if ((flags & CLONE_NEWNET) != 0) TRY(renew(ns->net, owner));
  if ((flags & CLONE_NEWTIME) != 0) TRY(renew(ns->time_for_children, CLONE_NEWTIME, owner));
  if ((flags & CLONE_NEWPID) != 0) {
    if (ns->pid_for_children != t.group->pid_ns) return Error{EINVAL};
    ns->pid_for_children = TRY(create_pid_ns(ns->pid_for_children, owner));
  }
  return Ref<const Namespaces>(ns);
}

Ref<const Namespaces> with_time_for_children(const Ref<const Namespaces>& ns) {
  if (ns->time == ns->time_for_children) return ns;
  Ref<Namespaces> moved = ns->copy();
  moved->time = moved->time_for_children;
  return moved;
}

}  // namespace starry
