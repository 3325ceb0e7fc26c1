// Reads at a timestamp of a keyspace with one version per key.
#include "bench/paired.h"
#include "bench/storage_world.h"
#include "storage/mvcc/fingerprint.h"
#include "storage/mvcc/reader.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {
namespace {

constexpr const char* kPristine = "read";

std::unique_ptr<rocksdb::Iterator> BareIterator(const KeyspaceRef& keyspace, bool point) {
  rocksdb::ReadOptions options;
  options.prefix_same_as_start = point;
  options.total_order_seek = !point;
  RocksKeyspace& rocks = AsRocks(*keyspace);
  return std::unique_ptr<rocksdb::Iterator>(rocks.db()->NewIterator(options, rocks.data()));
}

void AddGet(World& world, const Sizes& sizes) {
  const auto ours = [&world, sizes] {
    const KeyspaceRef keyspace = world.Filled(kPristine, sizes);
    auto reader = Take(MvccReader::Open(world.store(), keyspace, world.store()->visible()));
    return Time([&] {
      for (uint64_t i = 0; i < sizes.gets; ++i) {
        CHECK(Take(reader->Get(World::Key(world.Random() % sizes.keys))).has_value(), "lost");
      }
    });
  };
  const auto raw = [&world, sizes] {
    const auto it = BareIterator(world.Filled(kPristine, sizes), true);
    return Time([&] {
      for (uint64_t i = 0; i < sizes.gets; ++i) {
        it->Seek(EncodeVersionKey(World::Key(world.Random() % sizes.keys), kTimestampMax));
        CHECK(it->Valid() && it->value().size() > kBenchValueBytes, "lost");
        benchmark::DoNotOptimize(it->value().ToString());
      }
    });
  };
  RegisterPaired({.name = "get",
                  .unit = "keys",
                  .units = static_cast<double>(sizes.gets),
                  .ours = ours,
                  .raw = raw,
                  .least_ratio = 0.8},
                 sizes.pairs);
}

double BareScan(World& world, const Sizes& sizes) {
  const auto it = BareIterator(world.Filled(kPristine, sizes), false);
  uint64_t found = 0;
  const double seconds = Time([&] {
    for (it->SeekToFirst(); it->Valid(); it->Next()) found += !it->value().empty();
  });
  CHECK(found == sizes.keys, "raw scan lost keys");
  return seconds;
}

void AddScans(World& world, const Sizes& sizes) {
  const auto scan = [&world, sizes] {
    const KeyspaceRef keyspace = world.Filled(kPristine, sizes);
    auto reader = Take(MvccReader::Open(world.store(), keyspace, world.store()->visible()));
    auto scan = reader->Scan({});
    uint64_t found = 0;
    const double seconds = Time([&] {
      while (Take(scan->Next())) found += !scan->value().empty();
    });
    CHECK(found == sizes.keys, "scan lost keys");
    return seconds;
  };
  const auto fingerprint = [&world, sizes] {
    const KeyspaceRef keyspace = world.Filled(kPristine, sizes);
    const Timestamp at = world.store()->visible();
    return Time([&] {
      CHECK(Take(ComputeFingerprint(world.store(), keyspace, std::nullopt, at, {})).versions == sizes.keys,
            "fingerprint lost keys");
    });
  };
  const auto raw = [&world, sizes] { return BareScan(world, sizes); };
  const auto keys = static_cast<double>(sizes.keys);
  RegisterPaired({.name = "scan", .unit = "keys", .units = keys, .ours = scan, .raw = raw, .least_ratio = 0.7},
                 sizes.pairs);
  RegisterPaired({.name = "fingerprint",
                  .unit = "bytes",
                  .units = keys * (kBenchKeyBytes + kBenchValueBytes),
                  .ours = fingerprint,
                  .raw = raw,
                  .least_ratio = 0.7},
                 sizes.pairs);
}

}  // namespace

void AddReadRows(World& world, const Sizes& sizes) {
  AddGet(world, sizes);
  AddScans(world, sizes);
}

}  // namespace anabranch
