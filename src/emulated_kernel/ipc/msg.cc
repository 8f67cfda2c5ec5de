#include "emulated_kernel/ipc/msg.h"

#include <fmt/format.h>
#include <sys/msg.h>

#include <algorithm>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/task/task.h"
#include "vfs/procfs/generators.h"

namespace starry {

namespace {

bool matches(int64_t message_type, int64_t wanted, int flags) {
  if (wanted == 0) return true;
  if (wanted < 0) return wanted == INT64_MIN || message_type <= -wanted;
  return (flags & MSG_EXCEPT) != 0 ? message_type != wanted : message_type == wanted;
}

// The message that msgrcv takes: the first that matches, for a negative type the first of the lowest.
std::deque<SysvMessage>::iterator pick(MsgQueue& q, int64_t type, int flags) {
  auto best = q.messages.end();
  for (auto it = q.messages.begin(); it != q.messages.end(); ++it) {
    if (!matches(it->type, type, flags)) continue;
    if (type >= 0) return it;
    if (best == q.messages.end() || it->type < best->type) best = it;
  }
  return best;
}

Result<void> cut(SysvMessage& m, size_t size, int flags) {
  if (m.text.size() <= size) return {};
  if ((flags & MSG_NOERROR) == 0) return Error{E2BIG};
  m.text.resize(size);
  return {};
}

// pipelined_send(): true if a waiting receiver took the message. One whose buffer is too small fails.
bool hand_over(MsgQueue& q, SysvMessage& m, int sender_pid) {
  for (auto it = q.receivers.begin(); it != q.receivers.end();) {
    MsgQueue::Receiver& r = **it;
    if (!matches(m.type, r.type, r.flags)) {
      ++it;
      continue;
    }
    it = q.receivers.erase(it);
    r.done = true;
    const bool fits = m.text.size() <= r.size || (r.flags & MSG_NOERROR) != 0;
    if (fits) {
      r.message = std::move(m);
      q.lspid = sender_pid;
      q.lrpid = r.pid;
      q.rtime = ipc_time();
    } else {
      r.error = E2BIG;
    }
    r.queue.wake();
    if (fits) return true;
  }
  return false;
}

}  // namespace

Result<int> msg_get(Task& t, int key, int flags) {
  return msg_table().get(
      t, key, flags, [](const MsgQueue&) -> Result<void> { return {}; },
      []() -> Result<Ref<MsgQueue>> {
        Ref<MsgQueue> q = make_ref<MsgQueue>();
        q->ctime = ipc_time();
        return q;
      });
}

Result<void> msg_send(Task& t, int id, SysvMessage m, int flags) {
  Ref<MsgQueue> q = TRY(msg_table().find(id));
  const size_t n = m.text.size();
  TRY(ipc_permission(t, *q, IPC_WRITE));
  if (!q->has_room(n)) {
    if ((flags & IPC_NOWAIT) != 0) return Error{EAGAIN};
    auto ready = wait_event(
        q->senders, Deadline::never(), [&] { return q->removed || q->has_room(n); }, true);
    if (q->removed) return Error{EIDRM};
    if (!ready) return Error{ERESTARTNOHAND};
  }
  q->lspid = t.tgid();
  q->stime = ipc_time();
  if (hand_over(*q, m, t.tgid())) return {};
  q->bytes += n;
  q->messages.push_back(std::move(m));
  if (q->has_room(0)) q->senders.wake();
  return {};
}

Result<SysvMessage> msg_receive(Task& t, int id, size_t size, int64_t type, int flags) {
  if ((flags & MSG_COPY) != 0 && ((flags & MSG_EXCEPT) != 0 || (flags & IPC_NOWAIT) == 0))
    return Error{EINVAL};
  Ref<MsgQueue> q = TRY(msg_table().find(id));
  TRY(ipc_permission(t, *q, IPC_READ));
  if ((flags & MSG_COPY) != 0) {  // msgtyp is a position; nothing is taken out
    if (type < 0 || static_cast<uint64_t>(type) >= q->messages.size()) return Error{ENOMSG};
    SysvMessage copy = q->messages[static_cast<size_t>(type)];
    TRY(cut(copy, size, flags));
    return copy;
  }
  if (auto it = pick(*q, type, flags); it != q->messages.end()) {
    if (it->text.size() > size && (flags & MSG_NOERROR) == 0) return Error{E2BIG};
    SysvMessage m = std::move(*it);
    q->messages.erase(it);
    q->bytes -= m.text.size();
    q->lrpid = t.tgid();
    q->rtime = ipc_time();
    q->senders.wake_all();
    TRY(cut(m, size, flags));
    return m;
  }
  if ((flags & IPC_NOWAIT) != 0) return Error{ENOMSG};
  MsgQueue::Receiver r{
      .type = type, .flags = flags, .size = size, .pid = t.tgid(), .message = {}, .queue = {}};
  q->receivers.push_back(&r);
  (void)wait_until(r.queue, Deadline::never(), [&] { return r.done; });
  if (!r.done) {
    q->receivers.remove(&r);
    return Error{ERESTARTNOHAND};
  }
  if (r.error != 0) return Error{r.error};
  TRY(cut(r.message, size, flags));
  return std::move(r.message);
}

void msg_destroy(MsgQueue& q) {
  const Ref<MsgQueue> keep(&q);
  msg_table().remove(q);
  for (MsgQueue::Receiver* r : std::exchange(q.receivers, {})) {
    r->done = true;
    r->error = EIDRM;
    r->queue.wake();
  }
  q.senders.wake_all();
}

std::string proc::sysvipc_msg() {
  std::string out =
      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime     "
      " rtime      "
      "ctime\n";
  const UserNamespace& ids = *current().cred->user_ns;
  for (const auto& [index, q] : msg_table().by_index())
    out += fmt::format("{:10} {:10}  {:4o}  {:10} {:10} {:5} {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10}\n",
                       q->key, q->id, q->mode, q->bytes, q->messages.size(), PidView::number(q->lspid),
                       PidView::number(q->lrpid), ids.uid(q->uid), ids.gid(q->gid), ids.uid(q->cuid),
                       ids.gid(q->cgid), q->stime, q->rtime, q->ctime);
  return out;
}

}  // namespace starry
