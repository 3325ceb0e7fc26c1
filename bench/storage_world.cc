#include "bench/storage_world.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>

#include "fmt/format.h"
#include "storage/mvcc/reader.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kKeysPerFill = 1000;
constexpr uint64_t kKeysPerChange = 100;

std::string MakeDir() {
  std::string name = fs::temp_directory_path().string() + "/anabranch-bench-XXXXXX";
  CHECK(mkdtemp(name.data()) != nullptr, "no temporary folder");
  return name;
}

}  // namespace

World::World() : dir_(MakeDir()) {
  store_ = Take(Store::Open({.dir = dir_ + "/store", .random = &random_}));
  raw_options_.emplace(StoreOptions{.dir = dir_ + "/raw", .random = &random_});
  rocksdb::DB* db = nullptr;
  CheckOk(rocksdb::DB::Open(raw_options_->db(), dir_ + "/raw",
                            {{rocksdb::kDefaultColumnFamilyName, {}},
                             {"data", raw_options_->family(Family::kData)},
                             {"changes", raw_options_->family(Family::kChanges)}},
                            &handles_, &db));
  raw_.reset(db);
}

World::~World() {
  for (rocksdb::ColumnFamilyHandle* handle : handles_) CheckOk(raw_->DestroyColumnFamilyHandle(handle));
  raw_.reset();
  filled_.clear();
  store_.reset();
  std::error_code ignored;
  fs::remove_all(dir_, ignored);
}

std::string World::Key(uint64_t id) { return fmt::format("{:0{}}", id, kBenchKeyBytes); }

std::string World::Value() {
  std::string value = random_.NextHex(48);
  value.resize(kBenchValueBytes, 'v');
  return value;
}

KeyspaceRef World::NewKeyspace() {
  KeyspaceRef keyspace = Take(store_->CreateKeyspace());
  CheckOk(store_->UpdateMeta([&](MetaUpdate& update) {
    update.Stage(keyspace).Publish();
    return absl::OkStatus();
  }));
  return keyspace;
}

KeyspaceRef World::Filled(const std::string& name, const Sizes& sizes) {
  const auto found = filled_.find(name);
  if (found != filled_.end()) return found->second;
  KeyspaceRef keyspace = NewKeyspace();
  for (uint64_t id = 0; id < sizes.keys;) {
    WriteSet writes;
    for (uint64_t i = 0; i < kKeysPerFill && id < sizes.keys; ++i) writes[Key(id++)] = {WriteKind::kPut, Value()};
    Commit(keyspace, writes);
  }
  RocksKeyspace& rocks = AsRocks(*keyspace);
  CheckOk(rocks.db()->CompactRange({}, rocks.data(), nullptr, nullptr));
  CheckOk(rocks.db()->Flush({}, rocks.changes()));
  filled_[name] = keyspace;
  return keyspace;
}

Timestamp World::Commit(const KeyspaceRef& keyspace, const WriteSet& writes) {
  CommitRequest request;
  request.keyspace = keyspace;
  request.epoch = keyspace->state()->epoch;
  request.writes = std::make_shared<const WriteList>(writes);
  return Take(store_->Commit(std::move(request)));
}

anabranch::Change World::Change(const KeyspaceRef& keyspace, const Sizes& sizes) {
  anabranch::Change change;
  change.after = store_->visible();
  while (change.encoded_keys.size() < sizes.changes) {
    WriteSet writes;
    while (writes.size() < kKeysPerChange) writes[Key(Random() % sizes.keys)] = {WriteKind::kPut, Value()};
    change.upto = Commit(keyspace, writes);
    for (const auto& [key, write] : writes) change.encoded_keys.push_back(EncodeVersionKey(key, change.upto));
  }
  std::sort(change.encoded_keys.begin(), change.encoded_keys.end());
  return change;
}

}  // namespace anabranch
