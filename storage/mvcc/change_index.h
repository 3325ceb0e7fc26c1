// The change index: which keys changed when. It makes the cost of catch-up, undo, garbage collection and reports follow the
// change and never the data.
//
//   key    timestamp (8 B BE) | xxh3-128 of the key list (16 B)
//   value  repeated: length-prefixed user key, ascending
// A commit whose keys exceed kChangeEntryBytesMax is divided into several entries of its timestamp. Entries of one
// timestamp are read as a union, so parts of a commit that arrive twice or re-divided never overwrite each other.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/api/keyspace.h"
#include "storage/api/store.h"

namespace anabranch {

inline constexpr size_t kChangeEntryBytesMax = 256 << 10;

struct ChangeEntry {
  Timestamp timestamp;
  std::string encoded_key;  // the entry's key in `changes`, as Erase takes it
  std::vector<std::string> keys;
};

// Walks the entries with after < timestamp <= upto, ascending. With kVisible, entries inside hidden intervals are skipped;
// revert and sweep use kAll.
enum class ChangeFilter { kVisible, kAll };

class ChangeCursor {
 public:
  // 22023 if `after` is below the floor: entries may be missing (R8).
  static absl::StatusOr<std::unique_ptr<ChangeCursor>> Open(Store* store, KeyspaceRef keyspace, Timestamp after,
                                                            Timestamp upto, ChangeFilter filter);
  virtual ~ChangeCursor() = default;
  // False at the end. DataLoss for an entry that does not decode.
  virtual absl::StatusOr<bool> Next(ChangeEntry* entry) = 0;
  // The same for all entries of the next timestamp at once: the union of their keys, ascending, each once; encoded_key is
  // empty. For whoever counts versions: a stream's parts may overlap. Not to be mixed with Next.
  virtual absl::StatusOr<bool> NextTimestamp(ChangeEntry* entry) = 0;
};

// The versions behind an entry, exactly at its timestamp. DataLoss if the index names one that the data lacks (K1); 22023
// or 55000 if that is because the entry was garbage collected or undone since it was read.
absl::StatusOr<std::vector<Version>> ReadVersions(Store* store, const KeyspaceRef& keyspace, const ChangeEntry& entry);

// Encodes one commit's keys (ascending) as entries: (encoded key, encoded value).
std::vector<std::pair<std::string, std::string>> EncodeChange(Timestamp ts, const std::vector<std::string_view>& keys);
bool DecodeChange(std::string_view encoded_key, std::string_view encoded_value, ChangeEntry* entry);

}  // namespace anabranch
