#include "netstack/net_namespace.h"

#include <linux/sched.h>

#include "emulated_kernel/task/user_namespace.h"

namespace starry {

namespace {
constexpr uint64_t INITIAL_NET_NS_INO = 4026531840;
}  // namespace

NetNamespace::NetNamespace(Ref<const UserNamespace> owner, uint64_t number)
    : Namespace(CLONE_NEWNET, std::move(owner), number), initial(number != 0) {}

const Ref<NetNamespace>& initial_net_ns() {
  static const auto* ns =
      new Ref<NetNamespace>(make_ref<NetNamespace>(initial_user_ns(), INITIAL_NET_NS_INO));
  return *ns;  // outlives every socket
}

}  // namespace starry
