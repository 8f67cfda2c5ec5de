#include "tracer/control.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <deque>
#include <thread>

#include "emulated_kernel/platform.h"
#include "tracer/start_error.h"

namespace starry {

using boost::asio::local::stream_protocol;

struct ControlServer::Sessions {
  MakeSession make;
  std::map<Connection*, std::shared_ptr<ControlSession>> by_connection;
  std::atomic<size_t> unsent{0};  // of all connections
};

class ControlServer::Connection final : public ControlPeer, public std::enable_shared_from_this<Connection> {
 public:
  Connection(stream_protocol::socket socket, std::shared_ptr<Sessions> sessions)
      : socket_(std::move(socket)), sessions_(std::move(sessions)) {}

  void read() {
    socket_.async_wait(stream_protocol::socket::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& ec) {
                         if (!ec) self->on_readable();
                       });
  }

  void send(std::string frame) override {
    unsent_ += frame.size();
    sessions_->unsent += frame.size();
    boost::asio::post(socket_.get_executor(),
                      [self = shared_from_this(), frame = std::move(frame)]() mutable {
                        self->outgoing_.push_back(std::move(frame));
                        if (self->outgoing_.size() == 1) self->write();
                      });
  }
  size_t unsent() const override { return unsent_; }

 private:
  // Takes all frames that are there to the kernel thread; reading goes on when they have been served.
  void on_readable() {
    const int r = parser_.receive(socket_.native_handle(), MSG_DONTWAIT);
    if (r < 0 && errno == EAGAIN) return read();
    auto frames = std::make_shared<std::vector<control::Frame>>();
    control::Frame f;
    while (r > 0 && parser_.next(f)) frames->push_back(std::move(f));
    const bool over = r <= 0 || parser_.bad();
    platform().post([self = shared_from_this(), frames, over] {
      for (control::Frame& frame : *frames) self->serve(frame);
      if (over)
        self->closed();
      else
        boost::asio::post(self->socket_.get_executor(), [self] { self->read(); });
    });
  }

  void write() {
    boost::asio::async_write(socket_, boost::asio::buffer(outgoing_.front()),
                             [self = shared_from_this()](const boost::system::error_code& ec, size_t) {
                               // To a peer that is gone nothing can be sent; its session hears of that
                               // by reading.
                               (void)ec;
                               self->unsent_ -= self->outgoing_.front().size();
                               self->sessions_->unsent -= self->outgoing_.front().size();
                               self->outgoing_.pop_front();
                               if (!self->outgoing_.empty()) self->write();
                               platform().post([self] { self->sent(); });
                             });
  }

  // Kernel thread from here on.
  void serve(control::Frame& frame) {
    auto it = sessions_->by_connection.find(this);
    if (it == sessions_->by_connection.end()) {
      if (opened_) return;  // refused
      opened_ = true;
      std::shared_ptr<ControlSession> session = sessions_->make(frame, shared_from_this());
      if (session == nullptr) return;
      it = sessions_->by_connection.emplace(this, std::move(session)).first;
    }
    const std::shared_ptr<ControlSession> session = it->second;
    session->on_frame(frame);
  }
  void sent() {
    auto it = sessions_->by_connection.find(this);
    if (it != sessions_->by_connection.end()) it->second->on_sent();
  }
  void closed() {
    auto it = sessions_->by_connection.find(this);
    if (it == sessions_->by_connection.end()) return;
    const std::shared_ptr<ControlSession> session = std::move(it->second);
    sessions_->by_connection.erase(it);
    session->on_closed();
  }

  stream_protocol::socket socket_;
  std::shared_ptr<Sessions> sessions_;
  control::Parser parser_;
  std::deque<std::string> outgoing_;
  std::atomic<size_t> unsent_{0};
  bool opened_ = false;
};

ControlServer::ControlServer(AsioThread& asio, const std::string& name, MakeSession make_session)
    : path_(name), acceptor_(asio.context()), sessions_(std::make_shared<Sessions>()) {
  sessions_->make = std::move(make_session);
  unlink(path_.get().c_str());  // of a dead instance: we hold the name's lock
  boost::system::error_code ec;
  acceptor_.open({}, ec);
  if (!ec) acceptor_.bind({path_.get()}, ec);
  if (!ec) acceptor_.listen(boost::asio::socket_base::max_listen_connections, ec);
  if (ec) start_error("cannot listen on the control socket of '{}': {}", name, ec.message());
  accept();
}

ControlServer::~ControlServer() {
  sessions_->by_connection.clear();
  unlink(path_.get().c_str());
}

void ControlServer::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& ec, stream_protocol::socket socket) {
    if (ec == boost::asio::error::operation_aborted) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    // The directory is private already; root may come in too.
    const bool ours = !ec && getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
                      (peer.uid == getuid() || peer.uid == 0);
    if (ours) std::make_shared<Connection>(std::move(socket), sessions_)->read();
    accept();
  });
}

void ControlServer::flush() {
  // Five seconds: on a busy machine the other thread may need a while.
  for (int i = 0; i < 1000 && sessions_->unsent > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

}  // namespace starry
