#include "bench/paired.h"

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "fmt/format.h"

namespace anabranch {
namespace {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Register(const std::string& name, const std::function<void(benchmark::State&)>& run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
}

// 1234567 -> "1.23 M"
std::string Short(double value) {
  constexpr const char* kPrefixes[] = {"", " k", " M", " G"};
  size_t prefix = 0;
  while (value >= 1000 && prefix + 1 < std::size(kPrefixes)) {
    value /= 1000;
    ++prefix;
  }
  return fmt::format("{:.{}f}{}", value, value < 10 ? 2 : value < 100 ? 1 : 0, kPrefixes[prefix]);
}

std::string TargetText(const benchmark::UserCounters& counters) {
  std::string text;
  const auto add = [&](const char* name, const char* format, const auto& show) {
    const auto found = counters.find(name);
    if (found == counters.end()) return;
    text += fmt::format(fmt::runtime(format), text.empty() ? "" : ", ", show(found->second.value));
  };
  add("least_ratio", "{}ratio >= {}", [](double value) { return fmt::format("{:.2f}", value); });
  add("least_per_s", "{}>= {}/s", Short);
  add("most", "{}<= {}", [](double value) { return fmt::format("{:.2f}", value); });
  const auto met = counters.find("met");
  if (met == counters.end()) return text;
  return fmt::format("{:<22} {}", text, met->second.value != 0 ? "met" : "MISSED");
}

std::string Cell(const benchmark::UserCounters& counters, const char* name,
                 const std::function<std::string(double)>& show) {
  const auto found = counters.find(name);
  return found == counters.end() ? "" : show(found->second.value);
}

}  // namespace

double Time(const std::function<void()>& work) {
  const uint64_t begin_ns = SystemClock()->MonotonicNs();
  work();
  return static_cast<double>(SystemClock()->MonotonicNs() - begin_ns) / 1e9;
}

void RegisterPaired(PairedRow row, int pairs) {
  const std::string name = row.name;
  Register(name, [row = std::move(row), pairs](benchmark::State& state) {
    std::vector<double> ours, raw, ratios;
    for (auto _ : state) {
      for (int i = 0; i < pairs; ++i) {
        ours.push_back(row.ours());
        raw.push_back(row.raw());
        ratios.push_back(raw.back() / ours.back());
      }
      state.SetIterationTime(Median(ours));
    }
    const double per_s = row.units / Median(ours);
    const double ratio = Median(ratios);
    state.SetLabel(row.unit);
    state.counters["ours_per_s"] = per_s;
    state.counters["raw_per_s"] = row.units / Median(raw);
    state.counters["ratio"] = ratio;
    if (row.least_ratio > 0) state.counters["least_ratio"] = row.least_ratio;
    if (row.least_per_s > 0) state.counters["least_per_s"] = row.least_per_s;
    if (row.least_ratio > 0 || row.least_per_s > 0) {
      state.counters["met"] = ratio >= row.least_ratio && per_s >= row.least_per_s;
    }
  });
}

void RegisterAmount(AmountRow row) {
  const std::string name = row.name;
  Register(name, [row = std::move(row)](benchmark::State& state) {
    double amount = 0;
    for (auto _ : state) state.SetIterationTime(Time([&] { amount = row.measure(); }));
    state.SetLabel(row.unit);
    state.counters["amount"] = amount;
    state.counters["most"] = row.most;
    state.counters["met"] = amount <= row.most;
  });
}

bool TableReporter::ReportContext(const Context&) {
  GetOutputStream() << title_ << "\n"
                    << fmt::format("{:<32} {:>9} {:>9}  {:<22} {:>6}  target\n", "", "ours/s", "raw/s", "of", "ratio");
  return true;
}

void TableReporter::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    if (run.run_type != Run::RT_Iteration) continue;
    const auto& counters = run.counters;
    const auto number = [](double value) { return fmt::format("{:.2f}", value); };
    const std::string ratio = Cell(counters, "ratio", number);
    GetOutputStream() << fmt::format("{:<32} {:>9} {:>9}  {:<22} {:>6}  {}\n", run.run_name.function_name,
                                     Cell(counters, "ours_per_s", Short), Cell(counters, "raw_per_s", Short),
                                     run.report_label, ratio.empty() ? Cell(counters, "amount", number) : ratio,
                                     TargetText(counters))
                      << std::flush;
  }
}

}  // namespace anabranch
