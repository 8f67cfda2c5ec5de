// What all kinds of namespaces have in common (struct ns_common, namespaces(7)).
#pragma once

#include <cstdint>

#include "emulated_kernel/base/ref.h"
#include "emulated_kernel/base/result.h"

namespace starry {

class UserNamespace;

class Namespace : public RefCounted {
 public:
  // `owner`: whose capabilities rule over it (for a user namespace its parent). `number` 0: the next one.
  Namespace(int kind, Ref<const UserNamespace> owner, uint64_t number = 0);
  ~Namespace() override;

  const int type;      // CLONE_NEW*
  const uint64_t ino;  // of /proc/PID/ns/*
  const UserNamespace& user_ns() const { return *owner_; }
  const Ref<const UserNamespace>& owner_ref() const { return owner_; }

  // How many there may be of a kind, besides the initial one (/proc/sys/user/max_*_namespaces).
  static constexpr int MAX_OF_A_KIND = 15000;
  // ENOSPC: no more of them.
  static Result<void> check_room(int kind);

 private:
  const Ref<const UserNamespace> owner_;
};

}  // namespace starry
