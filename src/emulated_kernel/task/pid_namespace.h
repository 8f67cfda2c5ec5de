// PID namespaces (struct pid_namespace, pid_namespaces(7)). Ids inside the kernel (of threads, processes,
// groups and sessions) are the numbers of the initial namespace; every other one has a table of its own
// numbers. They are translated where system calls and files of /proc take or show them.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "emulated_kernel/sync/wait_queue.h"
#include "emulated_kernel/task/namespace.h"

namespace starry {

class ThreadGroup;

class PidNamespace final : public Namespace {
 public:
  PidNamespace();  // the initial one
  PidNamespace(Ref<PidNamespace> above, Ref<const UserNamespace> owner);

  const Ref<PidNamespace> parent;  // null for the initial one
  const int level = 0;
  ThreadGroup* reaper = nullptr;  // its process 1; null before it is made and after its end
  bool closed = false;            // process 1 has ended or is about to: nobody else may come in
  WaitQueue left;                 // woken when a process of it is gone: process 1 ends last

  bool initial() const { return level == 0; }
  // The number of what the kernel calls `id`; 0: it is not to be seen from here.
  pid_t number(pid_t id) const { return initial() ? id : own_number(id); }
  // The other way round; 0: there is none.
  pid_t id(pid_t number) const { return initial() ? number : id_of(number); }
  bool is_below(const PidNamespace& above) const;  // or the same

  // Gives `id` a number: the next one, or `wanted` if that is not 0. EEXIST.
  Result<void> add(pid_t id, pid_t wanted);
  void remove(pid_t id);

 private:
  using Numbers = std::map<pid_t, pid_t>;
  pid_t own_number(pid_t id) const;
  pid_t id_of(pid_t number) const;
  Numbers own_, ids_;  // from kernel-wide id to number, and back
  pid_t last_ = 0;
};

const Ref<PidNamespace>& initial_pid_ns();

// Whose numbers files of /proc show: those of the namespace that the mount belongs to, where the file says so
// while it is read, else the caller's.
class PidView {
 public:
  explicit PidView(const PidNamespace& ns) : before_(std::exchange(current_, &ns)) {}
  ~PidView() { current_ = before_; }
  PidView(const PidView&) = delete;
  PidView& operator=(const PidView&) = delete;
  static const PidNamespace& now();
  static pid_t number(pid_t id) { return now().number(id); }
  // The numbers of `id`, which belongs to `own`, from there down, with tabs between ("NSpid" of
  // /proc/PID/status).
  static std::string numbers(const PidNamespace& own, pid_t id);

 private:
  static inline const PidNamespace* current_ = nullptr;
  const PidNamespace* before_;
};

// CLONE_NEWPID: a namespace for the children of who is in `above`. ENOSPC, EINVAL.
Result<Ref<PidNamespace>> create_pid_ns(const Ref<PidNamespace>& above, Ref<const UserNamespace> owner);

// Gives a new thread or process its numbers in `ns` and in all above, the kernel-wide one excepted. `wanted`:
// clone3's set_tid, innermost first, as far as given. EEXIST, EINVAL, ENOMEM (closed).
Result<void> assign_numbers(PidNamespace& ns, pid_t id, const std::vector<pid_t>& wanted);
// Nobody has this id any more.
void drop_numbers(PidNamespace& ns, pid_t id);

// The end of process 1: everybody else in the namespace is killed, and waited for. Sleeps.
void zap_pid_ns(PidNamespace& ns);

}  // namespace starry
