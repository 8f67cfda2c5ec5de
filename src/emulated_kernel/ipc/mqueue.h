// POSIX message queues (mq_overview(7)): files of the "mqueue" file system, which mq_open(3) uses through
// the kernel's own mount of it and which is mounted on /dev/mqueue as well.
#pragma once

#include <array>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/sync/wait.h"
#include "vfs/inode.h"

namespace starry {

class NetlinkSocket;
class ThreadGroup;

inline constexpr unsigned MQ_PRIORITY_MAX = 32768;

struct MqAttr {  // struct mq_attr
  int64_t flags = 0, maxmsg = 10, msgsize = 8192, curmsgs = 0;
  int64_t reserved[4] = {};
};

struct MqMessage {
  unsigned priority = 0;
  std::vector<uint8_t> data;
};

// The queue itself.
class MqInode final : public Inode {
 public:
  MqInode(Ref<SuperBlock> sb, const NewInode& what, const MqAttr& a, uint64_t bytes);
  ~MqInode() override;

  Result<Ref<File>> open(const Path& where, int flags) override;
  Result<void> setattr(const SetAttr& a) override;
  bool revalidate() override { return attr.nlink != 0; }

  // ETIMEDOUT, ERESTARTSYS; EAGAIN if `nonblock` and it would wait.
  Result<void> send(Task& t, MqMessage m, Deadline deadline, bool nonblock);
  Result<MqMessage> receive(Task& t, Deadline deadline, bool nonblock);
  // mq_notify(2): null takes the caller's own registration back. EBUSY.
  Result<void> notify(Task& t, const GuestSigevent* event, Ref<NetlinkSocket> socket,
                      const std::array<uint8_t, 32>& cookie);
  void forget_notification(const Task& t);  // the registered process closes a descriptor of the queue
  int64_t size() const { return count_; }
  std::string status() const;  // what read(2) gives
  uint32_t poll() const;

  const MqAttr limits;
  WaitQueue pollers;

 private:
  struct Waiter {
    int rank;  // real-time priority: higher ones first, else in the order of arrival
    MqMessage message;
    bool done = false;
    WaitQueue queue;
  };
  struct Notification {
    Ref<ThreadGroup> owner;
    GuestSigevent event;
    uint32_t owner_uid;
    Ref<NetlinkSocket> socket;
    std::array<uint8_t, 32> cookie;
  };
  using Waiters = std::list<Waiter*>;
  static void enqueue(Waiters& list, Waiter& w);
  static Waiter* take_first(Waiters& list);
  static Result<void> wait_for_turn(Waiters& list, Waiter& w, Deadline deadline);
  void insert(MqMessage m);
  void tell_owner(Task& sender);

  // By descending priority; equal ones in the order of sending.
  std::map<unsigned, std::list<MqMessage>, std::greater<>> messages_;
  int64_t count_ = 0, bytes_queued_ = 0;
  Waiters senders_, receivers_;
  std::optional<Notification> notification_;
  const uint64_t accounted_;  // against RLIMIT_MSGQUEUE
  const uint32_t creator_;
};

class MqFile final : public File {
 public:
  MqFile(Ref<MqInode> q, int flags) : File(flags), queue(std::move(q)) {}
  Result<size_t> read(IoVec& to, int64_t* pos, int flags) override;
  bool can_write() const override { return false; }
  Result<Kstat> stat() override { return queue->stat(); }
  Result<int64_t> seek(int64_t offset, int whence) override;
  uint32_t poll() override { return queue->poll(); }
  WaitQueue* poll_queue() override { return &queue->pollers; }
  Result<void> flush(Task& t) override;

  const Ref<MqInode> queue;
};

void mqueue_init();  // registers "mqueue"
// mq_open(2) without the descriptor; `attr` null: the defaults. ENOENT, EEXIST, EACCES, EINVAL, ENOSPC,
// EMFILE (RLIMIT_MSGQUEUE), ENAMETOOLONG.
Result<Ref<File>> mq_open(Task& t, const std::string& name, int oflag, uint32_t mode, const MqAttr* attr);
Result<void> mq_unlink(Task& t, const std::string& name);

}  // namespace starry
