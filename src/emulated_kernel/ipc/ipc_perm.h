// What the three kinds of System V IPC objects share (sysvipc(7)): identifiers, keys, permissions.
// Mirrors ipc/util.c of Linux.
#pragma once

#include <sys/ipc.h>

#include <cstdint>
#include <map>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/result.h"

namespace starry {

class Task;

// struct kern_ipc_perm. An object that was removed stays alive as long as somebody sleeps on it.
class IpcObject : public RefCounted {
 public:
  int id = 0;
  int key = 0;
  uint32_t uid = 0, gid = 0, cuid = 0, cgid = 0;
  uint32_t mode = 0;  // permission bits, and flags of the kind (SHM_DEST, SHM_LOCKED)
  uint16_t seq = 0;
  bool removed = false;
};

inline constexpr uint32_t IPC_READ = 0444, IPC_WRITE = 0222;

// Bits of `want` (any of the three groups) against owner, group and others. EACCES.
Result<void> ipc_permission(const Task& t, const IpcObject& o, uint32_t want);
// IPC_SET and IPC_RMID: owner, creator or CAP_SYS_ADMIN. EPERM.
Result<void> ipc_may_control(const Task& t, const IpcObject& o);
void ipc_set_creator(const Task& t, IpcObject& o, int key, int flags);
// ipc_perm as the *ctl calls show and set it.
ipc_perm ipc_show_perm(const IpcObject& o);
Result<void> ipc_apply_perm(IpcObject& o, const ipc_perm& p);  // uid, gid, mode & 0777; EINVAL

// Seconds since the epoch: what otime, ctime and the like hold.
int64_t ipc_time();

// Identifiers of one kind: index + 32768 * sequence number, so that a number is not soon used again.
class IpcIdAllocator {
 public:
  static constexpr int INDEX_BITS = 15;
  static int index_of(int id) { return id & ((1 << INDEX_BITS) - 1); }

 protected:
  // Next index that `used` does not have, cyclic; -1 when `limit` are taken.
  int next_index(int in_use, int limit, bool (*used)(const void*, int), const void* map);
  uint16_t seq_ = 0;
  int last_index_ = -1;
};

// All objects of one kind.
template <class T>
class IpcTable : private IpcIdAllocator {
 public:
  explicit IpcTable(int limit) : limit_(limit) {}
  const std::map<int, Ref<T>>& by_index() const { return objects_; }
  int size() const { return static_cast<int>(objects_.size()); }
  // What IPC_INFO returns: the highest index in use, 0 for none.
  int max_index() const { return objects_.empty() ? 0 : objects_.rbegin()->first; }

  // EINVAL: no such identifier.
  Result<Ref<T>> find(int id) const {
    if (id < 0) return Error{EINVAL};
    auto it = objects_.find(index_of(id));
    if (it == objects_.end() || it->second->id != id) return Error{EINVAL};
    return it->second;
  }
  // By index, as SHM_STAT and its relatives ask.
  Result<Ref<T>> find_index(int index) const {
    auto it = objects_.find(index_of(index));
    if (index < 0 || it == objects_.end()) return Error{EINVAL};
    return it->second;
  }
  // The *get calls. `check` looks at an existing object (size), `make` makes a new one.
  template <class Check, class Make>
  Result<int> get(const Task& t, int key, int flags, Check&& check, Make&& make) {
    if (key != IPC_PRIVATE) {
      for (auto& [index, o] : objects_) {
        if (o->key != key) continue;
        if ((flags & IPC_CREAT) != 0 && (flags & IPC_EXCL) != 0) return Error{EEXIST};
        TRY(check(*o));
        TRY(ipc_permission(t, *o, static_cast<uint32_t>(flags)));
        return o->id;
      }
      if ((flags & IPC_CREAT) == 0) return Error{ENOENT};
    }
    Ref<T> o = TRY(make());
    int index = next_index(
        size(), limit_,
        [](const void* map, int i) { return static_cast<const std::map<int, Ref<T>>*>(map)->contains(i); },
        &objects_);
    if (index < 0) return Error{ENOSPC};
    ipc_set_creator(t, *o, key, flags);
    o->seq = seq_;
    o->id = index + (static_cast<int>(seq_) << INDEX_BITS);
    objects_.emplace(index, o);
    return o->id;
  }
  void remove(T& o) {
    o.removed = true;
    objects_.erase(index_of(o.id));
  }

 private:
  std::map<int, Ref<T>> objects_;
  int limit_;
};

}  // namespace starry
