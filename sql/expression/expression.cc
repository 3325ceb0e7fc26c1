#include "sql/expression/expression.h"

#include <algorithm>

#include "base/check.h"
#include "base/status.h"
#include "sql/value/memory.h"
#include "sql/value/settings.h"
#include "sql/value/time_zone.h"

namespace anabranch {
namespace {

absl::StatusOr<Datum> EvaluateCall(const Expression& call, const Row& row, const EvaluationContext& context) {
  Datum arguments[kArgumentsMax];
  for (size_t i = 0; i < call.arguments.size(); ++i) {
    ASSIGN_OR_RETURN(arguments[i], Evaluate(*call.arguments[i], row, context));
    if (call.function->strict && IsNull(arguments[i])) return Datum(Null{});
  }
  absl::StatusOr<Datum> result = call.function->body(arguments, context);
  if (result.ok()) RETURN_IF_ERROR(CheckValueBytes("a value", ValueBytes(*result)));
  return result;
}

bool Satisfies(std::strong_ordering order, CompareOperator compare) {
  switch (compare) {
    case CompareOperator::kEqual:
    case CompareOperator::kNotDistinct:
      return order == 0;
    case CompareOperator::kNotEqual:
    case CompareOperator::kDistinct:
      return order != 0;
    case CompareOperator::kLess:
      return order < 0;
    case CompareOperator::kLessEqual:
      return order <= 0;
    case CompareOperator::kGreater:
      return order > 0;
    case CompareOperator::kGreaterEqual:
      return order >= 0;
  }
  return false;
}

absl::StatusOr<Datum> EvaluateCompare(const Expression& compare, const Row& row, const EvaluationContext& context) {
  ASSIGN_OR_RETURN(const Datum left, Evaluate(*compare.arguments[0], row, context));
  ASSIGN_OR_RETURN(const Datum right, Evaluate(*compare.arguments[1], row, context));
  const bool nulls_compare =
      compare.compare == CompareOperator::kDistinct || compare.compare == CompareOperator::kNotDistinct;
  if (!nulls_compare && (IsNull(left) || IsNull(right))) return Datum(Null{});
  return Datum(Satisfies(Compare(left, right), compare.compare));
}

// AND stops at the first false, OR at the first true; else null if any is.
absl::StatusOr<Datum> EvaluateLogic(const Expression& logic, const Row& row, const EvaluationContext& context) {
  const bool stops_at = logic.kind == ExpressionKind::kOr;
  bool any_null = false;
  for (const ExpressionRef& argument : logic.arguments) {
    ASSIGN_OR_RETURN(const Datum value, Evaluate(*argument, row, context));
    if (IsNull(value)) {
      any_null = true;
    } else if (std::get<bool>(value) == stops_at) {
      return Datum(stops_at);
    }
  }
  return any_null ? Datum(Null{}) : Datum(!stops_at);
}

absl::StatusOr<Datum> EvaluateIn(const Expression& in, const Row& row, const EvaluationContext& context) {
  ASSIGN_OR_RETURN(const Datum value, Evaluate(*in.arguments[0], row, context));
  if (IsNull(value)) return Datum(Null{});
  bool any_null = false;
  for (size_t i = 1; i < in.arguments.size(); ++i) {
    ASSIGN_OR_RETURN(const Datum candidate, Evaluate(*in.arguments[i], row, context));
    if (IsNull(candidate)) {
      any_null = true;
    } else if (Compare(value, candidate) == 0) {
      return Datum(!in.negated);
    }
  }
  return any_null ? Datum(Null{}) : Datum(in.negated);
}

absl::StatusOr<Datum> EvaluateCase(const Expression& expression, const Row& row, const EvaluationContext& context) {
  size_t i = 0;
  for (; i + 1 < expression.arguments.size(); i += 2) {
    ASSIGN_OR_RETURN(const bool holds, Holds(*expression.arguments[i], row, context));
    if (holds) return Evaluate(*expression.arguments[i + 1], row, context);
  }
  if (i < expression.arguments.size()) return Evaluate(*expression.arguments[i], row, context);
  return Datum(Null{});
}

absl::StatusOr<Datum> EvaluateCoalesce(const Expression& coalesce, const Row& row, const EvaluationContext& context) {
  for (const ExpressionRef& argument : coalesce.arguments) {
    ASSIGN_OR_RETURN(Datum value, Evaluate(*argument, row, context));
    if (!IsNull(value)) return value;
  }
  return Datum(Null{});
}

absl::StatusOr<Datum> EvaluateExtreme(const Expression& extreme, const Row& row, const EvaluationContext& context) {
  Datum best;
  for (const ExpressionRef& argument : extreme.arguments) {
    ASSIGN_OR_RETURN(Datum value, Evaluate(*argument, row, context));
    if (IsNull(value)) continue;
    const bool better =
        IsNull(best) || (extreme.kind == ExpressionKind::kGreatest ? Compare(value, best) > 0 : Compare(value, best) < 0);
    if (better) best = std::move(value);
  }
  return best;
}

absl::StatusOr<Datum> EvaluateArray(const Expression& array, const Row& row, const EvaluationContext& context) {
  std::vector<Datum> values;
  values.reserve(array.arguments.size());
  size_t bytes = 0;
  for (const ExpressionRef& argument : array.arguments) {
    ASSIGN_OR_RETURN(values.emplace_back(), Evaluate(*argument, row, context));
    RETURN_IF_ERROR(CheckValueBytes("an array", bytes += ValueBytes(values.back())));
  }
  return Datum(MakeArray(std::move(values)));
}

// As OR or AND of the comparisons with each item.
absl::StatusOr<Datum> EvaluateItems(const Expression& items, const Row& row, const EvaluationContext& context) {
  ASSIGN_OR_RETURN(const Datum value, Evaluate(*items.arguments[0], row, context));
  ASSIGN_OR_RETURN(const Datum array, Evaluate(*items.arguments[1], row, context));
  if (IsNull(array)) return Datum(Null{});
  const bool stops_at = items.kind == ExpressionKind::kAnyItem;
  bool any_null = false;
  for (const Datum& item : std::get<Array>(array).items->values) {
    if (IsNull(value) || IsNull(item)) {
      any_null = true;
    } else if (Satisfies(Compare(value, item), items.compare) == stops_at) {
      return Datum(stops_at);
    }
  }
  return any_null ? Datum(Null{}) : Datum(!stops_at);
}

absl::StatusOr<Datum> EvaluateCast(const Expression& cast, const Row& row, const EvaluationContext& context) {
  ASSIGN_OR_RETURN(Datum value, Evaluate(*cast.arguments[0], row, context));
  ASSIGN_OR_RETURN(value, CastDatum(std::move(value), cast.arguments[0]->type, cast.type, context.zone()));
  return FitModifier(std::move(value), {cast.type, cast.modifier}, cast.conversion);
}

bool EvaluateTruth(const Datum& value, TruthValue truth) {
  switch (truth) {
    case TruthValue::kTrue:
      return !IsNull(value) && std::get<bool>(value);
    case TruthValue::kFalse:
      return !IsNull(value) && !std::get<bool>(value);
    case TruthValue::kUnknown:
      return IsNull(value);
  }
  return false;
}

template <typename Predicate>
bool Everywhere(const Expression& expression, const Predicate& predicate) {
  return predicate(expression) && std::all_of(expression.arguments.begin(), expression.arguments.end(),
                                              [&](const auto& argument) { return Everywhere(*argument, predicate); });
}

}  // namespace

const TimeZone& EvaluationContext::zone() const { return settings == nullptr ? UtcZone() : *settings->zone(); }

std::strong_ordering SortDirection::Compare(const Datum& a, const Datum& b) const {
  if (IsNull(a) != IsNull(b)) return IsNull(a) == nulls_first ? std::strong_ordering::less : std::strong_ordering::greater;
  return descending ? anabranch::Compare(b, a) : anabranch::Compare(a, b);
}

ExpressionRef MakeExpression(ExpressionKind kind, SqlType type) {
  auto expression = std::make_unique<Expression>();
  expression->kind = kind;
  expression->type = type;
  return expression;
}

ExpressionRef MakeConstant(SqlType type, Datum value) {
  ExpressionRef expression = MakeExpression(ExpressionKind::kConstant, type);
  expression->constant = std::move(value);
  return expression;
}

ExpressionRef MakeColumn(SqlType type, int index, std::string name) {
  ExpressionRef expression = MakeExpression(ExpressionKind::kColumn, type);
  expression->index = index;
  expression->name = std::move(name);
  return expression;
}

bool Contains(const Expression& expression, ExpressionKind kind) {
  return expression.kind == kind || std::any_of(expression.arguments.begin(), expression.arguments.end(),
                                                [&](const ExpressionRef& argument) { return Contains(*argument, kind); });
}

ExpressionRef Clone(const Expression& expression) {
  ExpressionRef clone = MakeExpression(expression.kind, expression.type);
  clone->constant = expression.constant;
  clone->index = expression.index;
  clone->compare = expression.compare;
  clone->truth = expression.truth;
  clone->negated = expression.negated;
  clone->function = expression.function;
  clone->aggregate = expression.aggregate;
  clone->distinct = expression.distinct;
  clone->order = expression.order;
  clone->filtered = expression.filtered;
  clone->set = expression.set;
  clone->subquery = expression.subquery;
  clone->modifier = expression.modifier;
  clone->conversion = expression.conversion;
  clone->name = expression.name;
  clone->location = expression.location;
  for (const ExpressionRef& argument : expression.arguments) clone->arguments.push_back(Clone(*argument));
  return clone;
}

absl::StatusOr<Datum> Evaluate(const Expression& expression, const Row& row, const EvaluationContext& context) {
  switch (expression.kind) {
    case ExpressionKind::kConstant:
      return expression.constant;
    case ExpressionKind::kParameter:
      return (*context.parameters)[expression.index];
    case ExpressionKind::kColumn:
      return row[expression.index];
    case ExpressionKind::kOuterColumn:
      return (*context.outer)[expression.index];
    case ExpressionKind::kCall:
      return EvaluateCall(expression, row, context);
    case ExpressionKind::kCompare:
      return EvaluateCompare(expression, row, context);
    case ExpressionKind::kAnd:
    case ExpressionKind::kOr:
      return EvaluateLogic(expression, row, context);
    case ExpressionKind::kNot: {
      ASSIGN_OR_RETURN(const Datum value, Evaluate(*expression.arguments[0], row, context));
      return IsNull(value) ? Datum(Null{}) : Datum(!std::get<bool>(value));
    }
    case ExpressionKind::kIsNull: {
      ASSIGN_OR_RETURN(const Datum value, Evaluate(*expression.arguments[0], row, context));
      return Datum(IsNull(value) != expression.negated);
    }
    case ExpressionKind::kBooleanTest: {
      ASSIGN_OR_RETURN(const Datum value, Evaluate(*expression.arguments[0], row, context));
      return Datum(EvaluateTruth(value, expression.truth) != expression.negated);
    }
    case ExpressionKind::kIn:
      return EvaluateIn(expression, row, context);
    case ExpressionKind::kCase:
      return EvaluateCase(expression, row, context);
    case ExpressionKind::kCoalesce:
      return EvaluateCoalesce(expression, row, context);
    case ExpressionKind::kGreatest:
    case ExpressionKind::kLeast:
      return EvaluateExtreme(expression, row, context);
    case ExpressionKind::kArray:
      return EvaluateArray(expression, row, context);
    case ExpressionKind::kAnyItem:
    case ExpressionKind::kAllItems:
      return EvaluateItems(expression, row, context);
    case ExpressionKind::kCast:
      return EvaluateCast(expression, row, context);
    case ExpressionKind::kSubquery:
      if (context.subqueries != nullptr) return context.subqueries->Run(expression, row, context);
      return SqlError(sqlstate::kFeatureNotSupported, "a subquery is not supported here");
    case ExpressionKind::kAggregate:
    case ExpressionKind::kSet:
    case ExpressionKind::kRowNumber:
      break;
  }
  return SqlError(sqlstate::kInternalError, "an aggregate, a set or a row number was evaluated as a value");
}

int32_t ModifierOf(const Expression& expression) {
  const std::vector<ExpressionRef>& arguments = expression.arguments;
  switch (expression.kind) {
    case ExpressionKind::kConstant:
    case ExpressionKind::kColumn:
    case ExpressionKind::kOuterColumn:
    case ExpressionKind::kCast:
    case ExpressionKind::kSubquery:
      return expression.modifier;
    case ExpressionKind::kCase:
    case ExpressionKind::kCoalesce:
    case ExpressionKind::kGreatest:
    case ExpressionKind::kLeast: {
      // Of CASE every second argument is a result, and the last.
      const bool is_case = expression.kind == ExpressionKind::kCase;
      if (arguments.empty() || (is_case && arguments.size() % 2 == 0)) return kNoModifier;
      const int32_t modifier = ModifierOf(*arguments.back());
      for (size_t i = is_case ? 1 : 0; i < arguments.size(); i += is_case ? 2 : 1) {
        if (arguments[i]->type != expression.type || ModifierOf(*arguments[i]) != modifier) return kNoModifier;
      }
      return modifier;
    }
    default:
      return kNoModifier;
  }
}

absl::StatusOr<bool> Holds(const Expression& condition, const Row& row, const EvaluationContext& context) {
  ASSIGN_OR_RETURN(const Datum value, Evaluate(condition, row, context));
  return !IsNull(value) && std::get<bool>(value);
}

bool operator==(const Expression& a, const Expression& b) {
  return a.kind == b.kind && a.type == b.type && a.constant.index() == b.constant.index() && a.constant == b.constant &&
         a.index == b.index && a.compare == b.compare && a.truth == b.truth && a.negated == b.negated &&
         a.function == b.function && a.aggregate == b.aggregate && a.distinct == b.distinct && a.order == b.order &&
         a.filtered == b.filtered && a.set == b.set && a.subquery == b.subquery && a.modifier == b.modifier &&
         a.conversion == b.conversion &&
         std::equal(a.arguments.begin(), a.arguments.end(), b.arguments.begin(), b.arguments.end(),
                    [](const ExpressionRef& x, const ExpressionRef& y) { return *x == *y; });
}

bool IsFixed(const Expression& expression) {
  return Everywhere(expression, [](const Expression& e) {
    return e.kind != ExpressionKind::kColumn && e.kind != ExpressionKind::kAggregate && e.kind != ExpressionKind::kSet &&
           e.kind != ExpressionKind::kRowNumber &&
           (e.function == nullptr || e.function->volatility != Volatility::kVolatile);
  });
}

bool IsImmutable(const Expression& expression) {
  return Everywhere(expression, [](const Expression& e) {
    return e.kind != ExpressionKind::kColumn && e.kind != ExpressionKind::kOuterColumn &&
           e.kind != ExpressionKind::kSubquery && e.kind != ExpressionKind::kAggregate &&
           e.kind != ExpressionKind::kParameter && e.kind != ExpressionKind::kSet && e.kind != ExpressionKind::kRowNumber &&
           (e.function == nullptr || e.function->volatility == Volatility::kImmutable) &&
           (e.kind != ExpressionKind::kCast || !DependsOnZone(e.arguments[0]->type, e.type));
  });
}

}  // namespace anabranch
