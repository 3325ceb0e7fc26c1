#include "sql/value/time_zone.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <unordered_map>

#include "absl/time/civil_time.h"
#include "base/status.h"
#include "fmt/format.h"
#include "sql/value/datetime.h"
#include "sql/value/time_zone_abbreviation.h"
#include "sql/value/utf8.h"

namespace anabranch {
namespace {

constexpr size_t kNameBytesMax = 255;
constexpr int kHoursMax = 24 * 7;  // what a zone can differ from UTC is less

// Where Abseil loads zones from.
std::filesystem::path DatabaseFolder() {
  const char* folder = std::getenv("TZDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/usr/share/zoneinfo";
}

// The names of the database as its files spell them, by their lower case.
using Names = std::unordered_map<std::string, std::string>;
Names ListNames() {
  Names names;
  std::error_code error;
  const std::filesystem::path folder = DatabaseFolder();
  // posix/America/Argentina/Ushuaia; no deeper, as posix may be a link to the folder itself.
  constexpr int kDepthMax = 3;
  constexpr auto kFollowLinks = std::filesystem::directory_options::follow_directory_symlink;
  std::filesystem::recursive_directory_iterator file(folder, kFollowLinks, error);
  for (; !error && file != std::filesystem::recursive_directory_iterator(); file.increment(error)) {
    const std::string base = file->path().filename().string();
    const bool directory = file->is_directory(error);
    const bool leap_seconds = base == "right";
    if (directory && (base.starts_with('.') || leap_seconds || file.depth() == kDepthMax)) file.disable_recursion_pending();
    if (directory || error || base.starts_with('.') || base.find('.') != std::string::npos) continue;
    std::string name = file->path().lexically_relative(folder).generic_string();
    names.emplace(LowerText(name), name);
  }
  return names;
}

const Names& DatabaseNames() {
  static const Names kNames = ListNames();
  return kNames;
}

// "<+05:30>-05:30", as PostgreSQL calls it. null: too far.
TimeZoneRef FixedZone(int64_t east_s) {
  if (std::abs(east_s) >= kHoursMax * 3600) return nullptr;
  const int64_t seconds = std::abs(east_s);
  std::string text = fmt::format("{:02}", seconds / 3600);
  if (seconds % 3600 != 0) text += fmt::format(":{:02}", seconds / 60 % 60);
  if (seconds % 60 != 0) text += fmt::format(":{:02}", seconds % 60);
  return FindTimeZone(east_s < 0 ? fmt::format("<-{0}>+{0}", text) : fmt::format("<+{0}>-{0}", text));
}

absl::Time TimeOf(TimestampTz at) { return absl::FromUnixMicros(at.us); }

// When the local clock shows what the transition leads to.
absl::Time TimeOf(const absl::TimeZone& zone, const absl::TimeZone::CivilTransition& transition) {
  const absl::TimeZone::TimeInfo info = zone.At(transition.to);
  return info.kind == absl::TimeZone::TimeInfo::UNIQUE ? info.pre : info.trans;
}

}  // namespace

const TimeZone& UtcZone() {
  static const TimeZone kUtc;
  return kUtc;
}

int64_t TimeZone::OffsetUs(TimestampTz at) const {
  if (const auto* posix = std::get_if<PosixTimeZone>(&rules_)) {
    return posix->At(FloorDivide(at.us, kSecondUs)).offset_s * kSecondUs;
  }
  return std::get<absl::TimeZone>(rules_).At(TimeOf(at)).offset * kSecondUs;
}

int64_t TimeZone::OffsetUs(LocalTimestamp at) const {
  // Whatever the offset, a day earlier is before the change, if there is one, and a day later is after it. Dates do not
  // reach the ends of int64 by days, but for the last one.
  const auto near = [&](int64_t us) { return OffsetUs(TimestampTz{us}); };
  const int64_t before = near(at.us - kDayUs);
  const int64_t after = near(at.us > kInfiniteUs - 2 * kDayUs ? at.us : at.us + kDayUs);
  if (before == after) return before;
  const bool is_before = near(at.us - before) == before;
  const bool is_after = near(at.us - after) == after;
  if (is_before != is_after) return is_before ? before : after;
  return is_before ? after : before;  // shown twice, or skipped
}

std::string TimeZone::Abbreviation(TimestampTz at) const {
  if (const auto* posix = std::get_if<PosixTimeZone>(&rules_)) return posix->At(FloorDivide(at.us, kSecondUs)).name;
  return std::get<absl::TimeZone>(rules_).At(TimeOf(at)).zone_abbr;
}

int64_t TimeZone::OffsetCalledUs(std::string_view upper, TimestampTz at) const {
  const auto* zone = std::get_if<absl::TimeZone>(&rules_);
  if (zone == nullptr) return OffsetUs(at);
  const auto called = [&](absl::Time time) { return zone->At(time).zone_abbr == upper; };
  const auto offset = [&](absl::Time time) { return zone->At(time).offset * kSecondUs; };
  absl::Time time = TimeOf(at);
  if (called(time)) return offset(time);
  absl::TimeZone::CivilTransition transition;
  while (zone->PrevTransition(time, &transition)) {
    time = TimeOf(*zone, transition) - absl::Seconds(1);
    if (called(time)) return offset(time);
  }
  time = TimeOf(at);
  while (zone->NextTransition(time, &transition)) {
    time = TimeOf(*zone, transition);
    if (called(time)) return offset(time);
  }
  return OffsetUs(at);
}

bool HasTimeZoneDatabase() { return !DatabaseNames().empty(); }

TimeZoneRef FindTimeZone(std::string_view name) {
  if (name.size() > kNameBytesMax) return nullptr;
  const std::string upper = UpperText(name);
  if (upper == "GMT") return std::make_shared<const TimeZone>(upper, PosixTimeZone(upper, 0));
  if (upper == "UTC") return std::make_shared<const TimeZone>();
  const Names& names = DatabaseNames();
  if (const auto found = names.find(LowerText(name)); found != names.end()) {
    absl::TimeZone rules;
    if (absl::LoadTimeZone(found->second, &rules)) return std::make_shared<const TimeZone>(found->second, rules);
  }
  std::optional<PosixTimeZone> posix = PosixTimeZone::Parse(upper);
  return posix ? std::make_shared<const TimeZone>(upper, *std::move(posix)) : nullptr;
}

TimeZoneRef FindTimeZoneSetting(std::string_view value) {
  constexpr std::string_view kInterval = "interval";
  if (LowerText(value.substr(0, kInterval.size())) == kInterval) {
    value.remove_prefix(kInterval.size());
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (value.size() < 2 || value.front() != '\'' || value.find('\'', 1) != value.size() - 1) return nullptr;
    const absl::StatusOr<Interval> east = ParseInterval(value.substr(1, value.size() - 2));
    if (!east.ok() || east->months != 0 || east->days != 0) return nullptr;
    return FixedZone(east->us / kSecondUs);
  }
  const std::string text(value);
  char* end = nullptr;
  const double hours = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0') return FindTimeZone(value);
  return std::abs(hours) < kHoursMax ? FixedZone(static_cast<int64_t>(hours * 3600)) : nullptr;  // not NaN
}

std::optional<ZoneName> ZoneName::FindAbbreviation(std::string_view text) {
  const std::string lower = LowerText(text);
  const TimeZoneAbbreviation* known = FindTimeZoneAbbreviation(lower);
  if (known == nullptr) return std::nullopt;
  ZoneName zone(known->east_minutes * kMinuteUs);
  if (known->zone.empty()) return zone;
  zone.zone_ = FindTimeZone(known->zone);
  zone.called_ = UpperText(lower);
  return zone.zone_ ? std::optional(std::move(zone)) : std::nullopt;
}

absl::StatusOr<ZoneName> ZoneName::Find(std::string_view text) {
  if (std::optional<ZoneName> known = FindAbbreviation(text)) return *std::move(known);
  ZoneName zone;
  zone.zone_ = FindTimeZone(text);
  if (zone.zone_) return zone;
  return SqlError(sqlstate::kInvalidParameterValue, fmt::format("time zone \"{}\" not recognized", text));
}

TimeZoneRef ZoneName::zone() const {
  if (zone_) return zone_;
  return std::make_shared<const TimeZone>("", PosixTimeZone("", static_cast<int32_t>(fixed_offset_us_ / kSecondUs)));
}

int64_t ZoneName::OffsetUs(TimestampTz at) const {
  if (!zone_) return fixed_offset_us_;
  return called_.empty() ? zone_->OffsetUs(at) : zone_->OffsetCalledUs(called_, at);
}

int64_t ZoneName::OffsetUs(LocalTimestamp at) const {
  if (!zone_) return fixed_offset_us_;
  const int64_t offset_us = zone_->OffsetUs(at);
  return called_.empty() ? offset_us : zone_->OffsetCalledUs(called_, TimestampTz{at.us - offset_us});
}

}  // namespace anabranch
