// Joins of two plans over FROM's rows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sql/query/plan.h"

namespace anabranch {

enum class JoinKind { kInner, kLeft, kFull };

// The inner plan is opened again for each row of the outer one and reads its columns: a look-up by key, or LATERAL. All
// conditions are the inner plan's.
class LookupJoinNode final : public PlanNode {
 public:
  // REQUIRES: kind is kInner or kLeft.
  LookupJoinNode(JoinKind kind, PlanRef outer, PlanRef inner, Slots inner_slots)
      : kind_(kind), outer_(std::move(outer)), inner_(std::move(inner)), inner_slots_(inner_slots) {}
  NodeText Explain() const override;
  std::vector<const PlanNode*> children() const override { return {outer_.get(), inner_.get()}; }

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const JoinKind kind_;
  const PlanRef outer_;
  const PlanRef inner_;
  const Slots inner_slots_;
};

// The rows of the inner plan are read once and held, by the values of their keys if there are any.
class HashJoinNode final : public PlanNode {
 public:
  struct Spec {
    JoinKind kind = JoinKind::kInner;
    PlanRef outer;
    PlanRef inner;
    Slots outer_slots;                      // kFull
    std::vector<Slots> inner_slots;         // one pair unless kInner
    std::vector<ExpressionRef> outer_keys;  // each equal to ...
    std::vector<ExpressionRef> inner_keys;  // ... the one here
    ExpressionRef condition;                // what else must hold of a pair; null: nothing
  };
  explicit HashJoinNode(Spec spec) : spec_(std::move(spec)) {}
  NodeText Explain() const override;
  std::vector<const PlanNode*> children() const override { return {spec_.outer.get(), spec_.inner.get()}; }
  std::vector<const Expression*> expressions() const override;

 private:
  absl::StatusOr<RowSourceRef> DoOpen(const Execution& execution, const Row& outer) const override;

  const Spec spec_;
};

}  // namespace anabranch
