// execve(2): a new program in a fresh address space, built completely before the old one is given up.
#include <cpuid.h>
#include <linux/limits.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/rseq.h"
#include "emulated_kernel/signal/altstack.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/elf_load.h"
#include "emulated_kernel/task/exec_stack.h"
#include "emulated_kernel/task/exit.h"
#include "emulated_kernel/task/ns_proxy.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/task/script.h"
#include "emulated_kernel/time/posix_timers.h"
#include "vfs/mount.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

// What will run: after `#!` lines were followed.
struct Program {
  Ref<File> file, interpreter_file;
  ElfImage image, interpreter;
  std::vector<std::string> argv;
};

Result<Ref<File>> open_interpreter(Task& t, const std::string& path) {
  if (path.size() >= PATH_MAX) return Error{ENAMETOOLONG};
  return vfs_open_exec(t, AT_FDCWD, path, 0);
}

// Puts interpreter and argument before the script's name, which replaces argv[0].
void prepend_interpreter(std::vector<std::string>& argv, const ScriptLine& line, const std::string& script) {
  std::vector<std::string> next{line.interpreter};
  if (line.has_argument) next.push_back(line.argument);
  next.push_back(script);
  if (!argv.empty())
    next.insert(next.end(), std::make_move_iterator(argv.begin() + 1), std::make_move_iterator(argv.end()));
  argv = std::move(next);
}

Result<Program> find_program(Task& t, ExecRequest& req) {
  Program p;
  p.file = req.file;
  p.argv = std::move(req.argv);
  std::string path = req.path;
  for (int depth = 0;; ++depth) {
    if (depth > MAX_INTERPRETERS) return Error{ELOOP};
    char head[SCRIPT_HEAD];
    const size_t n = TRY(read_at(*p.file, 0, head, sizeof head));
    if (!is_script({head, n})) break;
    const ScriptLine line = TRY(parse_script({head, n}));
    if (req.path_inaccessible) return Error{ENOENT};
    prepend_interpreter(p.argv, line, path);
    path = line.interpreter;
    p.file = TRY(open_interpreter(t, path));
  }
  p.image = TRY(read_elf(*p.file));
  if (!p.image.interpreter.empty()) {
    p.interpreter_file = TRY(open_interpreter(t, p.image.interpreter));
    auto interpreter = read_elf(*p.interpreter_file);
    if (!interpreter) return Error{interpreter.code() == ENOEXEC ? ELIBBAD : interpreter.code()};
    p.interpreter = std::move(interpreter).value();
  }
  return p;
}

// mmap_base(): the mmap area begins below the room that the stack may grow into. That ends above the
// trampolines for libraries, which shall be within their reach.
uint64_t mmap_top(const Task& t) {
  constexpr uint64_t LEAST = 128ULL << 20, MOST = 1536ULL << 20;
  const uint64_t limit = std::min(t.rlimit(RLIMIT_STACK), MOST);
  return page_down(GUEST_STACK_TOP - std::clamp(limit + GUEST_STACK_GUARD, LEAST, MOST));
}

// setup_arg_pages(): the stack begins with its strings and 128 KiB; it grows when it is used.
uint64_t stack_size(const Task& t, uint64_t strings, uint64_t all) {
  constexpr uint64_t EXTRA = 128 * 1024;
  const uint64_t want = std::min(page_down(t.rlimit(RLIMIT_STACK)), page_up(strings) + EXTRA);
  return std::max(want, page_up(all));
}

std::vector<std::pair<uint64_t, uint64_t>> auxv_of(const Mm& mm, const LoadedElf& exe, const Program& p,
                                                   uint64_t interp_base, const Cred& cred, bool secure) {
  unsigned a = 0, b = 0, c = 0, hwcap = 0;
  __cpuid(1, a, b, c, hwcap);
  unsigned features = 0, unused_a = 0, unused_c = 0, unused_d = 0;
  __get_cpuid_count(7, 0, &unused_a, &features, &unused_c, &unused_d);
  constexpr uint64_t HWCAP2_FSGSBASE = 2;
  std::vector<std::pair<uint64_t, uint64_t>> v;
  if (mm.vdso != 0) v.emplace_back(AT_SYSINFO_EHDR, mm.vdso);
  v.emplace_back(AT_MINSIGSTKSZ, signal_frame_size());
  v.emplace_back(AT_HWCAP, hwcap);
  v.emplace_back(AT_PAGESZ, PAGE);
  v.emplace_back(AT_CLKTCK, 100);
  v.emplace_back(AT_PHDR, exe.phdr);
  v.emplace_back(AT_PHENT, sizeof(Elf64_Phdr));
  v.emplace_back(AT_PHNUM, p.image.header.e_phnum);
  v.emplace_back(AT_BASE, interp_base);
  v.emplace_back(AT_FLAGS, 0);
  v.emplace_back(AT_ENTRY, exe.entry);
  v.emplace_back(AT_UID, cred.user_ns->uid(cred.uid));
  v.emplace_back(AT_EUID, cred.user_ns->uid(cred.euid));
  v.emplace_back(AT_GID, cred.user_ns->gid(cred.gid));
  v.emplace_back(AT_EGID, cred.user_ns->gid(cred.egid));
  v.emplace_back(AT_SECURE, secure ? 1 : 0);
  v.emplace_back(AT_RANDOM, 0);
  v.emplace_back(AT_HWCAP2, (features & bit_FSGSBASE) != 0 ? HWCAP2_FSGSBASE : 0);
  v.emplace_back(AT_EXECFN, 0);
  v.emplace_back(AT_PLATFORM, 0);
  return v;
}

// Where a position-independent program goes: with an interpreter to the usual place of programs;
// without one (static PIE, ld.so as a command) to the mmap area, since it may load another program.
Result<uint64_t> bias_of(const Mm& mm, const ElfImage& image) {
  if (!image.relocatable()) return uint64_t{0};
  const uint64_t size = image.high() - image.low();
  const uint64_t base = image.interpreter.empty() ? TRY(top_down_gap(mm, size, image.max_align))
                                                  : GUEST_PIE_BASE & ~(image.max_align - 1);
  return base - image.low();
}

// The host put the vdso and its data below the room of an ordinary stack; they must not be in the way of a
// larger one. A host that seals them (CONFIG_MSEAL_SYSTEM_MAPPINGS) lets them stay, all of them.
Result<void> move_vdso_below(Mm& mm, HostThread& by, uint64_t top) {
  std::vector<std::pair<uint64_t, uint64_t>> maps;
  for (const auto& [start, v] : mm.vmas()) maps.emplace_back(start, v.end);
  if (maps.empty() || maps.back().second <= top) return {};
  const uint64_t end = maps.back().second;
  const uint64_t down = std::max(end - top, end - maps.front().first);  // moves must not overlap
  bool first = true;
  for (const auto& [start, map_end] : maps) {
    const uint64_t size = map_end - start;
    auto moved = mm.mremap(by, start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, start - down);
    if (!moved.ok()) return first ? Result<void>{} : moved.error();
    first = false;
  }
  if (mm.vdso != 0) mm.vdso -= down;
  return {};
}

// Fills the empty address space. Returns entry point and stack pointer.
struct Start {
  uint64_t rip, rsp;
};
Result<Start> load(Task& t, Mm& mm, HostThread& by, const Program& p, const ExecRequest& req,
                   const Cred& cred, bool secure) {
  mm.mmap_top = mmap_top(t);
  TRY(move_vdso_below(mm, by, mm.mmap_top));
  const uint64_t bias = TRY(bias_of(mm, p.image));
  by.gather_ops();
  const LoadedElf exe = TRY(map_elf(mm, by, p.image, p.file, bias, vfs_file_name(t, *p.file)));
  Start start{exe.entry, 0};
  LoadedElf interp;
  if (p.interpreter_file) {
    uint64_t interp_bias = 0;
    if (p.interpreter.relocatable())
      interp_bias =
          TRY(top_down_gap(mm, p.interpreter.high() - p.interpreter.low(), p.interpreter.max_align)) -
          p.interpreter.low();
    interp = TRY(map_elf(mm, by, p.interpreter, p.interpreter_file, interp_bias,
                         vfs_file_name(t, *p.interpreter_file)));
    start.rip = interp.entry;
  }

  StackInput in;
  in.top = GUEST_STACK_TOP;
  in.argv = p.argv;
  in.envp = req.envp;
  in.execfn = req.path;
  platform().entropy(in.random, sizeof in.random);
  in.auxv = auxv_of(mm, exe, p, interp.base, cred, secure);
  StackImage stack = build_stack(in);
  const uint64_t size = stack_size(t, GUEST_STACK_TOP - stack.arg_start, stack.bytes.size());
  const int prot = PROT_READ | PROT_WRITE | (p.image.executable_stack ? PROT_EXEC : 0);
  TRY(mm.mmap(by, GUEST_STACK_TOP - size, size, prot,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_STACK | MAP_GROWSDOWN, nullptr, 0, "[stack]"));
  TRY(by.run_gathered());
  TRY(clear_tails(mm, exe));
  TRY(clear_tails(mm, interp));
  TRY(mm.space->poke(stack.sp, stack.bytes.data(), stack.bytes.size()));
  start.rsp = stack.sp;

  const bool in_mmap_area = p.image.relocatable() && p.image.interpreter.empty();
  mm.brk_start = mm.brk_end = in_mmap_area ? GUEST_PIE_BASE : page_up(exe.end);
  mm.arg_start = stack.arg_start;
  mm.arg_end = stack.arg_end;
  mm.env_start = stack.env_start;
  mm.env_end = stack.env_end;
  mm.stack_start = stack.sp;
  mm.code_start = exe.code_start;
  mm.code_end = exe.code_end;
  mm.data_start = exe.data_start;
  mm.data_end = exe.data_end;
  mm.auxv = std::move(stack.auxv);
  return start;
}

Ref<Mm> new_mm(const Platform::NewSpace& ns) {
  Ref<Mm> mm = make_ref<Mm>(ns.space);
  for (const Platform::FixedMap& f : ns.fixed) {
    Vma v;
    v.start = f.start;
    v.end = f.end;
    v.prot = f.prot;
    v.flags = MAP_PRIVATE;
    v.name = f.name;
    mm->adopt(std::move(v));
  }
  return mm;
}

// Ends all other threads; the caller becomes the leader. EAGAIN if it is being killed itself.
Result<void> become_only_thread(Task& t) {
  ThreadGroup& g = *t.group;
  if (g.exiting || g.execing != nullptr) return Error{EAGAIN};
  g.execing = &t;
  kill_threads(g, &t);
  const auto alone = [&] {
    return std::all_of(g.threads.begin(), g.threads.end(),
                       [&](const Task* x) { return x == &t || x->exited; });
  };
  const Wake w = wait_until(g.exec_wait, Deadline::never(), alone, false, SleepMode::killable);
  g.execing = nullptr;
  if (w != Wake::event || t.sig.killed) return Error{EAGAIN};
  if (&t != g.leader()) become_leader(t);
  return {};
}

void close_on_exec(Task& t) {
  if (t.files->ref_count() > 1) t.files = t.files->copy();
  for (const Ref<File>& f : t.files->take_cloexec()) (void)f->flush(t);
}

void set_comm(Task& t, const std::string& path) {
  const std::string base = path.substr(path.rfind('/') + 1);
  t.comm.fill('\0');
  std::copy_n(base.begin(), std::min(base.size(), t.comm.size() - 1), t.comm.begin());
}

void record_program(Task& t, const Program& p, const ExecRequest& req) {
  ThreadGroup& g = *t.group;
  set_comm(t, req.path);
  g.exe_file = p.file;
  g.exe_path = vfs_file_name(t, *p.file);
  g.cmdline_at_exec.clear();
  for (const std::string& a : p.argv) g.cmdline_at_exec.append(a).push_back('\0');
}

// What execve(2) resets ("Effect on process attributes"), once nothing can fail any more.
void reset_attributes(Task& t, Ref<const Cred> cred, bool secure) {
  ThreadGroup& g = *t.group;
  signals_on_exec(t);
  if (secure) g.pdeath_signal = 0;
  t.cred = std::move(cred);
  t.keep_caps = false;
  t.robust_list = 0;
  t.robust_list_len = 0;
  rseq_exec(t);
  posix_timers_exec(g);
  t.restart_block = nullptr;
  g.dumpable = !secure;
  g.did_exec = true;
  g.exit_signal = SIGCHLD;
}

void switch_space(Task& t, Ref<Mm> mm, std::unique_ptr<HostThread> host, Start start, Ref<const Cred> heir) {
  if (t.host) {
    account_cpu_time(t);
    t.host->exit(std::move(heir));
    destroy_later(std::move(t.host));
  }
  t.mm = std::move(mm);
  t.host = std::move(host);
  constexpr uint64_t EFLAGS_IF = 0x202;
  t.regs() = GuestRegs{};
  t.regs().rip = start.rip;
  t.regs().rsp = start.rsp;
  t.regs().eflags = EFLAGS_IF;
  if (t.se.cpu >= 0) t.host->bind_cpu(t.se.cpu);
}

}  // namespace

Result<void> do_exec(Task& t, ExecRequest req) {
  const Program program = TRY(find_program(t, req));
  const Kstat st = TRY(vfs_file_stat(*program.file));
  const Path* where = program.file->path.get();
  const bool nosuid =
      where != nullptr && where->mount &&
      ((where->mount->flags & MS_NOSUID) != 0 || !t.cred->user_ns->is_below(*where->mount->sb->user_ns));
  bool secure = false;
  Ref<const Cred> cred =
      cred_for_exec(*t.cred, st.mode, st.uid, st.gid, !nosuid && !t.no_new_privs && !t.ptrace, &secure);

  Platform::NewSpace ns = TRY(platform().new_space(t, *cred));
  Ref<Mm> mm = new_mm(ns);
  // The new carrier works on the CPU of the old one, which has nothing to do meanwhile.
  if (t.se.cpu >= 0) ns.thread->bind_cpu(t.se.cpu);
  if (t.host) t.host->will_wait();
  Result<Start> start = load(t, *mm, *ns.thread, program, req, *cred, secure);
  Result<void> alone;
  if (start) alone = become_only_thread(t);
  if (!start || !alone) {
    ns.thread->exit(nullptr);
    destroy_later(std::move(ns.thread));
    // On Linux the old program is gone when a file turns out to be damaged (force_fatal_sig() in
    // bprm_execve()).
    if (start.code() == EFAULT && t.mm) exit_group(t, SIGSEGV);
    return start ? alone.error() : start.error();
  }

  Ref<const Cred> heir = heir_of_space(t);
  if (t.mm) leave_mm(t);
  close_on_exec(t);
  reset_attributes(t, std::move(cred), secure);
  record_program(t, program, req);
  t.ns = with_time_for_children(t.ns);
  switch_space(t, std::move(mm), std::move(ns.thread), *start, std::move(heir));
  return {};
}

}  // namespace starry
