#include "tracer/publish.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <cstring>
#include <map>

#include "emulated_kernel/platform.h"
#include "netstack/publish.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

constexpr size_t RELAY_CHUNK = 65536;
constexpr size_t MAX_UDP_CLIENTS = 1024;

std::span<const uint8_t> as_bytes(const std::string& s) {
  return {reinterpret_cast<const uint8_t*>(s.data()), s.size()};
}

}  // namespace

// One TCP connection from outside.
class Publisher::TcpBridge {
 public:
  TcpBridge(Publisher& owner, OwnedFd socket, uint16_t guest_port)
      : owner_(owner), socket_(std::move(socket)), alive_(std::make_shared<bool>(true)) {
    PublishedTcp::Callbacks on;
    on.connected = [this] {
      connected_ = true;
      later();
    };
    on.failed = on.reset = [this](int) {
      broken_ = true;
      later();
    };
    on.readable = on.writable = [this] { later(); };
    guest_ = std::make_unique<PublishedTcp>(std::move(on));
    watch_ = owner_.poller_->add(socket_.get(), [this](uint32_t) { pump(); });
    guest_->connect(guest_port);
  }
  ~TcpBridge() {
    *alive_ = false;
    owner_.poller_->remove(watch_);
  }

 private:
  // Callbacks come from the middle of a guest's system call: the work is done after it.
  void later() {
    if (std::exchange(scheduled_, true)) return;
    platform().post([this, alive = alive_] {
      if (*alive) pump();
    });
  }

  void pump() {
    scheduled_ = false;
    if (connected_ && !broken_) {
      to_guest();
      to_host();
    }
    if (broken_)
      end(true);
    else if (guest_done_ && host_done_)
      end(false);
  }

  void to_guest() {
    while (!host_done_) {
      if (inbound_.empty() && !receive()) return;
      if (!inbound_.empty()) {
        inbound_.erase(0, guest_->write(as_bytes(inbound_)));
        if (!inbound_.empty()) return;  // until `writable`
      }
      if (host_eof_) {
        guest_->shutdown_write();
        host_done_ = true;
      }
    }
  }

  // False: nothing there yet.
  bool receive() {
    char buffer[RELAY_CHUNK];
    const ssize_t n = recv(socket_.get(), buffer, sizeof buffer, 0);
    if (n > 0) inbound_.assign(buffer, static_cast<size_t>(n));
    if (n == 0) host_eof_ = true;
    if (n >= 0) return true;
    if (errno == EAGAIN || errno == EINTR)
      owner_.poller_->arm(watch_, EPOLLIN);
    else
      broken_ = true;
    return false;
  }

  void to_host() {
    while (!guest_done_ && !broken_) {
      if (outbound_.empty()) {
        outbound_.resize(RELAY_CHUNK);
        outbound_.resize(guest_->read({reinterpret_cast<uint8_t*>(outbound_.data()), RELAY_CHUNK}));
      }
      if (outbound_.empty()) {
        if (!guest_->at_eof()) return;  // until `readable`
        shutdown(socket_.get(), SHUT_WR);
        guest_done_ = true;
        return;
      }
      const ssize_t n = ::send(socket_.get(), outbound_.data(), outbound_.size(), MSG_NOSIGNAL);
      if (n >= 0) {
        outbound_.erase(0, static_cast<size_t>(n));
      } else if (errno == EAGAIN || errno == EINTR) {
        owner_.poller_->arm(watch_, EPOLLOUT);
        return;
      } else {
        broken_ = true;
      }
    }
  }

  void end(bool reset) {
    guest_->close(reset);
    if (reset) {  // the outside sees a reset too
      const linger abort{1, 0};
      setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    }
    owner_.remove(this);
  }

  Publisher& owner_;
  OwnedFd socket_;
  std::unique_ptr<PublishedTcp> guest_;
  uint64_t watch_ = 0;
  std::string inbound_, outbound_;
  std::shared_ptr<bool> alive_;
  bool connected_ = false, scheduled_ = false, broken_ = false;
  bool host_eof_ = false, host_done_ = false, guest_done_ = false;
};

// One UDP port: every outside sender gets a port of his own inside.
class Publisher::UdpPort {
 public:
  UdpPort(HostPoller& poller, Port& port) : poller_(poller), port_(port) {
    port_.watch = poller_.add(port_.socket.get(), [this](uint32_t) { receive(); });
    poller_.arm(port_.watch, EPOLLIN);
  }

 private:
  struct Client {
    std::unique_ptr<PublishedUdp> inside;
    uint64_t last_used = 0;
  };

  void receive() {
    for (int i = 0; i < 64; ++i) {
      uint8_t data[RELAY_CHUNK];
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const ssize_t n =
          recvfrom(port_.socket.get(), data, sizeof data, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 0) break;
      Client& c = client(std::string(reinterpret_cast<const char*>(&from), size));
      c.last_used = ++uses_;
      c.inside->send({data, static_cast<size_t>(n)});
    }
    poller_.arm(port_.watch, EPOLLIN);
  }

  Client& client(const std::string& address) {
    auto it = clients_.find(address);
    if (it != clients_.end()) return it->second;
    if (clients_.size() >= MAX_UDP_CLIENTS)
      clients_.erase(std::min_element(clients_.begin(), clients_.end(), [](const auto& a, const auto& b) {
        return a.second.last_used < b.second.last_used;
      }));
    Client& c = clients_[address];
    c.inside =
        std::make_unique<PublishedUdp>(port_.guest_port, [this, address](std::span<const uint8_t> reply) {
          // As on any network, a datagram that cannot be sent is lost.
          (void)!sendto(port_.socket.get(), reply.data(), reply.size(), MSG_DONTWAIT,
                        reinterpret_cast<const sockaddr*>(address.data()),
                        static_cast<socklen_t>(address.size()));
        });
    return c;
  }

  HostPoller& poller_;
  Port& port_;
  std::map<std::string, Client> clients_;  // by the bytes of the address
  uint64_t uses_ = 0;
};

Publisher::Publisher(const std::vector<Options::Publish>& ports) {
  for (const Options::Publish& p : ports) {
    if (!p.addr.empty()) {
      bind_port(p, p.addr, false);
    } else {  // this machine only, by both of its names
      bind_port(p, "127.0.0.1", false);
      bind_port(p, "::1", true);
    }
  }
}

Publisher::~Publisher() {
  udp_.clear();
  bridges_.clear();
  if (poller_ == nullptr) return;
  for (const auto& p : ports_) poller_->remove(p->watch);
}

void Publisher::bind_port(const Options::Publish& spec, const std::string& address, bool optional) {
  const std::string what = fmt::format("--publish {}:{}", address, spec.host_port);
  boost::system::error_code ec;
  const auto ip = boost::asio::ip::make_address(address, ec);
  if (ec) start_error("{}: '{}' is not an address", what, address);
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (ip.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(spec.host_port);
    in.sin_addr.s_addr = htonl(ip.to_v4().to_uint());
    size = sizeof in;
  } else {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(spec.host_port);
    const auto bytes = ip.to_v6().to_bytes();
    std::memcpy(&in6.sin6_addr, bytes.data(), bytes.size());
    in6.sin6_scope_id = static_cast<uint32_t>(ip.to_v6().scope_id());
    size = sizeof in6;
  }
  const int type = (spec.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  OwnedFd s(::socket(storage.ss_family, type, 0));
  const int on = 1;
  if (s && !spec.udp) setsockopt(s.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (s && storage.ss_family == AF_INET6) setsockopt(s.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const bool ok = s && bind(s.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0 &&
                  (spec.udp || listen(s.get(), SOMAXCONN) == 0);
  if (!ok && optional && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT)) return;
  if (!ok) start_error("{}: {}", what, strerror(errno));
  ports_.push_back(std::make_unique<Port>(Port{std::move(s), spec.guest_port, spec.udp}));
}

void Publisher::start(HostPoller& poller) {
  poller_ = &poller;
  for (const auto& p : ports_) {
    if (p->udp) {
      udp_.push_back(std::make_unique<UdpPort>(poller, *p));
      continue;
    }
    p->watch = poller.add(p->socket.get(), [this, port = p.get()](uint32_t) { accept(*port); });
    poller.arm(p->watch, EPOLLIN);
  }
}

void Publisher::accept(Port& port) {
  for (;;) {
    OwnedFd s(accept4(port.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!s) break;
    const int on = 1;  // the guest's stack has decided already what to send when
    setsockopt(s.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bridges_.push_back(std::make_unique<TcpBridge>(*this, std::move(s), port.guest_port));
  }
  poller_->arm(port.watch, EPOLLIN);
}

void Publisher::remove(TcpBridge* bridge) {
  std::erase_if(bridges_, [bridge](const auto& b) { return b.get() == bridge; });
}

}  // namespace starry
