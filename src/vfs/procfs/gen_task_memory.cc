// What a process's memory looks like: /proc/PID/maps, smaps, numa_maps, cmdline, environ, auxv.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/task.h"
#include "vfs/procfs/generators.h"
#include "vfs/procfs/memory_summary.h"
#include "vfs/vfs.h"

namespace starry::proc {

namespace {

uint64_t size_kb(const Vma& v) { return (v.end - v.start) / 1024; }
bool is_stack(const Vma& v) { return v.name == "[stack]" || (v.flags & MAP_GROWSDOWN) != 0; }

std::string map_name(const Vma& v) {
  // Of private mappings of /dev/zero only the inode is left.
  if (!v.file) return v.name.empty() && v.ino != 0 ? "/dev/zero" : v.name;
  std::string name = vfs_file_name(current(), *v.file);
  // As seq_file_path() has it: only newlines are escaped.
  for (size_t at = name.find('\n'); at != name.npos; at = name.find('\n', at)) name.replace(at, 1, "\\012");
  return name;
}

std::string map_line(const Vma& v) {
  std::string s = fmt::format("{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ", v.start, v.end,
                              (v.prot & PROT_READ) != 0 ? 'r' : '-', (v.prot & PROT_WRITE) != 0 ? 'w' : '-',
                              (v.prot & PROT_EXEC) != 0 ? 'x' : '-', v.shared() ? 's' : 'p',
                              v.ino != 0 ? v.offset : 0, major(v.dev), minor(v.dev), v.ino);
  const std::string name = map_name(v);
  if (!name.empty()) {
    constexpr size_t NAME_COLUMN = 73;
    if (s.size() < NAME_COLUMN) s.resize(NAME_COLUMN, ' ');
    s += name;
  }
  return s + '\n';
}

// Two-letter codes of proc(5), as far as the memory map knows them.
std::string vm_flags(const Vma& v) {
  std::string s;
  const auto flag = [&s](bool on, const char* code) {
    if (on) s += std::string(code) + ' ';
  };
  flag((v.prot & PROT_READ) != 0, "rd");
  flag((v.prot & PROT_WRITE) != 0, "wr");
  flag((v.prot & PROT_EXEC) != 0, "ex");
  flag(v.shared(), "sh");
  flag(true, "mr");
  flag(!v.shared() || (v.file && v.file->writable()) || !v.file, "mw");
  flag(true, "me");
  flag(v.shared(), "ms");
  flag(is_stack(v), "gd");
  const auto hint = [&](VmHint h, const char* code) { flag((v.hints & h) != 0, code); };
  flag(v.locked(), "lo");
  hint(HINT_SEQUENTIAL, "sr");
  hint(HINT_RANDOM, "rr");
  flag(v.dont_fork, "dc");
  flag(v.mlock == MemoryLock::on_fault, "lf");
  flag(!v.shared() && (v.prot & PROT_WRITE) != 0, "ac");
  flag((v.flags & MAP_NORESERVE) != 0, "nr");
  flag(v.wipe_on_fork, "wf");
  hint(HINT_DONT_DUMP, "dd");
  hint(HINT_HUGEPAGE, "hg");
  hint(HINT_NO_HUGEPAGE, "nh");
  hint(HINT_MERGEABLE, "mg");
  return s;
}

// The counters of one smaps entry (or of their sum), kB.
struct Counters {
  uint64_t resident = 0, shared_clean = 0, private_clean = 0, private_dirty = 0, anonymous = 0, locked = 0;
  uint64_t shmem = 0;
  void add(const Residency& residency, const Vma& v) {
    const Residency::Pages pages = residency.of(v);
    const uint64_t kb = pages.all * 4;
    resident += kb;
    anonymous += pages.anonymous * 4;
    if (!v.file && v.shared()) shmem += kb;
    private_dirty += pages.anonymous * 4;
    if (!v.file && v.shared())
      private_dirty += kb;
    else
      (v.shared() ? shared_clean : private_clean) += kb - pages.anonymous * 4;
    if (v.locked()) locked += kb;
  }
  // `rollup`: for all of the process, with three lines more.
  std::string text(bool rollup) const {
    std::string s;
    const auto row = [&s](std::string_view name, uint64_t kb) {
      s += fmt::format("{:<15} {:8} kB\n", std::string(name) + ":", kb);
    };
    row("Rss", resident);
    row("Pss", resident);
    row("Pss_Dirty", private_dirty);
    if (rollup) {
      row("Pss_Anon", anonymous);
      row("Pss_File", resident - anonymous - shmem);
      row("Pss_Shmem", shmem);
    }
    row("Shared_Clean", shared_clean);
    row("Shared_Dirty", 0);
    row("Private_Clean", private_clean);
    row("Private_Dirty", private_dirty);
    row("Referenced", resident);
    row("Anonymous", anonymous);
    for (const char* none : {"LazyFree", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb",
                             "Private_Hugetlb", "Swap", "SwapPss"})
      row(none, 0);
    row("Locked", locked);
    return s;
  }
};

// Bytes of the process's memory, as far as they can be read.
std::string read_range(const Mm& mm, uint64_t start, uint64_t end) {
  constexpr uint64_t LIMIT = 8 << 20;  // more than execve(2) lets arguments take
  if (end <= start) return {};
  std::string bytes(std::min(end - start, LIMIT), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const Result<size_t> got = mm.space->peek(start + done, bytes.data() + done, bytes.size() - done);
    if (!got.ok() || got.value() == 0) break;
    done += got.value();
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

MemorySummary summarize(const Mm& mm) {
  MemorySummary m;
  uint64_t file = 0, shmem = 0;
  const Vma* program = mm.find(mm.code_start);
  for (const auto& [start, v] : mm.vmas()) {
    const uint64_t kb = size_kb(v);
    m.total += kb;
    if (v.locked()) m.locked += kb;
    if (v.file)
      file += kb;
    else if (v.shared())
      shmem += kb;
    if (is_stack(v))
      m.stack += kb;
    else if (!v.shared() && (v.prot & PROT_WRITE) != 0)
      m.data += kb;
    if (v.file && (v.prot & PROT_EXEC) != 0 && (v.prot & PROT_WRITE) == 0) {
      if (program != nullptr && program->file == v.file)
        m.exe += kb;
      else
        m.lib += kb;
    }
  }
  m.peak = std::max(mm.peak_pages * 4, m.total);
  m.resident = resident_pages(mm) * 4;
  m.resident_file = std::min(m.resident, file);
  m.resident_shmem = std::min(m.resident - m.resident_file, shmem);
  m.resident_anon = m.resident - m.resident_file - m.resident_shmem;
  // One page of table for 512 pages, and the upper levels.
  m.page_tables = (m.total / 4 / 512 + 1) * 4 + 12;
  return m;
}

Residency::Pages Residency::of(const Vma& v) const {
  constexpr uint64_t PRESENT = 1ULL << 63, FILE_OR_SHARED = 1ULL << 61;  // pagemap of proc(5)
  Pages pages;
  std::vector<uint64_t> entries(std::min<uint64_t>((v.end - v.start) / 4096, 4096));
  for (uint64_t at = v.start; at < v.end && mm_.space;) {
    const size_t wanted = std::min<uint64_t>(entries.size(), (v.end - at) / 4096);
    const size_t n = platform().page_map(*mm_.space, at, std::span(entries).first(wanted));
    if (n == 0) break;
    for (const uint64_t e : std::span(entries).first(n)) {
      if ((e & PRESENT) == 0) continue;
      ++pages.all;
      if ((e & FILE_OR_SHARED) == 0 && !v.shared()) ++pages.anonymous;
    }
    at += n * 4096;
  }
  return pages;
}

std::string task_maps(Task& t) {
  std::string s;
  if (!t.mm) return s;
  for (const auto& [start, v] : t.mm->vmas()) s += map_line(v);
  return s;
}

std::string task_smaps(Task& t) {
  std::string s;
  if (!t.mm) return s;
  const Residency residency(*t.mm);
  for (const auto& [start, v] : t.mm->vmas()) {
    Counters counters;
    counters.add(residency, v);
    s += map_line(v);
    s += fmt::format("Size:           {:8} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
                     size_kb(v));
    s += counters.text(false);
    s += fmt::format("THPeligible:    {:8}\nVmFlags: {}\n", 0, vm_flags(v));
  }
  return s;
}

std::string task_smaps_rollup(Task& t) {
  if (!t.mm || t.mm->vmas().empty()) return {};
  const Residency residency(*t.mm);
  Counters sum;
  for (const auto& [start, v] : t.mm->vmas()) sum.add(residency, v);
  const uint64_t first = t.mm->vmas().begin()->second.start, last = t.mm->vmas().rbegin()->second.end;
  std::string head = fmt::format("{:08x}-{:08x} ---p 00000000 00:00 0 ", first, last);
  head.resize(73, ' ');
  return head + "[rollup]\n" + sum.text(true);
}

// mpol_to_str(): the mode, its flags, the nodes.
std::string policy_text(const Vma& v) {
  static constexpr const char* MODES[] = {"default",    "prefer", "bind",
                                          "interleave", "local",  "prefer (many)"};
  constexpr int MODE_FLAGS = 0xe000, STATIC_NODES = 0x8000, RELATIVE_NODES = 0x4000;
  std::string s = MODES[v.mempolicy & ~MODE_FLAGS];
  if ((v.mempolicy & STATIC_NODES) != 0) s += "=static";
  if ((v.mempolicy & RELATIVE_NODES) != 0) s += "=relative";
  if (v.on_node0) s += ":0";
  return s;
}

std::string task_numa_maps(Task& t) {
  std::string s;
  if (!t.mm) return s;
  const Residency residency(*t.mm);
  for (const auto& [start, v] : t.mm->vmas()) {
    s += fmt::format("{:x} {}", v.start, policy_text(v));
    if (v.file)
      s += " file=" + map_name(v);
    else if (v.name == "[heap]")
      s += " heap";
    else if (is_stack(v))
      s += " stack";
    if (const uint64_t pages = residency.of(v).all; pages != 0) {
      const char* kind = v.file ? "mapped" : "anon";
      s += fmt::format(" {}={} N0={} kernelpagesize_kB=4", kind, pages, pages);
    }
    s += '\n';
  }
  return s;
}

// A program may have written over its arguments (setproctitle(3)): without a NUL at the end of the
// area the text goes on into the environment, up to its first NUL.
std::string task_cmdline(Task& t) {
  if (!t.mm || t.mm->arg_end <= t.mm->arg_start) return {};
  const Mm& mm = *t.mm;
  std::string text = read_range(mm, mm.arg_start, mm.arg_end);
  if (text.empty()) return t.group->cmdline_at_exec;
  if (text.back() == '\0') return text;
  text += read_range(mm, mm.arg_end, mm.env_end);
  return text.substr(0, text.find('\0'));
}

std::string task_environ(Task& t) {
  return t.mm ? read_range(*t.mm, t.mm->env_start, t.mm->env_end) : std::string();
}

std::string task_auxv(Task& t) {
  return t.mm ? std::string(t.mm->auxv.begin(), t.mm->auxv.end()) : std::string();
}

}  // namespace starry::proc
