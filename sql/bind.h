// From the parse tree to bound expressions: names become positions, literals and parameters get types, conversions become
// explicit.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "pg_query/pg_query.pb.h"
#include "sql/expression.h"

namespace anabranch {

inline constexpr int kParametersMax = 65535;

struct ScopeColumn {
  std::string name;
  SqlType type = SqlType::kText;
  bool hidden = false;  // can be named, is not in *
};

// What column names mean: one relation. No column: no FROM.
struct Scope {
  std::string relation;
  std::vector<ScopeColumn> columns;
};

// Where a value goes, for conversions: what PostgreSQL does for operators and functions, for INSERT and UPDATE, for CAST.
enum class Conversion { kImplicit, kAssignment, kExplicit };

bool CanConvert(SqlType from, SqlType to, Conversion conversion);
inline bool IsInteger(SqlType type) { return type == SqlType::kInt4 || type == SqlType::kInt8; }

// Binds the expressions of one statement. A parameter's type is what the client said, else what the first place that needs
// one says, else text.
class Binder {
 public:
  explicit Binder(std::vector<SqlType> parameter_hints) : parameters_(std::move(parameter_hints)) {}

  void set_scope(const Scope* scope) { scope_ = scope; }  // not owned; null: no columns

  // The type may still be kUnknown (a string, NULL, a parameter).
  absl::StatusOr<ExpressionRef> Bind(const pg_query::Node& node);
  // As above, with unknown taken as text.
  absl::StatusOr<ExpressionRef> BindKnown(const pg_query::Node& node);
  // A condition or count of the clause `what`: of that type, and without aggregates unless they are allowed.
  absl::StatusOr<ExpressionRef> BindClause(const pg_query::Node& node, SqlType type, std::string_view what,
                                           bool aggregates_allowed = false);
  // The value of a column: converted as an assignment, 42804 if it cannot be.
  absl::StatusOr<ExpressionRef> BindAssignment(const pg_query::Node& node, const Column& column);
  absl::StatusOr<ExpressionRef> Assign(ExpressionRef expression, const Column& column);

  // nullptr if there is no such conversion.
  absl::StatusOr<ExpressionRef> Convert(ExpressionRef expression, SqlType to, Conversion conversion);

  // A call of `function` on bound arguments; 42883 if none takes them.
  absl::StatusOr<ExpressionRef> BindCall(std::string_view function, std::vector<ExpressionRef> arguments, bool is_operator);

  // The types of all parameters seen. Final once everything is bound.
  std::vector<SqlType> parameter_types() const;

 private:
  absl::StatusOr<ExpressionRef> BindColumn(const pg_query::ColumnRef& column);
  absl::StatusOr<ExpressionRef> BindConstant(const pg_query::A_Const& constant);
  absl::StatusOr<ExpressionRef> BindParameter(const pg_query::ParamRef& parameter);
  absl::StatusOr<ExpressionRef> BindOperator(const pg_query::A_Expr& node);
  absl::StatusOr<ExpressionRef> BindArithmetic(const std::string& name, ExpressionRef left, ExpressionRef right);
  absl::StatusOr<ExpressionRef> BindIn(const pg_query::A_Expr& node);
  absl::StatusOr<ExpressionRef> BindBetween(const pg_query::A_Expr& node);
  absl::StatusOr<ExpressionRef> BindLogic(const pg_query::BoolExpr& node);
  absl::StatusOr<ExpressionRef> BindFunction(const pg_query::FuncCall& node);
  absl::StatusOr<ExpressionRef> BindAggregate(const AggregateFunction& aggregate, const pg_query::FuncCall& node);
  absl::StatusOr<ExpressionRef> BindCast(const pg_query::TypeCast& node);
  absl::StatusOr<ExpressionRef> BindCase(const pg_query::CaseExpr& node);
  absl::StatusOr<ExpressionRef> BindCoalesce(const pg_query::CoalesceExpr& node);
  absl::StatusOr<ExpressionRef> BindSqlValue(const pg_query::SQLValueFunction& node);
  absl::StatusOr<ExpressionRef> Compare(CompareOperator compare, ExpressionRef left, ExpressionRef right);
  // Converts all to the one type that fits them; `what` names the construct in the error.
  absl::StatusOr<SqlType> Unify(std::vector<ExpressionRef*> expressions, std::string_view what);

  const Scope* scope_ = nullptr;
  std::vector<SqlType> parameters_;
  bool in_aggregate_ = false;
};

// The name of a result column that has no alias, as PostgreSQL chooses it.
std::string ResultName(const pg_query::Node& node);

bool ContainsAggregate(const Expression& expression);

}  // namespace anabranch
