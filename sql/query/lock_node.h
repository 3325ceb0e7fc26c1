// SELECT ... FOR UPDATE and its like: the rows that a query gives are locked as they are given.
//
// FOR SHARE and FOR KEY SHARE lock as FOR UPDATE does: there is one kind of row lock, so they block more than they need.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "sql/parse/tree_types.h"
#include "sql/query/plan.h"
#include "sql/query/relation.h"

namespace anabranch {

enum class LockWait { kWait, kSkip, kRefuse };  // kSkip: SKIP LOCKED; kRefuse: NOWAIT

struct LockedTable {
  TableRef table;
  Slots slots;
  LockWait wait = LockWait::kWait;
};

// What the locking clauses of a query lock, and what must hold of a row once it is locked.
struct LockSpec {
  std::vector<LockedTable> tables;
  ExpressionRef condition;   // WHERE and the ON of inner joins; null: none
  bool outer_joins = false;  // whose ON is not in `condition`
};

// `items` are all of FROM; `scope` has its names. 42P01 for a table that FROM does not have, 0A000 for what cannot be
// locked.
absl::StatusOr<LockSpec> PlanLocks(const pg_query::SelectStmt& select, const std::vector<FromItemRef>& items,
                                   const Scope& scope, const Expression* where);
// "FOR UPDATE", the strongest of the query's locking clauses, as messages name it.
std::string_view LockingClauseName(const pg_query::SelectStmt& select);

// Rows of FROM's layout, perhaps with more behind it. At READ COMMITTED a row that changed since the snapshot is given as
// it is now, if it still qualifies; above it that is 40001.
class LockNode final : public PlanNode {
 public:
  LockNode(PlanRef input, LockSpec spec) : input_(std::move(input)), spec_(std::move(spec)) {}
  NodeText Explain() const override { return {.label = "LockRows", .details = {}}; }
  std::vector<const PlanNode*> children() const override { return {input_.get()}; }

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const PlanRef input_;
  const LockSpec spec_;
};

}  // namespace anabranch
