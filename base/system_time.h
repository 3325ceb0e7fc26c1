// The time expressions of `AS OF SYSTEM TIME` and `TO SYSTEM TIME`, and timestamptz text.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "base/timestamp.h"

namespace anabranch {

// Nanoseconds, from "-10s", "+5h", "5m30s", "1.5h", "250ms", "10 seconds", "1 hour 30 minutes", "1 day", "1 year",
// "00:05:00". A month is 30 days, a year 365.25. 22007 if it is none.
absl::StatusOr<int64_t> ParseIntervalNs(std::string_view text);

// Nanoseconds since 1970, from PostgreSQL's and ISO 8601's forms of a timestamp with or without zone ("2026-11-23
// 09:46:00.5+02", "2026-11-23T09:46:00Z", "2026-11-23"; no zone means UTC). 22007 if it is none, or out of
// range (where PostgreSQL has 22008).
absl::StatusOr<int64_t> ParseTimestampTzNs(std::string_view text);

// What `text` (the contents of a string, or a number as written) names, relative to `now`: an interval (before or after
// now; at least 1us), a timestamp, an HLC decimal, integer nanoseconds. 22023 for the zero timestamp, one before 1970 and
// everything that is none of these, with CockroachDB's texts where it has one ("value is neither timestamp, decimal, nor
// interval").
absl::StatusOr<Timestamp> ResolveSystemTime(std::string_view text, Timestamp now);

}  // namespace anabranch
