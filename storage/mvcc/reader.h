// The room of versions: reading at a time, the change index, locks and transactions over them. It uses storage/rocks/ and
// writes nothing.
//
// Reads of a keyspace at one timestamp. Every exit of data goes through here or through change_index.h, and both apply the
// hidden intervals (R7). Transactions first ask recent_versions.h, which holds nothing from before the intervals changed.
//
// A reader is cheap (no RocksDB snapshot: versions at or below a resolved timestamp never change except below the floor).
// It opens its iterators first and checks timestamp >= floor after (R8). Used by one thread; holds a KeyspaceRef.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/api/keyspace.h"
#include "storage/api/store.h"

namespace anabranch {

// A forward scan: one entry per live key, in key order. Views stay valid until the next call.
class MvccScan {
 public:
  virtual ~MvccScan() = default;
  // False at the end of the span. An error ends the scan.
  virtual absl::StatusOr<bool> Next() = 0;
  virtual std::string_view key() const = 0;  // user key
  virtual std::string_view value() const = 0;
  virtual Timestamp timestamp() const = 0;  // of the version read
};

// A scan that could not begin: Next returns `status`.
std::unique_ptr<MvccScan> FailedScan(absl::Status status);

// 22023: nothing can be read at `at` yet.
absl::Status NotComplete(Timestamp at, Timestamp upto);

struct ReadVersion {
  std::string value;
  Timestamp timestamp;
};

class MvccReader {
 public:
  // 22023 if `at` is above what the keyspace has resolved, or below its floor. REQUIRES: store outlives the reader.
  static absl::StatusOr<std::unique_ptr<MvccReader>> Open(Store* store, KeyspaceRef keyspace, Timestamp at);

  virtual ~MvccReader() = default;
  virtual Timestamp at() const = 0;
  // nullopt: no live version at `at`.
  virtual absl::StatusOr<std::optional<ReadVersion>> Get(std::string_view key) = 0;
  // The newest version at or below `at`, tombstones included. What a writer reads after locking.
  virtual absl::StatusOr<std::optional<Version>> GetVersion(std::string_view key) = 0;
  // Its timestamp alone: what a writer compares with what it read before. Zero: none.
  virtual absl::StatusOr<Timestamp> NewestTimestamp(std::string_view key) = 0;
  virtual std::unique_ptr<MvccScan> Scan(const Span& span) = 0;
};

// --- Key encoding of `data`. 0x00 in a user key becomes 00 FF; 00 01 ends it; then the inverted timestamp. ---
std::string EncodeKeyPrefix(std::string_view user_key);
std::string EncodeVersionKey(std::string_view user_key, Timestamp ts);
void AppendVersionKey(std::string* out, std::string_view user_key, Timestamp ts);
// False if malformed. *user_key is overwritten.
bool DecodeVersionKey(std::string_view encoded, std::string* user_key, Timestamp* ts);

}  // namespace anabranch
