// Intrusive, non-atomic reference counts. Kernel objects belong to the one kernel thread, so no
// atomics: an object must never be touched from a host helper thread.
#pragma once

#include <boost/intrusive_ptr.hpp>
#include <cstdint>
#include <utility>

namespace starry {

class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;
  uint32_t ref_count() const { return refs_; }

 protected:
  virtual ~RefCounted() = default;

 private:
  mutable uint32_t refs_ = 0;
  friend void intrusive_ptr_add_ref(const RefCounted* p) { ++p->refs_; }
  friend void intrusive_ptr_release(const RefCounted* p) {
    if (--p->refs_ == 0) delete p;
  }
};

template <class T>
using Ref = boost::intrusive_ptr<T>;

template <class T, class... A>
Ref<T> make_ref(A&&... a) {
  return Ref<T>(new T(std::forward<A>(a)...));
}

}  // namespace starry
