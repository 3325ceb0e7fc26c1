// Functions that return sets of values: in FROM, where each value is a row, and in the target list of a SELECT, where the
// row is repeated for each value.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sql/plan.h"

namespace anabranch {

enum class SetFunction {
  kSeries,       // generate_series of integers: start, stop and perhaps a step
  kUnnest,       // the items of an array
  kSubscripts,   // generate_subscripts: their indexes
  kExpandArray,  // information_schema._pg_expandarray: records of an item and its number, counted from 1
};
std::optional<SetFunction> SetFunctionNamed(std::string_view name);
std::string_view SetFunctionName(SetFunction function);

// The fields of kExpandArray's records.
inline constexpr std::string_view kExpandedItem = "x";
inline constexpr std::string_view kExpandedNumber = "n";

class SetValues {
 public:
  virtual ~SetValues() = default;
  virtual absl::StatusOr<bool> Next(Datum* value) = 0;  // false at the end
};
// The values of a kSet expression, or the one value of another. 22023 for a series without steps. `context` outlives them.
absl::StatusOr<std::unique_ptr<SetValues>> OpenSet(const Expression& expression, const Row& row,
                                                   const EvaluationContext& context);

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
