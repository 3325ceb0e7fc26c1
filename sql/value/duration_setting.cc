#include "sql/value/duration_setting.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstdlib>

#include "base/status.h"

namespace anabranch {
namespace {

struct Unit {
  std::string_view name;
  double ms;
};

// The largest first. A fraction of one is rounded to whole ones of the next.
constexpr auto kUnits =
    std::to_array<Unit>({{"d", 86'400'000}, {"h", 3'600'000}, {"min", 60'000}, {"s", 1'000}, {"ms", 1}, {"us", 0.001}});

absl::Status Invalid(std::string_view setting, const std::string& text, std::string hint) {
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("invalid value for parameter \"{}\": \"{}\"", setting, text), std::move(hint));
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// An integer in C's notations, else a decimal number. What follows it stays in *rest.
double ParseNumber(const std::string& text, std::string_view* rest) {
  char* end = nullptr;
  errno = 0;
  const long whole = std::strtol(text.c_str(), &end, 0);
  double number = static_cast<double>(whole);
  if (*end == '.' || *end == 'e' || *end == 'E' || errno == ERANGE) number = std::strtod(text.c_str(), &end);
  *rest = std::string_view(text).substr(static_cast<size_t>(end - text.c_str()));
  return number;
}

}  // namespace

absl::StatusOr<int> ParseMilliseconds(std::string_view setting, const std::string& text) {
  std::string_view rest;
  double ms = ParseNumber(text, &rest);
  if (rest.size() == text.size() || std::isnan(ms)) return Invalid(setting, text, "");
  if (const std::string_view name = Trimmed(rest); !name.empty()) {
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& known) { return known.name == name; });
    if (unit == kUnits.end()) {
      return Invalid(setting, text, "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".");
    }
    ms *= unit->ms;
    if (const auto smaller = unit + 1; smaller != kUnits.end()) ms = std::rint(ms / smaller->ms) * smaller->ms;
  }
  ms = std::rint(ms);
  if (ms > INT_MAX || ms < INT_MIN) return Invalid(setting, text, "Value exceeds integer range.");
  if (ms >= 0) return static_cast<int>(ms);
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("{} ms is outside the valid range for parameter \"{}\" (0 .. {})", static_cast<int>(ms),
                              setting, INT_MAX));
}

std::string FormatMilliseconds(int ms) {
  if (ms == 0) return "0";
  const auto divides = [ms](const Unit& unit) { return ms % static_cast<int>(unit.ms) == 0; };
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(), divides);  // milliseconds at the latest
  return fmt::format("{}{}", ms / static_cast<int>(unit->ms), unit->name);
}

}  // namespace anabranch
