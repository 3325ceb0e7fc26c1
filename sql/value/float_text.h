// Floating point as text: the shortest digits that read back as the same value, laid out as PostgreSQL does.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace anabranch {

void AppendFloat(double value, std::string* out);
void AppendFloat(float value, std::string* out);
absl::StatusOr<double> ParseDouble(std::string_view text);  // 22P02, 22003
absl::StatusOr<float> ParseFloat(std::string_view text);

}  // namespace anabranch
