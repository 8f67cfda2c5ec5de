// What rtnetlink(7) tells about lo: its link, addresses and local routes.
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "netstack/lo.h"
#include "netstack/lwip_port.h"
#include "netstack/netlink.h"
#include "netstack/netlink_message.h"
#include "netstack/sockopt.h"

namespace starry {

namespace {

constexpr uint32_t FOREVER = 0xffffffff;

void put_link(const NetlinkReplies& r, uint16_t flags, std::vector<uint8_t>* out) {
  ifinfomsg info{};
  info.ifi_type = ARPHRD_LOOPBACK;
  info.ifi_index = LO_IFINDEX;
  const bool up = r.net.initial;
  info.ifi_flags = up ? IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP : IFF_LOOPBACK;
  NetlinkMessage m(RTM_NEWLINK, flags, r, info);
  const lwip::LoCounters counters = up ? lwip::lo_counters() : lwip::LoCounters{};
  rtnl_link_stats64 stats{};
  stats.rx_packets = stats.tx_packets = counters.packets;
  stats.rx_bytes = stats.tx_bytes = counters.bytes;
  rtnl_link_stats stats32{};
  stats32.rx_packets = stats32.tx_packets = static_cast<uint32_t>(counters.packets);
  stats32.rx_bytes = stats32.tx_bytes = static_cast<uint32_t>(counters.bytes);
  const uint8_t no_address[6] = {};
  m.text(IFLA_IFNAME, "lo")
      .attr(IFLA_TXQLEN, uint32_t{1000})
      .attr(IFLA_OPERSTATE, static_cast<uint8_t>(up ? IF_OPER_UNKNOWN : IF_OPER_DOWN))
      .attr(IFLA_LINKMODE, uint8_t{0})
      .attr(IFLA_MTU, uint32_t{LO_MTU})
      .attr(IFLA_GROUP, uint32_t{0})
      .attr(IFLA_PROMISCUITY, uint32_t{0})
      .attr(IFLA_NUM_TX_QUEUES, uint32_t{1})
      .attr(IFLA_NUM_RX_QUEUES, uint32_t{1})
      .attr(IFLA_CARRIER, uint8_t{1})
      .text(IFLA_QDISC, up ? "noqueue" : "noop")
      .attr(IFLA_CARRIER_CHANGES, uint32_t{0})
      .attr(IFLA_ADDRESS, no_address)
      .attr(IFLA_BROADCAST, no_address)
      .attr(IFLA_STATS64, stats)
      .attr(IFLA_STATS, stats32)
      .finish(out);
}

void put_address(const NetlinkReplies& r, int family, std::vector<uint8_t>* out) {
  const IpAddr a = IpAddr::loopback(family);
  const bool v4 = family == AF_INET;
  ifaddrmsg info{};
  info.ifa_family = static_cast<uint8_t>(family);
  info.ifa_prefixlen = v4 ? 8 : 128;
  info.ifa_flags = IFA_F_PERMANENT;
  info.ifa_scope = RT_SCOPE_HOST;
  info.ifa_index = LO_IFINDEX;
  NetlinkMessage m(RTM_NEWADDR, NLM_F_MULTI, r, info);
  const void* bytes = v4 ? &a.b[12] : &a.b[0];
  const size_t n = v4 ? 4 : 16;
  m.attr(IFA_ADDRESS, bytes, n);
  if (v4) m.attr(IFA_LOCAL, bytes, n).text(IFA_LABEL, "lo");
  const ifa_cacheinfo cache{FOREVER, FOREVER, 0, 0};
  m.attr(IFA_CACHEINFO, cache).attr(IFA_FLAGS, uint32_t{IFA_F_PERMANENT}).finish(out);
}

struct LocalRoute {
  int family;
  uint8_t prefix, type, scope;
  uint32_t v4;
  uint8_t table = RT_TABLE_LOCAL;
};
// As `ip route show table local` has them, and the way of multicast.
constexpr LocalRoute LOCAL_ROUTES[] = {
    {AF_INET, 8, RTN_LOCAL, RT_SCOPE_HOST, 0x7f000000},
    {AF_INET, 32, RTN_LOCAL, RT_SCOPE_HOST, 0x7f000001},
    {AF_INET, 32, RTN_BROADCAST, RT_SCOPE_LINK, 0x7fffffff},
    {AF_INET6, 128, RTN_LOCAL, RT_SCOPE_UNIVERSE, 0},
    {AF_INET, 4, RTN_UNICAST, RT_SCOPE_LINK, 0xe0000000, RT_TABLE_MAIN},
};

void put_route(const NetlinkReplies& r, const LocalRoute& route, std::vector<uint8_t>* out) {
  rtmsg info{};
  info.rtm_family = static_cast<uint8_t>(route.family);
  info.rtm_dst_len = route.prefix;
  info.rtm_table = route.table;
  info.rtm_protocol = route.table == RT_TABLE_LOCAL ? RTPROT_KERNEL : RTPROT_BOOT;
  info.rtm_scope = route.scope;
  info.rtm_type = route.type;
  NetlinkMessage m(RTM_NEWROUTE, NLM_F_MULTI, r, info);
  m.attr(RTA_TABLE, uint32_t{route.table});
  if (route.family == AF_INET) {
    m.attr(RTA_DST, htonl(route.v4));
    if (route.table == RT_TABLE_LOCAL) m.attr(RTA_PREFSRC, htonl(INADDR_LOOPBACK));
  } else {
    m.attr(RTA_DST, IpAddr::loopback(AF_INET6).b).attr(RTA_PRIORITY, uint32_t{0});
  }
  m.attr(RTA_OIF, uint32_t{LO_IFINDEX}).finish(out);
}

// The name in IFLA_IFNAME, if there is one.
std::string wanted_name(std::span<const uint8_t> payload) {
  size_t at = NLMSG_ALIGN(sizeof(ifinfomsg));
  while (at + sizeof(rtattr) <= payload.size()) {
    const auto a = opt_as<rtattr>(payload.subspan(at));
    if (a.rta_len < sizeof a || a.rta_len > payload.size() - at) break;
    if (a.rta_type == IFLA_IFNAME) {
      const std::string s(reinterpret_cast<const char*>(&payload[at]) + RTA_LENGTH(0),
                          a.rta_len - RTA_LENGTH(0));
      return s.c_str();
    }
    at += RTA_ALIGN(a.rta_len);
  }
  return {};
}

}  // namespace

bool rtnetlink_dump(const nlmsghdr& request, std::span<const uint8_t> payload, NetlinkReplies& r) {
  const int family = payload.empty() ? AF_UNSPEC : payload[0];
  auto wants = [&](int f) { return family == AF_UNSPEC || family == f; };
  std::vector<uint8_t> out;
  switch (request.nlmsg_type) {
    case RTM_GETLINK:
      put_link(r, NLM_F_MULTI, &out);
      break;
    case RTM_GETADDR:
      for (int f : {AF_INET, AF_INET6})
        if (r.net.initial && wants(f)) put_address(r, f, &out);
      break;
    case RTM_GETROUTE:
      for (const LocalRoute& route : LOCAL_ROUTES) {
        const auto filter = opt_as<rtmsg>(payload).rtm_table;
        if (r.net.initial && wants(route.family) && (filter == RT_TABLE_UNSPEC || filter == route.table))
          put_route(r, route, &out);
      }
      break;
    case RTM_GETNEIGH:
    case RTM_GETRULE:
    case RTM_GETQDISC:
      break;  // none
    default:
      return false;
  }
  if (!out.empty()) r.out.push_back(std::move(out));
  netlink_done(r);
  return true;
}

int rtnetlink_get(const nlmsghdr& request, std::span<const uint8_t> payload, NetlinkReplies& r) {
  if (request.nlmsg_type != RTM_GETLINK) return EOPNOTSUPP;
  if (payload.size() < sizeof(ifinfomsg)) return EINVAL;
  const int index = opt_as<ifinfomsg>(payload).ifi_index;
  const std::string name = wanted_name(payload);
  if (index == 0 && name.empty()) return EINVAL;
  if ((index != 0 && index != LO_IFINDEX) || (index == 0 && name != "lo")) return ENODEV;
  std::vector<uint8_t> out;
  put_link(r, 0, &out);
  r.out.push_back(std::move(out));
  return 0;
}

}  // namespace starry
