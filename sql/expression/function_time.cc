// Dates, timestamps, intervals: the present, arithmetic, fields.
#include <cmath>

#include "sql/expression/function_family.h"
#include "sql/stored/session_context.h"
#include "sql/value/datetime.h"
#include "sql/value/float_text.h"
#include "sql/value/time_zone.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

Date DateOf(const Datum& datum) { return std::get<Date>(datum); }
const Interval& IntervalOf(const Datum& datum) { return std::get<Interval>(datum); }

// The two timestamps alike.
template <typename Time>
int64_t UsOf(const Datum& datum) {
  return std::get<Time>(datum).us;
}
template <typename Time>
constexpr T TypeOf() {
  return std::is_same_v<Time, TimestampTz> ? T::kTimestampTz : T::kTimestamp;
}

absl::StatusOr<int64_t> MidnightUs(Date date) {
  if (date.days == kInfiniteDays) return kInfiniteUs;
  if (date.days == kMinusInfiniteDays) return kMinusInfiniteUs;
  return TimestampUsFrom(static_cast<__int128>(date.days) * kDayUs);
}

Result TransactionTime(const Datum*, const Context& context) { return Datum(context.transaction_time); }
Result StatementTime(const Datum*, const Context& context) { return Datum(context.statement_time); }
Result ClockTime(const Datum*, const Context& context) {
  return Datum(TimestampTz{static_cast<int64_t>(context.session->transaction.store->clock()->WallNs() / 1000)});
}

// --- Dates ---
Result AddDays(Date date, int64_t days) {
  if (IsInfinite(date)) return Datum(date);
  ASSIGN_OR_RETURN(const Date sum, DateFrom(date.days + days));
  return Datum(sum);
}
Result DatePlusDays(const Datum* a, const Context&) { return AddDays(DateOf(a[0]), IntOf(a[1])); }
Result DaysPlusDate(const Datum* a, const Context&) { return AddDays(DateOf(a[1]), IntOf(a[0])); }
Result DateMinusDays(const Datum* a, const Context&) { return AddDays(DateOf(a[0]), -IntOf(a[1])); }
Result DateMinusDate(const Datum* a, const Context&) {
  if (IsInfinite(DateOf(a[0])) || IsInfinite(DateOf(a[1])))
    return SqlError(sqlstate::kDatetimeFieldOverflow, "cannot subtract infinite dates");
  return Datum(int64_t{DateOf(a[0]).days} - DateOf(a[1]).days);
}
Result DateAnd(Date date, const Interval& interval) {
  ASSIGN_OR_RETURN(const int64_t midnight, MidnightUs(date));
  ASSIGN_OR_RETURN(const int64_t us, AddInterval(midnight, interval));
  return Datum(LocalTimestamp{us});
}
Result DatePlusInterval(const Datum* a, const Context&) { return DateAnd(DateOf(a[0]), IntervalOf(a[1])); }
Result IntervalPlusDate(const Datum* a, const Context&) { return DateAnd(DateOf(a[1]), IntervalOf(a[0])); }
Result DateMinusInterval(const Datum* a, const Context&) { return DateAnd(DateOf(a[0]), Negated(IntervalOf(a[1]))); }

// --- Timestamps ---
Result After(LocalTimestamp at, const Interval& interval, const Context&) {
  ASSIGN_OR_RETURN(const int64_t us, AddInterval(at.us, interval));
  return Datum(LocalTimestamp{us});
}
Result After(TimestampTz at, const Interval& interval, const Context& context) {
  ASSIGN_OR_RETURN(const TimestampTz sum, AddInterval(at, interval, context.zone()));
  return Datum(sum);
}
template <typename Time>
Result TimePlusInterval(const Datum* a, const Context& context) {
  return After(std::get<Time>(a[0]), IntervalOf(a[1]), context);
}
template <typename Time>
Result IntervalPlusTime(const Datum* a, const Context& context) {
  return After(std::get<Time>(a[1]), IntervalOf(a[0]), context);
}
template <typename Time>
Result TimeMinusInterval(const Datum* a, const Context& context) {
  return After(std::get<Time>(a[0]), Negated(IntervalOf(a[1])), context);
}
template <typename Time>
Result TimeMinusTime(const Datum* a, const Context&) {
  if (IsInfinite(UsOf<Time>(a[0])) || IsInfinite(UsOf<Time>(a[1]))) {
    return SqlError(sqlstate::kDatetimeFieldOverflow, "cannot subtract infinite timestamps");
  }
  return Datum(SubtractTimes(UsOf<Time>(a[0]), UsOf<Time>(a[1])));
}
absl::StatusOr<int64_t> LocalUs(LocalTimestamp at, const Context&) { return at.us; }
absl::StatusOr<int64_t> LocalUs(TimestampTz at, const Context& context) {
  ASSIGN_OR_RETURN(const LocalTimestamp local, ToLocal(at, context.zone()));
  return local.us;
}
template <typename Time>
Result AgeBetween(Time a, Time b, const Context& context) {
  if (IsInfinite(a.us) || IsInfinite(b.us)) return SqlError(sqlstate::kDatetimeFieldOverflow, "timestamp out of range");
  ASSIGN_OR_RETURN(const int64_t a_us, LocalUs(a, context));
  ASSIGN_OR_RETURN(const int64_t b_us, LocalUs(b, context));
  return Datum(Age(a_us, b_us, a < b));
}
template <typename Time>
Result AgeOf(const Datum* a, const Context& context) {
  return AgeBetween(std::get<Time>(a[0]), std::get<Time>(a[1]), context);
}
template <typename Time>
Result AgeToday(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const int64_t now_us, LocalUs(context.transaction_time, context));
  const LocalTimestamp midnight{FloorDivide(now_us, kDayUs) * kDayUs};
  if constexpr (std::is_same_v<Time, TimestampTz>) {
    ASSIGN_OR_RETURN(const TimestampTz today, FromLocal(midnight, context.zone()));
    return AgeBetween(today, std::get<Time>(a[0]), context);
  } else {
    return AgeBetween(midnight, std::get<Time>(a[0]), context);
  }
}
Result TruncateLocal(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const int64_t us, TruncateTo(TextOf(a[0]), std::get<LocalTimestamp>(a[1]).us));
  return Datum(LocalTimestamp{us});
}
Result TruncateTz(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const TimestampTz at, TruncateTo(TextOf(a[0]), std::get<TimestampTz>(a[1]), context.zone()));
  return Datum(at);
}
Result TruncateTzIn(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const ZoneName zone, ZoneName::Find(TextOf(a[2])));
  ASSIGN_OR_RETURN(const TimestampTz at, TruncateTo(TextOf(a[0]), std::get<TimestampTz>(a[1]), *zone.zone()));
  return Datum(at);
}
Result TruncateInterval(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const Interval interval, TruncateTo(TextOf(a[0]), IntervalOf(a[1])));
  return Datum(interval);
}

absl::StatusOr<std::optional<Numeric>> FieldOf(const std::string& field, const Datum& value, const Context& context) {
  if (const Interval* interval = std::get_if<Interval>(&value)) {
    ASSIGN_OR_RETURN(Numeric number, Extract(field, *interval));
    return std::optional(std::move(number));
  }
  if (const Date* date = std::get_if<Date>(&value)) {
    const int64_t us = IsInfinite(*date) ? kInfiniteUs : date->days * kDayUs;
    return Extract(field, us, T::kDate);
  }
  if (const LocalTimestamp* local = std::get_if<LocalTimestamp>(&value)) return Extract(field, local->us, T::kTimestamp);
  const TimestampTz at = std::get<TimestampTz>(value);
  ASSIGN_OR_RETURN(const LocalTimestamp local, ToLocal(at, context.zone()));
  return Extract(field, local.us, T::kTimestampTz, local.us - at.us);
}
Result ExtractField(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(std::optional<Numeric> field, FieldOf(TextOf(a[0]), a[1], context));
  if (!field) return Datum(Null{});
  return Datum(*std::move(field));
}
Result DatePart(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const std::optional<Numeric> field, FieldOf(TextOf(a[0]), a[1], context));
  if (!field) return Datum(Null{});
  ASSIGN_OR_RETURN(const double number, ParseDouble(ToText(*field)));
  return Datum(number);
}

Result ToTimestamp(const Datum* a, const Context&) {
  const double seconds = DoubleOf(a[0]);
  if (std::isnan(seconds)) return SqlError(sqlstate::kDatetimeFieldOverflow, "timestamp cannot be NaN");
  if (std::isinf(seconds)) return Datum(TimestampTz{seconds > 0 ? kInfiniteUs : kMinusInfiniteUs});
  const double us = std::rint(seconds * kSecondUs);
  if (!(us >= static_cast<double>(kTimestampUsMin) && us < 9.2233720368547e18)) {
    return SqlError(sqlstate::kDatetimeFieldOverflow, fmt::format("timestamp out of range: \"{:g}\"", seconds));
  }
  return Datum(TimestampTz{static_cast<int64_t>(us)});
}

// AT TIME ZONE: what clocks there show, and back.
absl::StatusOr<ZoneName> ZoneOf(const Datum& zone) {
  const Interval* east = std::get_if<Interval>(&zone);
  if (east == nullptr) return ZoneName::Find(TextOf(zone));
  if (east->months == 0 && east->days == 0) return ZoneName(east->us / kSecondUs * kSecondUs);
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("interval time zone \"{}\" must not include months or days", ToText(zone)));
}
Result AtZone(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const ZoneName zone, ZoneOf(a[0]));
  ASSIGN_OR_RETURN(const LocalTimestamp local, ToLocal(std::get<TimestampTz>(a[1]), zone));
  return Datum(local);
}
Result OfZone(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const ZoneName zone, ZoneOf(a[0]));
  ASSIGN_OR_RETURN(const TimestampTz at, FromLocal(std::get<LocalTimestamp>(a[1]), zone));
  return Datum(at);
}

absl::StatusOr<Date> DateOfParts(const Datum* a) {
  const CivilDate date{IntOf(a[0]), static_cast<int>(IntOf(a[1])), static_cast<int>(IntOf(a[2]))};
  const bool valid = date.year != 0 && date.month >= 1 && date.month <= kMonthsPerYear && date.day >= 1 &&
                     date.day <= DaysInMonth(date.year < 0 ? date.year + 1 : date.year, date.month);
  if (!valid) {
    return SqlError(sqlstate::kDatetimeFieldOverflow,
                    fmt::format("date field value out of range: {}-{:02}-{:02}", date.year, date.month, date.day));
  }
  return DateFrom(DaysFromCivil({date.year < 0 ? date.year + 1 : date.year, date.month, date.day}));
}
Result MakeDate(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const Date date, DateOfParts(a));
  return Datum(date);
}
absl::StatusOr<LocalTimestamp> TimeOfParts(const Datum* a) {
  ASSIGN_OR_RETURN(const Date date, DateOfParts(a));
  const int64_t hour = IntOf(a[3]), minute = IntOf(a[4]);
  const double second = DoubleOf(a[5]);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || !(second >= 0 && second <= 60)) {
    return SqlError(sqlstate::kDatetimeFieldOverflow,
                    fmt::format("time field value out of range: {}:{:02}:{:02}", hour, minute, second));
  }
  const int64_t us = hour * kHourUs + minute * kMinuteUs + std::llrint(second * kSecondUs);
  ASSIGN_OR_RETURN(const int64_t at, TimestampUsFrom(static_cast<__int128>(date.days) * kDayUs + us));
  return LocalTimestamp{at};
}
Result MakeTimestamp(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const LocalTimestamp local, TimeOfParts(a));
  return Datum(local);
}
Result MakeTimestampTz(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const LocalTimestamp local, TimeOfParts(a));
  ASSIGN_OR_RETURN(const TimestampTz at, FromLocal(local, context.zone()));
  return Datum(at);
}
// Here an offset counts to the east, as in the text of a timestamp.
absl::StatusOr<ZoneName> ZoneOfArgument(std::string text) {
  if (text.starts_with('+') || text.starts_with('-')) {
    text.front() = text.front() == '+' ? '-' : '+';  // to the west, as names of zones have it
  } else if (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("invalid input syntax for type numeric time zone: \"{}\"", text),
                    "Numeric time zones must have \"-\" or \"+\" as first character.");
  }
  return ZoneName::Find(text);
}
Result MakeTimestampTzIn(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const LocalTimestamp local, TimeOfParts(a));
  ASSIGN_OR_RETURN(const ZoneName zone, ZoneOfArgument(TextOf(a[6])));
  ASSIGN_OR_RETURN(const TimestampTz at, FromLocal(local, zone));
  return Datum(at);
}

// --- Intervals ---
Result AddIntervals(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const Interval sum, Plus(IntervalOf(a[0]), IntervalOf(a[1])));
  return Datum(sum);
}
Result SubtractIntervals(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const Interval sum, Plus(IntervalOf(a[0]), Negated(IntervalOf(a[1]))));
  return Datum(sum);
}
Result NegateInterval(const Datum* a, const Context&) { return Datum(Negated(IntervalOf(a[0]))); }
Result IntervalTimes(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const Interval product, Times(IntervalOf(a[0]), DoubleOf(a[1])));
  return Datum(product);
}
Result TimesInterval(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const Interval product, Times(IntervalOf(a[1]), DoubleOf(a[0])));
  return Datum(product);
}
Result DivideInterval(const Datum* a, const Context&) {
  if (DoubleOf(a[1]) == 0) return DivisionByZero();
  ASSIGN_OR_RETURN(const Interval quotient, Times(IntervalOf(a[0]), 1 / DoubleOf(a[1])));
  return Datum(quotient);
}
template <Justify kWhat>
Result JustifyInterval(const Datum* a, const Context&) {
  return Datum(Justified(IntervalOf(a[0]), kWhat));
}
Result IsFinite(const Datum* a, const Context&) {
  if (const Date* date = std::get_if<Date>(&a[0])) return Datum(!IsInfinite(*date));
  if (const LocalTimestamp* local = std::get_if<LocalTimestamp>(&a[0])) return Datum(!IsInfinite(local->us));
  if (const TimestampTz* time = std::get_if<TimestampTz>(&a[0])) return Datum(!IsInfinite(time->us));
  return Datum(true);
}

// How much a function on the type depends on: timestamptz has days and hours by the session's time zone.
constexpr Volatility VolatilityOf(T type) { return type == T::kTimestampTz ? Volatility::kStable : Volatility::kImmutable; }

template <typename Time>
void AddTimeFunctions(FunctionList* all) {
  constexpr T kTime = TypeOf<Time>();
  constexpr T kInterval = T::kInterval;
  constexpr Volatility kVolatility = VolatilityOf(kTime);
  all->insert(all->end(), {
                              {"+", {kTime, kInterval}, kTime, TimePlusInterval<Time>, kVolatility},
                              {"+", {kInterval, kTime}, kTime, IntervalPlusTime<Time>, kVolatility},
                              {"-", {kTime, kInterval}, kTime, TimeMinusInterval<Time>, kVolatility},
                              {"-", {kTime, kTime}, kInterval, TimeMinusTime<Time>},
                              {"age", {kTime, kTime}, kInterval, AgeOf<Time>, kVolatility},
                              {"age", {kTime}, kInterval, AgeToday<Time>, Volatility::kStable},
                          });
}

}  // namespace

FunctionList TimeFunctions() {
  constexpr T kDate = T::kDate;
  constexpr T kInt4 = T::kInt4;
  constexpr T kText = T::kText;
  constexpr T kInterval = T::kInterval;
  constexpr T kLocal = T::kTimestamp;
  constexpr T kTz = T::kTimestampTz;
  constexpr T kDouble = T::kFloat8;
  FunctionList all;
  AddTimeFunctions<LocalTimestamp>(&all);
  AddTimeFunctions<TimestampTz>(&all);
  for (const T type : {kDate, kLocal, kTz, kInterval}) {
    all.push_back({"extract", {kText, type}, T::kNumeric, ExtractField, VolatilityOf(type)});
    all.push_back({"date_part", {kText, type}, kDouble, DatePart, VolatilityOf(type)});
    all.push_back({"isfinite", {type}, T::kBool, IsFinite});
  }
  all.insert(
      all.end(),
      {
          {"now", {}, kTz, TransactionTime, Volatility::kStable},
          {"transaction_timestamp", {}, kTz, TransactionTime, Volatility::kStable},
          {"statement_timestamp", {}, kTz, StatementTime, Volatility::kStable},
          {"clock_timestamp", {}, kTz, ClockTime, Volatility::kVolatile},
          {"+", {kDate, kInt4}, kDate, DatePlusDays},
          {"+", {kInt4, kDate}, kDate, DaysPlusDate},
          {"-", {kDate, kInt4}, kDate, DateMinusDays},
          {"-", {kDate, kDate}, kInt4, DateMinusDate},
          {"+", {kDate, kInterval}, kLocal, DatePlusInterval},
          {"+", {kInterval, kDate}, kLocal, IntervalPlusDate},
          {"-", {kDate, kInterval}, kLocal, DateMinusInterval},
          {"+", {kInterval, kInterval}, kInterval, AddIntervals},
          {"-", {kInterval, kInterval}, kInterval, SubtractIntervals},
          {"-", {kInterval}, kInterval, NegateInterval},
          {"*", {kInterval, kDouble}, kInterval, IntervalTimes},
          {"*", {kDouble, kInterval}, kInterval, TimesInterval},
          {"/", {kInterval, kDouble}, kInterval, DivideInterval},
          {"date_trunc", {kText, kInterval}, kInterval, TruncateInterval},
          {"justify_hours", {kInterval}, kInterval, JustifyInterval<Justify::kHours>},
          {"justify_days", {kInterval}, kInterval, JustifyInterval<Justify::kDays>},
          {"justify_interval", {kInterval}, kInterval, JustifyInterval<Justify::kBoth>},
          {"to_timestamp", {kDouble}, kTz, ToTimestamp},
          {"date_trunc", {kText, kLocal}, kLocal, TruncateLocal},
          {"date_trunc", {kText, kTz}, kTz, TruncateTz, Volatility::kStable},
          {"date_trunc", {kText, kTz, kText}, kTz, TruncateTzIn, Volatility::kStable},
          {"timezone", {kText, kTz}, kLocal, AtZone},
          {"timezone", {kText, kLocal}, kTz, OfZone},
          {"timezone", {kInterval, kTz}, kLocal, AtZone},
          {"timezone", {kInterval, kLocal}, kTz, OfZone},
          {"make_date", {kInt4, kInt4, kInt4}, kDate, MakeDate},
          {"make_timestamp", {kInt4, kInt4, kInt4, kInt4, kInt4, kDouble}, kLocal, MakeTimestamp},
          {"make_timestamptz", {kInt4, kInt4, kInt4, kInt4, kInt4, kDouble}, kTz, MakeTimestampTz, Volatility::kStable},
          {"make_timestamptz",
           {kInt4, kInt4, kInt4, kInt4, kInt4, kDouble, kText},
           kTz,
           MakeTimestampTzIn,
           Volatility::kStable},
      });
  return all;
}

}  // namespace anabranch
