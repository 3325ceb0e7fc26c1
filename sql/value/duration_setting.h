// Settings that are a number of milliseconds, as PostgreSQL reads and shows them: '5s', '1.5 min', '250'.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace anabranch {

// 22023 naming the setting for what is no such value, or is negative, or passes INT_MAX milliseconds.
absl::StatusOr<int> ParseMilliseconds(std::string_view setting, const std::string& text);
// In the largest unit that leaves no fraction: "1min", "1500ms", "0".
std::string FormatMilliseconds(int ms);

}  // namespace anabranch
