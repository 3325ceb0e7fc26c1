#include "sql/value/posix_time_zone.h"

#include <algorithm>

#include "sql/value/datetime.h"

namespace anabranch {
namespace {

constexpr int32_t kMinuteS = 60;
constexpr int32_t kHourS = 3600;
constexpr int32_t kDayS = 86'400;
constexpr int kHoursMax = 24 * 7 - 1;
constexpr std::string_view kDefaultChanges = ",M3.2.0,M11.1.0";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool Take(char c, std::string_view* in) {
  if (!in->starts_with(c)) return false;
  in->remove_prefix(1);
  return true;
}

std::optional<int> TakeNumber(int min, int max, std::string_view* in) {
  if (in->empty() || !IsDigit(in->front())) return std::nullopt;
  int number = 0;
  while (!in->empty() && IsDigit(in->front())) {
    number = number * 10 + (in->front() - '0');
    if (number > max) return std::nullopt;
    in->remove_prefix(1);
  }
  return number < min ? std::nullopt : std::optional(number);
}

// hh[:mm[:ss]] with a sign.
std::optional<int32_t> TakeTime(std::string_view* in) {
  const bool negative = in->starts_with('-');
  if (negative || in->starts_with('+')) in->remove_prefix(1);
  const std::optional<int> hours = TakeNumber(0, kHoursMax, in);
  if (!hours) return std::nullopt;
  int32_t seconds = *hours * kHourS;
  for (const int32_t unit : {kMinuteS, 1}) {
    if (!Take(':', in)) break;
    const std::optional<int> part = TakeNumber(0, unit == 1 ? 60 : 59, in);
    if (!part) return std::nullopt;
    seconds += *part * unit;
  }
  return negative ? -seconds : seconds;
}

// "CEST" or "<+02>".
std::optional<std::string> TakeName(std::string_view* in) {
  const bool quoted = Take('<', in);
  const size_t end = quoted ? in->find('>') : std::min(in->find_first_of("0123456789,-+"), in->size());
  if (end == std::string_view::npos) return std::nullopt;
  std::string name(in->substr(0, end));
  in->remove_prefix(quoted ? end + 1 : end);
  return name;
}

}  // namespace

std::optional<PosixTimeZone::Change> PosixTimeZone::TakeChange(std::string_view* in) {
  Change change;
  std::optional<int> day;
  if (Take('J', in)) {
    change.kind = DayKind::kJulian;
    day = TakeNumber(1, 365, in);
  } else if (Take('M', in)) {
    change.kind = DayKind::kMonthWeekDay;
    const std::optional<int> month = TakeNumber(1, kMonthsPerYear, in);
    if (!month || !Take('.', in)) return std::nullopt;
    const std::optional<int> week = TakeNumber(1, 5, in);
    if (!week || !Take('.', in)) return std::nullopt;
    change.month = *month;
    change.week = *week;
    day = TakeNumber(0, 6, in);
  } else {
    day = TakeNumber(0, 365, in);
  }
  if (!day) return std::nullopt;
  change.day = *day;
  change.time_s = 2 * kHourS;
  if (!Take('/', in)) return change;
  const std::optional<int32_t> time = TakeTime(in);
  if (!time) return std::nullopt;
  change.time_s = *time;
  return change;
}

std::optional<PosixTimeZone> PosixTimeZone::Parse(std::string_view text) {
  PosixTimeZone zone;
  std::optional<std::string> name = TakeName(&text);
  if (!name) return std::nullopt;
  std::optional<int32_t> west = TakeTime(&text);
  if (!west) return std::nullopt;
  zone.standard_ = {*std::move(name), -*west};
  if (text.empty()) return zone;
  name = TakeName(&text);
  if (!name || name->empty()) return std::nullopt;
  int32_t east = zone.standard_.offset_s + kHourS;
  if (!text.empty() && text.front() != ',') {
    west = TakeTime(&text);
    if (!west) return std::nullopt;
    east = -*west;
  }
  zone.summer_ = Period{*std::move(name), east};
  if (text.empty()) text = kDefaultChanges;
  for (Change* change : {&zone.begin_, &zone.end_}) {
    if (!Take(',', &text)) return std::nullopt;
    const std::optional<Change> taken = TakeChange(&text);
    if (!taken) return std::nullopt;
    *change = *taken;
  }
  return text.empty() ? std::optional(std::move(zone)) : std::nullopt;
}

int64_t PosixTimeZone::DayOf(const Change& change, int64_t year) {
  const int64_t first = DaysFromCivil({year, 1, 1});
  switch (change.kind) {
    case DayKind::kDayOfYear:
      return first + change.day;
    case DayKind::kJulian:  // 29 February is not counted
      return first + change.day - (change.day <= 59 || DaysInMonth(year, 2) == 28 ? 1 : 0);
    case DayKind::kMonthWeekDay:
      break;
  }
  const int64_t month = DaysFromCivil({year, change.month, 1});
  const int64_t weekday = month + 4 - FloorDivide(month + 4, 7) * 7;  // 1970 began with a Thursday
  int64_t day = (change.day - weekday + 7) % 7 + (change.week - 1) * 7;
  if (day >= DaysInMonth(year, change.month)) day -= 7;  // the fifth: the last
  return month + day;
}

const PosixTimeZone::Period& PosixTimeZone::At(int64_t unix_s) const {
  if (!summer_) return standard_;
  const int64_t year = CivilFromDays(FloorDivide(unix_s, kDayS)).year;
  // The last change at or before that time.
  int64_t last = INT64_MIN;
  const Period* period = &standard_;
  for (const int64_t near : {year - 1, year, year + 1}) {
    const int64_t begin = DayOf(begin_, near) * kDayS + begin_.time_s - standard_.offset_s;
    const int64_t end = DayOf(end_, near) * kDayS + end_.time_s - summer_->offset_s;
    if (begin <= unix_s && begin >= last) {
      last = begin;
      period = &*summer_;
    }
    if (end <= unix_s && end > last) {
      last = end;
      period = &standard_;
    }
  }
  return *period;
}

}  // namespace anabranch
