// Random operations on a store and on a plain map, which must agree on everything that a reader can see. Each seed is a short
// life of a store of its own; a failure names it, and ANABRANCH_MODEL_SEED=<n> runs that one alone.
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"
#include "storage/testing/model_life.h"

namespace anabranch {
namespace {

constexpr int kSeeds = 2000;
constexpr int kThreads = 2;  // a store waits for its own threads half of the time

TEST(ModelTest, StoreAndMapAgree) {
  std::map<std::string, uint64_t> counts;
  uint64_t first = 1;
  uint64_t seeds = kSeeds;
  if (const char* chosen = std::getenv("ANABRANCH_MODEL_SEED"); chosen != nullptr) {
    first = std::strtoull(chosen, nullptr, 10);
    seeds = 1;
  }
  std::atomic<uint64_t> next{first};
  std::mutex mutex;
  const auto run_some = [&] {
    std::map<std::string, uint64_t> own;
    for (uint64_t seed = next++; seed < first + seeds && !testing::Test::HasFailure(); seed = next++) {
      SCOPED_TRACE(fmt::format("ANABRANCH_MODEL_SEED={}", seed));
      Life(seed).Run(&own);
    }
    std::lock_guard lock(mutex);
    for (const auto& [name, count] : own) counts[name] += count;
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back(run_some);
  }
  for (const auto& [name, count] : counts) fmt::print("[ COVERAGE ] {}: {}\n", name, count);
  if (seeds > 1 && !testing::Test::HasFailure()) {
    for (const std::string& name : Life::OperationNames()) EXPECT_GT(counts[name], 0u) << name;
  }
}

}  // namespace
}  // namespace anabranch
