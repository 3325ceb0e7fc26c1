#include "storage/mvcc/lock_table.h"

#include <future>
#include <thread>

#include "base/status.h"
#include "fmt/format.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

constexpr auto kShared = LockMode::kShared;
constexpr auto kExclusive = LockMode::kExclusive;

// One transaction's thread: asks for one lock at a time.
class Asker {
 public:
  Asker(LockTable* table, LockOwner owner) : table_(table), owner_(owner) {}
  ~Asker() { stop_.request_stop(); }

  void Ask(std::string key, LockMode mode) {
    result_ = std::async(std::launch::async,
                         [this, key = std::move(key), mode] { return table_->Lock(owner_, key, mode, stop_.get_token()); });
  }
  absl::Status Result() { return result_.get(); }
  void Stop() { stop_.request_stop(); }

 private:
  LockTable* const table_;
  const LockOwner owner_;
  std::stop_source stop_;
  std::future<absl::Status> result_;
};

class LockTableTest : public testing::Test {
 protected:
  absl::Status LockNow(LockOwner owner, std::string_view key, LockMode mode) {
    std::stop_source never;
    return table_->Lock(owner, key, mode, never.get_token());
  }
  // Refused at once if it would have to wait: stop was requested before.
  absl::Status TryLock(LockOwner owner, std::string_view key, LockMode mode) {
    std::stop_source stopped;
    stopped.request_stop();
    return table_->Lock(owner, key, mode, stopped.get_token());
  }
  void AwaitWaiters(size_t count) {
    while (table_->waiting_count() != count) std::this_thread::yield();
  }

  std::unique_ptr<LockTable> table_ = LockTable::Create();
};

TEST_F(LockTableTest, SharedLocksGoTogetherAndExclusiveOnesDoNot) {
  EXPECT_TRUE(TryLock(1, "k", kShared).ok());
  EXPECT_TRUE(TryLock(2, "k", kShared).ok());
  EXPECT_EQ(SqlStateOf(TryLock(3, "k", kExclusive)), sqlstate::kQueryCanceled);
  EXPECT_TRUE(TryLock(3, "other", kExclusive).ok());
  EXPECT_FALSE(TryLock(1, "other", kShared).ok());
  EXPECT_EQ(table_->held_count(), 3u);
  table_->ReleaseAll(1);
  table_->ReleaseAll(2);
  EXPECT_TRUE(TryLock(3, "k", kExclusive).ok());
  table_->ReleaseAll(3);
  EXPECT_EQ(table_->held_count(), 0u);
}

TEST_F(LockTableTest, IsReentrantInBothModes) {
  for (const LockMode mode : {kShared, kShared, kExclusive, kExclusive, kShared}) EXPECT_TRUE(TryLock(1, "k", mode).ok());
  EXPECT_EQ(table_->held_count(), 1u);
  EXPECT_FALSE(TryLock(2, "k", kShared).ok());  // asking for less did not weaken what is held
  table_->ReleaseAll(1);
  EXPECT_TRUE(TryLock(2, "k", kExclusive).ok());
}

TEST_F(LockTableTest, WaitersAreServedInOrderOfArrival) {
  ASSERT_TRUE(LockNow(1, "k", kExclusive).ok());
  Asker second(table_.get(), 2), third(table_.get(), 3);
  second.Ask("k", kExclusive);
  AwaitWaiters(1);
  third.Ask("k", kExclusive);
  AwaitWaiters(2);
  table_->ReleaseAll(1);
  EXPECT_TRUE(second.Result().ok());
  EXPECT_EQ(table_->waiting_count(), 1u);
  table_->ReleaseAll(2);
  EXPECT_TRUE(third.Result().ok());
  table_->ReleaseAll(3);
  EXPECT_EQ(table_->held_count(), 0u);
}

TEST_F(LockTableTest, LaterSharedRequestDoesNotOvertakeAWaitingExclusiveOne) {
  ASSERT_TRUE(LockNow(1, "k", kShared).ok());
  Asker writer(table_.get(), 2), reader(table_.get(), 3);
  writer.Ask("k", kExclusive);
  AwaitWaiters(1);
  EXPECT_FALSE(TryLock(4, "k", kShared).ok());
  reader.Ask("k", kShared);
  AwaitWaiters(2);
  table_->ReleaseAll(1);
  EXPECT_TRUE(writer.Result().ok());
  EXPECT_EQ(table_->waiting_count(), 1u);
  table_->ReleaseAll(2);
  EXPECT_TRUE(reader.Result().ok());
}

TEST_F(LockTableTest, SharedWaitersAreGrantedTogether) {
  ASSERT_TRUE(LockNow(1, "k", kExclusive).ok());
  Asker second(table_.get(), 2), third(table_.get(), 3);
  second.Ask("k", kShared);
  third.Ask("k", kShared);
  AwaitWaiters(2);
  table_->ReleaseAll(1);
  EXPECT_TRUE(second.Result().ok());
  EXPECT_TRUE(third.Result().ok());
}

TEST_F(LockTableTest, UpgradeGoesAheadOfWaiters) {
  ASSERT_TRUE(LockNow(1, "k", kShared).ok());
  ASSERT_TRUE(LockNow(2, "k", kShared).ok());
  Asker waiter(table_.get(), 3), upgrader(table_.get(), 1);
  waiter.Ask("k", kExclusive);
  AwaitWaiters(1);
  upgrader.Ask("k", kExclusive);
  AwaitWaiters(2);
  table_->ReleaseAll(2);
  EXPECT_TRUE(upgrader.Result().ok());
  EXPECT_EQ(table_->waiting_count(), 1u);
  table_->ReleaseAll(1);
  EXPECT_TRUE(waiter.Result().ok());
}

TEST_F(LockTableTest, SecondOfTwoUpgradersIsTheDeadlock) {
  ASSERT_TRUE(LockNow(1, "k", kShared).ok());
  ASSERT_TRUE(LockNow(2, "k", kShared).ok());
  Asker first(table_.get(), 1);
  first.Ask("k", kExclusive);
  AwaitWaiters(1);
  const absl::Status second = LockNow(2, "k", kExclusive);
  EXPECT_EQ(SqlStateOf(second), sqlstate::kDeadlockDetected);
  EXPECT_EQ(MessageOf(second), "deadlock detected");
  table_->ReleaseAll(2);
  EXPECT_TRUE(first.Result().ok());
}

TEST_F(LockTableTest, DeadlockOfTwoIsFoundByTheOneThatClosesIt) {
  ASSERT_TRUE(LockNow(1, "a", kExclusive).ok());
  ASSERT_TRUE(LockNow(2, "b", kExclusive).ok());
  Asker first(table_.get(), 1);
  first.Ask("b", kExclusive);
  AwaitWaiters(1);
  EXPECT_EQ(SqlStateOf(LockNow(2, "a", kExclusive)), sqlstate::kDeadlockDetected);
  table_->ReleaseAll(2);
  EXPECT_TRUE(first.Result().ok());
}

TEST_F(LockTableTest, DeadlockOfThreeThroughAQueueIsFound) {
  ASSERT_TRUE(LockNow(1, "a", kShared).ok());
  ASSERT_TRUE(LockNow(2, "b", kExclusive).ok());
  ASSERT_TRUE(LockNow(3, "c", kExclusive).ok());
  Asker first(table_.get(), 1), second(table_.get(), 2);
  first.Ask("b", kShared);
  AwaitWaiters(1);
  second.Ask("c", kExclusive);
  AwaitWaiters(2);
  EXPECT_EQ(SqlStateOf(LockNow(3, "a", kExclusive)), sqlstate::kDeadlockDetected);
  table_->ReleaseAll(3);
  EXPECT_TRUE(second.Result().ok());
  table_->ReleaseAll(2);
  EXPECT_TRUE(first.Result().ok());
}

// The cycle's only link is the place in the queue: 3 waits behind 2, which waits for 1.
TEST_F(LockTableTest, DeadlockThroughAWaiterAheadIsFound) {
  ASSERT_TRUE(LockNow(1, "a", kShared).ok());
  ASSERT_TRUE(LockNow(3, "b", kExclusive).ok());
  Asker second(table_.get(), 2), third(table_.get(), 3);
  second.Ask("a", kExclusive);
  AwaitWaiters(1);
  third.Ask("a", kShared);
  AwaitWaiters(2);
  EXPECT_EQ(SqlStateOf(LockNow(1, "b", kExclusive)), sqlstate::kDeadlockDetected);
  table_->ReleaseAll(1);
  EXPECT_TRUE(second.Result().ok());
  table_->ReleaseAll(2);
  EXPECT_TRUE(third.Result().ok());
}

TEST_F(LockTableTest, CancelledWaiterLetsThoseBehindItGoOn) {
  ASSERT_TRUE(LockNow(1, "k", kShared).ok());
  Asker writer(table_.get(), 2), reader(table_.get(), 3);
  writer.Ask("k", kExclusive);
  AwaitWaiters(1);
  reader.Ask("k", kShared);
  AwaitWaiters(2);
  writer.Stop();
  EXPECT_TRUE(absl::IsCancelled(writer.Result()));
  EXPECT_TRUE(reader.Result().ok());
}

TEST_F(LockTableTest, ReleaseSinceGivesBackWhatWasTakenAndUndoesUpgrades) {
  ASSERT_TRUE(TryLock(1, "before", kExclusive).ok());
  ASSERT_TRUE(TryLock(1, "shared", kShared).ok());
  const LockMark mark = table_->Mark(1);
  ASSERT_TRUE(TryLock(1, "shared", kExclusive).ok());
  ASSERT_TRUE(TryLock(1, "since", kShared).ok());
  ASSERT_TRUE(TryLock(1, "since", kExclusive).ok());
  ASSERT_TRUE(TryLock(1, "before", kExclusive).ok());
  table_->ReleaseSince(1, mark);
  EXPECT_EQ(table_->held_count(), 2u);
  EXPECT_FALSE(TryLock(2, "before", kShared).ok());
  EXPECT_TRUE(TryLock(2, "shared", kShared).ok());
  EXPECT_FALSE(TryLock(2, "shared", kExclusive).ok());
  EXPECT_TRUE(TryLock(2, "since", kExclusive).ok());
  EXPECT_EQ(table_->Mark(1), mark);
  table_->ReleaseAll(1);
  table_->ReleaseAll(2);
  EXPECT_EQ(table_->held_count(), 0u);
}

TEST_F(LockTableTest, ReleaseSinceLetsWaitersGoOn) {
  ASSERT_TRUE(LockNow(1, "k", kShared).ok());
  const LockMark mark = table_->Mark(1);
  ASSERT_TRUE(LockNow(1, "k", kExclusive).ok());
  Asker reader(table_.get(), 2), writer(table_.get(), 3);
  reader.Ask("k", kShared);
  AwaitWaiters(1);
  writer.Ask("k", kExclusive);
  AwaitWaiters(2);
  table_->ReleaseSince(1, mark);
  EXPECT_TRUE(reader.Result().ok());
  EXPECT_EQ(table_->waiting_count(), 1u);
  table_->ReleaseSince(1, 0);
  table_->ReleaseAll(2);
  EXPECT_TRUE(writer.Result().ok());
}

TEST_F(LockTableTest, AWaitEndsAfterItsTimeout) {
  ASSERT_TRUE(LockNow(1, "k", kExclusive).ok());
  const absl::Status timed_out = table_->Lock(2, "k", kShared, {}, std::chrono::milliseconds(20));
  EXPECT_EQ(SqlStateOf(timed_out), sqlstate::kLockNotAvailable);
  EXPECT_EQ(MessageOf(timed_out), "canceling statement due to lock timeout");
  EXPECT_EQ(table_->waiting_count(), 0u);
  table_->ReleaseAll(1);
  EXPECT_TRUE(table_->Lock(2, "k", kShared, {}, std::chrono::milliseconds(20)).ok());
}

TEST_F(LockTableTest, ManyThreadsNeverHoldOneKeyTogether) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 2000;
  int inside = 0;  // guarded by the lock under test
  int entered = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        ASSERT_TRUE(LockNow(t + 1, "k", kExclusive).ok());
        ASSERT_EQ(++inside, 1);
        ++entered;
        --inside;
        table_->ReleaseAll(t + 1);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(entered, kThreads * kRounds);
  EXPECT_EQ(table_->held_count(), 0u);
}

// --- Owners within others ---

TEST_F(LockTableTest, WhatTheOuterOneHoldsIsNoObstacle) {
  ASSERT_TRUE(LockNow(1, "k", kExclusive).ok());
  Asker other(table_.get(), 2);
  other.Ask("k", kExclusive);
  AwaitWaiters(1);
  table_->Nest(11, 1);
  EXPECT_TRUE(TryLock(11, "k", kShared).ok()) << "nor does it queue up behind those who wait for the outer one";
  EXPECT_TRUE(TryLock(11, "own", kExclusive).ok());
  table_->ReleaseAll(11);
  EXPECT_EQ(table_->held_count(), 1u) << "the outer one's stays";
  table_->ReleaseAll(1);
  EXPECT_TRUE(other.Result().ok());
  table_->ReleaseAll(2);
  EXPECT_EQ(table_->held_count(), 0u);
}

TEST_F(LockTableTest, ACycleThroughAnInnerOwnerIsFound) {
  ASSERT_TRUE(LockNow(1, "row", kExclusive).ok());
  ASSERT_TRUE(LockNow(2, "descriptor", kExclusive).ok());
  Asker second(table_.get(), 2);
  second.Ask("row", kExclusive);
  AwaitWaiters(1);
  table_->Nest(11, 1);
  table_->Nest(111, 11);
  EXPECT_EQ(SqlStateOf(LockNow(111, "descriptor", kShared)), "40P01");
  EXPECT_EQ(SqlStateOf(LockNow(11, "descriptor", kShared)), "40P01");
  table_->ReleaseAll(111);
  table_->ReleaseAll(11);
  table_->ReleaseAll(1);
  EXPECT_TRUE(second.Result().ok());
}

TEST_F(LockTableTest, ACycleIsFoundWhenTheInnerOneWaitedFirst) {
  ASSERT_TRUE(LockNow(1, "row", kExclusive).ok());
  ASSERT_TRUE(LockNow(2, "descriptor", kExclusive).ok());
  table_->Nest(11, 1);
  Asker inner(table_.get(), 11);
  inner.Ask("descriptor", kShared);
  AwaitWaiters(1);
  EXPECT_EQ(SqlStateOf(LockNow(2, "row", kExclusive)), "40P01");
  table_->ReleaseAll(2);
  EXPECT_TRUE(inner.Result().ok());
}

// --- Many locks ---

// A table in which a lock of another session is few.
TEST_F(LockTableTest, WhoLocksMuchIsRefusedByNameAndLeavesRoomForOthers) {
  constexpr size_t kLocks = kLockFewParts;
  constexpr size_t kKept = kLocks / kLockParts;
  const auto key = [](size_t i) { return fmt::format("{:05}", i); };
  table_ = LockTable::Create(kLocks * (kLockOverheadBytes + key(0).size()));
  for (size_t i = 0; i < kLocks - kKept; ++i) ASSERT_TRUE(TryLock(1, key(i), kShared).ok()) << i;
  EXPECT_TRUE(TryLock(1, key(0), kExclusive).ok()) << "it takes nothing more";
  const absl::Status refused = TryLock(1, "z", kShared);
  EXPECT_EQ(SqlStateOf(refused), "53200") << refused;
  table_->Nest(kLocks, 1);
  EXPECT_EQ(SqlStateOf(TryLock(kLocks, "z", kShared)), "53200") << "what is within a session is it";
  for (size_t i = 0; i < kKept; ++i) ASSERT_TRUE(TryLock(2 + i, key(kLocks + i), kShared).ok()) << i;
  EXPECT_EQ(SqlStateOf(TryLock(2, "y", kShared)), "53200");
  EXPECT_EQ(SqlStateOf(table_->TryLock(kLocks + 1, "z", kShared).status()), "53200") << "there is no more";
  table_->ReleaseAll(kLocks);
  table_->ReleaseAll(1);
  EXPECT_TRUE(TryLock(2, "z", kShared).ok());
}

TEST_F(LockTableTest, ManyLocksAreGivenBackWithOthersInBetween) {
  constexpr size_t kLocks = 200 * kLocksReleasedAtOnce;
  for (size_t i = 0; i < kLocks; ++i) ASSERT_TRUE(LockNow(1, std::to_string(i), kExclusive).ok());
  EXPECT_FALSE(table_->ReleaseFew(1));
  EXPECT_EQ(table_->held_count(), kLocks) << "nothing is given back by half";
  size_t in_between = 0;
  {
    const std::jthread releases([&] { table_->ReleaseAll(1); });
    for (size_t held = kLocks; held > 0; held = table_->held_count()) in_between += held < kLocks;
  }
  EXPECT_GT(in_between, 0u);
  ASSERT_TRUE(LockNow(1, "k", kExclusive).ok());
  EXPECT_TRUE(table_->ReleaseFew(1));
  EXPECT_EQ(table_->held_count(), 0u);
}

}  // namespace
}  // namespace anabranch
