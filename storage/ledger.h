// A ledger: what a failback is about to undo, in a file outside the keyspace, synced before the first version goes, so that
// undone writes never vanish without a trace (R11). docs/formats.md has the bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/keyspace.h"
#include "storage/api/store.h"

namespace anabranch {

struct LedgerSize {
  uint64_t versions = 0;
  uint64_t bytes = 0;
};

// Copies every version that EraseRange(after, upto) would delete to a new file at `path`, synced, in the order of their
// timestamps. Makes the file's folder if the one above is there. No versions: no file. 53400 if it would be larger than
// `bytes_max`, which leaves none.
absl::StatusOr<LedgerSize> WriteLedger(Store* store, const KeyspaceRef& keyspace, Timestamp after, Timestamp upto,
                                       const std::string& path, uint64_t bytes_max = UINT64_MAX);

// Its versions, in the order of their timestamps. DataLoss for a file that is damaged or not whole.
absl::StatusOr<std::vector<Version>> ReadLedger(Store* store, const std::string& path);

// The same one after the other, whatever its size. Used by one thread.
class LedgerReader {
 public:
  static absl::StatusOr<std::unique_ptr<LedgerReader>> Open(Store* store, const std::string& path);
  virtual ~LedgerReader() = default;

  // False at the end.
  virtual absl::StatusOr<bool> Next(Version* version) = 0;
  // Where the version is that Next gave last.
  virtual uint64_t position() const = 0;
  // A version again. Does not change what Next gives.
  virtual absl::StatusOr<Version> At(uint64_t position) = 0;
};

}  // namespace anabranch
