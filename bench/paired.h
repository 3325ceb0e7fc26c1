// A benchmark row that measures ours and the raw limit in the same run: the two take turns, five times or more, and the row
// shows the medians of both and their ratio, so a machine whose speed drifts slows both alike.
#pragma once

#include <functional>
#include <string>

#include "benchmark/benchmark.h"

namespace anabranch {

// Does the work once and returns how many seconds the measured part took.
using TimedRun = std::function<double()>;

struct PairedRow {
  std::string name;
  std::string unit;  // of work: transactions, keys, bytes
  double units = 0;  // of work per run
  TimedRun ours;
  TimedRun raw;            // runs after ours, each time
  double least_ratio = 0;  // target of ours/raw in units per second; zero: none
  double least_per_s = 0;  // target of ours; zero: none
};

inline constexpr int kPairs = 5;
inline constexpr int kPairsQuick = 1;

// Registers the row with Google Benchmark. Counters: ours and raw in units per second, ratio (median of the pairs' ratios),
// the targets there are, and whether they are met.
void RegisterPaired(PairedRow row, int pairs);

// A row that is a quantity and no speed, measured once.
struct AmountRow {
  std::string name;
  std::string unit;
  std::function<double()> measure;
  double most = 0;  // target
};
void RegisterAmount(AmountRow row);

// Seconds that `work` takes.
double Time(const std::function<void()>& work);

// Prints one line per row: both speeds, their ratio, the target and whether it is met.
class TableReporter final : public benchmark::BenchmarkReporter {
 public:
  // `title` says what was measured on what.
  explicit TableReporter(std::string title) : title_(std::move(title)) {}

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

 private:
  const std::string title_;
};

}  // namespace anabranch
