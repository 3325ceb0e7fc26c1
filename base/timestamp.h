// A point in hybrid logical time.
//
// Timestamp is the only notion of time that decisions are made on: commits, reads, replication, failover. It is 64 bits of
// nanoseconds since 1970 whose clock is max(wall, last + 1), so the logical part lives in the low bits and two commits of
// one store never share a timestamp. The idea is from Kulkarni et al., "Logical Physical Clocks" (2014), packed to one
// word.
//
// Shown to users as CockroachDB shows an HLC: "<nanoseconds>.0000000000". The ten digits after the point are always zero.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace anabranch {

struct Timestamp {
  uint64_t ns = 0;  // nanoseconds since the Unix epoch; 0 means "no timestamp"

  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;

  bool IsZero() const { return ns == 0; }
  Timestamp Next() const { return {ns + 1}; }
  Timestamp Prev() const { return {ns - 1}; }  // REQUIRES: !IsZero()
};

inline constexpr Timestamp kTimestampZero{0};
// Above every timestamp a clock will give. Not a legal commit timestamp.
inline constexpr Timestamp kTimestampMax{UINT64_MAX};

// "1695922878030920020.0000000000".
std::string FormatHlc(Timestamp ts);

// Accepts "<digits>" and "<digits>.<zeros>". InvalidArgument for anything else, for overflow, and for a fraction that is
// not zero (rounding a failover target silently would promise another moment than the one asked for).
absl::StatusOr<Timestamp> ParseHlc(std::string_view text);

// "2026-11-23 09:46:00.123456+00", rounded down to microseconds as PostgreSQL's timestamptz shows it in UTC.
std::string FormatTimestampTz(Timestamp ts);

}  // namespace anabranch
