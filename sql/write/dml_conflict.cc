// INSERT ... ON CONFLICT, and UPSERT, which is one.
#include <algorithm>
#include <set>

#include "base/status.h"
#include "sql/parse/statement.h"
#include "sql/parse/tree.h"
#include "sql/query/relation.h"
#include "sql/stored/row_codec.h"
#include "sql/write/dml.h"

namespace anabranch {
namespace {

constexpr std::string_view kExcluded = "excluded";

absl::Status NoArbiter() {
  return SqlError(sqlstate::kInvalidColumnReference,
                  "there is no unique or exclusion constraint matching the ON CONFLICT specification");
}

absl::StatusOr<Arbiters> ArbitersNamed(const Table& table, const std::string& constraint) {
  Arbiters arbiters;
  arbiters.primary_key = !table.primary_key.empty() && table.primary_key_name == constraint;
  for (size_t i = 0; i < table.indexes.size(); ++i) {
    const Index& index = table.indexes[i];
    if (index.constraint && index.name == constraint) arbiters.indexes.push_back(static_cast<int>(i));
  }
  if (arbiters.primary_key || !arbiters.indexes.empty()) return arbiters;
  return SqlError(sqlstate::kUndefinedObject,
                  fmt::format("constraint \"{}\" for table \"{}\" does not exist", constraint, table.name));
}

// The keys over exactly these columns, in any order.
absl::StatusOr<Arbiters> ArbitersOver(const Table& table, const pg_query::InferClause& infer) {
  if (infer.has_where_clause()) return UnsupportedError("ON CONFLICT (...) WHERE");
  std::set<int> columns;
  for (const pg_query::Node& node : infer.index_elems()) {
    const std::string& name = node.index_elem().name();
    if (name.empty()) return UnsupportedError("an expression in ON CONFLICT (...)");
    const std::optional<int> position = table.FindColumn(name);
    if (!position) return SqlError(sqlstate::kUndefinedColumn, fmt::format("column \"{}\" does not exist", name));
    columns.insert(*position);
  }
  const auto matches = [&](const std::vector<int>& key) { return std::set<int>(key.begin(), key.end()) == columns; };
  Arbiters arbiters;
  arbiters.primary_key = !table.primary_key.empty() && matches(table.primary_key);
  for (size_t i = 0; i < table.indexes.size(); ++i) {
    if (table.indexes[i].unique && matches(table.indexes[i].columns)) arbiters.indexes.push_back(static_cast<int>(i));
  }
  if (arbiters.primary_key || !arbiters.indexes.empty()) return arbiters;
  return NoArbiter();
}

Arbiters AllArbiters(const Table& table) {
  Arbiters arbiters{.primary_key = !table.primary_key.empty(), .indexes = {}};
  for (size_t i = 0; i < table.indexes.size(); ++i) {
    if (table.indexes[i].unique) arbiters.indexes.push_back(static_cast<int>(i));
  }
  return arbiters;
}

// The row there is, then the one proposed.
Scope ConflictScope(const Table& table, std::string_view alias) {
  Scope scope = TableScope(table, alias);
  const int first = static_cast<int>(scope.columns.size());
  for (size_t i = 0; i < table.columns.size(); ++i) {
    ScopeColumn column = scope.columns[i];
    column.relation = kExcluded;
    column.slot = first + static_cast<int>(i);
    scope.columns.push_back(std::move(column));
  }
  return scope;
}

// Every column given, but for the key, takes the value proposed.
ConflictPlan PlanUpsert(const Table& table, const std::vector<int>& positions) {
  ConflictPlan plan;
  plan.updates = true;
  plan.arbiters.primary_key = !table.primary_key.empty();
  const int first = static_cast<int>(table.columns.size()) + 1;
  for (const int position : positions) {
    const std::vector<int>& key = table.primary_key;
    if (std::find(key.begin(), key.end(), position) != key.end()) continue;
    const Column& column = table.columns[position];
    plan.assignments.emplace_back(position, MakeColumn(column.type, first + position, column.name));
  }
  return plan;
}

}  // namespace

absl::StatusOr<ConflictPlan> PlanConflict(const pg_query::OnConflictClause& clause, const Table& table,
                                          std::string_view alias, const std::vector<int>& positions,
                                          const Planning& planning) {
  if (clause.infer().conname() == kUpsertConstraint) return PlanUpsert(table, positions);
  ConflictPlan plan;
  plan.updates = clause.action() == pg_query::ONCONFLICT_UPDATE;
  if (!clause.infer().conname().empty()) {
    ASSIGN_OR_RETURN(plan.arbiters, ArbitersNamed(table, clause.infer().conname()));
  } else if (clause.infer().index_elems_size() > 0) {
    ASSIGN_OR_RETURN(plan.arbiters, ArbitersOver(table, clause.infer()));
  } else if (plan.updates) {
    return SqlError(sqlstate::kSyntaxError, "ON CONFLICT DO UPDATE requires inference specification or constraint name",
                    "For example, ON CONFLICT (column_name).");
  } else {
    plan.arbiters = AllArbiters(table);
  }
  if (!plan.updates) return plan;
  const Scope scope = ConflictScope(table, alias);
  planning.binder->set_scope(&scope);
  ASSIGN_OR_RETURN(plan.assignments, PlanAssignments(clause.target_list(), table, planning));
  if (clause.has_where_clause()) {
    ASSIGN_OR_RETURN(plan.filter, planning.binder->BindClause(clause.where_clause(), SqlType::kBool, "WHERE"));
  }
  planning.binder->set_scope(nullptr);
  return plan;
}

absl::StatusOr<ConflictResolver::Outcome> ConflictResolver::Insert(Row* row) {
  RETURN_IF_ERROR(rules_.Verify(*row, execution_.evaluation));
  ASSIGN_OR_RETURN(const std::optional<std::string> taken, writer_.FindConflict(*row, plan_.arbiters));
  if (!taken) {
    ASSIGN_OR_RETURN(std::string key, writer_.Insert(*row));
    if (plan_.updates) RETURN_IF_ERROR(Touch(std::move(key)));
    return Outcome::kWritten;
  }
  if (!plan_.updates) return Outcome::kSkipped;
  return Update(*taken, row);
}

absl::Status ConflictResolver::Touch(std::string key) {
  RETURN_IF_ERROR(memory_.Add(sizeof(std::string) + key.size()));
  touched_.insert(std::move(key));
  return absl::OkStatus();
}

absl::StatusOr<ConflictResolver::Outcome> ConflictResolver::Update(const std::string& key, Row* row) {
  if (touched_.contains(key)) {
    return SqlError(
        sqlstate::kCardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time",
        "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.");
  }
  ASSIGN_OR_RETURN(const LockedRow locked, execution_.transaction->LockRow(key, execution_.stop));
  if (!locked.row) return SqlError(sqlstate::kSerializationFailure, "could not serialize access due to concurrent delete");
  const Table& table = *rules_.table();
  const size_t columns = table.columns.size();
  Row both(columns + 1);
  RETURN_IF_ERROR(DecodeRow(table, key, locked.row->value, &both));
  Row updated(both.begin(), both.begin() + static_cast<ptrdiff_t>(columns));
  const Row before = updated;
  both.insert(both.end(), row->begin(), row->end());
  if (plan_.filter) {
    ASSIGN_OR_RETURN(const bool holds, Holds(*plan_.filter, both, execution_.evaluation));
    if (!holds) return Outcome::kSkipped;
  }
  RETURN_IF_ERROR(Assign(plan_.assignments, rules_, both, execution_, &updated));
  RETURN_IF_ERROR(writer_.Update(key, before, updated));
  RETURN_IF_ERROR(Touch(table.primary_key.empty() ? key : EncodeRowKey(table, updated)));
  *row = std::move(updated);
  return Outcome::kWritten;
}

}  // namespace anabranch
