// Dates and timestamps from text: any order PostgreSQL reads with DateStyle ISO, MDY.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/value/datetime.h"
#include "sql/value/time_zone.h"

namespace anabranch {
namespace {

constexpr auto kMonths = std::to_array<std::string_view>({"january", "february", "march", "april", "may", "june", "july",
                                                          "august", "september", "october", "november", "december"});
constexpr auto kWeekdays = std::to_array<std::string_view>(
    {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "tues", "wednes", "thur", "thurs"});

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string Lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return lower;
}

// "jan", "janu.." are the month; weekdays likewise.
template <size_t kSize>
std::optional<int> FindWord(const std::array<std::string_view, kSize>& words, std::string_view word) {
  constexpr size_t kShort = 3;
  for (size_t i = 0; i < kSize; ++i) {
    if (word == words[i] || word == words[i].substr(0, kShort) || (words[i] == "september" && word == "sept")) {
      return static_cast<int>(i);
    }
  }
  return std::nullopt;
}

// "+02", "-0330", "+02:30:15", all of `text`.
std::optional<int64_t> OffsetUs(std::string_view text) {
  if (text.size() < 2 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const bool west = text.front() == '-';
  text.remove_prefix(1);
  int parts[3] = {0, 0, 0};
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits > 2 && digits == text.size() && digits <= 4) {
    const std::string packed(text);
    parts[0] = std::atoi(packed.substr(0, digits - 2).c_str());
    parts[1] = std::atoi(packed.substr(digits - 2).c_str());
  } else {
    for (int& part : parts) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part);
      if (error != std::errc() || end - text.data() > 2) return std::nullopt;
      text.remove_prefix(static_cast<size_t>(end - text.data()));
      if (text.empty()) break;
      if (text.front() != ':') return std::nullopt;
      text.remove_prefix(1);
    }
    if (!text.empty()) return std::nullopt;
  }
  if (parts[0] > 15 || parts[1] > 59 || parts[2] > 59) return std::nullopt;
  const int64_t us = parts[0] * kHourUs + parts[1] * kMinuteUs + parts[2] * kSecondUs;
  return west ? -us : us;
}

enum class Special { kNone, kEpoch, kInfinity, kMinusInfinity };

// What a text says. Errors are judged by the caller, who knows the whole text.
struct Fields {
  Special special = Special::kNone;
  std::optional<int64_t> year;
  std::optional<int> month;
  std::optional<int> day;
  size_t year_digits = 0;
  bool month_is_word = false;
  std::optional<int64_t> time_us;
  int hour = 0;
  std::optional<int64_t> zone_us;
  std::optional<ZoneName> zone;
  bool bc = false;
  char half = 0;  // 'a', 'p': AM, PM
};

enum class Problem { kNone, kSyntax, kRange, kZoneRange, kZoneName, kRelativeToNow };

class DateTimeParser {
 public:
  explicit DateTimeParser(std::string_view text) : in_(text) {}

  Problem Parse() {
    while (problem_ == Problem::kNone && SkipIgnored()) Token();
    if (problem_ == Problem::kNone) Finish();
    return problem_;
  }
  const Fields& fields() const { return fields_; }
  const std::string& unknown_zone() const { return unknown_zone_; }  // of kZoneName

 private:
  void Fail(Problem problem) {
    if (problem_ == Problem::kNone) problem_ = problem;
  }

  bool SkipIgnored() {
    while (!in_.empty() && (IsSpace(in_.front()) || in_.front() == ',' || in_.front() == '(' || in_.front() == ')')) {
      in_.remove_prefix(1);
    }
    return !in_.empty();
  }

  std::string_view TakeWhile(auto predicate) {
    size_t length = 0;
    while (length < in_.size() && predicate(in_[length])) ++length;
    const std::string_view taken = in_.substr(0, length);
    in_.remove_prefix(length);
    return taken;
  }

  void Token() {
    const char c = in_.front();
    if (IsDigit(c)) return Digits();
    if (IsLetter(c)) return Letters();
    if (c == '+' || c == '-') return Sign();
    Fail(Problem::kSyntax);
  }

  void Digits() {
    const size_t digits = std::min(in_.find_first_not_of("0123456789"), in_.size());
    const char next = digits < in_.size() ? in_[digits] : '\0';
    if (next == ':') return Clock(TakeWhile([](char c) { return IsDigit(c) || c == ':' || c == '.'; }));
    const bool delimited = next == '-' || next == '/' || (next == '.' && !fields_.year);
    if (delimited && digits < in_.size() - 1) {
      // A second delimiter of the same kind; what comes after the third part is a zone.
      size_t length = 0;
      int delimiters = 0;
      for (; length < in_.size(); ++length) {
        if (in_[length] == next && ++delimiters > 2) break;
        if (in_[length] != next && !IsDigit(in_[length]) && (!IsLetter(in_[length]) || delimiters != 1)) break;
      }
      if (delimiters >= 2 || next != '.') {
        const std::string_view date = in_.substr(0, length);
        in_.remove_prefix(length);
        return DateParts(date, next);
      }
    }
    Number(TakeWhile(IsDigit));
  }

  void DateParts(std::string_view date, char delimiter) {
    std::vector<std::string_view> parts;
    while (true) {
      const size_t end = std::min(date.find(delimiter), date.size());
      parts.push_back(date.substr(0, end));
      if (end == date.size()) break;
      date.remove_prefix(end + 1);
    }
    for (const std::string_view part : parts) {
      if (part.empty()) return Fail(Problem::kSyntax);
      if (!IsLetter(part.front())) continue;
      const auto month = FindWord(kMonths, Lowered(part));
      if (!month) return Fail(Problem::kSyntax);
      fields_.month = *month + 1;
      fields_.month_is_word = true;
    }
    for (const std::string_view part : parts) {
      if (!IsLetter(part.front())) DatePart(part);
    }
  }

  void DatePart(std::string_view digits) {
    int64_t value = 0;
    constexpr size_t kDigitsMax = 9;
    if (digits.size() > kDigitsMax) return Fail(Problem::kRange);
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const int small = static_cast<int>(value);
    if (digits.size() >= 3 && !fields_.year) {
      fields_.year = value;
      fields_.year_digits = digits.size();
    } else if (!fields_.month) {
      fields_.month = small;
    } else if (!fields_.day) {
      fields_.day = small;
    } else if (!fields_.year) {
      fields_.year = value;
      fields_.year_digits = digits.size();
    } else {
      Fail(Problem::kSyntax);
    }
  }

  void Number(std::string_view digits) {
    const bool has_date = fields_.year && fields_.month && fields_.day;
    if (has_date || after_t_) {
      if (fields_.time_us || (digits.size() != 6 && digits.size() != 4 && !(after_t_ && digits.size() == 2))) {
        return Fail(Problem::kSyntax);
      }
      std::string clock(digits.substr(0, 2));
      for (size_t i = 2; i < digits.size(); i += 2) clock.append(":").append(digits.substr(i, 2));
      if (digits.size() == 2) clock += ":00";
      if (digits.size() == 6 && !in_.empty() && in_.front() == '.') {
        clock += TakeWhile([](char c) { return IsDigit(c) || c == '.'; });
      }
      return Clock(clock);
    }
    if (digits.size() >= 6 && !fields_.year && !fields_.month && !fields_.day) {
      DatePart(digits.substr(0, digits.size() - 4));
      if (digits.size() == 6) {
        fields_.year = fields_.month;
        fields_.year_digits = 2;
        fields_.month.reset();
      }
      DatePart(digits.substr(digits.size() - 4, 2));
      return DatePart(digits.substr(digits.size() - 2));
    }
    DatePart(digits);
  }

  void Clock(std::string_view text) {
    if (fields_.time_us) return Fail(Problem::kSyntax);
    int parts[3] = {0, 0, 0};
    int64_t us = 0;
    int count = 0;
    while (count < 3) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parts[count]);
      if (error != std::errc()) return Fail(Problem::kSyntax);
      text.remove_prefix(static_cast<size_t>(end - text.data()));
      ++count;
      if (text.empty() || text.front() != ':') break;
      text.remove_prefix(1);
    }
    if (!text.empty() && text.front() == '.' && count >= 2) {
      us = std::llrint(std::strtod(("0" + std::string(text)).c_str(), nullptr) * kSecondUs);
      // "mm:ss.fraction" has no hours.
      if (count == 2) {
        parts[2] = parts[1];
        parts[1] = parts[0];
        parts[0] = 0;
      }
      text.remove_prefix(std::min(text.find_first_not_of("0123456789", 1), text.size()));
    }
    if (!text.empty() || count < 2) return Fail(Problem::kSyntax);
    if (parts[0] > 24 || parts[1] > 59 || parts[2] > 60) return Fail(Problem::kRange);
    if (parts[0] == 24 && (parts[1] > 0 || parts[2] > 0 || us > 0)) return Fail(Problem::kRange);
    fields_.hour = parts[0];
    fields_.time_us = parts[0] * kHourUs + parts[1] * kMinuteUs + parts[2] * kSecondUs + us;
  }

  void Sign() {
    if (in_.size() > 1 && IsLetter(in_[1])) {
      const bool minus = in_.front() == '-';
      in_.remove_prefix(1);
      const std::string word = Lowered(TakeWhile(IsLetter));
      if (word != "infinity" && word != "inf") return Fail(Problem::kSyntax);
      fields_.special = minus ? Special::kMinusInfinity : Special::kInfinity;
      return;
    }
    const std::string_view zone = TakeWhile([first = true](char c) mutable {
      const bool fits = IsDigit(c) || c == ':' || (first && (c == '+' || c == '-'));
      first = false;
      return fits;
    });
    if (zone.size() < 2 || HasZone() || !fields_.time_us) return Fail(Problem::kSyntax);
    const std::optional<int64_t> us = OffsetUs(zone);
    if (!us) return Fail(Problem::kZoneRange);
    fields_.zone_us = us;
  }

  bool HasZone() const { return fields_.zone_us || fields_.zone; }

  // A name that is no abbreviation.
  void Zone(const std::string& name) {
    absl::StatusOr<ZoneName> zone = ZoneName::Find(name);
    if (!zone.ok()) {
      unknown_zone_ = name;
      return Fail(Problem::kZoneName);
    }
    if (HasZone()) return Fail(Problem::kSyntax);
    fields_.zone = *std::move(zone);
  }

  static bool IsKeyword(std::string_view word) {
    static constexpr auto kKeywords = std::to_array<std::string_view>(
        {"t", "am", "pm", "bc", "ad", "epoch", "infinity", "inf", "now", "today", "tomorrow", "yesterday", "allballs"});
    return FindWord(kMonths, word) || FindWord(kWeekdays, word) ||
           std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end();
  }

  void Letters() {
    const std::string_view begin = in_;
    const std::string word = Lowered(TakeWhile(IsLetter));
    const char next = in_.empty() ? '\0' : in_.front();
    const bool goes_on = next == '/' || next == '_' || next == '-' || next == '.' || next == '+' || IsDigit(next);
    if (goes_on && !IsKeyword(word)) {
      const std::string_view rest = TakeWhile([](char c) {
        return IsLetter(c) || IsDigit(c) || c == '/' || c == '_' || c == '-' || c == '+' || c == '.' || c == ':';
      });
      return Zone(Lowered(begin.substr(0, word.size() + rest.size())));
    }
    if (word == "t" && !in_.empty() && IsDigit(in_.front())) {
      after_t_ = true;
    } else if (const auto month = FindWord(kMonths, word)) {
      // "8 January": the number was the day.
      if (fields_.month && !fields_.month_is_word && !fields_.day) fields_.day = fields_.month;
      fields_.month = *month + 1;
      fields_.month_is_word = true;
      if (!in_.empty() && in_.front() == '-') in_.remove_prefix(1);  // Jan-08-1999
    } else if (word == "am" || word == "pm") {
      fields_.half = word.front();
    } else if (word == "bc" || word == "ad") {
      fields_.bc = word == "bc";
    } else if (word == "epoch") {
      fields_.special = Special::kEpoch;
    } else if (word == "infinity" || word == "inf") {
      fields_.special = Special::kInfinity;
    } else if (word == "now" || word == "today" || word == "tomorrow" || word == "yesterday") {
      Fail(Problem::kRelativeToNow);
    } else if (std::optional<ZoneName> zone = ZoneName::FindAbbreviation(word)) {
      if (HasZone()) return Fail(Problem::kSyntax);
      fields_.zone = std::move(zone);
    } else if (!FindWord(kWeekdays, word)) {
      Zone(word);
      if (problem_ == Problem::kZoneName) problem_ = Problem::kSyntax;
    }
  }

  void Finish() {
    if (fields_.special != Special::kNone) return;
    if (!fields_.year || !fields_.month || !fields_.day) return Fail(Problem::kSyntax);
    if (fields_.bc) {
      if (*fields_.year <= 0) return Fail(Problem::kRange);
      fields_.year = 1 - *fields_.year;
    } else if (fields_.year_digits <= 2) {
      *fields_.year += *fields_.year < 70 ? 2000 : 1900;
    } else if (*fields_.year <= 0) {
      return Fail(Problem::kRange);
    }
    if (*fields_.month < 1 || *fields_.month > kMonthsPerYear || *fields_.day < 1 ||
        *fields_.day > DaysInMonth(*fields_.year, *fields_.month)) {
      return Fail(Problem::kRange);
    }
    if (fields_.half == 0) return;
    if (fields_.hour > 12 || !fields_.time_us) return Fail(Problem::kRange);
    if (fields_.half == 'a' && fields_.hour == 12) *fields_.time_us -= 12 * kHourUs;
    if (fields_.half == 'p' && fields_.hour != 12) *fields_.time_us += 12 * kHourUs;
  }

  std::string_view in_;
  Fields fields_;
  bool after_t_ = false;
  std::string unknown_zone_;
  Problem problem_ = Problem::kNone;
};

absl::StatusOr<Fields> ParseFields(std::string_view text, std::string_view type) {
  DateTimeParser parser(text);
  switch (parser.Parse()) {
    case Problem::kNone:
      return parser.fields();
    case Problem::kSyntax:
      break;
    case Problem::kRange:
      return SqlError(sqlstate::kDatetimeFieldOverflow, fmt::format("date/time field value out of range: \"{}\"", text));
    case Problem::kZoneRange:
      return SqlError(sqlstate::kInvalidTimeZoneDisplacement,
                      fmt::format("time zone displacement out of range: \"{}\"", text));
    case Problem::kZoneName:
      return ZoneName::Find(parser.unknown_zone()).status();
    case Problem::kRelativeToNow:
      return SqlError(sqlstate::kFeatureNotSupported, fmt::format("date/time value \"{}\" is not supported", text),
                      "Use now() or current_date.");
  }
  return SqlError(sqlstate::kInvalidDatetimeFormat, fmt::format("invalid input syntax for type {}: \"{}\"", type, text));
}

int64_t DaysOf(const Fields& fields) { return DaysFromCivil({*fields.year, *fields.month, *fields.day}); }

absl::StatusOr<int64_t> UsOf(const Fields& fields, std::string_view text, int64_t offset_us) {
  switch (fields.special) {
    case Special::kEpoch:
      return 0;
    case Special::kInfinity:
      return kInfiniteUs;
    case Special::kMinusInfinity:
      return kMinusInfiniteUs;
    case Special::kNone:
      break;
  }
  absl::StatusOr<int64_t> us =
      TimestampUsFrom(static_cast<__int128>(DaysOf(fields)) * kDayUs + fields.time_us.value_or(0) - offset_us);
  if (!us.ok()) return SqlError(sqlstate::kDatetimeFieldOverflow, fmt::format("timestamp out of range: \"{}\"", text));
  return us;
}

}  // namespace

absl::StatusOr<Date> ParseDate(std::string_view text) {
  ASSIGN_OR_RETURN(const Fields fields, ParseFields(text, "date"));
  switch (fields.special) {
    case Special::kEpoch:
      return Date{0};
    case Special::kInfinity:
      return Date{kInfiniteDays};
    case Special::kMinusInfinity:
      return Date{kMinusInfiniteDays};
    case Special::kNone:
      break;
  }
  absl::StatusOr<Date> date = DateFrom(DaysOf(fields));
  if (!date.ok()) return SqlError(sqlstate::kDatetimeFieldOverflow, fmt::format("date out of range: \"{}\"", text));
  return date;
}

absl::StatusOr<LocalTimestamp> ParseLocalTimestamp(std::string_view text) {
  ASSIGN_OR_RETURN(const Fields fields, ParseFields(text, "timestamp"));
  ASSIGN_OR_RETURN(const int64_t us, UsOf(fields, text, 0));
  return LocalTimestamp{us};
}

absl::StatusOr<TimestampTz> ParseTimestampTz(std::string_view text, const TimeZone& zone) {
  ASSIGN_OR_RETURN(const Fields fields, ParseFields(text, "timestamp with time zone"));
  int64_t offset_us = fields.zone_us.value_or(0);
  if (!fields.zone_us && fields.special == Special::kNone) {
    ASSIGN_OR_RETURN(const int64_t local, UsOf(fields, text, 0));
    offset_us = fields.zone ? fields.zone->OffsetUs(LocalTimestamp{local}) : zone.OffsetUs(LocalTimestamp{local});
  }
  ASSIGN_OR_RETURN(const int64_t us, UsOf(fields, text, offset_us));
  return TimestampTz{us};
}

}  // namespace anabranch
