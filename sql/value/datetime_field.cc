// Fields of dates and intervals: date_trunc and extract.
#include <array>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/value/datetime.h"
#include "sql/value/time_zone.h"
#include "sql/value/type_name.h"

namespace anabranch {
namespace {

enum class Field {
  kMicroseconds,
  kMilliseconds,
  kSecond,
  kMinute,
  kHour,
  kDay,
  kWeek,
  kMonth,
  kQuarter,
  kYear,
  kDecade,
  kCentury,
  kMillennium,
  kDayOfWeek,
  kIsoDayOfWeek,
  kDayOfYear,
  kIsoYear,
  kEpoch,
  kJulian,
  kTimezone,
  kTimezoneHour,
  kTimezoneMinute,
};

struct FieldName {
  std::string_view name;
  Field field;
};
constexpr auto kFieldNames = std::to_array<FieldName>({
    {"us", Field::kMicroseconds},
    {"usec", Field::kMicroseconds},
    {"microsecond", Field::kMicroseconds},
    {"microseconds", Field::kMicroseconds},
    {"ms", Field::kMilliseconds},
    {"msec", Field::kMilliseconds},
    {"millisecond", Field::kMilliseconds},
    {"milliseconds", Field::kMilliseconds},
    {"s", Field::kSecond},
    {"sec", Field::kSecond},
    {"second", Field::kSecond},
    {"seconds", Field::kSecond},
    {"m", Field::kMinute},
    {"min", Field::kMinute},
    {"minute", Field::kMinute},
    {"minutes", Field::kMinute},
    {"h", Field::kHour},
    {"hour", Field::kHour},
    {"hours", Field::kHour},
    {"d", Field::kDay},
    {"day", Field::kDay},
    {"days", Field::kDay},
    {"w", Field::kWeek},
    {"week", Field::kWeek},
    {"weeks", Field::kWeek},
    {"mon", Field::kMonth},
    {"month", Field::kMonth},
    {"months", Field::kMonth},
    {"qtr", Field::kQuarter},
    {"quarter", Field::kQuarter},
    {"y", Field::kYear},
    {"year", Field::kYear},
    {"years", Field::kYear},
    {"decade", Field::kDecade},
    {"decades", Field::kDecade},
    {"c", Field::kCentury},
    {"century", Field::kCentury},
    {"centuries", Field::kCentury},
    {"millennium", Field::kMillennium},
    {"millennia", Field::kMillennium},
    {"dow", Field::kDayOfWeek},
    {"isodow", Field::kIsoDayOfWeek},
    {"doy", Field::kDayOfYear},
    {"isoyear", Field::kIsoYear},
    {"epoch", Field::kEpoch},
    {"julian", Field::kJulian},
    {"timezone", Field::kTimezone},
    {"timezone_hour", Field::kTimezoneHour},
    {"timezone_minute", Field::kTimezoneMinute},
});

constexpr int kEpochDigits = 6;
constexpr int64_t kJulianOfEpoch = 2'440'588;  // of 1970-01-01

std::string Lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return lower;
}

absl::StatusOr<Field> FieldNamed(std::string_view name, SqlType type) {
  const std::string lower = Lowered(name);
  for (const FieldName& known : kFieldNames) {
    if (known.name == lower) return known.field;
  }
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("unit \"{}\" not recognized for type {}", lower, TypeName(type)));
}

absl::Status Unsupported(std::string_view name, SqlType type) {
  return SqlError(sqlstate::kFeatureNotSupported,
                  fmt::format("unit \"{}\" not supported for type {}", Lowered(name), TypeName(type)));
}

int IsoDayOfWeek(int64_t days) { return static_cast<int>(days + 3 - FloorDivide(days + 3, 7) * 7) + 1; }

// The week of that year's Thursday.
struct IsoWeek {
  int64_t year;
  int week;
};
IsoWeek IsoWeekOf(int64_t days) {
  const int64_t thursday = days - IsoDayOfWeek(days) + 4;
  const int64_t year = CivilFromDays(thursday).year;
  return {year, static_cast<int>((thursday - DaysFromCivil({year, 1, 1})) / 7) + 1};
}

// 1 to 100 are the first; there is no year 0, and -1 stands before 1.
int64_t Counted(int64_t year, int64_t length) {
  return year > 0 ? (year + length - 1) / length : -((length - 1 - (year - 1)) / length);
}

CivilDate TruncatedDate(Field field, CivilDate date) {
  switch (field) {
    case Field::kMillennium:
      date.year = date.year > 0 ? (date.year + 999) / 1000 * 1000 - 999 : -((999 - (date.year - 1)) / 1000) * 1000 + 1;
      break;
    case Field::kCentury:
      date.year = date.year > 0 ? (date.year + 99) / 100 * 100 - 99 : -((99 - (date.year - 1)) / 100) * 100 + 1;
      break;
    case Field::kDecade:
      date.year = date.year > 0 ? date.year / 10 * 10 : -((8 - (date.year - 1)) / 10) * 10;
      break;
    default:
      break;
  }
  if (field != Field::kQuarter && field != Field::kMonth) date.month = 1;
  if (field == Field::kQuarter) date.month = (date.month - 1) / 3 * 3 + 1;
  date.day = 1;
  return date;
}

Numeric Scaled(__int128 value, int scale) { return {boost::multiprecision::cpp_int(value), scale}; }
Numeric Whole(int64_t value) { return {value, 0}; }

bool IsOscillating(Field field) {
  switch (field) {
    case Field::kYear:
    case Field::kDecade:
    case Field::kCentury:
    case Field::kMillennium:
    case Field::kIsoYear:
    case Field::kEpoch:
    case Field::kJulian:
      return false;
    default:
      return true;
  }
}

// Julian days with the time as a fraction, as many digits as PostgreSQL's division gives.
absl::StatusOr<std::optional<Numeric>> Julian(int64_t us) {
  const int64_t days = FloorDivide(us, kDayUs);
  ASSIGN_OR_RETURN(const Numeric fraction, Divide(Whole(us - days * kDayUs), Whole(kDayUs)));
  ASSIGN_OR_RETURN(Numeric julian, Add(Whole(days + kJulianOfEpoch), fraction));
  return std::optional(std::move(julian));
}

absl::StatusOr<int64_t> TruncateTo(Field field, std::string_view name, int64_t us, SqlType type) {
  if (IsInfinite(us)) return us;
  const auto down_to = [us](int64_t unit) { return FloorDivide(us, unit) * unit; };
  switch (field) {
    case Field::kMicroseconds:
      return us;
    case Field::kMilliseconds:
      return down_to(kSecondUs / 1000);
    case Field::kSecond:
      return down_to(kSecondUs);
    case Field::kMinute:
      return down_to(kMinuteUs);
    case Field::kHour:
      return down_to(kHourUs);
    case Field::kDay:
      return down_to(kDayUs);
    case Field::kWeek: {
      const int64_t days = FloorDivide(us, kDayUs);
      return TimestampUsFrom(static_cast<__int128>(days - IsoDayOfWeek(days) + 1) * kDayUs);
    }
    case Field::kMonth:
    case Field::kQuarter:
    case Field::kYear:
    case Field::kDecade:
    case Field::kCentury:
    case Field::kMillennium: {
      const CivilDate date = TruncatedDate(field, CivilFromDays(FloorDivide(us, kDayUs)));
      return TimestampUsFrom(static_cast<__int128>(DaysFromCivil(date)) * kDayUs);
    }
    default:
      return Unsupported(name, type);
  }
}

}  // namespace

absl::StatusOr<int64_t> TruncateTo(std::string_view name, int64_t us) {
  ASSIGN_OR_RETURN(const Field field, FieldNamed(name, SqlType::kTimestamp));
  return TruncateTo(field, name, us, SqlType::kTimestamp);
}

absl::StatusOr<TimestampTz> TruncateTo(std::string_view name, TimestampTz at, const TimeZone& zone) {
  ASSIGN_OR_RETURN(const Field field, FieldNamed(name, SqlType::kTimestampTz));
  if (IsInfinite(at.us)) return at;
  ASSIGN_OR_RETURN(LocalTimestamp local, ToLocal(at, zone));
  const int64_t offset_us = local.us - at.us;
  ASSIGN_OR_RETURN(local.us, TruncateTo(field, name, local.us, SqlType::kTimestampTz));
  if (field > Field::kHour) return FromLocal(local, zone);
  // The hour that clocks show twice stays the one that it is.
  ASSIGN_OR_RETURN(const int64_t us, TimestampUsFrom(static_cast<__int128>(local.us) - offset_us));
  return TimestampTz{us};
}

absl::StatusOr<Interval> TruncateTo(std::string_view name, const Interval& interval) {
  ASSIGN_OR_RETURN(const Field field, FieldNamed(name, SqlType::kInterval));
  const auto time_to = [&](int64_t unit) { return Interval{interval.us / unit * unit, interval.days, interval.months}; };
  const auto months_to = [&](int32_t unit) { return Interval{0, 0, interval.months / unit * unit}; };
  switch (field) {
    case Field::kMicroseconds:
      return interval;
    case Field::kMilliseconds:
      return time_to(kSecondUs / 1000);
    case Field::kSecond:
      return time_to(kSecondUs);
    case Field::kMinute:
      return time_to(kMinuteUs);
    case Field::kHour:
      return time_to(kHourUs);
    case Field::kDay:
      return Interval{0, interval.days, interval.months};
    case Field::kMonth:
      return months_to(1);
    case Field::kQuarter:
      return months_to(3);
    case Field::kYear:
      return months_to(kMonthsPerYear);
    case Field::kDecade:
      return months_to(10 * kMonthsPerYear);
    case Field::kCentury:
      return months_to(100 * kMonthsPerYear);
    case Field::kMillennium:
      return months_to(1000 * kMonthsPerYear);
    default:
      return Unsupported(name, SqlType::kInterval);
  }
}

absl::StatusOr<std::optional<Numeric>> Extract(std::string_view name, int64_t us, SqlType type, int64_t offset_us) {
  ASSIGN_OR_RETURN(const Field field, FieldNamed(name, type));
  const bool of_time = field <= Field::kHour;
  const bool of_zone = field >= Field::kTimezone;
  if ((of_time && type == SqlType::kDate) || (of_zone && type != SqlType::kTimestampTz)) return Unsupported(name, type);
  if (IsInfinite(us)) {
    if (IsOscillating(field)) return std::optional<Numeric>();
    return SqlError(sqlstate::kFeatureNotSupported, "numeric Infinity is not supported");
  }
  const int64_t days = FloorDivide(us, kDayUs);
  const CivilTime time = CivilFromUs(us);
  const int64_t second_us = time.second * kSecondUs + time.us;
  const int64_t year = time.date.year;
  const auto value = [](Numeric number) { return std::optional(std::move(number)); };
  switch (field) {
    case Field::kMicroseconds:
      return value(Whole(second_us));
    case Field::kMilliseconds:
      return value(Scaled(second_us, 3));
    case Field::kSecond:
      return value(Scaled(second_us, kEpochDigits));
    case Field::kMinute:
      return value(Whole(time.minute));
    case Field::kHour:
      return value(Whole(time.hour));
    case Field::kDay:
      return value(Whole(time.date.day));
    case Field::kWeek:
      return value(Whole(IsoWeekOf(days).week));
    case Field::kMonth:
      return value(Whole(time.date.month));
    case Field::kQuarter:
      return value(Whole((time.date.month - 1) / 3 + 1));
    case Field::kYear:
      return value(Whole(year > 0 ? year : year - 1));
    case Field::kDecade:
      return value(Whole(FloorDivide(year, 10)));
    case Field::kCentury:
      return value(Whole(Counted(year, 100)));
    case Field::kMillennium:
      return value(Whole(Counted(year, 1000)));
    case Field::kDayOfWeek:
      return value(Whole(IsoDayOfWeek(days) % 7));
    case Field::kIsoDayOfWeek:
      return value(Whole(IsoDayOfWeek(days)));
    case Field::kDayOfYear:
      return value(Whole(days - DaysFromCivil({year, 1, 1}) + 1));
    case Field::kIsoYear: {
      const int64_t iso_year = IsoWeekOf(days).year;
      return value(Whole(iso_year > 0 ? iso_year : iso_year - 1));
    }
    case Field::kEpoch:
      return value(type == SqlType::kDate ? Whole(days * (kDayUs / kSecondUs))
                                          : Scaled(static_cast<__int128>(us) - offset_us, kEpochDigits));
    case Field::kJulian:
      if (type == SqlType::kDate) return value(Whole(days + kJulianOfEpoch));
      return Julian(us);
    case Field::kTimezone:
      return value(Whole(offset_us / kSecondUs));
    case Field::kTimezoneHour:
      return value(Whole(offset_us / kHourUs));
    case Field::kTimezoneMinute:
      return value(Whole(offset_us / kMinuteUs % 60));
  }
  return Unsupported(name, type);
}

absl::StatusOr<Numeric> Extract(std::string_view name, const Interval& interval) {
  ASSIGN_OR_RETURN(const Field field, FieldNamed(name, SqlType::kInterval));
  const int32_t years = interval.months / kMonthsPerYear;
  const int32_t months = interval.months % kMonthsPerYear;
  switch (field) {
    case Field::kMicroseconds:
      return Whole(interval.us % kMinuteUs);
    case Field::kMilliseconds:
      return Scaled(interval.us % kMinuteUs, 3);
    case Field::kSecond:
      return Scaled(interval.us % kMinuteUs, kEpochDigits);
    case Field::kMinute:
      return Whole(interval.us / kMinuteUs % 60);
    case Field::kHour:
      return Whole(interval.us / kHourUs);
    case Field::kDay:
      return Whole(interval.days);
    case Field::kMonth:
      return Whole(months);
    case Field::kQuarter:
      return Whole(months / 3 + 1);
    case Field::kYear:
      return Whole(years);
    case Field::kDecade:
      return Whole(years / 10);
    case Field::kCentury:
      return Whole(years / 100);
    case Field::kMillennium:
      return Whole(years / 1000);
    case Field::kEpoch: {
      // A year has 365.25 days.
      const __int128 quarter_days =
          static_cast<__int128>(years) * 1461 + (static_cast<__int128>(months) * kDaysPerMonth + interval.days) * 4;
      return Scaled(quarter_days * (kDayUs / 4) + interval.us, kEpochDigits);
    }
    default:
      return Unsupported(name, SqlType::kInterval);
  }
}

}  // namespace anabranch
