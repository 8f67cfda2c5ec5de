#include "emulated_kernel/fd/fd_table.h"

#include "emulated_kernel/task/task.h"

#include <algorithm>
#include <bit>

#include "emulated_kernel/fd/dnotify.h"
#include "emulated_kernel/fd/inotify.h"
#include "emulated_kernel/fd/locks.h"

namespace starry {

FdTable::~FdTable() {
  for (Slot& s : slots_)
    if (s.file) ends_in_table(*s.file);
}

void FdTable::ends_in_table(File& f) {
  if (const Ref<FileLocks>& locks = f.lock_slot()) locks->drop_records(this);
  if (f.attached.dir_mark && f.attached.dir_mark->owner == this) f.attached.dir_mark.reset();
}

// Room for `fd`, in the sizes that Linux's alloc_fdtable() chooses.
void FdTable::grow_to(int fd) {
  const auto n = static_cast<size_t>(fd);
  if (n < slots_.size()) return;
  constexpr size_t step = 1024 / sizeof(void*);
  slots_.resize(std::bit_ceil(n / step + 1) * step);
}

Result<int> FdTable::install(Ref<File> f, bool cloexec, uint64_t limit, int min) {
  int fd = std::max(min, first_free_hint_);
  while (fd < capacity() && slots_[static_cast<size_t>(fd)].file) ++fd;
  if (static_cast<uint64_t>(fd) >= limit) return Error{EMFILE};
  grow_to(fd);
  slots_[static_cast<size_t>(fd)] = {std::move(f), cloexec};
  if (min <= first_free_hint_) first_free_hint_ = fd + 1;
  return fd;
}

Ref<File> FdTable::install_at(int fd, Ref<File> f, bool cloexec) {
  grow_to(fd);
  Slot& s = slots_[static_cast<size_t>(fd)];
  Ref<File> old = std::move(s.file);
  s = {std::move(f), cloexec};
  if (old) ends_in_table(*old);
  return old;
}

Ref<File> FdTable::remove(int fd) {
  if (static_cast<size_t>(fd) >= slots_.size()) return nullptr;
  Slot& s = slots_[static_cast<size_t>(fd)];
  Ref<File> old = std::move(s.file);
  if (!old) return nullptr;
  s = {};
  first_free_hint_ = std::min(first_free_hint_, fd);
  ends_in_table(*old);
  return old;
}

bool FdTable::cloexec(int fd) const { return get(fd) != nullptr && slots_[static_cast<size_t>(fd)].cloexec; }

void FdTable::set_cloexec(int fd, bool on) {
  if (get(fd) != nullptr) slots_[static_cast<size_t>(fd)].cloexec = on;
}

Ref<FdTable> FdTable::copy() const {
  auto c = make_ref<FdTable>();
  int last = capacity() - 1;
  while (last >= 0 && !slots_[static_cast<size_t>(last)].file) --last;
  if (last >= 0) {
    c->grow_to(last);
    std::copy_n(slots_.begin(), last + 1, c->slots_.begin());
  }
  c->first_free_hint_ = first_free_hint_;
  return c;
}

std::vector<Ref<File>> FdTable::take_cloexec() {
  std::vector<Ref<File>> taken;
  for (int fd = 0; fd < capacity(); ++fd)
    if (slots_[static_cast<size_t>(fd)].cloexec) taken.push_back(remove(fd));
  return taken;
}

std::vector<Ref<File>> FdTable::take_all() {
  std::vector<Ref<File>> taken;
  for (int fd = 0; fd < capacity(); ++fd)
    if (Ref<File> f = remove(fd)) taken.push_back(std::move(f));
  return taken;
}

int FdTable::open_count() const {
  return static_cast<int>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) { return !!s.file; }));
}

Result<Ref<File>> get_file(Task& t, int fd) {
  File* f = t.files->get(fd);
  if (f == nullptr) return Error{EBADF};
  return Ref<File>(f);
}

}  // namespace starry
