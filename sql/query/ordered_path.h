// ORDER BY without a sort: whether the rows of one table come in the order wanted if they are read by its primary key or by
// an index.
#pragma once

#include <vector>

#include "sql/query/span_planner.h"

namespace anabranch {

// The order that would save a sort: ascending by these slots. Empty: none is asked for.
struct WantedOrder {
  std::vector<int> slots;
  bool limited = false;  // LIMIT: only the first rows are wanted
};

// Whether rows by *path come in the order wanted, or rows by another key that restricts as much: then *path is that one.
// The table's columns are the slots from `first_slot` on.
bool FindOrderedPath(const Table& table, int first_slot, const std::vector<const Expression*>& conditions,
                     const WantedOrder& order, AccessPath* path);

}  // namespace anabranch
