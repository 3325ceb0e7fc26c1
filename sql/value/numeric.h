// PostgreSQL's numeric: an exact decimal of any precision up to kNumericDigitsMax digits.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/timestamp.h"
#include "boost/multiprecision/cpp_int.hpp"

namespace anabranch {

inline constexpr int kNumericDigitsMax = 1000;

// unscaled * 10^-scale. 1.50 and 1.5 compare equal and print differently, as in PostgreSQL.
struct Numeric {
  boost::multiprecision::cpp_int unscaled;
  int scale = 0;  // 0 .. kNumericDigitsMax

  static Numeric FromInt(int64_t value) { return {value, 0}; }
  friend std::strong_ordering operator<=>(const Numeric& a, const Numeric& b);
  friend bool operator==(const Numeric& a, const Numeric& b) { return (a <=> b) == 0; }
};

std::string ToText(const Numeric& value);
absl::StatusOr<Numeric> ParseNumeric(std::string_view text);  // 22P02, 22003

// Results follow PostgreSQL's scales. 22003 beyond kNumericDigitsMax, 22012 for division by zero.
absl::StatusOr<Numeric> Add(const Numeric& a, const Numeric& b);
absl::StatusOr<Numeric> Subtract(const Numeric& a, const Numeric& b);
absl::StatusOr<Numeric> Multiply(const Numeric& a, const Numeric& b);
absl::StatusOr<Numeric> Divide(const Numeric& a, const Numeric& b);
absl::StatusOr<Numeric> Modulo(const Numeric& a, const Numeric& b);
// Rounded half away from zero. numeric(precision, scale): 22003 if it does not fit.
absl::StatusOr<Numeric> Round(const Numeric& value, int scale);
absl::StatusOr<int64_t> ToInt64(const Numeric& value);  // rounded; 22003

// An HLC timestamp as SQL shows it: numeric with ten digits after the point.
Numeric HlcNumeric(Timestamp ts);

}  // namespace anabranch
