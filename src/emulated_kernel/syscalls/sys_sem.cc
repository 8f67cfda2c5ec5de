// System V semaphores: semget(2), semop(2), semtimedop(2), semctl(2).
#include <sys/sem.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/timespec.h"
#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/ipc/sem.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr unsigned OPS_MAX = 500;  // SEMOPM

SysResult operate(Task& t, int id, UserPtr<GuestSembuf> sops, unsigned nsops, const timespec* timeout) {
  if (nsops > OPS_MAX) return Error{E2BIG};
  if (nsops < 1) return Error{EINVAL};
  const auto ops = TRY(t.mem().get_array(sops, nsops));
  if (id < 0) return Error{EINVAL};
  Deadline deadline;
  if (timeout != nullptr) {
    if (!timespec_valid(*timeout)) return Error{EINVAL};
    deadline = Deadline::after(timespec_to_ns(*timeout));
  }
  TRY(sem_operate(t, id, ops, deadline));
  return 0;
}

SysResult info(Task& t, int cmd, uint64_t buf) {
  seminfo i{};
  i.semmni = 32000;
  i.semmsl = 32000;
  i.semmap = i.semmns = i.semmnu = 1024000000;
  i.semopm = i.semume = static_cast<int>(OPS_MAX);
  i.semvmx = SemSet::VALUE_MAX;
  i.semusz = cmd == SEM_INFO ? sem_table().size() : 20;
  i.semaem = cmd == SEM_INFO ? sem_total() : SemSet::VALUE_MAX;
  TRY(t.mem().put(UserPtr<seminfo>{buf}, i));
  return sem_table().max_index();
}

semid_ds show(const SemSet& s) {
  semid_ds d{};
  d.sem_perm = ipc_show_perm(s);
  d.sem_otime = s.otime, d.sem_ctime = s.ctime;
  d.sem_nsems = s.sems.size();
  return d;
}

SysResult set_value(Task& t, SemSet& s, size_t num, int value) {
  TRY(ipc_permission(t, s, IPC_WRITE));
  s.clear_undo(static_cast<int>(num));
  s.sems[num] = {value, t.tgid()};
  s.ctime = realtime_timespec().tv_sec;
  s.run_waiters();
  return 0;
}

SysResult set_all(Task& t, int id, uint64_t array) {
  Ref<SemSet> s = TRY(sem_table().find(id));
  TRY(ipc_permission(t, *s, IPC_WRITE));
  const auto values = TRY(t.mem().get_array(UserPtr<uint16_t>{array}, s->sems.size()));
  for (const uint16_t v : values)
    if (v > SemSet::VALUE_MAX) return Error{ERANGE};
  for (size_t i = 0; i < values.size(); ++i) s->sems[i] = {values[i], t.tgid()};
  s->clear_undo(-1);
  s->ctime = realtime_timespec().tv_sec;
  s->run_waiters();
  return 0;
}

// The commands that look at one semaphore, or all of them.
SysResult examine(Task& t, SemSet& s, int num, int cmd, uint64_t arg) {
  TRY(ipc_permission(t, s, IPC_READ));
  if (cmd == GETALL) {
    std::vector<uint16_t> values;
    for (const SemSet::Sem& sem : s.sems) values.push_back(static_cast<uint16_t>(sem.value));
    TRY(t.mem().write(arg, values.data(), values.size() * sizeof(uint16_t)));
    return 0;
  }
  if (num < 0 || static_cast<size_t>(num) >= s.sems.size()) return Error{EINVAL};
  const auto n = static_cast<size_t>(num);
  switch (cmd) {
    case GETVAL:
      return s.sems[n].value;
    case GETPID:
      return t.shown_pid(s.sems[n].pid);
    default:
      return s.count_waiting(n, cmd == GETZCNT);
  }
}

}  // namespace

SysResult sys_semget(Task& t, int key, int nsems, int semflg) { return TRY(sem_get(t, key, nsems, semflg)); }

SysResult sys_semop(Task& t, int semid, UserPtr<GuestSembuf> sops, unsigned nsops) {
  return operate(t, semid, sops, nsops, nullptr);
}

SysResult sys_semtimedop(Task& t, int semid, UserPtr<GuestSembuf> sops, unsigned nsops,
                         UserPtr<const timespec> timeout) {
  if (!timeout) return operate(t, semid, sops, nsops, nullptr);
  const timespec ts = TRY(t.mem().get(timeout.cast<timespec>()));
  return operate(t, semid, sops, nsops, &ts);
}

SysResult sys_semctl(Task& t, int semid, int semnum, int cmd, uint64_t arg) {
  if (semid < 0) return Error{EINVAL};
  switch (cmd) {
    case IPC_INFO:
    case SEM_INFO:
      return info(t, cmd, arg);
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY: {
      const bool by_index = cmd != IPC_STAT;
      Ref<SemSet> s = TRY(by_index ? sem_table().find_index(semid) : sem_table().find(semid));
      if (cmd != SEM_STAT_ANY) TRY(ipc_permission(t, *s, IPC_READ));
      TRY(t.mem().put(UserPtr<semid_ds>{arg}, show(*s)));
      return by_index ? s->id : 0;
    }
    case GETALL:
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
      return examine(t, *TRY(sem_table().find(semid)), semnum, cmd, arg);
    case SETVAL: {
      const int value = static_cast<int>(arg);
      if (value < 0 || value > SemSet::VALUE_MAX) return Error{ERANGE};
      Ref<SemSet> s = TRY(sem_table().find(semid));
      if (semnum < 0 || static_cast<size_t>(semnum) >= s->sems.size()) return Error{EINVAL};
      return set_value(t, *s, static_cast<size_t>(semnum), value);
    }
    case SETALL:
      return set_all(t, semid, arg);
    case IPC_SET: {
      const auto d = TRY(t.mem().get(UserPtr<semid_ds>{arg}));
      Ref<SemSet> s = TRY(sem_table().find(semid));
      TRY(ipc_may_control(t, *s));
      TRY(ipc_apply_perm(*s, d.sem_perm));
      s->ctime = realtime_timespec().tv_sec;
      return 0;
    }
    case IPC_RMID: {
      Ref<SemSet> s = TRY(sem_table().find(semid));
      TRY(ipc_may_control(t, *s));
      sem_destroy(*s);
      return 0;
    }
    default:
      return Error{EINVAL};
  }
}

}  // namespace starry
