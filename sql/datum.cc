#include "sql/datum.h"

#include <charconv>

#include "base/status.h"
#include "base/system_time.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

absl::Status SyntaxError(SqlType type, std::string_view text) {
  return SqlError(sqlstate::kInvalidTextRepresentation,
                  fmt::format("invalid input syntax for type {}: \"{}\"", TypeName(type), text));
}

absl::StatusOr<Datum> ParseInteger(SqlType type, std::string_view text) {
  std::string_view digits = Trim(text);
  if (digits.size() > 1 && digits.front() == '+' && digits[1] != '-') digits.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) return SyntaxError(type, text);
  if (error != std::errc() || (type == SqlType::kInt4 && value != static_cast<int32_t>(value))) {
    return SqlError(sqlstate::kNumericValueOutOfRange,
                    fmt::format("value \"{}\" is out of range for type {}", text, TypeName(type)));
  }
  return Datum(value);
}

// Any unique beginning of true, false, yes, no; on, off, 1, 0.
absl::StatusOr<Datum> ParseBool(std::string_view text) {
  std::string word(Trim(text));
  for (char& c : word) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  const auto begins = [&](std::string_view whole) { return !word.empty() && whole.substr(0, word.size()) == word; };
  if (begins("true") || begins("yes") || word == "on" || word == "1") return Datum(true);
  if (begins("false") || begins("no") || word == "of" || word == "off" || word == "0") return Datum(false);
  return SyntaxError(SqlType::kBool, text);
}

// Length of the well-formed UTF-8 sequence at the front, 0 if there is none. REQUIRES: not empty
size_t Utf8SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint8_t first = byte(0);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (first == 0xE0 && byte(1) < 0xA0) return 0;   // overlong
    if (first == 0xED && byte(1) >= 0xA0) return 0;  // surrogate
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) >= 0x90) return 0;
    return follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

absl::StatusOr<Datum> ParseText(std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    const size_t length = Utf8SequenceLength(rest);
    if (length == 0) {
      return SqlError("22021", fmt::format("invalid byte sequence for encoding \"UTF8\": 0x{:02x}",
                                           static_cast<uint8_t>(rest.front())));
    }
    rest.remove_prefix(length);
  }
  return Datum(std::string(text));
}

int64_t FloorDivide(int64_t value, int64_t divisor) { return value / divisor - (value % divisor < 0 ? 1 : 0); }

// ".5" of 500,000 microseconds; nothing of none, as PostgreSQL prints.
std::string FractionText(int64_t us) {
  if (us == 0) return "";
  std::string text = fmt::format(".{:06}", us);
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

struct CivilDate {
  int64_t year;
  int64_t month;
  int64_t day;
};
// The inverse of counting days from 1970-01-01, by 400-year eras that begin on 1 March.
CivilDate CivilFromDays(int64_t days) {
  days += 719468;
  const int64_t era = FloorDivide(days, 146097);
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day_of_year - (153 * shifted_month + 2) / 5 + 1};
}

std::string TimestampText(TimestampTz ts) {
  constexpr int64_t kDayUs = 86'400'000'000;
  const int64_t days = FloorDivide(ts.us, kDayUs);
  const int64_t us = ts.us - days * kDayUs;
  const int64_t seconds = us / 1'000'000;
  const CivilDate date = CivilFromDays(days);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}{}+00", date.year, date.month, date.day, seconds / 3600,
                     seconds / 60 % 60, seconds % 60, FractionText(us % 1'000'000));
}

std::string IntervalText(Interval interval) {
  const uint64_t us = interval.us < 0 ? 0 - static_cast<uint64_t>(interval.us) : static_cast<uint64_t>(interval.us);
  const uint64_t seconds = us / 1'000'000;
  return fmt::format("{}{:02}:{:02}:{:02}{}", interval.us < 0 ? "-" : "", seconds / 3600, seconds / 60 % 60, seconds % 60,
                     FractionText(static_cast<int64_t>(us % 1'000'000)));
}

}  // namespace

std::string_view TypeName(SqlType type) {
  switch (type) {
    case SqlType::kBool:
      return "boolean";
    case SqlType::kInt8:
      return "bigint";
    case SqlType::kInt4:
      return "integer";
    case SqlType::kText:
      return "text";
    case SqlType::kTimestampTz:
      return "timestamp with time zone";
    case SqlType::kInterval:
      return "interval";
    case SqlType::kNumeric:
      return "numeric";
    case SqlType::kUnknown:
      return "unknown";
  }
  return "unknown";
}

int16_t TypeLength(SqlType type) {
  switch (type) {
    case SqlType::kBool:
      return 1;
    case SqlType::kInt4:
      return 4;
    case SqlType::kInt8:
    case SqlType::kTimestampTz:
      return 8;
    case SqlType::kInterval:
      return 16;
    case SqlType::kUnknown:
      return -2;
    case SqlType::kText:
    case SqlType::kNumeric:
      return -1;
  }
  return -1;
}

std::string ToText(const Datum& datum) {
  struct Visitor {
    std::string operator()(const Null&) const { return ""; }
    std::string operator()(bool value) const { return value ? "t" : "f"; }
    std::string operator()(int64_t value) const { return fmt::format_int(value).str(); }
    std::string operator()(const std::string& value) const { return value; }
    std::string operator()(const Numeric& value) const { return ToText(value); }
    std::string operator()(TimestampTz value) const { return TimestampText(value); }
    std::string operator()(Interval value) const { return IntervalText(value); }
  };
  return std::visit(Visitor{}, datum);
}

absl::StatusOr<Datum> FromText(SqlType type, std::string_view text) {
  switch (type) {
    case SqlType::kBool:
      return ParseBool(text);
    case SqlType::kInt4:
    case SqlType::kInt8:
      return ParseInteger(type, text);
    case SqlType::kText:
    case SqlType::kUnknown:
      return ParseText(text);
    case SqlType::kNumeric: {
      ASSIGN_OR_RETURN(Numeric value, ParseNumeric(text));
      return Datum(std::move(value));
    }
    case SqlType::kTimestampTz: {
      ASSIGN_OR_RETURN(const int64_t ns, ParseTimestampTzNs(text));
      return Datum(TimestampTz{FloorDivide(ns, 1000)});
    }
    case SqlType::kInterval: {
      ASSIGN_OR_RETURN(const int64_t ns, ParseIntervalNs(text));
      return Datum(Interval{FloorDivide(ns, 1000)});
    }
  }
  return SqlError(sqlstate::kFeatureNotSupported, "this type is not supported");
}

std::strong_ordering Compare(const Datum& a, const Datum& b) {
  if (IsNull(a) || IsNull(b)) return IsNull(a) <=> IsNull(b);
  if (const int64_t* left = std::get_if<int64_t>(&a)) return *left <=> std::get<int64_t>(b);
  if (const std::string* left = std::get_if<std::string>(&a)) return left->compare(std::get<std::string>(b)) <=> 0;
  if (const bool* left = std::get_if<bool>(&a)) return *left <=> std::get<bool>(b);
  if (const Numeric* left = std::get_if<Numeric>(&a)) return *left <=> std::get<Numeric>(b);
  if (const TimestampTz* left = std::get_if<TimestampTz>(&a)) return *left <=> std::get<TimestampTz>(b);
  return std::get<Interval>(a) <=> std::get<Interval>(b);
}

}  // namespace anabranch
