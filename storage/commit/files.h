// Internal to storage/: a large commit as sorted files, one per family, which both families adopt at once. It passes by the
// log and the memtables: nothing is written twice.
//
// Its keyspace is held (storage/api/store.h). Write is the committer's, Adopt the writer thread's.
#pragma once

#include <string>

#include "rocksdb/status.h"
#include "storage/api/write_list.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {

class CommitFiles {
 public:
  // Filters make sense for keys that are looked up one by one.
  enum class Filters { kNone, kAsFamily };
  CommitFiles(RocksEngine* engine, const RocksKeyspace* keyspace, Timestamp ts, Filters filters);
  ~CommitFiles();  // removes the files that were not adopted; after a crash the next start does
  CommitFiles(const CommitFiles&) = delete;
  CommitFiles& operator=(const CommitFiles&) = delete;

  // Writes and syncs the files, and flushes what `data` has in memory: RocksDB would do that when it adopts a file over it,
  // and nobody could write meanwhile. On an error the database knows nothing of them.
  rocksdb::Status Write(const WriteList& writes);
  // Both files are in the database, durably, or neither is.
  rocksdb::Status Adopt();
  uint64_t entries() const { return entries_; }

 private:
  RocksEngine* const engine_;
  const RocksKeyspace* const keyspace_;
  const Timestamp timestamp_;
  const Filters filters_;
  const std::string data_path_;
  const std::string changes_path_;
  uint64_t entries_ = 0;
};

}  // namespace anabranch
