#include "emulated_kernel/fd/lease.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>

#include "emulated_kernel/fd/async_owner.h"
#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/fd/locks.h"
#include "emulated_kernel/sync/wait.h"

namespace starry {

namespace {

constexpr uint64_t BREAK_TIME_NS = 45'000'000'000;  // /proc/sys/fs/lease-break-time

// What a holder may keep while somebody reads (writes).
int allowed_beside(bool write) { return write ? F_UNLCK : F_RDLCK; }

// F_RDLCK 0, F_WRLCK 1, F_UNLCK 2: how much a lease excludes.
int strength(int type) { return type == F_WRLCK ? 2 : type == F_RDLCK ? 1 : 0; }

}  // namespace

Result<void> Leases::set(File& f, int type) {
  const void* owner = description_owner(f);
  Lease* own = nullptr;
  for (Lease& l : leases_) {
    if (l.owner == owner)
      own = &l;
    else if (type == F_WRLCK || l.type == F_WRLCK || l.wanted == F_UNLCK)
      return Error{EAGAIN};
  }
  if (own != nullptr) {
    own->type = own->wanted = type;
    changed_.wake_all();
  } else {
    leases_.push_back({owner, &f, type, type});
  }
  return {};
}

// The end of a lease also takes back whom its description tells and how (lease_modify in Linux).
template <class Pred>
size_t Leases::end(Pred&& which) {
  return std::erase_if(leases_, [&](const Lease& l) {
    if (!which(l)) return false;
    AsyncOwner& owner = async_owner(*l.file);
    owner.id = owner.signo = 0;
    return true;
  });
}

Result<void> Leases::remove(const void* owner) {
  if (end([&](const Lease& l) { return l.owner == owner; }) == 0) return Error{EAGAIN};
  changed_.wake_all();
  return {};
}

int Leases::get(const File& f) const {
  for (const Lease& l : leases_)
    if (l.owner == description_owner(f)) return l.wanted;
  return F_UNLCK;
}

bool Leases::conflict(bool write) const {
  return std::any_of(leases_.begin(), leases_.end(),
                     [&](const Lease& l) { return strength(l.type) > strength(allowed_beside(write)); });
}

void Leases::tell_holders(int allowed) {
  for (Lease& l : leases_) {
    if (strength(l.wanted) <= strength(allowed)) continue;  // is all right, or has been told
    l.wanted = allowed;
    async_owner(*l.file).send(POLL_MSG, 0);
  }
}

Result<void> Leases::break_for(int open_flags) {
  const bool write = (open_flags & O_ACCMODE) != O_RDONLY || (open_flags & O_TRUNC) != 0;
  const int allowed = allowed_beside(write);
  const auto granted = [&] {
    tell_holders(allowed);  // also those who took their lease while we slept
    return !conflict(write);
  };
  if (granted()) return {};
  if ((open_flags & O_NONBLOCK) != 0) return Error{EWOULDBLOCK};
  const Result<void> r = wait_event(changed_, Deadline::after(BREAK_TIME_NS), granted, true);
  if (r.code() != ETIMEDOUT) return r;
  for (Lease& l : leases_)
    if (strength(l.type) > strength(allowed)) l.type = allowed;
  end([](const Lease& l) { return l.type == F_UNLCK; });
  changed_.wake_all();
  return {};
}

Result<void> break_leases(FileLocks* locks, int open_flags) {
  if (locks == nullptr || locks->leases.empty()) return {};
  const Ref<FileLocks> keep(locks);
  return locks->leases.break_for(open_flags);
}

}  // namespace starry
