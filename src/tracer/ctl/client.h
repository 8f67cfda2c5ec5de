// The asking side of a control connection.
#pragma once

#include <span>
#include <string>

#include "tracer/control_protocol.h"

namespace starry::ctl {

using control::Message;

class Client {
 public:
  // StartError if there is no such instance, or it does not answer.
  explicit Client(const std::string& instance);
  int socket() const { return socket_.get(); }
  void send(const Message& m, std::span<const int> fds = {});
  void send_data(std::string_view bytes);
  // Whether receive() has a frame already, which came together with the last one.
  bool has_frame() const { return parser_.has_frame(); }
  // The next frame; prints warnings on the way. An {error} ends the program's work: throws Failed.
  control::Frame receive();

 private:
  OwnedFd socket_;
  control::Parser parser_;
  std::string instance_;
};

// An answer {error}: what to print and the exit status.
struct Failed {
  std::string text;
  int status;
};

// True if something listens on the socket of that name; removes a dead one.
bool alive(const std::string& instance);

int ps();
int kill(const std::string& instance, const std::string& signal);
struct TraceCommand {
  std::string instance, power, file;  // power: on, off or nothing
  std::vector<std::string> expressions;
};
int trace(const TraceCommand& command);
int copy(const std::string& from, const std::string& to);
struct ExecOptions {
  std::string instance, user, workdir;
  std::vector<std::string> env, command;
};
int exec(const ExecOptions& options);

}  // namespace starry::ctl
