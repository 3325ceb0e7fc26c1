// Writes rows of a table together with their index entries, and holds them to the table's rules.
//
// A key that must be unique is locked before it is judged: whoever inserts the same values waits here until the other
// transaction has ended. Entries that are not unique belong to their row alone and are covered by its lock.
//
// Must not outlive `execution`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/query/execution.h"
#include "sql/stored/index_entry.h"
#include "sql/write/constraint.h"

namespace anabranch {

// Keys of which INSERT ... ON CONFLICT may find one taken.
struct Arbiters {
  bool primary_key = false;
  std::vector<int> indexes;  // positions in the table's indexes
};

class RowWriter {
 public:
  RowWriter(TableRulesRef rules, const Execution& execution);

  // `row` has a value of the right type for each column. 23502, 23505, 23514. Returns the row's key.
  absl::StatusOr<std::string> Insert(const Row& row);
  // The row at `key`, which is locked, becomes `row`.
  absl::Status Update(const std::string& key, const Row& old_row, const Row& row);
  absl::Status Delete(const std::string& key, const Row& old_row);

  // The key of a row that has the same values in one of the arbiters; nullopt: none. Locks what it looks at.
  absl::StatusOr<std::optional<std::string>> FindConflict(const Row& row, const Arbiters& arbiters);

 private:
  absl::Status PutRow(const std::string& key, const Row& row);
  absl::Status PutEntry(const Index& index, IndexEntry entry, const Row& row);
  absl::Status DeleteEntry(const IndexEntry& entry);
  absl::Status UpdateEntries(const std::string& old_key, const Row& old_row, const std::string& key, const Row& row);

  const TableRulesRef rules_;
  const Table& table_;
  const Execution& execution_;
};

}  // namespace anabranch
