#include "emulated_kernel/task/pid_namespace.h"

#include <fmt/format.h>
#include <linux/sched.h>

#include <csignal>

#include "emulated_kernel/task/exit.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/task/user_namespace.h"

namespace starry {

namespace {

constexpr uint64_t INITIAL_PID_NS_INO = 4026531836;
constexpr int MAX_PID_NS_LEVEL = 32;
constexpr pid_t FIRST_AFTER_WRAP = 300;  // RESERVED_PIDS

}  // namespace

PidNamespace::PidNamespace() : Namespace(CLONE_NEWPID, initial_user_ns(), INITIAL_PID_NS_INO) {}

PidNamespace::PidNamespace(Ref<PidNamespace> above, Ref<const UserNamespace> owner)
    : Namespace(CLONE_NEWPID, std::move(owner)), parent(std::move(above)), level(parent->level + 1) {}

pid_t PidNamespace::own_number(pid_t id) const {
  const auto it = own_.find(id);
  return it == own_.end() ? 0 : it->second;
}

pid_t PidNamespace::id_of(pid_t number) const {
  const auto it = ids_.find(number);
  return it == ids_.end() ? 0 : it->second;
}

bool PidNamespace::is_below(const PidNamespace& above) const {
  const PidNamespace* ns = this;
  while (ns->level > above.level) ns = ns->parent.get();
  return ns == &above;
}

Result<void> PidNamespace::add(pid_t id, pid_t wanted) {
  if (wanted != 0 && ids_.contains(wanted)) return Error{EEXIST};
  remove(id);  // it may be left from who had it before
  pid_t number = wanted;
  while (number == 0 || ids_.contains(number)) {
    last_ = last_ + 1 < PID_MAX ? last_ + 1 : FIRST_AFTER_WRAP;
    number = last_;
  }
  own_.emplace(id, number);
  ids_.emplace(number, id);
  return {};
}

void PidNamespace::remove(pid_t id) {
  const auto it = own_.find(id);
  if (it == own_.end()) return;
  ids_.erase(it->second);
  own_.erase(it);
}

const Ref<PidNamespace>& initial_pid_ns() {
  static const auto* ns = new Ref<PidNamespace>(make_ref<PidNamespace>());  // outlives every process
  return *ns;
}

const PidNamespace& PidView::now() {
  if (current_ != nullptr) return *current_;
  return in_task() ? *current().group->pid_ns : *initial_pid_ns();
}

std::string PidView::numbers(const PidNamespace& own, pid_t id) {
  std::string text;
  for (const PidNamespace* ns = &own; ns->level > now().level; ns = ns->parent.get())
    text.insert(0, fmt::format("\t{}", ns->number(id)));
  return fmt::format("{}", number(id)) + text;
}

Result<Ref<PidNamespace>> create_pid_ns(const Ref<PidNamespace>& above, Ref<const UserNamespace> owner) {
  if (!owner->is_below(above->user_ns())) return Error{EINVAL};
  if (above->level >= MAX_PID_NS_LEVEL) return Error{ENOSPC};
  TRY(Namespace::check_room(CLONE_NEWPID));
  return make_ref<PidNamespace>(above, std::move(owner));
}

Result<void> assign_numbers(PidNamespace& ns, pid_t id, const std::vector<pid_t>& wanted) {
  if (ns.closed) return Error{ENOMEM};
  size_t given = 0;
  for (PidNamespace* at = &ns; !at->initial(); at = at->parent.get(), ++given) {
    const pid_t number = given < wanted.size() ? wanted[given] : 0;
    // Nobody comes before process 1.
    Result<void> added =
        number > 1 && at->reaper == nullptr ? Result<void>(Error{EINVAL}) : at->add(id, number);
    if (!added) {
      drop_numbers(ns, id);
      return added;
    }
  }
  return {};
}

void drop_numbers(PidNamespace& ns, pid_t id) {
  for (PidNamespace* at = &ns; !at->initial(); at = at->parent.get()) at->remove(id);
}

void zap_pid_ns(PidNamespace& ns) {
  ns.closed = true;
  ThreadGroup& reaper = *ns.reaper;
  // Those that wait for their parent already have none but process 1, which will not ask.
  for (const Ref<ThreadGroup>& child : std::vector(reaper.children))
    if (child->zombie) reap(*child);
  const auto inside = [&](const ThreadGroup& g) { return &g != &reaper && g.pid_ns->is_below(ns); };
  for_each_group([&](ThreadGroup& g) {
    if (inside(g) && !g.zombie && g.leader() != nullptr) exit_group(*g.leader(), SIGKILL);
  });
  const auto alone = [&] {
    bool found = false;
    for_each_group([&](ThreadGroup& g) { found = found || inside(g); });
    return !found;
  };
  while (wait_until(ns.left, Deadline::never(), alone, false, SleepMode::killable) == Wake::signal)
    current().sig.killed = false;  // killed once more while it ends
  ns.reaper = nullptr;
}

}  // namespace starry
