// A time zone whose rules are its name: "EST5EDT,M3.2.0,M11.1.0" of POSIX's TZ. They hold for all years.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace anabranch {

class PosixTimeZone {
 public:
  // As PostgreSQL reads it: the name of standard time may be empty, a zone with summer time but without rules has those of
  // the United States. nullopt: it is none.
  static std::optional<PosixTimeZone> Parse(std::string_view text);
  // Without summer time.
  PosixTimeZone(std::string name, int32_t offset_s) : standard_{std::move(name), offset_s} {}

  struct Period {
    std::string name;
    int32_t offset_s = 0;  // east of UTC
  };
  const Period& At(int64_t unix_s) const;

 private:
  enum class DayKind { kMonthWeekDay, kJulian, kDayOfYear };
  struct Change {
    DayKind kind = DayKind::kDayOfYear;
    int month = 0;
    int week = 0;
    int day = 0;
    int32_t time_s = 0;
  };
  static std::optional<Change> TakeChange(std::string_view* in);
  static int64_t DayOf(const Change& change, int64_t year);  // since 1970

  PosixTimeZone() = default;

  Period standard_;
  std::optional<Period> summer_;
  Change begin_;  // of summer time, in standard time
  Change end_;    // in summer time
};

}  // namespace anabranch
