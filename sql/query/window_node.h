// row_number() OVER (PARTITION BY ... ORDER BY ...).
#pragma once

#include <vector>

#include "sql/query/plan.h"

namespace anabranch {

// All rows of the input, each with its numbers from slot `width` on. Holds them.
class WindowNode final : public PlanNode {
 public:
  // `numbers`: kRowNumber expressions over the rows of the input.
  WindowNode(PlanRef input, std::vector<ExpressionRef> numbers, int width)
      : input_(std::move(input)), numbers_(std::move(numbers)), width_(width) {}
  NodeText Explain() const override { return {.label = "WindowAgg", .details = {}}; }
  std::vector<const PlanNode*> children() const override { return {input_.get()}; }
  std::vector<const Expression*> expressions() const override;

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const PlanRef input_;
  const std::vector<ExpressionRef> numbers_;
  const int width_;
};

}  // namespace anabranch
