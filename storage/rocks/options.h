// Internal to storage/: how our column families are laid out in RocksDB. One set of options for creation, opening and
// import.
#pragma once

#include <memory>
#include <string>

#include "rocksdb/cache.h"
#include "rocksdb/env.h"
#include "rocksdb/options.h"
#include "storage/api/store.h"
#include "storage/rocks/files.h"

namespace anabranch {

enum class Family { kData, kChanges };

// "<incarnation>/data", "<incarnation>/changes".
std::string FamilyName(const IncarnationId& incarnation, Family family);

// Shares one block cache and one write buffer budget among all families.
class RocksOptions {
 public:
  // `base` (not owned) is where the files are.
  explicit RocksOptions(const StoreOptions& options, rocksdb::Env* base = rocksdb::Env::Default());

  const std::shared_ptr<StoreEnv>& env() const { return env_; }
  const std::shared_ptr<rocksdb::Cache>& block_cache() const { return block_cache_; }
  const rocksdb::DBOptions& db() const { return db_; }
  const rocksdb::ColumnFamilyOptions& meta() const { return meta_; }
  const rocksdb::ColumnFamilyOptions& family(Family family) const { return family == Family::kData ? data_ : changes_; }

 private:
  std::shared_ptr<StoreEnv> env_;
  std::shared_ptr<rocksdb::Cache> block_cache_;
  rocksdb::DBOptions db_;
  rocksdb::ColumnFamilyOptions meta_;
  rocksdb::ColumnFamilyOptions data_;
  rocksdb::ColumnFamilyOptions changes_;
};

}  // namespace anabranch
