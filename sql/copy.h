// COPY FROM STDIN, text format: rows as lines, fields between tabs, \N for NULL, backslash escapes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "sql/dml.h"

namespace anabranch {

inline constexpr size_t kCopyLineBytesMax = 2 * kValueBytesMax;

// 0A000 for every form and option but that one; the table's name else.
absl::StatusOr<std::string> CopyTarget(const pg_query::CopyStmt& copy);

class CopyReader {
 public:
  CopyReader(TableRulesRef rules, std::vector<int> positions, const Execution& execution)
      : table_(rules->table()), positions_(std::move(positions)), execution_(execution),
        inserter_(rules, execution_, RowInserter::Mode::kLoad) {}
  CopyReader(const CopyReader&) = delete;
  CopyReader& operator=(const CopyReader&) = delete;

  size_t column_count() const { return positions_.size(); }
  void set_stop(std::stop_token stop) { execution_.stop = std::move(stop); }
  absl::Status Data(std::string_view bytes);
  absl::StatusOr<uint64_t> Done();  // the number of rows

 private:
  absl::Status Line(std::string_view line);
  absl::Status Field(size_t index, std::string_view raw, Row* row);

  const TableRef table_;
  const std::vector<int> positions_;
  Execution execution_;
  RowInserter inserter_;
  std::string pending_;  // a line whose end has not come
  uint64_t rows_ = 0;
  bool ended_ = false;  // by \.
};

}  // namespace anabranch
