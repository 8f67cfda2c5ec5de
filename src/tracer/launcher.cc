#include "tracer/launcher.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <map>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/entry/missing.h"
#include "emulated_kernel/profile/profile.h"
#include "emulated_kernel/profile/usage.h"
#include "emulated_kernel/sched/rseq.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/sync/timer.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/initial_rlimits.h"
#include "emulated_kernel/task/pid_table.h"
#include "emulated_kernel/task/process.h"
#include "emulated_kernel/task/ptrace.h"
#include "emulated_kernel/trace/tracer.h"
#include "emulated_kernel/tty/terminal.h"
#include "netstack/netstack.h"
#include "tracer/asio_thread.h"
#include "tracer/console.h"
#include "tracer/control_session.h"
#include "tracer/guest_fp.h"
#include "tracer/guest_process.h"
#include "tracer/guest_stack.h"
#include "tracer/guest_tree.h"
#include "tracer/host_cpus.h"
#include "tracer/host_files.h"
#include "tracer/host_poller.h"
#include "tracer/host_signals.h"
#include "tracer/publish.h"
#include "tracer/report.h"
#include "tracer/spawn_failure.h"
#include "tracer/start_error.h"
#include "tracer/state_dir.h"
#include "tracer/stub_answers.h"
#include "tracer/supervisor.h"
#include "tracer/trace_control.h"

namespace starry {
namespace {

constexpr int SIGNAL_STATUS = 128;
constexpr uint64_t NOTICE_AFTER_NS = 1'000'000'000;

int exit_code(int wait_status) {
  return WIFSIGNALED(wait_status) ? SIGNAL_STATUS + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

std::vector<std::string> make_environment(const std::vector<std::string>& changes) {
  std::vector<std::string> env;
  for (char** e = environ; *e != nullptr; ++e) env.emplace_back(*e);
  for (const std::string& change : changes) {
    const std::string key = change.substr(0, change.find('=') + 1);
    std::erase_if(env, [&](const std::string& e) { return e.starts_with(key); });
    env.push_back(change);
  }
  return env;
}

int cpu_count(const Options& o) { return o.cpus != 0 ? o.cpus : host_cpu_count(); }

KernelConfig kernel_config(const Options& o, Ref<const Cred> cred) {
  KernelConfig c;
  c.cpus = cpu_count(o);
  c.hostname = o.hostname;
  c.memory_bytes = o.memory;
  c.cred = std::move(cred);
  c.quiet = o.quiet;
  ptrace_fp() = {guest_fp_state, set_guest_fp_state};
  c.guest_stack = [](Task& t) { return guest_call_stack(t.regs(), *t.mm); };
  return c;
}

void log_to_stderr(LogLevel, std::string_view line) { host_message(std::string(line)); }

// One run of a guest, from the mounts to the last process.
class Launch {
 public:
  explicit Launch(const Options& options);
  int run();
  // Gives back what outlives the process: log, socket, directories. The rest needs no destruction, as
  // the process ends next: kernel objects of what was still running, and the threads that serve them.
  void close();

 private:
  // Sees every child of the kernel itself end: those of dead parents, and the first process.
  struct ChildWatch final : WaitEntry {
    explicit ChildWatch(Launch& l) : launch(l) {}
    bool on_wake(uint32_t) override {
      launch.quit_if_done();
      return true;
    }
    Launch& launch;
  };

  void boot();
  void start_program();
  void started(const Result<pid_t>& pid);
  void first_exited(int status);
  void quit_if_done();
  void on_signal(int signo);
  void summarize();
  void fail(int status, const std::string& message);

  Options options_;
  Console console_;  // first: it looks at what is open
  std::unique_ptr<TraceControl> trace_;
  std::unique_ptr<StateDir> state_;
  Ref<const Cred> cred_;
  Supervisor supervisor_;
  AsioThread asio_;
  HostPoller poller_;
  Publisher publisher_;
  HostSignals signals_;
  ChildWatch child_watch_{*this};
  Timer notice_;
  GuestTree tree_;

  ControlHost control_host_;
  std::unique_ptr<ControlServer> control_;

  bool first_gone_ = false, panicked_ = false;
  int interrupts_ = 0;  // SIGINTs received
  int status_ = EXIT_STARRYRUN_FAILED;
};

Launch::Launch(const Options& options)
    : options_(options),
      trace_(std::make_unique<TraceControl>(options.trace, options.command, cpu_count(options))),
      state_(std::make_unique<StateDir>(options_)),
      cred_(make_cred(options_.uid, options_.gid)),
      supervisor_(kernel_config(options_, cred_)),
      poller_(asio_),
      publisher_(options_.publish),
      signals_(asio_, [this](int signo) { on_signal(signo); }),
      notice_([this] {
        host_message(fmt::format("{} has ended; waiting for {} process(es) that it left behind",
                                 options_.command[0], live_processes()));
      }),
      control_host_{options_, poller_, tree_, *trace_, make_environment(options_.env), cred_},
      control_(std::make_unique<ControlServer>(
          asio_, options_.name, [this](const control::Frame& first, std::shared_ptr<ControlPeer> peer) {
            return make_control_session(control_host_, first, std::move(peer));
          })) {
  Rewriter::enabled = !options_.no_rewrite;
  StubAnswers::enabled = !options_.no_stub_answers;
  Supervisor::spin_enabled = !options_.no_spin;
  set_log_sink(log_to_stderr);
  if (options_.profile) profile::install(options_.profile);
  set_file_rules(options_.file_rules);
  if (!options_.report_file.empty()) {
    check_report(options_.report_file);
    usage_start();
  }
  on_kernel_panic([this] { panicked_ = true; });
  initial_rlimits() = options_.rlimits;
  uts_names() = options_.uts_names;
  uts_names().hostname = options_.hostname;
}

void Launch::close() {
  asio_.stop();
  trace_.reset();
  control_.reset();
  state_.reset();
  ProcessPool::instance().stop();
}

int Launch::run() {
  supervisor_.run([this] { boot(); });
  console_.finish();
  control_->flush();
  summarize();
  if (panicked_) status_ = EXIT_KERNEL_PANIC;
  if (!options_.report_file.empty()) write_report(options_.report_file, options_.command, status_);
  return status_;
}

// On a kernel fiber.
void Launch::boot() {
  try {
    tree_.mount(options_, state_->dir());
    netstack_init();
    publisher_.start(poller_);
    init_group().wait_chld.add(child_watch_);
    supervisor_.await_processes();
    start_program();
  } catch (const StartError& e) {
    fail(EXIT_STARRYRUN_FAILED, e.what());
  }
}

void Launch::start_program() {
  SpawnRequest req;
  req.path = options_.command[0];
  req.argv = options_.command;
  req.envp = control_host_.environment;
  req.cwd = tree_.start_directory(options_);
  req.fds = console_.open_files(
      poller_, options_.uid, [this](const char* path, int flags) { return tree_.open_device(path, flags); });
  req.cred = cred_;
  if (HostTerminal* tty = console_.host_terminal(); tty != nullptr) {
    req.tty = &tty->terminal();
    set_console(req.tty);
  }
  req.on_exit = [this](int status) { first_exited(status); };
  spawn_process(std::move(req), [this](const Result<pid_t>& pid) { started(pid); });
}

void Launch::started(const Result<pid_t>& pid) {
  if (pid) {
    control_host_.first_pid = pid.value();
    return;
  }
  const SpawnFailure why = explain_spawn_failure(pid.code(), options_.command[0], control_host_.environment,
                                                 tree_.start_directory(options_), tree_);
  fail(why.status, why.message);
}

void Launch::fail(int status, const std::string& message) {
  console_.finish();
  host_message(message);
  status_ = status;
  supervisor_.quit();
}

void Launch::first_exited(int status) {
  status_ = exit_code(status);
  first_gone_ = true;
  control_host_.first_pid = 0;
  console_.finish();
  // As shells do, which see no signal here: silent about those that are somebody's wish.
  if (const int signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      signo != 0 && signo != SIGINT && signo != SIGPIPE && interrupts_ < 2 && !panicked_ && !options_.quiet)
    host_message(fmt::format("{} was ended by {}", options_.command[0], signal_name(signo)));
  if (!options_.quiet) notice_.arm(platform().monotonic_ns() + NOTICE_AFTER_NS);
}

void Launch::quit_if_done() {
  if (!first_gone_ || live_processes() > 0) return;
  notice_.disarm();
  // After what the exits have posted, such as answers to starryctl.
  platform().post([this] { supervisor_.quit(); });
}

void Launch::on_signal(int signo) {
  HostTerminal* tty = console_.host_terminal();
  if (signo == SIGWINCH || signo == SIGCONT) {
    if (tty != nullptr) signo == SIGWINCH ? tty->resized() : tty->foreground_changed();
    return;
  }
  if (signo == SIGHUP && tty != nullptr) tty->hangup();
  if (signo == SIGINT && ++interrupts_ > 1) {
    host_message("interrupted twice: killing all processes");
    signal_everybody(SIGKILL);
  } else if (first_gone_) {
    signal_everybody(signo);
  } else if (control_host_.first_pid != 0) {
    send_signal_pgrp(control_host_.first_pid, siginfo_kernel(signo));
  } else {  // nothing to lose yet
    status_ = SIGNAL_STATUS + signo;
    supervisor_.quit();
  }
}

void Launch::summarize() {
  const std::vector<std::string> changes = tree_.changes(options_);
  if (changes.empty()) return;
  state_->keep();
  if (!options_.quiet)
    host_message(fmt::format("{} file{} changed, kept in {}", changes.size(), changes.size() == 1 ? "" : "s",
                             state_->dir()));
}

}  // namespace

Ref<const Cred> make_cred(uint32_t uid, uint32_t gid) {
  auto c = make_ref<Cred>();
  c->uid = c->euid = c->suid = c->fsuid = uid;
  c->gid = c->egid = c->sgid = c->fsgid = gid;
  // An ordinary user may bind ports below 1024 (RTSP's 554); ambient, or the first exec would drop it.
  constexpr uint64_t NET_BIND_SERVICE = 1ULL << 10;
  c->cap_permitted = c->cap_effective = uid == 0 ? CAP_FULL : NET_BIND_SERVICE;
  if (uid != 0) c->cap_inheritable = c->cap_ambient = NET_BIND_SERVICE;
  if (uid == getuid() && uid != 0) {  // the user as he is
    gid_t groups[256];
    const int n = getgroups(std::size(groups), groups);
    c->groups.assign(groups, groups + std::max(n, 0));
  }
  return c;
}

int run(const Options& options) {
  // A defect on purpose: the kernel's own tests must notice it (tests/selftests/rseq.list).
  if (const char* bug = getenv("STARRYRUN_PLANT_BUG"); bug != nullptr && std::strcmp(bug, "rseq") == 0)
    rseq_plant_bug();
  auto launch = std::make_unique<Launch>(options);
  const int status = launch->run();
  launch->close();
  fflush(nullptr);
  _exit(status);
}

}  // namespace starry
