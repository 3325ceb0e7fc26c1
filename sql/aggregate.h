// count, sum, min, max, avg.
#pragma once

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "sql/datum.h"

namespace anabranch {

enum class AggregateKind { kCount, kSum, kMin, kMax, kAverage };

struct AggregateFunction {
  std::string_view name;
  AggregateKind kind;
};

const AggregateFunction* FindAggregate(std::string_view name);
// nullopt: there is no such aggregate of that type.
std::optional<SqlType> AggregateResult(AggregateKind kind, SqlType argument);

// One aggregate over one group.
class Accumulator {
 public:
  explicit Accumulator(AggregateKind kind) : kind_(kind) {}

  // Nulls are not aggregated. For count(*) any value that is not null.
  absl::Status Add(const Datum& value);
  absl::StatusOr<Datum> Result(SqlType type) const;

 private:
  const AggregateKind kind_;
  int64_t count_ = 0;
  __int128 integers_ = 0;  // sum of the integers: 2^64 of them fit
  Numeric numerics_;       // sum of the numerics
  Datum extreme_;
};

}  // namespace anabranch
