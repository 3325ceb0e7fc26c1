// FROM: what its relations are, which names they give, and how they are joined.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/catalog/relation.h"
#include "sql/control/statement.h"
#include "sql/query/bind.h"
#include "sql/query/join_node.h"
#include "sql/query/plan.h"
#include "sql/query/table_scan.h"

namespace anabranch {

// The columns of a table that an UPDATE or DELETE sees.
Scope TableScope(const Table& table, std::string_view alias);

// A relation in FROM, or a join of two.
struct FromItem {
  Slots slots;
  // A relation: a table, or another's plan.
  TableRef table;
  std::string alias;
  PlanRef node;
  std::vector<int> needs;  // slots of relations before it that `node` reads: LATERAL
  // A join.
  JoinKind kind = JoinKind::kInner;
  std::unique_ptr<FromItem> left;
  std::unique_ptr<FromItem> right;
  std::vector<ExpressionRef> on;

  bool is_join() const { return left != nullptr; }
};
using FromItemRef = std::unique_ptr<FromItem>;

// Takes the items of a FROM clause one by one; names are bound at the binder's present level.
class FromClause {
 public:
  explicit FromClause(const Planning& planning) : planning_(planning), binder_(*planning.binder) {}

  // REQUIRES: the level's scope is null or scope().
  absl::Status Add(const pg_query::Node& node);

  const Scope* scope() const { return &scope_; }
  int width() const { return width_; }
  // All items, as one inner join. Ends the use of this.
  std::vector<FromItemRef> TakeItems() { return std::move(items_); }
  // The table whose columns these slots are; null: something else is.
  const FromItem* TableAt(int slot) const;

 private:
  absl::StatusOr<FromItemRef> Plan(const pg_query::Node& node);  // errors have a location
  absl::StatusOr<FromItemRef> PlanItem(const pg_query::Node& node);
  absl::StatusOr<FromItemRef> PlanTable(const pg_query::RangeVar& range);
  absl::StatusOr<FromItemRef> PlanCatalog(const CatalogRelation& catalog, const pg_query::RangeVar& range);
  absl::StatusOr<FromItemRef> PlanBracket(const pg_query::RangeVar& range);
  absl::StatusOr<FromItemRef> PlanCommonTable(const std::shared_ptr<CommonTable>& table, const pg_query::RangeVar& range);
  absl::StatusOr<FromItemRef> PlanSubquery(const pg_query::RangeSubselect& range);
  absl::StatusOr<FromItemRef> PlanFunction(const pg_query::RangeFunction& range);
  absl::StatusOr<FromItemRef> PlanJoin(const pg_query::JoinExpr& join);
  absl::Status MergeColumns(const pg_query::JoinExpr& join, size_t begin, size_t middle, FromItem* item);
  absl::Status RenameJoin(const pg_query::Alias& alias, size_t begin);

  // Gives a relation its slots and its columns their names. 42712, 42P10.
  absl::Status AddColumns(const pg_query::Alias& alias, const std::string& name, std::vector<ScopeColumn> columns,
                          FromItem* item);

  const Planning& planning_;
  Binder& binder_;
  Scope scope_;
  int width_ = 0;
  std::vector<FromItemRef> items_;
};

}  // namespace anabranch
