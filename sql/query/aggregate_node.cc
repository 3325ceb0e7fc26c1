#include "sql/query/aggregate_node.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/status.h"
#include "sql/expression/aggregate.h"
#include "sql/expression/text.h"
#include "sql/query/statement_run.h"

namespace anabranch {
namespace {

// One aggregate over one group, with DISTINCT and ORDER BY.
struct GroupAggregate {
  explicit GroupAggregate(AggregateKind kind) : accumulator(kind) {}
  Accumulator accumulator;
  std::set<Row, RowLess> seen;
  std::vector<Row> held;  // with ORDER BY: the arguments, to be aggregated in its order at the end
};
using Group = std::vector<GroupAggregate>;

// Of rows that end with the values of an aggregate's ORDER BY.
void Sort(const std::vector<SortDirection>& order, std::vector<Row>* rows) {
  std::stable_sort(rows->begin(), rows->end(), [&](const Row& a, const Row& b) {
    const size_t first = a.size() - order.size();
    for (size_t i = 0; i < order.size(); ++i) {
      if (const auto compared = order[i].Compare(a[first + i], b[first + i]); compared != 0) return compared < 0;
    }
    return false;
  });
}

class AggregateSource final : public RowSource {
 public:
  AggregateSource(RowSourceRef input, const std::vector<ExpressionRef>& group_by,
                  const std::vector<ExpressionRef>& aggregates, const Execution& execution)
      : input_(std::move(input)),
        group_by_(group_by),
        aggregates_(aggregates),
        execution_(execution),
        memory_(HeldBytes(execution)) {}

  absl::StatusOr<bool> Next(Row* row) override {
    if (input_) {
      RETURN_IF_ERROR(ReadAll());
      input_.reset();
      next_ = groups_.begin();
    }
    RETURN_IF_ERROR(CheckStop(execution_.stop));
    if (next_ == groups_.end()) return false;
    *row = next_->first;
    for (size_t i = 0; i < aggregates_.size(); ++i) {
      GroupAggregate& aggregate = next_->second[i];
      Sort(aggregates_[i]->order, &aggregate.held);
      for (const Row& held : aggregate.held) RETURN_IF_ERROR(aggregate.accumulator.Add(held[0], held[1]));
      ASSIGN_OR_RETURN(Datum value, aggregate.accumulator.Result(aggregates_[i]->type));
      row->push_back(std::move(value));
    }
    ++next_;
    return true;
  }

 private:
  absl::Status ReadAll() {
    Row row;
    while (true) {
      ASSIGN_OR_RETURN(const bool found, input_->Next(&row));
      if (!found) break;
      ASSIGN_OR_RETURN(Group* const group, GroupOf(row));
      for (size_t i = 0; i < aggregates_.size(); ++i) RETURN_IF_ERROR(Add(*aggregates_[i], row, &(*group)[i]));
    }
    if (group_by_.empty() && groups_.empty()) groups_.emplace(Row(), NewGroup());
    return absl::OkStatus();
  }

  Group NewGroup() const {
    Group group;
    group.reserve(aggregates_.size());
    for (const ExpressionRef& aggregate : aggregates_) group.emplace_back(aggregate->aggregate->kind);
    return group;
  }

  absl::StatusOr<Group*> GroupOf(const Row& row) {
    key_.clear();
    for (const ExpressionRef& expression : group_by_) {
      ASSIGN_OR_RETURN(Datum value, Evaluate(*expression, row, execution_.evaluation));
      key_.push_back(std::move(value));
    }
    const auto found = groups_.find(key_);
    if (found != groups_.end()) return &found->second;
    RETURN_IF_ERROR(memory_.Add(RowBytes(key_) + aggregates_.size() * sizeof(GroupAggregate)));
    return &groups_.emplace(key_, NewGroup()).first->second;
  }

  absl::Status Add(const Expression& aggregate, const Row& row, GroupAggregate* state) {
    size_t arguments = aggregate.arguments.size();
    if (aggregate.filtered) {
      ASSIGN_OR_RETURN(const bool counts, Holds(*aggregate.arguments[--arguments], row, execution_.evaluation));
      if (!counts) return absl::OkStatus();
    }
    if (arguments == 0) return state->accumulator.Add(Datum(true), {});
    ASSIGN_OR_RETURN(Datum value, Evaluate(*aggregate.arguments[0], row, execution_.evaluation));
    if (IsNull(value) && !KeepsNulls(aggregate.aggregate->kind)) return absl::OkStatus();
    if (aggregate.distinct && !state->seen.insert({value}).second) return absl::OkStatus();
    if (aggregate.distinct) RETURN_IF_ERROR(memory_.Add(sizeof(Row) + RowBytes({value})));
    const size_t keys = aggregate.order.size();
    Datum separator;
    if (arguments - keys > 1) {
      ASSIGN_OR_RETURN(separator, Evaluate(*aggregate.arguments[1], row, execution_.evaluation));
    }
    if (keys == 0) return Accumulate(value, separator, &state->accumulator);
    Row held = {std::move(value), std::move(separator)};
    for (size_t i = arguments - keys; i < arguments; ++i) {
      ASSIGN_OR_RETURN(held.emplace_back(), Evaluate(*aggregate.arguments[i], row, execution_.evaluation));
    }
    RETURN_IF_ERROR(memory_.Add(RowBytes(held)));
    state->held.push_back(std::move(held));
    return absl::OkStatus();
  }

  absl::Status Accumulate(const Datum& value, const Datum& separator, Accumulator* accumulator) {
    const size_t before = accumulator->held_bytes();
    RETURN_IF_ERROR(accumulator->Add(value, separator));
    memory_.Release(before);
    return memory_.Add(accumulator->held_bytes());
  }

  RowSourceRef input_;
  const std::vector<ExpressionRef>& group_by_;
  const std::vector<ExpressionRef>& aggregates_;
  const Execution& execution_;
  std::map<Row, Group, RowLess> groups_;
  std::map<Row, Group, RowLess>::iterator next_;
  Row key_;
  MemoryAccount memory_;
};

}  // namespace

NodeText AggregateNode::Explain() const {
  if (group_by_.empty()) return {.label = "Aggregate", .details = {}};
  std::string keys;
  for (const ExpressionRef& expression : group_by_) keys += (keys.empty() ? "" : ", ") + ExpressionText(*expression);
  return {.label = "GroupAggregate", .details = {{"Group Key", keys}}};
}

std::vector<const Expression*> AggregateNode::expressions() const {
  std::vector<const Expression*> all;
  for (const ExpressionRef& expression : group_by_) all.push_back(expression.get());
  for (const ExpressionRef& expression : aggregates_) all.push_back(expression.get());
  return all;
}

absl::StatusOr<RowSourceRef> AggregateNode::DoOpen(const Execution& execution, const Row& outer) const {
  ASSIGN_OR_RETURN(RowSourceRef input, input_->Open(execution, outer));
  return RowSourceRef(std::make_unique<AggregateSource>(std::move(input), group_by_, aggregates_, execution));
}

}  // namespace anabranch
