// Conversions between types: which there are, and what they do.
#pragma once

#include "absl/status/statusor.h"
#include "sql/value/datum.h"
#include "sql/value/type_name.h"

namespace anabranch {

// Where a value goes, for conversions: what PostgreSQL does for operators and functions, for INSERT and UPDATE, for CAST.
enum class Conversion { kImplicit, kAssignment, kExplicit };

bool CanConvert(SqlType from, SqlType to, Conversion conversion);

// Values of both types are the same Datum and compare alike, so that a comparison needs no cast.
bool HoldSameValues(SqlType a, SqlType b);

// The type that values of both become in CASE, UNION, VALUES and the like; kUnknown gives way. nullopt: there is none.
std::optional<SqlType> CommonType(SqlType a, SqlType b);
// The type that both sides of a comparison become. nullopt: PostgreSQL has no such operator.
std::optional<SqlType> ComparisonType(SqlType a, SqlType b);
// The type that the left side becomes, where PostgreSQL may have an operator for two types as they are. nullopt as above.
std::optional<SqlType> EqualityLeftType(SqlType left, SqlType right);

// An explicit cast, in a session of that time zone. 22003, 22P02 and the like. REQUIRES: CanConvert(from, to, kExplicit),
// or null.
absl::StatusOr<Datum> CastDatum(Datum value, SqlType from, SqlType to, const TimeZone& zone);
// Whether the time zone makes a difference to that.
bool DependsOnZone(SqlType from, SqlType to);

// Makes a value fit varchar(n), char(n), numeric(p, s), timestamp(p): pads and rounds. An explicit cast cuts text off, else
// only blanks are: 22001. 22003 beyond a numeric's precision.
absl::StatusOr<Datum> FitModifier(Datum value, ColumnType type, Conversion conversion);

}  // namespace anabranch
