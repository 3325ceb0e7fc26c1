#include "base/timestamp.h"

#include <charconv>
#include <ctime>

#include "base/status.h"
#include "fmt/format.h"

namespace anabranch {

std::string FormatHlc(Timestamp ts) { return fmt::format("{}.0000000000", ts.ns); }

absl::StatusOr<Timestamp> ParseHlc(std::string_view text) {
  const size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = point == std::string_view::npos ? "" : text.substr(point + 1);
  Timestamp ts;
  const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), ts.ns);
  if (error != std::errc() || end != whole.data() + whole.size() || ts == kTimestampMax) {
    return SqlError(sqlstate::kInvalidParameterValue, fmt::format("\"{}\" is not an HLC timestamp", text));
  }
  if (fraction.find_first_not_of('0') != std::string_view::npos) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("HLC timestamp \"{}\" has a logical part, which this cluster never issues", text));
  }
  return ts;
}

std::string FormatTimestampTz(Timestamp ts) {
  const time_t seconds = static_cast<time_t>(ts.ns / 1'000'000'000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}+00", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, ts.ns % 1'000'000'000 / 1000);
}

}  // namespace anabranch
