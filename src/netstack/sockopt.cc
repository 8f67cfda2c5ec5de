#include "netstack/sockopt.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <unordered_map>

#include "emulated_kernel/base/log.h"

#ifndef UDP_CORK
#define UDP_CORK 1
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

namespace starry {

namespace {

constexpr SockoptRow ROWS[] = {
#define SOCKOPT(level, name, type, access, support, note) \
  {level, name, #level, #name, SockoptType::type, SockoptAccess::access, SockoptSupport::support, note},
#include "netstack/sockopts.def"
#undef SOCKOPT
};

uint64_t row_key(int level, int name) {
  return static_cast<uint64_t>(static_cast<uint32_t>(level)) << 32 | static_cast<uint32_t>(name);
}

size_t min_size(SockoptType type) {
  switch (type) {
    case SockoptType::INT:
      return sizeof(int);
    case SockoptType::INT8:
      return 1;
    case SockoptType::LINGER:
      return sizeof(linger);
    case SockoptType::TIMEVAL:
      return sizeof(timeval);
    default:
      return 0;
  }
}

Result<void> check(int level, int name, SockoptAccess wanted) {
  const SockoptRow* row = find_sockopt(level, name);
  if (row == nullptr) {
    klog(LogLevel::debug, "socket option {}/{} is unknown", level, name);
    return Error{ENOPROTOOPT};
  }
  if (row->support == SockoptSupport::NI) {
    klog(LogLevel::warn, "socket option {} {} is not implemented", row->level_text, row->text);
    return Error{ENOPROTOOPT};
  }
  if ((static_cast<int>(row->access) & static_cast<int>(wanted)) == 0) return Error{ENOPROTOOPT};
  return {};
}

}  // namespace

std::span<const SockoptRow> sockopt_rows() { return ROWS; }

const SockoptRow* find_sockopt(int level, int name) {
  static const auto index = [] {
    std::unordered_map<uint64_t, const SockoptRow*> map;
    for (const SockoptRow& row : ROWS) map.emplace(row_key(row.level, row.name), &row);
    return map;
  }();
  const auto it = index.find(row_key(level, name));
  return it == index.end() ? nullptr : it->second;
}

Result<void> check_sockopt_set(int level, int name, size_t len) {
  TRY(check(level, name, SockoptAccess::SET));
  if (len < min_size(find_sockopt(level, name)->type)) return Error{EINVAL};
  return {};
}

Result<void> check_sockopt_get(int level, int name) { return check(level, name, SockoptAccess::GET); }

int opt_int(OptIn value) { return value.size() >= sizeof(int) ? opt_as<int>(value) : value[0]; }

OptOut opt_ip_int(int v, size_t max) {
  if (max > 0 && max < sizeof(int) && v >= 0 && v <= 255) return {static_cast<uint8_t>(v)};
  return opt_of_int(v);
}

}  // namespace starry
