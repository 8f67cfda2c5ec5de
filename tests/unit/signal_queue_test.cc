#include <csignal>
#include <cstring>

#include "emulated_kernel/entry/restart.h"
#include "emulated_kernel/kernel.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/signal/altstack.h"
#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/pid_table.h"
#include "unit/fake_host.h"
#include "unit/fiber_world.h"

namespace starry {
namespace {

constexpr uint64_t HANDLER = 0x401000, RESTORER = 0x402000, STACK = 0x700000001000, SYSCALL_END = 0x403002;
constexpr uint64_t SA_RESTORER_FLAG = 0x04000000;

class Signals : public FiberWorld {
 protected:
  Signals() : kernel_(KernelConfig{}) {
    group = make_ref<ThreadGroup>(alloc_pid());
    group->parent = &init_group();
    group->pgid = group->tgid;
    group->session = make_ref<Session>(group->tgid);
    group->signals.handlers = make_ref<SigHandlers>();
    register_group(*group);
    main = add_thread(group->tgid);
  }
  ~Signals() override {
    for (Task* t : std::vector<Task*>(group->threads)) {
      scheduler().remove(t->se, clock.now);
      unregister_task(*t);
    }
    unregister_group(*group);
  }
  Task* add_thread(pid_t tid) {
    Ref<Task> t = make_ref<Task>(tid, group);
    t->cred = make_ref<Cred>();
    scheduler().init_task(t->se);
    t->host = std::make_unique<FakeHost>();
    t->regs().rsp = STACK;
    t->regs().rip = SYSCALL_END;
    register_task(t);
    return t.get();
  }
  static FakeHost& host(Task* t) { return static_cast<FakeHost&>(*t->host); }
  void handle(int signo, uint64_t flags = 0, SigSet mask = 0) {
    action_of(*group, signo) = {HANDLER, flags | SA_RESTORER_FLAG, RESTORER, mask};
  }
  static SigInfo info(int signo, int code = SI_USER, uint64_t value = 0) {
    SigInfo i;
    i.signo = signo;
    i.code = code;
    i.rt.value = value;
    return i;
  }
  void send(int signo) { ASSERT_TRUE(send_signal(*group, info(signo)).ok()); }

  Kernel kernel_;
  Ref<ThreadGroup> group;
  Task* main;
};

TEST_F(Signals, StandardSignalsMergeAndRealTimeOnesQueue) {
  main->sig.blocked = ~SigSet{0};
  send(SIGTERM), send(SIGTERM);
  for (uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(send_signal(*group, info(40, SI_QUEUE, i)).ok());
  SigInfo got;
  EXPECT_TRUE(dequeue_signal(*main, sigbit(SIGTERM), &got));
  EXPECT_FALSE(dequeue_signal(*main, sigbit(SIGTERM), &got));
  for (uint64_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(dequeue_signal(*main, ~SigSet{0}, &got));
    EXPECT_EQ(got.rt.value, i);
  }
  EXPECT_FALSE(dequeue_signal(*main, ~SigSet{0}, &got));
}

TEST_F(Signals, LowestNumberFirstButFaultsBeforeAll) {
  main->sig.blocked = ~SigSet{0};
  for (int signo : {40, SIGTERM, SIGHUP, SIGSEGV}) ASSERT_TRUE(send_signal(*main, info(signo)).ok());
  SigInfo got;
  for (int signo : {SIGSEGV, SIGHUP, SIGTERM, 40}) {
    ASSERT_TRUE(dequeue_signal(*main, ~SigSet{0}, &got));
    EXPECT_EQ(got.signo, signo);
  }
}

TEST_F(Signals, QueueLimit) {
  main->sig.blocked = ~SigSet{0};
  group->rlimits.limits[RLIMIT_SIGPENDING] = {2, 2};
  EXPECT_TRUE(send_signal(*group, info(40, SI_QUEUE)).ok());
  EXPECT_TRUE(send_signal(*group, info(40, SI_QUEUE)).ok());
  EXPECT_EQ(send_signal(*group, info(41, SI_QUEUE)).code(), EAGAIN);
  EXPECT_TRUE(send_signal(*group, info(41, SI_USER)).ok());  // kill(2) never fails for that
  SigInfo got;
  EXPECT_TRUE(dequeue_signal(*main, sigbit(41), &got));
}

TEST_F(Signals, IgnoredOnesAreDroppedUnlessBlocked) {
  send(SIGCHLD);
  EXPECT_EQ(group->signals.pending.bits, 0u);
  main->sig.blocked = sigbit(SIGCHLD);
  send(SIGCHLD);
  EXPECT_EQ(group->signals.pending.bits, sigbit(SIGCHLD));
  action_of(*group, SIGTERM).handler = HANDLER_IGNORE;
  send(SIGTERM);
  EXPECT_EQ(group->signals.pending.bits, sigbit(SIGCHLD));
}

TEST_F(Signals, ContAndStopCancelEachOther) {
  main->sig.blocked = ~SigSet{0} & ~SIG_UNBLOCKABLE;
  send(SIGTSTP);
  send(SIGTTIN);
  send(SIGCONT);
  EXPECT_EQ(group->signals.pending.bits, sigbit(SIGCONT));
  send(SIGTTOU);
  EXPECT_EQ(group->signals.pending.bits, sigbit(SIGTTOU));
}

TEST_F(Signals, OnlyThreadsThatAcceptAreDisturbed) {
  Task* other = add_thread(alloc_pid());
  handle(SIGUSR1);
  main->sig.blocked = sigbit(SIGUSR1);
  other->se.state = SchedEntity::State::running;
  send(SIGUSR1);
  EXPECT_EQ(host(other).kicks, 1);
  EXPECT_FALSE(signal_pending(*main));
  EXPECT_TRUE(signal_pending(*other));
  other->se.state = SchedEntity::State::blocked;
}

TEST_F(Signals, SigwaitTakesBlockedSignals) {
  main->sig.blocked = sigbit(SIGUSR1);
  send(SIGUSR1);
  EXPECT_FALSE(signal_pending(*main));
  main->sig.sigwait = sigbit(SIGUSR1);
  EXPECT_TRUE(signal_pending(*main));
  main->sig.sigwait = 0;
}

TEST_F(Signals, HandlerFrame) {
  handle(SIGUSR1, SA_SIGINFO, sigbit(SIGUSR2));
  main->sig.blocked = sigbit(SIGHUP);
  send(SIGUSR1);
  const SysResult result = 5;
  exit_to_user(*main, &result);
  ASSERT_EQ(host(main).frames.size(), 1u);
  const ResumeSignal& f = host(main).frames[0];
  EXPECT_EQ(f.signo, SIGUSR1);
  EXPECT_EQ(f.handler, HANDLER);
  EXPECT_EQ(f.restorer, RESTORER);
  EXPECT_EQ(f.sp, STACK - 128);
  EXPECT_EQ(f.saved_mask, sigbit(SIGHUP));
  EXPECT_FALSE(f.again);
  EXPECT_EQ(main->regs().rax, 5u);
  EXPECT_EQ(main->sig.blocked, sigbit(SIGHUP) | sigbit(SIGUSR1) | sigbit(SIGUSR2));
}

TEST_F(Signals, FramesAreStackedInOrder) {
  handle(SIGUSR1);
  handle(SIGUSR2);
  send(SIGUSR2), send(SIGUSR1);
  exit_to_user(*main, nullptr);
  exit_to_user(*main, nullptr);
  ASSERT_EQ(host(main).frames.size(), 2u);
  EXPECT_EQ(host(main).frames[0].signo, SIGUSR1);
  EXPECT_TRUE(host(main).frames[0].again);
  EXPECT_EQ(host(main).frames[1].signo, SIGUSR2);
  EXPECT_FALSE(host(main).frames[1].again);
}

TEST_F(Signals, Restart) {
  struct Case {
    int code;
    bool handler, restart_flag;
    int64_t rax;
    bool again;
  };
  constexpr int64_t NR = 0;
  const Case cases[] = {
      {ERESTARTSYS, false, false, NR, true},
      {ERESTARTSYS, true, false, -EINTR, false},
      {ERESTARTSYS, true, true, NR, true},
      {ERESTARTNOINTR, true, false, NR, true},
      {ERESTARTNOHAND, false, false, NR, true},
      {ERESTARTNOHAND, true, true, -EINTR, false},
      {ERESTART_RESTARTBLOCK, false, false, 219, true},
      {ERESTART_RESTARTBLOCK, true, true, -EINTR, false},
  };
  for (const Case& c : cases) {
    main->sig.blocked = 0;
    main->regs().rip = SYSCALL_END;
    main->call.nr = NR;
    if (c.handler) {
      handle(SIGUSR1, c.restart_flag ? SA_RESTART : 0);
      send(SIGUSR1);
    }
    const SysResult result = Error{c.code};
    exit_to_user(*main, &result);
    EXPECT_EQ(static_cast<int64_t>(main->regs().rax), c.rax) << c.code;
    EXPECT_EQ(main->regs().rip, c.again ? SYSCALL_END - 2 : SYSCALL_END) << c.code;
  }
}

TEST_F(Signals, SuspendMaskIsWhatTheHandlerRestores) {
  handle(SIGUSR1);
  main->sig.saved_mask = sigbit(SIGUSR1) | sigbit(SIGHUP);
  main->sig.restore_saved = true;
  main->sig.blocked = 0;
  send(SIGUSR1);
  const SysResult result = Error{ERESTARTNOHAND};
  exit_to_user(*main, &result);
  ASSERT_EQ(host(main).frames.size(), 1u);
  EXPECT_EQ(host(main).frames[0].saved_mask, sigbit(SIGUSR1) | sigbit(SIGHUP));
  EXPECT_FALSE(main->sig.restore_saved);

  main->sig.restore_saved = true;  // no handler: back at once
  main->sig.saved_mask = sigbit(SIGTERM);
  exit_to_user(*main, &result);
  EXPECT_EQ(main->sig.blocked, sigbit(SIGTERM));
  EXPECT_EQ(host(main).resumed, 1);
}

TEST_F(Signals, AlternateStack) {
  GuestStackT ss{0x10000, 0, 0, 65536};
  ASSERT_TRUE(set_alt_stack(*main, ss, STACK).ok());
  handle(SIGUSR1, SA_ONSTACK | SA_NODEFER);
  send(SIGUSR1);
  exit_to_user(*main, nullptr);
  ASSERT_EQ(host(main).frames.size(), 1u);
  EXPECT_EQ(host(main).frames[0].sp, 0x20000u);
  EXPECT_EQ(host(main).frames[0].altstack_size, 65536u);
  main->regs().rsp = 0x18000;  // the handler runs on it
  EXPECT_EQ(alt_stack_state(*main, 0x18000).flags, ALT_ONSTACK);
  EXPECT_EQ(set_alt_stack(*main, ss, 0x18000).code(), EPERM);
  send(SIGUSR1);
  exit_to_user(*main, nullptr);
  EXPECT_EQ(host(main).frames[1].sp, 0x18000u - 128);

  ss.flags = ALT_AUTODISARM;
  ASSERT_TRUE(set_alt_stack(*main, ss, STACK).ok());
  main->regs().rsp = STACK;
  send(SIGUSR1);
  exit_to_user(*main, nullptr);
  EXPECT_EQ(host(main).frames[2].altstack_flags, static_cast<uint32_t>(ALT_AUTODISARM));
  EXPECT_EQ(alt_stack_state(*main, STACK).flags, ALT_DISABLE);
}

TEST_F(Signals, ResetHandAndNoDefer) {
  handle(SIGUSR1, static_cast<uint32_t>(SA_RESETHAND) | SA_NODEFER);
  send(SIGUSR1);
  exit_to_user(*main, nullptr);
  EXPECT_EQ(main->sig.blocked, 0u);
  EXPECT_EQ(action_of(*group, SIGUSR1).handler, HANDLER_DEFAULT);
}

TEST_F(Signals, FaultsCannotBeBlocked) {
  handle(SIGSEGV);
  main->sig.blocked = sigbit(SIGSEGV);
  force_signal(*main, siginfo_kernel(SIGSEGV));
  EXPECT_EQ(action_of(*group, SIGSEGV).handler, HANDLER_DEFAULT);
  EXPECT_TRUE(fatal_signal_pending(*main));
}

TEST_F(Signals, BadFrameGivesTheMaskBack) {
  handle(SIGUSR1);
  handle(SIGSEGV);
  send(SIGUSR1);
  exit_to_user(*main, nullptr);
  signal_bad_frame(*main);
  EXPECT_EQ(main->sig.blocked, 0u);
  exit_to_user(*main, nullptr);
  EXPECT_EQ(host(main).frames.back().signo, SIGSEGV);
  signal_bad_frame(*main);
  EXPECT_EQ(action_of(*group, SIGSEGV).handler, HANDLER_DEFAULT);
}

TEST_F(Signals, KillMarksAllThreads) {
  Task* other = add_thread(alloc_pid());
  main->sig.blocked = ~SigSet{0};
  send(SIGKILL);
  EXPECT_TRUE(main->sig.killed && other->sig.killed);
  EXPECT_TRUE(group->exiting);
  EXPECT_EQ(group->exit_status, SIGKILL);
}

TEST_F(Signals, ExecKeepsIgnoredOnly) {
  handle(SIGUSR1, SA_RESTART, 5);
  action_of(*group, SIGUSR2).handler = HANDLER_IGNORE;
  signals_on_exec(*main);
  EXPECT_EQ(action_of(*group, SIGUSR1).handler, HANDLER_DEFAULT);
  EXPECT_EQ(action_of(*group, SIGUSR1).flags, 0u);
  EXPECT_EQ(action_of(*group, SIGUSR2).handler, HANDLER_IGNORE);
}

TEST_F(Signals, Permission) {
  const auto with_uids = [&](Task* t, uint32_t uid, uint32_t euid, uint32_t suid) {
    Ref<Cred> c = make_ref<Cred>();
    c->uid = uid, c->euid = euid, c->suid = suid;
    t->cred = c;
  };
  Ref<ThreadGroup> g = make_ref<ThreadGroup>(alloc_pid());
  g->session = group->session;
  Ref<Task> sender = make_ref<Task>(g->tgid, g);
  with_uids(main, 1, 2, 3);
  struct Case {
    uint32_t uid, euid;
    bool ok;
  };
  for (const Case& c :
       {Case{1, 9, true}, Case{9, 1, true}, Case{3, 9, true}, Case{9, 3, true}, Case{2, 2, false}}) {
    with_uids(sender.get(), c.uid, c.euid, 9);
    EXPECT_EQ(may_signal(*sender, *group, SIGTERM), c.ok) << c.uid << " " << c.euid;
  }
  EXPECT_TRUE(may_signal(*sender, *group, SIGCONT));
}

}  // namespace
}  // namespace starry
