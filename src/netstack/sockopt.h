// The table of socket options (sockopts.def) and helpers for option values.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "emulated_kernel/base/result.h"

namespace starry {

enum class SockoptType : uint8_t { INT, INT8, LINGER, TIMEVAL, UCRED, U64, NAME, BLOB };
enum class SockoptAccess : uint8_t { GET = 1, SET = 2, BOTH = 3 };
enum class SockoptSupport : uint8_t { NI, PARTIAL, FULL };

struct SockoptRow {
  int level, name;
  const char *level_text, *text;
  SockoptType type;
  SockoptAccess access;
  SockoptSupport support;
  const char* note;
};
std::span<const SockoptRow> sockopt_rows();
const SockoptRow* find_sockopt(int level, int name);

using OptIn = std::span<const uint8_t>;
using OptOut = std::vector<uint8_t>;

// Do the row's access and size allow this call? ENOPROTOOPT, EINVAL.
Result<void> check_sockopt_set(int level, int name, size_t len);
Result<void> check_sockopt_get(int level, int name);

inline bool in_range(int v, int least, int most) { return v >= least && v <= most; }

// The value of an INT or INT8 option; the size was checked.
int opt_int(OptIn value);
template <class T>
T opt_as(OptIn value) {
  T v{};
  std::memcpy(&v, value.data(), std::min(sizeof v, value.size()));
  return v;
}
template <class T>
OptOut opt_bytes(const T& v) {
  OptOut out(sizeof v);
  std::memcpy(out.data(), &v, sizeof v);
  return out;
}
// An int as getsockopt(2) returns it at level IPPROTO_IP: one byte if the caller's buffer is shorter
// than an int and the value fits.
OptOut opt_ip_int(int v, size_t max);
inline OptOut opt_of_int(int v) { return opt_bytes(v); }

}  // namespace starry
