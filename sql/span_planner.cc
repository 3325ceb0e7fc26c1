#include "sql/span_planner.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/status.h"
#include "sql/row_codec.h"

namespace anabranch {
namespace {

struct Bound {
  std::string part;  // an encoded key part
  bool inclusive = true;
};

// What the conjuncts say of one column, as encoded key parts.
struct Constraint {
  std::optional<std::set<std::string>> values;  // of = and IN
  std::optional<Bound> lower;
  std::optional<Bound> upper;
};

CompareOperator Mirrored(CompareOperator compare) {
  switch (compare) {
    case CompareOperator::kLess:
      return CompareOperator::kGreater;
    case CompareOperator::kLessEqual:
      return CompareOperator::kGreaterEqual;
    case CompareOperator::kGreater:
      return CompareOperator::kLess;
    case CompareOperator::kGreaterEqual:
      return CompareOperator::kLessEqual;
    default:
      return compare;
  }
}

bool IsColumn(const Expression& expression, int position) {
  return expression.kind == ExpressionKind::kColumn && expression.index == position;
}

class ConstraintCollector {
 public:
  ConstraintCollector(int position, const EvaluationContext& context) : position_(position), context_(context) {}

  absl::Status Add(const Expression& filter) {
    switch (filter.kind) {
      case ExpressionKind::kAnd:
        for (const ExpressionRef& argument : filter.arguments) RETURN_IF_ERROR(Add(*argument));
        return absl::OkStatus();
      case ExpressionKind::kIn:
        return filter.negated ? absl::OkStatus() : AddIn(filter);
      case ExpressionKind::kCompare:
        if (IsColumn(*filter.arguments[0], position_) && IsFixed(*filter.arguments[1])) {
          return AddCompare(filter.compare, *filter.arguments[1]);
        }
        if (IsColumn(*filter.arguments[1], position_) && IsFixed(*filter.arguments[0])) {
          return AddCompare(Mirrored(filter.compare), *filter.arguments[0]);
        }
        return absl::OkStatus();
      default:
        return absl::OkStatus();
    }
  }

  const Constraint& constraint() const { return constraint_; }

 private:
  // nullopt: null, for which no comparison holds.
  absl::StatusOr<std::optional<std::string>> Part(const Expression& expression) {
    ASSIGN_OR_RETURN(const Datum value, Evaluate(expression, {}, context_));
    if (IsNull(value)) return std::optional<std::string>();
    std::string part;
    EncodeKeyPart(value, &part);
    return std::optional<std::string>(std::move(part));
  }

  absl::Status AddIn(const Expression& in) {
    const auto first = in.arguments.begin() + 1;
    const bool usable = IsColumn(*in.arguments[0], position_) &&
                        std::all_of(first, in.arguments.end(), [](const ExpressionRef& e) { return IsFixed(*e); });
    if (!usable) return absl::OkStatus();
    std::set<std::string> values;
    for (auto candidate = first; candidate != in.arguments.end(); ++candidate) {
      ASSIGN_OR_RETURN(std::optional<std::string> part, Part(**candidate));
      if (part) values.insert(*std::move(part));
    }
    Restrict(std::move(values));
    return absl::OkStatus();
  }

  absl::Status AddCompare(CompareOperator compare, const Expression& bound) {
    if (compare == CompareOperator::kNotEqual || compare == CompareOperator::kDistinct ||
        compare == CompareOperator::kNotDistinct) {
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(std::optional<std::string> part, Part(bound));
    if (!part) {
      Restrict({});
    } else if (compare == CompareOperator::kEqual) {
      Restrict({*part});
    } else if (compare == CompareOperator::kGreater || compare == CompareOperator::kGreaterEqual) {
      const Bound lower{*std::move(part), compare == CompareOperator::kGreaterEqual};
      const bool tighter = !constraint_.lower || lower.part > constraint_.lower->part ||
                           (lower.part == constraint_.lower->part && !lower.inclusive);
      if (tighter) constraint_.lower = lower;
    } else {
      const Bound upper{*std::move(part), compare == CompareOperator::kLessEqual};
      const bool tighter = !constraint_.upper || upper.part < constraint_.upper->part ||
                           (upper.part == constraint_.upper->part && !upper.inclusive);
      if (tighter) constraint_.upper = upper;
    }
    return absl::OkStatus();
  }

  void Restrict(std::set<std::string> values) {
    if (constraint_.values) std::erase_if(values, [&](const std::string& v) { return !constraint_.values->contains(v); });
    constraint_.values = std::move(values);
  }

  const int position_;
  const EvaluationContext& context_;
  Constraint constraint_;
};

Span RangeSpan(const std::string& prefix, const Constraint& constraint) {
  Span span{prefix, PrefixEnd(prefix)};
  if (constraint.lower) {
    span.start = prefix + constraint.lower->part;
    if (!constraint.lower->inclusive) span.start = PrefixEnd(std::move(span.start));
  }
  if (constraint.upper) {
    span.end = prefix + constraint.upper->part;
    if (constraint.upper->inclusive) span.end = PrefixEnd(std::move(span.end));
  }
  return span;
}

}  // namespace

absl::StatusOr<ScanPlan> PlanSpans(const Table& table, const Expression* filter, const EvaluationContext& context) {
  ScanPlan plan;
  std::vector<std::string> prefixes = {TablePrefix(table.id)};
  size_t used = 0;  // primary key columns that every prefix has a value of
  Constraint range;
  for (; filter != nullptr && used < table.primary_key.size(); ++used) {
    ConstraintCollector collector(table.primary_key[used], context);
    RETURN_IF_ERROR(collector.Add(*filter));
    const Constraint& constraint = collector.constraint();
    if (!constraint.values || prefixes.size() * constraint.values->size() > kPlannedSpansMax) {
      range = constraint;
      break;
    }
    std::vector<std::string> longer;
    for (const std::string& prefix : prefixes) {
      for (const std::string& value : *constraint.values) longer.push_back(prefix + value);
    }
    prefixes = std::move(longer);
    if (constraint.values->size() == 1 && plan.fixed_columns == used) ++plan.fixed_columns;
  }
  plan.points = !table.primary_key.empty() && used == table.primary_key.size();
  for (std::string& prefix : prefixes) {
    Span span = RangeSpan(prefix, range);
    if (span.end.empty() || span.start < span.end) plan.spans.push_back(std::move(span));
  }
  return plan;
}

}  // namespace anabranch
