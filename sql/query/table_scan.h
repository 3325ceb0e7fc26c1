// The rows of a table in the order of its primary key or of an index.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sql/query/execution.h"
#include "sql/query/span_planner.h"

namespace anabranch {

// Hidden column of every table: the commit timestamp of the row's version, null for the transaction's own writes. Its
// position is the number of columns.
inline constexpr std::string_view kVersionColumn = "crdb_internal_mvcc_timestamp";

enum class VersionColumn { kRead, kSkip };

class TableScan {
 public:
  // Must not outlive `execution`.
  TableScan(TableRef table, ScanPlan plan, VersionColumn version_column, const Execution& execution)
      : table_(std::move(table)), plan_(std::move(plan)), version_column_(version_column), execution_(execution) {}

  // False at the end. *row gets a value for each column and for kVersionColumn.
  absl::StatusOr<bool> Next(Row* row);
  std::string_view key() const { return key_; }  // of the row that Next returned

 private:
  absl::StatusOr<bool> ReadFound(std::string_view key, std::string_view value, Timestamp timestamp, Row* row);
  absl::Status Decode(std::string_view value, Timestamp timestamp, Row* row);

  const TableRef table_;
  const ScanPlan plan_;
  const VersionColumn version_column_;
  const Execution& execution_;
  size_t next_span_ = 0;
  std::unique_ptr<MvccScan> scan_;  // of the span before next_span_
  std::string key_;
};

}  // namespace anabranch
