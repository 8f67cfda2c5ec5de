#include "emulated_kernel/task/pid_table.h"

#include <algorithm>
#include <map>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/trace/tracer.h"

namespace starry {

namespace {

constexpr pid_t INIT_PID = 1;
constexpr pid_t RESERVED_PIDS = 300;  // where numbering starts again after a wrap

struct PidTable {
  std::map<pid_t, Ref<Task>> tasks;
  std::map<pid_t, ThreadGroup*> groups;
  pid_t last = INIT_PID;
  pid_t highest_claimed = 0;  // see claim_pid()
  uint64_t made = 0, switches_of_gone = 0;
};

PidTable& table() {
  static PidTable t;
  return t;
}

bool id_in_use(pid_t id) {
  if (table().tasks.contains(id)) return true;
  for (const auto& [tgid, g] : table().groups)
    if (g->pgid == id || (g->session && g->session->sid == id)) return true;
  return false;
}

}  // namespace

ThreadGroup& init_group() {
  static Ref<ThreadGroup> init = [] {
    Ref<ThreadGroup> g = make_ref<ThreadGroup>(INIT_PID);
    g->pgid = INIT_PID;
    g->session = make_ref<Session>(INIT_PID);
    g->signals.handlers = make_ref<SigHandlers>();
    return g;
  }();
  return *init;
}

Task& init_task() {
  static const Ref<Task> task = [] {
    Ref<Task> t = make_ref<Task>(INIT_PID, Ref<ThreadGroup>(&init_group()));
    const Ref<Cred> root = make_ref<Cred>();
    root->uid = root->euid = root->suid = root->fsuid = 0;
    root->gid = root->egid = root->sgid = root->fsgid = 0;
    root->cap_permitted = root->cap_effective = CAP_FULL;
    t->cred = root;
    std::string_view("init").copy(t->comm.data(), t->comm.size() - 1);
    t->start_time_ns = 0;
    scheduler().init_task(t->se);
    t->se.state = SchedEntity::State::blocked;
    return t;
  }();
  return *task;
}

pid_t alloc_pid() {
  PidTable& t = table();
  bool wrapped = false;
  do {
    if (++t.last >= PID_MAX) {
      t.last = RESERVED_PIDS;
      wrapped = true;
    }
    // Before the first wrap numbers are fresh, except claimed ones and those of threads that became leaders.
  } while ((wrapped || t.last <= t.highest_claimed || t.tasks.contains(t.last)) && id_in_use(t.last));
  return t.last;
}

Result<pid_t> claim_pid(pid_t wanted) {
  if (wanted == INIT_PID || id_in_use(wanted)) return Error{EEXIST};
  table().highest_claimed = std::max(table().highest_claimed, wanted);
  return wanted;
}

void register_task(Ref<Task> t) {
  t->group->threads.push_back(t.get());
  ++table().made;
  const pid_t tid = t->tid;
  const bool fresh = table().tasks.emplace(tid, std::move(t)).second;
  CHECK(fresh);
}

namespace {

void take_out(Task& t) {
  std::erase(t.group->threads, &t);
  const auto it = table().tasks.find(t.tid);
  CHECK(it != table().tasks.end() && it->second.get() == &t);
  // Its own fiber may be running: keep the object until the loop has left it.
  platform().post([keep = it->second] {});
  table().tasks.erase(it);
}

}  // namespace

void unregister_task(Task& t) {
  const Ref<PidNamespace> ns = t.group->pid_ns;
  const pid_t id = t.tid;
  take_out(t);
  release_id(*ns, id);
}

void release_id(PidNamespace& ns, pid_t id) {
  if (!ns.initial() && !id_in_use(id)) drop_numbers(ns, id);
}

void register_group(ThreadGroup& g) {
  const bool fresh = table().groups.emplace(g.tgid, &g).second;
  CHECK(fresh);
}

void unregister_group(ThreadGroup& g) {
  table().switches_of_gone += g.voluntary_switches;
  table().groups.erase(g.tgid);
  release_id(*g.pid_ns, g.pgid);
  if (g.session) release_id(*g.pid_ns, g.session->sid);
  for (PidNamespace* ns = g.pid_ns.get(); !ns->initial(); ns = ns->parent.get()) ns->left.wake_all();
}

void count_switches_of_gone(uint64_t n) { table().switches_of_gone += n; }

TaskTotals task_totals() {
  const PidTable& t = table();
  return {t.last, t.made, t.switches_of_gone};
}

void become_leader(Task& t) {
  ThreadGroup& g = *t.group;
  Task* old = g.leader();
  CHECK(old != &t && old->exited);
  trace_superseded(*old, t.tid);
  take_out(*old);
  auto node = table().tasks.extract(t.tid);
  const pid_t before = t.tid;
  node.key() = t.tid = g.tgid;
  t.own_tid = g.own_tgid;
  table().tasks.insert(std::move(node));
  release_id(*g.pid_ns, before);
}

Task* find_task(pid_t tid) {
  const auto it = table().tasks.find(tid);
  return it == table().tasks.end() ? nullptr : it->second.get();
}

ThreadGroup* find_group(pid_t tgid) {
  const auto it = table().groups.find(tgid);
  return it == table().groups.end() ? nullptr : it->second;
}

void for_each_group(const std::function<void(ThreadGroup&)>& fn) {
  // `fn` may end processes.
  std::vector<Ref<ThreadGroup>> all;
  all.reserve(table().groups.size());
  for (const auto& [tgid, g] : table().groups) all.emplace_back(g);
  for (const Ref<ThreadGroup>& g : all) fn(*g);
}

int count_tasks() { return static_cast<int>(table().tasks.size()); }

int count_tasks_of(uint32_t uid) {
  return static_cast<int>(std::count_if(table().tasks.begin(), table().tasks.end(),
                                        [&](const auto& entry) { return entry.second->cred->uid == uid; }));
}

bool pgrp_exists(pid_t pgid) {
  const auto& groups = table().groups;
  return std::any_of(groups.begin(), groups.end(),
                     [&](const auto& entry) { return entry.second->pgid == pgid; });
}

int live_processes() {
  const auto& groups = table().groups;
  return static_cast<int>(
      std::count_if(groups.begin(), groups.end(), [](const auto& entry) { return !entry.second->zombie; }));
}

void destroy_later(std::unique_ptr<HostThread> host) {
  if (host == nullptr) return;
  platform().post([keep = std::shared_ptr<HostThread>(std::move(host))] {});
}

}  // namespace starry
