// GROUP BY while a query is planned: what comes after it, the target list, HAVING and ORDER BY, is rewritten to be over the
// rows of groups, which are the expressions grouped by and then the aggregates.
#pragma once

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "sql/query/relation.h"

namespace anabranch {

class Grouping {
 public:
  void By(ExpressionRef expression) { by_.push_back(std::move(expression)); }
  bool by_something() const { return !by_.empty(); }

  // Rewrites the expressions, which are over the rows of `from`. 42803 for a column that has not one value in each group.
  absl::Status PutOver(const std::vector<ExpressionRef*>& expressions, const FromClause& from);

  // REQUIRES: PutOver was called.
  int width() const { return static_cast<int>(by_.size() + aggregates_.size()); }
  PlanRef TakeNode(PlanRef input);

 private:
  absl::Status PutOver(ExpressionRef* expression, const FromClause& from);
  absl::Status PutColumnOver(ExpressionRef* column, const FromClause& from);
  bool Determines(const FromItem& item) const;
  void PlaceAggregates(Expression* expression) const;

  std::vector<ExpressionRef> by_;
  std::vector<ExpressionRef> aggregates_;
};

}  // namespace anabranch
