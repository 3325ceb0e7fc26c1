#include "sql/write/backfill.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "sql/stored/row_codec.h"
#include "sql/value/error_field.h"
#include "sql/write/constraint.h"
#include "storage/mvcc/reader.h"

namespace anabranch {
namespace {

const TransactionContext& ContextOf(const Execution& execution) { return execution.evaluation.session->transaction; }

UnpublishedIds::State* StateOf(uint64_t id, const Execution& execution) {
  return execution.unpublished == nullptr ? nullptr : execution.unpublished->Find(id);
}

bool TakesBatches(const UnpublishedIds::State* state, const Execution& execution) {
  return state != nullptr && execution.unpublished->TakesBatches(*state);
}

}  // namespace

UnpublishedIds::State* UnpublishedIds::Find(uint64_t id) {
  const auto found = states_.find(id);
  return found == states_.end() ? nullptr : &found->second;
}

// What lies under the ids that go is recorded as garbage already.
void UnpublishedIds::RollbackTo(size_t open) {
  savepoints_ = open;
  std::erase_if(states_, [&](const auto& id) { return id.second.savepoints >= open; });
}

void UnpublishedIds::Release(size_t open) {
  savepoints_ = open - 1;
  for (auto& [id, state] : states_) state.savepoints = std::min(state.savepoints, savepoints_);
}

void UnpublishedIds::Clear() {
  savepoints_ = 0;
  states_.clear();
}

void NoteOrdinaryWrites(const Table& table, const Execution& execution) {
  if (UnpublishedIds::State* state = StateOf(table.id, execution)) state->buffered = true;
}

bool BulkWriter::CanLoad(const Table& table, const Execution& execution) {
  return TakesBatches(StateOf(table.id, execution), execution) &&
         std::all_of(table.indexes.begin(), table.indexes.end(),
                     [&](const Index& index) { return TakesBatches(StateOf(index.id, execution), execution); });
}

BulkWriter::BulkWriter(const Table& table, const Index* only, Purpose purpose, const Execution& execution)
    : table_(table), purpose_(purpose), execution_(execution) {
  if (only == nullptr) targets_.push_back({.id = table.id});
  for (const Index& index : table.indexes) {
    if (only == nullptr || only == &index) targets_.push_back({.index = &index, .id = index.id});
  }
  for (Target& target : targets_) {
    target.prefix = TablePrefix(target.id);
    target.state = StateOf(target.id, execution);
    batches_ = batches_ && TakesBatches(target.state, execution);
  }
}

BulkWriter::~BulkWriter() {
  if (in_flight_.valid()) in_flight_.wait();
}

absl::Status BulkWriter::AddRow(const Row& row) {
  value_.clear();
  AppendRowValue(table_, row, &value_);
  return AddRow(row, value_);
}

absl::Status BulkWriter::AddRow(const Row& row, std::string_view value) {
  RETURN_IF_ERROR(CheckStop(execution_.stop));
  std::string key;
  if (!table_.primary_key.empty()) {
    key = EncodeRowKey(table_, row);
  } else if (batches_) {
    key = EncodeHiddenRowKey(table_, targets_.front().state->next_row_id++);
  } else {
    ASSIGN_OR_RETURN(const Timestamp row_id, ContextOf(execution_).store->ReserveTimestamp());
    key = EncodeHiddenRowKey(table_, row_id.ns);
  }
  for (size_t i = 1; i < targets_.size(); ++i) {
    IndexEntry entry = EncodeIndexEntry(table_, *targets_[i].index, row, key);
    RETURN_IF_ERROR(Put(targets_[i], entry.key, entry.value, row));
  }
  return Put(targets_.front(), key, value, row);
}

absl::Status BulkWriter::AddEntry(const Row& row, std::string_view row_key) {
  RETURN_IF_ERROR(CheckStop(execution_.stop));
  const Target& target = targets_.front();
  IndexEntry entry = EncodeIndexEntry(table_, *target.index, row, row_key);
  return Put(target, entry.key, entry.value, row);
}

absl::Status BulkWriter::Put(const Target& target, std::string_view key, std::string_view value, const Row& row) {
  if (!batches_) {
    ASSIGN_OR_RETURN(const std::optional<ReadVersion> taken, execution_.transaction->Get(key));
    if (taken) return Duplicate(target, row);
    RETURN_IF_ERROR(execution_.transaction->Lock(key, LockMode::kExclusive, execution_.stop));
    return execution_.transaction->Put(key, std::string(value));
  }
  if (key.size() > kKeyBytesMax || value.size() > kValueBytesMax) {
    const bool of_key = key.size() > kKeyBytesMax;
    return SqlError(sqlstate::kProgramLimitExceeded,
                    fmt::format("{} of {} bytes exceeds the limit of {} bytes", of_key ? "key" : "row",
                                of_key ? key.size() : value.size(), of_key ? kKeyBytesMax : kValueBytesMax));
  }
  batch_->Add(key, WriteKind::kPut, value);
  return batch_->payload_bytes() >= kBulkBatchBytes ? Flush() : absl::OkStatus();
}

absl::Status BulkWriter::Finish() {
  if (!batches_) {
    for (const Target& target : targets_) {
      if (target.state != nullptr) target.state->buffered = true;
    }
    return absl::OkStatus();
  }
  if (!batch_->empty()) RETURN_IF_ERROR(Flush());
  return Await();
}

// Hands the batch over and goes on with the next one while it is written.
absl::Status BulkWriter::Flush() {
  RETURN_IF_ERROR(Await());
  RETURN_IF_ERROR(Record());
  ASSIGN_OR_RETURN(const bool ascending, CheckBatch());
  const TransactionContext& context = ContextOf(execution_);
  auto next = std::make_shared<WriteList>();
  next->Reserve(batch_->size(), batch_->payload_bytes());
  CommitRequest request{.keyspace = context.keyspace,
                        .epoch = context.epoch,
                        .writes = batch_,
                        .validate_spans = {},
                        .validate_after = {},
                        .as_files = ascending && batch_->payload_bytes() >= kFileBatchBytesMin};
  batch_ = std::move(next);
  in_flight_ = std::async(std::launch::async, [store = context.store, request = std::move(request)]() mutable {
    return store->Commit(std::move(request));
  });
  return absl::OkStatus();
}

absl::Status BulkWriter::Await() {
  if (!in_flight_.valid()) return absl::OkStatus();
  const absl::Status status = in_flight_.get().status();
  if (!IsFenced(status)) return status;
  return SqlError(sqlstate::kAdminShutdown, "terminating connection because the virtual cluster's service was stopped");
}

absl::Status BulkWriter::Record() {
  auto records = std::make_shared<WriteList>();
  for (const Target& target : targets_) {
    if (!target.state->recorded) records->Add(DroppedKey(target.id), WriteKind::kPut, "");
  }
  records->Sort();
  if (records->empty()) return absl::OkStatus();
  const TransactionContext& context = ContextOf(execution_);
  // The lock tells others that the id is in use; then the record is made, and the transaction takes it back.
  for (const WriteList::Entry record : *records) {
    RETURN_IF_ERROR(execution_.transaction->Lock(record.key, LockMode::kExclusive, execution_.stop));
    RETURN_IF_ERROR(execution_.transaction->Delete(record.key));
  }
  RETURN_IF_ERROR(context.store
                      ->Commit({.keyspace = context.keyspace,
                                .epoch = context.epoch,
                                .writes = std::move(records),
                                .validate_spans = {},
                                .validate_after = {}})
                      .status());
  for (Target& target : targets_) target.state->recorded = true;
  return absl::OkStatus();
}

absl::StatusOr<bool> BulkWriter::CheckBatch() {
  if (const std::optional<size_t> twice = batch_->Sort()) {
    const WriteList::Entry entry = (*batch_)[*twice];
    const auto of_entry = [&](const Target& target) { return entry.key.starts_with(target.prefix); };
    return DuplicateOf(*std::find_if(targets_.begin(), targets_.end(), of_entry), entry.key, entry.value());
  }
  bool all_ascend = true;
  for (const Target& target : targets_) {
    ASSIGN_OR_RETURN(const bool ascends, CheckEarlierBatches(target));
    all_ascend = all_ascend && ascends;
  }
  return all_ascend;
}

// What comes in key order never meets an earlier batch.
absl::StatusOr<bool> BulkWriter::CheckEarlierBatches(const Target& target) {
  const size_t begin = batch_->LowerBound(target.prefix);
  const size_t end = batch_->LowerBound(PrefixEnd(target.prefix));
  if (begin == end) return true;
  std::string& last = target.state->last_key;
  const bool ascends = (*batch_)[begin].key > last;
  const bool unique = target.index == nullptr ? !table_.primary_key.empty() : target.index->unique;
  if (unique && !ascends) {
    const TransactionContext& context = ContextOf(execution_);
    ASSIGN_OR_RETURN(const auto reader,
                     MvccReader::Open(context.store, context.keyspace, context.store->Resolved(*context.keyspace)));
    for (size_t i = begin; i < end && (*batch_)[i].key <= last; ++i) {
      const WriteList::Entry entry = (*batch_)[i];
      ASSIGN_OR_RETURN(const Timestamp taken, reader->NewestTimestamp(entry.key));
      if (!taken.IsZero()) return DuplicateOf(target, entry.key, entry.value());
    }
  }
  if (last < (*batch_)[end - 1].key) last = (*batch_)[end - 1].key;
  return ascends;
}

absl::Status BulkWriter::Duplicate(const Target& target, const Row& row) const {
  const std::string& name = target.index == nullptr ? table_.primary_key_name : target.index->name;
  const std::vector<int>& columns = target.index == nullptr ? table_.primary_key : target.index->columns;
  if (purpose_ == Purpose::kLoad) return UniqueViolation(table_, name, columns, row, execution_.evaluation.zone());
  absl::Status status = SqlError(sqlstate::kUniqueViolation, fmt::format("could not create unique index \"{}\"", name));
  status = WithField(std::move(status), ErrorField::kConstraint, name);
  return WithDetail(std::move(status), KeyText(table_, columns, row, execution_.evaluation.zone()) + " is duplicated.");
}

absl::Status BulkWriter::DuplicateOf(const Target& target, std::string_view key, std::string_view value) const {
  Row row(table_.columns.size());
  if (target.index == nullptr) {
    RETURN_IF_ERROR(DecodeRow(table_, key, value, &row));
    return Duplicate(target, row);
  }
  RETURN_IF_ERROR(DecodeIndexParts(table_, *target.index, key, &row));
  return Duplicate(target, row);
}

}  // namespace anabranch
