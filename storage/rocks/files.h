// Internal to storage/: the file system under RocksDB and what we do with files ourselves. Everything goes through the
// store's Env, so tests can put a failing one there.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "rocksdb/env.h"

namespace anabranch {

// `base` (not owned) with three differences.
// Links are durable when they are made: adopting a file records it, synced, in the manifest without syncing the folder that
// now names it. A power failure right after left a manifest that names a file which is not there, and with it a store that
// does not open.
// Write-ahead logs have room ahead and end with a whole record, and a failed sync of a folder is as final as one of a log
// (storage/rocks/log_file.h).
std::shared_ptr<rocksdb::Env> MakeStoreEnv(rocksdb::Env* base);

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
