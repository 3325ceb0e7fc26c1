// COPY table FROM STDIN and COPY ... TO STDOUT, in the formats text and csv.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "sql/value/result.h"
#include "sql/write/copy_format.h"
#include "sql/write/dml.h"

namespace anabranch {

inline constexpr size_t kCopyLineBytesMax = 2 * kValueBytesMax;

class CopyReader {
 public:
  CopyReader(TableRulesRef rules, std::vector<int> positions, CopyFormat format, const Execution& execution)
      : table_(rules->table()),
        positions_(std::move(positions)),
        format_(std::move(format)),
        execution_(execution),
        inserter_(rules, execution_, RowInserter::Mode::kLoad, positions_) {}
  CopyReader(const CopyReader&) = delete;
  CopyReader& operator=(const CopyReader&) = delete;

  size_t column_count() const { return positions_.size(); }
  void set_stop(std::stop_token stop) { execution_.stop = std::move(stop); }
  absl::Status Data(std::string_view bytes);
  absl::StatusOr<uint64_t> Done();  // the number of rows

 private:
  absl::Status Line(std::string_view line);
  absl::Status Insert();

  const TableRef table_;
  const std::vector<int> positions_;
  const CopyFormat format_;
  Execution execution_;
  RowInserter inserter_;
  CopyFields fields_;    // of the line
  Row row_;              // its values
  std::string pending_;  // a line whose end has not come
  bool quoted_ = false;  // it ends within quotes
  uint64_t lines_ = 0;
  uint64_t rows_ = 0;
  bool ended_ = false;  // by \.
};

// The query whose rows a COPY TO sends.
absl::StatusOr<pg_query::SelectStmt> CopiedQuery(const pg_query::CopyStmt& copy);
// The number of rows.
absl::StatusOr<uint64_t> CopyOut(const SelectPlan& plan, const CopyFormat& format, const Execution& execution,
                                 ResultSink& sink);

}  // namespace anabranch
