// The clauses of a SELECT: what FROM, WHERE, the target list, GROUP BY, ORDER BY and DISTINCT are bound to.
#include <algorithm>

#include "base/status.h"
#include "sql/parse/tree.h"
#include "sql/query/query_planner.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

using Node = pg_query::Node;
using SelectStmt = pg_query::SelectStmt;

}  // namespace

absl::Status QueryPlanner::PlanSimple() {
  for (const Node& item : select_.from_clause()) RETURN_IF_ERROR(from_.Add(item));
  binder_.set_scope(from_.scope());
  level_.sets_allowed = true;
  for (const Node& target : select_.target_list()) RETURN_IF_ERROR(AddTarget(target.res_target()));
  level_.sets_allowed = false;
  ExpressionRef filter;
  if (select_.has_where_clause()) {
    ASSIGN_OR_RETURN(filter, binder_.BindClause(select_.where_clause(), SqlType::kBool, "WHERE"));
  }
  if (select_.has_having_clause()) {
    ASSIGN_OR_RETURN(having_, binder_.BindClause(select_.having_clause(), SqlType::kBool, "HAVING", true));
  }
  RETURN_IF_ERROR(SettleUnknownTargets());
  level_.sets_allowed = true;
  RETURN_IF_ERROR(BindOrder());
  level_.sets_allowed = false;
  RETURN_IF_ERROR(BindDistinct());
  RETURN_IF_ERROR(BindGroups());
  RETURN_IF_ERROR(PlanCounts());
  for (size_t i = 0; i < targets_.size(); ++i) {
    query_.columns[i].type = targets_[i]->type;
    query_.columns[i].modifier = ModifierOf(*targets_[i]);
    query_.locations.push_back(targets_[i]->location);
  }
  if (select_.locking_clause_size() > 0) RETURN_IF_ERROR(CheckLockable());
  return BuildPlan(std::move(filter));
}

absl::Status QueryPlanner::CheckLockable() const {
  const auto refuse = [this](std::string_view what) { return CannotLockWith(select_, what); };
  if (distinct_) return refuse("DISTINCT clause");
  if (grouping_.by_something()) return refuse("GROUP BY clause");
  if (having_) return refuse("HAVING clause");
  if (TargetsContain(ExpressionKind::kRowNumber)) return refuse("window functions");
  if (TargetsContain(ExpressionKind::kSet)) return refuse("set-returning functions in the target list");
  return grouped_ ? refuse("aggregate functions") : absl::OkStatus();
}

absl::Status QueryPlanner::AddTarget(const pg_query::ResTarget& target) {
  const pg_query::ColumnRef& column = target.val().column_ref();
  if (target.val().has_column_ref() && column.fields(column.fields_size() - 1).has_a_star()) return AddStar(column);
  ASSIGN_OR_RETURN(ExpressionRef bound, binder_.Bind(target.val()));
  query_.columns.push_back({.name = target.name().empty() ? ResultName(target.val()) : target.name()});
  targets_.push_back(std::move(bound));
  named_.push_back(&target);
  return absl::OkStatus();
}

absl::Status QueryPlanner::AddStar(const pg_query::ColumnRef& column) {
  const std::vector<ScopeColumn>& columns = from_.scope()->columns;
  const std::string* relation = column.fields_size() > 1 ? &StringOf(column.fields(column.fields_size() - 2)) : nullptr;
  if (relation == nullptr && select_.from_clause_size() == 0) {
    return WithLocation(SqlError(sqlstate::kSyntaxError, "SELECT * with no tables specified is not valid"),
                        column.location());
  }
  bool known = relation == nullptr;
  for (const ScopeColumn& candidate : columns) {
    if (relation != nullptr ? candidate.relation != *relation : candidate.merged) continue;
    known = true;
    if (candidate.hidden) continue;
    query_.columns.push_back({.name = candidate.name});
    targets_.push_back(binder_.UseColumn(candidate));
    targets_.back()->location = column.location();
    named_.push_back(nullptr);
  }
  if (known) return absl::OkStatus();
  return WithLocation(
      SqlError(sqlstate::kUndefinedTable, fmt::format("missing FROM-clause entry for table \"{}\"", *relation)),
      column.location());
}

absl::Status QueryPlanner::SettleUnknownTargets() {
  if (assign_to_ != nullptr) RETURN_IF_ERROR(CheckAssignedCount(targets_.size()));
  query_.unknown_parameters.resize(targets_.size());
  for (size_t i = 0; i < targets_.size(); ++i) {
    ExpressionRef& target = targets_[i];
    if (target->type != SqlType::kUnknown) continue;
    if (assign_to_ != nullptr) {
      ASSIGN_OR_RETURN(target, binder_.Assign(std::move(target), *(*assign_to_)[i]));
      continue;
    }
    if (unknown_ == UnknownColumns::kKeep) {
      kept_unknown_.push_back(i);
      // Its type is for the query around this one to say; its value is then of that type.
      if (target->kind == ExpressionKind::kParameter) {
        query_.unknown_parameters[i] = Clone(*target);
        continue;
      }
    }
    const int index = target->index;
    const int location = target->location;
    ASSIGN_OR_RETURN(target, binder_.Convert(std::move(target), SqlType::kText, Conversion::kImplicit));
    // A parameter that a condition has made something else since.
    if (!target) {
      return WithLocation(
          SqlError(sqlstate::kAmbiguousParameter, fmt::format("inconsistent types deduced for parameter ${}", index + 1)),
          location);
    }
  }
  return absl::OkStatus();
}

absl::Status QueryPlanner::CheckAssignedCount(size_t count) const {
  if (count == assign_to_->size()) return absl::OkStatus();
  return SqlError(sqlstate::kSyntaxError, count > assign_to_->size() ? "INSERT has more expressions than target columns"
                                                                     : "INSERT has more target columns than expressions");
}

absl::Status QueryPlanner::BindOrder() {
  for (const Node& node : select_.sort_clause()) {
    const pg_query::SortBy& sort = node.sort_by();
    OrderKey key = KeyOf(sort);
    ASSIGN_OR_RETURN(key.target, Ordinal(sort.node(), "ORDER BY"));
    if (const std::string* name = SingleName(sort.node())) {
      for (size_t i = 0; i < query_.columns.size() && key.target < 0; ++i) {
        if (query_.columns[i].name == *name) key.target = static_cast<int>(i);
      }
    }
    if (key.target < 0) {
      ASSIGN_OR_RETURN(key.expression, binder_.BindKnown(sort.node()));
      for (size_t i = 0; i < targets_.size() && key.target < 0; ++i) {
        if (*targets_[i] == *key.expression) key.target = static_cast<int>(i);
      }
      if (key.target >= 0) key.expression = nullptr;
    }
    order_.push_back(std::move(key));
  }
  return absl::OkStatus();
}

absl::Status QueryPlanner::BindDistinct() {
  if (select_.distinct_clause_size() == 0) return absl::OkStatus();
  distinct_ = true;
  if (select_.distinct_clause(0).node_case() == Node::NODE_NOT_SET) {
    for (const OrderKey& key : order_) {
      if (key.target >= 0) continue;
      return SqlError(sqlstate::kInvalidColumnReference,
                      "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
    }
    return absl::OkStatus();
  }
  for (const Node& node : select_.distinct_clause()) {
    OrderKey key;
    ASSIGN_OR_RETURN(key.target, Ordinal(node, "SELECT DISTINCT ON"));
    if (key.target < 0) {
      ASSIGN_OR_RETURN(key.expression, binder_.BindKnown(node));
    }
    distinct_on_.push_back(std::move(key));
  }
  for (size_t i = 0; i < std::min(order_.size(), distinct_on_.size()); ++i) {
    const auto same = [&](const OrderKey& on) { return *ValueOf(on) == *ValueOf(order_[i]); };
    if (std::any_of(distinct_on_.begin(), distinct_on_.end(), same)) continue;
    return SqlError(sqlstate::kInvalidColumnReference,
                    "SELECT DISTINCT ON expressions must match initial ORDER BY expressions");
  }
  return absl::OkStatus();
}

absl::Status QueryPlanner::BindGroups() {
  for (const Node& node : select_.group_clause()) {
    ASSIGN_OR_RETURN(ExpressionRef bound, BindGroup(node));
    RETURN_IF_ERROR(RefuseAggregates(*bound, "GROUP BY"));
    if (Contains(*bound, ExpressionKind::kSet)) return UnsupportedError("GROUP BY of a set");
    grouping_.By(std::move(bound));
  }
  std::vector<ExpressionRef*> after;
  for (ExpressionRef& target : targets_) after.push_back(&target);
  for (std::vector<OrderKey>* keys : {&order_, &distinct_on_}) {
    for (OrderKey& key : *keys) {
      if (key.expression) after.push_back(&key.expression);
    }
  }
  if (having_) after.push_back(&having_);
  grouped_ = grouping_.by_something() || having_ != nullptr ||
             std::any_of(after.begin(), after.end(), [](ExpressionRef* e) { return FindAggregateIn(**e) != nullptr; });
  if (!grouped_) return absl::OkStatus();
  return grouping_.PutOver(after, from_);
}

absl::StatusOr<ExpressionRef> QueryPlanner::BindGroup(const Node& node) {
  ASSIGN_OR_RETURN(const int ordinal, Ordinal(node, "GROUP BY"));
  if (ordinal >= 0) return Clone(*targets_[ordinal]);
  if (const std::string* name = SingleName(node)) {
    const std::vector<ScopeColumn>& columns = from_.scope()->columns;
    const bool is_input =
        std::any_of(columns.begin(), columns.end(), [&](const ScopeColumn& c) { return c.name == *name; });
    for (size_t i = 0; i < named_.size() && !is_input; ++i) {
      if (named_[i] != nullptr && named_[i]->name() == *name) return Clone(*targets_[i]);
    }
  }
  return binder_.BindKnown(node);
}

}  // namespace anabranch
