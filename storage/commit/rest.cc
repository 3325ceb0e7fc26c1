#include "storage/commit/rest.h"

#include <utility>

#include "base/log.h"

namespace anabranch {

Rest::Rest(RocksEngine* engine, const RocksOptions* options, std::function<std::vector<KeyspaceRef>()> keyspaces)
    : engine_(engine), options_(options), keyspaces_(std::move(keyspaces)) {}

void Rest::Look(uint64_t monotonic_ns) {
  if (period_began_ns_ != 0 && monotonic_ns - period_began_ns_ < kPeriodNs) return;
  const uint64_t operations = Operations();
  if (period_began_ns_ != 0 && operations - operations_before_ < kOperations) GiveBack();
  period_began_ns_ = monotonic_ns;
  operations_before_ = operations;
}

uint64_t Rest::Operations() const {
  const OperationCounts counts = engine_->counter.Read();
  return counts.iterator_steps + counts.puts;
}

void Rest::GiveBack() {
  engine_->point_iterators->Clear();
  engine_->recent.DropVersions();
  rocksdb::FlushOptions in_background;
  in_background.wait = false;
  in_background.allow_write_stall = true;  // without it a flush waits until nothing would stall
  for (const KeyspaceRef& keyspace : keyspaces_()) {
    for (rocksdb::ColumnFamilyHandle* family : {AsRocks(*keyspace).data(), AsRocks(*keyspace).changes()}) {
      uint64_t bytes = 0;
      engine_->db->GetIntProperty(family, rocksdb::DB::Properties::kCurSizeActiveMemTable, &bytes);
      if (bytes < kMemtableBytes) continue;
      // A family may just be dropped, a disk full: then nothing is lost, and the next period tries again.
      const rocksdb::Status status = engine_->db->Flush(in_background, family);
      if (!status.ok())
        Log(LogLevel::kInfo, "store.not_flushed", "family={} error=\"{}\"", family->GetName(), status.ToString());
    }
  }
  rocksdb::Cache& cache = *options_->block_cache();
  const size_t capacity = cache.GetCapacity();
  cache.SetCapacity(kCacheBytes);
  cache.SetCapacity(capacity);
}

}  // namespace anabranch
