// The plan node of a system catalog in FROM.
#pragma once

#include <string>

#include "sql/catalog/relation.h"
#include "sql/query/plan.h"

namespace anabranch {

class CatalogNode final : public PlanNode {
 public:
  // `relation` is one of CatalogRelations().
  CatalogNode(const CatalogRelation* relation, std::string alias, Slots slots)
      : relation_(relation), alias_(std::move(alias)), slots_(slots) {}
  NodeText Explain() const override;

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const CatalogRelation* const relation_;
  const std::string alias_;
  const Slots slots_;
};

}  // namespace anabranch
