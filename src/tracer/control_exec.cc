// starryctl exec: a further process in the instance, on descriptors that starryctl has sent. Its terminal is
// read and written by us directly; starryctl restores its modes and tells us of its size, of job control
// and of signals.
#include <sys/wait.h>

#include <csignal>

#include "emulated_kernel/platform.h"
#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/task/process.h"
#include "tracer/control_session.h"
#include "tracer/guest_files.h"
#include "tracer/spawn_failure.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

using control::Message;

class ExecSession final : public ControlSession, public std::enable_shared_from_this<ExecSession> {
 public:
  ExecSession(const ControlHost& host, std::shared_ptr<ControlPeer> peer)
      : host_(host), peer_(std::move(peer)) {}

  void on_frame(control::Frame& frame) override {
    const std::string op = frame.is_data ? "" : control::text(frame.message, "op");
    if (op == "exec" && !asked_)
      start(frame);
    else if (op == "signal")
      signal(static_cast<int>(control::number(frame.message, "signal")));
    else if (op == "resized" && tty_)
      tty_->resized();
    else if (op == "foreground") {
      foreground_ = frame.message.value("value", Message(false)) == Message(true);
      if (tty_) tty_->foreground_changed();
    }
  }

  // starryctl is gone: as if the terminal's line, or the pipe's other end, had been cut.
  void on_closed() override {
    closed_ = true;
    if (tty_) tty_->hangup();
    signal(SIGHUP);
    signal(SIGCONT);
  }

 private:
  void start(control::Frame& frame) {
    asked_ = true;
    try {
      SpawnRequest req = request(frame.message);
      open_files(frame, req);
      req.on_exit = [self = shared_from_this()](int status) { self->exited(status); };
      program_ = req.path;
      env_ = req.envp;
      cwd_ = req.cwd;
      spawn_process(std::move(req),
                    [self = shared_from_this()](const Result<pid_t>& pid) { self->started(pid); });
    } catch (const StartError& e) {
      peer_->error(EXIT_STARRYRUN_FAILED, e.what());
    }
  }

  SpawnRequest request(const Message& m) {
    SpawnRequest req;
    req.argv = control::texts(m, "argv");
    if (req.argv.empty()) start_error("no command given");
    req.path = req.argv.front();
    req.envp = host_.environment;
    for (const std::string& change : control::texts(m, "env")) {
      const std::string key = change.substr(0, change.find('=') + 1);
      std::erase_if(req.envp, [&](const std::string& e) { return e.starts_with(key); });
      req.envp.push_back(change);
    }
    req.cwd = control::text(m, "cwd");
    if (!host_.tree.has_directory(req.cwd)) {
      if (m.contains("cwd_required")) start_error("{}: no such directory in the guest", req.cwd);
      req.cwd = host_.tree.start_directory(host_.options);
    }
    const int64_t uid = control::number(m, "uid", -1), gid = control::number(m, "gid", uid);
    req.cred = uid < 0 ? host_.cred : make_cred(static_cast<uint32_t>(uid), static_cast<uint32_t>(gid));
    foreground_ = m.value("foreground", Message(false)) == Message(true);
    return req;
  }

  void open_files(control::Frame& frame, SpawnRequest& req) {
    std::vector<std::pair<int, int>> fds;
    const Message numbers = frame.message.value("fds", Message::array());
    for (size_t i = 0; i < numbers.size() && i < frame.fds.size(); ++i)
      if (numbers[i].is_number_integer() && numbers[i] >= 0 && numbers[i] <= 2)
        fds.emplace_back(numbers[i].get<int>(), frame.fds[i].get());
    HostTerminal::Setup setup;
    setup.uid = req.cred->uid;
    setup.in_foreground = [this] { return foreground_ && !closed_; };
    GuestFiles opened =
        open_guest_files(DescriptorSet(std::move(fds)), host_.poller, std::move(setup),
                         [this](const char* path, int flags) { return host_.tree.open_device(path, flags); });
    tty_ = std::move(opened.tty);
    if (tty_) req.tty = &tty_->terminal();
    req.fds = std::move(opened.files);
  }

  void started(const Result<pid_t>& pid) {
    if (pid) {
      pid_ = pid.value();
      peer_->send(Message{{"started", pid_}});
      if (closed_) on_closed();
      return;
    }
    tty_.reset();
    const SpawnFailure why = explain_spawn_failure(pid.code(), program_, env_, cwd_, host_.tree);
    peer_->error(why.status, why.message);
  }

  // Still inside the exit of the process: the terminal goes away afterwards.
  void exited(int status) {
    pid_ = 0;
    platform().post([self = shared_from_this(), status] {
      self->tty_.reset();
      self->peer_->send(
          Message{{"exit", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)}});
    });
  }

  void signal(int signo) {
    if (pid_ != 0 && signo >= 1 && signo <= 64) send_signal_pgrp(pid_, siginfo_kernel(signo));
  }

  const ControlHost& host_;
  std::shared_ptr<ControlPeer> peer_;
  std::unique_ptr<HostTerminal> tty_;
  std::string program_, cwd_;
  std::vector<std::string> env_;
  pid_t pid_ = 0;
  bool asked_ = false, foreground_ = false, closed_ = false;
};

}  // namespace

std::shared_ptr<ControlSession> make_exec_session(const ControlHost& host,
                                                  std::shared_ptr<ControlPeer> peer) {
  return std::make_shared<ExecSession>(host, std::move(peer));
}

}  // namespace starry
