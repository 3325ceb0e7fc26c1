// The transactions of a life.
#include <memory>

#include "base/status.h"
#include "storage/mvcc/lock_table.h"
#include "storage/testing/model_life.h"

namespace anabranch {

bool Life::Transact() {
  const auto label = Choose([](const ModelKeyspace& m) { return !m.state.ingesting; });
  if (!label) return false;
  const std::unique_ptr<LockTable> locks = LockTable::Create();
  const KeyspaceRef keyspace = store_.Find(*label);
  const TransactionContext context{store_.store(), keyspace, keyspace->state()->epoch, locks.get()};
  const auto isolation = static_cast<IsolationLevel>(Below(3));
  const auto outer = Transaction::Begin(context, isolation);
  Must(outer->BeginStatement());
  const Span read = SomeSpan();
  EXPECT_EQ(Drain(*outer->Scan(read)), model_[*label].Scan(outer->snapshot(), read));
  const std::string inner_key = Key();
  const bool inner = OneIn(2);
  if (inner) RunInner(context, *label, inner_key);
  WriteSet writes;
  std::vector<WriteSet> savepoints;
  bool refused = false;
  for (uint64_t i = 0; i <= Below(3) && !refused; ++i) {
    refused = !WriteOne(*outer, isolation, *label, &writes);
    UseSavepoints(*outer, &writes, &savepoints);
  }
  if (refused || OneIn(8)) {
    outer->Rollback();
    EXPECT_EQ(locks->held_count(), 0u);
    return true;
  }
  const bool was_read = inner_key >= read.start && (read.end.empty() || inner_key < read.end);
  const absl::StatusOr<Timestamp> ts = outer->Commit();
  EXPECT_EQ(locks->held_count(), 0u);
  if (writes.empty()) {  // every write was rolled back
    EXPECT_EQ(*ts, outer->snapshot());
    return true;
  }
  if (isolation == IsolationLevel::kSerializable && inner && was_read) {
    EXPECT_EQ(SqlStateOf(ts.status()), "40001");
    return true;
  }
  Must(ts.status());
  Committed(*label, *ts, writes);
  return true;
}

void Life::RunInner(const TransactionContext& context, const std::string& label, const std::string& key) {
  const auto transaction = Transaction::Begin(context, IsolationLevel::kReadCommitted);
  Must(transaction->BeginStatement());
  Must(transaction->LockRow(key, {}).status());
  Must(transaction->Put(key, "inner"));
  const absl::StatusOr<Timestamp> ts = transaction->Commit();
  Must(ts.status());
  Committed(label, *ts, {{key, {WriteKind::kPut, "inner"}}});
}

void Life::UseSavepoints(Transaction& transaction, WriteSet* writes, std::vector<WriteSet>* savepoints) {
  if (OneIn(3)) {
    Must(transaction.Savepoint());
    savepoints->push_back(*writes);
  }
  if (savepoints->empty() || !OneIn(3)) return;
  const size_t open = 1 + Below(savepoints->size());
  if (OneIn(2)) {
    transaction.Release(open);
    savepoints->resize(open - 1);
    return;
  }
  transaction.RollbackTo(open);
  savepoints->resize(open);
  *writes = savepoints->back();
}

bool Life::WriteOne(Transaction& transaction, IsolationLevel isolation, const std::string& label, WriteSet* writes) {
  const std::string key = Key();
  const Write write = SomeWrite();
  Timestamp ts;
  const ModelKeyspace& model = model_[label];
  const auto history = model.keys.find(key);
  const Write* newest = history == model.keys.end() ? nullptr : model.VersionAt(history->second, kTimestampMax, &ts);
  const absl::StatusOr<LockedRow> row = transaction.LockRow(key, {});
  if (!writes->contains(key)) {
    const bool changed = newest != nullptr && ts > transaction.snapshot();
    if (changed && isolation != IsolationLevel::kReadCommitted) {
      EXPECT_EQ(SqlStateOf(row.status()), "40001");
      return false;
    }
    Must(row.status());
    EXPECT_EQ(row->changed_since_snapshot, changed);
    EXPECT_EQ(row->row.has_value(), newest != nullptr && newest->kind == WriteKind::kPut);
    if (row->row) {
      EXPECT_EQ(row->row->value, newest->value);
    }
  }
  Must(write.kind == WriteKind::kPut ? transaction.Put(key, write.value) : transaction.Delete(key));
  (*writes)[key] = write;
  const auto own = transaction.Get(key);
  Must(own.status());
  EXPECT_EQ(own->has_value(), write.kind == WriteKind::kPut);
  return true;
}

}  // namespace anabranch
