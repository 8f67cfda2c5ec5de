#include "emulated_kernel/fd/epoll.h"

#include <cstring>
#include <string>
#include <vector>

#include "emulated_kernel/fd/eventfd.h"
#include "unit/fiber_world.h"

namespace starry {
namespace {

// "Guest memory" that is ours: addresses are pointers.
class FlatMemory final : public UserMemory {
 public:
  bool broken = false;
  Result<void> read(UserAddr a, void* dst, size_t n) override {
    if (broken) return Error{EFAULT};
    std::memcpy(dst, reinterpret_cast<void*>(a), n);
    return {};
  }
  Result<void> write(UserAddr a, const void* src, size_t n) override {
    if (broken) return Error{EFAULT};
    std::memcpy(reinterpret_cast<void*>(a), src, n);
    return {};
  }
  Result<size_t> read_some(UserAddr, void*, size_t) override { return Error{EFAULT}; }
  Result<size_t> write_some(UserAddr, const void*, size_t) override { return Error{EFAULT}; }
  Result<std::string> read_cstr(UserAddr, size_t, int) override { return Error{EFAULT}; }
  Result<uint32_t> load32(UserAddr) override { return Error{EFAULT}; }
  Result<uint32_t> cmpxchg32(UserAddr, uint32_t, uint32_t) override { return Error{EFAULT}; }
};

class EpollTest : public FiberWorld {
 protected:
  static epoll_event ev(uint32_t events, uint64_t data) {
    epoll_event e{};
    e.events = events;
    e.data.u64 = data;
    return e;
  }
  int64_t add(File& to, File& f, uint32_t events, uint64_t data) {
    return value_of(epoll_control(to, EPOLL_CTL_ADD, f, static_cast<int>(data), ev(events, data)));
  }
  // The data of the events, in order.
  std::vector<uint64_t> wait(Epoll& from, int max = 10, Deadline d = Deadline::at(0)) {
    std::vector<epoll_event> out(static_cast<size_t>(max));
    const Result<int> n = from.wait(mem, {reinterpret_cast<UserAddr>(out.data())}, max, d);
    last_error = n.code();
    std::vector<uint64_t> ids;
    for (int i = 0; n.ok() && i < n.value(); ++i) ids.push_back(out[static_cast<size_t>(i)].data.u64);
    return ids;
  }
  static void signal(File& f, uint64_t n = 1) {
    IoVec from = IoVec::kernel(&n, sizeof n);
    EXPECT_TRUE(f.write(from, nullptr, 0).ok());
  }
  static void drain(File& f) {
    uint64_t n = 0;
    IoVec to = IoVec::kernel(&n, sizeof n);
    (void)f.read(to, nullptr, 0);
  }
  using Ids = std::vector<uint64_t>;

  FlatMemory mem;
  int last_error = 0;
  Ref<Epoll> ep = make_ref<Epoll>();
  Ref<EventFd> a = make_ref<EventFd>(0, O_NONBLOCK), b = make_ref<EventFd>(0, O_NONBLOCK),
               c = make_ref<EventFd>(0, O_NONBLOCK);
};

TEST_F(EpollTest, LevelTriggeredRotates) {
  for (auto [f, id] : {std::pair(a, 1), std::pair(b, 2), std::pair(c, 3)}) {
    signal(*f);
    EXPECT_EQ(add(*ep, *f, EPOLLIN, static_cast<uint64_t>(id)), 0);
  }
  EXPECT_EQ(wait(*ep, 2), (Ids{1, 2}));
  EXPECT_EQ(wait(*ep, 2), (Ids{3, 1}));
  EXPECT_EQ(wait(*ep, 2), (Ids{2, 3}));
  drain(*a);
  EXPECT_EQ(wait(*ep, 3), (Ids{2, 3}));
}

TEST_F(EpollTest, EdgeTriggeredAndOneShot) {
  EXPECT_EQ(add(*ep, *a, EPOLLIN | EPOLLET, 1), 0);
  EXPECT_EQ(add(*ep, *b, EPOLLIN | EPOLLONESHOT, 2), 0);
  signal(*b);
  signal(*a);
  EXPECT_EQ(wait(*ep), (Ids{2, 1}));
  EXPECT_EQ(wait(*ep), Ids{});
  signal(*a);
  signal(*b);
  EXPECT_EQ(wait(*ep), Ids{1});
  EXPECT_TRUE(epoll_control(*ep, EPOLL_CTL_MOD, *b, 2, ev(EPOLLIN | EPOLLONESHOT, 2)).ok());
  EXPECT_EQ(wait(*ep), Ids{2});
}

TEST_F(EpollTest, ControlErrors) {
  EXPECT_EQ(add(*ep, *a, EPOLLIN, 1), 0);
  EXPECT_EQ(add(*ep, *a, EPOLLIN, 1), -EEXIST);
  EXPECT_EQ(add(*ep, *a, EPOLLIN, 2), 0);  // another descriptor of the same file
  EXPECT_EQ(epoll_control(*ep, EPOLL_CTL_DEL, *b, 1, {}).code(), ENOENT);
  EXPECT_EQ(epoll_control(*ep, EPOLL_CTL_MOD, *b, 1, {}).code(), ENOENT);
  EXPECT_EQ(epoll_control(*ep, 9, *b, 1, {}).code(), EINVAL);
  EXPECT_EQ(add(*ep, *ep, EPOLLIN, 5), -EINVAL);
  EXPECT_EQ(add(*a, *b, EPOLLIN, 5), -EINVAL);
  AnonFile plain("[plain]", O_RDWR);
  EXPECT_EQ(add(*ep, plain, EPOLLIN, 5), -EPERM);
  EXPECT_EQ(add(*ep, *b, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 7), -EINVAL);
  EXPECT_EQ(add(*ep, *b, EPOLLIN | EPOLLEXCLUSIVE, 7), 0);
  EXPECT_EQ(epoll_control(*ep, EPOLL_CTL_MOD, *b, 7, ev(EPOLLIN, 7)).code(), EINVAL);
}

TEST_F(EpollTest, NestingIsLimitedAndLoopFree) {
  std::vector<Ref<Epoll>> chain;
  for (int i = 0; i < 6; ++i) chain.push_back(make_ref<Epoll>());
  for (size_t i = 0; i + 1 < 5; ++i) EXPECT_EQ(add(*chain[i], *chain[i + 1], EPOLLIN, i), 0) << i;
  EXPECT_EQ(add(*chain[4], *chain[5], EPOLLIN, 9), -ELOOP);
  EXPECT_EQ(add(*chain[3], *chain[0], EPOLLIN, 9), -ELOOP);
  EXPECT_EQ(add(*chain[4], *a, EPOLLIN, 1), 0);
  EXPECT_EQ(chain[0]->poll(), 0u);
  signal(*a);
  EXPECT_NE(chain[0]->poll(), 0u);
  EXPECT_EQ(wait(*chain[0]), Ids{0});
  drain(*a);
  EXPECT_EQ(wait(*chain[0]), Ids{});
}

TEST_F(EpollTest, WatchesEndWithTheFile) {
  EXPECT_EQ(add(*ep, *a, EPOLLIN, 1), 0);
  signal(*a);
  a.reset();
  EXPECT_EQ(wait(*ep), Ids{});
  EXPECT_EQ(add(*ep, *b, EPOLLIN, 2), 0);
  ep.reset();
  signal(*b);
}

TEST_F(EpollTest, SleepsAndWakesOneWaiter) {
  EXPECT_EQ(add(*ep, *a, EPOLLIN | EPOLLET, 1), 0);
  int woken = 0, timeouts = 0;
  const auto waiter = [&] {
    const Ids ids = wait(*ep, 10, Deadline::after(10'000));
    ids.empty() ? ++timeouts : ++woken;
  };
  run({waiter, waiter, waiter, [&] {
         pause(100);
         signal(*a);
       }});
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(timeouts, 2);
}

TEST_F(EpollTest, ExclusiveWakesOneEpoll) {
  auto second = make_ref<Epoll>();
  EXPECT_EQ(add(*ep, *a, EPOLLIN | EPOLLEXCLUSIVE, 1), 0);
  EXPECT_EQ(add(*second, *a, EPOLLIN | EPOLLEXCLUSIVE, 1), 0);
  std::string woken;
  run({[&] {
         if (!wait(*ep, 10, Deadline::after(1000)).empty()) woken += '1';
       },
       [&] {
         if (!wait(*second, 10, Deadline::after(1000)).empty()) woken += '2';
       },
       [&] {
         pause(100);
         signal(*a);
       }});
  EXPECT_EQ(woken, "1");
}

TEST_F(EpollTest, FaultKeepsTheEvents) {
  EXPECT_EQ(add(*ep, *a, EPOLLIN | EPOLLET, 1), 0);
  signal(*a);
  mem.broken = true;
  EXPECT_EQ(wait(*ep), Ids{});
  EXPECT_EQ(last_error, EFAULT);
  mem.broken = false;
  EXPECT_EQ(wait(*ep), Ids{1});
}

}  // namespace
}  // namespace starry
