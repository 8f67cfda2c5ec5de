#include "emulated_kernel/ipc/shm.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>

#include "emulated_kernel/fd/anon_inode.h"
#include "emulated_kernel/ipc/ipc_namespace.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/task/task.h"
#include "vfs/procfs/generators.h"
#include "vfs/tmpfs/tmpfs.h"

namespace starry {

namespace {

constexpr uint64_t SHM_SIZE_MAX = ~0ULL - (1ULL << 24);  // kernel.shmmax
constexpr uint64_t SHMEM_DEV = 1;  // st_dev of the kernel's own tmpfs, as in /proc/PID/maps

}  // namespace

uint64_t ShmSegment::nattch() const {
  uint64_t n = 0;
  for (const ShmAttachment* a : attachments) n += a->ref_count();
  return n;
}

ShmAttachment::ShmAttachment(Ref<ShmSegment> s, int flags)
    : File(flags), segment(std::move(s)), ns_(current_ipc_ns()) {
  path = segment->data->path;
  segment->attachments.push_back(this);
}

ShmAttachment::~ShmAttachment() {
  std::erase(segment->attachments, this);
  segment->dtime = ipc_time();
  if (in_task()) segment->lpid = current().tgid();
  if ((segment->mode & SHM_DEST) != 0 && segment->attachments.empty()) ns_->shm.remove(*segment);
}

Result<Kstat> ShmAttachment::stat() {
  Kstat st = TRY(segment->data->stat());
  st.dev = SHMEM_DEV;
  st.ino = static_cast<uint64_t>(segment->id);
  return st;
}

Result<int> shm_get(Task& t, int key, size_t size, int flags) {
  return shm_table().get(
      t, key, flags,
      [&](const ShmSegment& s) -> Result<void> {
        if (s.size < size) return Error{EINVAL};
        return {};
      },
      [&]() -> Result<Ref<ShmSegment>> {
        if (size == 0 || size > SHM_SIZE_MAX) return Error{EINVAL};
        if ((flags & SHM_HUGETLB) != 0) return Error{EPERM};  // no huge pages, and nobody may use them
        if (size > GUEST_TASK_SIZE) return Error{ENOMEM};
        Ref<ShmSegment> s = make_ref<ShmSegment>();
        s->size = size;
        s->cpid = t.tgid();
        s->ctime = ipc_time();
        s->data = TRY(make_shmem(fmt::format("/SYSV{:08x} (deleted)", static_cast<unsigned>(key)),
                                 t.cred->fsuid, t.cred->fsgid));
        TRY(s->data->truncate(static_cast<int64_t>((size + PAGE - 1) & ~(PAGE - 1))));
        return s;
      });
}

Result<uint64_t> shm_attach(Task& t, int id, uint64_t addr, int flags) {
  int map_flags = MAP_SHARED;
  if (id < 0) return Error{EINVAL};
  if (addr != 0) {
    if ((addr & (PAGE - 1)) != 0) {
      if ((flags & SHM_RND) == 0) return Error{EINVAL};
      addr &= ~(PAGE - 1);
      if (addr == 0 && (flags & SHM_REMAP) != 0) return Error{EINVAL};
    }
    map_flags |= (flags & SHM_REMAP) != 0 ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  } else if ((flags & SHM_REMAP) != 0) {
    return Error{EINVAL};
  }
  int prot = PROT_READ;
  uint32_t want = IPC_READ;
  if ((flags & SHM_RDONLY) == 0) prot |= PROT_WRITE, want |= IPC_WRITE;
  if ((flags & SHM_EXEC) != 0) prot |= PROT_EXEC, want |= 0111;
  Ref<ShmSegment> s = TRY(shm_table().find(id));
  TRY(ipc_permission(t, *s, want));
  if (addr != 0 && addr + s->size < addr) return Error{EINVAL};
  auto file = make_ref<ShmAttachment>(s, (flags & SHM_RDONLY) != 0 ? O_RDONLY : O_RDWR);
  const int64_t old_dtime = s->dtime;
  const int old_lpid = s->lpid;
  auto at = t.mm->mmap(*t.host, addr, s->size, prot, map_flags, file, 0);
  if (!at) {
    file.reset();
    s->dtime = old_dtime, s->lpid = old_lpid;  // an attachment that never was
    return Error{at.code() == EEXIST ? EINVAL : at.code()};
  }
  s->atime = ipc_time();
  s->lpid = t.tgid();
  return at;
}

// shmdt(2): what is left of the attachment that began at `addr`, which munmap and mremap may have cut up.
Result<void> shm_detach(Task& t, uint64_t addr) {
  if ((addr & (PAGE - 1)) != 0) return Error{EINVAL};
  Ref<File> file;
  std::vector<std::pair<uint64_t, uint64_t>> parts;
  uint64_t limit = 0;
  for (const auto& [start, v] : t.mm->vmas()) {
    auto* a = start < addr ? nullptr : dynamic_cast<ShmAttachment*>(v.file.get());
    if (a == nullptr || start - addr != v.offset) continue;
    if (!file) {
      file = v.file;
      limit = addr + ((a->segment->size + PAGE - 1) & ~(PAGE - 1));
    }
    if (v.file == file && v.end <= limit) parts.emplace_back(start, v.end);
  }
  if (!file) return Error{EINVAL};
  auto& s = *static_cast<ShmAttachment&>(*file).segment;
  for (auto [start, end] : parts) TRY(t.mm->munmap(*t.host, start, end - start));
  s.dtime = ipc_time();
  s.lpid = t.tgid();
  return {};
}

void shm_opened(const Ref<File>& file) {
  auto* a = dynamic_cast<ShmAttachment*>(file.get());
  if (a == nullptr) return;
  a->segment->atime = ipc_time();
  if (in_task()) a->segment->lpid = current().tgid();
}

void shm_closed(const Ref<File>& file) {
  auto* a = dynamic_cast<ShmAttachment*>(file.get());
  if (a == nullptr) return;
  a->segment->dtime = ipc_time();
  if (in_task()) a->segment->lpid = current().tgid();
}

Result<void> shm_remap(Task& t, const Ref<File>& file, uint64_t addr, uint64_t len) {
  auto* a = dynamic_cast<ShmAttachment*>(file.get());
  if (a == nullptr || (a->segment->mode & SHM_DEST) == 0) return {};
  TRY(t.mm->munmap(*t.host, addr, len));
  if (a->segment->nattch() == 1) return Error{EINVAL};  // the caller's reference is what is left
  return {};
}

void shm_destroy(ShmSegment& s) {
  if (s.attachments.empty()) return shm_table().remove(s);
  s.mode |= SHM_DEST;
  s.key = IPC_PRIVATE;  // nobody finds it any more
}

std::string proc::sysvipc_shm() {
  std::string out =
      "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      "
      "atime      dtime      "
      "ctime                   rss                  swap\n";
  const UserNamespace& ids = *current().cred->user_ns;
  for (const auto& [index, s] : shm_table().by_index()) {
    auto st = s->data->stat();
    out += fmt::format(
        "{:10} {:10}  {:4o} {:21} {:5} {:5}  {:5} {:5} {:5} {:5} {:5} {:10} {:10} {:10} {:21} {:21}\n",
        s->key, s->id, s->mode, s->size, PidView::number(s->cpid), PidView::number(s->lpid), s->nattch(),
        ids.uid(s->uid), ids.gid(s->gid), ids.uid(s->cuid), ids.gid(s->cgid), s->atime, s->dtime, s->ctime,
        st.ok() ? st->blocks * 512 : 0, 0);
  }
  return out;
}

}  // namespace starry
