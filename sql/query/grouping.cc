#include "sql/query/grouping.h"

#include <algorithm>
#include <memory>

#include "base/status.h"
#include "sql/expression/aggregate.h"
#include "sql/query/aggregate_node.h"
#include "sql/value/error_field.h"

namespace anabranch {

absl::Status Grouping::PutOver(const std::vector<ExpressionRef*>& expressions, const FromClause& from) {
  for (ExpressionRef* expression : expressions) RETURN_IF_ERROR(PutOver(expression, from));
  for (ExpressionRef* expression : expressions) PlaceAggregates(expression->get());
  return absl::OkStatus();
}

// Aggregates get negative positions, as it is not known yet how many columns there are before them.
absl::Status Grouping::PutOver(ExpressionRef* expression, const FromClause& from) {
  for (size_t i = 0; i < by_.size(); ++i) {
    if (**expression == *by_[i]) {
      const int32_t modifier = ModifierOf(**expression);
      *expression = MakeColumn((*expression)->type, static_cast<int>(i), (*expression)->name);
      (*expression)->modifier = modifier;
      return absl::OkStatus();
    }
  }
  if ((*expression)->kind == ExpressionKind::kAggregate) {
    size_t i = 0;
    while (i < aggregates_.size() && !(*aggregates_[i] == **expression)) ++i;
    const SqlType type = (*expression)->type;
    if (i == aggregates_.size()) aggregates_.push_back(std::move(*expression));
    *expression = MakeColumn(type, -1 - static_cast<int>(i), std::string(aggregates_[i]->aggregate->name));
    return absl::OkStatus();
  }
  if ((*expression)->kind == ExpressionKind::kColumn) return PutColumnOver(expression, from);
  for (ExpressionRef& argument : (*expression)->arguments) RETURN_IF_ERROR(PutOver(&argument, from));
  return absl::OkStatus();
}

// A column of a table that is grouped by its primary key has one value in a group.
absl::Status Grouping::PutColumnOver(ExpressionRef* column, const FromClause& from) {
  const int slot = (*column)->index;
  if (const FromItem* const item = from.TableAt(slot); item != nullptr && Determines(*item)) {
    const int index = static_cast<int>(by_.size());
    by_.push_back(Clone(**column));
    (*column)->index = index;
    return absl::OkStatus();
  }
  std::string name = (*column)->name;
  for (const ScopeColumn& candidate : from.scope()->columns) {
    if (candidate.slot == slot && !candidate.value) name = candidate.relation + "." + candidate.name;
  }
  return WithLocation(
      SqlError(sqlstate::kGroupingError,
               fmt::format("column \"{}\" must appear in the GROUP BY clause or be used in an aggregate function", name)),
      (*column)->location);
}

bool Grouping::Determines(const FromItem& item) const {
  const std::vector<int>& key = item.table->primary_key;
  return !key.empty() && std::all_of(key.begin(), key.end(), [&](int position) {
    return std::any_of(by_.begin(), by_.end(), [&](const ExpressionRef& by) {
      return by->kind == ExpressionKind::kColumn && by->index == item.slots.begin + position;
    });
  });
}

void Grouping::PlaceAggregates(Expression* expression) const {
  if (expression->kind == ExpressionKind::kColumn && expression->index < 0) {
    expression->index = static_cast<int>(by_.size()) - 1 - expression->index;
  }
  for (ExpressionRef& argument : expression->arguments) PlaceAggregates(argument.get());
}

PlanRef Grouping::TakeNode(PlanRef input) {
  return std::make_unique<AggregateNode>(std::move(input), std::move(by_), std::move(aggregates_));
}

}  // namespace anabranch
