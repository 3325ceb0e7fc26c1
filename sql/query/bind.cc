#include "sql/query/bind.h"

#include <algorithm>

#include "base/status.h"
#include "sql/expression/aggregate.h"
#include "sql/parse/tree.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

ExpressionRef MakeTest(ExpressionKind kind, ExpressionRef argument) {
  ExpressionRef expression = MakeExpression(kind, SqlType::kBool);
  expression->arguments.push_back(std::move(argument));
  return expression;
}

// Where the expression, or what it begins with, begins.
int BeginOf(const Expression& expression) {
  if (expression.location >= 0 || expression.arguments.empty()) return expression.location;
  return BeginOf(*expression.arguments.front());
}

}  // namespace

const Expression* FindAggregateIn(const Expression& expression) {
  if (expression.kind == ExpressionKind::kAggregate) return &expression;
  for (const ExpressionRef& argument : expression.arguments) {
    if (const Expression* const found = FindAggregateIn(*argument)) return found;
  }
  return nullptr;
}

absl::Status RefuseAggregates(const Expression& expression, std::string_view what) {
  const Expression* const aggregate = FindAggregateIn(expression);
  if (aggregate == nullptr) return absl::OkStatus();
  return WithLocation(SqlError(sqlstate::kGroupingError, fmt::format("aggregate functions are not allowed in {}", what)),
                      aggregate->location);
}

absl::StatusOr<ExpressionRef> Binder::Bind(const Node& node) {
  absl::StatusOr<ExpressionRef> bound = BindNode(node);
  const int location = LocationOf(node);
  if (!bound.ok()) return WithLocation(std::move(bound), location);
  // An operator is behind its left side, a cast with :: behind its argument.
  const int begin = BeginOf(**bound);
  (*bound)->location = begin < 0 || (location >= 0 && location < begin) ? location : begin;
  return bound;
}

absl::StatusOr<ExpressionRef> Binder::BindNode(const Node& node) {
  switch (node.node_case()) {
    case Node::kColumnRef:
      return BindColumn(node.column_ref());
    case Node::kAConst:
      return BindConstant(node.a_const());
    case Node::kParamRef:
      return BindParameter(node.param_ref());
    case Node::kAExpr:
      return BindOperator(node.a_expr());
    case Node::kBoolExpr:
      return BindLogic(node.bool_expr());
    case Node::kNullTest: {
      ASSIGN_OR_RETURN(ExpressionRef argument, BindKnown(node.null_test().arg()));
      ExpressionRef test = MakeTest(ExpressionKind::kIsNull, std::move(argument));
      test->negated = node.null_test().nulltesttype() == pg_query::IS_NOT_NULL;
      return test;
    }
    case Node::kBooleanTest: {
      const pg_query::BoolTestType type = node.boolean_test().booltesttype();
      ASSIGN_OR_RETURN(ExpressionRef argument, BindClause(node.boolean_test().arg(), SqlType::kBool, "IS TRUE", true));
      ExpressionRef test = MakeTest(ExpressionKind::kBooleanTest, std::move(argument));
      test->truth = type == pg_query::IS_TRUE || type == pg_query::IS_NOT_TRUE     ? TruthValue::kTrue
                    : type == pg_query::IS_FALSE || type == pg_query::IS_NOT_FALSE ? TruthValue::kFalse
                                                                                   : TruthValue::kUnknown;
      test->negated = type == pg_query::IS_NOT_TRUE || type == pg_query::IS_NOT_FALSE || type == pg_query::IS_NOT_UNKNOWN;
      return test;
    }
    case Node::kFuncCall:
      return BindFunction(node.func_call());
    case Node::kTypeCast:
      return BindCast(node.type_cast());
    case Node::kCaseExpr:
      return BindCase(node.case_expr());
    case Node::kCoalesceExpr:
      return BindCoalesce(node.coalesce_expr());
    case Node::kSqlvalueFunction:
      return BindSqlValue(node.sqlvalue_function());
    case Node::kSubLink:
      return BindSubquery(node.sub_link());
    case Node::kAIndirection:
      return BindIndirection(node.a_indirection());
    case Node::kAArrayExpr:
      return BindArray(node.a_array_expr());
    case Node::kMinMaxExpr:
      return BindMinMax(node.min_max_expr());
    case Node::kCollateClause:
      return BindCollate(node.collate_clause());
    case Node::kSetToDefault:
      return SqlError(sqlstate::kSyntaxError, "DEFAULT is not allowed in this context");
    case Node::kRowExpr:
      return UnsupportedError("a row constructor");
    default:
      return UnsupportedError("this kind of expression");
  }
}

absl::StatusOr<ExpressionRef> Binder::BindKnown(const Node& node) {
  ASSIGN_OR_RETURN(ExpressionRef expression, Bind(node));
  if (expression->type != SqlType::kUnknown) return expression;
  return Convert(std::move(expression), SqlType::kText, Conversion::kImplicit);
}

absl::StatusOr<ExpressionRef> Binder::BindClause(const Node& node, SqlType type, std::string_view what,
                                                 bool aggregates_allowed) {
  ASSIGN_OR_RETURN(ExpressionRef expression, Bind(node));
  if (!aggregates_allowed) RETURN_IF_ERROR(RefuseAggregates(*expression, what));
  const SqlType from = expression->type;
  const int location = expression->location;
  // LIMIT and OFFSET take any number.
  const Conversion conversion = type == SqlType::kInt8 ? Conversion::kAssignment : Conversion::kImplicit;
  ASSIGN_OR_RETURN(expression, Convert(std::move(expression), type, conversion));
  if (expression) return expression;
  return WithLocation(SqlError(sqlstate::kDatatypeMismatch, fmt::format("argument of {} must be type {}, not type {}", what,
                                                                        TypeName(type), TypeName(from))),
                      location);
}

absl::StatusOr<ExpressionRef> Binder::BindClause(const Node& node, std::string_view what) {
  ASSIGN_OR_RETURN(ExpressionRef expression, BindKnown(node));
  RETURN_IF_ERROR(RefuseAggregates(*expression, what));
  return expression;
}

absl::StatusOr<ExpressionRef> Binder::BindAssignment(const Node& node, const Column& column, std::string_view what) {
  ASSIGN_OR_RETURN(ExpressionRef expression, Bind(node));
  RETURN_IF_ERROR(RefuseAggregates(*expression, what));
  return Assign(std::move(expression), column);
}

std::vector<SqlType> Binder::parameter_types() const {
  std::vector<SqlType> types = parameters_;
  std::replace(types.begin(), types.end(), SqlType::kUnknown, SqlType::kText);
  return types;
}

ExpressionRef Binder::UseColumn(const ScopeColumn& column) {
  const auto note = [this](const Expression& expression, const auto& self) -> void {
    if (expression.kind == ExpressionKind::kColumn) {
      std::vector<bool>& used = level_->used;
      if (used.size() <= static_cast<size_t>(expression.index)) used.resize(expression.index + 1);
      used[expression.index] = true;
    }
    for (const ExpressionRef& argument : expression.arguments) self(*argument, self);
  };
  ExpressionRef expression = column.value ? Clone(*column.value) : MakeColumn(column.type, column.slot, column.name);
  if (!column.value) expression->modifier = column.modifier;
  note(*expression, note);
  return expression;
}

absl::StatusOr<ExpressionRef> Binder::ResolveColumn(QueryLevel* level, const std::string* relation,
                                                    const std::string& name) {
  if (level == nullptr) return ExpressionRef();
  const ScopeColumn* found = nullptr;
  bool has_relation = false;
  for (size_t i = 0; level->scope != nullptr && i < level->scope->columns.size(); ++i) {
    const ScopeColumn& column = level->scope->columns[i];
    if (relation != nullptr ? column.relation != *relation : column.merged) continue;
    has_relation = true;
    if (column.name != name) continue;
    // A column of that name comes before a hidden one.
    if (found != nullptr && column.hidden) continue;
    if (found != nullptr && !found->hidden) {
      return SqlError(sqlstate::kAmbiguousColumn, fmt::format("column reference \"{}\" is ambiguous", name));
    }
    found = &column;
  }
  if (found != nullptr) {
    QueryLevel* const present = std::exchange(level_, level);
    ExpressionRef expression = UseColumn(*found);
    level_ = present;
    return expression;
  }
  if (relation != nullptr && has_relation) {
    return SqlError(sqlstate::kUndefinedColumn, fmt::format("column {}.{} does not exist", *relation, name));
  }
  ASSIGN_OR_RETURN(ExpressionRef above, ResolveColumn(level->outer, relation, name));
  if (!above) return above;
  std::vector<ExpressionRef>& captures = level->captures;
  size_t i = 0;
  while (i < captures.size() && !(*captures[i] == *above)) ++i;
  ExpressionRef expression = MakeExpression(ExpressionKind::kOuterColumn, above->type);
  expression->index = static_cast<int>(i);
  expression->name = above->name;
  expression->modifier = ModifierOf(*above);
  if (i == captures.size()) captures.push_back(std::move(above));
  return expression;
}

absl::StatusOr<ExpressionRef> Binder::BindColumn(const pg_query::ColumnRef& column) {
  const int fields = column.fields_size();
  if (fields > 3) return UnsupportedError("a column reference with a database");
  const Node& last = column.fields(fields - 1);
  if (last.has_a_star()) return SqlError(sqlstate::kSyntaxError, "* is not allowed in this context");
  const std::string& name = StringOf(last);
  const std::string* relation = fields > 1 ? &StringOf(column.fields(fields - 2)) : nullptr;
  ASSIGN_OR_RETURN(ExpressionRef found, ResolveColumn(level_, relation, name));
  if (found) return found;
  if (relation != nullptr) {
    return SqlError(sqlstate::kUndefinedTable, fmt::format("missing FROM-clause entry for table \"{}\"", *relation));
  }
  return SqlError(sqlstate::kUndefinedColumn, fmt::format("column \"{}\" does not exist", name));
}

absl::StatusOr<ExpressionRef> Binder::BindConstant(const pg_query::A_Const& constant) {
  if (constant.isnull()) return MakeConstant(SqlType::kUnknown, Null{});
  switch (constant.val_case()) {
    case pg_query::A_Const::kIval:
      return MakeConstant(SqlType::kInt4, int64_t{constant.ival().ival()});
    case pg_query::A_Const::kBoolval:
      return MakeConstant(SqlType::kBool, constant.boolval().boolval());
    case pg_query::A_Const::kSval:
      return MakeConstant(SqlType::kUnknown, constant.sval().sval());
    case pg_query::A_Const::kFval: {
      // An integer too large for the grammar's, else a decimal.
      const std::string& text = constant.fval().fval();
      if (absl::StatusOr<Datum> integer = FromText(SqlType::kInt8, text); integer.ok()) {
        const int64_t value = std::get<int64_t>(*integer);
        return MakeConstant(value == static_cast<int32_t>(value) ? SqlType::kInt4 : SqlType::kInt8, value);
      }
      ASSIGN_OR_RETURN(Numeric value, ParseNumeric(text));
      return MakeConstant(SqlType::kNumeric, std::move(value));
    }
    default:
      return UnsupportedError("this kind of constant");
  }
}

absl::StatusOr<ExpressionRef> Binder::BindParameter(const pg_query::ParamRef& parameter) {
  const bool given = static_cast<size_t>(parameter.number()) <= parameters_.size();
  const bool allowed = given || new_parameters_ == NewParameters::kAllowed;
  if (parameter.number() < 1 || parameter.number() > kParametersMax || !allowed) {
    return SqlError(sqlstate::kUndefinedParameter, fmt::format("there is no parameter ${}", parameter.number()));
  }
  if (!given) parameters_.resize(parameter.number(), SqlType::kUnknown);
  const int index = parameter.number() - 1;
  ExpressionRef expression = MakeExpression(ExpressionKind::kParameter, parameters_[index]);
  expression->index = index;
  return expression;
}

absl::StatusOr<ExpressionRef> Binder::BindCast(const pg_query::TypeCast& node) {
  ASSIGN_OR_RETURN(const ColumnType to, ResolveType(node.type_name()));
  ASSIGN_OR_RETURN(ExpressionRef expression, Bind(node.arg()));
  const SqlType from = expression->type;
  ASSIGN_OR_RETURN(expression, Convert(std::move(expression), to, Conversion::kExplicit));
  if (!expression) {
    return SqlError(sqlstate::kCannotCoerce, fmt::format("cannot cast type {} to {}", TypeName(from), TypeName(to.type)));
  }
  return expression;
}

absl::StatusOr<ExpressionRef> Binder::BindCase(const pg_query::CaseExpr& node) {
  const WithoutSets none_within(level_);
  ExpressionRef expression = MakeExpression(ExpressionKind::kCase, SqlType::kUnknown);
  std::vector<ExpressionRef> results;
  for (const Node& branch : node.args()) {
    const pg_query::CaseWhen& when = branch.case_when();
    ExpressionRef condition;
    if (node.has_arg()) {
      ASSIGN_OR_RETURN(ExpressionRef value, Bind(node.arg()));
      ASSIGN_OR_RETURN(ExpressionRef candidate, Bind(when.expr()));
      ASSIGN_OR_RETURN(condition, Compare(CompareOperator::kEqual, std::move(value), std::move(candidate)));
    } else {
      ASSIGN_OR_RETURN(condition, BindClause(when.expr(), SqlType::kBool, "CASE/WHEN", true));
    }
    expression->arguments.push_back(std::move(condition));
    ASSIGN_OR_RETURN(ExpressionRef result, Bind(when.result()));
    results.push_back(std::move(result));
  }
  if (node.has_defresult()) {
    ASSIGN_OR_RETURN(ExpressionRef otherwise, Bind(node.defresult()));
    results.push_back(std::move(otherwise));
  }
  // PostgreSQL looks at ELSE first.
  std::vector<ExpressionRef*> all;
  if (node.has_defresult()) all.push_back(&results.back());
  for (ExpressionRef& result : results) {
    if (all.empty() || &result != all.front()) all.push_back(&result);
  }
  ASSIGN_OR_RETURN(expression->type, Unify(std::move(all), "CASE"));
  std::vector<ExpressionRef> conditions = std::move(expression->arguments);
  expression->arguments.clear();
  for (size_t i = 0; i < results.size(); ++i) {
    if (i < conditions.size()) expression->arguments.push_back(std::move(conditions[i]));
    expression->arguments.push_back(std::move(results[i]));
  }
  return expression;
}

absl::StatusOr<ExpressionRef> Binder::BindCoalesce(const pg_query::CoalesceExpr& node) {
  const WithoutSets none_within(level_);
  ExpressionRef expression = MakeExpression(ExpressionKind::kCoalesce, SqlType::kUnknown);
  for (const Node& argument : node.args()) {
    ASSIGN_OR_RETURN(ExpressionRef bound, Bind(argument));
    expression->arguments.push_back(std::move(bound));
  }
  std::vector<ExpressionRef*> all;
  for (ExpressionRef& argument : expression->arguments) all.push_back(&argument);
  ASSIGN_OR_RETURN(expression->type, Unify(std::move(all), "COALESCE"));
  return expression;
}

absl::StatusOr<ExpressionRef> Binder::BindSqlValue(const pg_query::SQLValueFunction& node) {
  switch (node.op()) {
    case pg_query::SVFOP_CURRENT_TIMESTAMP:
      return BindCall("now", {}, false);
    case pg_query::SVFOP_CURRENT_USER:
    case pg_query::SVFOP_CURRENT_ROLE:
    case pg_query::SVFOP_SESSION_USER:
    case pg_query::SVFOP_USER:
      return BindCall("current_user", {}, false);
    case pg_query::SVFOP_CURRENT_CATALOG:
      return BindCall("current_database", {}, false);
    case pg_query::SVFOP_CURRENT_SCHEMA:
      return BindCall("current_schema", {}, false);
    case pg_query::SVFOP_CURRENT_DATE:
      return BindSqlTime(SqlType::kDate, kNoModifier);
    case pg_query::SVFOP_CURRENT_TIMESTAMP_N:
      return BindSqlTime(SqlType::kTimestampTz, node.typmod());
    case pg_query::SVFOP_LOCALTIMESTAMP:
      return BindSqlTime(SqlType::kTimestamp, kNoModifier);
    case pg_query::SVFOP_LOCALTIMESTAMP_N:
      return BindSqlTime(SqlType::kTimestamp, node.typmod());
    default:
      return UnsupportedError("CURRENT_TIME and LOCALTIME");
  }
}

// The transaction's time as another type.
absl::StatusOr<ExpressionRef> Binder::BindSqlTime(SqlType type, int32_t precision) {
  ASSIGN_OR_RETURN(ExpressionRef now, BindCall("now", {}, false));
  return Convert(std::move(now), ColumnType{type, precision}, Conversion::kExplicit);
}

absl::StatusOr<ExpressionRef> Binder::BindCollate(const pg_query::CollateClause& node) {
  const std::string& name = StringOf(node.collname(node.collname_size() - 1));
  if (name != "default" && name != "C" && name != "POSIX" && name != "ucs_basic") {
    return UnsupportedError(fmt::format("collation \"{}\"", name));
  }
  return Bind(node.arg());
}

}  // namespace anabranch
