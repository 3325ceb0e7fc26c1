#include "sql/query/set_node.h"

#include <memory>

namespace anabranch {
namespace {

class SetSource final : public RowSource {
 public:
  SetSource(std::unique_ptr<SetValues> values, Slots slots, const Execution& execution)
      : values_(std::move(values)), slots_(slots), execution_(execution) {}

  absl::StatusOr<bool> Next(Row* row) override {
    RETURN_IF_ERROR(CheckStop(execution_.stop));
    Datum value;
    ASSIGN_OR_RETURN(const bool found, values_->Next(&value));
    if (!found) return false;
    if (row->size() < static_cast<size_t>(slots_.end)) row->resize(slots_.end);
    int slot = slots_.begin;
    const Array* record = std::get_if<Array>(&value);
    if (record != nullptr && record->items->form == ArrayForm::kRecord) {
      for (const Datum& field : record->items->values) (*row)[slot++] = field;
    } else {
      (*row)[slot++] = std::move(value);
    }
    ++number_;
    if (slot < slots_.end) (*row)[slot] = number_;
    return true;
  }

 private:
  const std::unique_ptr<SetValues> values_;
  const Slots slots_;
  const Execution& execution_;
  int64_t number_ = 0;
};

class ProjectSetSource final : public RowSource {
 public:
  ProjectSetSource(RowSourceRef input, const std::vector<ExpressionRef>& sets, int width, const Execution& execution)
      : input_(std::move(input)), sets_(sets), width_(width), execution_(execution) {}

  absl::StatusOr<bool> Next(Row* row) override {
    while (true) {
      RETURN_IF_ERROR(CheckStop(execution_.stop));
      if (open_.empty()) {
        ASSIGN_OR_RETURN(const bool found, input_->Next(&input_row_));
        if (!found) return false;
        for (const ExpressionRef& set : sets_) {
          ASSIGN_OR_RETURN(open_.emplace_back(), OpenSet(*set, input_row_, execution_.evaluation));
        }
      }
      *row = input_row_;
      row->resize(width_);
      bool any = false;
      for (const std::unique_ptr<SetValues>& values : open_) {
        ASSIGN_OR_RETURN(const bool found, values->Next(&row->emplace_back()));
        any = any || found;
      }
      if (any) return true;
      open_.clear();
    }
  }

 private:
  const RowSourceRef input_;
  const std::vector<ExpressionRef>& sets_;
  const size_t width_;
  const Execution& execution_;
  Row input_row_;
  std::vector<std::unique_ptr<SetValues>> open_;  // of input_row_; empty: the next one is to be read
};

}  // namespace

NodeText SetNode::Explain() const {
  return {.label = fmt::format("Function Scan on {}{}", name_, alias_ == name_ ? "" : " " + alias_), .details = {}};
}

absl::StatusOr<RowSourceRef> SetNode::DoOpen(const Execution& execution, const Row& outer) const {
  ASSIGN_OR_RETURN(std::unique_ptr<SetValues> values, OpenSet(*expression_, outer, execution.evaluation));
  return RowSourceRef(std::make_unique<SetSource>(std::move(values), slots_, execution));
}

std::vector<const Expression*> ProjectSetNode::expressions() const {
  std::vector<const Expression*> all;
  for (const ExpressionRef& set : sets_) all.push_back(set.get());
  return all;
}

absl::StatusOr<RowSourceRef> ProjectSetNode::DoOpen(const Execution& execution, const Row& outer) const {
  ASSIGN_OR_RETURN(RowSourceRef input, input_->Open(execution, outer));
  return RowSourceRef(std::make_unique<ProjectSetSource>(std::move(input), sets_, width_, execution));
}

}  // namespace anabranch
