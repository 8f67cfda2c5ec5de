// System V message queues (msgget(2), msgop(2)).
#pragma once

#include <deque>
#include <list>
#include <vector>

#include "emulated_kernel/ipc/ipc_perm.h"
#include "emulated_kernel/sync/wait.h"

namespace starry {

inline constexpr size_t MSG_SIZE_MAX = 8192;      // kernel.msgmax
inline constexpr uint64_t MSG_BYTES_MAX = 16384;  // kernel.msgmnb
inline constexpr int MSG_QUEUES_MAX = 32000;      // kernel.msgmni

struct SysvMessage {
  int64_t type = 0;
  std::vector<uint8_t> text;
};

class MsgQueue final : public IpcObject {
 public:
  // One msgrcv(2) that waits; lives on its caller's stack. A sender hands its message over directly, so
  // receivers are served in the order in which they came.
  struct Receiver {
    int64_t type;
    int flags;
    size_t size;
    int pid;
    bool done = false;
    int error = 0;
    SysvMessage message;
    WaitQueue queue;
  };

  uint64_t bytes_max = MSG_BYTES_MAX, bytes = 0;
  int64_t stime = 0, rtime = 0, ctime = 0;
  int lspid = 0, lrpid = 0;
  std::deque<SysvMessage> messages;
  std::list<Receiver*> receivers;
  WaitQueue senders;

  bool has_room(size_t n) const { return bytes + n <= bytes_max && messages.size() + 1 <= bytes_max; }
};

IpcTable<MsgQueue>& msg_table();
Result<int> msg_get(Task& t, int key, int flags);
Result<void> msg_send(Task& t, int id, SysvMessage m, int flags);
// `size`: room of the caller. E2BIG unless MSG_NOERROR, which cuts the message.
Result<SysvMessage> msg_receive(Task& t, int id, size_t size, int64_t type, int flags);
void msg_destroy(MsgQueue& q);

}  // namespace starry
