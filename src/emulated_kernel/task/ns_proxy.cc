#include "emulated_kernel/task/ns_proxy.h"

#include <linux/capability.h>
#include <linux/sched.h>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {
constexpr uint64_t INITIAL_UTS_NS_INO = 4026531838;
}  // namespace

UtsNamespace::UtsNamespace(std::optional<UtsNames> copied, Ref<const UserNamespace> owner, uint64_t number)
    : Namespace(CLONE_NEWUTS, std::move(owner), number), own_(std::move(copied)) {}

Ref<Namespaces> Namespaces::copy() const {
  auto c = make_ref<Namespaces>();
  c->uts = uts;
  c->pid_for_children = pid_for_children;
  return c;
}

const Ref<const Namespaces>& initial_namespaces() {
  static const auto* ns = [] {
    auto n = make_ref<Namespaces>();
    n->uts = make_ref<UtsNamespace>(std::nullopt, initial_user_ns(), INITIAL_UTS_NS_INO);
    n->pid_for_children = initial_pid_ns();
    return new Ref<const Namespaces>(std::move(n));  // outlives every task
  }();
  return *ns;
}

Result<Ref<const Namespaces>> copy_namespaces(const Task& t, const Cred& cred, uint64_t flags) {
  constexpr uint64_t MISSING = NEW_NAMESPACES & ~uint64_t{CLONE_NEWUTS | CLONE_NEWPID};
  if ((flags & MISSING) != 0) {
    klog(LogLevel::warn, "namespaces of these kinds are not implemented (flags {:#x})", flags & MISSING);
    return Error{EINVAL};
  }
  Ref<Namespaces> ns = t.ns->copy();
  const Ref<const UserNamespace>& owner = cred.user_ns;
  if ((flags & CLONE_NEWUTS) != 0) {
    TRY(Namespace::check_room(CLONE_NEWUTS));
    ns->uts = make_ref<UtsNamespace>(ns->uts->names(), owner);
  }
  if ((flags & CLONE_NEWPID) != 0) {
    if (ns->pid_for_children != t.group->pid_ns) return Error{EINVAL};
    ns->pid_for_children = TRY(create_pid_ns(ns->pid_for_children, owner));
  }
  return Ref<const Namespaces>(ns);
}

}  // namespace starry
