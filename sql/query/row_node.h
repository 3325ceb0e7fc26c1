// Plan nodes over the rows of one input, or of two of the same columns: conditions, the target list, order, limits,
// duplicates, set operations.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sql/query/plan.h"

namespace anabranch {

// The rows for which `condition` holds. A condition that is the same for all rows is judged once, before any is read.
class FilterNode final : public PlanNode {
 public:
  FilterNode(PlanRef input, ExpressionRef condition);
  NodeText Explain() const override;
  std::vector<const PlanNode*> children() const override { return {input_.get()}; }
  std::vector<const Expression*> expressions() const override { return {condition_.get()}; }

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const PlanRef input_;
  const ExpressionRef condition_;
  const bool once_;
};

// The values of `targets` over each row.
class ProjectNode final : public PlanNode {
 public:
  ProjectNode(PlanRef input, std::vector<ExpressionRef> targets) : input_(std::move(input)), targets_(std::move(targets)) {}
  const std::vector<ExpressionRef>& targets() const { return targets_; }
  NodeText Explain() const override { return {}; }  // not shown: as in PostgreSQL a node has its target list
  std::vector<const PlanNode*> children() const override { return {input_.get()}; }
  std::vector<const Expression*> expressions() const override;

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const PlanRef input_;
  const std::vector<ExpressionRef> targets_;
};

struct LimitCounts {
  ExpressionRef limit;   // null: all
  ExpressionRef offset;  // null: none
};

class LimitNode final : public PlanNode {
 public:
  LimitNode(PlanRef input, std::shared_ptr<const LimitCounts> counts)
      : input_(std::move(input)), counts_(std::move(counts)) {}
  NodeText Explain() const override { return {.label = "Limit", .details = {}}; }
  std::vector<const PlanNode*> children() const override { return {input_.get()}; }

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const PlanRef input_;
  const std::shared_ptr<const LimitCounts> counts_;
};

struct SortColumn {
  int column = 0;
  bool descending = false;
  bool nulls_first = false;
  std::string text = {};  // for EXPLAIN
};

// Rows by these columns, equal ones in the order they came.
class SortNode final : public PlanNode {
 public:
  // `counts`: of the LIMIT above this node; null: there is none. Only so many rows are held then.
  SortNode(PlanRef input, std::vector<SortColumn> columns, std::shared_ptr<const LimitCounts> counts)
      : input_(std::move(input)), columns_(std::move(columns)), counts_(std::move(counts)) {}
  NodeText Explain() const override;
  std::vector<const PlanNode*> children() const override { return {input_.get()}; }

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const PlanRef input_;
  const std::vector<SortColumn> columns_;
  const std::shared_ptr<const LimitCounts> counts_;
};

// The first of the rows that are equal in `columns`.
class DistinctNode final : public PlanNode {
 public:
  DistinctNode(PlanRef input, std::vector<int> columns) : input_(std::move(input)), columns_(std::move(columns)) {}
  NodeText Explain() const override { return {.label = "Unique", .details = {}}; }
  std::vector<const PlanNode*> children() const override { return {input_.get()}; }

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const PlanRef input_;
  const std::vector<int> columns_;
};

enum class SetOperation { kUnion, kIntersect, kExcept };

class SetOperationNode final : public PlanNode {
 public:
  // Both inputs have columns of the same types.
  SetOperationNode(SetOperation operation, bool all, PlanRef left, PlanRef right)
      : operation_(operation), all_(all), left_(std::move(left)), right_(std::move(right)) {}
  NodeText Explain() const override;
  std::vector<const PlanNode*> children() const override { return {left_.get(), right_.get()}; }

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const SetOperation operation_;
  const bool all_;
  const PlanRef left_;
  const PlanRef right_;
};

}  // namespace anabranch
