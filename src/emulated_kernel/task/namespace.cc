#include "emulated_kernel/task/namespace.h"

#include <map>

#include "emulated_kernel/task/user_namespace.h"

namespace starry {

namespace {

constexpr uint64_t FIRST_NS_INO = 4026532200;

std::map<int, int>& namespaces_of_kind() {
  static auto* counts = new std::map<int, int>;  // outlives every namespace
  return *counts;
}

uint64_t next_ns_ino() {
  static uint64_t last = FIRST_NS_INO - 1;
  return ++last;
}

}  // namespace

Namespace::Namespace(int kind, Ref<const UserNamespace> owner, uint64_t number)
    : type(kind), ino(number != 0 ? number : next_ns_ino()), owner_(std::move(owner)) {
  ++namespaces_of_kind()[type];
}

Namespace::~Namespace() { --namespaces_of_kind()[type]; }

Result<void> Namespace::check_room(int kind) {
  if (namespaces_of_kind()[kind] > MAX_OF_A_KIND) return Error{ENOSPC};
  return {};
}

}  // namespace starry
