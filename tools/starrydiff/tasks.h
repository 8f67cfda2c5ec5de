// Who is who while a log is read: thread ids to tasks, and the tree of creation.
#pragma once

#include <unordered_map>

#include "event.h"

namespace starry::diff {

class TaskBook {
 public:
  explicit TaskBook(Log& log) : log_(log) {}
  // The task that has this thread id now; made if there is none.
  uint32_t at(int tid);
  // The thread id may be given to a new task from now on.
  void ended(int tid);
  // An event is complete: looks for clone and its relatives. Call it when the result is known.
  void created_by(const Event& e, std::string_view name);
  // execve by a thread that was not the first: it goes on with the number of the first.
  void superseded(int leader_tid, int by_tid);

 private:
  uint32_t make(int tid);
  Log& log_;
  std::unordered_map<int, uint32_t> now_;
  std::unordered_map<int, bool> ended_;
};

// After reading: children in order of birth, leaders, names.
void finish_tasks(Log& log, const Strings& strings, Strings& names);

}  // namespace starry::diff
