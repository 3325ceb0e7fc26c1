#include "storage/rocks/options.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstring>

#include "rocksdb/filter_policy.h"
#include "rocksdb/slice_transform.h"
#include "rocksdb/table.h"
#include "rocksdb/utilities/table_properties_collectors.h"
#include "rocksdb/write_buffer_manager.h"
#include "storage/rocks/files.h"
#include "storage/rocks/info_log.h"

namespace anabranch {
namespace {

constexpr double kBloomBitsPerKey = 10;
constexpr size_t kBlockBytes = 8 << 10;
// Shards large enough for several files' filters, of a byte or more for each of a million keys: in RocksDB's 64 small ones
// they drove each other out, and were read again for almost every look-up of a table of some millions of rows (twenty times
// slower). Partitioned filters would do as well, but no check of a whole file reads their partitions.
constexpr int kCacheShardBits = 3;
constexpr size_t kMemtableBytes = 64 << 20;
constexpr size_t kMetaMemtableBytes = 4 << 20;
// What a memtable takes at a time. A small one takes one of them, and what hundreds of keyspaces take, a row each, must not
// use the budget up: each further row would flush a table of a few rows.
constexpr size_t kArenaBlockBytes = 64 << 10;
// Most keys that are looked up are not in the memtables: a bit array, by user key, spares the walk through them.
constexpr double kMemtableBloomRatio = 0.005;
// A file of which this share are deletions is compacted soon, down to where they meet what they delete: what a collection
// or a sweep left behind gives its room back even if nobody writes any more. Steady updates, each deleted later, stay below
// it.
constexpr double kDeletionsToCompact = 0.75;

// The part of a version key before the timestamp: up to and including the terminator 00 01. Found by the terminator and not
// by length, so that the encoded key alone, without a timestamp, has the same prefix (a transform must be idempotent).
class UserKeyTransform final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "anabranch.UserKey.v1"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return {key.data(), PrefixBytes(key)}; }
  bool InDomain(const rocksdb::Slice& key) const override { return PrefixBytes(key) != 0; }

 private:
  static size_t PrefixBytes(const rocksdb::Slice& key) {
    size_t at = 0;
    while (at + 1 < key.size()) {
      const void* zero = std::memchr(key.data() + at, 0, key.size() - at - 1);
      if (zero == nullptr) return 0;
      at = static_cast<const char*>(zero) - key.data() + 2;
      if (key[at - 1] == 1) return at;
    }
    return 0;
  }
};

// Half of what the process may have open; the rest is for sessions. The files read last stay open.
int OpenFilesMax() {
  constexpr rlim_t kMost = 1 << 16;
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min(limit.rlim_cur / 2, kMost));
}

rocksdb::BlockBasedTableOptions TableOptions(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = kBlockBytes;
  table.format_version = 5;
  table.cache_index_and_filter_blocks = true;  // outside the cache these blocks would take memory as the data grow
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  return table;
}

}  // namespace

std::string FamilyName(const IncarnationId& incarnation, Family family) {
  return incarnation.value() + (family == Family::kData ? "/data" : "/changes");
}

RocksOptions::RocksOptions(const StoreOptions& options, rocksdb::Env* base) : env_(std::make_shared<StoreEnv>(base)) {
  db_.env = env_.get();
  db_.create_if_missing = true;
  db_.create_missing_column_families = true;
  db_.info_log = MakeRocksLog();
  db_.max_background_jobs = 4;
  db_.max_open_files = OpenFilesMax();
  db_.bytes_per_sync = 1 << 20;
  db_.avoid_unnecessary_blocking_io = true;
  db_.avoid_flush_during_shutdown = true;  // what passed by the log (RocksEngine::BeginLog) is nothing to keep
  // A keyspace that is written seldom would otherwise keep every log since its last flush.
  db_.max_total_wal_size = options.write_buffer_bytes;
  db_.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(options.write_buffer_bytes);

  block_cache_ = rocksdb::NewLRUCache(options.block_cache_bytes, kCacheShardBits);
  rocksdb::BlockBasedTableOptions table = TableOptions(block_cache_);

  meta_.write_buffer_size = kMetaMemtableBytes;
  meta_.arena_block_size = kArenaBlockBytes;
  meta_.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  changes_.write_buffer_size = kMemtableBytes;
  changes_.arena_block_size = kArenaBlockBytes;
  changes_.compression = rocksdb::kLZ4Compression;
  changes_.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  data_ = changes_;
  data_.memtable_prefix_bloom_size_ratio = kMemtableBloomRatio;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.whole_key_filtering = false;
  data_.table_properties_collector_factories = {rocksdb::NewCompactOnDeletionCollectorFactory(
      /*sliding_window_size=*/0, /*deletion_trigger=*/0, kDeletionsToCompact)};
  data_.prefix_extractor = std::make_shared<UserKeyTransform>();
  data_.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
}

}  // namespace anabranch
