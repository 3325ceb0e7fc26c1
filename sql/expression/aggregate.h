// count, sum, min, max, avg, bool_and, bool_or, string_agg, array_agg.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/value/datum.h"

namespace anabranch {

enum class AggregateKind { kCount, kSum, kMin, kMax, kAverage, kBoolAnd, kBoolOr, kStringAgg, kArrayAgg };

struct AggregateFunction {
  std::string_view name;
  AggregateKind kind;
};

const AggregateFunction* FindAggregate(std::string_view name);
// nullopt: there is no such aggregate of that type.
std::optional<SqlType> AggregateResult(AggregateKind kind, SqlType argument);

// Whether nulls are aggregated as other values are.
constexpr bool KeepsNulls(AggregateKind kind) { return kind == AggregateKind::kArrayAgg; }
// Whether the result grows with every value, and depends on their order.
constexpr bool KeepsValues(AggregateKind kind) {
  return kind == AggregateKind::kStringAgg || kind == AggregateKind::kArrayAgg;
}

// One aggregate over one group.
class Accumulator {
 public:
  explicit Accumulator(AggregateKind kind) : kind_(kind) {}

  // Nulls are not aggregated unless KeepsNulls. For count(*) any value that is not null. `separator`: of string_agg.
  absl::Status Add(const Datum& value, const Datum& separator = {});
  absl::StatusOr<Datum> Result(SqlType type) const;
  // Of the values kept: text or items so far, a least or greatest one.
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
  std::vector<Datum> items_;
  size_t items_bytes_ = 0;
};

}  // namespace anabranch
