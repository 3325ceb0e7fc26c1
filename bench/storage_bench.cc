// The storage layer against bare RocksDB with the same options, bytes and syncs, on the same build, in the same run.
//   storage_bench [--quick] [Google Benchmark's flags]
// Some rows: --benchmark_filter='scan|get'. As JSON besides the table: --benchmark_out=FILE --benchmark_out_format=json.
#include <algorithm>
#include <string_view>

#include "bench/paired.h"
#include "bench/storage_world.h"
#include "fmt/format.h"
#include "rocksdb/version.h"

namespace anabranch {
namespace {

constexpr Sizes kFullSizes = {.pairs = kPairs,
                              .keys = 1'000'000,
                              .gets = 200'000,
                              .changes = 200'000,
                              .commit_seconds = 1,
                              .index_bytes = 1100 << 20};
constexpr Sizes kQuickSizes = {
    .pairs = kPairsQuick, .keys = 20'000, .gets = 5'000, .changes = 5'000, .commit_seconds = 0.05, .index_bytes = 4 << 20};

int Run(bool quick) {
  World world;
  const Sizes sizes = quick ? kQuickSizes : kFullSizes;
  AddCommitRows(world, sizes, quick);
  AddReadRows(world, sizes);
  AddChangeRows(world, sizes);
  AddTransferRows(world, sizes);
  AddAmplificationRow(world, sizes);
  TableReporter table(fmt::format("RocksDB {} ({}). Ours and raw take turns, {} times; medians.",
                                  rocksdb::GetRocksVersionAsString(), ANABRANCH_ROCKSDB_BUILD, sizes.pairs));
  const size_t rows = benchmark::RunSpecifiedBenchmarks(&table);
  benchmark::ClearRegisteredBenchmarks();  // rows hold keyspaces, which must not outlive the world
  return rows > 0 ? 0 : 2;
}

}  // namespace
}  // namespace anabranch

int main(int argc, char** argv) {
  const auto is_quick = [](const char* flag) { return std::string_view(flag) == "--quick"; };
  char** const end = std::remove_if(argv + 1, argv + argc, is_quick);
  const bool quick = end != argv + argc;
  argc = static_cast<int>(end - argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  return anabranch::Run(quick);
}
