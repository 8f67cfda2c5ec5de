// sendmsg(2) and recvmsg(2): message headers and control messages.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/trace/printer.h"

namespace starry::trace {
namespace {

constexpr uint64_t MAX_CONTROL = 64 * 1024;

struct CmsgHeader {
  uint64_t len;
  int32_t level, type;
};

FlagFamily cmsg_type_family(int level) {
  return level == SOL_IP ? FlagFamily::ip_options : FlagFamily::scm_types;
}

void print_address(Printer& p, const char* name, const in_addr& a) {
  char text[INET_ADDRSTRLEN];
  p.print(", {}=inet_addr(\"{}\")", name, inet_ntop(AF_INET, &a, text, sizeof text));
}

void print_packet_info(Printer& p, const in_pktinfo& i) {
  constexpr int LOOPBACK_INDEX = 1;
  if (i.ipi_ifindex == LOOPBACK_INDEX)
    p.put("{ipi_ifindex=if_nametoindex(\"lo\")");
  else
    p.print("{{ipi_ifindex={}", i.ipi_ifindex);
  print_address(p, "ipi_spec_dst", i.ipi_spec_dst);
  print_address(p, "ipi_addr", i.ipi_addr);
  p.put("}");
}

template <class T>
T value_from(const char* data) {
  T v;
  std::memcpy(&v, data, sizeof v);
  return v;
}

// Data that strace does not know is not shown at all.
void print_cmsg_data(Printer& p, const CmsgHeader& h, const char* data, size_t len) {
  constexpr int RIGHTS = 1, CREDENTIALS = 2;
  constexpr std::string_view FIELD = ", cmsg_data=";
  const auto is = [&](int level, int type, size_t least) {
    return h.level == level && h.type == type && len >= least;
  };
  if (is(SOL_SOCKET, RIGHTS, sizeof(int))) {
    p.put(FIELD);
    p.array(len / sizeof(int), [&](uint64_t i) {
      p.fd(value_from<int>(data + i * sizeof(int)));
      return true;
    });
  } else if (is(SOL_SOCKET, CREDENTIALS, sizeof(ucred))) {
    const auto c = value_from<ucred>(data);
    p.print("{}{{pid={}, uid={}, gid={}}}", FIELD, c.pid, c.uid, c.gid);
  } else if (is(SOL_SOCKET, SO_TIMESTAMP, sizeof(timeval))) {
    p.put(FIELD);
    const auto t = value_from<timeval>(data);
    print_timeval(p, t.tv_sec, t.tv_usec);
  } else if (is(SOL_SOCKET, SO_TIMESTAMPNS, sizeof(timespec))) {
    p.put(FIELD);
    const auto t = value_from<timespec>(data);
    print_timespec(p, t.tv_sec, t.tv_nsec);
  } else if (is(SOL_IP, IP_PKTINFO, sizeof(in_pktinfo))) {
    p.put(FIELD);
    print_packet_info(p, value_from<in_pktinfo>(data));
  } else if (is(SOL_IP, IP_TTL, sizeof(int))) {
    p.print("{}[{}]", FIELD, value_from<uint32_t>(data));
  } else if (is(SOL_IP, IP_TOS, 1)) {
    p.put(FIELD);
    p.array(len, [&](uint64_t i) {
      p.number_hex(static_cast<unsigned char>(data[i]));
      return true;
    });
  }
}

void print_control(Printer& p, uint64_t addr, uint64_t controllen) {
  std::vector<char> data(static_cast<size_t>(std::min(controllen, MAX_CONTROL)));
  if (addr == 0 || data.size() < sizeof(CmsgHeader) || !p.mem.read(addr, data.data(), data.size())) {
    p.address(addr);
    return;
  }
  p.put("[");
  size_t at = 0;
  for (; at + sizeof(CmsgHeader) <= data.size();) {
    const auto h = value_from<CmsgHeader>(data.data() + at);
    if (at != 0) p.put(", ");
    p.print("{{cmsg_len={}, cmsg_level=", h.len);
    p.name(FlagFamily::sockopt_level, static_cast<uint32_t>(h.level));
    p.put(", cmsg_type=");
    if (h.level == SOL_SOCKET || h.level == SOL_IP)
      p.name(cmsg_type_family(h.level), static_cast<uint32_t>(h.type));
    else
      p.number_hex(static_cast<uint32_t>(h.type));
    const size_t end = at + static_cast<size_t>(std::min<uint64_t>(h.len, data.size() - at));
    if (end > at + sizeof h) print_cmsg_data(p, h, data.data() + at + sizeof h, end - at - sizeof h);
    p.put("}");
    at = h.len < sizeof h ? at + sizeof h : at + ((end - at + 7) & ~size_t{7});
    if (h.len < sizeof h) break;
  }
  // What is left is too short for a header, or not to be found.
  if (at < data.size()) p.print(", ... /* {:#x} */", addr + at);
  p.put("]");
}

// `entry_namelen`: msg_namelen before the call, where the kernel may have changed it.
void print_msghdr(Printer& p, const GuestMsghdr& m, uint64_t data_limit, uint32_t entry_namelen) {
  p.put("{msg_name=");
  print_sockaddr(p, m.name, std::min(m.namelen, entry_namelen));
  if (m.namelen != entry_namelen)
    p.print(", msg_namelen={} => {}", entry_namelen, m.namelen);
  else
    p.print(", msg_namelen={}", m.namelen);
  p.put(", msg_iov=");
  print_iovec(p, m.iov, m.iovlen, data_limit);
  p.print(", msg_iovlen={}", m.iovlen);
  if (m.controllen != 0) {
    p.put(", msg_control=");
    print_control(p, m.control, m.controllen);
  }
  p.print(", msg_controllen={}, msg_flags=", m.controllen);
  p.flags(FlagFamily::msg_flags, static_cast<uint32_t>(m.flags));
  p.put("}");
}

void save_name_lens(Printer& p, uint64_t count, size_t stride) {
  constexpr uint64_t MAX_MESSAGES = 1024;
  for (uint64_t i = 0; i < std::min(count, MAX_MESSAGES); ++i) {
    GuestMsghdr m;
    if (!p.mem.read(p.value() + i * stride, &m, sizeof m)) break;
    p.state.name_lens.push_back(m.namelen);
  }
}

// recvmmsg and sendmmsg: as many messages as the call transferred.
void print_mmsghdr(Printer& p, bool receive) {
  if (p.entry()) {
    if (receive) save_name_lens(p, p.arg(2), sizeof(GuestMmsghdr));
    p.defer();
    return;
  }
  if (p.value() == 0 || (receive && p.failed())) {
    p.address(p.value());
    return;
  }
  p.array(p.failed() ? p.arg(2) : static_cast<uint64_t>(p.call.value), [&](uint64_t i) {
    GuestMmsghdr m;
    if (!p.load(p.value() + i * sizeof m, m)) return false;
    uint32_t namelen = i < p.state.name_lens.size() ? p.state.name_lens[i] : m.hdr.namelen;
    p.put("{msg_hdr=");
    print_msghdr(p, m.hdr, receive ? m.len : UINT64_MAX, namelen);
    if (!p.failed()) p.print(", msg_len={}", m.len);
    p.put("}");
    return true;
  });
}

}  // namespace

void format_MSGHDR(Printer& p) {
  GuestMsghdr m;
  if (p.fetch(m)) print_msghdr(p, m, UINT64_MAX, m.namelen);
}

void format_MSGHDR_OUT(Printer& p) {
  if (p.entry()) {
    save_name_lens(p, 1, 0);
    p.defer();
    return;
  }
  GuestMsghdr m;
  if (!p.fetch(m)) return;
  if (p.failed()) {
    p.print("{{msg_namelen={}}}", m.namelen);
    return;
  }
  uint32_t namelen = p.state.name_lens.empty() ? m.namelen : p.state.name_lens.front();
  print_msghdr(p, m, static_cast<uint64_t>(p.call.value), namelen);
}

void format_MMSGHDR(Printer& p) { print_mmsghdr(p, false); }
void format_MMSGHDR_OUT(Printer& p) { print_mmsghdr(p, true); }

}  // namespace starry::trace
