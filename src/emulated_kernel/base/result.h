// Errno-only results: one error enum (the kernel ABI's errno numbers) from end to end.
#pragma once

#include <cerrno>
#include <cstdint>
#include <new>
#include <utility>

namespace starry {

// Restart codes, internal to the kernel as in Linux (include/linux/errno.h). The syscall exit path
// (entry/restart.cc) turns them into EINTR or into a restart; the guest never sees them.
inline constexpr int ERESTARTSYS = 512;             // restart if SA_RESTART or no handler runs
inline constexpr int ERESTARTNOINTR = 513;          // always restart
inline constexpr int ERESTARTNOHAND = 514;          // restart only if no handler runs
inline constexpr int ERESTART_RESTARTBLOCK = 516;   // restart through restart_syscall(2)

// A positive errno (or restart code). Never 0.
struct Error {
  int code;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(Error e) : code_(e.code) {}  // NOLINT(google-explicit-constructor)
  Result(const T& v) : code_(0) { new (&value_) T(v); }
  Result(T&& v) : code_(0) { new (&value_) T(std::move(v)); }
  template <class U>
    requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error> &&
             !std::is_same_v<std::remove_cvref_t<U>, Result<T>>)
  Result(U&& v) : code_(0) {
    new (&value_) T(std::forward<U>(v));
  }
  Result(Result&& o) noexcept : code_(o.code_) {
    if (code_ == 0) new (&value_) T(std::move(o.value_));
  }
  Result(const Result& o) : code_(o.code_) {
    if (code_ == 0) new (&value_) T(o.value_);
  }
  Result& operator=(Result o) noexcept {
    this->~Result();
    new (this) Result(std::move(o));
    return *this;
  }
  ~Result() {
    if (code_ == 0) value_.~T();
  }

  bool ok() const { return code_ == 0; }
  explicit operator bool() const { return ok(); }
  Error error() const { return Error{code_}; }
  int code() const { return code_; }  // 0 when ok
  T& value() & { return value_; }
  const T& value() const& { return value_; }
  T value() && { return std::move(value_); }
  T& operator*() & { return value_; }
  T* operator->() { return &value_; }

 private:
  int code_;
  union {
    T value_;
  };
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error e) : code_(e.code) {}  // NOLINT(google-explicit-constructor)
  bool ok() const { return code_ == 0; }
  explicit operator bool() const { return ok(); }
  Error error() const { return Error{code_}; }
  int code() const { return code_; }
  void value() const {}

 private:
  int code_ = 0;
};

// What every system call returns: the value for rax, or an errno / restart code.
using SysResult = Result<int64_t>;

// Evaluates to the value, or returns the error from the enclosing function.
#define TRY(expr) TRY_NAMED_(expr, TRY_JOIN_(try_result_, __COUNTER__))
#define TRY_JOIN_(a, b) TRY_JOIN2_(a, b)
#define TRY_JOIN2_(a, b) a##b
#define TRY_NAMED_(expr, name)            \
  ({                                      \
    auto&& name = (expr);                 \
    if (!name.ok()) return name.error();  \
    std::move(name).value();              \
  })

}  // namespace starry
