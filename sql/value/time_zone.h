// Time zones as PostgreSQL knows them: names of the system's time zone database, POSIX rules, abbreviations.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "sql/value/datum.h"
#include "sql/value/posix_time_zone.h"

namespace anabranch {

// Immutable.
class TimeZone {
 public:
  TimeZone() : TimeZone("UTC", PosixTimeZone("UTC", 0)) {}
  TimeZone(std::string name, absl::TimeZone rules) : name_(std::move(name)), rules_(rules) {}
  TimeZone(std::string name, PosixTimeZone rules) : name_(std::move(name)), rules_(std::move(rules)) {}

  const std::string& name() const { return name_; }  // as SHOW shows it

  // Microseconds east of UTC, a whole number of seconds.
  int64_t OffsetUs(TimestampTz at) const;
  // When clocks there show `at`. What they skip is read with the offset before the change, what they show twice with the
  // one after it. REQUIRES: finite.
  int64_t OffsetUs(LocalTimestamp at) const;
  // What the zone is called then: "CET".
  std::string Abbreviation(TimestampTz at) const;
  // The offset that was called by this abbreviation when it was last in use before `at`, else first after it; the one at
  // `at` if it never was.
  int64_t OffsetCalledUs(std::string_view upper, TimestampTz at) const;

 private:
  std::string name_;
  std::variant<absl::TimeZone, PosixTimeZone> rules_;
};
using TimeZoneRef = std::shared_ptr<const TimeZone>;

// What SET TimeZone takes by name, in any case: of the database, else POSIX rules ("<+02>-2",
// "CET-1CEST,M3.5.0,M10.5.0/3"). null: there is none. Without a database there are UTC, GMT and POSIX rules.
TimeZoneRef FindTimeZone(std::string_view name);
// All that SET TimeZone takes: hours east of UTC and INTERVAL '...' too. null: no zone.
TimeZoneRef FindTimeZoneSetting(std::string_view value);
bool HasTimeZoneDatabase();

// What stands for a zone in the text of a timestamp and in AT TIME ZONE: an abbreviation, or a name as above.
class ZoneName {
 public:
  explicit ZoneName(int64_t offset_us = 0) : fixed_offset_us_(offset_us) {}
  // 22023 for what is none.
  static absl::StatusOr<ZoneName> Find(std::string_view text);
  static std::optional<ZoneName> FindAbbreviation(std::string_view text);

  int64_t OffsetUs(TimestampTz at) const;
  int64_t OffsetUs(LocalTimestamp at) const;
  // The zone without what an abbreviation says of one time.
  TimeZoneRef zone() const;

 private:
  TimeZoneRef zone_;
  std::string called_;       // not empty: what it is at that time is what the zone calls so
  int64_t fixed_offset_us_;  // without a zone
};

}  // namespace anabranch
