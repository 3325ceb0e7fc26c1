// Plan nodes for what stands in FROM.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sql/control/statement.h"
#include "sql/query/plan.h"
#include "sql/query/table_scan.h"

namespace anabranch {

struct CommonTable;

// No FROM: one row without columns.
class OneRowNode final : public PlanNode {
 public:
  NodeText Explain() const override { return {.label = "Result", .details = {}}; }

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;
};

// The rows of a table for which `filter` (null: all) holds, by one of its keys. The filter may use slots of relations that
// were joined before.
class TableNode final : public PlanNode {
 public:
  struct Spec {
    TableRef table;
    std::string alias;
    Slots slots;  // of the columns, then of kVersionColumn
    ExpressionRef filter;
    VersionColumn version_column = VersionColumn::kSkip;
    AccessPath path;
  };
  explicit TableNode(Spec spec);

  const Spec& spec() const { return spec_; }
  NodeText Explain() const override;
  std::vector<const Expression*> expressions() const override;

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const Spec spec_;
};

// FROM [SHOW ...].
class SystemNode final : public PlanNode {
 public:
  // Neither is owned; the statement's outlives the plan.
  SystemNode(SystemStatements* system, const SystemStatement* statement, Slots slots)
      : system_(system), statement_(statement), slots_(slots) {}
  NodeText Explain() const override { return {.label = "Show", .details = {}}; }

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  SystemStatements* const system_;
  const SystemStatement* const statement_;
  const Slots slots_;
};

class ValuesNode final : public PlanNode {
 public:
  explicit ValuesNode(std::vector<std::vector<ExpressionRef>> rows) : rows_(std::move(rows)) {}
  NodeText Explain() const override;
  std::vector<const Expression*> expressions() const override;

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const std::vector<std::vector<ExpressionRef>> rows_;
};

// A query in FROM. Its outer columns are the values of `arguments`, which are over the row around it.
class QueryNode final : public PlanNode {
 public:
  QueryNode(std::shared_ptr<const PlanNode> plan, std::vector<ExpressionRef> arguments, std::string alias, Slots slots)
      : plan_(std::move(plan)), arguments_(std::move(arguments)), alias_(std::move(alias)), slots_(slots) {}
  NodeText Explain() const override;
  std::vector<const PlanNode*> children() const override { return {plan_.get()}; }
  std::vector<const Expression*> expressions() const override;

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const std::shared_ptr<const PlanNode> plan_;
  const std::vector<ExpressionRef> arguments_;
  const std::string alias_;
  const Slots slots_;
};

// A query of WITH. One that is read more than once is run once and its rows are held, unless it depends on an outer query.
class CommonTableNode final : public PlanNode {
 public:
  CommonTableNode(std::shared_ptr<const CommonTable> table, std::vector<ExpressionRef> arguments, std::string alias,
                  Slots slots)
      : table_(std::move(table)), arguments_(std::move(arguments)), alias_(std::move(alias)), slots_(slots) {}
  NodeText Explain() const override;
  std::vector<const PlanNode*> children() const override;
  std::vector<const Expression*> expressions() const override;

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const std::shared_ptr<const CommonTable> table_;
  const std::vector<ExpressionRef> arguments_;
  const std::string alias_;
  const Slots slots_;
};

}  // namespace anabranch
