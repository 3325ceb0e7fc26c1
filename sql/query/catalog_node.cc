#include "sql/query/catalog_node.h"

#include <algorithm>

#include "base/status.h"

namespace anabranch {
namespace {

class CatalogSource final : public RowSource {
 public:
  CatalogSource(std::shared_ptr<const std::vector<Row>> rows, Slots slots, const Execution& execution)
      : rows_(std::move(rows)), slots_(slots), execution_(execution) {}

  absl::StatusOr<bool> Next(Row* row) override {
    RETURN_IF_ERROR(CheckStop(execution_.stop));
    if (next_ == rows_->size()) return false;
    const Row& from = (*rows_)[next_++];
    if (row->size() < static_cast<size_t>(slots_.end)) row->resize(slots_.end);
    std::copy(from.begin(), from.end(), row->begin() + slots_.begin);
    return true;
  }

 private:
  const std::shared_ptr<const std::vector<Row>> rows_;
  const Slots slots_;
  const Execution& execution_;
  size_t next_ = 0;
};

}  // namespace

NodeText CatalogNode::Explain() const {
  const bool same = alias_ == relation_->name;
  return {.label = fmt::format("Catalog Scan on {}{}{}", relation_->name, same ? "" : " ", same ? "" : alias_),
          .details = {}};
}

absl::StatusOr<RowSourceRef> CatalogNode::DoOpen(const Execution& execution, const Row&) const {
  ASSIGN_OR_RETURN(std::shared_ptr<const std::vector<Row>> rows, execution.evaluation.catalog->Rows(*relation_));
  return RowSourceRef(std::make_unique<CatalogSource>(std::move(rows), slots_, execution));
}

}  // namespace anabranch
