// SQL values and types.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "sql/numeric.h"

namespace anabranch {

// With PostgreSQL's type oids, which is what clients see.
enum class SqlType : uint32_t {
  kBool = 16,
  kInt8 = 20,
  kInt4 = 23,
  kText = 25,
  kTimestampTz = 1184,
  kInterval = 1186,  // result columns only (replication_lag)
  kNumeric = 1700,
  kUnknown = 705,  // an untyped literal or parameter, until it is bound
};

// Microseconds since 1970 UTC. Distinct from int64_t, so a Datum knows what it holds.
struct TimestampTz {
  int64_t us = 0;
  friend auto operator<=>(const TimestampTz&, const TimestampTz&) = default;
};
struct Interval {
  int64_t us = 0;
  friend auto operator<=>(const Interval&, const Interval&) = default;
};

struct Null {
  friend auto operator<=>(const Null&, const Null&) = default;
};

// int4 and int8 are both held as int64_t; the column's type says which.
using Datum = std::variant<Null, bool, int64_t, std::string, Numeric, TimestampTz, Interval>;

inline bool IsNull(const Datum& datum) { return std::holds_alternative<Null>(datum); }

// "int4" -> "integer" as PostgreSQL's format_type prints it; used in messages.
std::string_view TypeName(SqlType type);
int16_t TypeLength(SqlType type);  // typlen: -1 for variable

// Text format of the wire. REQUIRES: not null.
std::string ToText(const Datum& datum);
// 22P02 / 22003 / 22007 with PostgreSQL's texts.
absl::StatusOr<Datum> FromText(SqlType type, std::string_view text);

// Total order within one type, nulls last (as PostgreSQL's ORDER BY ASC). REQUIRES: same type or null.
std::strong_ordering Compare(const Datum& a, const Datum& b);

using Row = std::vector<Datum>;

}  // namespace anabranch
