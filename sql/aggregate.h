// count, sum, min, max, avg, bool_and, bool_or, string_agg.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sql/datum.h"

namespace anabranch {

enum class AggregateKind { kCount, kSum, kMin, kMax, kAverage, kBoolAnd, kBoolOr, kStringAgg };

struct AggregateFunction {
  std::string_view name;
  AggregateKind kind;
};

const AggregateFunction* FindAggregate(std::string_view name);
// nullopt: there is no such aggregate of that type.
std::optional<SqlType> AggregateResult(AggregateKind kind, SqlType argument);

// Whether nulls are aggregated as other values are.
constexpr bool KeepsNulls(AggregateKind) { return false; }
// One aggregate over one group.
class Accumulator {
 public:
  explicit Accumulator(AggregateKind kind) : kind_(kind) {}

  // Nulls are not aggregated. For count(*) any value that is not null. `separator`: of string_agg.
  absl::Status Add(const Datum& value, const Datum& separator = {});
  absl::StatusOr<Datum> Result(SqlType type) const;
  // Of the values kept: text so far, a least or greatest one.
  size_t held_bytes() const;

 private:
  absl::Status AddFloat(double value);

  const AggregateKind kind_;
  int64_t count_ = 0;
  __int128 integers_ = 0;  // sum of the integers: 2^64 of them fit
  Numeric numerics_;       // sum of the numerics
  double floats_ = 0;      // sum of float4 and float8
  Interval intervals_;     // sum of the intervals
  Datum extreme_;
  std::string text_;
};

}  // namespace anabranch
