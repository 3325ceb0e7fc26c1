#include "sql/query/join_planner.h"

#include <algorithm>

#include "sql/query/ordered_path.h"
#include "sql/query/relation_node.h"
#include "sql/query/row_node.h"

namespace anabranch {
namespace {

using Conditions = std::vector<ExpressionRef>;
using SlotSet = std::vector<bool>;

// Rough numbers of rows, only good to tell a look-up from a scan.
constexpr double kRowsByEquality = 20;
constexpr double kRowsByRange = 1000;
constexpr double kRowsOfOther = 2000;
constexpr double kRowsOfTable = 100'000;

struct Planned {
  PlanRef node;
  double rows = 1;
};

void Split(ExpressionRef condition, Conditions* parts) {
  if (condition->kind != ExpressionKind::kAnd) {
    parts->push_back(std::move(condition));
    return;
  }
  for (ExpressionRef& argument : condition->arguments) Split(std::move(argument), parts);
}

// All of `conditions` joined by AND; null: none.
ExpressionRef Both(Conditions conditions) {
  if (conditions.empty()) return nullptr;
  if (conditions.size() == 1) return std::move(conditions[0]);
  ExpressionRef all = MakeExpression(ExpressionKind::kAnd, SqlType::kBool);
  all->arguments = std::move(conditions);
  return all;
}

bool Within(const Expression& expression, const SlotSet& slots) {
  if (expression.kind == ExpressionKind::kColumn && !slots[expression.index]) return false;
  return std::all_of(expression.arguments.begin(), expression.arguments.end(),
                     [&](const ExpressionRef& argument) { return Within(*argument, slots); });
}

bool Touches(const Expression& expression, const SlotSet& slots) {
  if (expression.kind == ExpressionKind::kColumn && slots[expression.index]) return true;
  return std::any_of(expression.arguments.begin(), expression.arguments.end(),
                     [&](const ExpressionRef& argument) { return Touches(*argument, slots); });
}

// Moves out the conditions for which `predicate` holds.
template <typename Predicate>
Conditions Take(Conditions* conditions, const Predicate& predicate) {
  Conditions taken;
  for (ExpressionRef& condition : *conditions) {
    if (predicate(*condition)) taken.push_back(std::move(condition));
  }
  std::erase(*conditions, nullptr);
  return taken;
}

std::vector<const Expression*> Pointers(const Conditions& conditions) {
  std::vector<const Expression*> pointers;
  for (const ExpressionRef& condition : conditions) pointers.push_back(condition.get());
  return pointers;
}

PlanRef Filtered(PlanRef input, Conditions conditions) {
  if (conditions.empty()) return input;
  return std::make_unique<FilterNode>(std::move(input), Both(std::move(conditions)));
}

class JoinPlanner {
 public:
  JoinPlanner(int width, const WantedOrder& order, const std::vector<bool>& used)
      : width_(width), order_(order), used_(used) {}

  // One item alone may be read in the order wanted.
  Planned PlanOnly(FromItem& item, Conditions conditions, bool* ordered) {
    if (item.is_join() || !item.table || order_.slots.empty()) return Plan(item, std::move(conditions));
    AccessPath path = ChoosePath(*item.table, Pointers(conditions), item.slots.begin);
    *ordered = FindOrderedPath(*item.table, item.slots.begin, Pointers(conditions), order_, &path);
    return PlanTable(item, path, std::move(conditions));
  }

  // `conditions` are within the item's slots, or fixed.
  Planned Plan(FromItem& item, Conditions conditions) {
    if (item.is_join()) {
      if (item.kind != JoinKind::kInner) return PlanOuterJoin(item, std::move(conditions));
      std::vector<FromItem*> items;
      Flatten(&item, &items, &conditions);
      return PlanInnerJoins(std::move(items), std::move(conditions));
    }
    if (item.table) {
      const AccessPath path = ChoosePath(*item.table, Pointers(conditions), item.slots.begin);
      return PlanTable(item, path, std::move(conditions));
    }
    return {Filtered(std::move(item.node), std::move(conditions)), kRowsOfOther};
  }

  Planned PlanInnerJoins(std::vector<FromItem*> items, Conditions conditions) {
    SlotSet joined(width_, false);
    Planned plan;
    while (!items.empty()) {
      size_t best = 0;
      double best_score = -1;
      for (size_t i = 0; i < items.size(); ++i) {
        const double score = Score(*items[i], joined, conditions, plan.node != nullptr);
        if (score > best_score) {
          best = i;
          best_score = score;
        }
      }
      FromItem& item = *items[best];
      items.erase(items.begin() + static_cast<ptrdiff_t>(best));
      if (plan.node == nullptr) {
        const SlotSet own = SetOf(item.slots);
        plan = Plan(item, Take(&conditions, [&](const Expression& e) { return Within(e, own); }));
      } else {
        plan = JoinInner(std::move(plan), item, joined, &conditions);
      }
      Mark(item.slots, &joined);
    }
    return plan;
  }

  void Flatten(FromItem* item, std::vector<FromItem*>* items, Conditions* conditions) {
    if (!item->is_join() || item->kind != JoinKind::kInner) {
      items->push_back(item);
      return;
    }
    Flatten(item->left.get(), items, conditions);
    Flatten(item->right.get(), items, conditions);
    for (ExpressionRef& condition : item->on) Split(std::move(condition), conditions);
  }

 private:
  SlotSet SetOf(Slots slots) const {
    SlotSet set(width_, false);
    Mark(slots, &set);
    return set;
  }
  static void Mark(Slots slots, SlotSet* set) {
    for (int i = slots.begin; i < slots.end; ++i) (*set)[i] = true;
  }

  Planned PlanTable(FromItem& item, const AccessPath& path, Conditions conditions) const {
    const double rows = path.IsPoint(*item.table) ? 1
                        : path.equal_columns > 0  ? kRowsByEquality
                        : path.used_columns > 0   ? kRowsByRange
                                                  : kRowsOfTable;
    const size_t version = static_cast<size_t>(item.slots.end) - 1;
    const bool reads_version = version < used_.size() && used_[version];
    return {std::make_unique<TableNode>(
                TableNode::Spec{.table = item.table,
                                .alias = item.alias,
                                .slots = item.slots,
                                .filter = Both(std::move(conditions)),
                                .version_column = reads_version ? VersionColumn::kRead : VersionColumn::kSkip,
                                .path = path}),
            rows};
  }

  // Whether the conditions, with the columns of `joined` known, are a look-up in the item's table.
  bool IsLookup(const FromItem& item, const std::vector<const Expression*>& conditions, const SlotSet& joined,
                AccessPath* path) const {
    if (!item.table) return false;
    *path = ChoosePath(*item.table, conditions, item.slots.begin);
    return path->equal_columns > 0 && std::any_of(conditions.begin(), conditions.end(), [&](const Expression* condition) {
             return Touches(*condition, joined) && path->Uses(*item.table, item.slots.begin, *condition);
           });
  }

  // -1: it cannot be next.
  double Score(const FromItem& item, const SlotSet& joined, const Conditions& conditions, bool has_plan) const {
    if (std::any_of(item.needs.begin(), item.needs.end(), [&](int slot) { return !joined[slot]; })) return -1;
    SlotSet known = joined;
    Mark(item.slots, &known);
    std::vector<const Expression*> usable;
    for (const ExpressionRef& condition : conditions) {
      if (Within(*condition, known)) usable.push_back(condition.get());
    }
    if (!item.table && !has_plan) return 1;
    AccessPath path;
    if (!has_plan) {
      path = ChoosePath(*item.table, usable, item.slots.begin);
      return path.IsPoint(*item.table) ? 4 : path.equal_columns > 0 ? 3 : path.used_columns > 0 ? 2 : 1;
    }
    if (IsLookup(item, usable, joined, &path)) return path.IsPoint(*item.table) ? 5 : 3;
    const SlotSet own = SetOf(item.slots);
    const bool hashes = std::any_of(usable.begin(), usable.end(),
                                    [&](const Expression* condition) { return IsHashable(*condition, joined, own) != 0; });
    if (hashes) return 2;
    if (item.table && ChoosePath(*item.table, usable, item.slots.begin).IsPoint(*item.table)) return 4;
    return 0;
  }

  // An equality of something of `left` and something of `right`: 1; the other way round: 2; else 0.
  static int IsHashable(const Expression& condition, const SlotSet& left, const SlotSet& right) {
    if (condition.kind != ExpressionKind::kCompare || condition.compare != CompareOperator::kEqual) return 0;
    const Expression& a = *condition.arguments[0];
    const Expression& b = *condition.arguments[1];
    if (Within(a, left) && Touches(a, left) && Within(b, right) && Touches(b, right)) return 1;
    if (Within(b, left) && Touches(b, left) && Within(a, right) && Touches(a, right)) return 2;
    return 0;
  }

  Planned JoinInner(Planned plan, FromItem& item, const SlotSet& joined, Conditions* conditions) {
    const SlotSet own = SetOf(item.slots);
    SlotSet known = joined;
    Mark(item.slots, &known);
    Conditions usable = Take(conditions, [&](const Expression& e) { return Within(e, known); });
    AccessPath path;
    if (IsLookup(item, Pointers(usable), joined, &path)) {
      Planned inner = PlanTable(item, path, std::move(usable));
      const double rows = plan.rows * inner.rows;
      return {std::make_unique<LookupJoinNode>(JoinKind::kInner, std::move(plan.node), std::move(inner.node), item.slots),
              rows};
    }
    if (!item.needs.empty()) {
      PlanRef inner = Filtered(std::move(item.node), std::move(usable));
      return {std::make_unique<LookupJoinNode>(JoinKind::kInner, std::move(plan.node), std::move(inner), item.slots),
              plan.rows * kRowsByEquality};
    }
    Planned inner = Plan(item, Take(&usable, [&](const Expression& e) { return Within(e, own); }));
    HashJoinNode::Spec spec;
    // The smaller side is the one to be held.
    const bool swapped = plan.rows < inner.rows;
    spec.inner_slots = SlotsOf(swapped ? joined : own);
    if (swapped) std::swap(plan, inner);
    TakeKeys(&usable, swapped ? own : joined, swapped ? joined : own, &spec);
    const double rows = spec.outer_keys.empty() ? plan.rows * inner.rows : std::max(plan.rows, inner.rows);
    spec.outer = std::move(plan.node);
    spec.inner = std::move(inner.node);
    spec.condition = Both(std::move(usable));
    return {std::make_unique<HashJoinNode>(std::move(spec)), rows};
  }

  static std::vector<Slots> SlotsOf(const SlotSet& set) {
    std::vector<Slots> all;
    for (int i = 0; i < static_cast<int>(set.size()); ++i) {
      if (!set[i]) continue;
      if (all.empty() || all.back().end != i) all.push_back({i, i});
      all.back().end = i + 1;
    }
    return all;
  }

  static void TakeKeys(Conditions* conditions, const SlotSet& outer, const SlotSet& inner, HashJoinNode::Spec* spec) {
    for (ExpressionRef& condition : *conditions) {
      const int side = IsHashable(*condition, outer, inner);
      if (side == 0) continue;
      spec->outer_keys.push_back(std::move(condition->arguments[side - 1]));
      spec->inner_keys.push_back(std::move(condition->arguments[2 - side]));
      condition = nullptr;
    }
    std::erase(*conditions, nullptr);
  }

  Planned PlanOuterJoin(FromItem& item, Conditions conditions) {
    Conditions on;
    for (ExpressionRef& condition : item.on) Split(std::move(condition), &on);
    const SlotSet left = SetOf(item.left->slots);
    const SlotSet right = SetOf(item.right->slots);
    // A row of the left appears whatever the right has: conditions on it alone may be judged before.
    Conditions early;
    if (item.kind == JoinKind::kLeft) early = Take(&conditions, [&](const Expression& e) { return Within(e, left); });
    Planned outer = Plan(*item.left, std::move(early));
    PlanRef node;
    AccessPath path;
    if (item.kind == JoinKind::kLeft && IsLookup(*item.right, Pointers(on), left, &path)) {
      Planned inner = PlanTable(*item.right, path, std::move(on));
      node = std::make_unique<LookupJoinNode>(JoinKind::kLeft, std::move(outer.node), std::move(inner.node),
                                              item.right->slots);
    } else if (item.kind == JoinKind::kLeft && !item.right->needs.empty()) {
      PlanRef inner = Filtered(std::move(item.right->node), std::move(on));
      node = std::make_unique<LookupJoinNode>(JoinKind::kLeft, std::move(outer.node), std::move(inner), item.right->slots);
    } else {
      Conditions inner_only;
      if (item.kind == JoinKind::kLeft) inner_only = Take(&on, [&](const Expression& e) { return Within(e, right); });
      Planned inner = Plan(*item.right, std::move(inner_only));
      HashJoinNode::Spec spec;
      spec.kind = item.kind;
      spec.outer = std::move(outer.node);
      spec.inner = std::move(inner.node);
      spec.outer_slots = item.left->slots;
      spec.inner_slots = {item.right->slots};
      TakeKeys(&on, left, right, &spec);
      spec.condition = Both(std::move(on));
      node = std::make_unique<HashJoinNode>(std::move(spec));
    }
    return {Filtered(std::move(node), std::move(conditions)), outer.rows * 2};
  }

  const int width_;
  const WantedOrder& order_;
  const std::vector<bool>& used_;
};

}  // namespace

JoinedPlan PlanJoins(std::vector<FromItemRef> items, int width, ExpressionRef condition, const WantedOrder& order,
                     const std::vector<bool>& used) {
  Conditions conditions;
  if (condition) Split(std::move(condition), &conditions);
  // What is the same for all rows is judged once.
  Conditions once = Take(&conditions, [](const Expression& e) { return IsFixed(e); });
  JoinedPlan result;
  JoinPlanner planner(width, order, used);
  if (items.empty()) {
    result.root = Filtered(std::make_unique<OneRowNode>(), std::move(conditions));
  } else if (items.size() == 1) {
    result.root = planner.PlanOnly(*items[0], std::move(conditions), &result.ordered).node;
  } else {
    std::vector<FromItem*> flat;
    for (const FromItemRef& item : items) planner.Flatten(item.get(), &flat, &conditions);
    result.root = planner.PlanInnerJoins(std::move(flat), std::move(conditions)).node;
  }
  result.root = Filtered(std::move(result.root), std::move(once));
  return result;
}

}  // namespace anabranch
