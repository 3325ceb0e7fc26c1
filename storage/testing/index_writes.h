// For tests and benchmarks: several keyspaces written in turns, and what RocksDB wrote of their change indexes for it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/random.h"
#include "base/status.h"
#include "rocksdb/db.h"
#include "storage/api/store.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {

struct IndexWrites {
  double flushed = 0;   // bytes that flushes wrote
  double written = 0;   // bytes that flushes and compactions wrote; moving a file writes none
  int moved_files = 0;  // files that were moved below level 0

  double amplification() const { return flushed == 0 ? 0 : written / flushed; }
};

// Published and under ingestion.
inline absl::StatusOr<std::vector<KeyspaceRef>> MakeBusyKeyspaces(Store* store, int count) {
  std::vector<KeyspaceRef> keyspaces;
  for (int i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(keyspaces.emplace_back(), store->CreateKeyspace());
    RETURN_IF_ERROR(store->UpdateMeta([&](MetaUpdate& update) {
      update.Stage(keyspaces.back()).Publish();
      update.Stage(keyspaces.back()).SetIngesting(true, kTimestampZero);
      return absl::OkStatus();
    }));
  }
  return keyspaces;
}

// Transactions of ten keys that do not compress, until `index_bytes` went to the change indexes.
inline absl::Status WriteTurns(Store* store, const std::vector<KeyspaceRef>& keyspaces, uint64_t index_bytes,
                               Random& random) {
  constexpr size_t kKeyWords = 24, kKeysPerTransaction = 10, kTransactionsPerTurn = 50;
  const std::string value(100, 'v');
  uint64_t ts = 1;
  for (uint64_t written = 0; written < index_bytes;) {
    for (const KeyspaceRef& keyspace : keyspaces) {
      IngestRequest request{
          .keyspace = keyspace, .epoch = keyspace->state()->epoch, .versions = {}, .frontier = std::nullopt};
      for (size_t i = 0; i < kTransactionsPerTurn * kKeysPerTransaction; ++i) {
        std::string key;
        for (size_t word = 0; word < kKeyWords; ++word) {
          const uint64_t bits = random.Next();
          key.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
        }
        written += key.size();
        request.versions.push_back({std::move(key), Timestamp{ts + i / kKeysPerTransaction}, {WriteKind::kPut, value}});
      }
      RETURN_IF_ERROR(store->Ingest(std::move(request)));
    }
    ts += kTransactionsPerTurn;
  }
  return absl::OkStatus();
}

// Flushes the indexes, lets the compactions end that are due, and reads RocksDB's own statistics.
inline absl::StatusOr<IndexWrites> SettleIndexes(const std::vector<KeyspaceRef>& keyspaces) {
  IndexWrites writes;
  for (const KeyspaceRef& keyspace : keyspaces) {
    const RocksKeyspace& rocks = AsRocks(*keyspace);
    RETURN_IF_ERROR(FromRocks(rocks.db()->Flush({}, rocks.changes()), "flush a change index"));
  }
  for (const KeyspaceRef& keyspace : keyspaces) {
    const RocksKeyspace& rocks = AsRocks(*keyspace);
    // Pausing waits for the jobs that run, going on starts those that are due.
    for (uint64_t due = 1; due != 0;) {
      RETURN_IF_ERROR(FromRocks(rocks.db()->PauseBackgroundWork(), "let compactions end"));
      RETURN_IF_ERROR(FromRocks(rocks.db()->ContinueBackgroundWork(), "let compactions go on"));
      rocks.db()->GetIntProperty(rocks.changes(), rocksdb::DB::Properties::kCompactionPending, &due);
    }
    std::map<std::string, std::string> statistics;
    if (!rocks.db()->GetMapProperty(rocks.changes(), rocksdb::DB::Properties::kCFStats, &statistics)) {
      return absl::InternalError("RocksDB keeps no statistics of a family");
    }
    const double written = std::stod(statistics["compaction.Sum.WriteGB"]) * (1 << 30);
    writes.written += written;
    writes.flushed += written / std::stod(statistics["compaction.Sum.WriteAmp"]);
    rocksdb::ColumnFamilyMetaData metadata;
    rocks.db()->GetColumnFamilyMetaData(rocks.changes(), &metadata);
    for (const rocksdb::LevelMetaData& level : metadata.levels) {
      if (level.level > 0) writes.moved_files += static_cast<int>(level.files.size());
    }
  }
  return writes;
}

}  // namespace anabranch
