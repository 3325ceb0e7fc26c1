// From the bound clauses of a SELECT to nodes, and which order of rows they want.
#include <algorithm>

#include "base/status.h"
#include "sql/expression/text.h"
#include "sql/query/query_planner.h"
#include "sql/query/set_node.h"
#include "sql/query/window_node.h"

namespace anabranch {

bool QueryPlanner::TargetsContain(ExpressionKind kind) const {
  return std::any_of(targets_.begin(), targets_.end(),
                     [&](const ExpressionRef& target) { return Contains(*target, kind); });
}

absl::Status QueryPlanner::BuildPlan(ExpressionRef filter) {
  const WantedOrder wanted = Wanted();
  std::vector<FromItemRef> items = from_.TakeItems();
  std::optional<LockSpec> locks;
  if (select_.locking_clause_size() > 0) {
    ASSIGN_OR_RETURN(locks, PlanLocks(select_, items, *from_.scope(), filter.get()));
    for (const LockedTable& locked : locks->tables) binder_.NoteLocked(locked.table);
  }
  JoinedPlan joined = PlanJoins(std::move(items), from_.width(), std::move(filter), wanted, level_.used);
  query_.root = std::move(joined.root);
  if (locks) {
    BuildLocked(*std::move(locks), joined.ordered);
  } else {
    BuildUnlocked(joined.ordered);
  }
  for (const size_t i : kept_unknown_) query_.columns[i].type = SqlType::kUnknown;
  return absl::OkStatus();
}

void QueryPlanner::BuildLocked(LockSpec locks, bool ordered) {
  std::vector<SortColumn> sort;
  if (!ordered && !order_.empty()) {
    std::vector<ExpressionRef> columns;
    for (int i = 0; i < from_.width(); ++i) columns.push_back(MakeColumn(SqlType::kUnknown, i, ""));
    for (const OrderKey& key : order_) {
      sort.push_back({.column = static_cast<int>(columns.size()),
                      .descending = key.descending,
                      .nulls_first = key.nulls_first,
                      .text = ExpressionText(*ValueOf(key))});
      columns.push_back(Clone(*ValueOf(key)));
    }
    query_.root = std::make_unique<ProjectNode>(std::move(query_.root), std::move(columns));
    query_.root = std::make_unique<SortNode>(std::move(query_.root), std::move(sort), nullptr);
  }
  query_.root = std::make_unique<LockNode>(std::move(query_.root), std::move(locks));
  if (counts_ != nullptr) query_.root = std::make_unique<LimitNode>(std::move(query_.root), counts_);
  query_.root = std::make_unique<ProjectNode>(std::move(query_.root), std::move(targets_));
}

void QueryPlanner::BuildUnlocked(bool ordered) {
  int input_width = from_.width();
  if (grouped_) {
    input_width = grouping_.width();
    query_.root = grouping_.TakeNode(std::move(query_.root));
    if (having_) query_.root = std::make_unique<FilterNode>(std::move(query_.root), std::move(having_));
  }
  const size_t width = targets_.size();
  std::vector<SortColumn> sort;
  if (!ordered) {
    for (OrderKey& key : order_) sort.push_back(SortBy(&key));
  }
  std::vector<int> distinct_on;
  for (OrderKey& key : distinct_on_) distinct_on.push_back(SortBy(&key).column);
  const size_t extra = targets_.size() - width;
  AddComputedColumns(input_width);
  query_.root = std::make_unique<ProjectNode>(std::move(query_.root), std::move(targets_));
  if (distinct_ && distinct_on.empty()) MakeDistinct(width);
  if (!sort.empty()) {
    query_.root =
        std::make_unique<SortNode>(std::move(query_.root), std::move(sort), distinct_on.empty() ? counts_ : nullptr);
  }
  if (!distinct_on.empty()) {
    query_.root = std::make_unique<DistinctNode>(std::move(query_.root), std::move(distinct_on));
  }
  if (counts_ != nullptr) query_.root = std::make_unique<LimitNode>(std::move(query_.root), counts_);
  if (extra > 0) {
    query_.root = std::make_unique<ProjectNode>(std::move(query_.root), ColumnsOf(query_));
  }
}

void QueryPlanner::AddComputedColumns(int width) {
  std::vector<ExpressionRef> numbers;
  for (ExpressionRef& target : targets_) Take(ExpressionKind::kRowNumber, &target, width, &numbers);
  if (!numbers.empty()) {
    const int wider = width + static_cast<int>(numbers.size());
    query_.root = std::make_unique<WindowNode>(std::move(query_.root), std::move(numbers), std::exchange(width, wider));
  }
  std::vector<ExpressionRef> sets;
  for (ExpressionRef& target : targets_) Take(ExpressionKind::kSet, &target, width, &sets);
  if (sets.empty()) return;
  query_.root = std::make_unique<ProjectSetNode>(std::move(query_.root), std::move(sets), width);
}

void QueryPlanner::Take(ExpressionKind kind, ExpressionRef* expression, int width, std::vector<ExpressionRef>* taken) {
  if ((*expression)->kind == kind) {
    ExpressionRef column = MakeColumn((*expression)->type, width + static_cast<int>(taken->size()), "");
    taken->push_back(std::exchange(*expression, std::move(column)));
    return;
  }
  for (ExpressionRef& argument : (*expression)->arguments) Take(kind, &argument, width, taken);
}

WantedOrder QueryPlanner::Wanted() const {
  WantedOrder wanted;
  if (grouped_ || distinct_) return wanted;
  for (const OrderKey& key : order_) {
    const Expression* const value = ValueOf(key);
    if (key.descending || key.nulls_first || value->kind != ExpressionKind::kColumn) return {};
    wanted.slots.push_back(value->index);
  }
  wanted.limited = counts_ != nullptr && counts_->limit;
  return wanted;
}

SortColumn QueryPlanner::SortBy(OrderKey* key) {
  SortColumn column{.column = key->target, .descending = key->descending, .nulls_first = key->nulls_first};
  column.text = ExpressionText(*ValueOf(*key));
  if (key->target < 0) {
    column.column = static_cast<int>(targets_.size());
    targets_.push_back(std::move(key->expression));
  }
  return column;
}

void QueryPlanner::MakeDistinct(size_t width) {
  std::vector<int> columns(width);
  for (size_t i = 0; i < width; ++i) columns[i] = static_cast<int>(i);
  query_.root = std::make_unique<DistinctNode>(std::move(query_.root), std::move(columns));
}

}  // namespace anabranch
