// Internal to storage/: a write-ahead log that has its room before it is written to, and that ends with a whole record
// whatever a full disk leaves of one.
//
// A sync of a file that has grown writes the file's size, too: a second request to the disk, about as long as the first. So
// the log is followed by zeros, written ahead a stretch at a time, and most records go where the file has bytes already
// (what PostgreSQL and others reach by using old logs again, which RocksDB does not do under point-in-time recovery).
// RocksDB passes over zeros where a record would begin, and so does log_check.h.
//
// A disk that fills up in the middle of a record leaves a part of it. At the end of the last log that is no harm: opening
// the store stops there. But once a family is flushed into a newer log, the part stands before data that are not in the
// logs any more, and RocksDB, which has to take it for lost writes, never opens the store again ("SST file is ahead of
// WALs"); a record left whole would be replayed into those families alone that were not flushed. Hence:
// * What a log had no room for is refused as a whole: Busy, the one error of a log after which RocksDB goes on as if there
//   had been no write. The log takes nothing more; its writer begins a new one (RocksEngine::BeginLog).
// * No refused log is synced before the part is cut off. RocksDB syncs all older logs before it flushes any family, so
//   nothing passes the part, whoever flushes.
// * A log that cannot be created for lack of space is created by its first record, which can be refused: to RocksDB the
//   failed creation of a log is fatal, and it takes nothing more before a restart.
// * A failed sync is final, NoSpace too: what the disk holds is not known then, and a second sync, of pages that the system
//   has given up, would say that all is well. Only a restart finds out.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "rocksdb/file_system.h"

namespace anabranch {

inline constexpr uint64_t kLogAheadBytes = 256 << 10;
// With less free than that, no room is made: it would be taken from the records, and the tables, that the disk is left for.
inline constexpr uint64_t kLogAheadFreeBytes = 4 * kLogAheadBytes;

bool IsLog(const std::string& path);

// Creates the log at `path` in `files`, which outlives it. On a full disk the file may not be there yet. What is written to
// the log puts its number into `last_written`, which outlives it, too.
rocksdb::IOStatus NewLogFile(rocksdb::FileSystem* files, const std::string& path, const rocksdb::FileOptions& options,
                             std::atomic<uint64_t>* last_written, std::unique_ptr<rocksdb::FSWritableFile>* result,
                             rocksdb::IODebugContext* debug);

}  // namespace anabranch
