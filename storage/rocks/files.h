// Internal to storage/: the file system under RocksDB and what we do with files ourselves. Everything goes through the
// store's Env, so tests can put a failing one there.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "rocksdb/env.h"

namespace anabranch {

// `base` (not owned) with some differences.
// Links are durable when they are made: adopting a file records it, synced, in the manifest without syncing the folder that
// now names it. A power failure right after left a manifest that names a file which is not there, and with it a store that
// does not open.
// Once a manifest could not be written or synced, no table is removed until there is another: RocksDB removes what it could
// not name in it, but it may be named all the same, and then the store would not open for want of it. Nor while another
// becomes current: until the folder is synced, a power failure brings the former one back.
// Write-ahead logs have room ahead and end with a whole record, and a failed sync of a folder is as final as one of a log
// (storage/rocks/log_file.h).
// A quota that is used up is a full disk.
class StoreEnv final : public rocksdb::EnvWrapper {
 public:
  explicit StoreEnv(rocksdb::Env* base);

  // The number of the log that was written to last; 0: none was.
  uint64_t last_log() const { return *last_log_; }

 private:
  using LastLog = std::shared_ptr<std::atomic<uint64_t>>;
  StoreEnv(rocksdb::Env* base, LastLog last_log);

  const LastLog last_log_;
};

// What is written to the file, by whomever, is on disk.
absl::Status SyncFile(rocksdb::Env* env, const std::string& path);

std::string FolderOf(const std::string& path);

// Of files that are being made, in the store's folder `dir`; every open empties it.
std::string ScratchRoot(const std::string& dir);

// The names in the folder are on disk.
absl::Status SyncFolder(rocksdb::Env* env, const std::string& folder);

// Removes a folder and what is in it. A path that is not there is fine.
absl::Status RemoveTree(rocksdb::Env* env, const std::string& path);

}  // namespace anabranch
