// setsockopt(2) and getsockopt(2). The options are in netstack/sockopts.def.
#include <algorithm>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/syscalls/socket_args.h"

namespace starry {

namespace {
constexpr int OPTION_SIZE_MAX = 4096;  // more than any option has
}

SysResult sys_setsockopt(Task& t, int sockfd, int level, int optname, UserPtr<const void> optval,
                         int optlen) {
  if (optlen < 0) return Error{EINVAL};
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  std::vector<uint8_t> value(static_cast<size_t>(std::min(optlen, OPTION_SIZE_MAX)));
  if (!value.empty()) TRY(t.mem().read(optval.addr, value.data(), value.size()));
  TRY(s->set_option(level, optname, value));
  return 0;
}

SysResult sys_getsockopt(Task& t, int sockfd, int level, int optname, UserPtr<void> optval,
                         UserPtr<int> optlen) {
  const Ref<Socket> s = TRY(get_socket(t, sockfd));
  const int room = TRY(t.mem().get(optlen));
  if (room < 0) return Error{EINVAL};
  const std::vector<uint8_t> value = TRY(s->get_option(level, optname, static_cast<size_t>(room)));
  const size_t n = std::min(value.size(), static_cast<size_t>(room));
  if (n > 0) TRY(t.mem().write(optval.addr, value.data(), n));
  TRY(t.mem().put(optlen, static_cast<int>(n)));
  return 0;
}

}  // namespace starry
