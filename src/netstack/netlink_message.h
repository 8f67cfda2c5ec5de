// Putting netlink messages together.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <vector>

#include "netstack/netlink.h"

namespace starry {

// Builds one message: header, fixed part, attributes.
class NetlinkMessage {
 public:
  template <class Fixed>
  NetlinkMessage(uint16_t type, uint16_t flags, const NetlinkReplies& r, const Fixed& fixed) {
    nlmsghdr h{};
    h.nlmsg_type = type;
    h.nlmsg_flags = flags;
    h.nlmsg_seq = r.seq;
    h.nlmsg_pid = r.port_id;
    append(&h, sizeof h);
    append(&fixed, sizeof fixed);
  }
  NetlinkMessage& attr(uint16_t type, const void* data, size_t n) {
    rtattr a{};
    a.rta_len = static_cast<uint16_t>(RTA_LENGTH(n));
    a.rta_type = type;
    append(&a, sizeof a);
    append(data, n);
    return *this;
  }
  template <class T>
  NetlinkMessage& attr(uint16_t type, const T& v) {
    return attr(type, &v, sizeof v);
  }
  NetlinkMessage& text(uint16_t type, const char* s) { return attr(type, s, std::strlen(s) + 1); }

  void finish(std::vector<uint8_t>* out) {
    const auto len = static_cast<uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &len, sizeof len);
    out->insert(out->end(), bytes_.begin(), bytes_.end());
  }

 private:
  void append(const void* p, size_t n) {
    const auto* b = static_cast<const uint8_t*>(p);
    bytes_.insert(bytes_.end(), b, b + n);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }
  std::vector<uint8_t> bytes_;
};

// Ends a dump.
inline void netlink_done(NetlinkReplies& r) {
  std::vector<uint8_t> out;
  NetlinkMessage(NLMSG_DONE, NLM_F_MULTI, r, int{0}).finish(&out);
  r.out.push_back(std::move(out));
}

}  // namespace starry
