// Commits by number of clients and keys, and what the change index adds to them.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "bench/paired.h"
#include "bench/storage_world.h"
#include "fmt/format.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/reader.h"

namespace anabranch {
namespace {

constexpr uint64_t kCommitKeys = 10'000'000;  // chosen from
constexpr int kLeastEach = 20;

// Runs `transaction` on `clients` threads, `each` times.
double TimeClients(int clients, int each, const std::function<void()>& transaction) {
  return Time([&] {
    std::vector<std::jthread> threads;
    for (int client = 0; client < clients; ++client) {
      threads.emplace_back([&] {
        for (int i = 0; i < each; ++i) transaction();
      });
    }
  });
}

rocksdb::WriteOptions Synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

// How many transactions of each client take about the wanted time where 3,000 groups are synced and 100,000 keys are
// written in a second.
int EachFor(const Sizes& sizes, int clients, int keys) {
  const double per_second = std::min(3'000 * std::sqrt(clients), 100'000.0 / keys);
  return std::max(kLeastEach, static_cast<int>(sizes.commit_seconds * per_second / clients));
}

// The raw side writes the same data bytes, one synced batch per transaction, grouped by RocksDB's own write group.
void AddCommit(World& world, const Sizes& sizes, int clients, int keys) {
  const int each = EachFor(sizes, clients, keys);
  const KeyspaceRef keyspace = world.NewKeyspace();
  const auto ours = [&world, keyspace, clients, each, keys] {
    return TimeClients(clients, each, [&] {
      WriteSet writes;
      for (int k = 0; k < keys; ++k) writes[World::Key(world.Random() % kCommitKeys)] = {WriteKind::kPut, world.Value()};
      world.Commit(keyspace, writes);
    });
  };
  const auto raw = [&world, clients, each, keys] {
    return TimeClients(clients, each, [&] {
      rocksdb::WriteBatch batch;
      std::map<std::string, std::string> sorted;  // the same preparation as a write set
      for (int k = 0; k < keys; ++k) sorted[World::Key(world.Random() % kCommitKeys)] = world.Value();
      for (const auto& [key, value] : sorted) batch.Put(world.raw_data(), EncodeVersionKey(key, {1}), 'p' + value);
      CheckOk(world.raw()->Write(Synced(), &batch));
    });
  };
  RegisterPaired({.name = fmt::format("commit/clients:{}/keys:{}", clients, keys),
                  .unit = "transactions",
                  .units = static_cast<double>(clients) * each,
                  .ours = ours,
                  .raw = raw,
                  .least_ratio = clients == 16 && keys == 10 ? 0.85 : 0},
                 sizes.pairs);
}

// The same batches with and without the entry, bare RocksDB on both sides.
void AddIndexCost(World& world, const Sizes& sizes) {
  constexpr int kKeys = 10, kGroup = 16;
  const int groups = static_cast<int>(sizes.commit_seconds * 1000);
  const auto run = [&world, groups](bool indexed) {
    return Time([&] {
      for (int g = 0; g < groups; ++g) {
        rocksdb::WriteBatch batch;
        for (int t = 0; t < kGroup; ++t) {
          const Timestamp ts{1'000'000'000'000ull + static_cast<uint64_t>(g) * kGroup + t};
          std::set<std::string> keys;
          while (keys.size() < kKeys) keys.insert(World::Key(world.Random() % kCommitKeys));
          for (const std::string& key : keys) batch.Put(world.raw_data(), EncodeVersionKey(key, ts), 'p' + world.Value());
          if (!indexed) continue;
          for (const auto& [key, value] : EncodeChange(ts, {keys.begin(), keys.end()})) {
            batch.Put(world.raw_changes(), key, value);
          }
        }
        CheckOk(world.raw()->Write(Synced(), &batch));
      }
    });
  };
  RegisterPaired({.name = "change_index_cost/keys:10",
                  .unit = "transactions",
                  .units = static_cast<double>(groups) * kGroup,
                  .ours = [run] { return run(true); },
                  .raw = [run] { return run(false); },
                  .least_ratio = 0.90},
                 sizes.pairs);
}

}  // namespace

void AddCommitRows(World& world, const Sizes& sizes, bool quick) {
  for (const int clients : quick ? std::vector<int>{1, 16} : std::vector<int>{1, 4, 16, 64}) {
    for (const int keys : quick ? std::vector<int>{10} : std::vector<int>{1, 10, 100}) {
      AddCommit(world, sizes, clients, keys);
    }
  }
  AddIndexCost(world, sizes);
}

}  // namespace anabranch
