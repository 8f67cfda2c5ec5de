// The control socket of a running instance, for starryctl. Connections live on the Asio thread; what they
// ask for is done by a ControlSession on the kernel thread.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tracer/asio_thread.h"
#include "tracer/control_protocol.h"
#include "tracer/instance.h"

namespace starry {

// The answering side of a connection. Any thread.
class ControlPeer {
 public:
  virtual ~ControlPeer() = default;
  virtual void send(std::string frame) = 0;
  // Bytes given to send() that the other side has not taken yet.
  virtual size_t unsent() const = 0;
  void send(const control::Message& m) { send(control::encode(m)); }
  void error(int status, const std::string& text) {
    send(control::Message{{"error", text}, {"status", status}});
  }
};

// One connection as the kernel thread sees it. Made for the first frame.
class ControlSession {
 public:
  virtual ~ControlSession() = default;
  virtual void on_frame(control::Frame& frame) = 0;
  virtual void on_sent() {}      // unsent() got smaller
  virtual void on_closed() = 0;  // the other side is gone; the session goes away after this
};

class ControlServer {
 public:
  // Makes the session for a connection's first request, or null after answering with an error.
  using MakeSession = std::function<std::shared_ptr<ControlSession>(const control::Frame& first,
                                                                    std::shared_ptr<ControlPeer> peer)>;
  // Listens on the socket of instance `name`, whose lock the caller holds. StartError.
  ControlServer(AsioThread& asio, const std::string& name, MakeSession make_session);
  ~ControlServer();  // after the Asio thread has stopped; removes the socket
  // Waits until what was sent to peers has left, at most a moment. Asio thread still running.
  void flush();

 private:
  class Connection;
  struct Sessions;  // kernel thread
  void accept();

  ControlSocketPath path_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  std::shared_ptr<Sessions> sessions_;
};

}  // namespace starry
