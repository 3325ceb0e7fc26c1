// GROUP BY and aggregates.
#pragma once

#include <vector>

#include "sql/query/plan.h"

namespace anabranch {

// A row for each group: the values of `group_by`, then those of `aggregates`. Without GROUP BY all rows are one group, and
// there is always one.
class AggregateNode final : public PlanNode {
 public:
  AggregateNode(PlanRef input, std::vector<ExpressionRef> group_by, std::vector<ExpressionRef> aggregates)
      : input_(std::move(input)), group_by_(std::move(group_by)), aggregates_(std::move(aggregates)) {}
  NodeText Explain() const override;
  std::vector<const PlanNode*> children() const override { return {input_.get()}; }
  std::vector<const Expression*> expressions() const override;

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const PlanRef input_;
  const std::vector<ExpressionRef> group_by_;
  const std::vector<ExpressionRef> aggregates_;
};

}  // namespace anabranch
