// Entries of secondary indexes (docs/formats.md).
//
//   key   := index id | part of each index column | the row's key without its table id, if the entry is not unique
//   value := the row's key without its table id, if the entry is unique; else empty
//
// An entry is unique if its index is and no part is null. A null part is FF: it sorts last.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sql/stored/descriptor.h"

namespace anabranch {

void EncodeIndexPart(const Datum& value, std::string* key);

struct IndexEntry {
  std::string key;
  std::string value;
  bool unique = false;
  friend bool operator==(const IndexEntry&, const IndexEntry&) = default;
};
IndexEntry EncodeIndexEntry(const Table& table, const Index& index, const Row& row, std::string_view row_key);

// The key of the row that an entry stands for. XX001 for what is no entry of this index.
absl::StatusOr<std::string> RowKeyOfEntry(const Table& table, const Index& index, std::string_view key,
                                          std::string_view value);

// Sets the values of the index columns that an entry's key tells: not of numerics, whose scale is not in it.
absl::Status DecodeIndexParts(const Table& table, const Index& index, std::string_view key, Row* row);

}  // namespace anabranch
