// From the items of FROM and the conditions on them to a plan: the order of inner joins, how each is done, and where each
// condition is judged.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "sql/query/relation.h"

namespace anabranch {

// The order that would save a sort: ascending by these slots. Empty: none is asked for.
struct WantedOrder {
  std::vector<int> slots;
  bool limited = false;  // LIMIT: only the first rows are wanted
};

struct JoinedPlan {
  PlanRef root;
  bool ordered = false;  // as was wanted
};

// `used`: by slot, whether the query uses it. `condition`: WHERE, null: none.
JoinedPlan PlanJoins(std::vector<FromItemRef> items, int width, ExpressionRef condition, const WantedOrder& order,
                     const std::vector<bool>& used);

}  // namespace anabranch
