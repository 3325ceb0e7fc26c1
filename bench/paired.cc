#include "bench/paired.h"

#include <algorithm>
#include <vector>

#include "base/clock.h"

namespace anabranch {
namespace {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

double Time(const std::function<void()>& work) {
  const uint64_t begin_ns = SystemClock()->MonotonicNs();
  work();
  return static_cast<double>(SystemClock()->MonotonicNs() - begin_ns) / 1e9;
}

void RegisterPaired(PairedRow row, int pairs) {
  const std::string name = row.name;
  benchmark::RegisterBenchmark(name.c_str(),
                               [row = std::move(row), pairs](benchmark::State& state) {
                                 std::vector<double> ours, raw, ratios;
                                 for (auto _ : state) {
                                   for (int i = 0; i < pairs; ++i) {
                                     ours.push_back(row.ours());
                                     raw.push_back(row.raw());
                                     ratios.push_back(raw.back() / ours.back());
                                   }
                                   state.SetIterationTime(Median(ours));
                                 }
                                 state.counters["ours_per_s"] = row.units / Median(ours);
                                 state.counters["raw_per_s"] = row.units / Median(raw);
                                 state.counters["ratio"] = Median(ratios);
                                 state.counters["target"] = row.target;
                               })
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

void RegisterPlain(const std::string& name, double units, TimedRun ours, int pairs) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [units, ours = std::move(ours), pairs](benchmark::State& state) {
                                 std::vector<double> times;
                                 for (auto _ : state) {
                                   for (int i = 0; i < pairs; ++i) times.push_back(ours());
                                   state.SetIterationTime(Median(times));
                                 }
                                 state.counters["ours_per_s"] = units / Median(times);
                               })
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace anabranch
