// to_char, to_date and to_timestamp of dates: the patterns people use; others are refused by name.
#include <array>
#include <charconv>

#include "sql/expression/function_family.h"
#include "sql/value/datetime.h"
#include "sql/value/time_zone.h"

namespace anabranch {
namespace {

using Result = FunctionResult;
using Context = EvaluationContext;
using T = SqlType;

enum class Part {
  kYear,
  kYear3,
  kYear2,
  kYear1,
  kMonth,
  kMonthName,
  kMonthShort,
  kDay,
  kDayOfYear,
  kDayName,
  kDayShort,
  kDayOfWeek,
  kIsoDayOfWeek,
  kIsoWeek,
  kIsoYear,
  kQuarter,
  kHour24,
  kHour12,
  kMinute,
  kSecond,
  kMilliseconds,
  kMicroseconds,
  kSecondsOfDay,
  kHalf,
  kHalfDots,
  kZone,
  kZoneOffset,
  kZoneHours,
  kZoneMinutes,
};

enum class Letters { kUpper, kCapital, kLower };

struct Pattern {
  std::string_view name;  // longest first
  Part part;
  Letters letters = Letters::kUpper;
};
constexpr auto kPatterns = std::to_array<Pattern>({
    {"HH24", Part::kHour24},
    {"HH12", Part::kHour12},
    {"SSSSS", Part::kSecondsOfDay},
    {"SSSS", Part::kSecondsOfDay},
    {"MONTH", Part::kMonthName, Letters::kUpper},
    {"Month", Part::kMonthName, Letters::kCapital},
    {"month", Part::kMonthName, Letters::kLower},
    {"IYYY", Part::kIsoYear},
    {"YYYY", Part::kYear},
    {"yyyy", Part::kYear},
    {"A.M.", Part::kHalfDots, Letters::kUpper},
    {"P.M.", Part::kHalfDots, Letters::kUpper},
    {"a.m.", Part::kHalfDots, Letters::kLower},
    {"p.m.", Part::kHalfDots, Letters::kLower},
    {"YYY", Part::kYear3},
    {"MON", Part::kMonthShort, Letters::kUpper},
    {"Mon", Part::kMonthShort, Letters::kCapital},
    {"mon", Part::kMonthShort, Letters::kLower},
    {"DDD", Part::kDayOfYear},
    {"DAY", Part::kDayName, Letters::kUpper},
    {"Day", Part::kDayName, Letters::kCapital},
    {"day", Part::kDayName, Letters::kLower},
    {"TZH", Part::kZoneHours},
    {"TZM", Part::kZoneMinutes},
    {"tzh", Part::kZoneHours},
    {"tzm", Part::kZoneMinutes},
    {"HH", Part::kHour12},
    {"hh24", Part::kHour24},
    {"hh12", Part::kHour12},
    {"hh", Part::kHour12},
    {"MI", Part::kMinute},
    {"mi", Part::kMinute},
    {"SS", Part::kSecond},
    {"ss", Part::kSecond},
    {"MS", Part::kMilliseconds},
    {"ms", Part::kMilliseconds},
    {"US", Part::kMicroseconds},
    {"us", Part::kMicroseconds},
    {"YY", Part::kYear2},
    {"yy", Part::kYear2},
    {"MM", Part::kMonth},
    {"mm", Part::kMonth},
    {"DD", Part::kDay},
    {"dd", Part::kDay},
    {"DY", Part::kDayShort, Letters::kUpper},
    {"Dy", Part::kDayShort, Letters::kCapital},
    {"dy", Part::kDayShort, Letters::kLower},
    {"ID", Part::kIsoDayOfWeek},
    {"IW", Part::kIsoWeek},
    {"AM", Part::kHalf, Letters::kUpper},
    {"PM", Part::kHalf, Letters::kUpper},
    {"am", Part::kHalf, Letters::kLower},
    {"pm", Part::kHalf, Letters::kLower},
    {"TZ", Part::kZone, Letters::kUpper},
    {"tz", Part::kZone, Letters::kLower},
    {"OF", Part::kZoneOffset},
    {"Y", Part::kYear1},
    {"D", Part::kDayOfWeek},
    {"Q", Part::kQuarter},
});
constexpr auto kMonthNames =
    std::to_array<std::string_view>({"January", "February", "March", "April", "May", "June", "July", "August", "September",
                                     "October", "November", "December"});
constexpr auto kDayNames =
    std::to_array<std::string_view>({"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"});
constexpr size_t kShortName = 3;
constexpr size_t kLongName = 9;  // names are padded to it

// A piece of a template: a pattern or text as it stands.
struct Piece {
  const Pattern* pattern = nullptr;
  bool fill = true;  // not after FM
  std::string text;
};

absl::StatusOr<std::vector<Piece>> ParseTemplate(std::string_view in) {
  std::vector<Piece> pieces;
  const auto literal = [&](std::string_view text) { pieces.push_back({nullptr, true, std::string(text)}); };
  while (!in.empty()) {
    if (in.front() == '"') {
      const size_t end = std::min(in.find('"', 1), in.size());
      literal(in.substr(1, end - 1));
      in.remove_prefix(std::min(end + 1, in.size()));
      continue;
    }
    const bool fill = !in.starts_with("FM") && !in.starts_with("fm");
    if (!fill) in.remove_prefix(2);
    const Pattern* best = nullptr;
    for (const Pattern& pattern : kPatterns) {
      if (in.starts_with(pattern.name) && (best == nullptr || pattern.name.size() > best->name.size())) best = &pattern;
    }
    if (best != nullptr) {
      pieces.push_back({best, fill, ""});
      in.remove_prefix(best->name.size());
      if (in.starts_with("TH") || in.starts_with("th")) {
        return SqlError(sqlstate::kFeatureNotSupported, "an ordinal in a date template is not supported");
      }
      continue;
    }
    if (in.empty()) break;
    const char c = in.front();
    // Letters that PostgreSQL would read as patterns that are not here.
    static constexpr std::string_view kOther = "CIJRWXF";
    if (kOther.find(c) != std::string_view::npos) {
      return SqlError(sqlstate::kFeatureNotSupported, fmt::format("\"{}\" in a date template is not supported", c));
    }
    literal(in.substr(0, CharacterBytes(in, 0)));
    in.remove_prefix(CharacterBytes(in, 0));
  }
  return pieces;
}

std::string Spelled(std::string_view name, Letters letters) {
  return letters == Letters::kUpper     ? UpperText(std::string(name))
         : letters == Letters::kCapital ? std::string(name)
                                        : LowerText(std::string(name));
}

std::string Number(int64_t value, int width, bool fill) {
  return fill ? fmt::format("{:0{}}", value, value < 0 ? width + 1 : width) : fmt::format("{}", value);
}

// What to_char shows.
struct Moment {
  int64_t us = 0;         // what clocks show
  int64_t offset_us = 0;  // that they are ahead of UTC
  std::string zone = "";  // what it is called; empty: there is none
};

std::string ZoneHours(int64_t offset_us, int width) {
  const int64_t minutes = (offset_us < 0 ? -offset_us : offset_us) / kMinuteUs;
  return fmt::format("{}{:0{}}", offset_us < 0 ? '-' : '+', minutes / 60, width);
}

int64_t ZoneMinutes(int64_t offset_us) { return (offset_us < 0 ? -offset_us : offset_us) / kMinuteUs % 60; }

absl::StatusOr<int64_t> WholeField(std::string_view field, int64_t us) {
  ASSIGN_OR_RETURN(const std::optional<Numeric> number, Extract(field, us, T::kTimestamp));
  return ToInt64(*number);
}

absl::StatusOr<std::string> FormatPart(const Pattern& pattern, bool fill, const Moment& moment) {
  const int64_t us = moment.us;
  const CivilTime time = CivilFromUs(us);
  const int64_t year = time.date.year > 0 ? time.date.year : 1 - time.date.year;
  const auto named = [&](std::string_view name) {
    std::string text = Spelled(name, pattern.letters);
    if (fill) text.resize(std::max(text.size(), kLongName), ' ');
    return text;
  };
  const auto field = [&](std::string_view name, int width) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(const int64_t value, WholeField(name, us));
    return Number(value, width, fill);
  };
  switch (pattern.part) {
    case Part::kYear:
      return Number(year, 4, fill);
    case Part::kYear3:
      return Number(year % 1000, 3, fill);
    case Part::kYear2:
      return Number(year % 100, 2, fill);
    case Part::kYear1:
      return Number(year % 10, 1, fill);
    case Part::kMonth:
      return Number(time.date.month, 2, fill);
    case Part::kMonthName:
      return named(kMonthNames[static_cast<size_t>(time.date.month - 1)]);
    case Part::kMonthShort:
      return Spelled(kMonthNames[static_cast<size_t>(time.date.month - 1)].substr(0, kShortName), pattern.letters);
    case Part::kDay:
      return Number(time.date.day, 2, fill);
    case Part::kDayOfYear:
      return field("doy", 3);
    case Part::kDayName:
    case Part::kDayShort: {
      ASSIGN_OR_RETURN(const int64_t day, WholeField("dow", us));
      const std::string_view name = kDayNames[static_cast<size_t>(day)];
      if (pattern.part == Part::kDayName) return named(name);
      return Spelled(name.substr(0, kShortName), pattern.letters);
    }
    case Part::kDayOfWeek: {
      ASSIGN_OR_RETURN(const int64_t day, WholeField("dow", us));
      return Number(day + 1, 1, fill);
    }
    case Part::kIsoDayOfWeek:
      return field("isodow", 1);
    case Part::kIsoWeek:
      return field("week", 2);
    case Part::kIsoYear:
      return field("isoyear", 4);
    case Part::kQuarter:
      return field("quarter", 1);
    case Part::kHour24:
      return Number(time.hour, 2, fill);
    case Part::kHour12:
      return Number(time.hour % 12 == 0 ? 12 : time.hour % 12, 2, fill);
    case Part::kMinute:
      return Number(time.minute, 2, fill);
    case Part::kSecond:
      return Number(time.second, 2, fill);
    case Part::kMilliseconds:
      return Number(time.us / 1000, 3, true);
    case Part::kMicroseconds:
      return Number(time.us, 6, true);
    case Part::kSecondsOfDay:
      return fmt::format("{}", time.hour * 3600 + time.minute * 60 + time.second);
    case Part::kHalf:
      return Spelled(time.hour >= 12 ? "PM" : "AM", pattern.letters);
    case Part::kHalfDots:
      return Spelled(time.hour >= 12 ? "P.M." : "A.M.", pattern.letters);
    case Part::kZone:
      return Spelled(moment.zone, pattern.letters);
    case Part::kZoneOffset: {
      const int64_t minutes = ZoneMinutes(moment.offset_us);
      return ZoneHours(moment.offset_us, fill ? 2 : 0) + (minutes == 0 ? "" : fmt::format(":{:02}", minutes));
    }
    case Part::kZoneHours:
      return ZoneHours(moment.offset_us, 2);
    case Part::kZoneMinutes:
      return fmt::format("{:02}", ZoneMinutes(moment.offset_us));
  }
  return std::string();
}

Result FormatTime(const Moment& moment, const std::string& pattern) {
  if (IsInfinite(moment.us) || pattern.empty()) return Datum(Null{});
  ASSIGN_OR_RETURN(const std::vector<Piece> pieces, ParseTemplate(pattern));
  std::string text;
  for (const Piece& piece : pieces) {
    if (piece.pattern == nullptr) {
      text += piece.text;
      continue;
    }
    ASSIGN_OR_RETURN(const std::string part, FormatPart(*piece.pattern, piece.fill, moment));
    text += part;
  }
  return Datum(std::move(text));
}
Result FormatTz(const Datum* a, const Context& context) {
  const TimestampTz at = std::get<TimestampTz>(a[0]);
  ASSIGN_OR_RETURN(const LocalTimestamp local, ToLocal(at, context.zone()));
  if (IsInfinite(at.us)) return Datum(Null{});
  return FormatTime({local.us, local.us - at.us, context.zone().Abbreviation(at)}, TextOf(a[1]));
}
Result FormatLocal(const Datum* a, const Context&) { return FormatTime({std::get<LocalTimestamp>(a[0]).us}, TextOf(a[1])); }

// --- Reading ---
struct Reading {
  CivilDate date{1, 1, 1};
  int64_t hour = 0, minute = 0, second = 0, us = 0;
  bool twelve = false;
  bool afternoon = false;
  std::optional<int64_t> zone_hours = {};  // without one: the session's zone
  int64_t zone_minutes = 0;
  bool west = false;
};

absl::Status Unreadable(std::string_view text, const Pattern& pattern) {
  return SqlError(sqlstate::kInvalidDatetimeFormat,
                  fmt::format("invalid value \"{}\" for \"{}\"", text.substr(0, pattern.name.size()), pattern.name),
                  "Value must be an integer.");
}

absl::StatusOr<int64_t> TakeNumber(const Pattern& pattern, size_t digits_max, std::string_view* in) {
  while (!in->empty() && in->front() == ' ') in->remove_prefix(1);
  size_t digits = 0;
  while (digits < digits_max && digits < in->size() && (*in)[digits] >= '0' && (*in)[digits] <= '9') ++digits;
  if (digits == 0) return Unreadable(*in, pattern);
  int64_t value = 0;
  std::from_chars(in->data(), in->data() + digits, value);
  in->remove_prefix(digits);
  return value;
}

absl::StatusOr<int> TakeMonth(const Pattern& pattern, std::string_view* in) {
  const std::string lower = LowerText(std::string(*in));
  for (size_t i = 0; i < kMonthNames.size(); ++i) {
    const std::string name = LowerText(std::string(kMonthNames[i]));
    const std::string wanted = pattern.part == Part::kMonthName ? name : name.substr(0, kShortName);
    if (!lower.starts_with(wanted)) continue;
    in->remove_prefix(wanted.size());
    return static_cast<int>(i) + 1;
  }
  return SqlError(sqlstate::kInvalidDatetimeFormat, fmt::format("invalid value \"{}\" for \"{}\"", *in, pattern.name),
                  "The given value did not match any of the allowed values for this field.");
}

absl::Status ReadPart(const Pattern& pattern, bool last, std::string_view* in, Reading* reading) {
  const auto take = [&](size_t digits) { return TakeNumber(pattern, digits, in); };
  constexpr size_t kAnyDigits = 9;
  switch (pattern.part) {
    case Part::kYear: {
      ASSIGN_OR_RETURN(reading->date.year, take(last ? kAnyDigits : 4));
      return absl::OkStatus();
    }
    case Part::kYear2: {
      ASSIGN_OR_RETURN(const int64_t year, take(2));
      reading->date.year = year < 70 ? 2000 + year : 1900 + year;
      return absl::OkStatus();
    }
    case Part::kMonth: {
      ASSIGN_OR_RETURN(const int64_t month, take(2));
      reading->date.month = static_cast<int>(month);
      return absl::OkStatus();
    }
    case Part::kMonthName:
    case Part::kMonthShort: {
      ASSIGN_OR_RETURN(reading->date.month, TakeMonth(pattern, in));
      return absl::OkStatus();
    }
    case Part::kDay: {
      ASSIGN_OR_RETURN(const int64_t day, take(2));
      reading->date.day = static_cast<int>(day);
      return absl::OkStatus();
    }
    case Part::kHour12:
      reading->twelve = true;
      [[fallthrough]];
    case Part::kHour24: {
      ASSIGN_OR_RETURN(reading->hour, take(2));
      return absl::OkStatus();
    }
    case Part::kMinute: {
      ASSIGN_OR_RETURN(reading->minute, take(2));
      return absl::OkStatus();
    }
    case Part::kSecond: {
      ASSIGN_OR_RETURN(reading->second, take(2));
      return absl::OkStatus();
    }
    case Part::kMilliseconds:
    case Part::kMicroseconds: {
      const size_t digits_max = pattern.part == Part::kMilliseconds ? 3 : 6;
      const size_t before = in->size();
      ASSIGN_OR_RETURN(reading->us, take(digits_max));
      for (size_t digits = before - in->size(); digits < 6; ++digits) reading->us *= 10;
      return absl::OkStatus();
    }
    case Part::kHalf: {
      const std::string lower = LowerText(std::string(in->substr(0, 2)));
      if (lower != "am" && lower != "pm") return Unreadable(*in, pattern);
      reading->afternoon = lower == "pm";
      in->remove_prefix(2);
      return absl::OkStatus();
    }
    case Part::kZoneHours: {
      reading->west = in->starts_with('-');
      if (!in->empty() && std::string_view("+- ").find(in->front()) != std::string_view::npos) in->remove_prefix(1);
      ASSIGN_OR_RETURN(reading->zone_hours, take(2));
      return absl::OkStatus();
    }
    case Part::kZoneMinutes: {
      ASSIGN_OR_RETURN(reading->zone_minutes, take(2));
      return absl::OkStatus();
    }
    case Part::kZone:
    case Part::kZoneOffset:
      return SqlError(sqlstate::kFeatureNotSupported,
                      fmt::format("formatting field \"{}\" is only supported in to_char", pattern.name));
    default:
      return SqlError(sqlstate::kFeatureNotSupported, fmt::format("reading \"{}\" is not supported", pattern.name));
  }
}

absl::StatusOr<Reading> Read(const std::string& text, const std::string& pattern) {
  ASSIGN_OR_RETURN(const std::vector<Piece> pieces, ParseTemplate(pattern));
  Reading reading;
  std::string_view in = text;
  for (const Piece& piece : pieces) {
    if (in.empty()) break;
    if (piece.pattern == nullptr) {
      in.remove_prefix(std::min(piece.text.size(), in.size()));
      continue;
    }
    const bool last = &piece == &pieces.back() || (&piece)[1].pattern == nullptr;
    RETURN_IF_ERROR(ReadPart(*piece.pattern, last, &in, &reading));
  }
  if (reading.twelve) reading.hour = reading.hour % 12 + (reading.afternoon ? 12 : 0);
  const CivilDate& date = reading.date;
  const bool valid = date.year > 0 && date.month >= 1 && date.month <= kMonthsPerYear && date.day >= 1 &&
                     date.day <= DaysInMonth(date.year, date.month) && reading.hour < 24 && reading.minute < 60 &&
                     reading.second < 60;
  if (!valid)
    return SqlError(sqlstate::kDatetimeFieldOverflow, fmt::format("date/time field value out of range: \"{}\"", text));
  return reading;
}
Result ReadDate(const Datum* a, const Context&) {
  ASSIGN_OR_RETURN(const Reading reading, Read(TextOf(a[0]), TextOf(a[1])));
  ASSIGN_OR_RETURN(const Date date, DateFrom(DaysFromCivil(reading.date)));
  return Datum(date);
}
Result ReadTimestamp(const Datum* a, const Context& context) {
  ASSIGN_OR_RETURN(const Reading r, Read(TextOf(a[0]), TextOf(a[1])));
  const int64_t time = r.hour * kHourUs + r.minute * kMinuteUs + r.second * kSecondUs + r.us;
  ASSIGN_OR_RETURN(const int64_t us, TimestampUsFrom(static_cast<__int128>(DaysFromCivil(r.date)) * kDayUs + time));
  const int64_t offset_us = r.zone_hours.value_or(0) * kHourUs + r.zone_minutes * kMinuteUs;
  ASSIGN_OR_RETURN(const TimestampTz at, r.zone_hours
                                             ? FromLocal(LocalTimestamp{us}, ZoneName(r.west ? -offset_us : offset_us))
                                             : FromLocal(LocalTimestamp{us}, context.zone()));
  return Datum(at);
}

}  // namespace

FunctionList TimeFormatFunctions() {
  constexpr T kText = T::kText;
  constexpr auto kStable = Volatility::kStable;
  return {
      {"to_char", {T::kTimestampTz, kText}, kText, FormatTz, kStable},
      {"to_char", {T::kTimestamp, kText}, kText, FormatLocal, kStable},
      {"to_date", {kText, kText}, T::kDate, ReadDate, kStable},
      {"to_timestamp", {kText, kText}, T::kTimestampTz, ReadTimestamp, kStable},
  };
}

}  // namespace anabranch
