// For tests of garbage collection.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "storage/gc.h"
#include "storage/mvcc/change_index.h"
#include "storage/rocks/keyspace.h"
#include "storage/testing/test_store.h"

namespace anabranch {

class GcTest : public StoreFixture {
 protected:
  absl::StatusOr<GcProgress> TryCollect(const KeyspaceRef& keyspace, uint64_t ttl_ns = 0) {
    return CollectGarbage(store_.get(), keyspace, keyspace->state()->epoch, ttl_ns, Pacing::kFull, {}, nullptr);
  }
  GcProgress Collect(const KeyspaceRef& keyspace, uint64_t ttl_ns = 0) {
    auto progress = TryCollect(keyspace, ttl_ns);
    CHECK(progress.ok(), progress.status().ToString().c_str());
    return *progress;
  }
  // Every version in `data`, hidden or not: "key@ts", a tombstone with a '-'.
  static std::set<std::string> Present(const KeyspaceRef& keyspace) {
    RocksKeyspace& rocks = AsRocks(*keyspace);
    std::set<std::string> present;
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> it(rocks.db()->NewIterator(options, rocks.data()));
    std::string key;
    Timestamp ts;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      CHECK(DecodeVersionKey(it->key().ToStringView(), &key, &ts), "key");
      const bool tombstone = it->value()[0] == static_cast<char>(WriteKind::kTombstone);
      present.insert(fmt::format("{}@{}{}", key, ts.ns, tombstone ? "-" : ""));
    }
    return present;
  }
  static uint64_t FileBytes(const KeyspaceRef& keyspace, bool changes) {
    RocksKeyspace& rocks = AsRocks(*keyspace);
    rocksdb::ColumnFamilyMetaData metadata;
    rocks.db()->GetColumnFamilyMetaData(changes ? rocks.changes() : rocks.data(), &metadata);
    return metadata.size;
  }
  static void Flush(const KeyspaceRef& keyspace) {
    RocksKeyspace& rocks = AsRocks(*keyspace);
    CHECK(rocks.db()->Flush({}, {rocks.data(), rocks.changes()}).ok(), "flush");
  }
  static void Compact(const KeyspaceRef& keyspace) {
    RocksKeyspace& rocks = AsRocks(*keyspace);
    CHECK(rocks.db()->CompactRange({}, rocks.data(), nullptr, nullptr).ok(), "compact");
  }
  void IngestMany(const KeyspaceRef& keyspace, uint64_t first, uint64_t commits, uint64_t keys_each, uint64_t key_space) {
    std::vector<Version> versions;
    for (uint64_t ts = first; ts < first + commits; ++ts) {
      for (uint64_t i = 0; i < keys_each; ++i) {
        versions.push_back(PutAt(fmt::format("key{:07}", (ts * keys_each + i) * 7919 % key_space), ts, "some value of it"));
      }
      if (versions.size() >= 20'000 || ts + 1 == first + commits) {
        Ingest(keyspace, std::move(versions), ts);
        versions.clear();
      }
    }
  }
  absl::Status CatchUpFrom(const KeyspaceRef& keyspace, uint64_t after, uint64_t upto, uint64_t* versions) {
    ASSIGN_OR_RETURN(auto cursor,
                     ChangeCursor::Open(store_.get(), keyspace, Timestamp{after}, Timestamp{upto}, ChangeFilter::kVisible));
    ChangeEntry entry;
    while (true) {
      ASSIGN_OR_RETURN(const bool found, cursor->NextTimestamp(&entry));
      if (!found) return absl::OkStatus();
      ASSIGN_OR_RETURN(const auto read, ReadVersions(store_.get(), keyspace, entry));
      *versions += read.size();
    }
  }
};

}  // namespace anabranch
