#include "sql/stored/index_entry.h"

#include "base/status.h"
#include "sql/stored/row_codec.h"

namespace anabranch {
namespace {

constexpr char kNullPart = '\xFF';

absl::Status Corrupt(const Index& index) {
  return SqlError(sqlstate::kDataCorrupted, fmt::format("an entry of index \"{}\" is corrupt", index.name));
}

// Takes the index id and the parts of the index columns off the front of a key.
absl::Status TakeParts(const Table& table, const Index& index, std::string_view* key, Row* row) {
  const size_t prefix = TablePrefix(index.id).size();
  if (key->size() < prefix) return Corrupt(index);
  key->remove_prefix(prefix);
  for (const int position : index.columns) {
    if (key->empty()) return Corrupt(index);
    const SqlType type = table.columns[position].type;
    const bool null = key->front() == kNullPart;
    if (null) key->remove_prefix(1);
    if (!null && !TakeKeyPart(type, key, &(*row)[position])) return Corrupt(index);
  }
  return absl::OkStatus();
}

}  // namespace

void EncodeIndexPart(const Datum& value, std::string* key) {
  if (IsNull(value)) return key->push_back(kNullPart);
  EncodeKeyPart(value, key);
}

IndexEntry EncodeIndexEntry(const Table& table, const Index& index, const Row& row, std::string_view row_key) {
  IndexEntry entry{.key = TablePrefix(index.id), .value = {}, .unique = index.unique};
  for (const int position : index.columns) {
    if (IsNull(row[position])) entry.unique = false;
    EncodeIndexPart(row[position], &entry.key);
  }
  row_key.remove_prefix(TablePrefix(table.id).size());
  (entry.unique ? entry.value : entry.key) += row_key;
  return entry;
}

absl::StatusOr<std::string> RowKeyOfEntry(const Table& table, const Index& index, std::string_view key,
                                          std::string_view value) {
  std::string row_key = TablePrefix(table.id);
  if (!value.empty()) return row_key.append(value);
  Row skipped(table.columns.size());
  RETURN_IF_ERROR(TakeParts(table, index, &key, &skipped));
  if (key.empty()) return Corrupt(index);
  return row_key.append(key);
}

absl::Status DecodeIndexParts(const Table& table, const Index& index, std::string_view key, Row* row) {
  return TakeParts(table, index, &key, row);
}

}  // namespace anabranch
