// Brings the rows of a table in line with a changed descriptor: one pass over them.
#pragma once

#include "absl/status/status.h"
#include "sql/query/execution.h"

namespace anabranch {

// Holds every row of `before` to what `after` demands anew (23502, 23514, 23505), builds the indexes of `after` whose ids
// are new, and, if `after` has another id, writes the rows under it. Does not read the rows if there is nothing to do.
// REQUIRES: the table is locked and the statement began after that.
absl::Status ApplyToRows(const TableRef& before, const TableRef& after, const Execution& execution);

}  // namespace anabranch
