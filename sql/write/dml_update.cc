#include <algorithm>
#include <set>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/query/join_planner.h"
#include "sql/query/statement_run.h"
#include "sql/stored/row_codec.h"
#include "sql/value/error_field.h"
#include "sql/write/dml.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

using Nodes = google::protobuf::RepeatedPtrField<Node>;

// Finds the table to change and what it is joined with, and binds the WHERE clause over them. `from` gives the names, as
// long as it lives.
absl::Status PlanTarget(const pg_query::RangeVar& relation, const Nodes& others, const Node* where, FromClause* from,
                        const Planning& planning, UpdatePlan* plan) {
  if (relation.alias().colnames_size() > 0) return UnsupportedError("a column alias list of a table");
  ASSIGN_OR_RETURN(const std::string name, RelationName(relation));
  ASSIGN_OR_RETURN(plan->table, WithLocation(planning.tables->Get(*planning.transaction, name), relation.location()));
  ASSIGN_OR_RETURN(plan->rules, TableRules::Bind(plan->table));
  if (!others.empty() && plan->table->primary_key.empty()) {
    return UnsupportedError("UPDATE ... FROM or DELETE ... USING of a table without a primary key");
  }
  Node target;
  *target.mutable_range_var() = relation;
  RETURN_IF_ERROR(from->Add(target));
  for (const Node& other : others) RETURN_IF_ERROR(from->Add(other));
  planning.binder->set_scope(from->scope());
  if (where != nullptr) {
    ASSIGN_OR_RETURN(plan->filter, planning.binder->BindClause(*where, SqlType::kBool, "WHERE"));
  }
  if (others.empty()) return absl::OkStatus();
  plan->joined = PlanJoins(from->TakeItems(), from->width(), plan->filter ? Clone(*plan->filter) : ExpressionRef(), {},
                           std::vector<bool>(from->width(), true))
                     .root;
  return absl::OkStatus();
}

// One run of an UPDATE or DELETE.
class UpdateRun {
 public:
  UpdateRun(const UpdatePlan& plan, const Execution& execution, const RowConsumer& returned)
      : plan_(plan), execution_(execution), returned_(returned), writer_(plan.rules, execution) {}

  absl::Status Run() { return plan_.joined ? RunJoined() : RunAlone(); }

  uint64_t count() const { return count_; }

 private:
  // All rows are found before the first is changed; a row that is found several times is changed once.
  absl::Status RunJoined() {
    ASSIGN_OR_RETURN(const RowSourceRef source, plan_.joined->Open(execution_, {}));
    std::vector<std::pair<std::string, Row>> held;
    std::set<std::string> known;
    MemoryAccount memory(HeldBytes(execution_));
    Row row;
    while (true) {
      RETURN_IF_ERROR(CheckStop(execution_.stop));
      ASSIGN_OR_RETURN(const bool found, source->Next(&row));
      if (!found) break;
      std::string key = EncodeRowKey(*plan_.table, row);
      if (!known.insert(key).second) continue;
      RETURN_IF_ERROR(memory.Add(2 * key.size() + RowBytes(row)));
      held.emplace_back(std::move(key), row);
    }
    for (auto& [key, held_row] : held) RETURN_IF_ERROR(Change(key, &held_row));
    return absl::OkStatus();
  }

  absl::Status RunAlone() {
    ASSIGN_OR_RETURN(ScanPlan spans, PlanSpans(*plan_.table, plan_.filter.get(), execution_.evaluation));
    // A row that moves in a key that it is found by must not be met again there. Within one span the scan sees to it; over
    // several, all rows are found before the first moves.
    const bool holds_rows = spans.spans.size() > 1 && MovesRows();
    std::vector<std::pair<std::string, Row>> held;
    MemoryAccount memory(HeldBytes(execution_));
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
    if (!plan_.deletes) {
      std::move(row.begin(), row.end(), found->begin());
      (*found)[plan_.table->columns.size()] = Null{};  // kVersionColumn: not committed yet
    }
    return ReturnRow(plan_.returning, *found, execution_, returned_);
  }

  // Locks a row that the scan found and judges it again if it changed. False: it does not count any more.
  absl::StatusOr<bool> LockAndRecheck(const std::string& key, Row* row) {
    ASSIGN_OR_RETURN(const std::optional<LockedRow> locked, execution_.transaction->LockFoundRow(key, execution_.stop));
    if (!locked) return true;
    if (!locked->row) return false;
    if (!locked->changed_since_snapshot) return true;
    RETURN_IF_ERROR(DecodeRow(*plan_.table, key, locked->row->value, row));
    (*row)[plan_.table->columns.size()] =
        locked->row->timestamp.IsZero() ? Datum(Null{}) : Datum(HlcNumeric(locked->row->timestamp));
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
  UpdatePlan plan;
  FromClause from(planning);
  const Node* where = update.has_where_clause() ? &update.where_clause() : nullptr;
  RETURN_IF_ERROR(PlanTarget(update.relation(), update.from_clause(), where, &from, planning, &plan));
  ASSIGN_OR_RETURN(plan.returning, PlanReturning(update.returning_list(), *from.scope(), planning));
  planning.binder->set_scope(from.scope());
  ASSIGN_OR_RETURN(plan.assignments, PlanAssignments(update.target_list(), *plan.table, planning));
  return plan;
}

absl::StatusOr<UpdatePlan> PlanDelete(const pg_query::DeleteStmt& statement, const Planning& planning) {
  UpdatePlan plan;
  plan.deletes = true;
  FromClause from(planning);
  const Node* where = statement.has_where_clause() ? &statement.where_clause() : nullptr;
  RETURN_IF_ERROR(PlanTarget(statement.relation(), statement.using_clause(), where, &from, planning, &plan));
  ASSIGN_OR_RETURN(plan.returning, PlanReturning(statement.returning_list(), *from.scope(), planning));
  return plan;
}

absl::StatusOr<uint64_t> RunUpdate(const UpdatePlan& plan, const Execution& execution, const RowConsumer& returned) {
  UpdateRun run(plan, execution, returned);
  RETURN_IF_ERROR(run.Run());
  return run.count();
}

}  // namespace anabranch
