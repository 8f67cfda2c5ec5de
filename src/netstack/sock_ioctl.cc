// ioctl(2) on sockets: queue lengths and netdevice(7) requests about lo.
#include <linux/capability.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>

#include <algorithm>

#include "emulated_kernel/fd/async_owner.h"
#include "emulated_kernel/task/task.h"
#include "netstack/lo.h"
#include "netstack/socket.h"

namespace starry {

namespace {

constexpr size_t IFREQ_SIZE = 40;  // struct ifreq on x86-64
static_assert(sizeof(ifreq) == IFREQ_SIZE);

sockaddr inet_sockaddr(uint32_t address) {
  const SockAddr a = sockaddr_from({IpAddr::v4(address), 0}, AF_INET);
  return a.as<sockaddr>();
}

ifreq lo_request() {
  ifreq r{};
  std::copy_n("lo", 2, r.ifr_name);
  return r;
}

// struct ifconf: a length and a guest pointer.
struct GuestIfconf {
  int32_t len;
  uint32_t pad;
  UserAddr buf;
};

SysResult get_ifconf(Task& t, bool up, uint64_t arg) {
  auto conf = TRY(t.mem().get(UserPtr<GuestIfconf>{arg}));
  ifreq lo = lo_request();
  lo.ifr_addr = inet_sockaddr(INADDR_LOOPBACK);
  if (conf.buf == 0) {
    conf.len = up ? IFREQ_SIZE : 0;
  } else if (up && conf.len >= static_cast<int32_t>(IFREQ_SIZE)) {
    TRY(t.mem().put(UserPtr<ifreq>{conf.buf}, lo));
    conf.len = IFREQ_SIZE;
  } else {
    conf.len = 0;
  }
  TRY(t.mem().put(UserPtr<GuestIfconf>{arg}, conf));
  return 0;
}

bool is_change(unsigned long cmd) {
  switch (cmd) {
    case SIOCSIFFLAGS:
    case SIOCSIFADDR:
    case SIOCSIFNETMASK:
    case SIOCSIFBRDADDR:
    case SIOCSIFDSTADDR:
    case SIOCSIFMTU:
    case SIOCSIFHWADDR:
    case SIOCSIFNAME:
    case SIOCSIFTXQLEN:
    case SIOCSIFMETRIC:
    case SIOCADDRT:
    case SIOCDELRT:
    case SIOCADDMULTI:
    case SIOCDELMULTI:
      return true;
    default:
      return false;
  }
}

// Fills in the answer of a SIOCGIF* request about lo. ENOTTY: not one of them.
Result<void> answer_lo(unsigned long cmd, int family, bool up, ifreq* r) {
  switch (cmd) {
    case SIOCGIFFLAGS:
      r->ifr_flags = up ? IFF_UP | IFF_LOOPBACK | IFF_RUNNING : IFF_LOOPBACK;
      return {};
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK:
      if (family != AF_INET) return Error{family == AF_INET6 ? EINVAL : ENOTTY};
      if (!up && r->ifr_name[0] != 0) return Error{EADDRNOTAVAIL};
      r->ifr_addr = inet_sockaddr(cmd == SIOCGIFNETMASK   ? 0xff000000
                                  : cmd == SIOCGIFBRDADDR ? 0
                                                          : INADDR_LOOPBACK);
      return {};
    case SIOCGIFMTU:
      r->ifr_mtu = LO_MTU;
      return {};
    case SIOCGIFHWADDR:
      r->ifr_hwaddr = {};
      r->ifr_hwaddr.sa_family = ARPHRD_LOOPBACK;
      return {};
    case SIOCGIFINDEX:
      r->ifr_ifindex = LO_IFINDEX;
      return {};
    case SIOCGIFMETRIC:
      r->ifr_metric = 0;
      return {};
    case SIOCGIFTXQLEN:
      r->ifr_qlen = LO_TXQLEN;
      return {};
    case SIOCGIFMAP:
      r->ifr_map = {};
      return {};
    default:
      return Error{ENOTTY};
  }
}

}  // namespace

SysResult Socket::ioctl(Task& t, unsigned long cmd, uint64_t arg) {
  auto put_int = [&](int v) -> SysResult {
    TRY(t.mem().put(UserPtr<int>{arg}, v));
    return 0;
  };
  switch (cmd) {
    case SIOCINQ:  // FIONREAD
      if (accepting()) return Error{EINVAL};
      return put_int(unread_bytes());
    case SIOCOUTQ:  // TIOCOUTQ
      if (accepting()) return Error{EINVAL};
      return put_int(unsent_bytes());
    case SIOCATMARK:
      if (family() != AF_UNIX && type() != SOCK_STREAM) return Error{ENOTTY};
      return put_int(at_oob_mark());
    case FIOSETOWN:
    case SIOCSPGRP: {
      const int id = TRY(t.mem().get(UserPtr<int>{arg}));
      if (id == INT32_MIN) return Error{EINVAL};
      AsyncOwner& o = async_owner(*this);
      o.type = id < 0 ? F_OWNER_PGRP : F_OWNER_PID;
      o.id = t.kernel_pid(std::abs(id));
      return 0;
    }
    case FIOGETOWN:
    case SIOCGPGRP: {
      const AsyncOwner& o = async_owner(*this);
      return put_int(o.type == F_OWNER_PGRP ? -t.shown_pid(o.id) : t.shown_pid(o.id));
    }
    case SIOCGIFCONF:
      return get_ifconf(t, net_->initial, arg);
    case SIOCGIFNAME: {
      auto r = TRY(t.mem().get(UserPtr<ifreq>{arg}));
      if (r.ifr_ifindex != LO_IFINDEX) return Error{ENODEV};
      std::copy_n(lo_request().ifr_name, IFNAMSIZ, r.ifr_name);
      TRY(t.mem().put(UserPtr<ifreq>{arg}, r));
      return 0;
    }
    default:
      break;
  }
  const bool takes_ifreq = cmd != SIOCADDRT && cmd != SIOCDELRT;
  if (is_change(cmd) && takes_ifreq) TRY(t.mem().get(UserPtr<ifreq>{arg}));
  if (is_change(cmd)) return Error{capable(CAP_NET_ADMIN) ? EOPNOTSUPP : EPERM};
  ifreq scratch{};
  TRY(answer_lo(cmd, family_, net_->initial, &scratch));  // ENOTTY goes before EFAULT and ENODEV
  auto r = TRY(t.mem().get(UserPtr<ifreq>{arg}));
  r.ifr_name[IFNAMSIZ - 1] = 0;
  if (std::string_view(r.ifr_name) != "lo") return Error{ENODEV};
  TRY(answer_lo(cmd, family_, net_->initial, &r));
  TRY(t.mem().put(UserPtr<ifreq>{arg}, r));
  return 0;
}

}  // namespace starry
