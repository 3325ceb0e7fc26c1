// Plan nodes for functions that return sets of values (sql/expression/set_function.h): in FROM, and in the target list.
#pragma once

#include <string>
#include <vector>

#include "sql/expression/set_function.h"
#include "sql/query/plan.h"

namespace anabranch {

// In FROM: a row for each value. Slots: the value (each field of a record), then its number if there is room for it.
class SetNode final : public PlanNode {
 public:
  SetNode(ExpressionRef expression, std::string name, std::string alias, Slots slots)
      : expression_(std::move(expression)), name_(std::move(name)), alias_(std::move(alias)), slots_(slots) {}
  NodeText Explain() const override;
  std::vector<const Expression*> expressions() const override { return {expression_.get()}; }

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const ExpressionRef expression_;
  const std::string name_;
  const std::string alias_;
  const Slots slots_;
};

// In the target list: each row of the input once for each value, all sets going on together; one that ends before the
// others gives nulls. The values stand from slot `width` on.
class ProjectSetNode final : public PlanNode {
 public:
  ProjectSetNode(PlanRef input, std::vector<ExpressionRef> sets, int width)
      : input_(std::move(input)), sets_(std::move(sets)), width_(width) {}
  NodeText Explain() const override { return {.label = "ProjectSet", .details = {}}; }
  std::vector<const PlanNode*> children() const override { return {input_.get()}; }
  std::vector<const Expression*> expressions() const override;

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const PlanRef input_;
  const std::vector<ExpressionRef> sets_;
  const int width_;
};

}  // namespace anabranch
