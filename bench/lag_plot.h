// Lag over time as a picture.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace anabranch {

struct LagSeries {
  std::string name;
  std::string color;
  std::vector<std::pair<double, double>> points;  // seconds, milliseconds
};

// An SVG of its own: a dot per sample, milliseconds on a logarithmic scale.
absl::Status WriteLagPlot(const std::string& path, const std::string& title, const std::vector<LagSeries>& series);

}  // namespace anabranch
