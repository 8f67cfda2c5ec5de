#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/timerfd.h>

#include <vector>

#include "emulated_kernel/fd/epoll.h"
#include "emulated_kernel/fd/eventfd.h"
#include "emulated_kernel/fd/fd_table.h"
#include "emulated_kernel/fd/locks.h"
#include "emulated_kernel/fd/poll.h"
#include "emulated_kernel/fd/timerfd.h"
#include "unit/fiber_world.h"

namespace starry {
namespace {

class Fd : public FiberWorld {};

Ref<EventFd> event(uint64_t n = 0, int flags = O_NONBLOCK) { return make_ref<EventFd>(n, flags); }

int64_t write_count(File& f, uint64_t n) {
  IoVec from = IoVec::kernel(&n, sizeof n);
  return value_of(f.write(from, nullptr, 0));
}
int64_t read_count(File& f) {
  uint64_t n = 0;
  IoVec to = IoVec::kernel(&n, sizeof n);
  const Result<size_t> r = f.read(to, nullptr, 0);
  return r.ok() ? static_cast<int64_t>(n) : -r.code();
}

TEST_F(Fd, TableGivesTheLowestFreeNumber) {
  FdTable t;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(t.install(event(), false, 1024).value(), i);
  t.remove(1);
  t.remove(3);
  EXPECT_EQ(t.install(event(), true, 1024).value(), 1);
  EXPECT_EQ(t.install(event(), false, 1024, 10).value(), 10);
  EXPECT_EQ(t.install(event(), false, 1024).value(), 3);
  EXPECT_EQ(t.install(event(), false, 6).value(), 5);
  EXPECT_EQ(t.install(event(), false, 6).code(), EMFILE);
  EXPECT_EQ(t.capacity(), 64);
  EXPECT_FALSE(t.install_at(100, event(), false));
  EXPECT_EQ(t.capacity(), 128);
  EXPECT_EQ(t.open_count(), 8);
  EXPECT_EQ(t.take_cloexec().size(), 1u);
  EXPECT_EQ(t.get(1), nullptr);
  EXPECT_EQ(t.get(-1), nullptr);
  const Ref<FdTable> c = t.copy();
  EXPECT_EQ(c->get(100), t.get(100));
  EXPECT_EQ(c->take_all().size(), 7u);
  EXPECT_EQ(c->install(event(), false, 1024).value(), 0);
}

TEST_F(Fd, EventFdCountsAndBlocks) {
  auto e = event(2);
  EXPECT_EQ(read_count(*e), 2);
  EXPECT_EQ(read_count(*e), -EAGAIN);
  EXPECT_EQ(write_count(*e, UINT64_MAX), -EINVAL);
  EXPECT_EQ(write_count(*e, UINT64_MAX - 1), 8);
  EXPECT_EQ(write_count(*e, 1), -EAGAIN);
  EXPECT_EQ(e->poll(), static_cast<uint32_t>(EPOLLIN));
  auto s = make_ref<EventFd>(2, 1 /* EFD_SEMAPHORE */);
  EXPECT_EQ(read_count(*s), 1);
  EXPECT_EQ(read_count(*s), 1);
  int64_t got = 0;
  run({[&] { got = read_count(*s); }, [&] { write_count(*s, 5); }});
  EXPECT_EQ(got, 1);
}

TEST_F(Fd, TimerFdTicks) {
  TimerFd t(CLOCK_MONOTONIC, TFD_NONBLOCK);
  EXPECT_EQ(read_count(t), -EAGAIN);
  EXPECT_TRUE(t.set({{0, 100}, {0, 1000}}, 0).ok());
  clock.now += 999;
  EXPECT_EQ(t.poll(), 0u);
  EXPECT_EQ(t.get().it_value.tv_nsec, 1);
  clock.now += 1;
  EXPECT_EQ(t.poll(), static_cast<uint32_t>(EPOLLIN));
  clock.now += 250;
  EXPECT_EQ(read_count(t), 3);
  EXPECT_EQ(t.get().it_value.tv_nsec, 50);
  EXPECT_EQ(read_count(t), -EAGAIN);
  clock.now += 50;
  timer_queue().fire(clock.now);
  EXPECT_EQ(read_count(t), 1);
}

TEST_F(Fd, TimerFdIsCanceledWhenTheClockIsSet) {
  TimerFd t(CLOCK_REALTIME, TFD_NONBLOCK);
  const auto at = static_cast<time_t>(clock.realtime_ns() / 1'000'000'000 + 100);
  EXPECT_TRUE(t.set({{0, 0}, {at, 0}}, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET).ok());
  clock.realtime_offset += 50'000'000'000;
  TimerFd::clock_was_set();
  EXPECT_EQ(t.poll(), static_cast<uint32_t>(EPOLLIN));
  EXPECT_EQ(read_count(t), -ECANCELED);
  EXPECT_EQ(read_count(t), -EAGAIN);
  clock.realtime_offset += 50'000'000'000;
  TimerFd::clock_was_set();
  EXPECT_EQ(read_count(t), -ECANCELED);
}

TEST_F(Fd, PollSleepsUntilReadyOrTimeout) {
  FdTable t;
  auto e = event();
  t.install(e, false, 1024).value();
  std::vector<pollfd> fds = {{0, POLLIN, 0}, {7, POLLIN, 0}, {-1, POLLIN, 0}};
  run({[&] {
         std::vector<pollfd> one = {{0, POLLIN, 0}};
         const uint64_t before = clock.now;
         EXPECT_EQ(value_of(poll_fds(t, one, Deadline::after(1000))), 0);
         EXPECT_EQ(clock.now, before + 1000);
         EXPECT_EQ(value_of(poll_fds(t, fds, Deadline::never())), 1);
         EXPECT_EQ(fds[1].revents, POLLNVAL);
         EXPECT_EQ(value_of(poll_fds(t, one, Deadline::never())), 1);
         EXPECT_EQ(one[0].revents, POLLIN);
       },
       [&] {
         pause(5000);
         write_count(*e, 1);
       }});
}

TEST_F(Fd, SelectReplacesItsSets) {
  FdTable t;
  t.install(event(1), false, 1024).value();
  t.install(event(0), false, 1024).value();
  t.install_at(70, event(1), false);
  run({[&] {
    uint64_t in[2] = {3, 1 << 6}, out[2] = {2, 0}, ex[2] = {3, 1 << 6};
    EXPECT_EQ(value_of(select_fds(t, 71, {in, out, ex}, Deadline::never())), 3);
    EXPECT_EQ(in[0], 1u);
    EXPECT_EQ(in[1], 64u);
    EXPECT_EQ(out[0], 2u);
    EXPECT_EQ(ex[0] | ex[1], 0u);
    uint64_t bad[2] = {4, 0};
    EXPECT_EQ(value_of(select_fds(t, 71, {bad, nullptr, nullptr}, Deadline::never())), -EBADF);
    EXPECT_EQ(bad[0], 4u);
    EXPECT_EQ(value_of(select_fds(t, 2, {bad, nullptr, nullptr}, Deadline::at(0))), 0);
  }});
}

TEST_F(Fd, FlockWaitsAndEndsWithItsDescription) {
  Ref<FileLocks> slot = make_ref<FileLocks>(1, 2);
  auto a = event(), b = event();
  a->lock_slot() = b->lock_slot() = slot;
  EXPECT_TRUE(file_locks(*a).flock(*a, LOCK_SH, true, 1).ok());
  EXPECT_TRUE(file_locks(*b).flock(*b, LOCK_SH, true, 2).ok());
  EXPECT_EQ(file_locks(*a).flock(*a, LOCK_EX, true, 1).code(), EWOULDBLOCK);
  bool got = false;
  run({[&] {
         EXPECT_TRUE(file_locks(*a).flock(*a, LOCK_EX, false, 1).ok());
         got = true;
       },
       [&] {
         EXPECT_FALSE(got);
         b.reset();
       }});
  EXPECT_TRUE(got);
}

RecordLock lock_of(const void* owner, int type, int64_t start, int64_t end, int pid = 1) {
  return {owner, type, start, end, pid};
}

TEST_F(Fd, RecordLocksSplitAndJoin) {
  auto l = make_ref<FileLocks>(1, 2);
  int p, q;
  EXPECT_TRUE(l->set_record(lock_of(&p, F_WRLCK, 0, 99), false).ok());
  EXPECT_TRUE(l->set_record(lock_of(&p, F_UNLCK, 40, 59), false).ok());
  EXPECT_EQ(l->set_record(lock_of(&q, F_RDLCK, 30, 50, 2), false).code(), EAGAIN);
  EXPECT_TRUE(l->set_record(lock_of(&q, F_RDLCK, 40, 59, 2), false).ok());
  EXPECT_TRUE(l->set_record(lock_of(&p, F_RDLCK, 30, 70), false).ok());
  int rows = 0;
  FileLocks::for_each([&](const FileLocks::Row&) { ++rows; });
  EXPECT_EQ(rows, 4);  // p: 0-29 W, 30-70 R, 71-99 W; q: 40-59 R
  EXPECT_TRUE(l->set_record(lock_of(&p, F_RDLCK, 0, INT64_MAX), false).ok());
  const RecordLock* c = l->find_conflict(lock_of(&q, F_WRLCK, 1000, 1000, 2));
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->start, 0);
  EXPECT_EQ(c->end, INT64_MAX);
  l->drop_records(&p);
  EXPECT_EQ(l->find_conflict(lock_of(&q, F_WRLCK, 0, INT64_MAX, 2)), nullptr);
}

TEST_F(Fd, LeasesGiveWayOrAreTakenAway) {
  Ref<FileLocks> slot = make_ref<FileLocks>(1, 2);
  auto a = event(), b = event();
  EXPECT_TRUE(slot->leases.set(*a, F_RDLCK).ok());
  EXPECT_TRUE(slot->leases.set(*b, F_RDLCK).ok());
  EXPECT_EQ(slot->leases.set(*b, F_WRLCK).code(), EAGAIN);
  EXPECT_TRUE(slot->leases.remove(description_owner(*b)).ok());
  EXPECT_TRUE(slot->leases.set(*a, F_WRLCK).ok());
  EXPECT_EQ(slot->leases.get(*a), F_WRLCK);
  EXPECT_EQ(break_leases(slot.get(), O_RDONLY | O_NONBLOCK).code(), EWOULDBLOCK);
  EXPECT_EQ(slot->leases.get(*a), F_RDLCK);
  const uint64_t before = clock.now;
  run({[&] { EXPECT_TRUE(break_leases(slot.get(), O_RDONLY).ok()); },
       [&] {
         pause(1000);
         EXPECT_TRUE(slot->leases.set(*a, F_RDLCK).ok());
       }});
  EXPECT_EQ(clock.now, before + 1000);
  run({[&] { EXPECT_TRUE(break_leases(slot.get(), O_RDWR).ok()); }});
  EXPECT_EQ(clock.now, before + 1000 + 45'000'000'000);
  EXPECT_TRUE(slot->leases.empty());
}

TEST_F(Fd, PosixDeadlockIsRefused) {
  auto l = make_ref<FileLocks>(1, 2);
  int p, q;
  EXPECT_TRUE(l->set_record(lock_of(&p, F_WRLCK, 0, 0, 1), false).ok());
  EXPECT_TRUE(l->set_record(lock_of(&q, F_WRLCK, 1, 1, 2), false).ok());
  run({[&] { EXPECT_TRUE(l->set_record(lock_of(&p, F_WRLCK, 1, 1, 1), true).ok()); },
       [&] {
         EXPECT_EQ(l->set_record(lock_of(&q, F_WRLCK, 0, 0, 2), true).code(), EDEADLK);
         l->drop_records(&q);
       }});
}

}  // namespace
}  // namespace starry
