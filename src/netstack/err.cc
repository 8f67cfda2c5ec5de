#include "netstack/err.h"

#include <cerrno>
#include <iterator>

#include "lwip/err.h"

namespace starry {

int errno_from_lwip(int err) {
  switch (err) {
    case ERR_OK:
      return 0;
    case ERR_MEM:
    case ERR_BUF:
      return ENOBUFS;
    case ERR_TIMEOUT:
    case ERR_ABRT:  // gave up retransmitting
      return ETIMEDOUT;
    case ERR_RTE:
      return ENETUNREACH;
    case ERR_INPROGRESS:
      return EINPROGRESS;
    case ERR_WOULDBLOCK:
      return EAGAIN;
    case ERR_USE:
      return EADDRINUSE;
    case ERR_ALREADY:
      return EALREADY;
    case ERR_ISCONN:
      return EISCONN;
    case ERR_CONN:
    case ERR_CLSD:
      return ENOTCONN;
    case ERR_RST:
      return ECONNREFUSED;  // only seen by connections being opened
    case ERR_VAL:
    case ERR_ARG:
      return EINVAL;
    default:
      return EIO;
  }
}

int errno_from_unreachable(uint8_t code) {
  static constexpr int TABLE[] = {ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED,
                                  EMSGSIZE,    EOPNOTSUPP,   ENETUNREACH, EHOSTDOWN,
                                  ENONET,      ENETUNREACH,  EHOSTUNREACH};
  return code < std::size(TABLE) ? TABLE[code] : EHOSTUNREACH;
}

int errno_from_unreachable6(uint8_t code) {
  static constexpr int TABLE[] = {ENETUNREACH,  EACCES, EHOSTUNREACH, EHOSTUNREACH,
                                  ECONNREFUSED, EACCES, EACCES};
  return code < std::size(TABLE) ? TABLE[code] : EPROTO;
}

}  // namespace starry
