// What the rows of storage_bench are measured in: a store of ours and a bare RocksDB with the same options.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/check.h"
#include "base/random.h"
#include "rocksdb/db.h"
#include "storage/api/store.h"
#include "storage/rocks/options.h"

namespace anabranch {

inline constexpr size_t kBenchKeyBytes = 30;
inline constexpr size_t kBenchValueBytes = 100;

struct Sizes {
  int pairs = 0;
  uint64_t keys = 0;          // of a filled keyspace
  uint64_t gets = 0;          // per run
  uint64_t changes = 0;       // versions per run of what works on changes
  double commit_seconds = 0;  // what a commit run is sized for
  uint64_t index_bytes = 0;   // written to change indexes for the write amplification
};

inline void CheckOk(const absl::Status& status) { CHECK(status.ok(), status.ToString().c_str()); }
inline void CheckOk(const rocksdb::Status& status) { CHECK(status.ok(), status.ToString().c_str()); }
template <typename T>
T Take(absl::StatusOr<T> value) {
  CheckOk(value.status());
  return *std::move(value);
}

// What one call of World::Change wrote.
struct Change {
  Timestamp after;
  Timestamp upto;
  std::vector<std::string> encoded_keys;  // of the versions, ascending
};

// Both databases, in a temporary folder, for the life of the program. REQUIRES: no reference to a keyspace outlives it.
class World {
 public:
  World();
  ~World();

  Store* store() { return store_.get(); }
  rocksdb::DB* raw() { return raw_.get(); }
  rocksdb::ColumnFamilyHandle* raw_data() { return handles_[1]; }
  rocksdb::ColumnFamilyHandle* raw_changes() { return handles_[2]; }
  const RocksOptions& raw_options() const { return *raw_options_; }
  const std::string& dir() const { return dir_; }
  anabranch::Random* random() { return &random_; }
  uint64_t Random() { return random_.Next(); }

  static std::string Key(uint64_t id);
  // Half of it compresses, as rows do.
  std::string Value();

  KeyspaceRef NewKeyspace();
  // sizes.keys keys of one version each, flushed and compacted. One keyspace per name, made when it is first asked for.
  KeyspaceRef Filled(const std::string& name, const Sizes& sizes);
  Timestamp Commit(const KeyspaceRef& keyspace, const WriteSet& writes);
  // Updates sizes.changes keys of a filled keyspace, 100 random ones in each transaction.
  anabranch::Change Change(const KeyspaceRef& keyspace, const Sizes& sizes);

 private:
  anabranch::Random random_{1};
  const std::string dir_;
  std::unique_ptr<Store> store_;
  std::optional<RocksOptions> raw_options_;  // owns the environment that raw_ works in
  std::unique_ptr<rocksdb::DB> raw_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::map<std::string, KeyspaceRef> filled_;
};

// --- The rows. Each registers its own; `world` outlives the run. ---
void AddCommitRows(World& world, const Sizes& sizes, bool quick);  // commits, cost of the change index
void AddReadRows(World& world, const Sizes& sizes);                // get, scan, fingerprint
void AddChangeRows(World& world, const Sizes& sizes);              // catch-up, undo, garbage collection
void AddTransferRows(World& world, const Sizes& sizes);            // export, import, clone, drop
void AddAmplificationRow(World& world, const Sizes& sizes);        // bytes RocksDB writes for the change index

}  // namespace anabranch
