#include "sql/dml.h"

#include <algorithm>
#include <set>

#include "base/status.h"
#include "sql/function.h"
#include "sql/row_codec.h"
#include "sql/tree.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

absl::Status UndefinedColumn(const Table& table, std::string_view column) {
  return SqlError(sqlstate::kUndefinedColumn,
                  fmt::format("column \"{}\" of relation \"{}\" does not exist", column, table.name));
}

absl::Status CheckNotNull(const Table& table, const Row& row) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (!table.columns[i].not_null || !IsNull(row[i])) continue;
    return SqlError(sqlstate::kNotNullViolation,
                    fmt::format("null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                                table.columns[i].name, table.name));
  }
  return absl::OkStatus();
}

absl::Status UniqueViolation(const Table& table, const Row& row) {
  std::string names, values;
  for (const int position : table.primary_key) {
    names += (names.empty() ? "" : ", ") + table.columns[position].name;
    values += (values.empty() ? "" : ", ") + ToText(row[position]);
  }
  return SqlError(sqlstate::kUniqueViolation,
                  fmt::format("duplicate key value violates unique constraint \"{}\"", table.primary_key_name),
                  fmt::format("Key ({})=({}) already exists.", names, values));
}

// A row under a primary key that must be free.
absl::Status PutNew(const Table& table, const Row& row, const Execution& execution) {
  const std::string key = EncodeRowKey(table, row);
  ASSIGN_OR_RETURN(const LockedRow locked, execution.transaction->LockRow(key, execution.stop));
  if (locked.row) return UniqueViolation(table, row);
  return execution.transaction->Put(key, EncodeRowValue(table, row));
}

// Finds a table to change, and binds the WHERE clause over it.
absl::StatusOr<UpdatePlan> PlanTarget(const pg_query::RangeVar& relation, const Node* where, const Scope& scope,
                                      TableRef table, const Planning& planning) {
  if (relation.alias().colnames_size() > 0) return UnsupportedError("a column alias list of a table");
  UpdatePlan plan;
  plan.table = std::move(table);
  planning.binder->set_scope(&scope);
  if (where != nullptr) {
    ASSIGN_OR_RETURN(plan.filter, planning.binder->BindClause(*where, SqlType::kBool, "WHERE"));
  }
  return plan;
}

// One row of an UPDATE or DELETE, found by the scan: locks it and judges it again if it changed. False: it does not count
// any more.
absl::StatusOr<bool> LockAndRecheck(const UpdatePlan& plan, const std::string& key, const Execution& execution, Row* row) {
  ASSIGN_OR_RETURN(const LockedRow locked, execution.transaction->LockRow(key, execution.stop));
  if (!locked.row) return false;
  if (!locked.changed_since_snapshot) return true;
  RETURN_IF_ERROR(DecodeRow(*plan.table, key, locked.row->value, row));
  row->back() = locked.row->timestamp.IsZero() ? Datum(Null{}) : Datum(HlcNumeric(locked.row->timestamp));
  if (!plan.filter) return true;
  return Holds(*plan.filter, *row, execution.evaluation);
}

absl::Status UpdateRow(const UpdatePlan& plan, const std::string& key, const Row& old_row, const Execution& execution) {
  const Table& table = *plan.table;
  Row row(old_row.begin(), old_row.begin() + table.columns.size());
  for (const auto& [position, expression] : plan.assignments) {
    if (!expression) {
      row[position] = DefaultOf(table.columns[position], execution.evaluation);
      continue;
    }
    ASSIGN_OR_RETURN(row[position], Evaluate(*expression, old_row, execution.evaluation));
  }
  RETURN_IF_ERROR(CheckNotNull(table, row));
  if (!table.primary_key.empty() && EncodeRowKey(table, row) != key) {
    RETURN_IF_ERROR(execution.transaction->Delete(key));
    return PutNew(table, row, execution);
  }
  return execution.transaction->Put(key, EncodeRowValue(table, row));
}

absl::Status PlanValues(const pg_query::SelectStmt& values, const Planning& planning, InsertPlan* plan) {
  for (const Node& list : values.values_lists()) {
    const auto& items = list.list().items();
    if (static_cast<size_t>(items.size()) > plan->positions.size()) {
      return SqlError(sqlstate::kSyntaxError, "INSERT has more expressions than target columns");
    }
    std::vector<ExpressionRef> row;
    for (int i = 0; i < items.size(); ++i) {
      row.emplace_back();
      if (items[i].has_set_to_default()) continue;
      ASSIGN_OR_RETURN(row.back(), planning.binder->BindAssignment(items[i], plan->table->columns[plan->positions[i]]));
    }
    if (!plan->rows.empty() && plan->rows.front().size() != row.size()) {
      return SqlError(sqlstate::kSyntaxError, "VALUES lists must all be the same length");
    }
    plan->rows.push_back(std::move(row));
  }
  return absl::OkStatus();
}

}  // namespace

Datum DefaultOf(const Column& column, const EvaluationContext& context) {
  if (column.default_expression == "now()") return context.transaction_time;
  return column.default_value.value_or(Null{});
}

absl::StatusOr<std::vector<int>> NamedColumns(const Table& table, const std::vector<std::string>& names) {
  std::vector<int> positions;
  if (names.empty()) {
    for (size_t i = 0; i < table.columns.size(); ++i) positions.push_back(static_cast<int>(i));
    return positions;
  }
  for (const std::string& name : names) {
    const std::optional<int> position = table.FindColumn(name);
    if (!position) return UndefinedColumn(table, name);
    if (std::find(positions.begin(), positions.end(), *position) != positions.end()) {
      return SqlError(sqlstate::kDuplicateColumn, fmt::format("column \"{}\" specified more than once", name));
    }
    positions.push_back(*position);
  }
  return positions;
}

Row RowInserter::Defaults() const {
  Row row;
  for (const Column& column : table_->columns) row.push_back(DefaultOf(column, execution_.evaluation));
  return row;
}

absl::Status RowInserter::Insert(const Row& row) {
  RETURN_IF_ERROR(CheckStop(execution_.stop));
  RETURN_IF_ERROR(CheckNotNull(*table_, row));
  if (!table_->primary_key.empty()) return PutNew(*table_, row, execution_);
  ASSIGN_OR_RETURN(const Timestamp row_id, execution_.evaluation.session->transaction.store->ReserveTimestamp());
  const std::string key = EncodeHiddenRowKey(*table_, row_id.ns);
  RETURN_IF_ERROR(execution_.transaction->Lock(key, LockMode::kExclusive, execution_.stop));
  return execution_.transaction->Put(key, EncodeRowValue(*table_, row));
}

absl::StatusOr<InsertPlan> PlanInsert(const pg_query::InsertStmt& insert, const SystemStatement* bracket,
                                      const Planning& planning) {
  if (insert.override() > pg_query::OVERRIDING_NOT_SET) return UnsupportedError("OVERRIDING");
  InsertPlan plan;
  ASSIGN_OR_RETURN(const std::string name, RelationName(insert.relation()));
  ASSIGN_OR_RETURN(plan.table, planning.tables->Get(*planning.transaction, name));
  std::vector<std::string> names;
  for (const Node& column : insert.cols()) names.push_back(column.res_target().name());
  ASSIGN_OR_RETURN(plan.positions, NamedColumns(*plan.table, names));
  if (!insert.has_select_stmt()) {  // DEFAULT VALUES
    plan.rows.emplace_back();
    return plan;
  }
  const pg_query::SelectStmt& select = insert.select_stmt().select_stmt();
  if (select.values_lists_size() > 0) {
    if (select.sort_clause_size() > 0 || select.has_limit_count() || select.has_limit_offset()) {
      return UnsupportedError("ORDER BY or LIMIT after VALUES");
    }
    RETURN_IF_ERROR(PlanValues(select, planning, &plan));
    if (!names.empty() && plan.rows.front().size() < plan.positions.size()) {
      return SqlError(sqlstate::kSyntaxError, "INSERT has more target columns than expressions");
    }
    return plan;
  }
  // Without a list, fewer expressions than columns are allowed.
  if (names.empty() && select.target_list_size() < static_cast<int>(plan.positions.size())) {
    const auto is_star = [](const Node& target) {
      const pg_query::ColumnRef& column = target.res_target().val().column_ref();
      return column.fields_size() > 0 && column.fields(column.fields_size() - 1).has_a_star();
    };
    if (std::none_of(select.target_list().begin(), select.target_list().end(), is_star)) {
      plan.positions.resize(select.target_list_size());
    }
  }
  std::vector<const Column*> columns;
  for (const int position : plan.positions) columns.push_back(&plan.table->columns[position]);
  ASSIGN_OR_RETURN(SelectPlan planned, PlanSelect(select, bracket, &columns, planning));
  plan.select = std::make_unique<SelectPlan>(std::move(planned));
  return plan;
}

absl::StatusOr<uint64_t> RunInsert(const InsertPlan& plan, const Execution& execution) {
  RowInserter inserter(plan.table, execution);
  const Row defaults = inserter.Defaults();
  uint64_t count = 0;
  for (const std::vector<ExpressionRef>& values : plan.rows) {
    Row row = defaults;
    for (size_t i = 0; i < values.size(); ++i) {
      if (!values[i]) continue;
      ASSIGN_OR_RETURN(row[plan.positions[i]], Evaluate(*values[i], {}, execution.evaluation));
    }
    RETURN_IF_ERROR(inserter.Insert(row));
    ++count;
  }
  if (!plan.select) return count;
  // Rows that this statement inserts must not be found by it: of its own table, they are all read before the first is
  // written.
  const TableRef& read_from = plan.select->relation.table;
  const bool holds_rows = read_from && read_from->id == plan.table->id;
  std::vector<Row> held;
  MemoryAccount memory;
  RETURN_IF_ERROR(RunSelect(*plan.select, execution, [&](Row& selected) -> absl::Status {
    Row row = defaults;
    for (size_t i = 0; i < selected.size(); ++i) row[plan.positions[i]] = std::move(selected[i]);
    ++count;
    if (!holds_rows) return inserter.Insert(row);
    RETURN_IF_ERROR(memory.Add(RowBytes(row)));
    held.push_back(std::move(row));
    return absl::OkStatus();
  }));
  for (const Row& row : held) RETURN_IF_ERROR(inserter.Insert(row));
  return count;
}

absl::StatusOr<UpdatePlan> PlanUpdate(const pg_query::UpdateStmt& update, const Planning& planning) {
  ASSIGN_OR_RETURN(const std::string name, RelationName(update.relation()));
  ASSIGN_OR_RETURN(TableRef table, planning.tables->Get(*planning.transaction, name));
  const Scope scope = TableScope(*table, update.relation().alias().aliasname());
  ASSIGN_OR_RETURN(
      UpdatePlan plan,
      PlanTarget(update.relation(), update.has_where_clause() ? &update.where_clause() : nullptr, scope, table, planning));
  std::set<int> assigned;
  for (const Node& node : update.target_list()) {
    const pg_query::ResTarget& target = node.res_target();
    const std::optional<int> position = table->FindColumn(target.name());
    if (!position) return UndefinedColumn(*table, target.name());
    if (!assigned.insert(*position).second) {
      return SqlError(sqlstate::kSyntaxError, fmt::format("multiple assignments to same column \"{}\"", target.name()));
    }
    ExpressionRef value;
    if (!target.val().has_set_to_default()) {
      ASSIGN_OR_RETURN(value, planning.binder->BindAssignment(target.val(), table->columns[*position]));
    }
    plan.assignments.emplace_back(*position, std::move(value));
  }
  planning.binder->set_scope(nullptr);
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
  planning.binder->set_scope(nullptr);
  return plan;
}

absl::StatusOr<uint64_t> RunUpdate(const UpdatePlan& plan, const Execution& execution) {
  ASSIGN_OR_RETURN(ScanPlan spans, PlanSpans(*plan.table, plan.filter.get(), execution.evaluation));
  // A row that moves to another key must not be met again there. Within one span the scan sees to it; over several, all
  // rows are found before the first moves.
  const std::vector<int>& primary_key = plan.table->primary_key;
  const bool moves = std::any_of(plan.assignments.begin(), plan.assignments.end(), [&](const auto& assignment) {
    return std::find(primary_key.begin(), primary_key.end(), assignment.first) != primary_key.end();
  });
  const bool holds_rows = moves && spans.spans.size() > 1;
  std::vector<std::pair<std::string, Row>> held;
  MemoryAccount memory;
  TableScan scan(plan.table, std::move(spans), VersionColumn::kRead, execution);
  uint64_t count = 0;
  const auto change = [&](const std::string& key, Row* row) -> absl::Status {
    ASSIGN_OR_RETURN(const bool still, LockAndRecheck(plan, key, execution, row));
    if (!still) return absl::OkStatus();
    ++count;
    return plan.deletes ? execution.transaction->Delete(key) : UpdateRow(plan, key, *row, execution);
  };
  Row row;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, scan.Next(&row));
    if (!found) break;
    if (plan.filter) {
      ASSIGN_OR_RETURN(const bool holds, Holds(*plan.filter, row, execution.evaluation));
      if (!holds) continue;
    }
    std::string key(scan.key());
    if (!holds_rows) {
      RETURN_IF_ERROR(change(key, &row));
      continue;
    }
    RETURN_IF_ERROR(memory.Add(key.size() + RowBytes(row)));
    held.emplace_back(std::move(key), row);
  }
  for (auto& [key, held_row] : held) RETURN_IF_ERROR(change(key, &held_row));
  return count;
}

}  // namespace anabranch
