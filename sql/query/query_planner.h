// Internal to query/: plans one query of a statement. WITH, set operations and VALUES are in select_planner.cc, the
// clauses of a SELECT in
// select_list.cc, the nodes made of them in select_build.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sql/query/grouping.h"
#include "sql/query/join_planner.h"
#include "sql/query/lock_node.h"
#include "sql/query/relation.h"
#include "sql/query/row_node.h"
#include "sql/query/select.h"

namespace anabranch {

// An entry of ORDER BY: a target, or an expression over what the targets are over.
struct OrderKey {
  int target = -1;
  ExpressionRef expression;
  bool descending = false;
  bool nulls_first = false;
};

// Plans one query: a SELECT, VALUES, or a set operation on two others.
class QueryPlanner {
 public:
  QueryPlanner(const pg_query::SelectStmt& select, const std::vector<const Column*>* assign_to, UnknownColumns unknown,
               const Planning& planning)
      : select_(select),
        assign_to_(assign_to),
        unknown_(unknown),
        planning_(planning),
        binder_(*planning.binder),
        from_(planning) {}

  absl::StatusOr<Query> Plan();

 private:
  absl::Status PlanBody();

  // --- WITH ---
  absl::Status PlanWith();

  // --- UNION, INTERSECT, EXCEPT ---
  absl::Status PlanSetOperation();
  static ExpressionRef CastText(ExpressionRef value, SqlType type);

  // A query as a part of this one, its columns converted.
  static PlanRef Embed(Query query, std::vector<ExpressionRef> values);
  void MakeDistinct(size_t width);

  // --- VALUES ---
  absl::Status PlanValues();

  // ORDER BY and LIMIT where only columns of the result can be ordered by.
  absl::Status PlanOutputOrder(const std::string& otherwise);
  absl::Status PlanCounts();
  absl::StatusOr<ExpressionRef> BindCount(const pg_query::Node& node, std::string_view what);

  // The target that an integer constant in ORDER BY or GROUP BY means; -1: it is none.
  absl::StatusOr<int> Ordinal(const pg_query::Node& node, std::string_view clause) const;

  // --- SELECT: select_list.cc ---
  absl::Status PlanSimple();
  bool TargetsContain(ExpressionKind kind) const;
  absl::Status CheckLockable() const;
  absl::Status AddTarget(const pg_query::ResTarget& target);
  absl::Status AddStar(const pg_query::ColumnRef& column);

  // A literal or parameter of unknown type takes the type of the column it goes to, else it is text.
  absl::Status SettleUnknownTargets();
  absl::Status CheckAssignedCount(size_t count) const;
  absl::Status BindOrder();

  // DISTINCT has one empty node, DISTINCT ON its expressions.
  absl::Status BindDistinct();

  const Expression* ValueOf(const OrderKey& key) const {
    return key.target >= 0 ? targets_[key.target].get() : key.expression.get();
  }

  // --- GROUP BY ---
  absl::Status BindGroups();

  // An ordinal, an input column, an alias of a target, or an expression: in this order, as PostgreSQL does it.
  absl::StatusOr<ExpressionRef> BindGroup(const pg_query::Node& node);

  // --- From the bound clauses to nodes: select_build.cc ---
  absl::Status BuildPlan(ExpressionRef filter);

  // Rows are sorted before they are locked and cut off after it, so that those beyond LIMIT are not locked: over the rows
  // of FROM, which is what is locked, with the sort keys behind them.
  void BuildLocked(LockSpec locks, bool ordered);
  void BuildUnlocked(bool ordered);

  // Row numbers and sets in the targets become columns that stand after those of the input.
  void AddComputedColumns(int width);

  // Puts columns from `width` on in the place of the expressions of a kind.
  static void Take(ExpressionKind kind, ExpressionRef* expression, int width, std::vector<ExpressionRef>* taken);

  // The order of the table's columns that ORDER BY means, if it is one that a key may give.
  WantedOrder Wanted() const;

  // What is not in the target list is put after it.
  SortColumn SortBy(OrderKey* key);
  absl::Status AssignColumns();

  const pg_query::SelectStmt& select_;
  const std::vector<const Column*>* const assign_to_;
  const UnknownColumns unknown_;
  const Planning& planning_;
  Binder& binder_;
  QueryLevel level_;
  FromClause from_;
  std::vector<ExpressionRef> targets_;
  std::vector<const pg_query::ResTarget*> named_;  // what each target was bound from; null for a column of *
  std::vector<size_t> kept_unknown_;               // targets whose type is for the query around this one to say
  std::vector<OrderKey> order_;
  bool distinct_ = false;
  std::vector<OrderKey> distinct_on_;
  bool grouped_ = false;
  Grouping grouping_;
  ExpressionRef having_;
  std::shared_ptr<const LimitCounts> counts_;
  Query query_;
};

OrderKey KeyOf(const pg_query::SortBy& sort);
// The name a column reference consists of, if it is one name alone; else null.
const std::string* SingleName(const pg_query::Node& node);
// The columns of a query as expressions over its rows.
std::vector<ExpressionRef> ColumnsOf(const Query& query);
bool AreColumnsInPlace(const std::vector<ExpressionRef>& expressions);
absl::Status CannotLockWith(const pg_query::SelectStmt& select, std::string_view what);  // 0A000

}  // namespace anabranch
