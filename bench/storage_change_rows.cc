// What works through the change index: catch-up, undo, garbage collection, each on random updates of a filled keyspace.
#include <algorithm>

#include "bench/paired.h"
#include "bench/storage_world.h"
#include "storage/gc.h"
#include "storage/mvcc/change_index.h"
#include "storage/mvcc/reader.h"
#include "storage/revert.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {
namespace {

constexpr const char* kChanged = "changed";

// Bare deletes of the change's keys from a database that holds them, in order, in batches as large as an undo's, synced
// once.
double BareDeletes(World& world, const Change& change) {
  const std::string value = 'p' + world.Value();
  rocksdb::WriteBatch puts;
  for (const std::string& key : change.encoded_keys) puts.Put(world.raw_data(), key, value);
  CheckOk(world.raw()->Write({}, &puts));
  return Time([&] {
    for (size_t begin = 0; begin < change.encoded_keys.size(); begin += kEraseVersionsMax) {
      const size_t end = std::min(change.encoded_keys.size(), begin + kEraseVersionsMax);
      rocksdb::WriteBatch deletes;
      for (size_t i = begin; i < end; ++i) deletes.Delete(world.raw_data(), change.encoded_keys[i]);
      CheckOk(world.raw()->Write({}, &deletes));
    }
    CheckOk(world.raw()->FlushWAL(/*sync=*/true));
  });
}

// One bare seek for each of the change's keys.
double BareSeeks(const KeyspaceRef& keyspace, const Change& change) {
  RocksKeyspace& rocks = AsRocks(*keyspace);
  rocksdb::ReadOptions options;
  options.prefix_same_as_start = true;
  const std::unique_ptr<rocksdb::Iterator> it(rocks.db()->NewIterator(options, rocks.data()));
  return Time([&] {
    for (const std::string& key : change.encoded_keys) {
      it->Seek(key);
      benchmark::DoNotOptimize(it->Valid());  // not if the change updated it twice
    }
  });
}

void AddCatchUp(World& world, const Sizes& sizes) {
  const auto ours = [&world, sizes] {
    const KeyspaceRef keyspace = world.Filled(kChanged, sizes);
    const Change change = world.Change(keyspace, sizes);
    uint64_t versions = 0;
    const double seconds = Time([&] {
      auto cursor = Take(ChangeCursor::Open(world.store(), keyspace, change.after, change.upto, ChangeFilter::kVisible));
      ChangeEntry entry;
      while (Take(cursor->NextTimestamp(&entry))) versions += Take(ReadVersions(world.store(), keyspace, entry)).size();
    });
    CHECK(versions == change.encoded_keys.size(), "catch-up lost versions");
    return seconds;
  };
  // As many versions in the order in which they lie.
  const auto raw = [&world, sizes] {
    RocksKeyspace& rocks = AsRocks(*world.Filled(kChanged, sizes));
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> it(rocks.db()->NewIterator(options, rocks.data()));
    uint64_t found = 0;
    const double seconds = Time([&] {
      for (it->SeekToFirst(); it->Valid() && found < sizes.changes; it->Next()) found += !it->value().empty();
    });
    CHECK(found == sizes.changes, "raw scan lost versions");
    return seconds;
  };
  RegisterPaired(
      {.name = "catch_up", .unit = "versions", .units = static_cast<double>(sizes.changes), .ours = ours, .raw = raw},
      sizes.pairs);
}

void AddUndo(World& world, const Sizes& sizes) {
  const auto change = std::make_shared<Change>();
  const auto ours = [&world, sizes, change] {
    const KeyspaceRef keyspace = world.Filled(kChanged, sizes);
    *change = world.Change(keyspace, sizes);
    const Epoch epoch = keyspace->state()->epoch;
    uint64_t versions = 0;
    const double seconds = Time([&] {
      versions = Take(EraseRange(world.store(), keyspace, epoch, change->after, change->upto, {}, nullptr)).versions;
    });
    CHECK(versions == change->encoded_keys.size(), "undo left versions");
    return seconds;
  };
  RegisterPaired({.name = "undo",
                  .unit = "versions",
                  .units = static_cast<double>(sizes.changes),
                  .ours = ours,
                  .raw = [&world, change] { return BareDeletes(world, *change); },
                  .least_per_s = 200'000},
                 sizes.pairs);
}

void AddCollect(World& world, const Sizes& sizes) {
  const auto change = std::make_shared<Change>();
  const auto ours = [&world, sizes, change] {
    const KeyspaceRef keyspace = world.Filled(kChanged, sizes);
    const auto collect = [&] {
      return Take(
          CollectGarbage(world.store(), keyspace, keyspace->state()->epoch, /*ttl_ns=*/0, Pacing::kFull, {}, nullptr));
    };
    collect();  // what earlier rows left
    *change = world.Change(keyspace, sizes);
    uint64_t versions = 0;
    const double seconds = Time([&] { versions = collect().versions; });
    CHECK(versions == change->encoded_keys.size(), "each update supersedes one version");
    return seconds;
  };
  // What is superseded has to be found: the index names what superseded it.
  const auto raw = [&world, sizes, change] {
    return BareSeeks(world.Filled(kChanged, sizes), *change) + BareDeletes(world, *change);
  };
  RegisterPaired({.name = "collect_garbage",
                  .unit = "versions",
                  .units = static_cast<double>(sizes.changes),
                  .ours = ours,
                  .raw = raw},
                 sizes.pairs);
}

}  // namespace

void AddChangeRows(World& world, const Sizes& sizes) {
  AddCatchUp(world, sizes);
  AddUndo(world, sizes);
  AddCollect(world, sizes);
}

}  // namespace anabranch
