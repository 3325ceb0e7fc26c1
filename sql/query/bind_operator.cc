// Binder: operators, logic.
#include <algorithm>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/query/bind.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

ExpressionRef MakeBoolean(ExpressionKind kind, ExpressionRef left, ExpressionRef right) {
  ExpressionRef expression = MakeExpression(kind, SqlType::kBool);
  expression->arguments.push_back(std::move(left));
  expression->arguments.push_back(std::move(right));
  return expression;
}

std::optional<CompareOperator> CompareOperatorNamed(std::string_view name) {
  if (name == "=") return CompareOperator::kEqual;
  if (name == "<>") return CompareOperator::kNotEqual;
  if (name == "<") return CompareOperator::kLess;
  if (name == "<=") return CompareOperator::kLessEqual;
  if (name == ">") return CompareOperator::kGreater;
  if (name == ">=") return CompareOperator::kGreaterEqual;
  return std::nullopt;
}

absl::Status NoOperator(std::string_view name, SqlType left, SqlType right) {
  return SqlError(sqlstate::kUndefinedFunction,
                  fmt::format("operator does not exist: {} {} {}", TypeName(left), name, TypeName(right)),
                  "No operator matches the given name and argument types. You might need to add explicit type casts.");
}

}  // namespace

absl::StatusOr<SqlType> Binder::Unify(std::vector<ExpressionRef*> expressions, std::string_view what) {
  SqlType common = SqlType::kUnknown;
  const auto mismatch = [&](SqlType type, int location) {
    if (TypeCategory(common) == TypeCategory(type)) {
      return WithLocation(SqlError(sqlstate::kCannotCoerce,
                                   fmt::format("{} could not convert type {} to {}", what == "CASE" ? "CASE/WHEN" : what,
                                               TypeName(type), TypeName(common))),
                          location);
    }
    return WithLocation(SqlError(sqlstate::kDatatypeMismatch, fmt::format("{} types {} and {} cannot be matched", what,
                                                                          TypeName(common), TypeName(type))),
                        location);
  };
  for (const ExpressionRef* expression : expressions) {
    const std::optional<SqlType> next = CommonType(common, (*expression)->type);
    if (!next) return mismatch((*expression)->type, (*expression)->location);
    common = *next;
  }
  if (common == SqlType::kUnknown) common = SqlType::kText;
  for (ExpressionRef* expression : expressions) {
    const SqlType from = (*expression)->type;
    const int location = (*expression)->location;
    if (from != SqlType::kUnknown && HoldSameValues(from, common)) continue;
    ASSIGN_OR_RETURN(*expression, Convert(std::move(*expression), common, Conversion::kImplicit));
    // A parameter's type may have been settled by an earlier member of the same list.
    if (!*expression) return mismatch(from, location);
  }
  return common;
}

absl::StatusOr<ExpressionRef> Binder::Compare(CompareOperator compare, ExpressionRef left, ExpressionRef right) {
  static constexpr std::string_view kNames[] = {"=", "<>", "<", "<=", ">", ">=", "=", "="};
  const SqlType types[] = {left->type, right->type};
  const std::optional<SqlType> common = ComparisonType(types[0], types[1]);
  for (ExpressionRef* side : {&left, &right}) {
    if (!common) break;
    if ((*side)->type != SqlType::kUnknown && HoldSameValues((*side)->type, *common)) continue;
    ASSIGN_OR_RETURN(*side, Convert(std::move(*side), *common, Conversion::kExplicit));
  }
  if (!common || !left || !right) return NoOperator(kNames[static_cast<int>(compare)], types[0], types[1]);
  ExpressionRef expression = MakeBoolean(ExpressionKind::kCompare, std::move(left), std::move(right));
  expression->compare = compare;
  return expression;
}

absl::StatusOr<ExpressionRef> Binder::BindOperator(const pg_query::A_Expr& node) {
  const std::string& name = StringOf(node.name(node.name_size() - 1));
  switch (node.kind()) {
    case pg_query::AEXPR_IN:
      return BindIn(node);
    case pg_query::AEXPR_BETWEEN:
    case pg_query::AEXPR_NOT_BETWEEN:
    case pg_query::AEXPR_BETWEEN_SYM:
    case pg_query::AEXPR_NOT_BETWEEN_SYM:
      return BindBetween(node);
    case pg_query::AEXPR_OP_ANY:
    case pg_query::AEXPR_OP_ALL:
      return BindItems(node);
    case pg_query::AEXPR_NULLIF:
      return BindNullIf(node);
    case pg_query::AEXPR_SIMILAR:
      return UnsupportedError("SIMILAR TO");
    default:
      break;
  }
  if (node.rexpr().has_list() || node.lexpr().has_list()) return UnsupportedError("a row comparison");
  if (node.rexpr().has_row_expr() && node.lexpr().has_row_expr()) return BindRowComparison(node);
  if (!node.has_lexpr()) {
    std::vector<ExpressionRef> arguments(1);
    ASSIGN_OR_RETURN(arguments[0], Bind(node.rexpr()));
    return BindCall(name, std::move(arguments), true);
  }
  ASSIGN_OR_RETURN(ExpressionRef left, Bind(node.lexpr()));
  ASSIGN_OR_RETURN(ExpressionRef right, Bind(node.rexpr()));
  if (node.kind() == pg_query::AEXPR_DISTINCT)
    return Compare(CompareOperator::kDistinct, std::move(left), std::move(right));
  if (node.kind() == pg_query::AEXPR_NOT_DISTINCT) {
    return Compare(CompareOperator::kNotDistinct, std::move(left), std::move(right));
  }
  return BindBinary(name, std::move(left), std::move(right));
}

absl::StatusOr<ExpressionRef> Binder::BindBinary(const std::string& name, ExpressionRef left, ExpressionRef right) {
  if (const auto compare = CompareOperatorNamed(name)) return Compare(*compare, std::move(left), std::move(right));
  if (name == "||") return BindConcatenation(std::move(left), std::move(right));
  std::vector<ExpressionRef> arguments;
  arguments.push_back(std::move(left));
  arguments.push_back(std::move(right));
  return BindCall(name, std::move(arguments), true);
}

// Two arrays, or one and an item; what is of unknown type beside an array is one too.
absl::StatusOr<ExpressionRef> Binder::ConcatenateArrays(ExpressionRef left, ExpressionRef right) {
  const SqlType types[] = {left->type, right->type};
  const bool items[] = {types[0] != SqlType::kUnknown && !IsArray(types[0]),
                        types[1] != SqlType::kUnknown && !IsArray(types[1])};
  const SqlType array = IsArray(types[0]) ? types[0] : types[1];
  std::vector<ExpressionRef> arguments;
  for (ExpressionRef* side : {&left, &right}) {
    const SqlType to = items[arguments.size()] ? ElementType(array) : array;
    ASSIGN_OR_RETURN(arguments.emplace_back(), Convert(std::move(*side), to, Conversion::kImplicit));
    if (!arguments.back()) return NoOperator("||", types[0], types[1]);
  }
  return BindCall(items[0] ? "array_prepend" : items[1] ? "array_append" : "array_cat", std::move(arguments), false);
}

// One side is text, the other anything; or they are arrays.
absl::StatusOr<ExpressionRef> Binder::BindConcatenation(ExpressionRef left, ExpressionRef right) {
  const SqlType types[] = {left->type, right->type};
  const auto is_text = [](SqlType type) { return type == SqlType::kUnknown || TypeCategory(type) == 'S'; };
  if (IsArray(types[0]) || IsArray(types[1])) return ConcatenateArrays(std::move(left), std::move(right));
  for (const SqlType type : types) {
    if (type == SqlType::kJsonb) return UnsupportedError(fmt::format("operator || of {}", TypeName(type)));
  }
  const auto fits_bytes = [](SqlType type) { return type == SqlType::kUnknown || type == SqlType::kBytea; };
  const bool bytes = types[0] != types[1] ? fits_bytes(types[0]) && fits_bytes(types[1]) : types[0] == SqlType::kBytea;
  if (!bytes && !is_text(types[0]) && !is_text(types[1])) return NoOperator("||", types[0], types[1]);
  const SqlType to = bytes ? SqlType::kBytea : SqlType::kText;
  std::vector<ExpressionRef> arguments;
  for (ExpressionRef* side : {&left, &right}) {
    ASSIGN_OR_RETURN(*side, Convert(std::move(*side), to, Conversion::kExplicit));
    arguments.push_back(std::move(*side));
  }
  return BindCall("||", std::move(arguments), true);
}

absl::StatusOr<ExpressionRef> Binder::BindIn(const pg_query::A_Expr& node) {
  if (!node.rexpr().has_list()) return UnsupportedError("IN with anything but a list");
  if (node.lexpr().has_row_expr()) return BindRowIn(node);
  ExpressionRef in = MakeExpression(ExpressionKind::kIn, SqlType::kBool);
  in->negated = StringOf(node.name(0)) == "<>";
  ASSIGN_OR_RETURN(ExpressionRef value, Bind(node.lexpr()));
  in->arguments.push_back(std::move(value));
  for (const Node& item : node.rexpr().list().items()) {
    ASSIGN_OR_RETURN(ExpressionRef candidate, Bind(item));
    in->arguments.push_back(std::move(candidate));
  }
  RETURN_IF_ERROR(MatchTypes(in->negated ? "<>" : "=", &in->arguments));
  return in;
}

// Of a value and what it is compared with.
absl::Status Binder::MatchTypes(std::string_view name, std::vector<ExpressionRef>* arguments) {
  SqlType common = SqlType::kUnknown;
  for (const ExpressionRef& argument : *arguments) {
    if (argument->type == SqlType::kUnknown) continue;
    const std::optional<SqlType> next = ComparisonType(common, argument->type);
    if (!next) return NoOperator(name, common, argument->type);
    common = *next;
  }
  if (common == SqlType::kUnknown) common = SqlType::kText;
  for (ExpressionRef& argument : *arguments) {
    const SqlType from = argument->type;
    if (from != SqlType::kUnknown && HoldSameValues(from, common)) continue;
    ASSIGN_OR_RETURN(argument, Convert(std::move(argument), common, Conversion::kExplicit));
    if (!argument) return NoOperator(name, common, from);
  }
  return absl::OkStatus();
}

absl::StatusOr<ExpressionRef> Binder::BindItems(const pg_query::A_Expr& node) {
  const bool any = node.kind() == pg_query::AEXPR_OP_ANY;
  const std::string& name = StringOf(node.name(node.name_size() - 1));
  const auto compare = CompareOperatorNamed(name);
  if (!compare) return UnsupportedError(fmt::format("{} {}", name, any ? "ANY" : "ALL"));
  ASSIGN_OR_RETURN(ExpressionRef value, Bind(node.lexpr()));
  ASSIGN_OR_RETURN(ExpressionRef array, Bind(node.rexpr()));
  if (value->type == SqlType::kUnknown && array->type == SqlType::kUnknown) {
    ASSIGN_OR_RETURN(value, Convert(std::move(value), SqlType::kText, Conversion::kImplicit));
  }
  if (array->type == SqlType::kUnknown) {
    const SqlType element = ComparisonType(value->type, SqlType::kUnknown).value_or(value->type);
    const SqlType type = ArrayTypeOf(element);
    if (type == SqlType::kUnknown) return UnsupportedError(fmt::format("an array of {}", TypeName(element)));
    ASSIGN_OR_RETURN(array, Convert(std::move(array), type, Conversion::kImplicit));
  }
  if (!IsArray(array->type)) {
    return SqlError(sqlstate::kWrongObjectType, fmt::format("op ANY/ALL (array) requires array on right side"));
  }
  // `= ANY (ARRAY[...])` is IN, which can be looked up by key.
  if (any && *compare == CompareOperator::kEqual && array->kind == ExpressionKind::kArray) {
    ExpressionRef in = MakeExpression(ExpressionKind::kIn, SqlType::kBool);
    in->arguments.push_back(std::move(value));
    for (ExpressionRef& item : array->arguments) in->arguments.push_back(std::move(item));
    RETURN_IF_ERROR(MatchTypes(name, &in->arguments));
    return in;
  }
  const SqlType element = ElementType(array->type);
  const SqlType from = value->type;
  const std::optional<SqlType> common = ComparisonType(from, element);
  if (!common) return NoOperator(name, from, element);
  if (from == SqlType::kUnknown || !HoldSameValues(from, *common)) {
    ASSIGN_OR_RETURN(value, Convert(std::move(value), *common, Conversion::kExplicit));
  }
  if (!HoldSameValues(element, *common)) {
    const SqlType type = ArrayTypeOf(*common);
    if (type == SqlType::kUnknown) return NoOperator(name, from, element);
    ASSIGN_OR_RETURN(array, Convert(std::move(array), type, Conversion::kExplicit));
  }
  if (!value || !array) return NoOperator(name, from, element);
  ExpressionRef items =
      MakeBoolean(any ? ExpressionKind::kAnyItem : ExpressionKind::kAllItems, std::move(value), std::move(array));
  items->compare = *compare;
  return items;
}

// CASE WHEN a = b THEN NULL ELSE a END, of the type of the left side of the operator that PostgreSQL compares them by.
absl::StatusOr<ExpressionRef> Binder::BindNullIf(const pg_query::A_Expr& node) {
  ASSIGN_OR_RETURN(ExpressionRef left, Bind(node.lexpr()));
  ASSIGN_OR_RETURN(ExpressionRef right, Bind(node.rexpr()));
  const std::optional<SqlType> type = EqualityLeftType(left->type, right->type);
  ASSIGN_OR_RETURN(ExpressionRef equal, Compare(CompareOperator::kEqual, std::move(left), std::move(right)));
  ASSIGN_OR_RETURN(ExpressionRef value, Bind(node.lexpr()));
  ASSIGN_OR_RETURN(value, Convert(std::move(value), *type, Conversion::kImplicit));
  ExpressionRef expression = MakeExpression(ExpressionKind::kCase, *type);
  expression->arguments.push_back(std::move(equal));
  expression->arguments.push_back(MakeConstant(*type, Null{}));
  expression->arguments.push_back(std::move(value));
  return expression;
}

absl::StatusOr<ExpressionRef> Binder::BindBetween(const pg_query::A_Expr& node) {
  const bool negated = node.kind() == pg_query::AEXPR_NOT_BETWEEN || node.kind() == pg_query::AEXPR_NOT_BETWEEN_SYM;
  const bool symmetric = node.kind() == pg_query::AEXPR_BETWEEN_SYM || node.kind() == pg_query::AEXPR_NOT_BETWEEN_SYM;
  const auto between = [&](int low, int high) -> absl::StatusOr<ExpressionRef> {
    ExpressionRef bounds[2];
    for (const bool lower : {true, false}) {
      ASSIGN_OR_RETURN(ExpressionRef value, Bind(node.lexpr()));
      ASSIGN_OR_RETURN(ExpressionRef bound, Bind(node.rexpr().list().items(lower ? low : high)));
      const CompareOperator inside = lower ? CompareOperator::kGreaterEqual : CompareOperator::kLessEqual;
      const CompareOperator outside = lower ? CompareOperator::kLess : CompareOperator::kGreater;
      ASSIGN_OR_RETURN(bounds[lower ? 0 : 1], Compare(negated ? outside : inside, std::move(value), std::move(bound)));
    }
    return MakeBoolean(negated ? ExpressionKind::kOr : ExpressionKind::kAnd, std::move(bounds[0]), std::move(bounds[1]));
  };
  ASSIGN_OR_RETURN(ExpressionRef straight, between(0, 1));
  if (!symmetric) return straight;
  ASSIGN_OR_RETURN(ExpressionRef swapped, between(1, 0));
  return MakeBoolean(negated ? ExpressionKind::kAnd : ExpressionKind::kOr, std::move(straight), std::move(swapped));
}

// (a, b) < (c, d) as CASE WHEN a = c THEN b < d ELSE a < c END, which looks no further than it must; = and <> column by
// column.
absl::StatusOr<ExpressionRef> Binder::CompareRows(CompareOperator compare, const pg_query::RowExpr& left,
                                                  const pg_query::RowExpr& right, int first) {
  if (left.args_size() != right.args_size() || left.args_size() == 0) {
    return SqlError(sqlstate::kSyntaxError, "unequal number of entries in row expressions");
  }
  const auto item = [&](CompareOperator op) -> absl::StatusOr<ExpressionRef> {
    ASSIGN_OR_RETURN(ExpressionRef a, Bind(left.args(first)));
    ASSIGN_OR_RETURN(ExpressionRef b, Bind(right.args(first)));
    return Compare(op, std::move(a), std::move(b));
  };
  if (first == left.args_size() - 1) return item(compare);
  ASSIGN_OR_RETURN(ExpressionRef rest, CompareRows(compare, left, right, first + 1));
  const bool equality = compare == CompareOperator::kEqual || compare == CompareOperator::kNotEqual;
  if (equality) {
    ASSIGN_OR_RETURN(ExpressionRef here, item(compare));
    return MakeBoolean(compare == CompareOperator::kEqual ? ExpressionKind::kAnd : ExpressionKind::kOr, std::move(here),
                       std::move(rest));
  }
  const bool less = compare == CompareOperator::kLess || compare == CompareOperator::kLessEqual;
  ASSIGN_OR_RETURN(ExpressionRef strict, item(less ? CompareOperator::kLess : CompareOperator::kGreater));
  ASSIGN_OR_RETURN(ExpressionRef equal, item(CompareOperator::kEqual));
  ExpressionRef expression = MakeBoolean(ExpressionKind::kCase, std::move(equal), std::move(rest));
  expression->arguments.push_back(std::move(strict));
  return expression;
}

absl::StatusOr<ExpressionRef> Binder::BindRowComparison(const pg_query::A_Expr& node) {
  const auto compare = CompareOperatorNamed(StringOf(node.name(node.name_size() - 1)));
  if (!compare || node.kind() != pg_query::AEXPR_OP) return UnsupportedError("this comparison of rows");
  return CompareRows(*compare, node.lexpr().row_expr(), node.rexpr().row_expr(), 0);
}

absl::StatusOr<ExpressionRef> Binder::BindRowIn(const pg_query::A_Expr& node) {
  const bool negated = StringOf(node.name(0)) == "<>";
  ExpressionRef in = MakeExpression(negated ? ExpressionKind::kAnd : ExpressionKind::kOr, SqlType::kBool);
  for (const Node& item : node.rexpr().list().items()) {
    if (!item.has_row_expr()) return UnsupportedError("IN of a row with anything but rows");
    ASSIGN_OR_RETURN(ExpressionRef match, CompareRows(negated ? CompareOperator::kNotEqual : CompareOperator::kEqual,
                                                      node.lexpr().row_expr(), item.row_expr(), 0));
    in->arguments.push_back(std::move(match));
  }
  return in;
}

absl::StatusOr<ExpressionRef> Binder::BindLogic(const pg_query::BoolExpr& node) {
  const bool is_not = node.boolop() == pg_query::NOT_EXPR;
  const bool is_and = node.boolop() == pg_query::AND_EXPR;
  ExpressionRef logic = MakeExpression(is_not   ? ExpressionKind::kNot
                                       : is_and ? ExpressionKind::kAnd
                                                : ExpressionKind::kOr,
                                       SqlType::kBool);
  for (const Node& argument : node.args()) {
    ASSIGN_OR_RETURN(ExpressionRef bound, BindClause(argument, SqlType::kBool,
                                                     is_not   ? "NOT"
                                                     : is_and ? "AND"
                                                              : "OR",
                                                     true));
    logic->arguments.push_back(std::move(bound));
  }
  return logic;
}

absl::StatusOr<ExpressionRef> Binder::BindArray(const pg_query::A_ArrayExpr& node) {
  ExpressionRef array = MakeExpression(ExpressionKind::kArray, SqlType::kUnknown);
  for (const Node& item : node.elements()) {
    if (item.has_a_array_expr()) return UnsupportedError("an array of more than one dimension");
    ASSIGN_OR_RETURN(ExpressionRef value, Bind(item));
    array->arguments.push_back(std::move(value));
  }
  if (array->arguments.empty()) {
    return SqlError(sqlstate::kIndeterminateDatatype, "cannot determine type of empty array",
                    "Explicitly cast to the desired type, for example ARRAY[]::integer[].");
  }
  std::vector<ExpressionRef*> all;
  for (ExpressionRef& argument : array->arguments) all.push_back(&argument);
  ASSIGN_OR_RETURN(const SqlType element, Unify(std::move(all), "ARRAY"));
  array->type = ArrayTypeOf(element);
  if (array->type == SqlType::kUnknown) return UnsupportedError(fmt::format("an array of {}", TypeName(element)));
  return array;
}

absl::StatusOr<ExpressionRef> Binder::BindMinMax(const pg_query::MinMaxExpr& node) {
  const bool greatest = node.op() == pg_query::IS_GREATEST;
  ExpressionRef expression =
      MakeExpression(greatest ? ExpressionKind::kGreatest : ExpressionKind::kLeast, SqlType::kUnknown);
  for (const Node& argument : node.args()) {
    ASSIGN_OR_RETURN(ExpressionRef bound, Bind(argument));
    expression->arguments.push_back(std::move(bound));
  }
  std::vector<ExpressionRef*> all;
  for (ExpressionRef& argument : expression->arguments) all.push_back(&argument);
  ASSIGN_OR_RETURN(expression->type, Unify(std::move(all), greatest ? "GREATEST" : "LEAST"));
  return expression;
}

}  // namespace anabranch
