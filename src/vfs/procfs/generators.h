// The functions behind the rows of the tables of procfs, and what they share.
#pragma once

#include <string>
#include <string_view>

#include "emulated_kernel/base/result.h"
#include "vfs/procfs/format.h"

namespace starry {

class Task;

namespace proc {

#define PROC_TEXT(path, perm, show) std::string show();
#define PROC_STORE(path, perm, show, store) \
  std::string show();                       \
  Result<void> store(std::string_view text);
#define PROC_VALUE(path, perm, text)
#define PROC_LINK(path, text)
#define PROC_DIR(path)
#include "vfs/procfs/entries.def"
#include "vfs/procfs/proc_undef.h"

#define TASK_TEXT(name, perm, access, scope, show) std::string show(Task& t);
#define TASK_STORE(name, perm, access, scope, show, store) \
  std::string show(Task& t);                               \
  Result<void> store(Task& t, std::string_view text);
#define TASK_OTHER(name, perm, scope, make)
#include "vfs/procfs/task_entries.def"
#include "vfs/procfs/task_undef.h"

// One letter as in /proc/PID/stat.
char state_letter(const Task& t);

}  // namespace proc
}  // namespace starry
