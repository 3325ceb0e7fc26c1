// Conversions that a statement asks for or that assignments and operators need.
#include "sql/query/bind.h"

#include <algorithm>
#include "base/status.h"
#include "sql/expression/aggregate.h"
#include "sql/parse/tree.h"
#include "sql/value/error_field.h"

namespace anabranch {

absl::StatusOr<ExpressionRef> Binder::Assign(ExpressionRef expression, const Column& column) {
  const SqlType from = expression->type;
  const int location = expression->location;
  ASSIGN_OR_RETURN(expression,
                   Convert(std::move(expression), ColumnType{column.type, column.modifier}, Conversion::kAssignment));
  if (!expression) {
    return WithLocation(SqlError(sqlstate::kDatatypeMismatch,
                                 fmt::format("column \"{}\" is of type {} but expression is of type {}", column.name,
                                             TypeName(column.type), TypeName(from)),
                                 "You will need to rewrite or cast the expression."),
                        location);
  }
  return expression;
}

// A function of the system catalogs for each direction: regclassin, regclassof.
absl::StatusOr<ExpressionRef> Binder::ConvertToObjectName(ExpressionRef expression, SqlType to, Conversion conversion) {
  const SqlType from = expression->type;
  const bool is_name = from == SqlType::kUnknown || TypeCategory(from) == 'S';
  ASSIGN_OR_RETURN(expression, Convert(std::move(expression), is_name ? SqlType::kText : SqlType::kOid, conversion));
  if (!expression) return expression;
  std::vector<ExpressionRef> arguments;
  arguments.push_back(std::move(expression));
  return BindCall(fmt::format("{}{}", InternalTypeName(to), is_name ? "in" : "of"), std::move(arguments), false);
}

absl::StatusOr<ExpressionRef> Binder::Convert(ExpressionRef expression, SqlType to, Conversion conversion) {
  const SqlType from = expression->type;
  if (from == to) return expression;
  if (IsObjectName(to) && (from == SqlType::kUnknown || CanConvert(from, to, conversion))) {
    return ConvertToObjectName(std::move(expression), to, conversion);
  }
  if (from == SqlType::kUnknown) {
    if (expression->kind == ExpressionKind::kParameter) {
      SqlType& known = parameters_[expression->index];
      if (known == SqlType::kUnknown) known = to;
      expression->type = known;
      return Convert(std::move(expression), to, conversion);
    }
    if (!IsNull(expression->constant)) {
      ASSIGN_OR_RETURN(expression->constant, WithLocation(FromText(to, std::get<std::string>(expression->constant), *zone_),
                                                          expression->location));
    }
    expression->type = to;
    return expression;
  }
  if (!CanConvert(from, to, conversion)) return ExpressionRef();
  if (expression->kind == ExpressionKind::kConstant && !DependsOnZone(from, to)) {
    // One that cannot be converted is an error where it is evaluated, if it is.
    absl::StatusOr<Datum> value = CastDatum(expression->constant, from, to, UtcZone());
    if (value.ok()) {
      expression->constant = *std::move(value);
      expression->type = to;
      expression->modifier = kNoModifier;
      return expression;
    }
  }
  ExpressionRef cast = MakeExpression(ExpressionKind::kCast, to);
  cast->location = expression->location;
  cast->arguments.push_back(std::move(expression));
  return cast;
}

absl::StatusOr<ExpressionRef> Binder::Convert(ExpressionRef expression, ColumnType to, Conversion conversion) {
  ASSIGN_OR_RETURN(expression, Convert(std::move(expression), to.type, conversion));
  if (!expression || to.modifier == kNoModifier) return expression;
  if (expression->kind == ExpressionKind::kConstant) {
    ASSIGN_OR_RETURN(expression->constant, FitModifier(std::move(expression->constant), to, conversion));
    expression->modifier = to.modifier;
    return expression;
  }
  ExpressionRef fitted = MakeExpression(ExpressionKind::kCast, to.type);
  fitted->modifier = to.modifier;
  fitted->conversion = conversion;
  fitted->location = expression->location;
  fitted->arguments.push_back(std::move(expression));
  return fitted;
}

}  // namespace anabranch
