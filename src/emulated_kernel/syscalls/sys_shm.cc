// System V shared memory: shmget(2), shmat(2), shmdt(2), shmctl(2).
#include <linux/capability.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/ipc/ipc_namespace.h"
#include "emulated_kernel/ipc/shm.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

shmid_ds show(const ShmSegment& s) {
  shmid_ds d{};
  d.shm_perm = ipc_show_perm(s);
  d.shm_segsz = s.size;
  d.shm_atime = s.atime, d.shm_dtime = s.dtime, d.shm_ctime = s.ctime;
  d.shm_cpid = current().shown_pid(s.cpid), d.shm_lpid = current().shown_pid(s.lpid);
  d.shm_nattch = s.nattch();
  return d;
}

SysResult ipc_info(Task& t, UserPtr<void> buf) {
  shminfo i{};
  i.shmmax = i.shmall = ~0UL - (1UL << 24);
  i.shmmin = 1;
  i.shmmni = i.shmseg = 4096;
  TRY(t.mem().put(buf.cast<shminfo>(), i));
  return shm_table().max_index();
}

SysResult shm_info_of_all(Task& t, UserPtr<void> buf) {
  shm_info i{};
  i.used_ids = shm_table().size();
  for (const auto& [index, s] : shm_table().by_index()) {
    i.shm_tot += (s->size + PAGE - 1) / PAGE;
    if (auto st = s->data->stat(); st.ok()) i.shm_rss += st->blocks * 512 / PAGE;
  }
  TRY(t.mem().put(buf.cast<shm_info>(), i));
  return shm_table().max_index();
}

SysResult set_lock(Task& t, ShmSegment& s, bool on) {
  if (!t.cred->capable_in(current_ipc_ns()->user_ns(), CAP_IPC_LOCK)) {
    if (t.cred->euid != s.uid && t.cred->euid != s.cuid) return Error{EPERM};
    if (on && t.rlimit(RLIMIT_MEMLOCK) == 0) return Error{EPERM};
  }
  s.mode = on ? s.mode | SHM_LOCKED : s.mode & ~static_cast<uint32_t>(SHM_LOCKED);
  return 0;
}

}  // namespace

SysResult sys_shmget(Task& t, int key, size_t size, int shmflg) { return TRY(shm_get(t, key, size, shmflg)); }

SysResult sys_shmat(Task& t, int shmid, uint64_t shmaddr, int shmflg) {
  return static_cast<int64_t>(TRY(shm_attach(t, shmid, shmaddr, shmflg)));
}

SysResult sys_shmdt(Task& t, uint64_t shmaddr) {
  TRY(shm_detach(t, shmaddr));
  return 0;
}

SysResult sys_shmctl(Task& t, int shmid, int cmd, UserPtr<void> buf) {
  if (cmd < 0 || shmid < 0) return Error{EINVAL};
  switch (cmd) {
    case IPC_INFO:
      return ipc_info(t, buf);
    case SHM_INFO:
      return shm_info_of_all(t, buf);
    case SHM_STAT:
    case SHM_STAT_ANY:
    case IPC_STAT: {
      const bool by_index = cmd != IPC_STAT;
      Ref<ShmSegment> s = TRY(by_index ? shm_table().find_index(shmid) : shm_table().find(shmid));
      if (cmd != SHM_STAT_ANY) TRY(ipc_permission(t, *s, IPC_READ));
      TRY(t.mem().put(buf.cast<shmid_ds>(), show(*s)));
      return by_index ? s->id : 0;
    }
    case IPC_SET: {
      const auto d = TRY(t.mem().get(buf.cast<shmid_ds>()));
      Ref<ShmSegment> s = TRY(shm_table().find(shmid));
      TRY(ipc_may_control(t, *s));
      TRY(ipc_apply_perm(*s, d.shm_perm));
      s->ctime = realtime_timespec().tv_sec;
      return 0;
    }
    case IPC_RMID: {
      Ref<ShmSegment> s = TRY(shm_table().find(shmid));
      TRY(ipc_may_control(t, *s));
      shm_destroy(*s);
      return 0;
    }
    case SHM_LOCK:
    case SHM_UNLOCK: {
      Ref<ShmSegment> s = TRY(shm_table().find(shmid));
      return set_lock(t, *s, cmd == SHM_LOCK);
    }
    default:
      return Error{EINVAL};
  }
}

}  // namespace starry
