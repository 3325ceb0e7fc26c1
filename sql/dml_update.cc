#include <algorithm>

#include "base/status.h"
#include "sql/dml.h"
#include "sql/function.h"
#include "sql/row_codec.h"
#include "sql/tree.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

// Finds a table to change, and binds the WHERE clause over it.
absl::StatusOr<UpdatePlan> PlanTarget(const pg_query::RangeVar& relation, const Node* where, const Scope& scope,
                                      TableRef table, const Planning& planning) {
  if (relation.alias().colnames_size() > 0) return UnsupportedError("a column alias list of a table");
  UpdatePlan plan;
  plan.table = std::move(table);
  ASSIGN_OR_RETURN(plan.rules, TableRules::Bind(plan.table));
  planning.binder->set_scope(&scope);
  if (where != nullptr) {
    ASSIGN_OR_RETURN(plan.filter, planning.binder->BindClause(*where, SqlType::kBool, "WHERE"));
  }
  return plan;
}

// One run of an UPDATE or DELETE.
class UpdateRun {
 public:
  UpdateRun(const UpdatePlan& plan, const Execution& execution, const RowConsumer& returned)
      : plan_(plan), execution_(execution), returned_(returned), writer_(plan.rules, execution) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(ScanPlan spans, PlanSpans(*plan_.table, plan_.filter.get(), execution_.evaluation));
    // A row that moves in a key that it is found by must not be met again there. Within one span the scan sees to it; over
    // several, all rows are found before the first moves.
    const bool holds_rows = spans.spans.size() > 1 && MovesRows();
    std::vector<std::pair<std::string, Row>> held;
    MemoryAccount memory;
    TableScan scan(plan_.table, std::move(spans), VersionColumn::kRead, execution_);
    Row row;
    while (true) {
      ASSIGN_OR_RETURN(const bool found, scan.Next(&row));
      if (!found) break;
      if (plan_.filter) {
        ASSIGN_OR_RETURN(const bool holds, Holds(*plan_.filter, row, execution_.evaluation));
        if (!holds) continue;
      }
      std::string key(scan.key());
      if (!holds_rows) {
        RETURN_IF_ERROR(Change(key, &row));
        continue;
      }
      RETURN_IF_ERROR(memory.Add(key.size() + RowBytes(row)));
      held.emplace_back(std::move(key), row);
    }
    for (auto& [key, held_row] : held) RETURN_IF_ERROR(Change(key, &held_row));
    return absl::OkStatus();
  }

  uint64_t count() const { return count_; }

 private:
  bool MovesRows() const {
    const Table& table = *plan_.table;
    const auto within = [](const std::vector<int>& columns, int position) {
      return std::find(columns.begin(), columns.end(), position) != columns.end();
    };
    return std::any_of(plan_.assignments.begin(), plan_.assignments.end(), [&](const auto& assignment) {
      return within(table.primary_key, assignment.first) ||
             std::any_of(table.indexes.begin(), table.indexes.end(),
                         [&](const Index& index) { return within(index.columns, assignment.first); });
    });
  }

  absl::Status Change(const std::string& key, Row* found) {
    ASSIGN_OR_RETURN(const bool still, LockAndRecheck(key, found));
    if (!still) return absl::OkStatus();
    ++count_;
    Row row(found->begin(), found->begin() + static_cast<ptrdiff_t>(plan_.table->columns.size()));
    if (plan_.deletes) {
      RETURN_IF_ERROR(writer_.Delete(key, row));
    } else {
      RETURN_IF_ERROR(Assign(plan_.assignments, *plan_.rules, *found, execution_, &row));
      RETURN_IF_ERROR(writer_.Update(key, *found, row));
    }
    return ReturnRow(plan_.returning, row, execution_, returned_);
  }

  // Locks a row that the scan found and judges it again if it changed. False: it does not count any more.
  absl::StatusOr<bool> LockAndRecheck(const std::string& key, Row* row) {
    ASSIGN_OR_RETURN(const LockedRow locked, execution_.transaction->LockRow(key, execution_.stop));
    if (!locked.row) return false;
    if (!locked.changed_since_snapshot) return true;
    RETURN_IF_ERROR(DecodeRow(*plan_.table, key, locked.row->value, row));
    row->back() = locked.row->timestamp.IsZero() ? Datum(Null{}) : Datum(HlcNumeric(locked.row->timestamp));
    if (!plan_.filter) return true;
    return Holds(*plan_.filter, *row, execution_.evaluation);
  }

  const UpdatePlan& plan_;
  const Execution& execution_;
  const RowConsumer& returned_;
  RowWriter writer_;
  uint64_t count_ = 0;
};

}  // namespace

absl::StatusOr<UpdatePlan> PlanUpdate(const pg_query::UpdateStmt& update, const Planning& planning) {
  ASSIGN_OR_RETURN(const std::string name, RelationName(update.relation()));
  ASSIGN_OR_RETURN(TableRef table, planning.tables->Get(*planning.transaction, name));
  const Scope scope = TableScope(*table, update.relation().alias().aliasname());
  ASSIGN_OR_RETURN(
      UpdatePlan plan,
      PlanTarget(update.relation(), update.has_where_clause() ? &update.where_clause() : nullptr, scope, table, planning));
  ASSIGN_OR_RETURN(plan.assignments, PlanAssignments(update.target_list(), *table, planning));
  ASSIGN_OR_RETURN(plan.returning, PlanReturning(update.returning_list(), scope, planning));
  return plan;
}

absl::StatusOr<UpdatePlan> PlanDelete(const pg_query::DeleteStmt& statement, const Planning& planning) {
  ASSIGN_OR_RETURN(const std::string name, RelationName(statement.relation()));
  ASSIGN_OR_RETURN(TableRef table, planning.tables->Get(*planning.transaction, name));
  const Scope scope = TableScope(*table, statement.relation().alias().aliasname());
  ASSIGN_OR_RETURN(UpdatePlan plan,
                   PlanTarget(statement.relation(), statement.has_where_clause() ? &statement.where_clause() : nullptr,
                              scope, table, planning));
  plan.deletes = true;
  ASSIGN_OR_RETURN(plan.returning, PlanReturning(statement.returning_list(), scope, planning));
  return plan;
}

absl::StatusOr<uint64_t> RunUpdate(const UpdatePlan& plan, const Execution& execution, const RowConsumer& returned) {
  UpdateRun run(plan, execution, returned);
  RETURN_IF_ERROR(run.Run());
  return run.count();
}

}  // namespace anabranch
