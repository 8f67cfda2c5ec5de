#include "netstack/publish.h"
#include "netstack/tcp.h"

namespace starry {

namespace {
constexpr size_t BUFFER = 1 << 20;
constexpr size_t DATAGRAM_MAX = 65536;

// IoVec wants a pointer to fill or to read; sending only reads.
IoVec source(std::span<const uint8_t> data) {
  return IoVec::kernel(const_cast<uint8_t*>(data.data()), data.size());
}
}  // namespace

PublishedTcp::PublishedTcp(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

PublishedTcp::~PublishedTcp() { close(false); }

void PublishedTcp::connect(uint16_t port) {
  guest_port_ = port;
  if (auto r = try_connect(AF_INET); !r.ok()) callbacks_.failed(r.code());
}

Result<void> PublishedTcp::try_connect(int family) {
  family_ = family;
  const IpAddr ip = IpAddr::loopback(family);
  const Endpoint remote{ip, guest_port_};
  port_ = std::make_unique<PortUser>();
  port_->ip = ip;
  TRY(tcp_ports().bind_for_connect(*port_, [&](uint16_t p) {
    return tcp_table().pair_free({ip, p}, remote);
  }));
  local_ = {ip, port_->port};
  return start_connect(local_, remote, SYN_RETRIES);
}

TcpLink::Start PublishedTcp::link_start() { return {this, local_, std::move(port_), 0, 0, family_}; }

void PublishedTcp::on_connected(Ref<TcpLink> link, int side) {
  link_ = std::move(link);
  side_ = side;
  link_->set_limits(side, BUFFER, BUFFER);
  callbacks_.connected();
}

void PublishedTcp::on_connect_failed(int error) {
  port_.reset();
  if (error == ECONNREFUSED && family_ == AF_INET) {
    auto r = try_connect(AF_INET6);
    if (r.ok()) return;
    error = r.code();
  }
  callbacks_.failed(error);
}

void PublishedTcp::on_stream(uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP)) callbacks_.readable();
  if (link_ && (events & EPOLLOUT)) callbacks_.writable();
}

void PublishedTcp::on_reset(int error) { callbacks_.reset(error); }

size_t PublishedTcp::write(std::span<const uint8_t> data) {
  if (!link_ || link_->fin_sent(side_)) return 0;
  if (link_->state(side_) == TcpState::close) return 0;
  const size_t n = std::min(data.size(), link_->room(side_));
  if (n < data.size()) link_->want_room(side_);
  if (n == 0) return 0;
  IoVec from = source(data.first(n));
  const Ref<TcpLink> keep = link_;
  return keep->write(side_, from, n, false, false).value();
}

size_t PublishedTcp::read(std::span<uint8_t> buffer) {
  if (!link_) return 0;
  link_->skip_urgent(side_);
  IoVec to = IoVec::kernel(buffer.data(), buffer.size());
  return link_->read(side_, to, buffer.size(), 0, false).value();
}

bool PublishedTcp::at_eof() const {
  return link_ && link_->unread(side_) == 0 &&
         (link_->fin_received(side_) || link_->state(side_) == TcpState::close);
}

void PublishedTcp::shutdown_write() {
  if (link_) link_->send_fin(side_);
}

void PublishedTcp::close(bool reset) {
  cancel_connect();
  if (!link_) return;
  const Ref<TcpLink> link = std::move(link_);
  link_.reset();
  link->close(side_, reset);
}

// Hears of replies through the socket's poll queue, as an epoll would.
class PublishedUdp::Watch final : public WaitEntry {
 public:
  Watch(UdpSocket& s, std::function<void(std::span<const uint8_t>)> reply)
      : socket_(s), reply_(std::move(reply)), buffer_(DATAGRAM_MAX) {}
  bool on_wake(uint32_t events) override {
    if (!(events & EPOLLIN)) return false;
    for (;;) {
      IoVec to = IoVec::kernel(buffer_.data(), buffer_.size());
      RecvMsg m{&to};
      m.flags = MSG_DONTWAIT;
      const auto n = socket_.recv(m);
      if (!n.ok()) {
        if (n.code() == ECONNREFUSED) continue;  // nobody listens yet; ICMP is not passed on
        return true;
      }
      reply_(std::span<const uint8_t>(buffer_).first(n.value()));
    }
  }

 private:
  UdpSocket& socket_;
  std::function<void(std::span<const uint8_t>)> reply_;
  std::vector<uint8_t> buffer_;
};

PublishedUdp::PublishedUdp(uint16_t guest_port, std::function<void(std::span<const uint8_t>)> reply) {
  const Endpoint v4{IpAddr::loopback(AF_INET), guest_port}, v6{IpAddr::loopback(AF_INET6), guest_port};
  const bool use_v6 = UdpSocket::find(v4, {}) == nullptr && UdpSocket::find(v6, {}) != nullptr;
  const int family = use_v6 ? AF_INET6 : AF_INET;
  socket_ = make_ref<UdpSocket>(family);
  watch_ = std::make_unique<Watch>(*socket_, std::move(reply));
  (void)socket_->connect(sockaddr_from(use_v6 ? v6 : v4, family));
  socket_->poll_queue()->add(*watch_);
}

PublishedUdp::~PublishedUdp() { WaitQueue::remove(*watch_); }

void PublishedUdp::send(std::span<const uint8_t> data) {
  IoVec from = source(data);
  SendMsg m{&from};
  m.flags = MSG_DONTWAIT;
  (void)socket_->send(m);  // datagrams may be lost
}

}  // namespace starry
