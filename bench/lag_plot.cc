#include "bench/lag_plot.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "fmt/format.h"

namespace anabranch {
namespace {

// In pixels; the plot itself stands between the margins.
constexpr double kWidth = 960;
constexpr double kHeight = 420;
constexpr double kLeft = 70;
constexpr double kRight = 20;
constexpr double kTop = 60;
constexpr double kBottom = 50;
constexpr double kLeastMs = 0.1;
constexpr int kSecondsLabels = 10;  // at most

struct Scale {
  double most_s = 1;
  double most_ms = 1;  // a power of ten

  double X(double seconds) const { return kLeft + seconds / most_s * (kWidth - kLeft - kRight); }
  double Y(double ms) const {
    const double share = std::log10(std::max(ms, kLeastMs) / kLeastMs) / std::log10(most_ms / kLeastMs);
    return kHeight - kBottom - share * (kHeight - kTop - kBottom);
  }
};

Scale ScaleOf(const std::vector<LagSeries>& series) {
  Scale scale;
  for (const LagSeries& one : series) {
    for (const auto& [seconds, ms] : one.points) {
      scale.most_s = std::max(scale.most_s, seconds);
      while (scale.most_ms < ms) scale.most_ms *= 10;
    }
  }
  return scale;
}

std::string Line(double x1, double y1, double x2, double y2) {
  return fmt::format("<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' stroke='#ddd'/>\n", x1, y1, x2, y2);
}

std::string Text(double x, double y, const std::string& anchor, const std::string& text,
                 const std::string& color = "#333") {
  return fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='{}' fill='{}'>{}</text>\n", x, y, anchor, color, text);
}

std::string Axes(const Scale& scale) {
  std::string svg;
  for (double ms = kLeastMs; ms < scale.most_ms * 1.5; ms *= 10) {
    svg += Line(kLeft, scale.Y(ms), kWidth - kRight, scale.Y(ms));
    svg += Text(kLeft - 8, scale.Y(ms) + 4, "end", fmt::format("{:g} ms", ms));
  }
  const double step = std::max(1.0, std::ceil(scale.most_s / kSecondsLabels));
  for (double seconds = 0; seconds <= scale.most_s; seconds += step) {
    svg += Line(scale.X(seconds), kTop, scale.X(seconds), kHeight - kBottom);
    svg += Text(scale.X(seconds), kHeight - kBottom + 20, "middle", fmt::format("{:g} s", seconds));
  }
  return svg;
}

// One path of dots: lines of no length with round ends.
std::string Dots(const Scale& scale, const LagSeries& series) {
  std::string path;
  for (const auto& [seconds, ms] : series.points) path += fmt::format("M{:.1f} {:.1f}h0", scale.X(seconds), scale.Y(ms));
  return fmt::format(
      "<path d='{}' stroke='{}' stroke-width='3' stroke-linecap='round' stroke-opacity='0.5' fill='none'/>\n", path,
      series.color);
}

}  // namespace

absl::Status WriteLagPlot(const std::string& path, const std::string& title, const std::vector<LagSeries>& series) {
  const Scale scale = ScaleOf(series);
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{0}' height='{1}' viewBox='0 0 {0} {1}' font-family='sans-serif' "
      "font-size='13'>\n"
      "<rect width='100%' height='100%' fill='white'/>\n",
      kWidth, kHeight);
  svg += Text(kLeft, 24, "start", title) + Axes(scale);
  double legend_x = kLeft;
  for (const LagSeries& one : series) {
    svg += Dots(scale, one) + Text(legend_x, 46, "start", one.name, one.color);
    legend_x += 200;
  }
  std::ofstream file(path);
  file << svg << "</svg>\n";
  return file.flush() ? absl::OkStatus() : absl::UnavailableError("cannot write " + path);
}

}  // namespace anabranch
