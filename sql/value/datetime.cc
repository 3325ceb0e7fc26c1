#include "sql/value/datetime.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/value/time_zone.h"

namespace anabranch {
namespace {

constexpr int64_t kDaysPerEra = 146'097;    // 400 years
constexpr int64_t kEpochFromEra = 719'468;  // 1970-01-01 from 0000-03-01

// ".5" of 500,000 microseconds; nothing of none, as PostgreSQL prints.
void AppendFraction(int64_t us, std::string* out) {
  if (us == 0) return;
  const std::string text = fmt::format(".{:06}", us);
  out->append(text, 0, text.find_last_not_of('0') + 1);
}

void AppendYearMonthDay(const CivilDate& date, std::string* out) {
  const int64_t year = date.year > 0 ? date.year : 1 - date.year;
  fmt::format_to(std::back_inserter(*out), "{:04}-{:02}-{:02}", year, date.month, date.day);
}

void AppendEra(const CivilDate& date, std::string* out) {
  if (date.year <= 0) out->append(" BC");
}

// "+02", "-03:30", "+00:34:08".
void AppendOffset(int64_t offset_us, std::string* out) {
  const int64_t seconds = (offset_us < 0 ? -offset_us : offset_us) / kSecondUs;
  fmt::format_to(std::back_inserter(*out), "{}{:02}", offset_us < 0 ? '-' : '+', seconds / 3600);
  if (seconds % 3600 != 0) fmt::format_to(std::back_inserter(*out), ":{:02}", seconds / 60 % 60);
  if (seconds % 60 != 0) fmt::format_to(std::back_inserter(*out), ":{:02}", seconds % 60);
}

bool AppendInfinity(int64_t us, std::string* out) {
  if (us == kInfiniteUs) out->append("infinity");
  if (us == kMinusInfiniteUs) out->append("-infinity");
  return IsInfinite(us);
}

void AppendDateAndTime(const CivilTime& time, std::string* out) {
  AppendYearMonthDay(time.date, out);
  fmt::format_to(std::back_inserter(*out), " {:02}:{:02}:{:02}", time.hour, time.minute, time.second);
  AppendFraction(time.us, out);
}

absl::Status OutOfRange(std::string_view what) {
  return SqlError(sqlstate::kDatetimeFieldOverflow, fmt::format("{} out of range", what));
}

// A sum of products as an interval, if its parts fit.
absl::StatusOr<Interval> IntervalFrom(__int128 months, __int128 days, __int128 us) {
  const Interval interval{static_cast<int64_t>(us), static_cast<int32_t>(days), static_cast<int32_t>(months)};
  if (interval.us != us || interval.days != days || interval.months != months) return OutOfRange("interval");
  return interval;
}

}  // namespace

int64_t DaysFromCivil(const CivilDate& date) {
  // Years that begin on 1 March, so that the leap day comes last.
  const int64_t year = date.month <= 2 ? date.year - 1 : date.year;
  const int64_t era = FloorDivide(year, 400);
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
  return era * kDaysPerEra + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - kEpochFromEra;
}

CivilDate CivilFromDays(int64_t days) {
  days += kEpochFromEra;
  const int64_t era = FloorDivide(days, kDaysPerEra);
  const int64_t day_of_era = days - era * kDaysPerEra;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), static_cast<int>(month),
          static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1)};
}

int DaysInMonth(int64_t year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

CivilTime CivilFromUs(int64_t us, int64_t offset_us) {
  int64_t days = FloorDivide(us, kDayUs);
  int64_t rest = us - days * kDayUs + offset_us;  // no sum of the two: it may pass the range of int64
  const int64_t more = FloorDivide(rest, kDayUs);
  days += more;
  rest -= more * kDayUs;
  return {CivilFromDays(days), static_cast<int>(rest / kHourUs), static_cast<int>(rest / kMinuteUs % 60),
          static_cast<int>(rest / kSecondUs % 60), static_cast<int>(rest % kSecondUs)};
}

void AppendDate(Date value, std::string* out) {
  if (value.days == kInfiniteDays) return void(out->append("infinity"));
  if (value.days == kMinusInfiniteDays) return void(out->append("-infinity"));
  const CivilDate date = CivilFromDays(value.days);
  AppendYearMonthDay(date, out);
  AppendEra(date, out);
}

void AppendLocalTimestamp(LocalTimestamp value, std::string* out) {
  if (AppendInfinity(value.us, out)) return;
  const CivilTime time = CivilFromUs(value.us);
  AppendDateAndTime(time, out);
  AppendEra(time.date, out);
}

void AppendTimestampTz(TimestampTz value, const TimeZone& zone, std::string* out) {
  if (AppendInfinity(value.us, out)) return;
  const int64_t offset_us = zone.OffsetUs(value);
  const CivilTime time = CivilFromUs(value.us, offset_us);
  AppendDateAndTime(time, out);
  AppendOffset(offset_us, out);
  AppendEra(time.date, out);
}

void AppendInterval(const Interval& value, std::string* out) {
  bool any = false;
  bool after_negative = false;  // then what is positive says so
  const auto append = [&](int64_t count, std::string_view unit) {
    if (count == 0) return;
    fmt::format_to(std::back_inserter(*out), "{}{}{} {}{}", any ? " " : "", after_negative && count > 0 ? "+" : "", count,
                   unit, count == 1 ? "" : "s");
    any = true;
    after_negative = count < 0;
  };
  append(value.months / kMonthsPerYear, "year");
  append(value.months % kMonthsPerYear, "mon");
  append(value.days, "day");
  if (any && value.us == 0) return;
  const uint64_t us = value.us < 0 ? 0 - static_cast<uint64_t>(value.us) : static_cast<uint64_t>(value.us);
  fmt::format_to(std::back_inserter(*out), "{}{}{:02}:{:02}:{:02}", any ? " " : "",
                 value.us < 0     ? "-"
                 : after_negative ? "+"
                                  : "",
                 us / kHourUs, us / kMinuteUs % 60, us / kSecondUs % 60);
  AppendFraction(static_cast<int64_t>(us % kSecondUs), out);
}

absl::StatusOr<int64_t> TimestampUsFrom(__int128 us) {
  if (us < kTimestampUsMin || us >= kInfiniteUs) return OutOfRange("timestamp");
  return static_cast<int64_t>(us);
}

absl::StatusOr<Date> DateFrom(int64_t days) {
  if (days < kDaysMin || days > kDateDaysMax) return OutOfRange("date");
  return Date{static_cast<int32_t>(days)};
}

absl::StatusOr<int64_t> AddInterval(int64_t us, const Interval& interval) {
  if (IsInfinite(us)) return us;
  int64_t days = FloorDivide(us, kDayUs);
  const int64_t time = us - days * kDayUs;
  if (interval.months != 0) {
    CivilDate date = CivilFromDays(days);
    const int64_t months = date.year * kMonthsPerYear + date.month - 1 + interval.months;
    date.year = FloorDivide(months, kMonthsPerYear);
    date.month = static_cast<int>(months - date.year * kMonthsPerYear) + 1;
    date.day = std::min(date.day, DaysInMonth(date.year, date.month));
    days = DaysFromCivil(date);
  }
  return TimestampUsFrom((static_cast<__int128>(days) + interval.days) * kDayUs + time + interval.us);
}

absl::StatusOr<TimestampTz> AddInterval(TimestampTz at, const Interval& interval, const TimeZone& zone) {
  // Months and days each end at a time that there is, as in PostgreSQL.
  for (const Interval& part : {Interval{0, 0, interval.months}, Interval{0, interval.days, 0}}) {
    if (part.months == 0 && part.days == 0) continue;
    ASSIGN_OR_RETURN(LocalTimestamp local, ToLocal(at, zone));
    ASSIGN_OR_RETURN(local.us, AddInterval(local.us, part));
    ASSIGN_OR_RETURN(at, FromLocal(local, zone));
  }
  ASSIGN_OR_RETURN(at.us, AddInterval(at.us, Interval{interval.us, 0, 0}));
  return at;
}

Interval Negated(const Interval& interval) {
  return {static_cast<int64_t>(0 - static_cast<uint64_t>(interval.us)), -interval.days, -interval.months};
}

Interval SubtractTimes(int64_t a, int64_t b) {
  const __int128 us = static_cast<__int128>(a) - b;
  return {static_cast<int64_t>(us % kDayUs), static_cast<int32_t>(us / kDayUs), 0};
}

absl::StatusOr<Interval> Plus(const Interval& a, const Interval& b) {
  return IntervalFrom(static_cast<__int128>(a.months) + b.months, static_cast<__int128>(a.days) + b.days,
                      static_cast<__int128>(a.us) + b.us);
}

absl::StatusOr<Interval> Times(const Interval& interval, double factor) {
  constexpr double kDaySeconds = 86'400;
  const double months = interval.months * factor;
  const double days = interval.days * factor;
  if (!(std::abs(months) < INT32_MAX) || !(std::abs(days) < INT32_MAX)) return OutOfRange("interval");
  Interval result{0, static_cast<int32_t>(days), static_cast<int32_t>(months)};
  const auto rounded = [](double value) { return std::rint(value * kSecondUs) / kSecondUs; };
  // Whole months and days are kept; what is left of a month goes to days, what is left of a day to time.
  double month_days = rounded((months - result.months) * kDaysPerMonth);
  double seconds = rounded((days - result.days + month_days - static_cast<int64_t>(month_days)) * kDaySeconds);
  if (std::abs(seconds) >= kDaySeconds) {
    result.days += static_cast<int32_t>(seconds / kDaySeconds);
    seconds -= static_cast<int32_t>(seconds / kDaySeconds) * kDaySeconds;
  }
  result.days += static_cast<int32_t>(month_days);
  const double us = std::rint(static_cast<double>(interval.us) * factor + seconds * kSecondUs);
  if (!(std::abs(us) < 9.2233720368547e18)) return OutOfRange("interval");
  result.us = static_cast<int64_t>(us);
  return result;
}

Interval Age(int64_t a, int64_t b, bool negative) {
  const CivilTime later = CivilFromUs(negative ? b : a);
  const CivilTime earlier = CivilFromUs(negative ? a : b);
  const auto time_of = [](const CivilTime& t) {
    return t.hour * kHourUs + t.minute * kMinuteUs + t.second * kSecondUs + t.us;
  };
  int64_t us = time_of(later) - time_of(earlier);
  int64_t days = later.date.day - earlier.date.day;
  int64_t months = (later.date.year - earlier.date.year) * kMonthsPerYear + later.date.month - earlier.date.month;
  if (us < 0) {
    us += kDayUs;
    --days;
  }
  if (days < 0) {
    days += DaysInMonth(earlier.date.year, earlier.date.month);
    --months;
  }
  const Interval age{us, static_cast<int32_t>(days), static_cast<int32_t>(months)};
  return negative ? Negated(age) : age;
}

Interval Justified(Interval interval, Justify what) {
  const auto carry_hours = [&] {
    const int64_t days = interval.us / kDayUs;
    interval.us -= days * kDayUs;
    interval.days += static_cast<int32_t>(days);
  };
  const auto carry_days = [&] {
    const int32_t months = interval.days / kDaysPerMonth;
    interval.days -= months * kDaysPerMonth;
    interval.months += months;
  };
  if (what != Justify::kDays) carry_hours();
  if (what != Justify::kHours) carry_days();
  // Neighbours of one sign.
  if (what != Justify::kHours) {
    if (interval.months > 0 && (interval.days < 0 || (what == Justify::kBoth && interval.days == 0 && interval.us < 0))) {
      interval.days += kDaysPerMonth;
      --interval.months;
    } else if (interval.months < 0 &&
               (interval.days > 0 || (what == Justify::kBoth && interval.days == 0 && interval.us > 0))) {
      interval.days -= kDaysPerMonth;
      ++interval.months;
    }
  }
  if (what != Justify::kDays) {
    if (interval.days > 0 && interval.us < 0) {
      interval.us += kDayUs;
      --interval.days;
    } else if (interval.days < 0 && interval.us > 0) {
      interval.us -= kDayUs;
      ++interval.days;
    }
  }
  return interval;
}

int64_t RoundUs(int64_t us, int precision) {
  if (IsInfinite(us) || precision >= 6) return us;
  int64_t unit = 1;
  for (int i = precision; i < 6; ++i) unit *= 10;
  const int64_t magnitude = us < 0 ? -us : us;
  const int64_t rounded = (magnitude + unit / 2) / unit * unit;
  return us < 0 ? -rounded : rounded;
}

}  // namespace anabranch
