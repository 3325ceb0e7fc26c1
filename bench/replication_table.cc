#include "bench/replication_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <optional>

#include "base/check.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace anabranch {
namespace {

constexpr char kColumns[] = "{:<50} {:>9} {:>11}  {:<13} {:>7}  {:<24} {}\n";

std::optional<double> MedianOf(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(Median(values));
}

std::optional<double> RatioOf(const ReplicationRow& row) {
  if (row.ours.empty() || row.postgresql.empty()) return std::nullopt;
  if (row.ours.size() != row.postgresql.size()) return Median(row.ours) / Median(row.postgresql);
  std::vector<double> ratios;
  for (size_t i = 0; i < row.ours.size(); ++i) ratios.push_back(row.ours[i] / row.postgresql[i]);
  return Median(ratios);
}

// Three digits that count.
std::string Short(std::optional<double> value) {
  if (!value.has_value() || !std::isfinite(*value)) return "-";
  const double size = std::abs(*value);
  if (size >= 1e6) return fmt::format("{:.2f}M", *value / 1e6);
  if (size >= 1e4) return fmt::format("{:.1f}K", *value / 1e3);
  if (size >= 100) return fmt::format("{:.0f}", *value);
  if (size >= 10) return fmt::format("{:.1f}", *value);
  return fmt::format("{:.{}f}", *value, size >= 0.1 || size == 0 ? 2 : 4);
}

std::string Json(std::optional<double> value) {
  return value.has_value() && std::isfinite(*value) ? fmt::format("{:.6g}", *value) : "null";
}

std::string TextOf(const Target& target) {
  std::vector<std::string> parts;
  if (target.least > 0) parts.push_back(fmt::format(">= {}", target.least));
  if (target.most > 0) parts.push_back(fmt::format("<= {}", target.most));
  if (target.least_ratio > 0) parts.push_back(fmt::format("ratio >= {}", target.least_ratio));
  if (target.most_ratio > 0) parts.push_back(fmt::format("ratio <= {}", target.most_ratio));
  return fmt::format("{}", fmt::join(parts, ", "));
}

bool IsMet(const Target& target, double ours, std::optional<double> ratio) {
  return (target.least == 0 || ours >= target.least) && (target.most == 0 || ours <= target.most) &&
         (target.least_ratio == 0 || ratio >= target.least_ratio) && (target.most_ratio == 0 || ratio <= target.most_ratio);
}

}  // namespace

double Percentile(std::vector<double> values, double percentile) {
  CHECK(!values.empty(), "values to take a percentile of");
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(percentile / 100 * static_cast<double>(values.size() - 1) + 0.5)];
}

double Median(std::vector<double> values) { return Percentile(std::move(values), 50); }

void ReplicationTable::PrintHead() const {
  std::fputs(fmt::format(kColumns, "", "ours", "PostgreSQL", "of", "ratio", "target", "").c_str(), stdout);
}

void ReplicationTable::BeginGroup(const std::string& name, const std::string& title) {
  group_ = name;
  std::puts(title.c_str());
  std::fflush(stdout);
}

void ReplicationTable::Add(const ReplicationRow& row) {
  const std::optional<double> ours = MedianOf(row.ours);
  const std::optional<double> postgresql = MedianOf(row.postgresql);
  const std::optional<double> ratio = RatioOf(row);
  const std::string target = TextOf(row.target);
  const char* const verdict = target.empty() || !ours.has_value() ? "" : IsMet(row.target, *ours, ratio) ? "met" : "MISSED";
  std::fputs(fmt::format(kColumns, "  " + row.name, Short(ours), Short(postgresql), row.unit, Short(ratio), target, verdict)
                 .c_str(),
             stdout);
  std::fflush(stdout);
  json_.push_back(fmt::format(
      R"({{"group": "{}", "name": "{}", "unit": "{}", "ours": {}, "postgresql": {}, "ratio": {}, "target": "{}", "verdict": "{}"}})",
      group_, row.name, row.unit, Json(ours), Json(postgresql), Json(ratio), target, verdict));
}

absl::Status ReplicationTable::WriteJson(const std::string& path) const {
  std::ofstream file(path);
  file << fmt::format("[{}]\n", fmt::join(json_, ",\n"));
  return file.flush() ? absl::OkStatus() : absl::UnavailableError("cannot write " + path);
}

}  // namespace anabranch
