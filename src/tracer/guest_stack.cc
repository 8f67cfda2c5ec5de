// Unwinding is libunwind's, over its interface for remote processes (libunwind-dynamic(3),
// unw_create_addr_space(3)); finding tables and names in what the guest has mapped is ours.
#include "tracer/guest_stack.h"

#include <fmt/format.h>
#include <libunwind.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>

#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/platform_files.h"
#include "tracer/fault_guard.h"
#include "tracer/guest_elf.h"

// Exported by libunwind for programs like this one, declared in no header.
extern "C" int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t, unw_word_t ip, unw_dyn_info_t*,
                                                  unw_proc_info_t*, int need_unwind_info, void*);

namespace starry {
namespace {

constexpr size_t MAX_DEPTH = 64;
// The guest writes its own unwind programs, which may loop: whoever reads this often gets an error.
constexpr int MAX_READS = 1 << 17;
constexpr size_t MAX_PAGES = 512;

// Pages of a guest's memory, each fetched once.
class GuestPages {
 public:
  explicit GuestPages(HostSpace& space) : space_(space) {}

  size_t read(uint64_t addr, void* dst, size_t n) {
    size_t done = 0;
    while (done < n) {
      const uint64_t at = addr + done, in_page = at % PAGE;
      const Page* page = get(at - in_page);
      if (page == nullptr) break;
      const size_t part = std::min<size_t>(n - done, PAGE - in_page);
      memcpy(static_cast<uint8_t*>(dst) + done, page->data() + in_page, part);
      done += part;
    }
    return done;
  }
  template <class T>
  bool get(uint64_t addr, T* out) {
    return ++reads_ < MAX_READS && read(addr, out, sizeof *out) == sizeof *out;
  }

 private:
  using Page = std::array<uint8_t, PAGE>;

  const Page* get(uint64_t addr) {
    auto it = pages_.find(addr);
    if (it == pages_.end()) {
      if (pages_.size() >= MAX_PAGES) return nullptr;
      auto page = std::make_unique<Page>();
      const Result<size_t> r = space_.peek(addr, page->data(), PAGE);
      if (!r || r.value() != PAGE) page.reset();
      it = pages_.emplace(addr, std::move(page)).first;
    }
    return it->second.get();
  }

  HostSpace& space_;
  std::map<uint64_t, std::unique_ptr<Page>> pages_;  // null: not readable
  int reads_ = 0;
};

// An executable mapping, and the ELF file behind it.
struct Module {
  Vma vma;  // a copy: the map may change while its file is opened
  GuestElf elf;

  uint64_t file_offset(uint64_t addr) const { return addr - vma.start + vma.offset; }
};

class Unwinder {
 public:
  Unwinder(const GuestRegs& regs, const Mm& mm) : regs_(regs), mm_(mm), pages_(*mm.space) {}

  std::vector<std::string> lines() {
    walk();
    std::vector<std::string> out;
    name_frames();
    for (const Frame& f : frames_) out.push_back(line(f));
    return out;
  }

 private:
  struct Frame {
    uint64_t ip;
    uint64_t inside;  // an address of the calling instruction: ip may be behind the function's end
    std::string name;
    uint64_t offset = 0;
  };

  static Unwinder& self(void* arg) { return *static_cast<Unwinder*>(arg); }
  void walk();
  void walk(unw_addr_space_t space);
  void name_frames();
  std::string line(const Frame& f) const;
  Module* module_at(uint64_t addr);
  bool unwind_table(uint64_t ip, unw_dyn_info_t* out);

  // unw_accessors_t
  static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t* pi, int need, void* arg);
  static void put_unwind_info(unw_addr_space_t, unw_proc_info_t*, void*) {}
  static int get_dyn_info_list_addr(unw_addr_space_t, unw_word_t*, void*) { return -UNW_ENOINFO; }
  static int access_mem(unw_addr_space_t, unw_word_t addr, unw_word_t* value, int write, void* arg);
  static int access_reg(unw_addr_space_t, unw_regnum_t reg, unw_word_t* value, int write, void* arg);
  static int access_fpreg(unw_addr_space_t, unw_regnum_t, unw_fpreg_t*, int, void*) { return -UNW_EBADREG; }
  static int resume(unw_addr_space_t, unw_cursor_t*, void*) { return -UNW_EINVAL; }
  static int get_proc_name(unw_addr_space_t, unw_word_t, char*, size_t, unw_word_t*, void*) {
    return -UNW_ENOINFO;
  }

  const GuestRegs& regs_;
  const Mm& mm_;
  GuestPages pages_;
  std::map<uint64_t, Module> modules_;  // by start of the mapping
  std::vector<Frame> frames_;
};

void Unwinder::walk() {
  unw_accessors_t accessors = {};
  accessors.find_proc_info = find_proc_info;
  accessors.put_unwind_info = put_unwind_info;
  accessors.get_dyn_info_list_addr = get_dyn_info_list_addr;
  accessors.access_mem = access_mem;
  accessors.access_reg = access_reg;
  accessors.access_fpreg = access_fpreg;
  accessors.resume = resume;
  accessors.get_proc_name = get_proc_name;
  unw_addr_space_t space = unw_create_addr_space(&accessors, 0);
  if (space == nullptr) return;
  unw_set_caching_policy(space, UNW_CACHE_NONE);
  // libunwind 1.6 does not check all that a table says: a wrong one can make it read anywhere (GuestStackTest
  // met that). What was found before stands.
  (void)survives_faults([&] { walk(space); });
  unw_destroy_addr_space(space);
}

void Unwinder::walk(unw_addr_space_t space) {
  unw_cursor_t cursor;
  bool exact = true;  // the first frame and what a signal interrupted did not call anything
  if (unw_init_remote(&cursor, space, this) == 0) {
    do {
      unw_word_t ip = 0;
      if (unw_get_reg(&cursor, UNW_REG_IP, &ip) != 0 || ip == 0) break;
      frames_.push_back({ip, exact ? ip : ip - 1, {}});
      exact = unw_is_signal_frame(&cursor) > 0;
    } while (frames_.size() < MAX_DEPTH && unw_step(&cursor) > 0);
  }
}

Module* Unwinder::module_at(uint64_t addr) {
  const Vma* found = mm_.find(addr);
  if (found == nullptr || (found->prot & PROT_EXEC) == 0) return nullptr;
  auto it = modules_.find(found->start);
  if (it != modules_.end()) return &it->second;
  const Vma vma = *found;
  GuestElf::Read read;
  if (vma.file == nullptr) {  // the vdso is a whole file in memory
    read = [this, start = vma.start, size = vma.end - vma.start](uint64_t offset, void* dst, size_t n) {
      return offset < size ? pages_.read(start + offset, dst, std::min<uint64_t>(n, size - offset)) : 0;
    };
  } else {
    const Result<MapBacking> backing = vma.file->map_backing(false, PROT_READ);
    const MapBacking b = backing ? backing.value() : MapBacking{};
    read = [b](uint64_t offset, void* dst, size_t n) -> size_t {
      if (b.host_fd < 0) return 0;
      const Result<size_t> r = host_files().pread(b.host_fd, dst, n, offset + b.offset_delta);
      return r ? r.value() : 0;
    };
  }
  return &modules_.emplace(vma.start, Module{vma, GuestElf(std::move(read))}).first->second;
}

// .eh_frame_hdr (Linux Standard Base, "Exception Frames"), in the one form that linkers make: a sorted
// table of pairs of 32-bit offsets from its own start.
bool Unwinder::unwind_table(uint64_t ip, unw_dyn_info_t* out) {
  const Module* m = module_at(ip);
  if (m == nullptr || !m->elf.unwind_table()) return false;
  const std::optional<uint64_t> address = m->elf.address_of(m->file_offset(ip));
  if (!address) return false;
  const uint64_t header = ip - *address + *m->elf.unwind_table();
  struct {
    uint8_t version, frame_encoding, count_encoding, table_encoding;
    uint32_t frame, count;
  } h;
  constexpr uint8_t VERSION = 1, UDATA4 = 0x03, SDATA4 = 0x0b, FORMAT = 0x0f, DATAREL_SDATA4 = 0x3b;
  if (!pages_.get(header, &h) || h.version != VERSION || (h.frame_encoding & FORMAT) != SDATA4 ||
      h.count_encoding != UDATA4 || h.table_encoding != DATAREL_SDATA4)
    return false;
  *out = {};
  out->format = UNW_INFO_FORMAT_REMOTE_TABLE;
  out->start_ip = m->vma.start;
  out->end_ip = m->vma.end;
  out->u.rti.segbase = header;
  out->u.rti.table_data = header + sizeof h;
  out->u.rti.table_len = h.count;  // in words of 8 bytes, as large as an entry
  return true;
}

int Unwinder::find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t* pi, int need, void* arg) {
  unw_dyn_info_t table;
  if (!self(arg).unwind_table(ip, &table)) return -UNW_ENOINFO;
  return UNW_OBJ(dwarf_search_unwind_table)(as, ip, &table, pi, need, arg);
}

int Unwinder::access_mem(unw_addr_space_t, unw_word_t addr, unw_word_t* value, int write, void* arg) {
  if (write != 0) return -UNW_EINVAL;
  return self(arg).pages_.get(addr, value) ? 0 : -UNW_EINVAL;
}

int Unwinder::access_reg(unw_addr_space_t, unw_regnum_t reg, unw_word_t* value, int write, void* arg) {
  static constexpr uint64_t GuestRegs::*REGS[] = {
      &GuestRegs::rax, &GuestRegs::rdx, &GuestRegs::rcx, &GuestRegs::rbx, &GuestRegs::rsi, &GuestRegs::rdi,
      &GuestRegs::rbp, &GuestRegs::rsp, &GuestRegs::r8,  &GuestRegs::r9,  &GuestRegs::r10, &GuestRegs::r11,
      &GuestRegs::r12, &GuestRegs::r13, &GuestRegs::r14, &GuestRegs::r15, &GuestRegs::rip};
  static_assert(UNW_X86_64_RAX == 0 && UNW_X86_64_RIP == std::size(REGS) - 1);
  if (write != 0) return -UNW_EREADONLYREG;
  if (reg < 0 || reg >= static_cast<int>(std::size(REGS))) return -UNW_EBADREG;
  *value = self(arg).regs_.*REGS[reg];
  return 0;
}

void Unwinder::name_frames() {
  std::map<Module*, std::vector<Frame*>> by_module;
  for (Frame& f : frames_)
    if (Module* m = module_at(f.inside)) by_module[m].push_back(&f);
  for (auto& [m, frames] : by_module) {
    std::vector<GuestElf::Function> wanted;
    for (const Frame* f : frames)
      wanted.push_back({.address = m->elf.address_of(m->file_offset(f->inside)).value_or(0)});
    m->elf.find_functions(wanted);
    for (size_t i = 0; i < frames.size(); ++i) {
      frames[i]->name = wanted[i].name;
      frames[i]->offset = wanted[i].distance + (frames[i]->ip - frames[i]->inside);
    }
  }
}

std::string Unwinder::line(const Frame& f) const {
  const Vma* vma = mm_.find(f.inside);
  std::string where = vma != nullptr ? vma->name : "[unmapped]";
  if (where.empty()) where = vma->file != nullptr ? vma->file->describe() : "[anonymous]";
  const uint64_t offset = vma != nullptr && vma->file != nullptr ? f.ip - vma->start + vma->offset : f.ip;
  if (f.name.empty()) return fmt::format(" > {}() [0x{:x}]", where, offset);
  return fmt::format(" > {}({}+0x{:x}) [0x{:x}]", where, f.name, f.offset, offset);
}

}  // namespace

std::vector<std::string> guest_call_stack(const GuestRegs& regs, const Mm& mm) {
  return Unwinder(regs, mm).lines();
}

}  // namespace starry
