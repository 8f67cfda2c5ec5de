#include "tracer/control_session.h"

#include <unistd.h>

#include <csignal>

#include "emulated_kernel/signal/signal.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/process.h"
#include "tracer/start_error.h"
#include "vfs/procfs/generators.h"

namespace starry {
namespace {

using control::Message;

// A request that is answered at once.
class OneAnswer final : public ControlSession {
 public:
  explicit OneAnswer(std::shared_ptr<ControlPeer> peer, std::function<Message(const Message&)> answer)
      : peer_(std::move(peer)), answer_(std::move(answer)) {}
  void on_frame(control::Frame& frame) override {
    if (!frame.is_data) peer_->send(answer_(frame.message));
  }
  void on_closed() override {}

 private:
  std::shared_ptr<ControlPeer> peer_;
  std::function<Message(const Message&)> answer_;
};

std::string command_line(const ThreadGroup& g) {
  std::string text = g.cmdline_at_exec;
  while (!text.empty() && text.back() == '\0') text.pop_back();
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text.empty() && g.leader() != nullptr ? "[" + g.leader()->name() + "]" : text;
}

Message list_processes(const ControlHost& host) {
  Message list = Message::array();
  for_each_group([&](ThreadGroup& g) {
    if (g.leader() == nullptr) return;  // the kernel's own
    list.push_back({{"pid", g.tgid},
                    {"ppid", g.parent != nullptr ? g.parent->tgid : 0},
                    {"uid", g.leader()->cred ? g.leader()->cred->uid : 0},
                    {"threads", g.threads.size()},
                    {"state", std::string(1, proc::state_letter(*g.leader()))},
                    {"cpu_ms", cpu_times(g).total() / 1'000'000},
                    {"command", command_line(g)}});
  });
  return {
      {"name", host.options.name}, {"pid", getpid()}, {"command", host.options.command}, {"processes", list}};
}

Message send_kill(const ControlHost& host, const Message& request) {
  const int signo = static_cast<int>(control::number(request, "signal", SIGTERM));
  if (signo < 1 || signo > 64) return {{"error", "no such signal"}, {"status", EXIT_STARRYRUN_FAILED}};
  // SIGKILL, or a signal after the first process: to all that is left.
  if (signo == SIGKILL || host.first_pid == 0)
    signal_everybody(signo);
  else
    send_signal_pgrp(host.first_pid, siginfo_kernel(signo));
  return {{"ok", true}};
}

Message change_trace(const ControlHost& host, const Message& request) {
  TraceChange change;
  const std::string power = control::text(request, "power");
  if (power == "on") change.power = TraceChange::Power::ON;
  if (power == "off") change.power = TraceChange::Power::OFF;
  change.expressions = control::texts(request, "expressions");
  change.file = control::text(request, "file");
  if (const std::string wrong = host.trace.change(change); !wrong.empty())
    return {{"error", wrong}, {"status", EXIT_STARRYRUN_FAILED}};
  return {{"state", host.trace.state()}};
}

}  // namespace

void signal_everybody(int signo) {
  for_each_group([signo](ThreadGroup& g) {
    if (!g.zombie && g.leader() != nullptr) (void)send_signal(g, siginfo_kernel(signo));
  });
}

std::shared_ptr<ControlSession> make_control_session(const ControlHost& host, const control::Frame& first,
                                                     std::shared_ptr<ControlPeer> peer) {
  const std::string op = first.is_data ? "" : control::text(first.message, "op");
  if (op == "ps")
    return std::make_shared<OneAnswer>(std::move(peer),
                                       [&host](const Message&) { return list_processes(host); });
  if (op == "kill")
    return std::make_shared<OneAnswer>(std::move(peer),
                                       [&host](const Message& m) { return send_kill(host, m); });
  if (op == "trace")
    return std::make_shared<OneAnswer>(std::move(peer),
                                       [&host](const Message& m) { return change_trace(host, m); });
  if (op == "exec") return make_exec_session(host, std::move(peer));
  if (op == "get") return make_get_session(host, std::move(peer));
  if (op == "put") return make_put_session(host, std::move(peer));
  peer->error(EXIT_STARRYRUN_FAILED, "this starryrun does not know the request");
  return nullptr;
}

}  // namespace starry
