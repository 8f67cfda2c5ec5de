// Processes that come from outside: the first one, and those of `starryctl exec`.
#include <elf.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include <cstring>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/entry/fibers.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/task/exec_args.h"
#include "emulated_kernel/task/exit.h"
#include "emulated_kernel/task/initial_rlimits.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/trace/tracer.h"
#include "emulated_kernel/tty/job_control.h"
#include "emulated_kernel/tty/terminal.h"
#include "vfs/fs_context.h"
#include "vfs/vfs.h"

namespace starry {

namespace {

// What execvp(3) uses when PATH is not set.
constexpr std::string_view DEFAULT_PATH = "/bin:/usr/bin";

std::string_view search_path(const std::vector<std::string>& envp) {
  for (const std::string& e : envp)
    if (e.starts_with("PATH=")) return std::string_view(e).substr(5);
  return DEFAULT_PATH;
}

// As execvp(3): the first executable one; EACCES if there was one that may not be executed.
Result<ExecRequest> find_executable(Task& t, SpawnRequest& req) {
  ExecRequest exec{nullptr, req.path, std::move(req.argv), std::move(req.envp)};
  if (req.path.find('/') != std::string::npos) {
    exec.file = TRY(vfs_open_exec(t, AT_FDCWD, req.path, 0));
    return exec;
  }
  int error = ENOENT;
  std::string_view rest = search_path(exec.envp);
  for (bool more = !req.path.empty(); more;) {
    const size_t colon = rest.find(':');
    const std::string_view dir = rest.substr(0, colon);
    more = colon != std::string_view::npos;
    if (more) rest = rest.substr(colon + 1);
    exec.path = dir.empty() ? req.path : std::string(dir) + "/" + req.path;
    auto file = vfs_open_exec(t, AT_FDCWD, exec.path, 0);
    if (file) {
      exec.file = std::move(file).value();
      return exec;
    }
    if (file.code() == EACCES) error = EACCES;
  }
  return Error{error};
}

Ref<Task> new_process(const SpawnRequest& req, Ref<FsContext> fs) {
  const pid_t pid = alloc_pid();
  Ref<ThreadGroup> g = make_ref<ThreadGroup>(pid);
  g->parent = &init_group();
  g->pgid = pid;
  g->session = req.new_session ? make_ref<Session>(pid) : init_group().session;
  g->signals.handlers = make_ref<SigHandlers>();
  g->start_time_ns = platform().boottime_ns();
  g->rlimits = initial_rlimits();

  Ref<Task> t = make_ref<Task>(pid, g);
  t->cred = req.cred;
  t->fs = std::move(fs);
  t->files = make_ref<FdTable>();
  for (size_t fd = 0; fd < req.fds.size(); ++fd)
    if (req.fds[fd]) t->files->install_at(static_cast<int>(fd), req.fds[fd], false);
  scheduler().init_task(t->se);

  init_group().children.push_back(g);
  register_group(*g);
  register_task(t);
  if (req.tty != nullptr && req.new_session) set_controlling_terminal(*req.tty, *g);
  return t;
}

void discard(Task& t, Terminal* tty) {
  const Ref<ThreadGroup> g = t.group;
  if (tty != nullptr && tty->session() == g->session.get()) tty->clear_session();
  leave_files(t);
  t.exiting = t.exited = true;
  scheduler().remove(t.se, platform().monotonic_ns());
  g->zombie = true;
  reap(*g);
}

Result<void> start(Task& t, SpawnRequest& req) {
  ExecRequest exec = TRY(find_executable(t, req));
  TRY(check_exec_size(t, {exec.argv, exec.envp}, exec.path.size()));
  TRY(do_exec(t, std::move(exec)));
  return {};
}

// A log begins with the execve of the program, as strace's does: the call is made up from what the new
// program finds on its stack.
void trace_first_exec(Task& t) {
  if (!trace_on()) return;
  const uint64_t argc_at = t.regs().rsp;
  auto argc = t.mem().get(UserPtr<uint64_t>{argc_at});
  uint64_t execfn = 0;
  for (size_t at = 0; at + 16 <= t.mm->auxv.size(); at += 16) {
    uint64_t entry[2];
    std::memcpy(entry, t.mm->auxv.data() + at, sizeof entry);
    if (entry[0] == AT_EXECFN) execfn = entry[1];
  }
  if (!argc) return;
  t.call.nr = SYS_execve;
  t.call.args[0] = execfn;
  t.call.args[1] = argc_at + sizeof(uint64_t);
  t.call.args[2] = t.call.args[1] + (*argc + 1) * sizeof(uint64_t);
  trace_enter(t);
  trace_exit(t, SysResult(0));
}

Result<pid_t> spawn(SpawnRequest& req) {
  Ref<FsContext> fs = TRY(vfs_initial_context(req.cwd));
  const Ref<Task> t = new_process(req, std::move(fs));
  kthread_serve(t.get());
  Result<void> started = start(*t, req);
  if (started) trace_first_exec(*t);
  kthread_serve(nullptr);
  if (!started) {
    discard(*t, req.tty);
    return started.error();
  }
  t->group->on_exit = std::move(req.on_exit);
  scheduler().wake(t->se, platform().monotonic_ns());
  return t->tid;
}

}  // namespace

Rlimits& initial_rlimits() {
  static Rlimits limits;
  return limits;
}

void spawn_process(SpawnRequest req, std::function<void(Result<pid_t>)> done) {
  kthread_run([req = std::move(req), done = std::move(done)]() mutable { done(spawn(req)); });
}

}  // namespace starry
