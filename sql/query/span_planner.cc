#include "sql/query/span_planner.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/status.h"
#include "sql/stored/row_codec.h"

namespace anabranch {
namespace {

struct Bound {
  std::string part;  // an encoded key part
  bool inclusive = true;
};

// What the conjuncts say of one column, as encoded key parts.
struct Constraint {
  std::optional<std::vector<std::string>> values;  // of = and IN, ascending
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

bool IsColumn(const Expression& expression, int slot) {
  return expression.kind == ExpressionKind::kColumn && expression.index == slot;
}

// What a part of a condition says of one column of a table: column <compare> bound, or column IN bounds.
struct Restriction {
  CompareOperator compare = CompareOperator::kEqual;
  const Expression* bound = nullptr;
  const Expression* in = nullptr;  // the candidates are its arguments but the first
};

class Restrictions {
 public:
  // The table's columns begin at `first_slot`.
  Restrictions(const Table& table, int first_slot)
      : first_slot_(first_slot), end_slot_(first_slot + static_cast<int>(table.columns.size()) + 1) {}

  // False: nothing that a key could use.
  bool Find(const Expression& conjunct, int position, Restriction* found) const {
    const int slot = first_slot_ + position;
    if (conjunct.kind == ExpressionKind::kIn) {
      if (conjunct.negated || !IsColumn(*conjunct.arguments[0], slot)) return false;
      *found = {.in = &conjunct};
      return std::all_of(conjunct.arguments.begin() + 1, conjunct.arguments.end(),
                         [this](const ExpressionRef& candidate) { return IsKnown(*candidate); });
    }
    if (conjunct.kind != ExpressionKind::kCompare) return false;
    if (conjunct.compare == CompareOperator::kNotEqual || conjunct.compare == CompareOperator::kDistinct ||
        conjunct.compare == CompareOperator::kNotDistinct) {
      return false;
    }
    const Expression& left = *conjunct.arguments[0];
    const Expression& right = *conjunct.arguments[1];
    if (IsColumn(left, slot) && IsKnown(right)) {
      *found = {.compare = conjunct.compare, .bound = &right};
      return true;
    }
    if (!IsColumn(right, slot) || !IsKnown(left)) return false;
    *found = {.compare = Mirrored(conjunct.compare), .bound = &left};
    return true;
  }

 private:
  // Its value is known before the scan begins, and stays.
  bool IsKnown(const Expression& expression) const {
    if (expression.kind == ExpressionKind::kAggregate) return false;
    if (expression.kind == ExpressionKind::kColumn && expression.index >= first_slot_ && expression.index < end_slot_) {
      return false;
    }
    if (expression.function != nullptr && expression.function->volatility == Volatility::kVolatile) return false;
    return std::all_of(expression.arguments.begin(), expression.arguments.end(),
                       [this](const ExpressionRef& argument) { return IsKnown(*argument); });
  }

  const int first_slot_;
  const int end_slot_;
};

class ConstraintCollector {
 public:
  ConstraintCollector(const Restrictions& restrictions, int position, const Row& outer, const EvaluationContext& context)
      : restrictions_(restrictions), position_(position), outer_(outer), context_(context) {}

  absl::Status Add(const Expression& filter) {
    if (filter.kind == ExpressionKind::kAnd) {
      for (const ExpressionRef& argument : filter.arguments) RETURN_IF_ERROR(Add(*argument));
      return absl::OkStatus();
    }
    Restriction restriction;
    if (!restrictions_.Find(filter, position_, &restriction)) return absl::OkStatus();
    return restriction.in != nullptr ? AddIn(*restriction.in) : AddCompare(restriction.compare, *restriction.bound);
  }

  const Constraint& constraint() const { return constraint_; }

 private:
  // nullopt: null, for which no comparison holds.
  absl::StatusOr<std::optional<std::string>> Part(const Expression& expression) {
    ASSIGN_OR_RETURN(const Datum value, Evaluate(expression, outer_, context_));
    if (IsNull(value)) return std::optional<std::string>();
    std::string part;
    EncodeKeyPart(value, &part);
    return std::optional<std::string>(std::move(part));
  }

  absl::Status AddIn(const Expression& in) {
    std::vector<std::string> values;
    for (auto candidate = in.arguments.begin() + 1; candidate != in.arguments.end(); ++candidate) {
      ASSIGN_OR_RETURN(std::optional<std::string> part, Part(**candidate));
      if (part) values.push_back(*std::move(part));
    }
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    Restrict(std::move(values));
    return absl::OkStatus();
  }

  absl::Status AddCompare(CompareOperator compare, const Expression& bound) {
    ASSIGN_OR_RETURN(std::optional<std::string> part, Part(bound));
    if (!part) {
      Restrict({});
    } else if (compare == CompareOperator::kEqual) {
      std::vector<std::string> values;
      values.push_back(*std::move(part));
      Restrict(std::move(values));
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

  void Restrict(std::vector<std::string> values) {
    if (constraint_.values) {
      const std::vector<std::string>& known = *constraint_.values;
      std::erase_if(values, [&](const std::string& v) { return !std::binary_search(known.begin(), known.end(), v); });
    }
    constraint_.values = std::move(values);
  }

  const Restrictions& restrictions_;
  const int position_;
  const Row& outer_;
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

// How far `conjuncts` restrict a key.
AccessPath PathOf(const Table& table, const Index* index, const std::vector<const Expression*>& conjuncts,
                  const Restrictions& restrictions) {
  AccessPath path{.index = index};
  const std::vector<int>& columns = path.Columns(table);
  for (; path.used_columns < columns.size(); ++path.used_columns) {
    bool equal = false, listed = false, ranged = false;
    for (const Expression* conjunct : conjuncts) {
      Restriction found;
      if (!restrictions.Find(*conjunct, columns[path.used_columns], &found)) continue;
      if (found.in != nullptr) {
        listed = true;
      } else if (found.compare == CompareOperator::kEqual) {
        equal = true;
      } else {
        ranged = true;
      }
    }
    if (equal && path.equal_columns == path.used_columns) ++path.equal_columns;
    if (equal || listed) continue;
    if (ranged) ++path.used_columns;
    break;
  }
  return path;
}

}  // namespace

bool AccessPath::IsPoint(const Table& table) const {
  return (index == nullptr || index->unique) && equal_columns > 0 && equal_columns == Columns(table).size();
}

bool AccessPath::Uses(const Table& table, int first_slot, const Expression& conjunct) const {
  const Restrictions restrictions(table, first_slot);
  const std::vector<int>& columns = Columns(table);
  return std::any_of(columns.begin(), columns.begin() + static_cast<ptrdiff_t>(used_columns), [&](int position) {
    Restriction found;
    return restrictions.Find(conjunct, position, &found);
  });
}

std::vector<const Expression*> Conjuncts(const Expression* filter) {
  if (filter == nullptr) return {};
  if (filter->kind != ExpressionKind::kAnd) return {filter};
  std::vector<const Expression*> all;
  for (const ExpressionRef& argument : filter->arguments) {
    for (const Expression* conjunct : Conjuncts(argument.get())) all.push_back(conjunct);
  }
  return all;
}

AccessPath ChoosePath(const Table& table, const std::vector<const Expression*>& conjuncts, int first_slot) {
  const Restrictions restrictions(table, first_slot);
  AccessPath best = PathOf(table, nullptr, conjuncts, restrictions);
  for (const Index& index : table.indexes) {
    if (best.IsPoint(table)) break;
    const AccessPath path = PathOf(table, &index, conjuncts, restrictions);
    const bool better = path.IsPoint(table) || path.equal_columns > best.equal_columns ||
                        (path.equal_columns == best.equal_columns && path.used_columns > best.used_columns);
    if (better) best = path;
  }
  return best;
}

AccessPath PathBy(const Table& table, const Index* index, const std::vector<const Expression*>& conjuncts, int first_slot) {
  return PathOf(table, index, conjuncts, Restrictions(table, first_slot));
}

absl::StatusOr<ScanPlan> PlanSpans(const Table& table, const AccessPath& path, const Expression* filter, int first_slot,
                                   const Row& outer, const EvaluationContext& context) {
  ScanPlan plan{.index = path.index};
  std::vector<std::string> prefixes = {TablePrefix(path.index == nullptr ? table.id : path.index->id)};
  const std::vector<int>& columns = path.Columns(table);
  const Restrictions restrictions(table, first_slot);
  size_t used = 0;  // key columns that every prefix has a value of
  Constraint range;
  for (; used < path.used_columns; ++used) {
    ConstraintCollector collector(restrictions, columns[used], outer, context);
    RETURN_IF_ERROR(collector.Add(*filter));
    const Constraint& constraint = collector.constraint();
    if (!constraint.values || prefixes.size() * constraint.values->size() > kPlannedSpansMax) {
      range = constraint;
      break;
    }
    if (prefixes.size() == 1 && constraint.values->size() == 1) {
      prefixes[0] += (*constraint.values)[0];
      continue;
    }
    std::vector<std::string> longer;
    for (const std::string& prefix : prefixes) {
      for (const std::string& value : *constraint.values) longer.push_back(prefix + value);
    }
    prefixes = std::move(longer);
  }
  plan.points = !columns.empty() && used == columns.size() && (path.index == nullptr || path.index->unique);
  plan.spans.reserve(prefixes.size());
  for (std::string& prefix : prefixes) {
    if (plan.points) {
      plan.spans.push_back({std::move(prefix), {}});
      continue;
    }
    Span span = RangeSpan(prefix, range);
    if (span.end.empty() || span.start < span.end) plan.spans.push_back(std::move(span));
  }
  return plan;
}

absl::StatusOr<ScanPlan> PlanSpans(const Table& table, const Expression* filter, const EvaluationContext& context) {
  const AccessPath path = ChoosePath(table, Conjuncts(filter), 0);
  return PlanSpans(table, path, filter, 0, {}, context);
}

}  // namespace anabranch
