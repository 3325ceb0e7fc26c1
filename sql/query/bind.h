// From the parse tree to bound expressions: names become positions, literals and parameters get types, conversions become
// explicit.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/expression/expression.h"
#include "sql/parse/tree_types.h"
#include "sql/value/conversion.h"

namespace anabranch {

struct Planning;

inline constexpr int kParametersMax = 65535;

struct ScopeColumn {
  std::string relation;  // "t" of t.a; empty: its name alone is what it has
  std::string name;
  SqlType type = SqlType::kText;
  int32_t modifier = kNoModifier;
  int slot = 0;         // in the rows of FROM
  bool hidden = false;  // can be named, is not in *
  bool merged = false;  // USING made one column of it and another: its name alone means that one, and * has only that
  std::shared_ptr<const Expression> value = nullptr;  // of a column that USING made; null: what is in the slot
};

// What column names mean, in the order of *. No column: no FROM.
struct Scope {
  std::vector<ScopeColumn> columns;
};

// A query of WITH.
struct CommonTable;

// One query among those nested in each other, while it is being bound.
struct QueryLevel {
  QueryLevel* outer = nullptr;
  const Scope* scope = nullptr;  // null: no columns
  std::vector<bool> used = {};   // by slot: whether an expression uses it
  // What it uses of the queries around it, as expressions of the next one: its kOuterColumns are positions here.
  std::vector<ExpressionRef> captures = {};
  std::map<std::string, std::shared_ptr<CommonTable>> common_tables = {};
  bool sets_allowed = false;  // whether a set function may stand here, or a row number: the planner makes rows of them
};

// While it lives, set functions are refused where they were allowed.
class WithoutSets {
 public:
  explicit WithoutSets(QueryLevel* level) : level_(level), allowed_(std::exchange(level->sets_allowed, false)) {}
  ~WithoutSets() { level_->sets_allowed = allowed_; }
  WithoutSets(const WithoutSets&) = delete;
  WithoutSets& operator=(const WithoutSets&) = delete;

 private:
  QueryLevel* const level_;
  const bool allowed_;
};

// Whether a statement may have more parameters than the client gave types for: only where it is prepared.
enum class NewParameters { kAllowed, kRefused };

// Binds the expressions of one statement. A parameter's type is what the client said, else what the first place that needs
// one says, else text.
class Binder {
 public:
  explicit Binder(std::vector<SqlType> parameter_hints, NewParameters new_parameters = NewParameters::kRefused)
      : parameters_(std::move(parameter_hints)), new_parameters_(new_parameters) {}

  // What subqueries are planned with; not owned. Without it they are refused.
  void set_planning(const Planning* planning) { planning_ = planning; }
  const Planning* planning() const { return planning_; }

  // The zone that the literals of timestamps are read in; not owned. UTC for stored expressions, in which they say theirs.
  void set_zone(const TimeZone& zone) { zone_ = &zone; }

  void set_scope(const Scope* scope) { level_->scope = scope; }  // not owned; null: no columns
  // Between them, names are those of `level` first; its `outer` is set. Not owned.
  void Enter(QueryLevel* level) {
    level->outer = level_;
    level_ = level;
  }
  void Leave() { level_ = level_->outer; }
  QueryLevel* level() { return level_; }

  // Tables that the statement's queries read.
  void NoteTable(TableRef table) { tables_.push_back(std::move(table)); }
  const std::vector<TableRef>& tables() const { return tables_; }
  // Those of which they lock rows.
  void NoteLocked(TableRef table) { locked_.push_back(std::move(table)); }
  const std::vector<TableRef>& locked() const { return locked_; }

  // The type may still be kUnknown (a string, NULL, a parameter). Errors have a location.
  absl::StatusOr<ExpressionRef> Bind(const pg_query::Node& node);
  // As above, with unknown taken as text.
  absl::StatusOr<ExpressionRef> BindKnown(const pg_query::Node& node);
  // A condition or count of the clause `what`: of that type, and without aggregates unless they are allowed.
  absl::StatusOr<ExpressionRef> BindClause(const pg_query::Node& node, SqlType type, std::string_view what,
                                           bool aggregates_allowed = false);
  // As BindKnown, without aggregates.
  absl::StatusOr<ExpressionRef> BindClause(const pg_query::Node& node, std::string_view what);
  // The value of a column: converted as an assignment, 42804 if it cannot be.
  // `what` is the clause it is in.
  absl::StatusOr<ExpressionRef> BindAssignment(const pg_query::Node& node, const Column& column, std::string_view what);
  absl::StatusOr<ExpressionRef> Assign(ExpressionRef expression, const Column& column);

  // nullptr if there is no such conversion.
  absl::StatusOr<ExpressionRef> Convert(ExpressionRef expression, SqlType to, Conversion conversion);
  // The same, and what the modifier of the type asks for.
  absl::StatusOr<ExpressionRef> Convert(ExpressionRef expression, ColumnType to, Conversion conversion);

  // A call of a function of sql/expression/set_function.h, wherever it stands.
  absl::StatusOr<ExpressionRef> BindSet(const pg_query::FuncCall& node);

  // A call of `function` on bound arguments; 42883 if none takes them.
  absl::StatusOr<ExpressionRef> BindCall(std::string_view function, std::vector<ExpressionRef> arguments, bool is_operator);

  // The value of a column of the present scope.
  ExpressionRef UseColumn(const ScopeColumn& column);
  // left <compare> right; 42883 if the types have no such operator.
  absl::StatusOr<ExpressionRef> Compare(CompareOperator compare, ExpressionRef left, ExpressionRef right);
  // Converts all to the one type that fits them; `what` names the construct in the error.
  absl::StatusOr<SqlType> Unify(std::vector<ExpressionRef*> expressions, std::string_view what);

  // The types of all parameters seen. Final once everything is bound.
  std::vector<SqlType> parameter_types() const;

 private:
  // To a type of IsObjectName: a name is looked up, an oid gets its name, both when the statement runs.
  absl::StatusOr<ExpressionRef> ConvertToObjectName(ExpressionRef expression, SqlType to, Conversion conversion);
  absl::StatusOr<ExpressionRef> BindNode(const pg_query::Node& node);
  absl::StatusOr<ExpressionRef> BindColumn(const pg_query::ColumnRef& column);
  absl::StatusOr<ExpressionRef> BindConstant(const pg_query::A_Const& constant);
  absl::StatusOr<ExpressionRef> BindParameter(const pg_query::ParamRef& parameter);
  absl::StatusOr<ExpressionRef> BindOperator(const pg_query::A_Expr& node);
  absl::StatusOr<ExpressionRef> BindBinary(const std::string& name, ExpressionRef left, ExpressionRef right);
  absl::StatusOr<ExpressionRef> BindConcatenation(ExpressionRef left, ExpressionRef right);
  absl::StatusOr<ExpressionRef> ConcatenateArrays(ExpressionRef left, ExpressionRef right);
  absl::StatusOr<ExpressionRef> BindItems(const pg_query::A_Expr& node);
  absl::StatusOr<ExpressionRef> BindNullIf(const pg_query::A_Expr& node);
  absl::StatusOr<ExpressionRef> BindRowComparison(const pg_query::A_Expr& node);
  absl::StatusOr<ExpressionRef> BindRowIn(const pg_query::A_Expr& node);
  absl::StatusOr<ExpressionRef> CompareRows(CompareOperator compare, const pg_query::RowExpr& left,
                                            const pg_query::RowExpr& right, int first);
  absl::StatusOr<ExpressionRef> BindIn(const pg_query::A_Expr& node);
  absl::StatusOr<ExpressionRef> BindBetween(const pg_query::A_Expr& node);
  absl::StatusOr<ExpressionRef> BindLogic(const pg_query::BoolExpr& node);
  absl::StatusOr<ExpressionRef> BindFunction(const pg_query::FuncCall& node);
  absl::StatusOr<ExpressionRef> BindWindow(const pg_query::FuncCall& node);
  absl::StatusOr<std::vector<ExpressionRef>> BindArguments(const pg_query::FuncCall& node);
  absl::StatusOr<ExpressionRef> BindAggregate(const AggregateFunction& aggregate, const pg_query::FuncCall& node);
  absl::Status BindAggregateOrder(const pg_query::FuncCall& node, Expression* aggregate);
  absl::StatusOr<ExpressionRef> BindCast(const pg_query::TypeCast& node);
  absl::StatusOr<ExpressionRef> BindArray(const pg_query::A_ArrayExpr& node);
  absl::StatusOr<ExpressionRef> BindMinMax(const pg_query::MinMaxExpr& node);
  absl::StatusOr<ExpressionRef> BindCollate(const pg_query::CollateClause& node);
  absl::StatusOr<ExpressionRef> BindCase(const pg_query::CaseExpr& node);
  absl::StatusOr<ExpressionRef> BindCoalesce(const pg_query::CoalesceExpr& node);
  absl::StatusOr<ExpressionRef> BindSqlTime(SqlType type, int32_t precision);
  absl::StatusOr<ExpressionRef> BindSqlValue(const pg_query::SQLValueFunction& node);
  absl::StatusOr<ExpressionRef> MakeCall(const ScalarFunction& function, std::vector<ExpressionRef> arguments);
  // Converts all to the one type that the comparison operator `name` has for them.
  absl::Status MatchTypes(std::string_view name, std::vector<ExpressionRef>* arguments);
  absl::StatusOr<ExpressionRef> BindIndirection(const pg_query::A_Indirection& node);
  absl::StatusOr<ExpressionRef> BindField(ExpressionRef record, const std::string& name);
  // The type of the values of a set; converts the arguments.
  absl::StatusOr<SqlType> SettleSet(SetFunction function, std::vector<ExpressionRef>* arguments);
  absl::StatusOr<SqlType> SettleSeries(std::vector<ExpressionRef>* bounds);
  absl::StatusOr<SqlType> SettleTimeSeries(SqlType type, std::vector<ExpressionRef>* bounds);
  absl::StatusOr<ExpressionRef> BindSubquery(const pg_query::SubLink& node);
  // nullptr: no level from this one outwards has such a column.
  absl::StatusOr<ExpressionRef> ResolveColumn(QueryLevel* level, const std::string* relation, const std::string& name);

  QueryLevel root_;
  QueryLevel* level_ = &root_;
  const Planning* planning_ = nullptr;
  const TimeZone* zone_ = &UtcZone();
  std::vector<TableRef> tables_;
  std::vector<TableRef> locked_;
  std::vector<SqlType> parameters_;
  const NewParameters new_parameters_;
};

// What an item of ORDER BY says beside its expression; nulls come last unless it says otherwise or is descending.
SortDirection DirectionOf(const pg_query::SortBy& sort);

// The name of a result column that has no alias, as PostgreSQL chooses it.
std::string ResultName(const pg_query::Node& node);

const Expression* FindAggregateIn(const Expression& expression);  // null: there is none
// 42803 if there is one; `what` is the clause.
absl::Status RefuseAggregates(const Expression& expression, std::string_view what);

}  // namespace anabranch
