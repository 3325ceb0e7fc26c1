#include "base/system_time.h"

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/status.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
// As PostgreSQL counts them when it makes seconds of an interval.
constexpr int64_t kMonthNs = 30 * 86400 * kSecondNs;
constexpr int64_t kYearNs = 36525 * 864 * kSecondNs;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

// Digits from the front of *in; nullopt if there are none or more than digits_max.
std::optional<int64_t> TakeDigits(std::string_view* in, size_t digits_max) {
  size_t length = 0;
  while (length < in->size() && IsDigit((*in)[length])) ++length;
  if (length == 0 || length > digits_max) return std::nullopt;
  int64_t value = 0;
  std::from_chars(in->data(), in->data() + length, value);
  in->remove_prefix(length);
  return value;
}

bool TakeChar(std::string_view* in, char c) {
  if (in->empty() || in->front() != c) return false;
  in->remove_prefix(1);
  return true;
}

// ".5" as a fraction of `unit_ns`, exact down to a nanosecond; 0 if there is no fraction, nullopt if it is only a point.
std::optional<int64_t> TakeFraction(std::string_view* in, int64_t unit_ns) {
  if (in->empty() || in->front() != '.') return 0;
  in->remove_prefix(1);
  __int128 numerator = 0;
  __int128 denominator = 1;
  size_t digits = 0;
  while (!in->empty() && IsDigit(in->front())) {
    if (digits < 18) {  // digits after these are below a nanosecond of any unit
      numerator = numerator * 10 + (in->front() - '0');
      denominator *= 10;
    }
    ++digits;
    in->remove_prefix(1);
  }
  if (digits == 0) return std::nullopt;
  return static_cast<int64_t>(numerator * unit_ns / denominator);
}

std::optional<int64_t> UnitNs(std::string_view unit) {
  struct Unit {
    std::string_view name;
    int64_t ns;
  };
  static constexpr Unit kUnits[] = {
      {"ns", 1},
      {"us", 1000},
      {"microsecond", 1000},
      {"microseconds", 1000},
      {"ms", 1'000'000},
      {"millisecond", 1'000'000},
      {"milliseconds", 1'000'000},
      {"s", kSecondNs},
      {"sec", kSecondNs},
      {"secs", kSecondNs},
      {"second", kSecondNs},
      {"seconds", kSecondNs},
      {"m", 60 * kSecondNs},
      {"min", 60 * kSecondNs},
      {"mins", 60 * kSecondNs},
      {"minute", 60 * kSecondNs},
      {"minutes", 60 * kSecondNs},
      {"h", 3600 * kSecondNs},
      {"hr", 3600 * kSecondNs},
      {"hrs", 3600 * kSecondNs},
      {"hour", 3600 * kSecondNs},
      {"hours", 3600 * kSecondNs},
      {"d", 86400 * kSecondNs},
      {"day", 86400 * kSecondNs},
      {"days", 86400 * kSecondNs},
      {"w", 7 * 86400 * kSecondNs},
      {"week", 7 * 86400 * kSecondNs},
      {"weeks", 7 * 86400 * kSecondNs},
      {"mon", kMonthNs},
      {"mons", kMonthNs},
      {"month", kMonthNs},
      {"months", kMonthNs},
      {"y", kYearNs},
      {"year", kYearNs},
      {"years", kYearNs},
  };
  std::string lower(unit);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  for (const Unit& candidate : kUnits) {
    if (candidate.name == lower) return candidate.ns;
  }
  return std::nullopt;
}

// The rest of "hh:mm[:ss[.fraction]]" after the hours.
std::optional<__int128> TakeClockRest(int64_t hours, std::string_view* in) {
  if (!TakeChar(in, ':')) return std::nullopt;
  const auto minutes = TakeDigits(in, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  __int128 ns = (static_cast<__int128>(hours) * 3600 + *minutes * 60) * kSecondNs;
  if (!TakeChar(in, ':')) return ns;
  const auto seconds = TakeDigits(in, 2);
  if (!seconds || *seconds > 59) return std::nullopt;
  const auto fraction = TakeFraction(in, kSecondNs);
  if (!fraction) return std::nullopt;
  return ns + *seconds * static_cast<__int128>(kSecondNs) + *fraction;
}

// One "<number><unit>" or "hh:mm:ss" with its sign.
std::optional<__int128> TakeIntervalPart(std::string_view* in) {
  const bool negative = TakeChar(in, '-');
  if (!negative) TakeChar(in, '+');
  const auto whole = TakeDigits(in, 18);
  if (!whole) return std::nullopt;
  __int128 ns = 0;
  if (!in->empty() && in->front() == ':') {
    const auto clock = TakeClockRest(*whole, in);
    if (!clock) return std::nullopt;
    ns = *clock;
  } else {
    std::string_view after_number = *in;
    if (!TakeFraction(&after_number, 1)) return std::nullopt;
    std::string_view unit = Trim(after_number);
    size_t length = 0;
    while (length < unit.size() && IsLetter(unit[length])) ++length;
    const auto unit_ns = UnitNs(unit.substr(0, length));
    if (!unit_ns) return std::nullopt;
    ns = static_cast<__int128>(*whole) * *unit_ns + *TakeFraction(in, *unit_ns);
    *in = unit.substr(length);
  }
  return negative ? -ns : ns;
}

std::optional<int64_t> TryParseInterval(std::string_view text) {
  std::string_view in = Trim(text);
  const bool all_negative = !in.empty() && in.front() == '-';
  __int128 total = 0;
  bool first = true;
  while (!in.empty()) {
    const bool own_sign = in.front() == '-' || in.front() == '+';
    const auto part = TakeIntervalPart(&in);
    if (!part) return std::nullopt;
    // "-5m30s" is minus 330 seconds: a sign in front holds for the parts that have none.
    total += !first && all_negative && !own_sign ? -*part : *part;
    first = false;
    in = Trim(in);
    if (total > INT64_MAX || total < INT64_MIN) return std::nullopt;
  }
  if (first) return std::nullopt;
  return static_cast<int64_t>(total);
}

// Days since 1970-01-01 of a proleptic Gregorian date: counts 400-year eras from 1 March, so the leap day comes last.
int64_t DaysFromCivil(int64_t year, int64_t month, int64_t day) {
  if (month <= 2) --year;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

int64_t DaysInMonth(int64_t year, int64_t month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// Seconds east of UTC; an empty zone is UTC.
std::optional<int64_t> ParseZone(std::string_view zone) {
  zone = Trim(zone);
  if (zone.empty() || zone == "Z" || zone == "z" || zone == "UTC" || zone == "utc" || zone == "GMT") return 0;
  const bool west = zone.front() == '-';
  if (!west && zone.front() != '+') return std::nullopt;
  zone.remove_prefix(1);
  std::string_view digits = zone;
  auto hours = TakeDigits(&digits, 2);
  int64_t minutes = 0;
  if (!hours) {
    digits = zone;
    const auto packed = TakeDigits(&digits, 4);  // as in +0530
    if (!packed) return std::nullopt;
    hours = *packed / 100;
    minutes = *packed % 100;
  } else if (TakeChar(&digits, ':')) {
    const auto part = TakeDigits(&digits, 2);
    if (!part) return std::nullopt;
    minutes = *part;
  }
  if (!digits.empty() || *hours > 15 || minutes > 59) return std::nullopt;
  const int64_t seconds = *hours * 3600 + minutes * 60;
  return west ? -seconds : seconds;
}

std::optional<int64_t> TryParseTimestamp(std::string_view text) {
  std::string_view in = Trim(text);
  const auto year = TakeDigits(&in, 4);
  if (!year || !TakeChar(&in, '-')) return std::nullopt;
  const auto month = TakeDigits(&in, 2);
  if (!month || *month < 1 || *month > 12 || !TakeChar(&in, '-')) return std::nullopt;
  const auto day = TakeDigits(&in, 2);
  if (!day || *day < 1 || *day > DaysInMonth(*year, *month)) return std::nullopt;
  __int128 ns = static_cast<__int128>(DaysFromCivil(*year, *month, *day)) * 86400 * kSecondNs;
  if (in.empty()) return ns > INT64_MAX || ns < INT64_MIN ? std::nullopt : std::optional<int64_t>(static_cast<int64_t>(ns));
  if (!TakeChar(&in, ' ') && !TakeChar(&in, 'T') && !TakeChar(&in, 't')) return std::nullopt;
  in = Trim(in);
  const auto hours = TakeDigits(&in, 2);
  if (!hours || *hours > 24) return std::nullopt;
  const auto clock = TakeClockRest(*hours, &in);
  if (!clock || *clock > static_cast<__int128>(86400) * kSecondNs) return std::nullopt;
  const auto zone = ParseZone(in);
  if (!zone) return std::nullopt;
  ns += *clock - static_cast<__int128>(*zone) * kSecondNs;
  if (ns > INT64_MAX || ns < INT64_MIN) return std::nullopt;
  return static_cast<int64_t>(ns);
}

absl::Status Before1970() {
  return SqlError(sqlstate::kInvalidParameterValue, "timestamp before 1970-01-01T00:00:00Z is invalid");
}

absl::StatusOr<Timestamp> NotZero(Timestamp ts) {
  if (ts.IsZero()) return SqlError(sqlstate::kInvalidParameterValue, "zero timestamp is invalid");
  return ts;
}

}  // namespace

absl::StatusOr<int64_t> ParseIntervalNs(std::string_view text) {
  if (const auto ns = TryParseInterval(text)) return *ns;
  return SqlError(sqlstate::kInvalidDatetimeFormat, fmt::format("invalid input syntax for type interval: \"{}\"", text));
}

absl::StatusOr<int64_t> ParseTimestampTzNs(std::string_view text) {
  if (const auto ns = TryParseTimestamp(text)) return *ns;
  return SqlError(sqlstate::kInvalidDatetimeFormat,
                  fmt::format("invalid input syntax for type timestamp with time zone: \"{}\"", text));
}

absl::StatusOr<Timestamp> ResolveSystemTime(std::string_view text, Timestamp now) {
  const std::string_view trimmed = Trim(text);
  if (const auto ns = TryParseTimestamp(trimmed)) {
    if (*ns < 0) return Before1970();
    return NotZero({static_cast<uint64_t>(*ns)});
  }
  const bool negative = !trimmed.empty() && trimmed.front() == '-';
  const std::string_view number = negative ? trimmed.substr(1) : trimmed;
  if (!number.empty() && IsDigit(number.front()) && number.find_first_not_of("0123456789.") == std::string_view::npos) {
    if (negative) return Before1970();
    ASSIGN_OR_RETURN(const Timestamp ts, ParseHlc(number));
    return NotZero(ts);
  }
  const auto interval = TryParseInterval(trimmed);
  if (!interval) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("\"{}\": value is neither timestamp, decimal, nor interval", text));
  }
  if (*interval > -1000 && *interval < 1000) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("interval value {} too small, absolute value must be >= 1us", trimmed));
  }
  const __int128 resolved = static_cast<__int128>(now.ns) + *interval;
  if (resolved < 0) return Before1970();
  if (resolved >= static_cast<__int128>(UINT64_MAX)) {
    return SqlError(sqlstate::kInvalidParameterValue, fmt::format("interval value {} is out of range", trimmed));
  }
  return NotZero({static_cast<uint64_t>(resolved)});
}

}  // namespace anabranch
