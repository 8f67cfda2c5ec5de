// System V message queues: msgget(2), msgsnd(2), msgrcv(2), msgctl(2).
#include <linux/capability.h>
#include <sys/msg.h>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/ipc/msg.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

msqid_ds show(const MsgQueue& q) {
  msqid_ds d{};
  d.msg_perm = ipc_show_perm(q);
  d.msg_stime = q.stime, d.msg_rtime = q.rtime, d.msg_ctime = q.ctime;
  d.__msg_cbytes = q.bytes;
  d.msg_qnum = q.messages.size();
  d.msg_qbytes = q.bytes_max;
  d.msg_lspid = current().shown_pid(q.lspid), d.msg_lrpid = current().shown_pid(q.lrpid);
  return d;
}

SysResult info(Task& t, int cmd, UserPtr<void> buf) {
  msginfo i{};
  i.msgmax = static_cast<int>(MSG_SIZE_MAX);
  i.msgmnb = static_cast<int>(MSG_BYTES_MAX);
  i.msgmni = MSG_QUEUES_MAX;
  i.msgssz = 16;
  i.msgseg = 0xffff;
  if (cmd == MSG_INFO) {
    i.msgpool = msg_table().size();
    for (const auto& [index, q] : msg_table().by_index()) {
      i.msgmap += static_cast<int>(q->messages.size());
      i.msgtql += static_cast<int>(q->bytes);
    }
  } else {
    i.msgpool = static_cast<int>(MSG_QUEUES_MAX * MSG_BYTES_MAX / 1024);
    i.msgmap = i.msgtql = static_cast<int>(MSG_BYTES_MAX);
  }
  TRY(t.mem().put(buf.cast<msginfo>(), i));
  return msg_table().max_index();
}

SysResult set(Task& t, int id, UserPtr<void> buf) {
  const auto d = TRY(t.mem().get(buf.cast<msqid_ds>()));
  Ref<MsgQueue> q = TRY(msg_table().find(id));
  TRY(ipc_may_control(t, *q));
  if (d.msg_qbytes > MSG_BYTES_MAX && !t.cred->capable(CAP_SYS_RESOURCE)) return Error{EPERM};
  TRY(ipc_apply_perm(*q, d.msg_perm));
  q->bytes_max = d.msg_qbytes;
  q->ctime = realtime_timespec().tv_sec;
  q->senders.wake_all();  // there may be more room now
  return 0;
}

}  // namespace

SysResult sys_msgget(Task& t, int key, int msgflg) { return TRY(msg_get(t, key, msgflg)); }

// A message in user memory is a long, its type, and the text.
SysResult sys_msgsnd(Task& t, int msqid, UserPtr<const void> msgp, size_t msgsz, int msgflg) {
  SysvMessage m;
  m.type = TRY(t.mem().get(UserPtr<int64_t>{msgp.addr}));
  if (msgsz > MSG_SIZE_MAX || msqid < 0 || m.type < 1) return Error{EINVAL};
  m.text = TRY(t.mem().get_array(UserPtr<uint8_t>{msgp.addr + sizeof m.type}, msgsz));
  TRY(msg_send(t, msqid, std::move(m), msgflg));
  return 0;
}

SysResult sys_msgrcv(Task& t, int msqid, UserPtr<void> msgp, size_t msgsz, int64_t msgtyp, int msgflg) {
  if (msqid < 0 || static_cast<int64_t>(msgsz) < 0) return Error{EINVAL};
  const SysvMessage m = TRY(msg_receive(t, msqid, msgsz, msgtyp, msgflg));
  TRY(t.mem().put(UserPtr<int64_t>{msgp.addr}, m.type));
  TRY(t.mem().write(msgp.addr + sizeof m.type, m.text.data(), m.text.size()));
  return static_cast<int64_t>(m.text.size());
}

SysResult sys_msgctl(Task& t, int msqid, int cmd, UserPtr<void> buf) {
  if (cmd < 0 || msqid < 0) return Error{EINVAL};
  switch (cmd) {
    case IPC_INFO:
    case MSG_INFO:
      return info(t, cmd, buf);
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY: {
      const bool by_index = cmd != IPC_STAT;
      Ref<MsgQueue> q = TRY(by_index ? msg_table().find_index(msqid) : msg_table().find(msqid));
      if (cmd != MSG_STAT_ANY) TRY(ipc_permission(t, *q, IPC_READ));
      TRY(t.mem().put(buf.cast<msqid_ds>(), show(*q)));
      return by_index ? q->id : 0;
    }
    case IPC_SET:
      return set(t, msqid, buf);
    case IPC_RMID: {
      Ref<MsgQueue> q = TRY(msg_table().find(msqid));
      TRY(ipc_may_control(t, *q));
      msg_destroy(*q);
      return 0;
    }
    default:
      return Error{EINVAL};
  }
}

}  // namespace starry
