#include "sql/write/row_writer.h"

#include "sql/stored/row_codec.h"
#include "sql/write/backfill.h"

namespace anabranch {

RowWriter::RowWriter(TableRulesRef rules, const Execution& execution)
    : rules_(std::move(rules)), table_(*rules_->table()), execution_(execution) {
  NoteOrdinaryWrites(table_, execution_);
}

absl::StatusOr<std::string> RowWriter::Insert(const Row& row) {
  RETURN_IF_ERROR(CheckStop(execution_.stop));
  RETURN_IF_ERROR(rules_->Verify(row, execution_.evaluation));
  std::string key;
  if (table_.primary_key.empty()) {
    ASSIGN_OR_RETURN(const Timestamp row_id, execution_.evaluation.session->transaction.store->ReserveTimestamp());
    key = EncodeHiddenRowKey(table_, row_id.ns);
    RETURN_IF_ERROR(execution_.transaction->Lock(key, LockMode::kExclusive, execution_.stop));
    RETURN_IF_ERROR(execution_.transaction->Put(key, EncodeRowValue(table_, row)));
  } else {
    key = EncodeRowKey(table_, row);
    RETURN_IF_ERROR(PutRow(key, row));
  }
  for (const Index& index : table_.indexes) {
    RETURN_IF_ERROR(PutEntry(index, EncodeIndexEntry(table_, index, row, key), row));
  }
  return key;
}

// Under a primary key that must be free.
absl::Status RowWriter::PutRow(const std::string& key, const Row& row) {
  ASSIGN_OR_RETURN(const LockedRow locked, execution_.transaction->LockRow(key, execution_.stop));
  if (locked.row)
    return UniqueViolation(table_, table_.primary_key_name, table_.primary_key, row, execution_.evaluation.zone());
  return execution_.transaction->Put(key, EncodeRowValue(table_, row));
}

absl::Status RowWriter::PutEntry(const Index& index, IndexEntry entry, const Row& row) {
  if (entry.unique) {
    ASSIGN_OR_RETURN(const LockedRow locked, execution_.transaction->LockRow(entry.key, execution_.stop));
    if (locked.row) return UniqueViolation(table_, index.name, index.columns, row, execution_.evaluation.zone());
  }
  return execution_.transaction->Put(entry.key, std::move(entry.value));
}

absl::Status RowWriter::DeleteEntry(const IndexEntry& entry) {
  if (entry.unique) {
    RETURN_IF_ERROR(execution_.transaction->Lock(entry.key, LockMode::kExclusive, execution_.stop));
  }
  return execution_.transaction->Delete(entry.key);
}

absl::Status RowWriter::Update(const std::string& key, const Row& old_row, const Row& row) {
  RETURN_IF_ERROR(rules_->Verify(row, execution_.evaluation));
  std::string new_key = table_.primary_key.empty() ? key : EncodeRowKey(table_, row);
  if (new_key == key) {
    RETURN_IF_ERROR(execution_.transaction->Put(key, EncodeRowValue(table_, row)));
  } else {
    RETURN_IF_ERROR(execution_.transaction->Delete(key));
    RETURN_IF_ERROR(PutRow(new_key, row));
  }
  return UpdateEntries(key, old_row, new_key, row);
}

absl::Status RowWriter::UpdateEntries(const std::string& old_key, const Row& old_row, const std::string& key,
                                      const Row& row) {
  for (const Index& index : table_.indexes) {
    const IndexEntry before = EncodeIndexEntry(table_, index, old_row, old_key);
    IndexEntry after = EncodeIndexEntry(table_, index, row, key);
    if (before == after) continue;
    if (before.key != after.key) {
      RETURN_IF_ERROR(DeleteEntry(before));
      RETURN_IF_ERROR(PutEntry(index, std::move(after), row));
      continue;
    }
    // The same unique values, of a row that moved.
    RETURN_IF_ERROR(execution_.transaction->Lock(after.key, LockMode::kExclusive, execution_.stop));
    RETURN_IF_ERROR(execution_.transaction->Put(after.key, std::move(after.value)));
  }
  return absl::OkStatus();
}

absl::Status RowWriter::Delete(const std::string& key, const Row& old_row) {
  for (const Index& index : table_.indexes) {
    RETURN_IF_ERROR(DeleteEntry(EncodeIndexEntry(table_, index, old_row, key)));
  }
  return execution_.transaction->Delete(key);
}

absl::StatusOr<std::optional<std::string>> RowWriter::FindConflict(const Row& row, const Arbiters& arbiters) {
  std::string key;
  if (!table_.primary_key.empty()) {
    for (const int position : table_.primary_key) {
      if (IsNull(row[position])) return std::optional<std::string>();  // NOT NULL will say so
    }
    key = EncodeRowKey(table_, row);
  }
  if (arbiters.primary_key) {
    ASSIGN_OR_RETURN(const LockedRow locked, execution_.transaction->LockRow(key, execution_.stop));
    if (locked.row) return std::optional<std::string>(std::move(key));
  }
  if (key.empty()) key = EncodeHiddenRowKey(table_, 0);  // entries that are unique do not depend on it
  for (const int position : arbiters.indexes) {
    const Index& index = table_.indexes[position];
    const IndexEntry entry = EncodeIndexEntry(table_, index, row, key);
    if (!entry.unique) continue;
    ASSIGN_OR_RETURN(const LockedRow locked, execution_.transaction->LockRow(entry.key, execution_.stop));
    if (!locked.row) continue;
    ASSIGN_OR_RETURN(std::string taken, RowKeyOfEntry(table_, index, entry.key, locked.row->value));
    return std::optional<std::string>(std::move(taken));
  }
  return std::optional<std::string>();
}

}  // namespace anabranch
