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
  double units = 0;  // of work per run: transactions, keys, bytes
  TimedRun ours;
  TimedRun raw;
  double target = 0;  // least acceptable ours/raw in units per second; zero: none
};

inline constexpr int kPairs = 5;
inline constexpr int kPairsQuick = 1;

// Registers the row with Google Benchmark. Counters: ours and raw in units per second, ratio (median of the pairs' ratios),
// target.
void RegisterPaired(PairedRow row, int pairs);

// A row without a raw side: how long something took, in units per second.
void RegisterPlain(const std::string& name, double units, TimedRun ours, int pairs);

// Seconds that `work` takes.
double Time(const std::function<void()>& work);

}  // namespace anabranch
