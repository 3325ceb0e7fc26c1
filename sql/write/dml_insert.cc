#include <algorithm>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/query/statement_run.h"
#include "sql/value/error_field.h"
#include "sql/write/dml.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

// What a column takes from an INSERT that gives it a value. 428C9 for one that is always generated.
absl::Status CheckGiven(const pg_query::InsertStmt& insert, const Column& column) {
  if (column.identity != 'a' || insert.override() == pg_query::OVERRIDING_SYSTEM_VALUE) return absl::OkStatus();
  absl::Status status =
      SqlError(sqlstate::kGeneratedAlways, fmt::format("cannot insert a non-DEFAULT value into column \"{}\"", column.name),
               "Use OVERRIDING SYSTEM VALUE to override.");
  return WithDetail(std::move(status),
                    fmt::format("Column \"{}\" is an identity column defined as GENERATED ALWAYS.", column.name));
}

absl::Status PlanValues(const pg_query::InsertStmt& insert, const pg_query::SelectStmt& values, const Planning& planning,
                        InsertPlan* plan) {
  for (const Node& list : values.values_lists()) {
    const auto& items = list.list().items();
    if (static_cast<size_t>(items.size()) > plan->positions.size()) {
      return SqlError(sqlstate::kSyntaxError, "INSERT has more expressions than target columns");
    }
    std::vector<ExpressionRef> row;
    for (int i = 0; i < items.size(); ++i) {
      row.emplace_back();
      if (items[i].has_set_to_default()) continue;
      const Column& column = plan->table->columns[plan->positions[i]];
      RETURN_IF_ERROR(CheckGiven(insert, column));
      ASSIGN_OR_RETURN(row.back(), planning.binder->BindAssignment(items[i], column, "VALUES"));
    }
    if (!plan->rows.empty() && plan->rows.front().size() != row.size()) {
      return SqlError(sqlstate::kSyntaxError, "VALUES lists must all be the same length");
    }
    plan->rows.push_back(std::move(row));
  }
  return absl::OkStatus();
}

absl::Status PlanSource(const pg_query::InsertStmt& insert, const std::vector<std::string>& names,
                        const SystemStatement* bracket, const Planning& planning, InsertPlan* plan) {
  if (!insert.has_select_stmt()) {  // DEFAULT VALUES
    plan->rows.emplace_back();
    return absl::OkStatus();
  }
  const pg_query::SelectStmt& select = insert.select_stmt().select_stmt();
  if (select.values_lists_size() > 0) {
    if (select.sort_clause_size() > 0 || select.has_limit_count() || select.has_limit_offset()) {
      return UnsupportedError("ORDER BY or LIMIT after VALUES");
    }
    RETURN_IF_ERROR(PlanValues(insert, select, planning, plan));
    if (!names.empty() && plan->rows.front().size() < plan->positions.size()) {
      return SqlError(sqlstate::kSyntaxError, "INSERT has more target columns than expressions");
    }
    return absl::OkStatus();
  }
  // Without a list, fewer expressions than columns are allowed.
  if (names.empty() && select.target_list_size() < static_cast<int>(plan->positions.size())) {
    const auto is_star = [](const Node& target) {
      const pg_query::ColumnRef& column = target.res_target().val().column_ref();
      return column.fields_size() > 0 && column.fields(column.fields_size() - 1).has_a_star();
    };
    if (std::none_of(select.target_list().begin(), select.target_list().end(), is_star)) {
      plan->positions.resize(select.target_list_size());
    }
  }
  std::vector<const Column*> columns;
  for (const int position : plan->positions) {
    columns.push_back(&plan->table->columns[position]);
    RETURN_IF_ERROR(CheckGiven(insert, *columns.back()));
  }
  ASSIGN_OR_RETURN(SelectPlan planned, PlanSelect(select, bracket, &columns, planning));
  plan->select = std::make_unique<SelectPlan>(std::move(planned));
  return absl::OkStatus();
}

// One run of an INSERT.
class InsertRun {
 public:
  InsertRun(const InsertPlan& plan, const Execution& execution, const RowConsumer& returned)
      : plan_(plan), execution_(execution), returned_(returned), inserter_(plan.rules, execution, Mode(plan), Given(plan)) {
    if (plan.conflict) resolver_.emplace(*plan.conflict, *plan.rules, inserter_.writer(), execution);
  }

  absl::Status Values() {
    for (const std::vector<ExpressionRef>& values : plan_.rows) {
      Row row;
      RETURN_IF_ERROR(inserter_.Defaults(&row));
      for (size_t i = 0; i < values.size(); ++i) {
        const int position = plan_.positions[i];
        ASSIGN_OR_RETURN(row[position], values[i] ? Evaluate(*values[i], {}, execution_.evaluation)
                                                  : plan_.rules->Default(position, execution_.evaluation));
      }
      RETURN_IF_ERROR(Insert(row));
    }
    return absl::OkStatus();
  }

  // Rows that this statement inserts must not be found by it: of its own table, they are all read before the first is
  // written.
  absl::Status Selected() {
    const std::vector<TableRef>& read = plan_.select->tables;
    const bool holds_rows =
        std::any_of(read.begin(), read.end(), [&](const TableRef& table) { return table->id == plan_.table->id; });
    std::vector<Row> held;
    MemoryAccount memory(HeldBytes(execution_));
    RETURN_IF_ERROR(RunSelect(*plan_.select, execution_, [&](Row& selected) -> absl::Status {
      Row row;
      RETURN_IF_ERROR(inserter_.Defaults(&row));
      for (size_t i = 0; i < selected.size(); ++i) row[plan_.positions[i]] = std::move(selected[i]);
      if (!holds_rows) return Insert(row);
      RETURN_IF_ERROR(memory.Add(RowBytes(row)));
      held.push_back(std::move(row));
      return absl::OkStatus();
    }));
    for (Row& row : held) RETURN_IF_ERROR(Insert(row));
    return inserter_.Finish();
  }

  uint64_t count() const { return count_; }

 private:
  static RowInserter::Mode Mode(const InsertPlan& plan) {
    return plan.select && !plan.conflict ? RowInserter::Mode::kLoad : RowInserter::Mode::kRows;
  }

  // All rows of VALUES are of one length, perhaps shorter than the table.
  static std::span<const int> Given(const InsertPlan& plan) {
    const size_t values = plan.select ? plan.select->columns.size() : plan.rows.front().size();
    return std::span<const int>(plan.positions).first(values);
  }

  absl::Status Insert(Row& row) {
    if (resolver_) {
      ASSIGN_OR_RETURN(const ConflictResolver::Outcome outcome, resolver_->Insert(&row));
      if (outcome == ConflictResolver::Outcome::kSkipped) return absl::OkStatus();
    } else {
      RETURN_IF_ERROR(inserter_.Insert(row));
    }
    ++count_;
    if (plan_.returning.columns.empty()) return absl::OkStatus();
    row.emplace_back();  // kVersionColumn: not committed yet
    return ReturnRow(plan_.returning, row, execution_, returned_);
  }

  const InsertPlan& plan_;
  const Execution& execution_;
  const RowConsumer& returned_;
  RowInserter inserter_;
  std::optional<ConflictResolver> resolver_;
  uint64_t count_ = 0;
};

}  // namespace

RowInserter::RowInserter(TableRulesRef rules, const Execution& execution, Mode mode, std::span<const int> given)
    : rules_(std::move(rules)), execution_(execution), given_(rules_->table()->columns.size()) {
  const Table& table = *rules_->table();
  for (const int position : given) given_[position] = true;
  if (mode == Mode::kLoad && BulkWriter::CanLoad(table, execution)) {
    bulk_ = std::make_unique<BulkWriter>(table, nullptr, BulkWriter::Purpose::kLoad, execution);
  } else {
    writer_.emplace(rules_, execution);
  }
}

absl::Status RowInserter::Insert(const Row& row) {
  if (writer_) return writer_->Insert(row).status();
  RETURN_IF_ERROR(rules_->Verify(row, execution_.evaluation));
  return bulk_->AddRow(row);
}

absl::Status RowInserter::Defaults(Row* row) {
  if (fixed_) {
    *row = *fixed_;
    return absl::OkStatus();
  }
  row->assign(given_.size(), Null{});
  for (size_t i = 0; i < given_.size(); ++i) {
    if (given_[i]) continue;
    ASSIGN_OR_RETURN((*row)[i], rules_->Default(static_cast<int>(i), execution_.evaluation));
  }
  if (!rules_->volatile_defaults()) fixed_ = *row;
  return absl::OkStatus();
}

absl::StatusOr<InsertPlan> PlanInsert(const pg_query::InsertStmt& insert, const SystemStatement* bracket,
                                      const Planning& planning) {
  if (insert.override() == pg_query::OVERRIDING_USER_VALUE) return UnsupportedError("OVERRIDING USER VALUE");
  InsertPlan plan;
  ASSIGN_OR_RETURN(const std::string name, RelationName(insert.relation()));
  ASSIGN_OR_RETURN(plan.table,
                   WithLocation(planning.tables->Get(*planning.transaction, name), insert.relation().location()));
  ASSIGN_OR_RETURN(plan.rules, TableRules::Bind(plan.table));
  std::vector<std::string> names;
  for (const Node& column : insert.cols()) {
    names.push_back(column.res_target().name());
    if (!plan.table->FindColumn(names.back())) {
      return WithLocation(UndefinedColumn(*plan.table, names.back()), column.res_target().location());
    }
  }
  ASSIGN_OR_RETURN(plan.positions, NamedColumns(*plan.table, names));
  RETURN_IF_ERROR(PlanSource(insert, names, bracket, planning, &plan));
  const std::string& alias = insert.relation().alias().aliasname();
  if (insert.has_on_conflict_clause()) {
    ASSIGN_OR_RETURN(plan.conflict,
                     PlanConflict(insert.on_conflict_clause(), *plan.table, alias, plan.positions, planning));
  }
  const Scope scope = TableScope(*plan.table, alias);
  ASSIGN_OR_RETURN(plan.returning, PlanReturning(insert.returning_list(), scope, planning));
  return plan;
}

absl::StatusOr<uint64_t> RunInsert(const InsertPlan& plan, const Execution& execution, const RowConsumer& returned) {
  InsertRun run(plan, execution, returned);
  RETURN_IF_ERROR(plan.select ? run.Selected() : run.Values());
  return run.count();
}

}  // namespace anabranch
