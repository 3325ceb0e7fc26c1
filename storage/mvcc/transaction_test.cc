#include "storage/mvcc/transaction.h"

#include <future>

#include "storage/gc.h"
#include "storage/rocks/snapshot_pins.h"
#include "storage/testing/transaction_fixture.h"

namespace anabranch {
namespace {

using TransactionTest = TransactionFixture;

TEST_F(TransactionTest, OwnWritesAreSeenAtOnceAndByOthersAfterCommit) {
  CommitPut(keyspace_, "b", "old");
  const auto writer = Begin();
  LockAndPut(*writer, "a", "1");
  LockAndDelete(*writer, "b");
  EXPECT_EQ(Get(*writer, "a"), "1");
  EXPECT_EQ(Get(*writer, "b"), "none");
  EXPECT_EQ((*writer->Get("a"))->timestamp, kTimestampZero);
  EXPECT_EQ(Get(*Begin(), "a"), "none");
  EXPECT_TRUE(writer->has_writes());
  const auto committed = writer->Commit();
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_GE(store_->visible(), *committed);
  const auto reader = Begin();
  EXPECT_EQ(Get(*reader, "a"), "1");
  EXPECT_EQ(Get(*reader, "b"), "none");
  EXPECT_EQ((*reader->Get("a"))->timestamp, *committed);
  EXPECT_EQ(locks_->held_count(), 0u);
}

TEST_F(TransactionTest, ScanLaysOwnWritesOverCommittedRows) {
  CommitWrites(keyspace_, {{"b", {WriteKind::kPut, "1"}}, {"d", {WriteKind::kPut, "2"}}, {"f", {WriteKind::kPut, "3"}}});
  const auto transaction = Begin();
  for (const char* key : {"a", "d", "e", "g"}) LockAndPut(*transaction, key, "own");
  for (const char* key : {"b", "c"}) LockAndDelete(*transaction, key);
  EXPECT_EQ(Rows(*transaction->Scan({})), "a=own d=own e=own f=3 g=own ");
  EXPECT_EQ(Rows(*transaction->Scan({"b", "f"})), "d=own e=own ");
  EXPECT_EQ(Rows(*transaction->Scan({"f", "b"})), "");
  EXPECT_EQ(Rows(*transaction->Scan({"h", ""})), "");
  LockAndDelete(*transaction, "g");
  EXPECT_EQ(Rows(*transaction->Scan({"f", ""})), "f=3 ");
}

TEST_F(TransactionTest, ScanDoesNotMeetWhatIsWrittenAfterItBegan) {
  CommitWrites(keyspace_, {{"a", {WriteKind::kPut, "1"}}, {"c", {WriteKind::kPut, "2"}}});
  const auto transaction = Begin();
  LockAndPut(*transaction, "c", "before");
  const auto scan = transaction->Scan({});
  ASSERT_TRUE(*scan->Next());
  LockAndPut(*transaction, "b", "after");
  LockAndPut(*transaction, "c", "after");
  LockAndDelete(*transaction, "a");
  EXPECT_EQ(Rows(*scan), "c=before ");
  EXPECT_EQ(Rows(*transaction->Scan({})), "b=after c=after ");
}

TEST_F(TransactionTest, RollbackAndDestructionLeaveNoTrace) {
  {
    const auto rolled_back = Begin();
    LockAndPut(*rolled_back, "a", "1");
    rolled_back->Rollback();
    EXPECT_EQ(locks_->held_count(), 0u);
    const auto destroyed = Begin();
    LockAndPut(*destroyed, "a", "2");
  }
  EXPECT_EQ(locks_->held_count(), 0u);
  EXPECT_EQ(Get(*Begin(), "a"), "none");
}

TEST_F(TransactionTest, CommitOfNothingReturnsTheSnapshot) {
  const auto transaction = Begin();
  const Timestamp snapshot = transaction->snapshot();
  ASSERT_TRUE(transaction->Lock("table", LockMode::kShared, {}).ok());
  EXPECT_EQ(*transaction->Commit(), snapshot);
  EXPECT_EQ(locks_->held_count(), 0u);
}

TEST_F(TransactionTest, ReadCommittedTakesANewSnapshotForEachStatement) {
  CommitPut(keyspace_, "a", "1");
  const auto transaction = Begin();
  EXPECT_EQ(Get(*transaction, "a"), "1");
  CommitPut(keyspace_, "a", "2");
  EXPECT_EQ(Get(*transaction, "a"), "1");
  EXPECT_EQ(Rows(*transaction->Scan({})), "a=1 ");
  ASSERT_TRUE(transaction->BeginStatement().ok());
  EXPECT_EQ(Get(*transaction, "a"), "2");
}

TEST_F(TransactionTest, ReadCommittedReReadsTheRowItLocked) {
  CommitWrites(keyspace_, {{"a", {WriteKind::kPut, "1"}}, {"b", {WriteKind::kPut, "1"}}, {"c", {WriteKind::kPut, "1"}}});
  const auto transaction = Begin();
  EXPECT_EQ(Get(*transaction, "a"), "1");
  CommitWrites(keyspace_, {{"a", {WriteKind::kPut, "2"}}, {"b", {WriteKind::kTombstone, ""}}});
  const auto updated = transaction->LockRow("a", {});
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_TRUE(updated->changed_since_snapshot);
  EXPECT_EQ(updated->row->value, "2");
  const auto deleted = transaction->LockRow("b", {});
  EXPECT_TRUE(deleted->changed_since_snapshot);
  EXPECT_FALSE(deleted->row.has_value());
  const auto same = transaction->LockRow("c", {});
  EXPECT_FALSE(same->changed_since_snapshot);
  EXPECT_EQ(same->row->value, "1");
  const auto absent = transaction->LockRow("d", {});
  EXPECT_FALSE(absent->changed_since_snapshot);
  EXPECT_FALSE(absent->row.has_value());
  ASSERT_TRUE(transaction->Put("d", "own").ok());
  EXPECT_EQ(transaction->LockRow("d", {})->row->value, "own");
}

TEST_F(TransactionTest, ARowThatIsTriedIsLockedOrLeftAlone) {
  CommitPut(keyspace_, "a", "1");
  const auto holder = Begin();
  const auto other = Begin();
  const auto free = holder->TryLockRow("a");
  ASSERT_TRUE(free.ok() && free->has_value());
  EXPECT_EQ((*free)->row->value, "1");
  EXPECT_TRUE(holder->TryLockRow("a")->has_value());
  EXPECT_FALSE(other->TryLockRow("a")->has_value());
  EXPECT_EQ(locks_->held_count(), 1u);
  EXPECT_EQ(locks_->waiting_count(), 0u);
  ASSERT_TRUE(holder->Put("a", "2").ok());
  ASSERT_TRUE(holder->Commit().ok());
  const auto changed = other->TryLockRow("a");
  ASSERT_TRUE(changed.ok() && changed->has_value());
  EXPECT_TRUE((*changed)->changed_since_snapshot);
  EXPECT_EQ((*changed)->row->value, "2");
}

TEST_F(TransactionTest, WriterThatWaitedSeesWhatTheHolderCommitted) {
  CommitPut(keyspace_, "a", "1");
  const auto holder = Begin();
  LockAndPut(*holder, "a", "2");
  const auto waiter = Begin();
  auto locked = std::async(std::launch::async, [&] { return waiter->LockRow("a", {}); });
  while (locks_->waiting_count() == 0) std::this_thread::yield();
  ASSERT_TRUE(holder->Commit().ok());
  const absl::StatusOr<LockedRow> row = locked.get();
  ASSERT_TRUE(row.ok()) << row.status();
  EXPECT_TRUE(row->changed_since_snapshot);
  EXPECT_EQ(row->row->value, "2");
}

TEST_F(TransactionTest, RepeatableReadKeepsItsSnapshotAndRefusesChangedRows) {
  CommitWrites(keyspace_, {{"a", {WriteKind::kPut, "1"}}, {"b", {WriteKind::kPut, "1"}}});
  const auto transaction = Begin(IsolationLevel::kRepeatableRead);
  CommitWrites(keyspace_,
               {{"a", {WriteKind::kPut, "2"}}, {"b", {WriteKind::kTombstone, ""}}, {"c", {WriteKind::kPut, "3"}}});
  ASSERT_TRUE(transaction->BeginStatement().ok());
  EXPECT_EQ(Rows(*transaction->Scan({})), "a=1 b=1 ");
  const absl::Status update = transaction->LockRow("a", {}).status();
  EXPECT_EQ(SqlStateOf(update), sqlstate::kSerializationFailure);
  EXPECT_EQ(MessageOf(update), "could not serialize access due to concurrent update");
  EXPECT_EQ(MessageOf(transaction->LockRow("b", {}).status()), "could not serialize access due to concurrent delete");
  EXPECT_EQ(SqlStateOf(transaction->LockRow("c", {}).status()), sqlstate::kSerializationFailure);
  EXPECT_TRUE(transaction->LockRow("d", {}).ok());
}

// Each reads both rows and writes one: only SERIALIZABLE refuses the second.
TEST_F(TransactionTest, WriteSkewIsRefusedUnderSerializableOnly) {
  for (const IsolationLevel isolation : {IsolationLevel::kRepeatableRead, IsolationLevel::kSerializable}) {
    CommitWrites(keyspace_, {{"a", {WriteKind::kPut, "1"}}, {"b", {WriteKind::kPut, "1"}}});
    const auto first = Begin(isolation);
    const auto second = Begin(isolation);
    for (Transaction* transaction : {first.get(), second.get()}) {
      EXPECT_EQ(Get(*transaction, "a"), "1");
      EXPECT_EQ(Get(*transaction, "b"), "1");
    }
    LockAndPut(*first, "a", "0");
    LockAndPut(*second, "b", "0");
    EXPECT_TRUE(first->Commit().ok());
    const auto committed = second->Commit();
    if (isolation == IsolationLevel::kRepeatableRead) {
      EXPECT_TRUE(committed.ok()) << committed.status();
    } else {
      EXPECT_EQ(SqlStateOf(committed.status()), sqlstate::kSerializationFailure);
      EXPECT_EQ(Get(*Begin(), "b"), "1");
    }
    EXPECT_EQ(locks_->held_count(), 0u);
  }
}

TEST_F(TransactionTest, SerializableRefusesPhantomsInScannedSpans) {
  const auto scanner = Begin(IsolationLevel::kSerializable);
  EXPECT_EQ(Rows(*scanner->Scan({"b", "d"})), "");
  EXPECT_EQ(Get(*scanner, "x"), "none");
  LockAndPut(*scanner, "z", "1");
  CommitPut(keyspace_, "a", "outside");
  CommitPut(keyspace_, "d", "outside");
  CommitPut(keyspace_, std::string("x\0", 2), "outside");
  const auto same = Begin(IsolationLevel::kSerializable);
  EXPECT_EQ(Rows(*same->Scan({"b", "d"})), "");
  LockAndPut(*same, "y", "1");
  EXPECT_TRUE(scanner->Commit().ok());
  CommitPut(keyspace_, "c", "phantom");
  EXPECT_EQ(SqlStateOf(same->Commit().status()), sqlstate::kSerializationFailure);
}

TEST_F(TransactionTest, SerializableSpanWithoutEndStaysWithoutEndWhenMerged) {
  const auto scanner = Begin(IsolationLevel::kSerializable);
  EXPECT_EQ(Get(*scanner, "c"), "none");
  EXPECT_EQ(Rows(*scanner->Scan({"b", ""})), "");
  LockAndPut(*scanner, "a", "1");
  CommitPut(keyspace_, "x", "phantom");
  EXPECT_EQ(SqlStateOf(scanner->Commit().status()), sqlstate::kSerializationFailure);
}

TEST_F(TransactionTest, SerializableReadOnlyNeverFails) {
  CommitPut(keyspace_, "a", "1");
  const auto reader = Begin(IsolationLevel::kSerializable);
  EXPECT_EQ(Get(*reader, "a"), "1");
  CommitPut(keyspace_, "a", "2");
  EXPECT_TRUE(reader->Commit().ok());
}

// Too many separate reads to remember: validated as if everything had been read, never as if less had been.
TEST_F(TransactionTest, SerializableReadsBeyondTheBoundCollapseToEverything) {
  for (const int reads : {1000, 5000}) {
    const auto transaction = Begin(IsolationLevel::kSerializable);
    for (int i = 0; i < reads; ++i) ASSERT_EQ(Get(*transaction, fmt::format("read{:05}", i * 3 % reads * 2)), "none");
    LockAndPut(*transaction, "own", "1");
    CommitPut(keyspace_, "unread", "1");
    EXPECT_EQ(transaction->Commit().ok(), reads == 1000) << reads;
  }
}

TEST_F(TransactionTest, AdjacentReadsMergeInsteadOfCollapsing) {
  const auto transaction = Begin(IsolationLevel::kSerializable);
  std::string key = "k";
  for (int i = 0; i < 5000; ++i, key.push_back('\0')) ASSERT_EQ(Get(*transaction, key), "none");
  LockAndPut(*transaction, "own", "1");
  CommitPut(keyspace_, "unread", "1");
  EXPECT_TRUE(transaction->Commit().ok());
}

TEST_F(TransactionTest, AsOfReadsThePastAndRefusesWrites) {
  const Timestamp first = CommitPut(keyspace_, "a", "1");
  CommitPut(keyspace_, "a", "2");
  auto as_of = Transaction::BeginAsOf(Context(), first);
  ASSERT_TRUE(as_of.ok()) << as_of.status();
  ASSERT_TRUE((*as_of)->BeginStatement().ok());
  EXPECT_TRUE((*as_of)->read_only());
  EXPECT_EQ((*as_of)->snapshot(), first);
  EXPECT_EQ(Get(**as_of, "a"), "1");
  EXPECT_EQ(Rows(*(*as_of)->Scan({})), "a=1 ");
  EXPECT_EQ(SqlStateOf((*as_of)->LockRow("a", {}).status()), sqlstate::kReadOnlySqlTransaction);
  EXPECT_EQ(SqlStateOf((*as_of)->Lock("a", LockMode::kExclusive, {})), sqlstate::kReadOnlySqlTransaction);
  EXPECT_EQ(SqlStateOf((*as_of)->Put("a", "3")), sqlstate::kReadOnlySqlTransaction);
  EXPECT_EQ(SqlStateOf((*as_of)->Delete("a")), sqlstate::kReadOnlySqlTransaction);
  EXPECT_EQ(*(*as_of)->Commit(), first);
  const Timestamp future{store_->visible().ns + 3'600'000'000'000};
  EXPECT_EQ(SqlStateOf(Transaction::BeginAsOf(Context(), future).status()), sqlstate::kInvalidParameterValue);
}

TEST_F(TransactionTest, LimitsAreRefusedByNameAndAcceptedAtTheirBound) {
  const auto transaction = Begin();
  EXPECT_TRUE(transaction->Put(std::string(kKeyBytesMax, 'k'), "").ok());
  const absl::Status key = transaction->Put(std::string(kKeyBytesMax + 1, 'k'), "");
  EXPECT_EQ(SqlStateOf(key), sqlstate::kProgramLimitExceeded);
  EXPECT_EQ(MessageOf(key), "key of 16385 bytes exceeds the limit of 16384 bytes");
  EXPECT_EQ(SqlStateOf(transaction->Put("a", std::string(kValueBytesMax + 1, 'v'))), sqlstate::kProgramLimitExceeded);
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(transaction->Put(std::to_string(i), std::string(kValueBytesMax, 'v')).ok());
  EXPECT_TRUE(transaction->Put("0", std::string(kValueBytesMax, 'w')).ok());  // the value is replaced, not added
  const size_t left = kTransactionBytesMax - kKeyBytesMax - 7 * (kValueBytesMax + 1);
  const absl::Status whole = transaction->Put("7", std::string(left, 'v'));
  EXPECT_EQ(SqlStateOf(whole), sqlstate::kProgramLimitExceeded);
  EXPECT_EQ(MessageOf(whole), "transaction of 67108865 bytes exceeds the limit of 67108864 bytes");
  EXPECT_TRUE(transaction->Put("7", std::string(left - 1, 'v')).ok());
}

TEST_F(TransactionTest, ServiceStoppedMeanwhileEndsTheTransaction) {
  const auto transaction = Begin();
  LockAndPut(*transaction, "a", "1");
  Update([&](MetaUpdate& update) { update.Stage(keyspace_).BumpEpoch(); });
  const absl::Status stopped = transaction->Commit().status();
  EXPECT_EQ(SqlStateOf(stopped), sqlstate::kAdminShutdown);
  EXPECT_EQ(MessageOf(stopped), "terminating connection because the virtual cluster's service was stopped");
  EXPECT_EQ(Get(*Begin(), "a"), "none");
  EXPECT_EQ(locks_->held_count(), 0u);
}

TEST_F(TransactionTest, ConcurrentTransfersKeepTheSum) {
  constexpr int kAccounts = 5;
  constexpr int kThreads = 6;
  constexpr int kTransfers = 40;
  WriteSet accounts;
  for (int i = 0; i < kAccounts; ++i) accounts[fmt::format("{}", i)] = {WriteKind::kPut, "100"};
  CommitWrites(keyspace_, accounts);
  std::atomic<int> committed = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Random random(t + 1);
      for (int i = 0; i < kTransfers; ++i) {
        const auto transaction = Begin();
        const std::string from = std::to_string(random.Next() % kAccounts);
        const std::string to = std::to_string((std::stoi(from) + 1 + random.Next() % (kAccounts - 1)) % kAccounts);
        bool deadlock = false;
        for (const auto& [key, delta] : {std::pair(from, -7), std::pair(to, 7)}) {
          const auto locked = transaction->LockRow(key, {});
          if (!locked.ok()) {
            ASSERT_EQ(SqlStateOf(locked.status()), sqlstate::kDeadlockDetected);
            deadlock = true;
            break;
          }
          ASSERT_TRUE(transaction->Put(key, std::to_string(std::stoi(locked->row->value) + delta)).ok());
        }
        if (deadlock) continue;
        ASSERT_TRUE(transaction->Commit().ok());
        ++committed;
      }
    });
  }
  threads.clear();
  int sum = 0;
  const auto reader = Begin();
  const auto scan = reader->Scan({});
  while (*scan->Next()) sum += std::stoi(std::string(scan->value()));
  EXPECT_EQ(sum, kAccounts * 100);
  EXPECT_GT(committed, 0);
}

TEST_F(TransactionTest, FollowsTheFrontierUntilItIsTakenBack) {
  const KeyspaceRef standby = NewStandby();
  Ingest(standby, {PutAt("a", 10, "1")}, 20);
  TransactionContext context{store_.get(), standby, standby->state()->epoch, locks_.get(), standby->state()->rewinds};
  const auto follower = Transaction::Begin(context, IsolationLevel::kReadCommitted);
  const auto repeatable = Transaction::Begin(context, IsolationLevel::kSerializable);
  for (Transaction* const transaction : {follower.get(), repeatable.get()}) {
    ASSERT_TRUE(transaction->BeginStatement().ok());
    EXPECT_EQ(transaction->snapshot(), Timestamp{20});
    EXPECT_EQ(SqlStateOf(transaction->Put("a", "mine")), "25006");
  }
  Ingest(standby, {PutAt("a", 30, "2")});
  ASSERT_TRUE(follower->BeginStatement().ok());
  EXPECT_EQ(Get(*follower, "a"), "1");
  Ingest(standby, {}, 40);
  ASSERT_TRUE(follower->BeginStatement().ok());
  EXPECT_EQ(Get(*follower, "a"), "2");
  EXPECT_EQ(SqlStateOf(Transaction::BeginAsOf(context, Timestamp{41}).status()), "22023");

  // A failover to the frontier: that is where they stay, whatever is committed.
  Promote(standby, 40);
  CommitPut(standby, "a", "3");
  ASSERT_TRUE(follower->BeginStatement().ok());
  EXPECT_EQ(follower->snapshot(), Timestamp{40});
  EXPECT_EQ(Get(*follower, "a"), "2");
  EXPECT_EQ(SqlStateOf(Transaction::BeginAsOf(context, store_->visible()).status()), "22023");
  ASSERT_TRUE(repeatable->BeginStatement().ok());
  EXPECT_EQ(Get(*repeatable, "a"), "1");

  // What is opened before something is taken back stays whole; nothing is opened after it.
  const std::unique_ptr<MvccScan> scan = follower->Scan({});
  Update([&](MetaUpdate& update) { update.Stage(standby).Hide(Timestamp{25}); });
  EXPECT_EQ(Rows(*scan), "a=2 ");
  EXPECT_EQ(Get(*follower, "a"), "57P01");
  EXPECT_EQ(Rows(*follower->Scan({})), "57P01");
  EXPECT_EQ(SqlStateOf(repeatable->BeginStatement()), "57P01");
}

TEST_F(TransactionTest, WhatAFollowerSeesIsNotCollected) {
  const KeyspaceRef standby = NewStandby();
  Ingest(standby, {PutAt("a", 10, "1")}, 20);
  TransactionContext context{store_.get(), standby, standby->state()->epoch, locks_.get(), standby->state()->rewinds};
  const auto collect = [&] {
    const auto collected = CollectGarbage(store_.get(), standby, standby->state()->epoch, 0, Pacing::kFull, {}, nullptr);
    return collected.ok() ? collected->floor : kTimestampZero;
  };
  auto repeatable = Transaction::Begin(context, IsolationLevel::kRepeatableRead);
  const auto follower = Transaction::Begin(context, IsolationLevel::kReadCommitted);
  for (Transaction* const transaction : {repeatable.get(), follower.get()}) ASSERT_TRUE(transaction->BeginStatement().ok());
  Ingest(standby, {PutAt("a", 30, "2")}, 40);
  EXPECT_EQ(collect(), Timestamp{20});
  EXPECT_EQ(Get(*repeatable, "a"), "1");
  auto as_of = Transaction::BeginAsOf(context, Timestamp{30});
  ASSERT_TRUE(as_of.ok()) << as_of.status();
  repeatable.reset();
  EXPECT_EQ(collect(), Timestamp{20}) << "the other's statement";
  ASSERT_TRUE(follower->BeginStatement().ok());
  EXPECT_EQ(collect(), Timestamp{30});
  (*as_of)->Rollback();
  EXPECT_EQ(collect(), Timestamp{40});
  EXPECT_EQ(Get(*follower, "a"), "2");
}

TEST_F(TransactionTest, AFollowerWhoseSnapshotWasCollectedIsToldSo) {
  const KeyspaceRef standby = NewStandby();
  Ingest(standby, {PutAt("a", 10, "1")}, 20);
  TransactionContext context{store_.get(), standby, standby->state()->epoch, locks_.get(), standby->state()->rewinds};
  const auto repeatable = Transaction::Begin(context, IsolationLevel::kRepeatableRead);
  ASSERT_TRUE(repeatable->BeginStatement().ok());
  Ingest(standby, {}, 40);
  Update([&](MetaUpdate& update) { update.Stage(standby).RaiseFloor(Timestamp{30}); });  // as if its time were over
  EXPECT_EQ(Get(*repeatable, "a"), "40001");
  EXPECT_EQ(Rows(*repeatable->Scan({})), "40001");
  EXPECT_EQ(SqlStateOf(repeatable->BeginStatement()), "40001");
}

TEST(SnapshotPinsTest, ASnapshotCountsForALimitedTime) {
  SnapshotPins pins;
  EXPECT_EQ(pins.Oldest(0), kTimestampMax);
  const SnapshotPins::Pin old = pins.Add(Timestamp{10}, 5);
  pins.Add(Timestamp{20}, 6);
  EXPECT_EQ(pins.Oldest(5 + kSnapshotPinNsMax), Timestamp{10});
  EXPECT_EQ(pins.Oldest(6 + kSnapshotPinNsMax), Timestamp{20});
  EXPECT_EQ(pins.Oldest(7 + kSnapshotPinNsMax), kTimestampMax);
  pins.Remove(old);
  EXPECT_EQ(pins.Oldest(5), Timestamp{20});
}

TEST_F(TransactionTest, AFollowerIsRefusedOnceAnUndoBegins) {
  const KeyspaceRef standby = NewStandby();
  Ingest(standby, {PutAt("a", 10, "1")}, 20);
  TransactionContext context{store_.get(), standby, standby->state()->epoch, locks_.get(), standby->state()->rewinds};
  const auto follower = Transaction::Begin(context, IsolationLevel::kRepeatableRead);
  EXPECT_EQ(Get(*follower, "a"), "1");
  Update([&](MetaUpdate& update) { update.Stage(standby).SetIngesting(true, kTimestampZero); });
  EXPECT_EQ(Get(*follower, "a"), "57P01");
}

TEST_F(TransactionTest, AnInnerTransactionStaysWhateverBecomesOfItsOuterOne) {
  auto outer = Begin();
  LockAndPut(*outer, "outer", "x");
  {
    const auto inner = outer->BeginInner();
    ASSERT_TRUE(inner->BeginStatement().ok());
    EXPECT_EQ(Get(*inner, "outer"), "none") << "it is another transaction";
    ASSERT_TRUE(inner->Lock("outer", LockMode::kShared, {}).ok());
    LockAndPut(*inner, "inner", "y");
    ASSERT_TRUE(inner->Commit().ok());
  }
  outer->Rollback();
  EXPECT_EQ(Get(*Begin(), "inner"), "y");
  EXPECT_EQ(Get(*Begin(), "outer"), "none");
  EXPECT_EQ(locks_->held_count(), 0u);
}

TEST_F(TransactionTest, AnInnerTransactionWaitsAsLongAsItsOuterOne) {
  auto holder = Begin();
  ASSERT_TRUE(holder->Lock("k", LockMode::kExclusive, {}).ok());
  auto outer = Begin();
  outer->SetLockTimeout(std::chrono::milliseconds(1));
  EXPECT_EQ(SqlStateOf(outer->BeginInner()->Lock("k", LockMode::kShared, {})), "55P03");
}

TEST_F(TransactionTest, ManyLocksAreGoneOnceTheirCommitIsAcknowledged) {
  auto transaction = Begin();
  for (size_t i = 0; i < 2 * kLocksReleasedAtOnce; ++i) {
    ASSERT_TRUE(transaction->Lock(std::to_string(i), LockMode::kExclusive, {}).ok());
  }
  LockAndPut(*transaction, "k", "v");
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_EQ(locks_->held_count(), 0u);
}

}  // namespace
}  // namespace anabranch
