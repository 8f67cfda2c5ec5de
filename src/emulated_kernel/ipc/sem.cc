#include "emulated_kernel/ipc/sem.h"

#include <fmt/format.h>
#include <sys/sem.h>

#include <algorithm>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/task/task.h"
#include "vfs/procfs/generators.h"

namespace starry {

namespace {

constexpr int PER_SET_MAX = 32000, TOTAL_MAX = 1024000000;  // kernel.sem

bool alters(std::span<const GuestSembuf> ops) {
  return std::any_of(ops.begin(), ops.end(), [](const GuestSembuf& o) { return o.op != 0; });
}

}  // namespace

int sem_total() {
  size_t n = 0;
  for (const auto& [index, s] : sem_table().by_index()) n += s->sems.size();
  return static_cast<int>(n);
}

// perform_atomic_semop()
int SemSet::try_ops(Waiter& w) {
  size_t done = 0;
  int error = 0;
  for (; done < w.ops.size(); ++done) {
    const GuestSembuf& op = w.ops[done];
    Sem& sem = sems[op.num];
    const int result = sem.value + op.op;
    if ((op.op == 0 && sem.value != 0) || result < 0) {
      w.blocking = &op;
      error = EAGAIN;
      break;
    }
    if (result > VALUE_MAX) {
      error = ERANGE;
      break;
    }
    if ((op.flags & SEM_UNDO) != 0) {
      int16_t& adjust = w.undo->of(*this)[op.num];
      const int undo = adjust - op.op;
      if (undo < -VALUE_MAX - 1 || undo > VALUE_MAX) {
        error = ERANGE;
        break;
      }
      adjust = static_cast<int16_t>(undo);
    }
    sem.value = result;
  }
  if (error == 0) {
    for (const GuestSembuf& op : w.ops) sems[op.num].pid = w.pid;
    otime = ipc_time();
    return 0;
  }
  while (done-- > 0) {
    const GuestSembuf& op = w.ops[done];
    sems[op.num].value -= op.op;
    if ((op.flags & SEM_UNDO) != 0) {
      int16_t& adjust = w.undo->of(*this)[op.num];
      adjust = static_cast<int16_t>(adjust + op.op);
    }
  }
  return error;
}

void SemSet::run_waiters() {
  for (auto it = waiters.begin(); it != waiters.end();) {
    Waiter& w = **it;
    const int r = try_ops(w);
    if (r == EAGAIN) {
      ++it;
      continue;
    }
    it = waiters.erase(it);
    w.done = true;
    w.error = r;
    w.queue.wake();
    if (r == 0 && alters(w.ops)) it = waiters.begin();  // earlier ones may have their turn now
  }
}

void SemSet::wake_all_with(int error) {
  for (Waiter* w : std::exchange(waiters, {})) {
    w->done = true;
    w->error = error;
    w->queue.wake();
  }
}

int SemSet::count_waiting(size_t num, bool for_zero) const {
  return static_cast<int>(std::count_if(waiters.begin(), waiters.end(), [&](const Waiter* w) {
    return w->blocking != nullptr && w->blocking->num == num && (w->blocking->op == 0) == for_zero;
  }));
}

void SemSet::clear_undo(int num) {
  for (SemUndoList* u : undoers) {
    std::vector<int16_t>& adjust = u->of(*this);
    if (num < 0)
      std::fill(adjust.begin(), adjust.end(), int16_t{0});
    else
      adjust[static_cast<size_t>(num)] = 0;
  }
}

SemUndoList::~SemUndoList() {
  for (auto& [s, adjust] : adjust_) std::erase(s->undoers, this);
}

std::vector<int16_t>& SemUndoList::of(SemSet& s) {
  auto [it, added] = adjust_.try_emplace(&s, s.sems.size());
  if (added) s.undoers.push_back(this);
  return it->second;
}

// exit_sem(): values are kept within their bounds, without an error.
void SemUndoList::apply(int pid) {
  for (auto& [s, adjust] : adjust_) {
    for (size_t i = 0; i < adjust.size(); ++i) {
      if (adjust[i] == 0) continue;
      SemSet::Sem& sem = s->sems[i];
      sem.value = std::clamp(sem.value + adjust[i], 0, SemSet::VALUE_MAX);
      sem.pid = pid;
    }
    s->otime = ipc_time();
    std::erase(s->undoers, this);
    s->run_waiters();
  }
  adjust_.clear();
}

Result<int> sem_get(Task& t, int key, int nsems, int flags) {
  if (nsems < 0 || nsems > PER_SET_MAX) return Error{EINVAL};
  return sem_table().get(
      t, key, flags,
      [&](const SemSet& s) -> Result<void> {
        if (static_cast<size_t>(nsems) > s.sems.size()) return Error{EINVAL};
        return {};
      },
      [&]() -> Result<Ref<SemSet>> {
        if (nsems == 0) return Error{EINVAL};
        if (sem_total() + nsems > TOTAL_MAX) return Error{ENOSPC};
        Ref<SemSet> s = make_ref<SemSet>(static_cast<size_t>(nsems));
        s->ctime = ipc_time();
        return s;
      });
}

Result<void> sem_operate(Task& t, int id, std::span<const GuestSembuf> ops, Deadline deadline) {
  Ref<SemSet> s = TRY(sem_table().find(id));
  for (const GuestSembuf& op : ops)
    if (op.num >= s->sems.size()) return Error{EFBIG};
  TRY(ipc_permission(t, *s, alters(ops) ? IPC_WRITE : IPC_READ));
  if (!t.sem_undo &&
      std::any_of(ops.begin(), ops.end(), [](const GuestSembuf& o) { return (o.flags & SEM_UNDO) != 0; }))
    t.sem_undo = std::make_shared<SemUndoList>();

  SemSet::Waiter w{.ops = ops, .undo = t.sem_undo.get(), .pid = t.tgid(), .queue = {}};
  const int first = s->try_ops(w);
  if (first == 0) {
    if (alters(ops)) s->run_waiters();
    return {};
  }
  if (first != EAGAIN || (w.blocking->flags & IPC_NOWAIT) != 0) return Error{first};
  s->waiters.push_back(&w);
  const Wake wake = wait_until(w.queue, deadline, [&] { return w.done; });
  if (!w.done) s->waiters.remove(&w);
  // Never restarted: the time of a semtimedop would begin anew (signal(7)).
  if (!w.done) return Error{wake == Wake::signal ? EINTR : EAGAIN};
  if (w.error != 0) return Error{w.error};
  return {};
}

void sem_destroy(SemSet& s) {
  const Ref<SemSet> keep(&s);
  sem_table().remove(s);
  for (SemUndoList* u : std::exchange(s.undoers, {})) u->forget(s);
  s.wake_all_with(EIDRM);
}

void sem_exit(Task& t) {
  const std::shared_ptr<SemUndoList> list = std::move(t.sem_undo);
  t.sem_undo.reset();
  if (list && list.use_count() == 1) list->apply(t.tgid());
}

std::string proc::sysvipc_sem() {
  std::string out = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";
  const UserNamespace& ids = *current().cred->user_ns;
  for (const auto& [index, s] : sem_table().by_index())
    out += fmt::format("{:10} {:10}  {:4o} {:10} {:5} {:5} {:5} {:5} {:10} {:10}\n", s->key, s->id, s->mode,
                       s->sems.size(), ids.uid(s->uid), ids.gid(s->gid), ids.uid(s->cuid), ids.gid(s->cgid),
                       s->otime, s->ctime);
  return out;
}

}  // namespace starry
