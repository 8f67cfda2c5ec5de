#include "emulated_kernel/fd/inotify.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <cstring>
#include <vector>

#include "unit/fiber_world.h"

namespace starry {
namespace {

class InotifyTest : public FiberWorld {
 protected:
  struct Seen {
    int wd;
    uint32_t mask;
    std::string name;
    bool operator==(const Seen&) const = default;
  };
  std::vector<Seen> events(size_t room = 4096) {
    std::vector<char> buf(room);
    IoVec to = IoVec::kernel(buf.data(), room);
    const Result<size_t> n = in->read(to, nullptr, 0);
    last_error = n.code();
    std::vector<Seen> seen;
    for (size_t at = 0; n.ok() && at < n.value();) {
      inotify_event e;
      std::memcpy(&e, &buf[at], sizeof e);
      seen.push_back({e.wd, e.mask, e.len != 0 ? std::string(&buf[at + sizeof e]) : ""});
      at += sizeof e + e.len;
    }
    return seen;
  }
  int add(uint32_t mask) { return static_cast<int>(value_of(in->watch(slot, nullptr, {}, mask))); }
  InodeWatches& watches() { return *static_cast<InodeWatches*>(slot.get()); }
  using Events = std::vector<Seen>;

  Ref<Inotify> in = make_ref<Inotify>(IN_NONBLOCK);
  Ref<RefCounted> slot;  // what an inode has
  int last_error = 0;
};

TEST_F(InotifyTest, QueuesWhatIsWantedAndMergesRepeats) {
  EXPECT_FALSE(inotify_active());
  EXPECT_EQ(add(IN_MODIFY | IN_CREATE), 1);
  EXPECT_TRUE(inotify_active());
  watches().notify(IN_MODIFY, {}, 0);
  watches().notify(IN_MODIFY, {}, 0);
  watches().notify(IN_ACCESS, {}, 0);
  watches().notify(IN_CREATE | IN_ISDIR, "sixteen letters!", 0);
  watches().notify(IN_MODIFY, {}, 0);
  EXPECT_EQ(events(10), Events{});
  EXPECT_EQ(last_error, EINVAL);
  EXPECT_EQ(events(40), (Events{{1, IN_MODIFY, ""}}));
  EXPECT_EQ(events(), (Events{{1, IN_CREATE | IN_ISDIR, "sixteen letters!"}, {1, IN_MODIFY, ""}}));
  EXPECT_EQ(events(), Events{});
  EXPECT_EQ(last_error, EAGAIN);
}

TEST_F(InotifyTest, OneShotExclUnlinkAndMasks) {
  EXPECT_EQ(add(IN_OPEN | IN_ONESHOT), 1);
  EXPECT_EQ(add(IN_OPEN | IN_MASK_CREATE), -EEXIST);
  watches().notify(IN_OPEN, {}, 0);
  watches().notify(IN_OPEN, {}, 0);
  EXPECT_EQ(events(), (Events{{1, IN_OPEN, ""}, {1, IN_IGNORED, ""}}));
  EXPECT_EQ(add(IN_OPEN | IN_EXCL_UNLINK), 2);
  EXPECT_EQ(add(IN_ACCESS | IN_EXCL_UNLINK | IN_MASK_ADD), 2);
  watches().notify(IN_OPEN, "gone", 0, true);
  watches().notify(IN_ACCESS, "there", 0, false);
  EXPECT_EQ(events(), (Events{{2, IN_ACCESS, "there"}}));
  EXPECT_TRUE(in->remove(2).ok());
  EXPECT_EQ(in->remove(2).code(), EINVAL);
  EXPECT_EQ(events(), (Events{{2, IN_IGNORED, ""}}));
}

TEST_F(InotifyTest, EndOfTheInodeAndOfTheInstance) {
  add(IN_ALL_EVENTS);
  watches().deleted();
  EXPECT_EQ(events(), (Events{{1, IN_DELETE_SELF, ""}, {1, IN_IGNORED, ""}}));
  EXPECT_FALSE(inotify_active());
  add(IN_ALL_EVENTS);
  in.reset();
  EXPECT_TRUE(watches().empty());
  EXPECT_FALSE(inotify_active());
}

TEST_F(InotifyTest, OverflowIsTold) {
  add(IN_ALL_EVENTS);
  for (int i = 0; i < 20000; ++i) watches().notify(i % 2 == 0 ? IN_OPEN : IN_ACCESS, {}, 0);
  const Events all = events(1 << 20);
  EXPECT_EQ(all.size(), 16385u);
  EXPECT_EQ(all.back(), (Seen{-1, IN_Q_OVERFLOW, ""}));
}

TEST_F(InotifyTest, ReaderIsWoken) {
  in = make_ref<Inotify>(0);
  add(IN_ALL_EVENTS);
  Events got;
  run({[&] { got = events(); }, [&] { watches().notify(IN_OPEN, "x", 0); }});
  EXPECT_EQ(got, (Events{{1, IN_OPEN, "x"}}));
}

}  // namespace
}  // namespace starry
