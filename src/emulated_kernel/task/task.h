// A guest thread (struct task_struct) and what threads share. A thread group is what user space
// calls a process. All of it belongs to the kernel thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/user_ptr.h"
#include "emulated_kernel/fd/fd_table.h"
#include "emulated_kernel/platform.h"
#include "emulated_kernel/sched/sched_entity.h"
#include "emulated_kernel/signal/task_signals.h"
#include "emulated_kernel/sync/timer.h"
#include "emulated_kernel/sync/wait.h"
#include "emulated_kernel/task/cred.h"
#include "emulated_kernel/task/pid_namespace.h"
#include "emulated_kernel/task/prctl_state.h"
#include "emulated_kernel/task/rlimits.h"

namespace starry {

class Fiber;
class FsContext;   // vfs/fs_context.h: root, cwd, umask
class Namespaces;  // task/ns_proxy.h
class Mm;          // mm/mm.h: memory map of one address space
class Task;
class ThreadGroup;
struct TraceState;
struct CpuLimitWatch;
class PosixTimers;
class Terminal;
class SemUndoList;    // ipc/sem.h
class SeccompFilter;  // task/seccomp.h
struct PtraceState;   // task/ptrace.h

// A session and its controlling terminal (setsid(2), credentials(7)).
class Session : public RefCounted {
 public:
  explicit Session(pid_t id) : sid(id) {}
  pid_t sid;
  Terminal* tty = nullptr;   // tty/terminal.h; it clears this when it goes away
  pid_t old_foreground = 0;  // foreground group when the terminal was hung up
};

// What /proc/PID/io counts (struct task_io_accounting): bytes and calls of the read and write families.
struct IoCounters {
  uint64_t rchar = 0, wchar = 0, syscr = 0, syscw = 0;
  void add(const IoCounters& o) { rchar += o.rchar, wchar += o.wchar, syscr += o.syscr, syscw += o.syscw; }
};

// A process (struct signal_struct and the shared half of task_struct).
class ThreadGroup : public RefCounted {
 public:
  explicit ThreadGroup(pid_t id) : tgid(id), own_tgid(id) {}
  ~ThreadGroup() override;

  pid_t tgid;                                   // kernel-wide, as all ids here: task/pid_namespace.h
  pid_t own_tgid;                               // what it calls itself
  Ref<PidNamespace> pid_ns = initial_pid_ns();  // where it does
  std::vector<Task*> threads;                   // leader first, in order of creation
  ThreadGroup* parent = nullptr;                // never null for a live process except init's stand-in
  pid_t parent_tid = 0;  // the parent's thread that made us: PR_SET_PDEATHSIG, __WNOTHREAD
  std::vector<Ref<ThreadGroup>> children;
  pid_t pgid = 0;
  Ref<Session> session;
  bool tty_given_up = false;  // TIOCNOTTY by a process that does not lead; inherited by fork
  Rlimits rlimits;
  SharedSignals signals;  // process-wide pending set, handlers: signal/task_signals.h

  // Exit and wait state: task/exit.cc, task/wait.cc
  bool exiting = false;   // exit_group began
  bool zombie = false;    // all threads gone, status waits for the parent
  int exit_status = 0;    // as wait(2) reports it
  int exit_signal = 17;   // SIGCHLD; what the parent gets
  bool stopping = false;  // every thread must stop before it returns to user mode
  bool stopped = false;   // every thread did
  bool continued_unwaited = false, stop_unwaited = false;
  int stop_signal = 0;
  WaitQueue wait_chld;      // parents sleeping in wait4 on a change of one of our children
  WaitQueue vfork_done;     // the parent of a vfork sleeps here
  WaitQueue pidfd_queue;    // pollers of pidfds
  Task* execing = nullptr;  // the thread in execve(2) that waits for the others to go
  WaitQueue exec_wait;
  std::function<void(int status)> on_exit;  // SpawnRequest::on_exit
  bool did_exec = false;
  bool child_subreaper = false, dumpable = true;
  bool unkillable = false;  // process 1 of a PID namespace: no default action but what comes from above it
  int pdeath_signal = 0;
  uint64_t start_time_ns = 0;
  uint64_t utime_ns = 0, stime_ns = 0;  // of threads that are gone
  uint64_t children_utime_ns = 0, children_stime_ns = 0;
  IoCounters io;  // of threads that are gone
  uint64_t min_faults = 0, voluntary_switches = 0;
  std::shared_ptr<PosixTimers> timers;  // time/: setitimer, timer_create
  std::string exe_path;                 // /proc/self/exe
  Ref<File> exe_file;
  std::string cmdline_at_exec;  // NUL-separated, fallback for /proc/pid/cmdline
  uint32_t personality = 0;
  int oom_score_adj = 0;
  std::shared_ptr<CpuLimitWatch> cpu_limit_watch;  // RLIMIT_CPU: task/cpu_limit.h
  PrctlState prctl;                                // inherited by fork, kept by exec

  Task* leader() const { return threads.empty() ? nullptr : threads.front(); }
};

class Task final : public RefCounted, public Sleeper {
 public:
  Task(pid_t id, Ref<ThreadGroup> tg);
  ~Task() override;

  pid_t tid;      // kernel-wide
  pid_t own_tid;  // in its PID namespace
  Ref<ThreadGroup> group;
  Ref<Mm> mm;  // null once exited
  Ref<FdTable> files;
  Ref<FsContext> fs;
  Ref<const Namespaces> ns;     // null once exited
  Ref<const Cred> cred;         // copy-on-write: replace, never edit
  TaskSignals sig;              // blocked mask, private pending set, altstack
  SchedEntity se;               // policy, priority, affinity, emulated CPU
  std::array<char, 16> comm{};  // NUL-terminated
  bool no_new_privs = false;
  bool keep_caps = false;
  // PR_SET_TIMERSLACK, ns; the default, which 0 restores, is what the creator had at the time.
  uint64_t timer_slack_ns = 50000, default_timer_slack_ns = 50000;
  int mempolicy = 0;  // set_mempolicy(2) on a machine with one node
  uint64_t mempolicy_nodes = 0;

  // User-space addresses that the kernel acts on.
  UserAddr clear_child_tid = 0;  // set_tid_address(2)
  UserAddr robust_list = 0;      // set_robust_list(2)
  size_t robust_list_len = 0;
  UserAddr rseq = 0;  // rseq(2)
  uint32_t rseq_len = 0, rseq_sig = 0;

  // The current system call; valid while one is being served.
  struct Call {
    int64_t nr = -1;
    uint64_t args[6] = {};
    bool active = false;
  } call;
  // What restart_syscall(2) continues after ERESTART_RESTARTBLOCK.
  std::function<SysResult(Task&)> restart_block;

  std::unique_ptr<HostThread> host;
  Fiber* fiber = nullptr;               // non-null while kernel code of this task is suspended
  uint64_t utime_ns = 0, stime_ns = 0;  // as cpu_times() showed them last: neither goes back
  uint64_t syscall_ns = 0;              // sampled time in system calls: entry/kernel.cc
  IoCounters io;
  uint64_t start_time_ns = 0;
  bool vfork_pending = false;                    // the parent waits until this thread drops its mm
  bool exiting = false;                          // on its way out: takes no more signals
  std::shared_ptr<SemUndoList> sem_undo;         // SEM_UNDO; shared by CLONE_SYSVSEM
  std::shared_ptr<const SeccompFilter> seccomp;  // the newest of its filters, null: none
  bool seccomp_strict = false;                   // SECCOMP_SET_MODE_STRICT
  std::shared_ptr<PtraceState> ptrace;           // while it is traced by another task
  int ioprio = 0;                                // ioprio_set(2)
  bool exited = false;  // has no carrier, mm or files; a leader stays until it is reaped
  std::shared_ptr<TraceState> trace;

  GuestRegs& regs() { return host->regs(); }
  UserMemory& mem();  // the task's own address space
  pid_t tgid() const { return group->tgid; }
  // The number by which it knows what the kernel calls `id` (0: not at all), and the other way round.
  pid_t shown_pid(pid_t id) const { return group->pid_ns->number(id); }
  pid_t kernel_pid(pid_t number) const { return group->pid_ns->id(number); }
  uint64_t rlimit(int resource) const { return group->rlimits.cur(resource); }
  File* file(int fd) const { return files->get(fd); }
  std::string name() const { return comm.data(); }

  // Sleeper
  bool signal_pending(SleepMode mode) const override;
  void block() override;
  void wake_up() override;
};

// The task whose kernel code runs now. CHECKs that there is one.
Task& current();
bool in_task();

// fd -> File, or EBADF.
Result<Ref<File>> get_file(Task& t, int fd);

// pid tables (task/pid_table.cc). Ids are kernel-wide.
pid_t alloc_pid();
Task* find_task(pid_t tid);
// The same by the number that `viewer` knows it by.
inline Task* find_task(const Task& viewer, pid_t number) { return find_task(viewer.kernel_pid(number)); }
ThreadGroup* find_group(pid_t tgid);
void for_each_group(const std::function<void(ThreadGroup&)>& fn);  // ascending tgid, zombies too

}  // namespace starry
