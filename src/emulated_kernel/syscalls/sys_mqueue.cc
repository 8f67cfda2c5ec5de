// POSIX message queues: mq_open(2) and its relatives.
#include <fcntl.h>

#include <csignal>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/base/timespec.h"
#include "emulated_kernel/ipc/mqueue.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/time/clock.h"
#include "netstack/netlink.h"
#include "vfs/dentry.h"

namespace starry {

namespace {

Result<Ref<MqFile>> get_queue(Task& t, int fd) {
  auto* q = dynamic_cast<MqFile*>(t.file(fd));
  if (q == nullptr) return Error{EBADF};
  return Ref<MqFile>(q);
}

// An absolute time of CLOCK_REALTIME; null: for ever. EFAULT, EINVAL.
Result<Deadline> absolute_timeout(Task& t, UserPtr<const timespec> p) {
  if (!p) return Deadline::never();
  const timespec ts = TRY(t.mem().get(p.cast<timespec>()));
  if (!timespec_valid(ts)) return Error{EINVAL};
  return realtime_deadline(timespec_to_ns(ts));
}

struct Registration {
  Ref<NetlinkSocket> socket;
  std::array<uint8_t, 32> cookie{};
};

// What mq_notify(3) of the C library does for SIGEV_THREAD: the message goes to a socket of its own.
Result<Registration> read_registration(Task& t, const GuestSigevent& e) {
  Registration r;
  if (e.notify != SIGEV_NONE && e.notify != SIGEV_SIGNAL && e.notify != SIGEV_THREAD) return Error{EINVAL};
  if (e.notify == SIGEV_SIGNAL && (e.signo < 0 || e.signo > 64)) return Error{EINVAL};
  if (e.notify == SIGEV_THREAD) {
    TRY(t.mem().read(e.value, r.cookie.data(), r.cookie.size()));
    const Ref<File> f = TRY(get_file(t, e.signo));
    r.socket.reset(dynamic_cast<NetlinkSocket*>(f.get()));
    if (!r.socket) return Error{EINVAL};
  }
  return r;
}

}  // namespace

SysResult sys_mq_open(Task& t, UserPtr<const char> name, int oflag, uint32_t mode, UserPtr<void> attr) {
  MqAttr a;
  const bool has_attr = attr && (oflag & O_CREAT) != 0;
  if (attr) a = TRY(t.mem().get(attr.cast<MqAttr>()));
  const std::string text = TRY(t.mem().read_cstr(name.addr, PATH_LEN_MAX, ENAMETOOLONG));
  Ref<File> f = TRY(mq_open(t, text, oflag, mode, has_attr ? &a : nullptr));
  return TRY(t.files->install(std::move(f), true, t.rlimit(RLIMIT_NOFILE)));
}

SysResult sys_mq_unlink(Task& t, UserPtr<const char> name) {
  const std::string text = TRY(t.mem().read_cstr(name.addr, PATH_LEN_MAX, ENAMETOOLONG));
  TRY(mq_unlink(t, text));
  return 0;
}

SysResult sys_mq_timedsend(Task& t, int mqdes, UserPtr<const void> msg_ptr, size_t msg_len, unsigned msg_prio,
                           UserPtr<const timespec> abs_timeout) {
  const Deadline deadline = TRY(absolute_timeout(t, abs_timeout));
  if (msg_prio >= MQ_PRIORITY_MAX) return Error{EINVAL};
  Ref<MqFile> f = TRY(get_queue(t, mqdes));
  if (!f->writable()) return Error{EBADF};
  if (msg_len > static_cast<uint64_t>(f->queue->limits.msgsize)) return Error{EMSGSIZE};
  MqMessage m{msg_prio, TRY(t.mem().get_array(UserPtr<uint8_t>{msg_ptr.addr}, msg_len))};
  TRY(f->queue->send(t, std::move(m), deadline, f->nonblocking()));
  return 0;
}

SysResult sys_mq_timedreceive(Task& t, int mqdes, UserPtr<void> msg_ptr, size_t msg_len,
                              UserPtr<unsigned> msg_prio, UserPtr<const timespec> abs_timeout) {
  const Deadline deadline = TRY(absolute_timeout(t, abs_timeout));
  Ref<MqFile> f = TRY(get_queue(t, mqdes));
  if (!f->readable()) return Error{EBADF};
  if (msg_len < static_cast<uint64_t>(f->queue->limits.msgsize)) return Error{EMSGSIZE};
  const MqMessage m = TRY(f->queue->receive(t, deadline, f->nonblocking()));
  // A message that cannot be stored is lost, as on Linux.
  if (msg_prio) TRY(t.mem().put(msg_prio, m.priority));
  TRY(t.mem().write(msg_ptr.addr, m.data.data(), m.data.size()));
  return static_cast<int64_t>(m.data.size());
}

SysResult sys_mq_notify(Task& t, int mqdes, UserPtr<const GuestSigevent> sevp) {
  GuestSigevent e{};
  Registration r;
  if (sevp) {
    e = TRY(t.mem().get(sevp.cast<GuestSigevent>()));
    r = TRY(read_registration(t, e));
  }
  Ref<MqFile> f = TRY(get_queue(t, mqdes));
  TRY(f->queue->notify(t, sevp ? &e : nullptr, std::move(r.socket), r.cookie));
  return 0;
}

SysResult sys_mq_getsetattr(Task& t, int mqdes, UserPtr<const void> newattr, UserPtr<void> oldattr) {
  MqAttr wanted;
  if (newattr) {
    wanted = TRY(t.mem().get(UserPtr<MqAttr>{newattr.addr}));
    if ((wanted.flags & ~static_cast<int64_t>(O_NONBLOCK)) != 0) return Error{EINVAL};
  }
  Ref<MqFile> f = TRY(get_queue(t, mqdes));
  MqAttr old = f->queue->limits;
  old.flags = f->flags() & O_NONBLOCK;
  old.curmsgs = f->queue->size();
  if (newattr) TRY(f->set_status_flags((f->flags() & ~O_NONBLOCK) | static_cast<int>(wanted.flags)));
  if (oldattr) TRY(t.mem().put(oldattr.cast<MqAttr>(), old));
  return 0;
}

}  // namespace starry
