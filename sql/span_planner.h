// Which keys of a table a condition can hold for.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "sql/descriptor.h"
#include "sql/expression.h"
#include "storage/types.h"

namespace anabranch {

inline constexpr size_t kPlannedSpansMax = 10'000;  // of IN lists multiplied; beyond it fewer, wider spans

struct ScanPlan {
  std::vector<Span> spans;   // ascending, disjoint
  bool points = false;       // each span is one key: its start
  size_t fixed_columns = 0;  // leading primary key columns that have the same value in all spans
};

// Spans that hold every row of `table` for which `filter` (null: none) may hold; the filter must still be evaluated. Uses
// =, <, <=, >, >=, IN and what BETWEEN is made of, joined by AND, between a prefix of the primary key and expressions fixed
// for the statement. Columns of the filter are positions in the table.
absl::StatusOr<ScanPlan> PlanSpans(const Table& table, const Expression* filter, const EvaluationContext& context);

}  // namespace anabranch
