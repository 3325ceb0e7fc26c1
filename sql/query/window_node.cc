#include "sql/query/window_node.h"

#include <algorithm>
#include <numeric>

#include "base/status.h"
#include "sql/query/statement_run.h"

namespace anabranch {
namespace {

class WindowSource final : public RowSource {
 public:
  WindowSource(RowSourceRef input, const std::vector<ExpressionRef>& numbers, int width, const Execution& execution)
      : input_(std::move(input)), numbers_(numbers), width_(width), execution_(execution), memory_(HeldBytes(execution)) {}

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
    Row row;
    while (true) {
      ASSIGN_OR_RETURN(const bool found, input_->Next(&row));
      if (!found) break;
      rows_.push_back(row);
      rows_.back().resize(width_);
      RETURN_IF_ERROR(memory_.Add(RowBytes(rows_.back()) + numbers_.size() * sizeof(Datum)));
    }
    for (const ExpressionRef& number : numbers_) RETURN_IF_ERROR(Number(*number));
    return absl::OkStatus();
  }

  // Puts the numbers after what the rows have, and the rows in the order they were counted in.
  absl::Status Number(const Expression& number) {
    std::vector<Row> keys(rows_.size());
    MemoryAccount memory(HeldBytes(execution_));
    for (size_t i = 0; i < rows_.size(); ++i) {
      for (const ExpressionRef& argument : number.arguments) {
        ASSIGN_OR_RETURN(keys[i].emplace_back(), Evaluate(*argument, rows_[i], execution_.evaluation));
      }
      RETURN_IF_ERROR(memory.Add(RowBytes(keys[i])));
    }
    const auto partition = static_cast<size_t>(number.index);
    const auto same_partition = [&](const Row& a, const Row& b) {
      return std::equal(a.begin(), a.begin() + number.index, b.begin(),
                        [](const Datum& x, const Datum& y) { return Compare(x, y) == 0; });
    };
    std::vector<size_t> order(rows_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      for (size_t i = 0; i < number.arguments.size(); ++i) {
        const SortDirection direction = i < partition ? SortDirection() : number.order[i - partition];
        if (const auto compared = direction.Compare(keys[a][i], keys[b][i]); compared != 0) return compared < 0;
      }
      return false;
    });
    std::vector<Row> ordered;
    int64_t count = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      const bool first = i == 0 || !same_partition(keys[order[i - 1]], keys[order[i]]);
      count = first ? 1 : count + 1;
      ordered.push_back(std::move(rows_[order[i]]));
      ordered.back().emplace_back(count);
    }
    rows_ = std::move(ordered);
    return absl::OkStatus();
  }

  RowSourceRef input_;
  const std::vector<ExpressionRef>& numbers_;
  const int width_;
  const Execution& execution_;
  MemoryAccount memory_;
  std::vector<Row> rows_;
  size_t next_ = 0;
};

}  // namespace

std::vector<const Expression*> WindowNode::expressions() const {
  std::vector<const Expression*> all;
  for (const ExpressionRef& number : numbers_) all.push_back(number.get());
  return all;
}

absl::StatusOr<RowSourceRef> WindowNode::DoOpen(const Execution& execution, const Row& outer) const {
  ASSIGN_OR_RETURN(RowSourceRef input, input_->Open(execution, outer));
  return RowSourceRef(std::make_unique<WindowSource>(std::move(input), numbers_, width_, execution));
}

}  // namespace anabranch
