// starryctl exec. The instance reads and writes our descriptors itself; what is left for us is what only a
// process of this terminal's session can do: watch its size and job control, catch signals, restore modes.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "tracer/ctl/client.h"
#include "tracer/start_error.h"
#include "tracer/terminal_guard.h"

namespace starry::ctl {
namespace {

constexpr int FORWARDED[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

int terminal_fd() {
  Termios t;
  for (int fd : {0, 1, 2})
    if (ioctl(fd, TCGETS2, &t) == 0) return fd;
  return -1;
}

bool in_foreground(int terminal) {
  pid_t group = 0;
  if (ioctl(terminal, TIOCGPGRP, &group) != 0) return errno == ENOTTY;
  return group == getpgrp();
}

// Restores the terminal when we end, however we end.
class SavedModes {
 public:
  explicit SavedModes(int fd) : fd_(fd) {
    if (fd_ < 0 || ioctl(fd_, TCGETS2, &modes_) != 0) return;
    guard_ = std::make_unique<TerminalGuard>(fd_, modes_);
    guard_->engage();
  }
  ~SavedModes() {
    if (!guard_) return;
    signal(SIGTTOU, SIG_IGN);
    ioctl(fd_, TCSETS2, &modes_);
  }

 private:
  int fd_;
  Termios modes_;
  std::unique_ptr<TerminalGuard> guard_;
};

int catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signo : FORWARDED) sigaddset(&set, signo);
  for (int signo : {SIGWINCH, SIGCONT}) sigaddset(&set, signo);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

void parse_user(const std::string& user, Message& request) {
  int64_t uid = -1, gid = -1;
  const char* end = user.data() + user.size();
  auto r = std::from_chars(user.data(), end, uid);
  bool ok = r.ec == std::errc();
  gid = uid;
  if (ok && r.ptr != end) {
    ok = *r.ptr == ':';
    r = std::from_chars(r.ptr + 1, end, gid);
    ok = ok && r.ec == std::errc() && r.ptr == end;
  }
  if (!ok || uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
    start_error("-u: '{}' is not UID[:GID]", user);
  request["uid"] = uid;
  request["gid"] = gid;
}

Message make_request(const ExecOptions& o, int terminal) {
  Message m{{"op", "exec"}, {"argv", o.command}, {"foreground", terminal >= 0 && in_foreground(terminal)}};
  std::vector<std::string> env;
  if (const char* term = getenv("TERM")) env.push_back(std::string("TERM=") + term);
  for (const std::string& e : o.env) {
    if (e.find('=') == std::string::npos || e.front() == '=') start_error("-e {}: expected NAME=VALUE", e);
    env.push_back(e);
  }
  m["env"] = env;
  std::error_code ec;
  m["cwd"] = o.workdir.empty() ? std::filesystem::current_path(ec).string() : o.workdir;
  if (!o.workdir.empty()) m["cwd_required"] = true;
  if (!o.user.empty()) parse_user(o.user, m);
  return m;
}

void pass_signal(Client& client, int signals, int terminal) {
  signalfd_siginfo info{};
  if (read(signals, &info, sizeof info) != sizeof info) return;
  const int signo = static_cast<int>(info.ssi_signo);
  if (signo == SIGWINCH)
    client.send({{"op", "resized"}});
  else if (signo == SIGCONT)
    client.send({{"op", "foreground"}, {"value", terminal >= 0 && in_foreground(terminal)}});
  else
    client.send({{"op", "signal"}, {"signal", signo}});
}

}  // namespace

int exec(const ExecOptions& options) {
  Client client(options.instance);
  const int terminal = terminal_fd();
  const SavedModes saved(terminal);
  const int signals = catch_signals();

  Message request = make_request(options, terminal);
  std::vector<int> fds;
  for (int fd : {0, 1, 2})
    if (fcntl(fd, F_GETFD) >= 0) fds.push_back(fd);
  request["fds"] = fds;
  client.send(request, fds);
  client.receive();  // started

  for (;;) {
    pollfd p[2] = {{client.socket(), POLLIN, 0}, {signals, POLLIN, 0}};
    const bool frame = client.has_frame();
    if (poll(p, 2, frame ? 0 : -1) < 0 && errno != EINTR) start_error("poll: {}", strerror(errno));
    if (p[1].revents != 0) pass_signal(client, signals, terminal);
    if (!frame && p[0].revents == 0) continue;
    const control::Frame f = client.receive();
    if (f.message.contains("exit")) return static_cast<int>(control::number(f.message, "exit"));
  }
}

}  // namespace starry::ctl
