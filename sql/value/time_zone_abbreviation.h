// The abbreviations of time zones that texts may use.
#pragma once

#include <string_view>

namespace anabranch {

struct TimeZoneAbbreviation {
  std::string_view name;  // in lower case
  int east_minutes = 0;   // of UTC
  // Not empty: the abbreviation had different meanings, and this zone tells which at what time.
  std::string_view zone = {};
};

const TimeZoneAbbreviation* FindTimeZoneAbbreviation(std::string_view lower);  // null: there is none

}  // namespace anabranch
