// SELECT: relation -> WHERE -> aggregation -> HAVING -> ORDER BY -> OFFSET/LIMIT -> target list, one row at a time. Only
// sorting and aggregation hold rows, within kQueryMemoryBytesMax.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "sql/relation.h"

namespace anabranch {

struct SortKey {
  int target = -1;           // of this target, or
  ExpressionRef expression;  // of this expression
  bool descending = false;
  bool nulls_first = false;
};

// Where nothing is grouped, expressions are over the relation's columns. Where it is, group_by and the arguments of the
// aggregates are; all after them is over the row of the group: the values of group_by, then those of the aggregates.
struct SelectPlan {
  Relation relation;
  ExpressionRef filter;
  bool grouped = false;
  std::vector<ExpressionRef> group_by;
  std::vector<ExpressionRef> aggregates;
  ExpressionRef having;
  std::vector<ColumnDescription> columns;
  std::vector<ExpressionRef> targets;
  std::vector<SortKey> order_by;
  ExpressionRef limit;
  ExpressionRef offset;
  VersionColumn version_column = VersionColumn::kSkip;
};

// `assign_to`: the columns an INSERT puts the targets in; null: none.
absl::StatusOr<SelectPlan> PlanSelect(const pg_query::SelectStmt& select, const SystemStatement* bracket,
                                      const std::vector<const Column*>* assign_to, const Planning& planning);

absl::Status RunSelect(const SelectPlan& plan, const Execution& execution, const RowConsumer& consume);

}  // namespace anabranch
