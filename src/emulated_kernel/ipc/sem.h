// System V semaphores (semget(2), semop(2)): sets whose operations are done all at once or not at all, in
// the order of their arrival, and undone when a process ends (SEM_UNDO).
#pragma once

#include <list>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/ipc/ipc_perm.h"
#include "emulated_kernel/sync/wait.h"

namespace starry {

class SemUndoList;

class SemSet final : public IpcObject {
 public:
  static constexpr int VALUE_MAX = 32767;  // SEMVMX, SEMAEM

  struct Sem {
    int value = 0;
    int pid = 0;  // of the last process that changed it
  };
  // One semop(2) that cannot be done yet; lives on its caller's stack.
  struct Waiter {
    std::span<const GuestSembuf> ops;
    SemUndoList* undo;
    int pid;
    const GuestSembuf* blocking = nullptr;  // the operation that holds it up
    bool done = false;
    int error = 0;
    WaitQueue queue;
  };

  explicit SemSet(size_t n) : sems(n) {}

  // Tries all of `ops`: 0 done, EAGAIN would block (blocking tells where), ERANGE.
  int try_ops(Waiter& w);
  // After a change: does every waiting operation that can be done now, first come first served.
  void run_waiters();
  void wake_all_with(int error);
  int count_waiting(size_t num, bool for_zero) const;
  // SETVAL and SETALL forget what processes would undo. num < 0: of all semaphores.
  void clear_undo(int num);

  std::vector<Sem> sems;
  std::list<Waiter*> waiters;
  std::vector<SemUndoList*> undoers;
  int64_t otime = 0, ctime = 0;
};

// What one process (or several that share it, CLONE_SYSVSEM) will add to semaphores when it ends.
class SemUndoList {
 public:
  ~SemUndoList();
  // The adjustments of one set, made on first use.
  std::vector<int16_t>& of(SemSet& s);
  void forget(const SemSet& s) { adjust_.erase(const_cast<SemSet*>(&s)); }
  void apply(int pid);

 private:
  std::map<SemSet*, std::vector<int16_t>> adjust_;  // only of sets that are not removed
};

inline constexpr int SEM_SETS_MAX = 32000;  // fourth of kernel.sem
IpcTable<SemSet>& sem_table();              // of the running task's namespace, as the other two
int sem_total();                            // semaphores in all sets
Result<int> sem_get(Task& t, int key, int nsems, int flags);
// semtimedop(2) with arguments already read. EAGAIN on timeout.
Result<void> sem_operate(Task& t, int id, std::span<const GuestSembuf> ops, Deadline deadline);
void sem_destroy(SemSet& s);
// Exit, or unshare(CLONE_SYSVSEM): the last holder of the list has it applied.
void sem_exit(Task& t);

}  // namespace starry
