#include "sql/query/row_node.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/status.h"
#include "sql/expression/text.h"
#include "sql/query/statement_run.h"
#include "sql/value/memory.h"

namespace anabranch {
namespace {

class FilterSource final : public RowSource {
 public:
  FilterSource(RowSourceRef input, const Expression& condition, const Execution& execution)
      : input_(std::move(input)), condition_(condition), execution_(execution) {}

  absl::StatusOr<bool> Next(Row* row) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool found, input_->Next(row));
      if (!found) return false;
      ASSIGN_OR_RETURN(const bool holds, Holds(condition_, *row, execution_.evaluation));
      if (holds) return true;
    }
  }

 private:
  const RowSourceRef input_;
  const Expression& condition_;
  const Execution& execution_;
};

class NoRows final : public RowSource {
 public:
  absl::StatusOr<bool> Next(Row*) override { return false; }
};

class ProjectSource final : public RowSource {
 public:
  ProjectSource(RowSourceRef input, const std::vector<ExpressionRef>& targets, const Execution& execution)
      : input_(std::move(input)), targets_(targets), execution_(execution) {}

  absl::StatusOr<bool> Next(Row* row) override {
    ASSIGN_OR_RETURN(const bool found, input_->Next(&input_row_));
    if (!found) return false;
    row->resize(targets_.size());
    size_t bytes = 0;
    for (size_t i = 0; i < targets_.size(); ++i) {
      ASSIGN_OR_RETURN((*row)[i], Evaluate(*targets_[i], input_row_, execution_.evaluation));
      RETURN_IF_ERROR(CheckValueBytes("a row", bytes += ValueBytes((*row)[i])));
    }
    return true;
  }

 private:
  const RowSourceRef input_;
  const std::vector<ExpressionRef>& targets_;
  const Execution& execution_;
  Row input_row_;
};

absl::StatusOr<int64_t> Count(const Expression* expression, int64_t otherwise, std::string_view what,
                              const Execution& execution) {
  if (expression == nullptr) return otherwise;
  ASSIGN_OR_RETURN(const Datum value, Evaluate(*expression, {}, execution.evaluation));
  if (IsNull(value)) return otherwise;
  const int64_t count = std::get<int64_t>(value);
  if (count >= 0) return count;
  return SqlError(what == "LIMIT" ? "2201W" : "2201X", fmt::format("{} must not be negative", what));
}

struct Counts {
  int64_t limit = INT64_MAX;
  int64_t offset = 0;
};

absl::StatusOr<Counts> EvaluateCounts(const LimitCounts& counts, const Execution& execution) {
  Counts result;
  ASSIGN_OR_RETURN(result.limit, Count(counts.limit.get(), INT64_MAX, "LIMIT", execution));
  ASSIGN_OR_RETURN(result.offset, Count(counts.offset.get(), 0, "OFFSET", execution));
  return result;
}

class LimitSource final : public RowSource {
 public:
  LimitSource(RowSourceRef input, Counts counts) : input_(std::move(input)), counts_(counts) {}

  absl::StatusOr<bool> Next(Row* row) override {
    for (; counts_.offset > 0; --counts_.offset) {
      ASSIGN_OR_RETURN(const bool found, input_->Next(row));
      if (!found) return false;
    }
    if (counts_.limit == 0) return false;
    --counts_.limit;
    return input_->Next(row);
  }

 private:
  const RowSourceRef input_;
  Counts counts_;
};

class SortSource final : public RowSource {
 public:
  SortSource(RowSourceRef input, const std::vector<SortColumn>& columns, size_t wanted, const Execution& execution)
      : input_(std::move(input)),
        columns_(columns),
        wanted_(wanted),
        execution_(execution),
        memory_(HeldBytes(execution)) {}

  absl::StatusOr<bool> Next(Row* row) override {
    if (input_) {
      RETURN_IF_ERROR(ReadAll());
      input_.reset();
    }
    RETURN_IF_ERROR(CheckStop(execution_.stop));
    if (next_ == rows_.size()) return false;
    *row = std::move(rows_[next_++]);
    return true;
  }

 private:
  absl::Status ReadAll() {
    // Only the first rows may matter; dropping the others now and then keeps the memory in bounds.
    constexpr size_t kSlackRows = 1024;
    constexpr size_t kSlackBytes = kQueryMemoryBytesMax / 4;
    const size_t trim_at = wanted_ < SIZE_MAX / 4 ? 2 * wanted_ + kSlackRows : SIZE_MAX;
    size_t bytes_since_trim = 0;
    Row row;
    while (true) {
      ASSIGN_OR_RETURN(const bool found, input_->Next(&row));
      if (!found) break;
      const size_t bytes = RowBytes(row);
      RETURN_IF_ERROR(memory_.Add(bytes));
      rows_.push_back(std::move(row));
      row.clear();
      bytes_since_trim += bytes;
      if (rows_.size() >= trim_at || (rows_.size() > wanted_ && bytes_since_trim > kSlackBytes)) {
        Trim();
        bytes_since_trim = 0;
      }
    }
    Sort();
    return absl::OkStatus();
  }

  void Sort() {
    std::stable_sort(rows_.begin(), rows_.end(), [this](const Row& a, const Row& b) { return Before(a, b); });
  }

  void Trim() {
    Sort();
    for (size_t i = wanted_; i < rows_.size(); ++i) memory_.Release(RowBytes(rows_[i]));
    rows_.resize(wanted_);
  }

  bool Before(const Row& a, const Row& b) const {
    for (const SortColumn& key : columns_) {
      const SortDirection direction{key.descending, key.nulls_first};
      const std::strong_ordering order = direction.Compare(a[key.column], b[key.column]);
      if (order != 0) return order < 0;
    }
    return false;
  }

  RowSourceRef input_;
  const std::vector<SortColumn>& columns_;
  const size_t wanted_;
  const Execution& execution_;
  std::vector<Row> rows_;
  size_t next_ = 0;
  MemoryAccount memory_;
};

class DistinctSource final : public RowSource {
 public:
  DistinctSource(RowSourceRef input, const std::vector<int>& columns, const Execution& execution)
      : input_(std::move(input)), columns_(columns), memory_(HeldBytes(execution)) {}

  absl::StatusOr<bool> Next(Row* row) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool found, input_->Next(row));
      if (!found) return false;
      key_.clear();
      for (const int column : columns_) key_.push_back((*row)[column]);
      if (seen_.contains(key_)) continue;
      RETURN_IF_ERROR(memory_.Add(RowBytes(key_)));
      seen_.insert(key_);
      return true;
    }
  }

 private:
  const RowSourceRef input_;
  const std::vector<int>& columns_;
  Row key_;
  std::set<Row, RowLess> seen_;
  MemoryAccount memory_;
};

// UNION ALL: one input after the other.
class AppendSource final : public RowSource {
 public:
  AppendSource(RowSourceRef left, RowSourceRef right) : left_(std::move(left)), right_(std::move(right)) {}

  absl::StatusOr<bool> Next(Row* row) override {
    if (left_) {
      ASSIGN_OR_RETURN(const bool found, left_->Next(row));
      if (found) return true;
      left_.reset();
    }
    return right_->Next(row);
  }

 private:
  RowSourceRef left_;
  const RowSourceRef right_;
};

// INTERSECT and EXCEPT: the rows of the right, counted, then those of the left that are among them or are not.
class MatchSource final : public RowSource {
 public:
  MatchSource(SetOperation operation, bool all, RowSourceRef left, RowSourceRef right, const Execution& execution)
      : intersects_(operation == SetOperation::kIntersect),
        all_(all),
        left_(std::move(left)),
        right_(std::move(right)),
        memory_(HeldBytes(execution)) {}

  absl::StatusOr<bool> Next(Row* row) override {
    if (right_) RETURN_IF_ERROR(ReadRight());
    while (true) {
      ASSIGN_OR_RETURN(const bool found, left_->Next(row));
      if (!found) return false;
      ASSIGN_OR_RETURN(const bool shown, Judge(*row));
      if (shown) return true;
    }
  }

 private:
  absl::Status ReadRight() {
    Row row;
    while (true) {
      ASSIGN_OR_RETURN(const bool found, right_->Next(&row));
      if (!found) break;
      ASSIGN_OR_RETURN(uint64_t* const count, CountOf(row));
      ++*count;
    }
    right_.reset();
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t*> CountOf(const Row& row) {
    const auto found = counts_.find(row);
    if (found != counts_.end()) return &found->second;
    RETURN_IF_ERROR(memory_.Add(RowBytes(row)));
    return &counts_.emplace(row, 0).first->second;
  }

  // ALL: every row of the right stands for one of the left. Otherwise each row of the left is shown at most once.
  absl::StatusOr<bool> Judge(const Row& row) {
    if (intersects_) {
      const auto found = counts_.find(row);
      if (found == counts_.end() || found->second == 0) return false;
      found->second = all_ ? found->second - 1 : 0;
      return true;
    }
    ASSIGN_OR_RETURN(uint64_t* const count, CountOf(row));
    if (*count > 0) {
      if (all_) --*count;
      return false;
    }
    if (!all_) *count = 1;
    return true;
  }

  const bool intersects_;
  const bool all_;
  const RowSourceRef left_;
  RowSourceRef right_;
  std::map<Row, uint64_t, RowLess> counts_;
  MemoryAccount memory_;
};

}  // namespace

FilterNode::FilterNode(PlanRef input, ExpressionRef condition)
    : input_(std::move(input)), condition_(std::move(condition)), once_(IsFixed(*condition_)) {}

NodeText FilterNode::Explain() const {
  if (once_) return {.label = "Result", .details = {{"One-Time Filter", ExpressionText(*condition_)}}};
  return {.label = "", .details = {{"Filter", ExpressionText(*condition_)}}};
}

absl::StatusOr<RowSourceRef> FilterNode::DoOpen(const Execution& execution, const Row& outer) const {
  if (once_) {
    ASSIGN_OR_RETURN(const bool holds, Holds(*condition_, {}, execution.evaluation));
    if (!holds) return RowSourceRef(std::make_unique<NoRows>());
    return input_->Open(execution, outer);
  }
  ASSIGN_OR_RETURN(RowSourceRef input, input_->Open(execution, outer));
  return RowSourceRef(std::make_unique<FilterSource>(std::move(input), *condition_, execution));
}

std::vector<const Expression*> ProjectNode::expressions() const {
  std::vector<const Expression*> all;
  for (const ExpressionRef& target : targets_) all.push_back(target.get());
  return all;
}

absl::StatusOr<RowSourceRef> ProjectNode::DoOpen(const Execution& execution, const Row& outer) const {
  ASSIGN_OR_RETURN(RowSourceRef input, input_->Open(execution, outer));
  return RowSourceRef(std::make_unique<ProjectSource>(std::move(input), targets_, execution));
}

absl::StatusOr<RowSourceRef> LimitNode::DoOpen(const Execution& execution, const Row& outer) const {
  ASSIGN_OR_RETURN(const Counts counts, EvaluateCounts(*counts_, execution));
  if (counts.limit == 0) return RowSourceRef(std::make_unique<NoRows>());
  ASSIGN_OR_RETURN(RowSourceRef input, input_->Open(execution, outer));
  return RowSourceRef(std::make_unique<LimitSource>(std::move(input), counts));
}

NodeText SortNode::Explain() const {
  std::string keys;
  for (const SortColumn& column : columns_) {
    keys += (keys.empty() ? "" : ", ") + column.text;
    if (column.descending) keys += " DESC";
    if (column.nulls_first != column.descending) keys += column.nulls_first ? " NULLS FIRST" : " NULLS LAST";
  }
  return {.label = "Sort", .details = {{"Sort Key", keys}}};
}

absl::StatusOr<RowSourceRef> SortNode::DoOpen(const Execution& execution, const Row& outer) const {
  size_t wanted = SIZE_MAX;
  if (counts_ != nullptr) {
    ASSIGN_OR_RETURN(const Counts counts, EvaluateCounts(*counts_, execution));
    if (counts.limit < INT64_MAX / 4 && counts.offset < INT64_MAX / 4) {
      wanted = static_cast<size_t>(counts.limit + counts.offset);
    }
  }
  ASSIGN_OR_RETURN(RowSourceRef input, input_->Open(execution, outer));
  return RowSourceRef(std::make_unique<SortSource>(std::move(input), columns_, wanted, execution));
}

absl::StatusOr<RowSourceRef> DistinctNode::DoOpen(const Execution& execution, const Row& outer) const {
  ASSIGN_OR_RETURN(RowSourceRef input, input_->Open(execution, outer));
  return RowSourceRef(std::make_unique<DistinctSource>(std::move(input), columns_, execution));
}

NodeText SetOperationNode::Explain() const {
  if (operation_ == SetOperation::kUnion) return {.label = "Append", .details = {}};
  const std::string_view name = operation_ == SetOperation::kIntersect ? "Intersect" : "Except";
  return {.label = fmt::format("HashSetOp {}{}", name, all_ ? " All" : ""), .details = {}};
}

absl::StatusOr<RowSourceRef> SetOperationNode::DoOpen(const Execution& execution, const Row& outer) const {
  ASSIGN_OR_RETURN(RowSourceRef left, left_->Open(execution, outer));
  ASSIGN_OR_RETURN(RowSourceRef right, right_->Open(execution, outer));
  if (operation_ == SetOperation::kUnion) {
    return RowSourceRef(std::make_unique<AppendSource>(std::move(left), std::move(right)));
  }
  return RowSourceRef(std::make_unique<MatchSource>(operation_, all_, std::move(left), std::move(right), execution));
}

}  // namespace anabranch
