// System V identifiers, and the rules of semaphore operations against a plain model.
#include <gtest/gtest.h>
#include <sys/sem.h>

#include <random>

#include "emulated_kernel/ipc/sem.h"
#include "unit/fiber_world.h"

namespace starry {
namespace {

class SemSetTest : public FiberWorld {};  // operations note the time

SemSet::Waiter waiter(std::span<const GuestSembuf> ops, SemUndoList* undo = nullptr) {
  return SemSet::Waiter{.ops = ops, .undo = undo, .pid = 7, .queue = {}};
}

TEST_F(SemSetTest, AllOrNothing) {
  SemSet s(2);
  s.sems[0].value = 3;
  const GuestSembuf too_much[] = {{0, -2, 0}, {1, -1, 0}};
  SemSet::Waiter w = waiter(too_much);
  EXPECT_EQ(s.try_ops(w), EAGAIN);
  EXPECT_EQ(w.blocking, &too_much[1]);
  EXPECT_EQ(s.sems[0].value, 3);
  const GuestSembuf overflow[] = {{0, -3, 0}, {1, 32767, 0}, {1, 1, 0}};
  SemSet::Waiter o = waiter(overflow);
  EXPECT_EQ(s.try_ops(o), ERANGE);
  EXPECT_EQ(s.sems[0].value, 3);
  EXPECT_EQ(s.sems[1].value, 0);
  // Later operations of one call see what the earlier ones did.
  const GuestSembuf chain[] = {{1, 2, 0}, {1, -2, 0}, {1, 0, 0}};
  SemSet::Waiter c = waiter(chain);
  EXPECT_EQ(s.try_ops(c), 0);
  EXPECT_EQ(s.sems[1].pid, 7);
}

TEST_F(SemSetTest, UndoIsTakenBackWithTheOperation) {
  SemSet s(2);
  SemUndoList undo;
  const GuestSembuf fails[] = {{0, 5, SEM_UNDO}, {1, -1, 0}};
  SemSet::Waiter w = waiter(fails, &undo);
  EXPECT_EQ(s.try_ops(w), EAGAIN);
  EXPECT_EQ(undo.of(s)[0], 0);
  s.sems[1].value = 1;
  EXPECT_EQ(s.try_ops(w), 0);
  EXPECT_EQ(undo.of(s)[0], -5);
  s.clear_undo(0);
  EXPECT_EQ(undo.of(s)[0], 0);
}

// Random operations on a set, one call at a time, against a model that copies the values first.
TEST_F(SemSetTest, RandomOperationsMatchTheModel) {
  std::mt19937 random(1);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  SemSet s(3);
  std::vector<int> model(3);
  int done = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<GuestSembuf> ops(static_cast<size_t>(1 + below(4)));
    for (GuestSembuf& op : ops)
      op = {static_cast<uint16_t>(below(3)),
            static_cast<int16_t>(below(8) == 0 ? below(60000) - 30000 : below(7) - 3), 0};
    std::vector<int> next = model;
    int expected = 0;
    for (const GuestSembuf& op : ops) {
      int& v = next[op.num];
      if (op.op == 0 ? v != 0 : v + op.op < 0) expected = EAGAIN;
      if (expected == 0 && v + op.op > 32767) expected = ERANGE;
      if (expected != 0) break;
      v += op.op;
    }
    if (expected == 0) model = next, ++done;
    SemSet::Waiter w = waiter(ops);
    ASSERT_EQ(s.try_ops(w), expected) << "round " << round;
    for (size_t i = 0; i < model.size(); ++i) ASSERT_EQ(s.sems[i].value, model[i]) << "round " << round;
  }
  EXPECT_GT(done, 1000);
}

class Ids : public IpcIdAllocator {
 public:
  std::map<int, bool> used;
  int take() {
    const int i = next_index(
        static_cast<int>(used.size()), 4096,
        [](const void* m, int index) { return static_cast<const std::map<int, bool>*>(m)->contains(index); },
        &used);
    if (i >= 0) used[i] = true;
    return i;
  }
  int sequence() const { return seq_; }
};

TEST(IpcIds, AnIndexComesBackOnlyWithANewSequenceNumber) {
  Ids ids;
  for (int i = 0; i < 64; ++i) {
    ASSERT_EQ(ids.take(), i);
    ids.used.erase(i);
  }
  EXPECT_EQ(ids.sequence(), 0);
  EXPECT_EQ(ids.take(), 0);
  EXPECT_EQ(ids.sequence(), 1);
}

TEST(IpcIds, EndWhenAllAreTaken) {
  Ids ids;
  for (int i = 0; i < 4096; ++i) ASSERT_GE(ids.take(), 0);
  EXPECT_EQ(ids.take(), -1);
}

}  // namespace
}  // namespace starry
