// Internal to storage/: tells a write-ahead log that a power failure cut off from one that lost acknowledged writes, and
// leaves logs that RocksDB replays as far as they are whole.
//
// A power failure may leave any of what was not synced: a part of the last record, or a later record without an earlier one.
// To RocksDB the first is a record that does not check out, as is one in which a bit flipped; it has to treat them alike, and
// stopping there would silently lose what was acknowledged. The second it does not see at all where the earlier record ended
// at the edge of a block, or of a log: it passes over zeros and replays what comes after. So each record names the record
// before it, and the last one that was synced before it was written. Records that follow one another so are whole from the
// first on. Behind the first gap, one that names a record inside it as synced proves that something acknowledged was lost:
// that is reported (XX001). Without such a proof what stands there was never acknowledged, and is cut off, with all that
// comes after it. The clock's ceiling, written about once a second, is proof for all that was acknowledged before it.
//
// What is looked at behind a gap may be bytes that a user stored. So marks are signed (storage/rocks/log_key.h), and without
// its signature one counts as none.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "rocksdb/env.h"
#include "rocksdb/write_batch.h"
#include "storage/rocks/log_key.h"

namespace anabranch {

// A record: the number of its log, and the sequence after its last operation. Records ascend. Log 0: there is none.
struct LogPlace {
  uint64_t log = 0;
  uint64_t upto = 0;
  friend auto operator<=>(const LogPlace&, const LogPlace&) = default;
};

// What a record says of those that the same opening of the store wrote before it.
struct LogMark {
  // The logs of this opening begin with this number. Those before it are whole, or cut off where they are not: even if they
  // are still there, nothing is claimed of them.
  uint64_t first_log = 0;
  LogPlace before;
  LogPlace synced;  // the last that a sync covered; so did it all before that
  friend bool operator==(const LogMark&, const LogMark&) = default;
};

// REQUIRES: the batch is empty.
void PutLogMark(rocksdb::WriteBatch* batch, const LogMark& mark, const LogKey& key);
bool HasMark(const rocksdb::WriteBatch& batch, const LogMark& mark);
// LogPlace::upto of a batch that is in the log.
uint64_t SequenceAfter(const rocksdb::WriteBatch& batch);

// Reads every log of the folder, and cuts off what is not to be replayed. May be repeated. Returns a number above all logs
// and at or below any new one's: LogMark::first_log. No key: marks count without a signature, as earlier programs wrote
// them. REQUIRES: the database is not open.
absl::StatusOr<uint64_t> CheckLogs(rocksdb::Env* env, const std::string& dir, const std::optional<LogKey>& key);

}  // namespace anabranch
