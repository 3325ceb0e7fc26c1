// Binder: operators, logic, function calls.
#include <algorithm>

#include "base/status.h"
#include "sql/aggregate.h"
#include "sql/bind.h"
#include "sql/function.h"
#include "sql/tree.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;

ExpressionRef MakeBoolean(ExpressionKind kind, ExpressionRef left, ExpressionRef right) {
  ExpressionRef expression = MakeExpression(kind, SqlType::kBool);
  expression->arguments.push_back(std::move(left));
  expression->arguments.push_back(std::move(right));
  return expression;
}

bool IsTime(SqlType type) { return type == SqlType::kTimestampTz || type == SqlType::kInterval; }

std::optional<CompareOperator> CompareOperatorNamed(std::string_view name) {
  if (name == "=") return CompareOperator::kEqual;
  if (name == "<>") return CompareOperator::kNotEqual;
  if (name == "<") return CompareOperator::kLess;
  if (name == "<=") return CompareOperator::kLessEqual;
  if (name == ">") return CompareOperator::kGreater;
  if (name == ">=") return CompareOperator::kGreaterEqual;
  return std::nullopt;
}

std::string TypeList(const std::vector<ExpressionRef>& arguments, std::string_view separator) {
  std::string list;
  for (const ExpressionRef& argument : arguments) {
    if (!list.empty()) list += separator;
    list += TypeName(argument->type);
  }
  return list;
}

absl::Status NoOperator(std::string_view name, const std::vector<ExpressionRef>& arguments) {
  if (arguments.size() == 1) {
    return SqlError(sqlstate::kUndefinedFunction,
                    fmt::format("operator does not exist: {} {}", name, TypeName(arguments[0]->type)));
  }
  return SqlError(
      sqlstate::kUndefinedFunction,
      fmt::format("operator does not exist: {} {} {}", TypeName(arguments[0]->type), name, TypeName(arguments[1]->type)));
}

bool Accepts(const ScalarFunction& function, const std::vector<ExpressionRef>& arguments, bool exactly) {
  if (function.arguments.size() != arguments.size()) return false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const SqlType from = arguments[i]->type;
    if (from == SqlType::kUnknown) continue;
    if (exactly ? from != function.arguments[i] : !CanConvert(from, function.arguments[i], Conversion::kImplicit))
      return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<SqlType> Binder::Unify(std::vector<ExpressionRef*> expressions, std::string_view what) {
  SqlType common = SqlType::kUnknown;
  for (const ExpressionRef* expression : expressions) {
    const SqlType type = (*expression)->type;
    if (type == SqlType::kUnknown || type == common) continue;
    if (common == SqlType::kUnknown || CanConvert(common, type, Conversion::kImplicit)) {
      common = type;
    } else if (!CanConvert(type, common, Conversion::kImplicit)) {
      return SqlError(sqlstate::kDatatypeMismatch,
                      fmt::format("{} types {} and {} cannot be matched", what, TypeName(common), TypeName(type)));
    }
  }
  if (common == SqlType::kUnknown) common = SqlType::kText;
  for (ExpressionRef* expression : expressions) {
    // int4 and int8 are the same value.
    if (IsInteger(common) && IsInteger((*expression)->type)) continue;
    const SqlType from = (*expression)->type;
    ASSIGN_OR_RETURN(*expression, Convert(std::move(*expression), common, Conversion::kImplicit));
    // A parameter's type may have been settled by an earlier member of the same list.
    if (!*expression) {
      return SqlError(sqlstate::kDatatypeMismatch,
                      fmt::format("{} types {} and {} cannot be matched", what, TypeName(common), TypeName(from)));
    }
  }
  return common;
}

absl::StatusOr<ExpressionRef> Binder::Compare(CompareOperator compare, ExpressionRef left, ExpressionRef right) {
  static constexpr std::string_view kNames[] = {
      "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"};
  const SqlType left_type = left->type;
  const SqlType right_type = right->type;
  if (absl::Status status = Unify({&left, &right}, "comparison").status(); !status.ok()) {
    if (SqlStateOf(status) != sqlstate::kDatatypeMismatch) return status;
    return SqlError(sqlstate::kUndefinedFunction,
                    fmt::format("operator does not exist: {} {} {}", TypeName(left_type), kNames[static_cast<int>(compare)],
                                TypeName(right_type)),
                    "No operator matches the given argument types. You might need to add explicit type casts.");
  }
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
      return BindBetween(node);
    case pg_query::AEXPR_OP:
    case pg_query::AEXPR_LIKE:
    case pg_query::AEXPR_ILIKE:
    case pg_query::AEXPR_DISTINCT:
    case pg_query::AEXPR_NOT_DISTINCT:
      break;
    case pg_query::AEXPR_OP_ANY:
    case pg_query::AEXPR_OP_ALL:
      return UnsupportedError("ANY/ALL");
    case pg_query::AEXPR_NULLIF:
      return UnsupportedError("NULLIF");
    case pg_query::AEXPR_SIMILAR:
      return UnsupportedError("SIMILAR TO");
    default:
      return UnsupportedError("BETWEEN SYMMETRIC");
  }
  if (node.rexpr().has_list() || node.lexpr().has_list()) return UnsupportedError("a row comparison");
  ASSIGN_OR_RETURN(ExpressionRef right, Bind(node.rexpr()));
  if (!node.has_lexpr()) {
    std::vector<ExpressionRef> arguments;
    arguments.push_back(std::move(right));
    return BindCall(name, std::move(arguments), true);
  }
  ASSIGN_OR_RETURN(ExpressionRef left, Bind(node.lexpr()));
  if (node.kind() == pg_query::AEXPR_DISTINCT)
    return Compare(CompareOperator::kDistinct, std::move(left), std::move(right));
  if (node.kind() == pg_query::AEXPR_NOT_DISTINCT) {
    return Compare(CompareOperator::kNotDistinct, std::move(left), std::move(right));
  }
  return BindBinary(name, std::move(left), std::move(right));
}

absl::StatusOr<ExpressionRef> Binder::BindBinary(const std::string& name, ExpressionRef left, ExpressionRef right) {
  if (const auto compare = CompareOperatorNamed(name)) return Compare(*compare, std::move(left), std::move(right));
  return BindArithmetic(name, std::move(left), std::move(right));
}

absl::StatusOr<ExpressionRef> Binder::BindArithmetic(const std::string& name, ExpressionRef left, ExpressionRef right) {
  if (IsTime(left->type) || IsTime(right->type)) {
    if (name != "||") return UnsupportedError(fmt::format("operator {} on timestamps and intervals", name));
  }
  if (name == "||") {
    // One side is text, the other anything.
    for (ExpressionRef* side : {&left, &right}) {
      const SqlType other = side == &left ? right->type : left->type;
      if ((*side)->type == SqlType::kText || (other != SqlType::kText && (*side)->type != SqlType::kUnknown)) continue;
      ASSIGN_OR_RETURN(*side, Convert(std::move(*side), SqlType::kText, Conversion::kExplicit));
    }
    if (left->type == SqlType::kText && right->type != SqlType::kText) {
      ASSIGN_OR_RETURN(right, Convert(std::move(right), SqlType::kText, Conversion::kExplicit));
    } else if (right->type == SqlType::kText && left->type != SqlType::kText) {
      ASSIGN_OR_RETURN(left, Convert(std::move(left), SqlType::kText, Conversion::kExplicit));
    }
  } else if (left->type == SqlType::kUnknown && right->type != SqlType::kUnknown) {
    ASSIGN_OR_RETURN(left, Convert(std::move(left), right->type, Conversion::kImplicit));
  } else if (right->type == SqlType::kUnknown && left->type != SqlType::kUnknown) {
    ASSIGN_OR_RETURN(right, Convert(std::move(right), left->type, Conversion::kImplicit));
  }
  std::vector<ExpressionRef> arguments;
  arguments.push_back(std::move(left));
  arguments.push_back(std::move(right));
  return BindCall(name, std::move(arguments), true);
}

absl::StatusOr<ExpressionRef> Binder::BindIn(const pg_query::A_Expr& node) {
  if (!node.rexpr().has_list()) return UnsupportedError("IN with anything but a list");
  ExpressionRef in = MakeExpression(ExpressionKind::kIn, SqlType::kBool);
  in->negated = StringOf(node.name(0)) == "<>";
  ASSIGN_OR_RETURN(ExpressionRef value, Bind(node.lexpr()));
  in->arguments.push_back(std::move(value));
  for (const Node& item : node.rexpr().list().items()) {
    ASSIGN_OR_RETURN(ExpressionRef candidate, Bind(item));
    in->arguments.push_back(std::move(candidate));
  }
  std::vector<ExpressionRef*> all;
  for (ExpressionRef& argument : in->arguments) all.push_back(&argument);
  RETURN_IF_ERROR(Unify(std::move(all), "IN").status());
  return in;
}

absl::StatusOr<ExpressionRef> Binder::BindBetween(const pg_query::A_Expr& node) {
  const bool negated = node.kind() == pg_query::AEXPR_NOT_BETWEEN;
  ExpressionRef bounds[2];
  for (int i = 0; i < 2; ++i) {
    ASSIGN_OR_RETURN(ExpressionRef value, Bind(node.lexpr()));
    ASSIGN_OR_RETURN(ExpressionRef bound, Bind(node.rexpr().list().items(i)));
    const CompareOperator inside = i == 0 ? CompareOperator::kGreaterEqual : CompareOperator::kLessEqual;
    const CompareOperator outside = i == 0 ? CompareOperator::kLess : CompareOperator::kGreater;
    ASSIGN_OR_RETURN(bounds[i], Compare(negated ? outside : inside, std::move(value), std::move(bound)));
  }
  return MakeBoolean(negated ? ExpressionKind::kOr : ExpressionKind::kAnd, std::move(bounds[0]), std::move(bounds[1]));
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

absl::StatusOr<ExpressionRef> Binder::BindCall(std::string_view name, std::vector<ExpressionRef> arguments,
                                               bool is_operator) {
  const std::vector<const ScalarFunction*>& candidates = FunctionsNamed(name);
  if (is_operator && candidates.empty()) return UnsupportedError(fmt::format("operator {}", name));
  const ScalarFunction* chosen = nullptr;
  for (const bool exactly : {true, false}) {
    const auto found = std::find_if(candidates.begin(), candidates.end(),
                                    [&](const ScalarFunction* f) { return Accepts(*f, arguments, exactly); });
    if (chosen == nullptr && found != candidates.end()) chosen = *found;
  }
  if (chosen == nullptr) {
    if (is_operator) return NoOperator(name, arguments);
    return SqlError(sqlstate::kUndefinedFunction,
                    fmt::format("function {}({}) does not exist", name, TypeList(arguments, ", ")),
                    "No function matches the given name and argument types.");
  }
  ExpressionRef call = MakeExpression(ExpressionKind::kCall, chosen->result);
  call->function = chosen;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!(IsInteger(arguments[i]->type) && IsInteger(chosen->arguments[i]))) {
      ASSIGN_OR_RETURN(arguments[i], Convert(std::move(arguments[i]), chosen->arguments[i], Conversion::kImplicit));
      if (!arguments[i]) {
        return SqlError(sqlstate::kUndefinedFunction, fmt::format("argument {} of {} has the wrong type", i + 1, name));
      }
    }
    call->arguments.push_back(std::move(arguments[i]));
  }
  return call;
}

absl::StatusOr<ExpressionRef> Binder::BindFunction(const pg_query::FuncCall& node) {
  const std::string& name = StringOf(node.funcname(node.funcname_size() - 1));
  if (node.funcname_size() > 1 && StringOf(node.funcname(0)) != "pg_catalog") {
    return SqlError("3F000", fmt::format("schema \"{}\" does not exist", StringOf(node.funcname(0))));
  }
  if (const AggregateFunction* aggregate = FindAggregate(name)) return BindAggregate(*aggregate, node);
  if (name == "generate_series") return UnsupportedError("generate_series outside FROM");
  if (node.agg_star()) {
    return SqlError("42809", fmt::format("{}(*) specified, but {} is not an aggregate function", name, name));
  }
  std::vector<ExpressionRef> arguments;
  for (const Node& argument : node.args()) {
    ASSIGN_OR_RETURN(ExpressionRef bound, Bind(argument));
    arguments.push_back(std::move(bound));
  }
  return BindCall(name, std::move(arguments), false);
}

}  // namespace anabranch
