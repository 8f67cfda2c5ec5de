// The netstack in a test: a manual clock, no tasks (the caller is the kernel: pid 0, every capability),
// sockets used directly. Nothing here blocks.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

#include "emulated_kernel/platform.h"
#include "emulated_kernel/sync/timer.h"
#include "netstack/netstack.h"
#include "netstack/socket.h"

namespace starry {

class NetPlatform final : public Platform {
 public:
  uint64_t now = 1'000'000'000;
  uint64_t monotonic_ns() override { return now; }
  uint64_t realtime_ns() override { return now; }
  void entropy(void* dst, size_t n) override {
    for (size_t i = 0; i < n; i++) static_cast<uint8_t*>(dst)[i] = static_cast<uint8_t>(++seed_);
  }
  Result<NewSpace> new_space(Task&, const Cred&) override { return Error{ENOSYS}; }
  void post(std::function<void()> fn) override { fn(); }
  void run_blocking(std::function<void()> fn) override { fn(); }

 private:
  uint32_t seed_ = 0;
};

class NetTest : public testing::Test {
 protected:
  NetTest() {
    set_platform(&world);
    netstack_init();
  }
  void pass(uint64_t ms) {
    for (uint64_t end = world.now + ms * 1'000'000; world.now < end;) {
      const uint64_t next = timer_queue().next_deadline();
      world.now = std::max(world.now, std::min(end, next));
      timer_queue().fire(world.now);
    }
  }

  static Ref<Socket> open(int family, int type, int protocol = 0, bool nonblock = true) {
    auto s = socket_create(family, type, protocol);
    EXPECT_TRUE(s.ok()) << s.code();
    if (nonblock) (*s)->set_status_flags((*s)->flags() | O_NONBLOCK).value();
    return *s;
  }
  static SockAddr v4(const char* text, uint16_t port);
  static SockAddr v6(const char* text, uint16_t port);
  static uint16_t port_of(Socket& s) {
    auto a = s.local_name();
    return ntohs(a->as<sockaddr_in>().sin_port);
  }
  static std::string show(const Result<SockAddr>& a);

  // >= 0: bytes; < 0: -errno.
  static int send(Socket& s, std::string data, int flags = MSG_NOSIGNAL, const SockAddr* to = nullptr) {
    IoVec iov = IoVec::kernel(data.data(), data.size());
    SendMsg m{&iov};
    m.flags = flags;
    if (to != nullptr) {
      m.name = *to;
      m.has_name = true;
    }
    auto r = s.send(m);
    return r.ok() ? static_cast<int>(*r) : -r.code();
  }
  // The bytes, or "E<errno>".
  static std::string recv(Socket& s, size_t n = 100, int flags = 0, RecvMsg* out = nullptr) {
    std::string buf(n, 0);
    IoVec iov = IoVec::kernel(buf.data(), n);
    RecvMsg m{&iov};
    m.flags = flags;
    auto r = s.recv(m);
    if (out != nullptr) *out = m;
    if (!r.ok()) return "E" + std::to_string(r.code());
    buf.resize(std::min(*r, n));
    return buf;
  }
  static int set(Socket& s, int level, int name, int value) {
    return s.set_option(level, name, {reinterpret_cast<uint8_t*>(&value), sizeof value}).code();
  }
  static int get(Socket& s, int level, int name) {
    auto r = s.get_option(level, name, sizeof(int));
    if (!r.ok()) return -r.code();
    int v = 0;
    std::memcpy(&v, r->data(), std::min(r->size(), sizeof v));
    return v;
  }

  NetPlatform world;
};

inline SockAddr NetTest::v4(const char* text, uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  inet_pton(AF_INET, text, &in.sin_addr);
  return SockAddr::from(in);
}

inline SockAddr NetTest::v6(const char* text, uint16_t port) {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  inet_pton(AF_INET6, text, &in.sin6_addr);
  return SockAddr::from(in);
}

inline std::string NetTest::show(const Result<SockAddr>& a) {
  if (!a.ok()) return "E" + std::to_string(a.code());
  char text[64];
  if (a.value().family() == AF_INET) {
    const auto in = a.value().as<sockaddr_in>();
    return std::string(inet_ntop(AF_INET, &in.sin_addr, text, sizeof text));
  }
  const auto in = a.value().as<sockaddr_in6>();
  return std::string(inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text));
}

}  // namespace starry
