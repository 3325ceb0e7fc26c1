// For tests of transactions: a keyspace of a real store, and its locks.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "storage/mvcc/transaction.h"
#include "storage/testing/test_store.h"

namespace anabranch {

class TransactionFixture : public StoreFixture {
 protected:
  TransactionFixture() : keyspace_(NewKeyspace()) {}

  TransactionContext Context() { return {store_.get(), keyspace_, keyspace_->state()->epoch, locks_.get()}; }
  std::unique_ptr<Transaction> Begin(IsolationLevel isolation = IsolationLevel::kReadCommitted) {
    auto transaction = Transaction::Begin(Context(), isolation);
    EXPECT_TRUE(transaction->BeginStatement().ok());
    return transaction;
  }
  static std::string Get(Transaction& transaction, std::string_view key) {
    auto row = transaction.Get(key);
    if (!row.ok()) return SqlStateOf(row.status());
    return *row ? (*row)->value : "none";
  }
  // Keys and values alone.
  static std::string Rows(MvccScan& scan) {
    std::string text;
    while (true) {
      const absl::StatusOr<bool> found = scan.Next();
      if (!found.ok()) return text + SqlStateOf(found.status());
      if (!*found) return text;
      text += fmt::format("{}={} ", scan.key(), scan.value());
    }
  }
  static void LockAndPut(Transaction& transaction, const std::string& key, const std::string& value) {
    const auto locked = transaction.LockRow(key, {});
    ASSERT_TRUE(locked.ok()) << locked.status();
    ASSERT_TRUE(transaction.Put(key, value).ok());
  }
  static void LockAndDelete(Transaction& transaction, const std::string& key) {
    const auto locked = transaction.LockRow(key, {});
    ASSERT_TRUE(locked.ok()) << locked.status();
    ASSERT_TRUE(transaction.Delete(key).ok());
  }

  std::unique_ptr<LockTable> locks_ = LockTable::Create();
  KeyspaceRef keyspace_;
};

}  // namespace anabranch
