// Functions that return sets of values: in FROM, where each value is a row, and in the target list of a SELECT, where the
// row is repeated for each value.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "sql/expression/expression.h"

namespace anabranch {

enum class SetFunction {
  kSeries,       // generate_series of integers: start, stop and perhaps a step
  kUnnest,       // the items of an array
  kSubscripts,   // generate_subscripts: their indexes
  kExpandArray,  // information_schema._pg_expandarray: records of an item and its number, counted from 1
};
std::optional<SetFunction> SetFunctionNamed(std::string_view name);
std::string_view SetFunctionName(SetFunction function);

// The fields of kExpandArray's records.
inline constexpr std::string_view kExpandedItem = "x";
inline constexpr std::string_view kExpandedNumber = "n";

class SetValues {
 public:
  virtual ~SetValues() = default;
  virtual absl::StatusOr<bool> Next(Datum* value) = 0;  // false at the end
};
// The values of a kSet expression, or the one value of another. 22023 for a series without steps. `context` outlives them.
absl::StatusOr<std::unique_ptr<SetValues>> OpenSet(const Expression& expression, const Row& row,
                                                   const EvaluationContext& context);

}  // namespace anabranch
