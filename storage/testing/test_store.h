// For tests of storage/: a real store in a folder of its own.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/api/store.h"
#include "storage/mvcc/reader.h"

namespace anabranch {

inline Version PutAt(std::string key, uint64_t ts, std::string value) {
  return {std::move(key), Timestamp{ts}, {WriteKind::kPut, std::move(value)}};
}
inline Version DeleteAt(std::string key, uint64_t ts) {
  return {std::move(key), Timestamp{ts}, {WriteKind::kTombstone, ""}};
}

class StoreFixture : public testing::Test {
 protected:
  StoreFixture() {
    std::string name = testing::TempDir() + "storage-XXXXXX";
    CHECK(mkdtemp(name.data()) != nullptr, "no temporary folder");
    dir_ = name;
    auto store = Store::Open({.dir = dir_ + "/store", .random = &random_, .block_cache_bytes = 8 << 20});
    CHECK(store.ok(), store.status().ToString().c_str());
    store_ = *std::move(store);
  }
  ~StoreFixture() override {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  // Published, written by Commit.
  KeyspaceRef NewKeyspace() {
    auto keyspace = store_->CreateKeyspace();
    CHECK(keyspace.ok(), keyspace.status().ToString().c_str());
    Update([&](MetaUpdate& update) { update.Stage(*keyspace).Publish(); });
    return *keyspace;
  }
  // Published, and under ingestion: the test chooses the timestamps.
  KeyspaceRef NewStandby() {
    KeyspaceRef keyspace = NewKeyspace();
    Update([&](MetaUpdate& update) { update.Stage(keyspace).SetIngesting(true, kTimestampZero); });
    return keyspace;
  }

  void Update(const std::function<void(MetaUpdate&)>& build) {
    const absl::Status status = store_->UpdateMeta([&](MetaUpdate& update) {
      build(update);
      return absl::OkStatus();
    });
    ASSERT_TRUE(status.ok()) << status;
  }
  void Ingest(const KeyspaceRef& keyspace, std::vector<Version> versions, std::optional<uint64_t> frontier = std::nullopt) {
    IngestRequest request{
        .keyspace = keyspace, .epoch = keyspace->state()->epoch, .versions = std::move(versions), .frontier = std::nullopt};
    if (frontier) request.frontier = Timestamp{*frontier};
    const absl::Status status = store_->Ingest(std::move(request));
    ASSERT_TRUE(status.ok()) << status;
  }
  // Ends the ingestion and hides what lies above `after`, as a failover does. Returns the next owner's epoch.
  Epoch Promote(const KeyspaceRef& keyspace, uint64_t after) {
    Epoch epoch;
    Update([&](MetaUpdate& update) {
      epoch = update.Stage(keyspace).BumpEpoch();
      update.Stage(keyspace).Hide(Timestamp{after});
      update.Stage(keyspace).SetIngesting(false, Timestamp{after});
    });
    return epoch;
  }
  Timestamp CommitWrites(const KeyspaceRef& keyspace, WriteSet writes) {
    auto committed = store_->Commit({.keyspace = keyspace,
                                     .epoch = keyspace->state()->epoch,
                                     .writes = std::make_shared<const WriteList>(writes),
                                     .validate_spans = {},
                                     .validate_after = {}});
    EXPECT_TRUE(committed.ok()) << committed.status();
    return committed.ok() ? *committed : kTimestampZero;
  }
  Timestamp CommitPut(const KeyspaceRef& keyspace, const std::string& key, const std::string& value) {
    return CommitWrites(keyspace, {{key, {WriteKind::kPut, value}}});
  }

  std::unique_ptr<MvccReader> ReaderAt(const KeyspaceRef& keyspace, Timestamp at) {
    auto reader = MvccReader::Open(store_.get(), keyspace, at);
    CHECK(reader.ok(), reader.status().ToString().c_str());
    return *std::move(reader);
  }
  // "key=value@ts ..." of a scan; an error's SQLSTATE at its end.
  static std::string Drain(MvccScan& scan) {
    std::string text;
    while (true) {
      const absl::StatusOr<bool> found = scan.Next();
      if (!found.ok()) return text + SqlStateOf(found.status());
      if (!*found) return text.substr(0, text.size() - (text.empty() ? 0 : 1));
      text += fmt::format("{}={}@{} ", scan.key(), scan.value(), scan.timestamp().ns);
    }
  }
  std::string ScanAt(const KeyspaceRef& keyspace, uint64_t at, const Span& span = {}) {
    return Drain(*ReaderAt(keyspace, Timestamp{at})->Scan(span));
  }

  Random random_{20240229};
  std::string dir_;
  std::unique_ptr<Store> store_;
};

}  // namespace anabranch
