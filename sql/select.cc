#include "sql/select.h"

#include <algorithm>
#include <map>

#include "base/status.h"
#include "sql/aggregate.h"

namespace anabranch {
namespace {

// A row between the target list and the client, with what it is ordered by.
struct SortedRow {
  Row keys;
  Row output;
  size_t bytes = 0;
};

// Whether rows come out of the scan in the order asked for: ascending by the primary key, columns with one value left out.
bool ScanGivesOrder(const SelectPlan& plan, size_t fixed_columns) {
  if (plan.relation.kind != Relation::Kind::kTable || plan.grouped) return false;
  const std::vector<int>& primary_key = plan.relation.table->primary_key;
  size_t next = 0;
  for (const SortKey& key : plan.order_by) {
    const Expression& expression = key.expression ? *key.expression : *plan.targets[key.target];
    if (key.descending || expression.kind != ExpressionKind::kColumn) return false;
    const auto is_next = [&] { return next < primary_key.size() && primary_key[next] == expression.index; };
    while (next < fixed_columns && !is_next()) ++next;
    if (!is_next()) return false;
    ++next;
  }
  return true;
}

// ORDER BY, OFFSET, LIMIT and the target list.
class Output {
 public:
  Output(const SelectPlan& plan, const Execution& execution, const RowConsumer& consume, bool sorts)
      : plan_(plan), execution_(execution), consume_(consume), sorts_(sorts) {}

  absl::Status Begin() {
    ASSIGN_OR_RETURN(limit_, Count(plan_.limit.get(), INT64_MAX, "LIMIT"));
    ASSIGN_OR_RETURN(offset_, Count(plan_.offset.get(), 0, "OFFSET"));
    return absl::OkStatus();
  }

  // Nothing that is added from now on would be shown.
  bool full() const { return limit_ == 0 || (!sorts_ && shown_ == limit_); }

  absl::Status Add(const Row& row) {
    if (!sorts_) {
      if (skipped_ < offset_) {
        ++skipped_;
        return absl::OkStatus();
      }
      ++shown_;
      RETURN_IF_ERROR(Project(row, &output_));
      return consume_(output_);
    }
    SortedRow sorted;
    RETURN_IF_ERROR(Project(row, &sorted.output));
    for (const SortKey& key : plan_.order_by) {
      if (!key.expression) {
        sorted.keys.push_back(sorted.output[key.target]);
        continue;
      }
      ASSIGN_OR_RETURN(Datum value, Evaluate(*key.expression, row, execution_.evaluation));
      sorted.keys.push_back(std::move(value));
    }
    sorted.bytes = RowBytes(sorted.keys) + RowBytes(sorted.output);
    RETURN_IF_ERROR(memory_.Add(sorted.bytes));
    rows_.push_back(std::move(sorted));
    // Only the first limit + offset rows matter; dropping the others now and then keeps the memory in bounds.
    constexpr size_t kSlackRows = 1024;
    if (limit_ < INT64_MAX / 4 && offset_ < INT64_MAX / 4 && rows_.size() >= 2 * Wanted() + kSlackRows) Trim();
    return absl::OkStatus();
  }

  absl::Status Finish() {
    if (!sorts_) return absl::OkStatus();
    std::stable_sort(rows_.begin(), rows_.end(), [this](const SortedRow& a, const SortedRow& b) { return Before(a, b); });
    for (size_t i = static_cast<size_t>(offset_); i < rows_.size() && shown_ < limit_; ++i, ++shown_) {
      RETURN_IF_ERROR(CheckStop(execution_.stop));
      RETURN_IF_ERROR(consume_(rows_[i].output));
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<int64_t> Count(const Expression* expression, int64_t otherwise, std::string_view what) const {
    if (expression == nullptr) return otherwise;
    ASSIGN_OR_RETURN(const Datum value, Evaluate(*expression, {}, execution_.evaluation));
    if (IsNull(value)) return otherwise;
    const int64_t count = std::get<int64_t>(value);
    if (count >= 0) return count;
    return SqlError(what == "LIMIT" ? "2201W" : "2201X", fmt::format("{} must not be negative", what));
  }

  absl::Status Project(const Row& row, Row* output) const {
    output->clear();
    for (const ExpressionRef& target : plan_.targets) {
      ASSIGN_OR_RETURN(Datum value, Evaluate(*target, row, execution_.evaluation));
      output->push_back(std::move(value));
    }
    return absl::OkStatus();
  }

  bool Before(const SortedRow& a, const SortedRow& b) const {
    for (size_t i = 0; i < plan_.order_by.size(); ++i) {
      const SortKey& key = plan_.order_by[i];
      if (IsNull(a.keys[i]) != IsNull(b.keys[i])) return IsNull(a.keys[i]) == key.nulls_first;
      const std::strong_ordering order = Compare(a.keys[i], b.keys[i]);
      if (order != 0) return key.descending ? order > 0 : order < 0;
    }
    return false;
  }

  size_t Wanted() const { return static_cast<size_t>(limit_ + offset_); }

  void Trim() {
    std::stable_sort(rows_.begin(), rows_.end(), [this](const SortedRow& a, const SortedRow& b) { return Before(a, b); });
    for (size_t i = Wanted(); i < rows_.size(); ++i) memory_.Release(rows_[i].bytes);
    rows_.resize(Wanted());
  }

  const SelectPlan& plan_;
  const Execution& execution_;
  const RowConsumer& consume_;
  const bool sorts_;
  int64_t limit_ = INT64_MAX;
  int64_t offset_ = 0;
  int64_t skipped_ = 0;
  int64_t shown_ = 0;
  Row output_;
  std::vector<SortedRow> rows_;
  MemoryAccount memory_;
};

struct RowLess {
  bool operator()(const Row& a, const Row& b) const {
    for (size_t i = 0; i < a.size(); ++i) {
      if (const auto order = Compare(a[i], b[i]); order != 0) return order < 0;
    }
    return false;
  }
};

// GROUP BY and aggregates. Without GROUP BY all rows are one group, and there is always one.
class Groups {
 public:
  Groups(const SelectPlan& plan, const Execution& execution) : plan_(plan), execution_(execution) {}

  absl::Status Add(const Row& row) {
    ASSIGN_OR_RETURN(std::vector<Accumulator>* const accumulators, Find(row));
    for (size_t i = 0; i < plan_.aggregates.size(); ++i) {
      const Expression& aggregate = *plan_.aggregates[i];
      if (aggregate.arguments.empty()) {
        RETURN_IF_ERROR((*accumulators)[i].Add(Datum(true)));
        continue;
      }
      ASSIGN_OR_RETURN(const Datum value, Evaluate(*aggregate.arguments[0], row, execution_.evaluation));
      RETURN_IF_ERROR((*accumulators)[i].Add(value));
    }
    return absl::OkStatus();
  }

  absl::Status Finish(Output* output) {
    if (plan_.group_by.empty() && groups_.empty()) groups_.emplace(Row(), NewAccumulators());
    for (auto& [key, accumulators] : groups_) {
      RETURN_IF_ERROR(CheckStop(execution_.stop));
      Row row = key;
      for (size_t i = 0; i < accumulators.size(); ++i) {
        ASSIGN_OR_RETURN(Datum value, accumulators[i].Result(plan_.aggregates[i]->type));
        row.push_back(std::move(value));
      }
      if (plan_.having) {
        ASSIGN_OR_RETURN(const bool holds, Holds(*plan_.having, row, execution_.evaluation));
        if (!holds) continue;
      }
      if (output->full()) break;
      RETURN_IF_ERROR(output->Add(row));
    }
    return absl::OkStatus();
  }

 private:
  std::vector<Accumulator> NewAccumulators() const {
    std::vector<Accumulator> accumulators;
    for (const ExpressionRef& aggregate : plan_.aggregates) accumulators.emplace_back(aggregate->aggregate->kind);
    return accumulators;
  }

  absl::StatusOr<std::vector<Accumulator>*> Find(const Row& row) {
    key_.clear();
    for (const ExpressionRef& expression : plan_.group_by) {
      ASSIGN_OR_RETURN(Datum value, Evaluate(*expression, row, execution_.evaluation));
      key_.push_back(std::move(value));
    }
    const auto found = groups_.find(key_);
    if (found != groups_.end()) return &found->second;
    RETURN_IF_ERROR(memory_.Add(RowBytes(key_) + plan_.aggregates.size() * sizeof(Accumulator)));
    return &groups_.emplace(key_, NewAccumulators()).first->second;
  }

  const SelectPlan& plan_;
  const Execution& execution_;
  std::map<Row, std::vector<Accumulator>, RowLess> groups_;
  Row key_;
  MemoryAccount memory_;
};

}  // namespace

absl::Status RunSelect(const SelectPlan& plan, const Execution& execution, const RowConsumer& consume) {
  ScanPlan scan;
  if (plan.relation.kind == Relation::Kind::kTable) {
    ASSIGN_OR_RETURN(scan, PlanSpans(*plan.relation.table, plan.filter.get(), execution.evaluation));
  }
  Output output(plan, execution, consume, !plan.order_by.empty() && !ScanGivesOrder(plan, scan.fixed_columns));
  RETURN_IF_ERROR(output.Begin());
  if (output.full()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::unique_ptr<RowSource> source,
                   OpenRelation(plan.relation, std::move(scan), plan.version_column, execution));
  Groups groups(plan, execution);
  Row row;
  while (plan.grouped || !output.full()) {
    ASSIGN_OR_RETURN(const bool found, source->Next(&row));
    if (!found) break;
    if (plan.filter) {
      ASSIGN_OR_RETURN(const bool holds, Holds(*plan.filter, row, execution.evaluation));
      if (!holds) continue;
    }
    RETURN_IF_ERROR(plan.grouped ? groups.Add(row) : output.Add(row));
  }
  if (plan.grouped) RETURN_IF_ERROR(groups.Finish(&output));
  return output.Finish();
}

}  // namespace anabranch
