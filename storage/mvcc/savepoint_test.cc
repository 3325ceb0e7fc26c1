// Savepoints of a transaction.
#include "storage/testing/transaction_fixture.h"

namespace anabranch {
namespace {

using SavepointTest = TransactionFixture;

TEST_F(SavepointTest, RollbackToPutsBackWhatWasBufferedBefore) {
  CommitPut(keyspace_, "committed", "1");
  const auto transaction = Begin();
  LockAndPut(*transaction, "a", "first");
  ASSERT_TRUE(transaction->Savepoint().ok());
  LockAndPut(*transaction, "a", "second");
  LockAndDelete(*transaction, "a");
  LockAndDelete(*transaction, "committed");
  LockAndPut(*transaction, "b", "new");
  ASSERT_TRUE(transaction->Savepoint().ok());
  LockAndPut(*transaction, "b", "newer");
  LockAndPut(*transaction, "c", "new");
  transaction->RollbackTo(2);
  EXPECT_EQ(Rows(*transaction->Scan({})), "b=new ");
  transaction->RollbackTo(1);
  EXPECT_EQ(Rows(*transaction->Scan({})), "a=first committed=1 ");
  LockAndPut(*transaction, "a", "third");
  transaction->RollbackTo(1);  // the savepoint is still there
  EXPECT_EQ(transaction->savepoints(), 1u);
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_EQ(Rows(*Begin()->Scan({})), "a=first committed=1 ");
}

TEST_F(SavepointTest, WhatAReleasedSavepointDidBelongsToTheOneBefore) {
  const auto transaction = Begin();
  LockAndPut(*transaction, "a", "0");
  ASSERT_TRUE(transaction->Savepoint().ok());
  LockAndPut(*transaction, "b", "1");
  ASSERT_TRUE(transaction->Savepoint().ok());
  LockAndPut(*transaction, "a", "2");
  LockAndPut(*transaction, "b", "2");
  ASSERT_TRUE(transaction->Savepoint().ok());
  LockAndPut(*transaction, "c", "3");
  transaction->Release(2);
  EXPECT_EQ(transaction->savepoints(), 1u);
  EXPECT_EQ(Rows(*transaction->Scan({})), "a=2 b=2 c=3 ");
  transaction->RollbackTo(1);
  EXPECT_EQ(Rows(*transaction->Scan({})), "a=0 ");
  LockAndPut(*transaction, "d", "4");
  transaction->Release(1);
  EXPECT_EQ(transaction->savepoints(), 0u);
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_EQ(Rows(*Begin()->Scan({})), "a=0 d=4 ");
}

TEST_F(SavepointTest, RollbackToLeavesNoWritesAndGivesLocksBack) {
  const auto transaction = Begin();
  ASSERT_TRUE(transaction->Lock("table", LockMode::kShared, {}).ok());
  ASSERT_TRUE(transaction->Savepoint().ok());
  ASSERT_TRUE(transaction->Lock("table", LockMode::kExclusive, {}).ok());
  LockAndPut(*transaction, "a", "1");
  EXPECT_TRUE(transaction->has_writes());
  transaction->RollbackTo(1);
  EXPECT_FALSE(transaction->has_writes());
  EXPECT_EQ(locks_->held_count(), 1u);
  const auto other = Begin();
  EXPECT_TRUE(other->Lock("table", LockMode::kShared, {}).ok());
  LockAndPut(*other, "a", "2");
  EXPECT_TRUE(other->Commit().ok());
  EXPECT_EQ((*transaction->LockRow("a", {})).row->value, "2");
}

TEST_F(SavepointTest, WhatWasReadBeforeRollbackToIsStillValidated) {
  CommitPut(keyspace_, "read", "1");
  const auto transaction = Begin(IsolationLevel::kSerializable);
  ASSERT_TRUE(transaction->Savepoint().ok());
  EXPECT_EQ(Get(*transaction, "read"), "1");
  transaction->RollbackTo(1);
  CommitPut(keyspace_, "read", "2");
  LockAndPut(*transaction, "written", "1");
  EXPECT_EQ(SqlStateOf(transaction->Commit().status()), sqlstate::kSerializationFailure);
}

// What it learned from a row stays with what it writes; the lock that kept the row as it was does not.
TEST_F(SavepointTest, WhatALockedRowSaidBeforeRollbackToIsStillValidated) {
  CommitPut(keyspace_, "key", "taken");
  const auto transaction = Begin(IsolationLevel::kSerializable);
  ASSERT_TRUE(transaction->Savepoint().ok());
  const auto locked = transaction->LockRow("key", {});
  ASSERT_TRUE(locked.ok()) << locked.status();
  ASSERT_TRUE(locked->row.has_value());  // an INSERT of it fails
  transaction->RollbackTo(1);
  const auto other = Begin();
  LockAndDelete(*other, "key");
  ASSERT_TRUE(other->Commit().ok());
  LockAndPut(*transaction, "written", "key is taken");
  EXPECT_EQ(SqlStateOf(transaction->Commit().status()), sqlstate::kSerializationFailure);
}

TEST_F(SavepointTest, BytesKeptForASavepointCountAndGoWithIt) {
  const auto transaction = Begin();
  constexpr int kRows = 7;
  const auto put = [&](int row) { return transaction->Put(std::to_string(row), std::string(kValueBytesMax, 'v')); };
  for (int row = 0; row < kRows; ++row) ASSERT_TRUE(put(row).ok());
  ASSERT_TRUE(transaction->Savepoint().ok());
  EXPECT_EQ(SqlStateOf(put(0)), sqlstate::kProgramLimitExceeded);  // the old row is kept
  EXPECT_TRUE(transaction->Put("0", "small").ok());
  EXPECT_TRUE(transaction->Put("0", "once more").ok());
  EXPECT_EQ(SqlStateOf(put(kRows)), sqlstate::kProgramLimitExceeded);
  transaction->RollbackTo(1);
  const size_t left = kTransactionBytesMax - kRows * (kValueBytesMax + 1) - 1;
  EXPECT_EQ(SqlStateOf(transaction->Put("x", std::string(left, 'v'))),
            sqlstate::kProgramLimitExceeded);  // the key counts twice
  EXPECT_TRUE(transaction->Put("x", std::string(left - 1, 'v')).ok());
  transaction->RollbackTo(1);
  EXPECT_TRUE(transaction->Put("0", "small").ok());
  transaction->Release(1);
  EXPECT_TRUE(put(kRows).ok());
}

TEST_F(SavepointTest, ASavepointCostsWhatIsWrittenAfterIt) {
  const auto transaction = Begin();
  constexpr int kRows = 6;
  for (int row = 0; row < kRows; ++row) {
    ASSERT_TRUE(transaction->Put(std::to_string(row), std::string(kValueBytesMax, 'v')).ok());
  }
  // A copy of the write set for each would be terabytes.
  for (size_t i = 0; i < kSavepointsMax; ++i) ASSERT_TRUE(transaction->Savepoint().ok()) << i;
  const absl::Status refused = transaction->Savepoint();
  EXPECT_EQ(SqlStateOf(refused), sqlstate::kProgramLimitExceeded);
  EXPECT_EQ(MessageOf(refused), "more than 100000 savepoints in one transaction");
  transaction->RollbackTo(1);
  EXPECT_TRUE(transaction->Savepoint().ok());
}

}  // namespace
}  // namespace anabranch
