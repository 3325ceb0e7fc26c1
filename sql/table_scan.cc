#include "sql/table_scan.h"

#include "sql/function.h"
#include "sql/row_codec.h"

namespace anabranch {

absl::StatusOr<bool> TableScan::Next(Row* row) {
  while (true) {
    RETURN_IF_ERROR(CheckStop(execution_.stop));
    if (scan_) {
      ASSIGN_OR_RETURN(const bool found, scan_->Next());
      if (found) {
        key_ = scan_->key();
        RETURN_IF_ERROR(Decode(scan_->value(), scan_->timestamp(), row));
        return true;
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
    key_ = span.start;
    RETURN_IF_ERROR(Decode(version->value, version->timestamp, row));
    return true;
  }
}

absl::Status TableScan::Decode(std::string_view value, Timestamp timestamp, Row* row) {
  const size_t columns = table_->columns.size();
  row->resize(columns + 1);
  if (version_column_ == VersionColumn::kRead) {
    (*row)[columns] = timestamp.IsZero() ? Datum(Null{}) : Datum(HlcNumeric(timestamp));
  }
  return DecodeRow(*table_, key_, value, row);
}

}  // namespace anabranch
