// The storage layer against bare RocksDB with the same options, bytes and syncs, on the same build, in the same run.
//   storage_bench [--quick] [Google Benchmark's flags, e.g. --benchmark_out=storage.json]
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <thread>

#include "base/check.h"
#include "base/coding.h"
#include "base/status.h"
#include "bench/paired.h"
#include "rocksdb/version.h"
#include "storage/change_index.h"
#include "storage/fingerprint.h"
#include "storage/mvcc_reader.h"
#include "storage/revert.h"
#include "storage/rocks_keyspace.h"
#include "storage/rocks_options.h"
#include "storage/transfer.h"

namespace anabranch {
namespace {

namespace fs = std::filesystem;

constexpr size_t kKeyBytes = 30;
constexpr size_t kValueBytes = 100;

struct Sizes {
  int pairs = kPairs;
  uint64_t scan_keys = 1'000'000;
  uint64_t gets = 200'000;
  uint64_t undone = 200'000;
  double commit_seconds = 1.0;  // what a commit run is sized for
};

void CheckOk(const absl::Status& status) { CHECK(status.ok(), status.ToString().c_str()); }
void CheckOk(const rocksdb::Status& status) { CHECK(status.ok(), status.ToString().c_str()); }
template <typename T>
T Take(absl::StatusOr<T> value) {
  CheckOk(value.status());
  return *std::move(value);
}

// Both sides' databases, for the life of the program.
class World {
 public:
  World() : dir_(Take<std::string>(MakeDir())) {
    store_ = Take(Store::Open({.dir = dir_ + "/store", .random = &random_}));
    raw_options_.emplace(StoreOptions{.dir = dir_ + "/raw", .random = &random_});
    rocksdb::DB* db = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    CheckOk(rocksdb::DB::Open(raw_options_->db(), dir_ + "/raw",
                              {{rocksdb::kDefaultColumnFamilyName, {}},
                               {"data", raw_options_->family(Family::kData)},
                               {"changes", raw_options_->family(Family::kChanges)}},
                              &handles, &db));
    raw_.reset(db);
    for (rocksdb::ColumnFamilyHandle* handle : handles) handles_.emplace_back(handle);
  }
  ~World() {
    for (rocksdb::ColumnFamilyHandle* handle : handles_) CheckOk(raw_->DestroyColumnFamilyHandle(handle));
    raw_.reset();
    keyspaces_.clear();
    store_.reset();
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
  }

  Store* store() { return store_.get(); }
  rocksdb::DB* raw() { return raw_.get(); }
  rocksdb::ColumnFamilyHandle* raw_data() { return handles_[1]; }
  rocksdb::ColumnFamilyHandle* raw_changes() { return handles_[2]; }
  const std::string& dir() const { return dir_; }
  uint64_t Random() { return random_.Next(); }

  KeyspaceRef NewKeyspace() {
    KeyspaceRef keyspace = Take(store_->CreateKeyspace());
    CheckOk(store_->UpdateMeta([&](MetaUpdate& update) {
      update.Publish(keyspace);
      return absl::OkStatus();
    }));
    return keyspace;
  }

  std::string Key(uint64_t id) const { return fmt::format("{:0{}}", id, kKeyBytes); }
  // Half of it compresses, as rows do.
  std::string Value() {
    std::string value = random_.NextHex(48);
    value.resize(kValueBytes, 'v');
    return value;
  }

  // `keys` keys of one version each, flushed and compacted.
  KeyspaceRef Filled(uint64_t keys) {
    const auto found = keyspaces_.find(keys);
    if (found != keyspaces_.end()) return found->second;
    KeyspaceRef keyspace = NewKeyspace();
    for (uint64_t id = 0; id < keys;) {
      auto writes = std::make_shared<WriteSet>();
      for (int i = 0; i < 1000 && id < keys; ++i) (*writes)[Key(id++)] = {WriteKind::kPut, Value()};
      Commit(keyspace, std::move(writes));
    }
    RocksKeyspace& rocks = AsRocks(*keyspace);
    CheckOk(rocks.db()->CompactRange({}, rocks.data(), nullptr, nullptr));
    keyspaces_[keys] = keyspace;
    return keyspace;
  }

  Timestamp Commit(const KeyspaceRef& keyspace, std::shared_ptr<const WriteSet> writes) {
    CommitRequest request;
    request.keyspace = keyspace;
    request.epoch = keyspace->state()->epoch;
    request.writes = std::move(writes);
    return Take(store_->Commit(std::move(request)));
  }

 private:
  static absl::StatusOr<std::string> MakeDir() {
    std::string name = fs::temp_directory_path().string() + "/anabranch-bench-XXXXXX";
    CHECK(mkdtemp(name.data()) != nullptr, "no temporary folder");
    return name;
  }

  anabranch::Random random_{1};
  const std::string dir_;
  std::unique_ptr<Store> store_;
  std::optional<RocksOptions> raw_options_;  // owns the environment that raw_ works in
  std::unique_ptr<rocksdb::DB> raw_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::map<uint64_t, KeyspaceRef> keyspaces_;
};

// Runs `transaction` on `clients` threads, `each` times.
double TimeClients(int clients, int each, const std::function<void(int client)>& transaction) {
  return Time([&] {
    std::vector<std::jthread> threads;
    for (int client = 0; client < clients; ++client) {
      threads.emplace_back([&, client] {
        for (int i = 0; i < each; ++i) transaction(client);
      });
    }
  });
}

rocksdb::WriteOptions Synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

// The raw side writes the same data bytes, one synced batch per transaction, grouped by RocksDB's own write group.
void AddCommit(World& world, const Sizes& sizes, int clients, int keys) {
  // About what one core syncs: 5,000 groups a second, of as many transactions as there are clients.
  const int each = std::max(20, static_cast<int>(sizes.commit_seconds * 2000 / (1 + keys / 30)));
  const KeyspaceRef keyspace = world.NewKeyspace();
  const auto ours = [&world, keyspace, clients, each, keys] {
    return TimeClients(clients, each, [&](int) {
      auto writes = std::make_shared<WriteSet>();
      for (int k = 0; k < keys; ++k) (*writes)[world.Key(world.Random() % 10'000'000)] = {WriteKind::kPut, world.Value()};
      world.Commit(keyspace, std::move(writes));
    });
  };
  const auto raw = [&world, clients, each, keys] {
    return TimeClients(clients, each, [&](int) {
      rocksdb::WriteBatch batch;
      std::map<std::string, std::string> sorted;  // the same preparation as a write set
      for (int k = 0; k < keys; ++k) sorted[world.Key(world.Random() % 10'000'000)] = world.Value();
      for (const auto& [key, value] : sorted) batch.Put(world.raw_data(), EncodeVersionKey(key, {1}), 'p' + value);
      CheckOk(world.raw()->Write(Synced(), &batch));
    });
  };
  RegisterPaired({.name = fmt::format("commit/clients:{}/keys:{}", clients, keys),
                  .units = static_cast<double>(clients) * each,
                  .ours = ours,
                  .raw = raw,
                  .target = clients == 16 && keys == 10 ? 0.85 : 0},
                 sizes.pairs);
}

// What the change index costs: the same batches with and without the entry, bare RocksDB on both sides.
void AddIndexCost(World& world, const Sizes& sizes) {
  constexpr int kKeys = 10, kGroup = 16;
  const int groups = static_cast<int>(sizes.commit_seconds * 2000);
  const auto run = [&world, groups](bool indexed) {
    return Time([&] {
      for (int g = 0; g < groups; ++g) {
        rocksdb::WriteBatch batch;
        for (int t = 0; t < kGroup; ++t) {
          const Timestamp ts{1'000'000'000'000ull + static_cast<uint64_t>(g) * kGroup + t};
          std::set<std::string> keys;
          while (keys.size() < kKeys) keys.insert(world.Key(world.Random() % 10'000'000));
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
                  .units = static_cast<double>(groups) * kGroup,
                  .ours = [run] { return run(true); },
                  .raw = [run] { return run(false); },
                  .target = 0.90},
                 sizes.pairs);
}

void AddReads(World& world, const Sizes& sizes) {
  const uint64_t keys = sizes.scan_keys;
  const auto raw_iterator = [](const KeyspaceRef& keyspace, bool point) {
    rocksdb::ReadOptions options;
    options.prefix_same_as_start = point;
    options.total_order_seek = !point;
    RocksKeyspace& rocks = AsRocks(*keyspace);
    return std::unique_ptr<rocksdb::Iterator>(rocks.db()->NewIterator(options, rocks.data()));
  };
  const auto get = [&world, keys, count = sizes.gets] {
    const KeyspaceRef keyspace = world.Filled(keys);
    auto reader = Take(MvccReader::Open(world.store(), keyspace, world.store()->visible()));
    return Time([&] {
      for (uint64_t i = 0; i < count; ++i) CHECK(Take(reader->Get(world.Key(world.Random() % keys))).has_value(), "lost");
    });
  };
  const auto raw_get = [&world, keys, raw_iterator, count = sizes.gets] {
    auto it = raw_iterator(world.Filled(keys), true);
    return Time([&] {
      for (uint64_t i = 0; i < count; ++i) {
        it->Seek(EncodeVersionKey(world.Key(world.Random() % keys), kTimestampMax));
        CHECK(it->Valid() && it->value().size() > kValueBytes, "lost");
        benchmark::DoNotOptimize(it->value().ToString());
      }
    });
  };
  RegisterPaired({.name = "get", .units = static_cast<double>(sizes.gets), .ours = get, .raw = raw_get, .target = 0.8},
                 sizes.pairs);
  const auto scan = [&world, keys] {
    const KeyspaceRef keyspace = world.Filled(keys);
    auto reader = Take(MvccReader::Open(world.store(), keyspace, world.store()->visible()));
    auto scan = reader->Scan({});
    uint64_t found = 0;
    const double seconds = Time([&] {
      while (Take(scan->Next())) found += !scan->value().empty();
    });
    CHECK(found == keys, "scan lost keys");
    return seconds;
  };
  const auto raw_scan = [&world, keys, raw_iterator] {
    auto it = raw_iterator(world.Filled(keys), false);
    uint64_t found = 0;
    const double seconds = Time([&] {
      for (it->SeekToFirst(); it->Valid(); it->Next()) found += !it->value().empty();
    });
    CHECK(found == keys, "raw scan lost keys");
    return seconds;
  };
  RegisterPaired({.name = "scan", .units = static_cast<double>(keys), .ours = scan, .raw = raw_scan, .target = 0.7},
                 sizes.pairs);
  const auto fingerprint = [&world, keys] {
    const KeyspaceRef keyspace = world.Filled(keys);
    return Time([&] {
      CHECK(Take(ComputeFingerprint(world.store(), keyspace, std::nullopt, world.store()->visible(), {})).versions == keys,
            "fingerprint lost keys");
    });
  };
  RegisterPaired({.name = "fingerprint_bytes",
                  .units = static_cast<double>(keys) * (kKeyBytes + kValueBytes),
                  .ours = fingerprint,
                  .raw = raw_scan,
                  .target = 0.7},
                 sizes.pairs);
}

// `count` random updates above the fill, undone again.
void AddUndo(World& world, const Sizes& sizes) {
  const auto undo = [&world, keys = sizes.scan_keys, count = sizes.undone] {
    const KeyspaceRef keyspace = world.Filled(keys);
    const Timestamp before = world.store()->visible();
    for (uint64_t done = 0; done < count;) {
      auto writes = std::make_shared<WriteSet>();
      while (writes->size() < 100) (*writes)[world.Key(world.Random() % keys)] = {WriteKind::kPut, world.Value()};
      done += writes->size();
      world.Commit(keyspace, std::move(writes));
    }
    return Time([&] {
      const Epoch epoch = keyspace->state()->epoch;
      Take(EraseRange(world.store(), keyspace, epoch, before, kTimestampMax.Prev(), {}, nullptr));
    });
  };
  RegisterPlain("undo_versions", static_cast<double>(sizes.undone), undo, sizes.pairs);
}

void AddTransfer(World& world, const Sizes& sizes) {
  const auto clone = [&world, keys = sizes.scan_keys] {
    KeyspaceRef copy;
    const double seconds = Time([&] { copy = Take(CloneKeyspace(world.store(), world.Filled(keys))); });
    CheckOk(world.store()->DropKeyspace(copy));
    return seconds;
  };
  const auto drop = [&world, keys = sizes.scan_keys] {
    KeyspaceRef copy = Take(CloneKeyspace(world.store(), world.Filled(keys)));
    return Time([&] {
      CheckOk(world.store()->DropKeyspace(copy));
      copy.reset();
    });
  };
  RegisterPlain("clone", 1, clone, sizes.pairs);
  RegisterPlain("drop", 1, drop, sizes.pairs);
}

void AddRows(World& world, const Sizes& sizes, bool quick) {
  for (const int clients : quick ? std::vector<int>{1, 16} : std::vector<int>{1, 4, 16, 64}) {
    for (const int keys : quick ? std::vector<int>{10} : std::vector<int>{1, 10, 100})
      AddCommit(world, sizes, clients, keys);
  }
  AddIndexCost(world, sizes);
  AddReads(world, sizes);
  AddUndo(world, sizes);
  AddTransfer(world, sizes);
}

}  // namespace
}  // namespace anabranch

int main(int argc, char** argv) {
  const bool quick =
      std::any_of(argv + 1, argv + argc, [](const char* flag) { return std::string_view(flag) == "--quick"; });
  argc = static_cast<int>(
      std::remove_if(argv + 1, argv + argc, [](const char* flag) { return std::string_view(flag) == "--quick"; }) - argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  std::cout << "RocksDB " << rocksdb::GetRocksVersionAsString() << " (" << ANABRANCH_ROCKSDB_BUILD
            << "). ours and raw take turns; medians.\n";
  anabranch::World world;
  anabranch::Sizes sizes;
  if (quick)
    sizes = {.pairs = anabranch::kPairsQuick, .scan_keys = 20'000, .gets = 5'000, .undone = 5'000, .commit_seconds = 0.05};
  anabranch::AddRows(world, sizes, quick);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::ClearRegisteredBenchmarks();  // rows hold keyspaces, which must not outlive the world
  return 0;
}
