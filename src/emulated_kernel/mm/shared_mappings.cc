// What all address spaces have mapped of one file.
#include <algorithm>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/task.h"
#include "vfs/vfs.h"

namespace starry {

bool mapped_for_writing(const Inode& inode) {
  bool found = false;
  for_each_group([&](ThreadGroup& g) {
    // Threads share their map, but for the child of a vfork.
    for (const Task* t : g.threads) {
      if (found || !t->mm) continue;
      const auto& maps = t->mm->vmas();
      found = std::any_of(maps.begin(), maps.end(), [&](const auto& entry) {
        const Vma& v = entry.second;
        return v.file && v.shared() && v.may_write && vfs_inode(*v.file) == &inode;
      });
    }
  });
  return found;
}

}  // namespace starry
