#include "emulated_kernel/task/core_dump.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/procfs.h>

#include <algorithm>
#include <cstring>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/task/task.h"
#include "vfs/ops.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

constexpr std::string_view FILE_NAME = "core";  // /proc/sys/kernel/core_pattern

using Bytes = std::vector<uint8_t>;

void append(Bytes& to, const void* data, size_t n) {
  const auto* p = static_cast<const uint8_t*>(data);
  to.insert(to.end(), p, p + n);
}

void add_note(Bytes& notes, const char* owner, uint32_t type, const void* data, size_t n) {
  const Elf64_Nhdr head{static_cast<Elf64_Word>(std::strlen(owner) + 1), static_cast<Elf64_Word>(n), type};
  const auto pad = [&notes] { notes.resize((notes.size() + 3) & ~size_t{3}); };
  append(notes, &head, sizeof head);
  append(notes, owner, head.n_namesz);
  pad();
  append(notes, data, n);
  pad();
}

void add_thread(Bytes& notes, Task& x, int signo) {
  const ThreadGroup& g = *x.group;
  elf_prstatus s{};
  s.pr_info.si_signo = s.pr_cursig = static_cast<int16_t>(signo);
  s.pr_sigpend = x.sig.pending.bits, s.pr_sighold = x.sig.blocked;
  s.pr_pid = x.own_tid, s.pr_ppid = x.shown_pid(g.parent->tgid), s.pr_pgrp = x.shown_pid(g.pgid);
  s.pr_sid = g.session ? g.session->sid : 0;
  s.pr_utime = to_timeval(x.utime_ns), s.pr_stime = to_timeval(x.stime_ns);
  const UserRegs regs = user_regs(x, -1);
  static_assert(sizeof regs == sizeof s.pr_reg);
  std::memcpy(&s.pr_reg, regs.data(), sizeof regs);
  auto fp = ptrace_fp().get ? ptrace_fp().get(x) : Result<Bytes>(Error{EIO});
  s.pr_fpvalid = fp.ok();
  add_note(notes, "CORE", NT_PRSTATUS, &s, sizeof s);
  if (!fp.ok()) return;
  add_note(notes, "CORE", NT_FPREGSET, fp->data(), sizeof(elf_fpregset_t));
  add_note(notes, "LINUX", NT_X86_XSTATE, fp->data(), fp->size());
}

void add_process(Bytes& notes, Task& t) {
  const ThreadGroup& g = *t.group;
  elf_prpsinfo p{};
  p.pr_sname = 'R';
  p.pr_nice = static_cast<char>(t.se.nice);
  p.pr_uid = t.cred->user_ns->uid(t.cred->uid), p.pr_gid = t.cred->user_ns->gid(t.cred->gid);
  p.pr_pid = g.tgid, p.pr_ppid = g.parent->tgid, p.pr_pgrp = g.pgid;
  p.pr_sid = g.session ? g.session->sid : 0;
  std::memcpy(p.pr_fname, t.comm.data(), sizeof p.pr_fname);
  std::string args = g.cmdline_at_exec;
  std::replace(args.begin(), args.end(), '\0', ' ');
  args.copy(p.pr_psargs, sizeof p.pr_psargs - 1);
  add_note(notes, "CORE", NT_PRPSINFO, &p, sizeof p);
}

// Which file is mapped where: count, page size, (start, end, page of the file) each, then the names.
void add_files(Bytes& notes, const Mm& mm) {
  std::vector<uint64_t> head{0, PAGE};
  std::string names;
  for (const auto& [start, v] : mm.vmas()) {
    if (!v.file || v.name.empty()) continue;
    head[0]++;
    head.insert(head.end(), {v.start, v.end, v.offset / PAGE});
    names.append(v.name.c_str(), v.name.size() + 1);
  }
  Bytes all;
  append(all, head.data(), head.size() * sizeof(uint64_t));
  append(all, names.data(), names.size());
  add_note(notes, "CORE", NT_FILE, all.data(), all.size());
}

// How much of a mapping goes into the file, from its start: coredump_filter 0x33 of core(5), with "may be
// written" for "has private pages".
uint64_t dump_size(const Mm& mm, const Vma& v) {
  if (v.name == "[vvar]" || (v.hints & HINT_DONT_DUMP) != 0) return 0;
  if (!v.file || v.name == "[vdso]") return v.end - v.start;
  if (v.shared()) return v.name.ends_with(" (deleted)") ? v.end - v.start : 0;
  if ((v.prot & PROT_WRITE) != 0) return v.end - v.start;
  uint8_t magic[SELFMAG] = {};
  const auto n = mm.space->peek(v.start, magic, sizeof magic);
  const bool elf = v.offset == 0 && n.ok() && std::memcmp(magic, ELFMAG, SELFMAG) == 0;
  return elf ? PAGE : 0;
}

// Writes in order, leaves holes for pages of zeros, and stops at RLIMIT_CORE.
class Writer {
 public:
  Writer(File& f, uint64_t limit) : file_(f), limit_(limit) {}
  bool put(const void* data, size_t n) {
    if (n > limit_ - std::min(limit_, static_cast<uint64_t>(pos_))) return false;
    IoVec from = IoVec::kernel(const_cast<void*>(data), n);
    auto done = file_.write(from, &pos_, 0);
    return done.ok() && *done == n;
  }
  bool skip(size_t n) {
    if (n > limit_ - std::min(limit_, static_cast<uint64_t>(pos_))) return false;
    pos_ += static_cast<int64_t>(n);
    return true;
  }
  bool pad_to_page() { return skip(page_up(static_cast<uint64_t>(pos_)) - static_cast<uint64_t>(pos_)); }
  void finish() { (void)file_.truncate(pos_); }

 private:
  File& file_;
  const uint64_t limit_;
  int64_t pos_ = 0;
};

bool put_memory(Writer& out, const Mm& mm, uint64_t at, uint64_t end) {
  constexpr uint64_t CHUNK = 64 * PAGE;
  Bytes chunk(CHUNK);
  for (; at < end; at += CHUNK) {
    const uint64_t want = std::min(CHUNK, end - at);
    std::fill(chunk.begin(), chunk.end(), 0);
    (void)mm.space->peek(at, chunk.data(), want);  // pages that cannot be read (PROT_NONE) are zeros
    const bool empty = std::all_of(chunk.begin(), chunk.end(), [](uint8_t b) { return b == 0; });
    if (empty ? !out.skip(want) : !out.put(chunk.data(), want)) return false;
  }
  return true;
}

void write_core(Writer& out, Task& t, const SigInfo& info) {
  const Ref<Mm> mm = t.mm;
  Bytes notes;
  add_thread(notes, t, info.signo);  // the one that debuggers look at first
  add_process(notes, t);
  add_note(notes, "CORE", NT_SIGINFO, &info, sizeof info);
  add_note(notes, "CORE", NT_AUXV, mm->auxv.data(), mm->auxv.size());
  add_files(notes, *mm);
  for (Task* x : std::vector<Task*>(t.group->threads))
    if (x != &t && x->host && !x->exiting) add_thread(notes, *x, info.signo);

  std::vector<Elf64_Phdr> segments;
  const size_t count = 1 + mm->vmas().size();
  uint64_t at = sizeof(Elf64_Ehdr) + count * sizeof(Elf64_Phdr);
  segments.push_back({.p_type = PT_NOTE, .p_offset = at, .p_filesz = notes.size(), .p_align = 4});
  at = page_up(at + notes.size());
  for (const auto& [start, v] : mm->vmas()) {
    const uint64_t size = dump_size(*mm, v);
    const auto flags = static_cast<Elf64_Word>(((v.prot & PROT_READ) != 0 ? PF_R : 0) |
                                               ((v.prot & PROT_WRITE) != 0 ? PF_W : 0) |
                                               ((v.prot & PROT_EXEC) != 0 ? PF_X : 0));
    segments.push_back({.p_type = PT_LOAD,
                        .p_flags = flags,
                        .p_offset = at,
                        .p_vaddr = v.start,
                        .p_filesz = size,
                        .p_memsz = v.end - v.start,
                        .p_align = PAGE});
    at += size;
  }
  Elf64_Ehdr head{};
  std::memcpy(head.e_ident, ELFMAG, SELFMAG);
  head.e_ident[EI_CLASS] = ELFCLASS64, head.e_ident[EI_DATA] = ELFDATA2LSB,
  head.e_ident[EI_VERSION] = EV_CURRENT;
  head.e_type = ET_CORE, head.e_machine = EM_X86_64, head.e_version = EV_CURRENT;
  head.e_phoff = head.e_ehsize = sizeof head;
  head.e_phentsize = sizeof(Elf64_Phdr), head.e_phnum = static_cast<Elf64_Half>(count);
  bool room = out.put(&head, sizeof head) && out.put(segments.data(), segments.size() * sizeof(Elf64_Phdr)) &&
              out.put(notes.data(), notes.size()) && out.pad_to_page();
  for (size_t i = 1; i < segments.size() && room; ++i)
    room = put_memory(out, *mm, segments[i].p_vaddr, segments[i].p_vaddr + segments[i].p_filesz);
  out.finish();
}

}  // namespace

bool core_dump(Task& t, const SigInfo& info) {
  constexpr size_t MAX_SEGMENTS = 0xfffe;  // e_phnum
  const uint64_t limit = t.rlimit(RLIMIT_CORE);
  if (limit < PAGE || !t.group->dumpable || !t.mm || t.group->exiting || t.mm->vmas().size() >= MAX_SEGMENTS)
    return false;
  // Always a new file: what has the name now is somebody else's, or has other names, or leads elsewhere.
  auto dir = vfs_start(t, AT_FDCWD, FILE_NAME);
  if (!dir) return false;
  (void)unlink_at(Caller(t), *dir, FILE_NAME);  // there may be none
  auto file = vfs_open(t, AT_FDCWD, FILE_NAME, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0600);
  if (!file) return false;
  Writer out(**file, limit);
  write_core(out, t, info);
  return true;
}

}  // namespace starry
