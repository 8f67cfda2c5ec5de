#include "tasks.h"

#include <algorithm>

#include "calls.h"
#include "lexer.h"

namespace starry::diff {

uint32_t TaskBook::make(int tid) {
  Task t;
  t.tid = t.tgid = tid;
  const auto index = static_cast<uint32_t>(log_.tasks.size());
  t.leader = index;
  log_.tasks.push_back(std::move(t));
  now_[tid] = index;
  ended_[tid] = false;
  return index;
}

uint32_t TaskBook::at(int tid) {
  const auto it = now_.find(tid);
  if (it == now_.end() || ended_[tid]) return make(tid);
  return it->second;
}

void TaskBook::ended(int tid) { ended_[tid] = true; }

void TaskBook::created_by(const Event& e, std::string_view name) {
  if (!makes_task(name)) return;
  // Without thread ids in the log there are no other tasks in it.
  if (e.error != 0 || e.number <= 0 || log_.tasks[e.task].tid == 0) return;
  const int tid = static_cast<int>(e.number);
  // The child may have been seen before its creator's call returned, and may even have ended.
  const auto it = now_.find(tid);
  uint32_t child = NO_TASK;
  if (it != now_.end() && it->second != e.task && it->second != 0 && log_.tasks[it->second].parent == NO_TASK)
    child = it->second;
  else
    child = make(tid);
  Task& c = log_.tasks[child];
  c.parent = e.task;
  c.thread = e.args.find("CLONE_THREAD") != std::string_view::npos;
  if (c.thread) {
    c.leader = log_.tasks[e.task].leader;
    c.tgid = log_.tasks[e.task].tgid;
  }
  log_.tasks[e.task].children.push_back(child);
}

void TaskBook::superseded(int leader_tid, int by_tid) {
  const auto by = now_.find(by_tid);
  if (by == now_.end()) return;
  now_[leader_tid] = by->second;
  ended_[leader_tid] = false;
}

namespace {
// "/usr/bin/ls" of execve("/usr/bin/ls", ...: ls
std::string_view executed(std::string_view args) {
  const size_t open = args.find('"');
  if (open == std::string_view::npos) return {};
  const size_t close = args.find('"', open + 1);
  if (close == std::string_view::npos) return {};
  const std::string_view path = args.substr(open + 1, close - open - 1);
  return path.substr(path.rfind('/') + 1);
}
std::string_view set_name(std::string_view args) {
  if (!args.starts_with("PR_SET_NAME, \"")) return {};
  args.remove_prefix(14);
  return args.substr(0, args.find('"'));
}
}  // namespace

void finish_tasks(Log& log, const Strings& strings, Strings& names) {
  for (uint32_t i = 0; i < log.events.size(); i++) log.tasks[log.events[i].task].events.push_back(i);
  const Id execve = names.intern("execve"), prctl = names.intern("prctl");
  (void)strings;
  // Tasks are in order of their first event or creation, so parents' names are there first.
  for (Task& t : log.tasks) {
    Id named = 0, exec = 0;
    for (const uint32_t i : t.events) {
      const Event& e = log.events[i];
      if (e.type != EventType::call || e.has(EV_FAILED)) continue;
      if (e.name == execve && !executed(e.args).empty()) exec = names.intern(executed(e.args));
      if (e.name == prctl && !set_name(e.args).empty()) named = names.intern(set_name(e.args));
    }
    if (named != 0 || exec != 0)
      t.name = t.thread || exec == 0 ? (named != 0 ? named : exec) : exec;
    else if (t.name == 0 && t.parent != NO_TASK)
      t.name = log.tasks[t.parent].name;
    std::stable_sort(t.children.begin(), t.children.end());
  }
}

}  // namespace starry::diff
