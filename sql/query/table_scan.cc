#include "sql/query/table_scan.h"

#include "sql/stored/index_entry.h"
#include "sql/stored/row_codec.h"

namespace anabranch {

absl::StatusOr<bool> TableScan::Next(Row* row) {
  while (true) {
    RETURN_IF_ERROR(CheckStop(execution_.stop));
    if (scan_) {
      ASSIGN_OR_RETURN(const bool found, scan_->Next());
      if (found) {
        ASSIGN_OR_RETURN(const bool read, ReadFound(scan_->key(), scan_->value(), scan_->timestamp(), row));
        if (read) return true;
        continue;
      }
      scan_.reset();
    }
    if (next_span_ == plan_.spans.size()) return false;
    const Span& span = plan_.spans[next_span_++];
    if (!plan_.points) {
      scan_ = execution_.transaction->Scan(span);
      continue;
    }
    ASSIGN_OR_RETURN(const std::optional<ReadVersion> version, execution_.transaction->Get(span.start));
    if (!version) continue;
    ASSIGN_OR_RETURN(const bool read, ReadFound(span.start, version->value, version->timestamp, row));
    if (read) return true;
  }
}

// A row, or an index's entry that leads to one. False: the row has gone, in this transaction, since the scan began.
absl::StatusOr<bool> TableScan::ReadFound(std::string_view key, std::string_view value, Timestamp timestamp, Row* row) {
  if (plan_.index == nullptr) {
    key_ = key;
    RETURN_IF_ERROR(Decode(value, timestamp, row));
    return true;
  }
  ASSIGN_OR_RETURN(key_, RowKeyOfEntry(*table_, *plan_.index, key, value));
  ASSIGN_OR_RETURN(const std::optional<ReadVersion> version, execution_.transaction->Get(key_));
  if (!version) return false;
  RETURN_IF_ERROR(Decode(version->value, version->timestamp, row));
  return true;
}

absl::Status TableScan::Decode(std::string_view value, Timestamp timestamp, Row* row) {
  const size_t columns = table_->columns.size();
  if (row->size() < columns + 1) row->resize(columns + 1);
  if (version_column_ == VersionColumn::kRead) {
    (*row)[columns] = timestamp.IsZero() ? Datum(Null{}) : Datum(HlcNumeric(timestamp));
  }
  return DecodeRow(*table_, key_, value, row);
}

}  // namespace anabranch
