// Intervals from text: PostgreSQL's units, the SQL standard's "1-2 3 4:05:06", ISO 8601's "P1Y2M3DT4H".
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/value/datetime.h"

namespace anabranch {
namespace {

enum class Base { kMonths, kDays, kUs };

struct Unit {
  std::string_view name;
  Base base;
  int64_t size;
};
constexpr auto kUnits = std::to_array<Unit>({
    {"us", Base::kUs, 1},
    {"usec", Base::kUs, 1},
    {"usecs", Base::kUs, 1},
    {"usecond", Base::kUs, 1},
    {"useconds", Base::kUs, 1},
    {"microsecond", Base::kUs, 1},
    {"microseconds", Base::kUs, 1},
    {"ms", Base::kUs, 1000},
    {"msec", Base::kUs, 1000},
    {"msecs", Base::kUs, 1000},
    {"msecond", Base::kUs, 1000},
    {"mseconds", Base::kUs, 1000},
    {"millisecond", Base::kUs, 1000},
    {"milliseconds", Base::kUs, 1000},
    {"s", Base::kUs, kSecondUs},
    {"sec", Base::kUs, kSecondUs},
    {"secs", Base::kUs, kSecondUs},
    {"second", Base::kUs, kSecondUs},
    {"seconds", Base::kUs, kSecondUs},
    {"m", Base::kUs, kMinuteUs},
    {"min", Base::kUs, kMinuteUs},
    {"mins", Base::kUs, kMinuteUs},
    {"minute", Base::kUs, kMinuteUs},
    {"minutes", Base::kUs, kMinuteUs},
    {"h", Base::kUs, kHourUs},
    {"hr", Base::kUs, kHourUs},
    {"hrs", Base::kUs, kHourUs},
    {"hour", Base::kUs, kHourUs},
    {"hours", Base::kUs, kHourUs},
    {"d", Base::kDays, 1},
    {"day", Base::kDays, 1},
    {"days", Base::kDays, 1},
    {"w", Base::kDays, 7},
    {"week", Base::kDays, 7},
    {"weeks", Base::kDays, 7},
    {"mon", Base::kMonths, 1},
    {"mons", Base::kMonths, 1},
    {"month", Base::kMonths, 1},
    {"months", Base::kMonths, 1},
    {"y", Base::kMonths, 12},
    {"yr", Base::kMonths, 12},
    {"yrs", Base::kMonths, 12},
    {"year", Base::kMonths, 12},
    {"years", Base::kMonths, 12},
    {"dec", Base::kMonths, 120},
    {"decs", Base::kMonths, 120},
    {"decade", Base::kMonths, 120},
    {"decades", Base::kMonths, 120},
    {"c", Base::kMonths, 1200},
    {"cent", Base::kMonths, 1200},
    {"century", Base::kMonths, 1200},
    {"centuries", Base::kMonths, 1200},
    {"mil", Base::kMonths, 12000},
    {"mils", Base::kMonths, 12000},
    {"millennia", Base::kMonths, 12000},
    {"millennium", Base::kMonths, 12000},
});

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

struct Quantity {
  bool negative = false;
  bool has_sign = false;
  int64_t whole = 0;
  double fraction = 0;
};

class IntervalParser {
 public:
  enum class Outcome { kOk, kSyntax, kRange };

  explicit IntervalParser(std::string_view text) : in_(text) {}

  Outcome Parse() {
    SkipSpace();
    if (!in_.empty() && in_.front() == '@') in_.remove_prefix(1);
    SkipSpace();
    if (!in_.empty() && in_.front() == 'P') {
      in_.remove_prefix(1);
      return Iso();
    }
    while (SkipSpace()) {
      if (IsLetter(in_.front())) {
        if (TakeWord() != "ago" || !any_ || SkipSpace()) return Outcome::kSyntax;
        months_ = -months_;
        days_ = -days_;
        us_ = -us_;
        break;
      }
      if (const Outcome outcome = Part(); outcome != Outcome::kOk) return outcome;
      any_ = true;
    }
    return any_ ? Outcome::kOk : Outcome::kSyntax;
  }

  // nullopt: out of range.
  std::optional<Interval> result() const {
    const Interval interval{static_cast<int64_t>(us_), static_cast<int32_t>(days_), static_cast<int32_t>(months_)};
    if (interval.us != us_ || interval.days != days_ || interval.months != months_) return std::nullopt;
    return interval;
  }

 private:
  bool SkipSpace() {
    while (!in_.empty() && (IsSpace(in_.front()) || in_.front() == ',')) in_.remove_prefix(1);
    return !in_.empty();
  }

  std::string TakeWord() {
    std::string word;
    while (!in_.empty() && IsLetter(in_.front())) {
      word.push_back(static_cast<char>(in_.front() | 0x20));
      in_.remove_prefix(1);
    }
    return word;
  }

  Outcome TakeWhole(int64_t* value) {
    const auto [end, error] = std::from_chars(in_.data(), in_.data() + in_.size(), *value);
    if (error == std::errc::result_out_of_range) return Outcome::kRange;
    if (error != std::errc() || (!in_.empty() && in_.front() == '-')) return Outcome::kSyntax;
    in_.remove_prefix(static_cast<size_t>(end - in_.data()));
    return Outcome::kOk;
  }

  double TakeFraction() {
    if (in_.empty() || in_.front() != '.') return 0;
    const size_t length = std::min(in_.find_first_not_of("0123456789", 1), in_.size());
    const double fraction = std::strtod(("0" + std::string(in_.substr(0, length))).c_str(), nullptr);
    in_.remove_prefix(length);
    return fraction;
  }

  Outcome TakeQuantity(Quantity* quantity) {
    quantity->has_sign = !in_.empty() && (in_.front() == '-' || in_.front() == '+');
    quantity->negative = quantity->has_sign && in_.front() == '-';
    if (quantity->has_sign) in_.remove_prefix(1);
    if (in_.size() < 2 || in_.front() != '.' || !IsDigit(in_[1])) {
      if (const Outcome outcome = TakeWhole(&quantity->whole); outcome != Outcome::kOk) return outcome;
    }
    quantity->fraction = TakeFraction();
    return Outcome::kOk;
  }

  // Fractions of a month go to days, of a day to time.
  void Add(const Quantity& quantity, Base base, int64_t size) {
    const int sign = quantity.negative ? -1 : 1;
    const __int128 whole = static_cast<__int128>(sign) * quantity.whole * size;
    double fraction = sign * quantity.fraction * static_cast<double>(size);
    switch (base) {
      case Base::kMonths:
        months_ += whole;
        if (size >= kMonthsPerYear) {  // of years: to whole months
          months_ += std::llrint(fraction);
          return;
        }
        AddDays(fraction * kDaysPerMonth);
        return;
      case Base::kDays:
        days_ += whole;
        AddDays(fraction);
        return;
      case Base::kUs:
        us_ += whole + std::llrint(fraction);
        return;
    }
  }
  void AddDays(double days) {
    const double whole = std::trunc(days);
    days_ += static_cast<int64_t>(whole);
    us_ += std::llrint((days - whole) * static_cast<double>(kDayUs));
  }

  Outcome Part() {
    Quantity quantity;
    if (const Outcome outcome = TakeQuantity(&quantity); outcome != Outcome::kOk) return outcome;
    if (!in_.empty() && in_.front() == ':' && quantity.fraction == 0) return Clock(quantity);
    if (!in_.empty() && in_.front() == '-' && quantity.fraction == 0) return YearMonth(quantity);
    std::string_view before = in_;
    SkipSpace();
    if (in_.empty() || !IsLetter(in_.front())) {
      // "3 4:05:06" is days and time; a number alone at the end is seconds.
      const bool clock_follows = !in_.empty() && in_.find(':') != std::string_view::npos;
      Add(quantity, clock_follows ? Base::kDays : Base::kUs, clock_follows ? 1 : kSecondUs);
      return in_.empty() || clock_follows ? Outcome::kOk : Outcome::kSyntax;
    }
    const std::string word = TakeWord();
    if (word == "ago") {
      in_ = before;
      Add(quantity, Base::kUs, kSecondUs);
      return Outcome::kOk;
    }
    for (const Unit& unit : kUnits) {
      if (unit.name != word) continue;
      Add(quantity, unit.base, unit.size);
      return Outcome::kOk;
    }
    return Outcome::kSyntax;
  }

  Outcome Clock(const Quantity& hours) {
    int64_t parts[2] = {0, 0};
    int count = 0;
    double fraction = 0;
    while (count < 2 && !in_.empty() && in_.front() == ':') {
      in_.remove_prefix(1);
      if (const Outcome outcome = TakeWhole(&parts[count++]); outcome != Outcome::kOk) return outcome;
    }
    if (!in_.empty() && in_.front() == '.') fraction = TakeFraction();
    if (!in_.empty() && !IsSpace(in_.front())) return Outcome::kSyntax;
    if (parts[0] > 59 || parts[1] > 60) return Outcome::kRange;
    __int128 us = 0;
    if (count == 1 && fraction != 0) {  // mm:ss.fraction
      us = static_cast<__int128>(hours.whole) * kMinuteUs + parts[0] * kSecondUs;
    } else {
      us = static_cast<__int128>(hours.whole) * kHourUs + parts[0] * kMinuteUs + parts[1] * kSecondUs;
    }
    us += std::llrint(fraction * kSecondUs);
    us_ += hours.negative ? -us : us;
    return Outcome::kOk;
  }

  Outcome YearMonth(const Quantity& years) {
    in_.remove_prefix(1);
    int64_t months = 0;
    if (const Outcome outcome = TakeWhole(&months); outcome != Outcome::kOk) return outcome;
    if (!in_.empty() && !IsSpace(in_.front())) return Outcome::kSyntax;
    if (months >= kMonthsPerYear) return Outcome::kRange;
    const __int128 total = static_cast<__int128>(years.whole) * kMonthsPerYear + months;
    months_ += years.negative ? -total : total;
    return Outcome::kOk;
  }

  Outcome Iso() {
    bool time = false;
    while (!in_.empty()) {
      if (in_.front() == 'T' && !time) {
        time = true;
        in_.remove_prefix(1);
        continue;
      }
      Quantity quantity;
      if (const Outcome outcome = TakeQuantity(&quantity); outcome != Outcome::kOk) return outcome;
      if (in_.empty()) return Outcome::kSyntax;
      const char unit = in_.front();
      in_.remove_prefix(1);
      if (unit == 'Y' && !time) {
        Add(quantity, Base::kMonths, kMonthsPerYear);
      } else if (unit == 'M' && !time) {
        Add(quantity, Base::kMonths, 1);
      } else if (unit == 'W' && !time) {
        Add(quantity, Base::kDays, 7);
      } else if (unit == 'D' && !time) {
        Add(quantity, Base::kDays, 1);
      } else if (unit == 'H' && time) {
        Add(quantity, Base::kUs, kHourUs);
      } else if (unit == 'M' && time) {
        Add(quantity, Base::kUs, kMinuteUs);
      } else if (unit == 'S' && time) {
        Add(quantity, Base::kUs, kSecondUs);
      } else {
        return Outcome::kSyntax;
      }
      any_ = true;
    }
    return any_ ? Outcome::kOk : Outcome::kSyntax;
  }

  std::string_view in_;
  __int128 months_ = 0;
  __int128 days_ = 0;
  __int128 us_ = 0;
  bool any_ = false;
};

}  // namespace

absl::StatusOr<Interval> ParseInterval(std::string_view text) {
  IntervalParser parser(text);
  const IntervalParser::Outcome outcome = parser.Parse();
  if (outcome == IntervalParser::Outcome::kSyntax) {
    return SqlError(sqlstate::kInvalidDatetimeFormat, fmt::format("invalid input syntax for type interval: \"{}\"", text));
  }
  const std::optional<Interval> interval = parser.result();
  if (outcome == IntervalParser::Outcome::kRange || !interval) {
    return SqlError(sqlstate::kIntervalFieldOverflow, fmt::format("interval field value out of range: \"{}\"", text));
  }
  return *interval;
}

}  // namespace anabranch
