// Internal to storage/: tells a write-ahead log that a power failure cut off from one that lost acknowledged writes.
//
// To RocksDB both are records that do not check out, and it has to treat them alike. Stopping at the first of them silently
// loses what was acknowledged when a bit flipped; refusing to open would refuse a store whose last, unacknowledged group
// was written half. So each record says how far the log was synced before it was written. A damaged record that a later one
// proves to have been synced is reported (XX001); without such a proof it is the torn end of the log, and RocksDB may stop
// there. The clock's ceiling, written about once a second, is proof for all that was acknowledged before it.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "rocksdb/env.h"
#include "rocksdb/write_batch.h"

namespace anabranch {

// What a record claims: whatever the store wrote since it opened, up to `sequence`, is synced. The logs that it wrote
// begin with the number `first_log`: of older logs nothing is claimed, opening has dealt with those, even if they are still
// there.
struct SyncedMark {
  uint64_t first_log = 0;
  uint64_t sequence = 0;
};

// REQUIRES: the batch is empty.
void PutSyncedMark(rocksdb::WriteBatch* batch, const SyncedMark& mark);

// Reads every log of the folder. A log that ends within a record, before one that holds none, is cut off where that record
// begins: programs before log_file.h cut them left such stores behind on full disks, where RocksDB would see families ahead
// of a log that lost something. Returns a number above all logs and at or below any new one's: SyncedMark::first_log.
// REQUIRES: the database is not open.
absl::StatusOr<uint64_t> CheckLogs(rocksdb::Env* env, const std::string& dir);

}  // namespace anabranch
