// From the items of FROM and the conditions on them to a plan: the order of inner joins, how each is done, and where each
// condition is judged.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "sql/query/ordered_path.h"
#include "sql/query/relation.h"

namespace anabranch {

struct JoinedPlan {
  PlanRef root;
  bool ordered = false;  // the rows come in the order wanted
};

// `used`: by slot, whether the query uses it. `condition`: WHERE, null: none.
JoinedPlan PlanJoins(std::vector<FromItemRef> items, int width, ExpressionRef condition, const WantedOrder& order,
                     const std::vector<bool>& used);

}  // namespace anabranch
