#include <algorithm>
#include <list>
#include <map>
#include <utility>
#include <vector>

#include "emulated_kernel/platform.h"
#include "emulated_kernel/sync/timer.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "netstack/err.h"
#include "netstack/lwip_internal.h"

namespace starry::lwip {

namespace {

constexpr uint64_t TICK_NS = 250ULL * 1000 * 1000;  // TCP_TMR_INTERVAL
constexpr int TICKS_PER_SECOND = 2;                 // unit of tcp_pcb::rto: TCP_SLOW_INTERVAL

std::list<TcpOpen::Impl*>& opens() {
  static std::list<TcpOpen::Impl*> list;
  return list;
}
// Established connections, to be taken out of lwIP when it is not looking at them.
std::vector<tcp_pcb*> graduates;

void graduate(tcp_pcb* pcb) {
  tcp_arg(pcb, nullptr);
  tcp_err(pcb, nullptr);
  graduates.push_back(pcb);
}

}  // namespace

struct TcpOpen::Impl {
  explicit Impl(std::function<void(int)> f) : failed(std::move(f)) {}
  ~Impl() { detach(); }
  void detach() {
    if (linked) opens().erase(where);
    linked = false;
  }
  void fail(int error) {
    detach();
    auto f = std::move(failed);
    f(error);  // may destroy this object
  }

  std::function<void(int)> failed;
  tcp_pcb* pcb = nullptr;
  int sent_again = 0;  // SYNs repeated so far
  int syn_retries = 6;
  bool linked = false;
  std::list<Impl*>::iterator where;
};

namespace {

err_t on_connected(void* arg, tcp_pcb* pcb, err_t) {
  auto* open = static_cast<TcpOpen::Impl*>(arg);
  if (open == nullptr) return ERR_OK;
  open->pcb = nullptr;
  open->detach();
  graduate(pcb);
  return ERR_OK;
}

void on_error(void* arg, err_t err) {
  auto* open = static_cast<TcpOpen::Impl*>(arg);
  if (open == nullptr) return;
  open->pcb = nullptr;  // lwIP frees it
  open->fail(errno_from_lwip(err));
}

err_t on_accept(void*, tcp_pcb* pcb, err_t err) {
  if (err != ERR_OK || pcb == nullptr) return ERR_VAL;
  const Endpoint server{from_lwip(pcb->local_ip), pcb->local_port};
  const Endpoint client{from_lwip(pcb->remote_ip), pcb->remote_port};
  graduate(pcb);
  hooks().established(server, client);
  return ERR_OK;
}

// tcp(7): SYNs are repeated after 1, 2, 4, ... s. lwIP's own schedule is shorter and gives up earlier.
void set_rto(TcpOpen::Impl& open) {
  open.pcb->rto = static_cast<s16_t>(TICKS_PER_SECOND << std::min(open.sent_again, 7));
}

// Counts the repetitions of `open`. False: it has had its share.
bool count_retries(TcpOpen::Impl& open) {
  if (open.pcb->nrtx == 0) return true;
  open.pcb->nrtx = 0;
  if (++open.sent_again > open.syn_retries) return false;
  set_rto(open);
  return true;
}

void tick() {
  tcp_tmr();
  std::vector<TcpOpen::Impl*> timed_out;
  for (TcpOpen::Impl* open : opens())
    if (!count_retries(*open)) timed_out.push_back(open);
  for (TcpOpen::Impl* open : timed_out) {
    tcp_pcb* pcb = std::exchange(open->pcb, nullptr);
    tcp_err(pcb, nullptr);
    tcp_abandon(pcb, 0);
    open->fail(ETIMEDOUT);
  }
  run_lo();
}

Timer& tick_timer() {
  static Timer timer(tick);
  return timer;
}

}  // namespace

void tcp_after_run() {
  while (!graduates.empty()) {
    tcp_pcb* pcb = graduates.back();
    graduates.pop_back();
    tcp_abandon(pcb, 0);
  }
  // Only a handshake in progress needs lwIP's clock.
  if (opens().empty())
    tick_timer().disarm();
  else if (!tick_timer().armed())
    tick_timer().arm(platform().monotonic_ns() + TICK_NS);
}

TcpOpen::TcpOpen(std::function<void(int)> failed) : impl_(std::make_unique<Impl>(std::move(failed))) {}

TcpOpen::~TcpOpen() {
  if (impl_->pcb == nullptr) return;
  tcp_err(impl_->pcb, nullptr);
  tcp_abandon(impl_->pcb, 0);
}

Result<void> TcpOpen::start(const Endpoint& local, const Endpoint& remote, int syn_retries) {
  const ip_addr_t from = to_lwip(local.ip), to = to_lwip(remote.ip);
  tcp_pcb* pcb = tcp_new_ip_type(IP_GET_TYPE(&to));
  if (pcb == nullptr) return Error{ENOBUFS};
  // Which local ports may be shared is decided in ports.h; lwIP is told that anything goes.
  ip_set_option(pcb, SOF_REUSEADDR);
  err_t err = tcp_bind(pcb, &from, local.port);
  if (err == ERR_OK) {
    impl_->pcb = pcb;
    impl_->syn_retries = syn_retries;
    impl_->where = opens().insert(opens().end(), impl_.get());
    impl_->linked = true;
    tcp_arg(pcb, impl_.get());
    tcp_err(pcb, on_error);
    err = tcp_connect(pcb, &to, remote.port, on_connected);
    if (err == ERR_OK) {
      set_rto(*impl_);
      run_lo();  // may have destroyed this object
      return {};
    }
    impl_->pcb = nullptr;
    impl_->detach();
  }
  tcp_err(pcb, nullptr);
  tcp_abandon(pcb, 0);
  return Error{errno_from_lwip(err)};
}

struct TcpListen::Shared {
  Key key;
  tcp_pcb* pcb = nullptr;
  int users = 0;
};

namespace {
std::map<TcpListen::Key, TcpListen::Shared>& shared_listens() {
  static std::map<TcpListen::Key, TcpListen::Shared> map;
  return map;
}
}  // namespace

Result<void> TcpListen::open(const Endpoint& local, bool v6only) {
  const Key key{local, v6only};
  Shared& s = shared_listens()[key];
  if (s.pcb == nullptr) {
    const bool dual = !v6only && local.ip == IpAddr{};
    ip_addr_t ip = to_lwip(local.ip);
    if (dual) IP_SET_TYPE(&ip, IPADDR_TYPE_ANY);
    tcp_pcb* pcb = tcp_new_ip_type(IP_GET_TYPE(&ip));
    err_t err = ERR_MEM;
    if (pcb != nullptr) {
      ip_set_option(pcb, SOF_REUSEADDR);
      err = tcp_bind(pcb, &ip, local.port);
    }
    tcp_pcb* listener = err == ERR_OK ? tcp_listen_with_backlog_and_err(pcb, 255, &err) : nullptr;
    if (listener == nullptr) {
      if (pcb != nullptr) tcp_abandon(pcb, 0);
      shared_listens().erase(key);
      return Error{errno_from_lwip(err)};
    }
    tcp_accept(listener, on_accept);
    s.key = key;
    s.pcb = listener;
  }
  s.users++;
  shared_ = &s;
  return {};
}

void TcpListen::close() {
  Shared* s = std::exchange(shared_, nullptr);
  if (s == nullptr || --s->users > 0) return;
  tcp_close(s->pcb);
  shared_listens().erase(Key(s->key));
}

}  // namespace starry::lwip
