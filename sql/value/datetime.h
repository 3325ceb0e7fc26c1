// The calendar: date, timestamp, interval; their text forms (DateStyle ISO, MDY; IntervalStyle postgres) and arithmetic.
//
// The last years that PostgreSQL knows (294247 to 294276) are out of range here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "sql/value/datum.h"

namespace anabranch {

inline constexpr int64_t kSecondUs = 1'000'000;
inline constexpr int64_t kMinuteUs = 60 * kSecondUs;
inline constexpr int64_t kHourUs = 60 * kMinuteUs;
inline constexpr int64_t kDayUs = 24 * kHourUs;
inline constexpr int kDaysPerMonth = 30;
inline constexpr int kMonthsPerYear = 12;
inline constexpr int64_t kInfiniteUs = INT64_MAX;
inline constexpr int64_t kMinusInfiniteUs = INT64_MIN;
inline constexpr int32_t kInfiniteDays = INT32_MAX;
inline constexpr int32_t kMinusInfiniteDays = INT32_MIN;
inline constexpr int64_t kDaysMin = -2'440'588;         // 4713-11-24 BC, the start of the Julian day count
inline constexpr int64_t kDateDaysMax = 2'145'042'541;  // 5874897-12-31
inline constexpr int64_t kTimestampUsMin = kDaysMin * kDayUs;

inline bool IsInfinite(int64_t us) { return us == kInfiniteUs || us == kMinusInfiniteUs; }
inline bool IsInfinite(Date date) { return date.days == kInfiniteDays || date.days == kMinusInfiniteDays; }

inline int64_t FloorDivide(int64_t value, int64_t divisor) { return value / divisor - (value % divisor < 0 ? 1 : 0); }

struct CivilDate {
  int64_t year = 1970;  // 0 is 1 BC
  int month = 1;
  int day = 1;
};
int64_t DaysFromCivil(const CivilDate& date);
CivilDate CivilFromDays(int64_t days);
int DaysInMonth(int64_t year, int month);

struct CivilTime {
  CivilDate date;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int us = 0;
};
CivilTime CivilFromUs(int64_t us, int64_t offset_us = 0);  // offset_us later

void AppendDate(Date value, std::string* out);
void AppendLocalTimestamp(LocalTimestamp value, std::string* out);
void AppendTimestampTz(TimestampTz value, const TimeZone& zone, std::string* out);
void AppendInterval(const Interval& value, std::string* out);

// 22007 for what is none, 22008 out of range.
absl::StatusOr<Date> ParseDate(std::string_view text);
absl::StatusOr<LocalTimestamp> ParseLocalTimestamp(std::string_view text);
absl::StatusOr<TimestampTz> ParseTimestampTz(std::string_view text, const TimeZone& zone);  // unless it says one
absl::StatusOr<Interval> ParseInterval(std::string_view text);

// What clocks of a zone (TimeZone, ZoneName) show, and back. Infinity stays what it is. 22008
template <typename Zone>
absl::StatusOr<LocalTimestamp> ToLocal(TimestampTz at, const Zone& zone);
template <typename Zone>
absl::StatusOr<TimestampTz> FromLocal(LocalTimestamp at, const Zone& zone);

absl::StatusOr<int64_t> TimestampUsFrom(__int128 us);  // 22008
absl::StatusOr<Date> DateFrom(int64_t days);           // 22008
// Months first (the day cut to the month's length), then days, then time. 22008
absl::StatusOr<int64_t> AddInterval(int64_t us, const Interval& interval);
// The same, months and days as clocks of the zone show them.
absl::StatusOr<TimestampTz> AddInterval(TimestampTz at, const Interval& interval, const TimeZone& zone);
Interval Negated(const Interval& interval);
// a - b in days and time.
Interval SubtractTimes(int64_t a, int64_t b);
absl::StatusOr<Interval> Plus(const Interval& a, const Interval& b);      // 22008
absl::StatusOr<Interval> Times(const Interval& interval, double factor);  // 22008
// a - b in years, months, days and time, as age() counts; a <= b if it is negative.
Interval Age(int64_t a, int64_t b, bool negative);
// 24:00 of time as a day, 30 days as a month.
enum class Justify { kHours, kDays, kBoth };
Interval Justified(Interval interval, Justify what);
// Rounded to `precision` digits after the second.
int64_t RoundUs(int64_t us, int precision);

// date_trunc and extract. 22023 for an unknown field; 0A000 for one that this type does not have.
absl::StatusOr<int64_t> TruncateTo(std::string_view field, int64_t us);
absl::StatusOr<TimestampTz> TruncateTo(std::string_view field, TimestampTz at, const TimeZone& zone);
absl::StatusOr<Interval> TruncateTo(std::string_view field, const Interval& interval);
// nullopt: null (a field that infinity does not have). `type` names the argument's type. Of a timestamptz, `us` is what
// clocks show that are `offset_us` ahead of UTC.
absl::StatusOr<std::optional<Numeric>> Extract(std::string_view field, int64_t us, SqlType type, int64_t offset_us = 0);
absl::StatusOr<Numeric> Extract(std::string_view field, const Interval& interval);

template <typename Zone>
absl::StatusOr<LocalTimestamp> ToLocal(TimestampTz at, const Zone& zone) {
  if (IsInfinite(at.us)) return LocalTimestamp{at.us};
  const absl::StatusOr<int64_t> us = TimestampUsFrom(static_cast<__int128>(at.us) + zone.OffsetUs(at));
  if (!us.ok()) return us.status();
  return LocalTimestamp{*us};
}

template <typename Zone>
absl::StatusOr<TimestampTz> FromLocal(LocalTimestamp at, const Zone& zone) {
  if (IsInfinite(at.us)) return TimestampTz{at.us};
  const absl::StatusOr<int64_t> us = TimestampUsFrom(static_cast<__int128>(at.us) - zone.OffsetUs(at));
  if (!us.ok()) return us.status();
  return TimestampTz{*us};
}

}  // namespace anabranch
