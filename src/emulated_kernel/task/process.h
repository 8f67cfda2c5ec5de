// Life of processes and threads: public face of src/emulated_kernel/task/.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "emulated_kernel/task/task.h"

namespace starry {

// What execve(2) and the first process start with.
struct ExecRequest {
  Ref<File> file;                 // opened for execution
  std::string path;               // as given: AT_EXECFN and `#!` argument
  std::vector<std::string> argv, envp;
  bool path_inaccessible = false; // "/dev/fd/N" that close-on-exec removes: no use for an interpreter
};

// Replaces `t`'s program: loads ELF and interpreter (`#!` followed) into a fresh address space, resets
// what exec resets. On success t has a new mm and carrier and starts at the entry point when it is
// resumed next; on failure nothing has changed (ENOEXEC, EACCES, ENOENT, E2BIG, ELIBBAD, ENOMEM, ...).
Result<void> do_exec(Task& t, ExecRequest req);

// The kernel's first process, or one injected from outside (starryctl exec): a child of nobody.
// `on_exit` runs with the wait status when its thread group is gone.
struct SpawnRequest {
  std::string path;               // looked up through PATH of envp if it has no slash
  std::vector<std::string> argv, envp;
  std::string cwd;
  std::vector<Ref<File>> fds;     // installed as 0, 1, 2, ...
  Ref<const Cred> cred;
  bool new_session = true;
  Terminal* tty = nullptr;        // becomes the controlling terminal
  std::function<void(int status)> on_exit;
};
// Asynchronous: runs on its own fiber; `done` gets the pid or the error of lookup / exec.
void spawn_process(SpawnRequest req, std::function<void(Result<pid_t>)> done);

// Ends a thread; the last one ends the group. Runs on the task's fiber and does not come back to
// user mode. `status` in wait(2) form.
void exit_task(Task& t, int status);
// exit_group(2) and fatal signals: marks all threads killed.
void exit_group(Task& t, int status);
// The carrier vanished (kill -9 of the host process).
void task_died(Task& t);

// Process groups and sessions.
void set_pgid(ThreadGroup& g, pid_t pgid);
bool pgrp_is_orphaned(pid_t pgid);
int live_processes();             // thread groups that are not zombies

}  // namespace starry
