#include <csignal>

#include "emulated_kernel/kernel.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/exit.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/task/wait.h"
#include "unit/fake_host.h"
#include "unit/fiber_world.h"

namespace starry {
namespace {

class TaskLife : public FiberWorld {
 protected:
  TaskLife() : kernel_(KernelConfig{}), shell(process(init_group())) {}
  ~TaskLife() override {
    for_each_group([](ThreadGroup& g) {
      for (Task* t : std::vector<Task*>(g.threads)) {
        t->exiting = t->exited = true;
        scheduler().remove(t->se, 0);
      }
      g.zombie = true;
      reap(g);
    });
  }

  Task& process(ThreadGroup& parent) {
    Ref<ThreadGroup> g = make_ref<ThreadGroup>(alloc_pid());
    g->parent = &parent;
    const bool first = parent.threads.empty();
    g->parent_tid = first ? 0 : parent.leader()->tid;
    g->pgid = first ? g->tgid : parent.pgid;
    g->session = first ? make_ref<Session>(g->tgid) : parent.session;
    g->signals.handlers = make_ref<SigHandlers>();
    parent.children.push_back(g);
    register_group(*g);
    return thread(g, g->tgid);
  }
  Task& thread(Ref<ThreadGroup> g, pid_t tid) {
    Ref<Task> t = make_ref<Task>(tid, std::move(g));
    t->cred = make_ref<Cred>();
    scheduler().init_task(t->se);
    t->host = std::make_unique<FakeHost>();
    register_task(t);
    return *t;
  }
  Task& thread(Task& of) { return thread(of.group, alloc_pid()); }
  static void exits(Task& t, int code) { exit_task(t, code << 8); }
  static int waits(Task& t, pid_t* pid, int options = WEXITED) {
    WaitRequest req;
    req.options = options | WNOHANG;
    auto w = wait_for_child(t, req);
    *pid = w ? w->pid : -1;
    return w ? w->wait_status() : w.code();
  }
  static bool pending(const Task& t, int signo) {
    return ((t.group->signals.pending.bits | t.sig.pending.bits) & sigbit(signo)) != 0;
  }
  static void handle(Task& t, int signo, uint64_t flags = 0) {
    action_of(*t.group, signo) = {0x1000, flags, 0, 0};
  }

  Kernel kernel_;
  Task& shell;
};

TEST_F(TaskLife, AZombieWaitsForItsParent) {
  handle(shell, SIGCHLD);
  Task& child = process(*shell.group);
  const pid_t pid = child.tid;
  pid_t got;
  EXPECT_EQ(waits(shell, &got), 0);
  EXPECT_EQ(got, 0);
  exits(child, 3);
  EXPECT_TRUE(pending(shell, SIGCHLD));
  ASSERT_NE(find_task(pid), nullptr);
  EXPECT_TRUE(find_group(pid)->zombie);
  EXPECT_TRUE(send_signal(*find_group(pid), siginfo_kernel(SIGTERM)).ok());
  EXPECT_EQ(waits(shell, &got), 3 << 8);
  EXPECT_EQ(got, pid);
  EXPECT_EQ(find_task(pid), nullptr);
  EXPECT_EQ(find_group(pid), nullptr);
  EXPECT_EQ(waits(shell, &got), ECHILD);
}

TEST_F(TaskLife, IgnoringSigchldReapsAtOnce) {
  action_of(*shell.group, SIGCHLD).handler = HANDLER_IGNORE;
  Task& a = process(*shell.group);
  const pid_t pid = a.tid;
  exits(a, 0);
  EXPECT_EQ(find_group(pid), nullptr);
  EXPECT_FALSE(pending(shell, SIGCHLD));
  handle(shell, SIGCHLD, SA_NOCLDWAIT);
  exits(process(*shell.group), 0);
  EXPECT_TRUE(pending(shell, SIGCHLD));
  pid_t got;
  EXPECT_EQ(waits(shell, &got), ECHILD);
}

TEST_F(TaskLife, OrphansGoToTheSubreaperOrInit) {
  Task& middle = process(*shell.group);
  Task& live = process(*middle.group);
  Task& dead = process(*middle.group);
  const pid_t dead_pid = dead.tid;
  exits(dead, 1);
  EXPECT_TRUE(find_group(dead_pid)->zombie);
  exits(middle, 0);
  EXPECT_EQ(live.group->parent, &init_group());
  EXPECT_EQ(find_group(dead_pid), nullptr);  // init reaps
  const pid_t live_pid = live.tid;
  exits(live, 0);
  EXPECT_EQ(find_group(live_pid), nullptr);

  shell.group->child_subreaper = true;
  Task& second = process(*shell.group);
  Task& grandchild = process(*second.group);
  exits(second, 0);
  EXPECT_EQ(grandchild.group->parent, shell.group.get());
  exits(grandchild, 7);
  pid_t got;
  EXPECT_EQ(waits(shell, &got), 0);  // middle
  EXPECT_EQ(waits(shell, &got), 0);  // second
  EXPECT_EQ(waits(shell, &got), 7 << 8);
}

TEST_F(TaskLife, TheProcessEndsWithItsLastThread) {
  Task& leader = process(*shell.group);
  const pid_t pid = leader.tid;
  Task& other = thread(leader);
  exits(leader, 4);
  pid_t got;
  EXPECT_EQ(waits(shell, &got), 0);
  EXPECT_EQ(got, 0);
  EXPECT_EQ(find_task(pid), &leader);
  exits(other, 9);
  EXPECT_EQ(waits(shell, &got), 9 << 8);
  EXPECT_EQ(got, pid);
}

TEST_F(TaskLife, ExitGroupKillsAllThreads) {
  Task& leader = process(*shell.group);
  Task& other = thread(leader);
  exit_group(other, 5 << 8);
  EXPECT_TRUE(leader.sig.killed && other.sig.killed);
  exit_to_user(other, nullptr);
  exit_to_user(leader, nullptr);
  pid_t got;
  EXPECT_EQ(waits(shell, &got), 5 << 8);
}

TEST_F(TaskLife, DeathByDefaultAction) {
  Task& child = process(*shell.group);
  ASSERT_TRUE(send_signal(*child.group, siginfo_kernel(SIGSEGV)).ok());
  exit_to_user(child, nullptr);
  WaitRequest req;
  req.options = WEXITED;
  auto w = wait_for_child(shell, req);
  ASSERT_TRUE(w.ok());
  EXPECT_EQ(w->code, CLD_KILLED);
  EXPECT_EQ(w->wait_status(), SIGSEGV);
}

TEST_F(TaskLife, ParentDeathSignalIsAboutTheThread) {
  Task& parent = process(*shell.group);
  Task& worker = thread(parent);
  Task& child = process(*parent.group);
  child.group->parent_tid = worker.tid;
  child.group->pdeath_signal = SIGUSR1;
  exits(worker, 0);
  EXPECT_TRUE(pending(child, SIGUSR1));
  EXPECT_EQ(child.group->parent, parent.group.get());
  EXPECT_EQ(child.group->parent_tid, parent.tid);
}

TEST_F(TaskLife, OrphanedStoppedGroupIsHungUp) {
  Task& leader = process(*shell.group);
  leader.group->session = make_ref<Session>(leader.tid);
  leader.group->pgid = leader.tid;
  Task& job = process(*leader.group);
  set_pgid(*job.group, job.tid);
  handle(job, SIGHUP);
  EXPECT_FALSE(pgrp_is_orphaned(job.tid));
  job.group->stopping = job.group->stopped = true;
  job.group->stop_signal = SIGTSTP;
  exits(leader, 0);
  EXPECT_TRUE(pgrp_is_orphaned(job.tid));
  EXPECT_TRUE(pending(job, SIGHUP));
  EXPECT_FALSE(job.group->stopped);
}

TEST_F(TaskLife, StopIsReportedOnceAllThreadsStopped) {
  handle(shell, SIGCHLD);
  Task& leader = process(*shell.group);
  Task& other = thread(leader);
  begin_group_stop(*leader.group, SIGSTOP);
  EXPECT_TRUE(signal_pending(leader));
  leader.sig.stopped = true;
  check_stop_complete(*leader.group);
  EXPECT_FALSE(leader.group->stopped);
  exits(other, 0);  // it will not stop any more
  EXPECT_TRUE(leader.group->stopped);
  EXPECT_TRUE(pending(shell, SIGCHLD));
  pid_t got;
  EXPECT_EQ(waits(shell, &got, WEXITED | WSTOPPED), SIGSTOP << 8 | 0x7f);
  EXPECT_EQ(waits(shell, &got, WEXITED | WSTOPPED), 0);
  leader.sig.stopped = false;
  ASSERT_TRUE(send_signal(*leader.group, siginfo_kernel(SIGCONT)).ok());
  EXPECT_EQ(waits(shell, &got, WCONTINUED), 0xffff);
}

TEST_F(TaskLife, AThreadTakesOverTheLeadersId) {
  Task& leader = process(*shell.group);
  const pid_t pid = leader.tid;
  Task& worker = thread(leader);
  const pid_t worker_tid = worker.tid;
  exits(leader, 0);
  become_leader(worker);
  EXPECT_EQ(worker.tid, pid);
  EXPECT_EQ(find_task(pid), &worker);
  EXPECT_EQ(find_task(worker_tid), nullptr);
  EXPECT_EQ(worker.group->leader(), &worker);
}

TEST_F(TaskLife, WhoMayDoLessThanItsCredentialsSayLeavesItsSpaceToNobody) {
  EXPECT_EQ(heir_of_space(shell), shell.cred);
  Task& careful = process(*shell.group);
  careful.no_new_privs = true;
  EXPECT_EQ(heir_of_space(careful), nullptr);
  Task& secret = process(*shell.group);
  secret.group->dumpable = false;
  EXPECT_EQ(heir_of_space(secret), nullptr);
  Task& strict = process(*shell.group);
  strict.seccomp_strict = true;
  EXPECT_EQ(heir_of_space(strict), nullptr);
}

TEST_F(TaskLife, PidsAreSequential) {
  const pid_t a = alloc_pid();
  EXPECT_EQ(alloc_pid(), a + 1);
}

}  // namespace
}  // namespace starry
