// Internal to storage/: a write-ahead log that has its room before it is written to.
//
// A sync of a file that has grown writes the file's size, too: a second request to the disk, about as long as the first. So
// the log is followed by zeros, written ahead a stretch at a time, and most records go where the file has bytes already
// (what PostgreSQL and others reach by using old logs again, which RocksDB does not do under point-in-time recovery).
// RocksDB passes over zeros where a record would begin, and so does log_check.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "rocksdb/file_system.h"

namespace anabranch {

inline constexpr uint64_t kLogAheadBytes = 256 << 10;

bool IsLog(const std::string& path);

// Creates the log at `path` in `files`.
rocksdb::IOStatus NewLogFile(rocksdb::FileSystem* files, const std::string& path, const rocksdb::FileOptions& options,
                             std::unique_ptr<rocksdb::FSWritableFile>* result, rocksdb::IODebugContext* debug);

}  // namespace anabranch
