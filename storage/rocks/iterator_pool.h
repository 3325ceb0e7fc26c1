// Internal to storage/: point iterators at rest, so that a look-up of one key need not build one over every level and throw
// it away again, which cost about as much as its seek.
//
// An iterator keeps the memtables and files alive that were there when it was made. So those at rest go as soon as a flush
// or a compaction has replaced them, and one that was in use meanwhile goes when it is given back.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "rocksdb/iterator.h"
#include "rocksdb/listener.h"

namespace anabranch {

class IteratorPool final : public rocksdb::EventListener {
 public:
  static constexpr size_t kAtRestMax = 64;  // iterators of one family

  // Thread-safe, all of it. `family`: the id of a column family, whose iterators are all made with the same options.

  // One that shows what is in the family now; null if none is at rest: the caller makes one, after this call.
  std::unique_ptr<rocksdb::Iterator> Take(uint32_t family, uint64_t* generation);
  // `generation`: as it was taken with.
  void Give(uint32_t family, std::unique_ptr<rocksdb::Iterator> iterator, uint64_t generation);
  void Drop(uint32_t family);
  void Clear();

  void OnFlushCompleted(rocksdb::DB* db, const rocksdb::FlushJobInfo& job) override;
  void OnCompactionCompleted(rocksdb::DB* db, const rocksdb::CompactionJobInfo& job) override;

 private:
  std::mutex mutex_;
  uint64_t generation_ = 0;  // counts flushes and compactions; guarded by mutex_
  std::map<uint32_t, std::vector<std::unique_ptr<rocksdb::Iterator>>> at_rest_;  // guarded by mutex_
};

}  // namespace anabranch
