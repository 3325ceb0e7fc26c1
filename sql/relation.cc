#include "sql/relation.h"

#include "base/status.h"
#include "sql/statement.h"
#include "sql/tree.h"

namespace anabranch {
namespace {

class OneRow final : public RowSource {
 public:
  absl::StatusOr<bool> Next(Row* row) override {
    row->clear();
    return !std::exchange(done_, true);
  }

 private:
  bool done_ = false;
};

class TableRows final : public RowSource {
 public:
  TableRows(const Relation& relation, ScanPlan plan, VersionColumn version_column, const Execution& execution)
      : scan_(relation.table, std::move(plan), version_column, execution) {}
  absl::StatusOr<bool> Next(Row* row) override { return scan_.Next(row); }

 private:
  TableScan scan_;
};

class Series final : public RowSource {
 public:
  Series(int64_t start, int64_t stop, int64_t step, std::stop_token stop_token)
      : next_(start), stop_(stop), step_(step), stop_token_(std::move(stop_token)) {}

  absl::StatusOr<bool> Next(Row* row) override {
    RETURN_IF_ERROR(CheckStop(stop_token_));
    if (step_ > 0 ? next_ > stop_ : next_ < stop_) return false;
    row->assign(1, Datum(static_cast<int64_t>(next_)));
    next_ += step_;
    return true;
  }

 private:
  __int128 next_;  // may pass the range of int8 by one step
  const __int128 stop_;
  const __int128 step_;
  const std::stop_token stop_token_;
};

class NoRows final : public RowSource {
 public:
  absl::StatusOr<bool> Next(Row*) override { return false; }
};

// The rows of a SHOW, held whole: it knows nothing of conditions and orders.
class HeldRows final : public RowSource, public ResultSink {
 public:
  absl::Status Columns(const std::vector<ColumnDescription>&) override { return absl::OkStatus(); }
  absl::Status AddRow(const Row& row) override {
    RETURN_IF_ERROR(memory_.Add(RowBytes(row)));
    rows_.push_back(row);
    return absl::OkStatus();
  }
  void Notice(std::string_view, const std::string&) override {}

  absl::StatusOr<bool> Next(Row* row) override {
    if (next_ == rows_.size()) return false;
    *row = std::move(rows_[next_++]);
    return true;
  }

 private:
  std::vector<Row> rows_;
  size_t next_ = 0;
  MemoryAccount memory_;
};

absl::StatusOr<std::unique_ptr<RowSource>> OpenSeries(const Relation& relation, const Execution& execution) {
  int64_t bounds[3] = {0, 0, 1};
  for (size_t i = 0; i < relation.series.size(); ++i) {
    ASSIGN_OR_RETURN(const Datum bound, Evaluate(*relation.series[i], {}, execution.evaluation));
    if (IsNull(bound)) return std::unique_ptr<RowSource>(std::make_unique<NoRows>());
    bounds[i] = std::get<int64_t>(bound);
  }
  if (bounds[2] == 0) return SqlError(sqlstate::kInvalidParameterValue, "step size cannot equal zero");
  return std::unique_ptr<RowSource>(std::make_unique<Series>(bounds[0], bounds[1], bounds[2], execution.stop));
}

absl::StatusOr<Relation> PlanSeries(const pg_query::RangeFunction& item, const Planning& planning) {
  if (item.functions_size() != 1) return UnsupportedError("ROWS FROM");
  // A list of the call and its column definitions.
  const pg_query::Node& call = item.functions(0).list().items(0);
  if (!call.has_func_call()) return UnsupportedError("this kind of function in FROM");
  const pg_query::FuncCall& function = call.func_call();
  const std::string& name = StringOf(function.funcname(function.funcname_size() - 1));
  if (name != "generate_series") return UnsupportedError(fmt::format("function {} in FROM", name));
  if (function.args_size() < 2 || function.args_size() > 3 || function.agg_star()) {
    return SqlError(sqlstate::kUndefinedFunction, "generate_series takes a start, a stop and perhaps a step");
  }
  Relation relation;
  relation.kind = Relation::Kind::kSeries;
  SqlType type = SqlType::kInt4;
  for (const pg_query::Node& argument : function.args()) {
    ASSIGN_OR_RETURN(ExpressionRef bound, planning.binder->Bind(argument));
    if (bound->type != SqlType::kInt4 && bound->type != SqlType::kUnknown) {
      if (bound->type != SqlType::kInt8)
        return UnsupportedError(fmt::format("generate_series of {}", TypeName(bound->type)));
      type = SqlType::kInt8;
    }
    relation.series.push_back(std::move(bound));
  }
  for (ExpressionRef& bound : relation.series) {
    if (bound->type != SqlType::kUnknown) continue;
    ASSIGN_OR_RETURN(bound, planning.binder->Convert(std::move(bound), SqlType::kInt8, Conversion::kImplicit));
    type = SqlType::kInt8;
  }
  const pg_query::Alias& alias = item.alias();
  relation.scope.relation = alias.aliasname().empty() ? name : alias.aliasname();
  if (alias.colnames_size() > 1) {
    return SqlError("42P10", fmt::format("table \"{}\" has 1 columns available but {} columns specified",
                                         relation.scope.relation, alias.colnames_size()));
  }
  const std::string column = alias.colnames_size() == 1 ? StringOf(alias.colnames(0)) : relation.scope.relation;
  relation.scope.columns.push_back({.name = column, .type = type});
  return relation;
}

absl::StatusOr<Relation> PlanBracket(const SystemStatement& statement, const pg_query::RangeVar& item,
                                     const Planning& planning) {
  if (planning.system == nullptr) return NotInSystem();
  Relation relation;
  relation.kind = Relation::Kind::kSystem;
  relation.system = planning.system;
  relation.statement = &statement;
  relation.scope.relation = item.alias().aliasname();
  for (const ColumnDescription& column : planning.system->Describe(statement)) {
    relation.scope.columns.push_back({.name = column.name, .type = column.type});
  }
  return relation;
}

}  // namespace

absl::Status NotInSystem() {
  return SqlError(sqlstate::kInsufficientPrivilege, "this statement runs in the virtual cluster \"system\" only",
                  "Connect with options=-ccluster=system.");
}

size_t RowBytes(const Row& row) {
  size_t bytes = sizeof(Row) + row.size() * sizeof(Datum);
  for (const Datum& datum : row) {
    if (const std::string* text = std::get_if<std::string>(&datum)) bytes += text->capacity();
    if (const Numeric* numeric = std::get_if<Numeric>(&datum)) bytes += numeric->unscaled.backend().size() * 8;
  }
  return bytes;
}

Scope TableScope(const Table& table, std::string_view alias) {
  Scope scope{.relation = std::string(alias.empty() ? std::string_view(table.name) : alias), .columns = {}};
  for (const Column& column : table.columns) scope.columns.push_back({.name = column.name, .type = column.type});
  scope.columns.push_back({.name = std::string(kVersionColumn), .type = SqlType::kNumeric, .hidden = true});
  return scope;
}

absl::StatusOr<Relation> PlanRelation(const pg_query::Node& item, const SystemStatement* bracket,
                                      const Planning& planning) {
  if (item.has_range_function()) return PlanSeries(item.range_function(), planning);
  if (!item.has_range_var()) return UnsupportedError("this kind of item in FROM");
  const pg_query::RangeVar& range = item.range_var();
  if (range.alias().colnames_size() > 0) return UnsupportedError("a column alias list of a table");
  if (bracket != nullptr && range.relname() == kBracketRelation) return PlanBracket(*bracket, range, planning);
  ASSIGN_OR_RETURN(const std::string name, RelationName(range));
  Relation relation;
  relation.kind = Relation::Kind::kTable;
  ASSIGN_OR_RETURN(relation.table, planning.tables->Get(*planning.transaction, name));
  relation.scope = TableScope(*relation.table, range.alias().aliasname());
  return relation;
}

absl::StatusOr<std::unique_ptr<RowSource>> OpenRelation(const Relation& relation, ScanPlan plan,
                                                        VersionColumn version_column, const Execution& execution) {
  switch (relation.kind) {
    case Relation::Kind::kOneRow:
      return std::unique_ptr<RowSource>(std::make_unique<OneRow>());
    case Relation::Kind::kTable:
      return std::unique_ptr<RowSource>(std::make_unique<TableRows>(relation, std::move(plan), version_column, execution));
    case Relation::Kind::kSeries:
      return OpenSeries(relation, execution);
    case Relation::Kind::kSystem: {
      auto rows = std::make_unique<HeldRows>();
      RETURN_IF_ERROR(relation.system->Run(*relation.statement, *rows, execution.stop).status());
      return std::unique_ptr<RowSource>(std::move(rows));
    }
  }
  return SqlError(sqlstate::kInternalError, "a relation of an unknown kind");
}

}  // namespace anabranch
