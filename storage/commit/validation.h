// Internal to storage/: whether what a serializable transaction read has changed since.
//
// The work follows what others changed meanwhile, which may be an hour of all their commits. So the committer's own thread
// looks at what is visible already, and the writer thread only at what was published after that, up to a limit (R18): beyond
// it the committer is told to look again. The limit grows with its looks, else one whose looks take long would never commit
// behind those who write much.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "storage/api/store.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {

// Bytes of change index, or of keys written by the own group, that the writer thread looks at for one commit, after the
// committer has looked so often. Values are not read, and do not count.
inline constexpr size_t kValidatedByWriterBytesMax = 256 << 10;
inline constexpr size_t ValidatedByWriterBytesMax(int validations) {
  return kValidatedByWriterBytesMax << (validations > 0 ? validations - 1 : 0);
}
// Of a key of the own group, besides its bytes.
inline constexpr size_t kValidatedKeyOverheadBytes = 16;
// How often a committer looks again before the commit fails, with 40001.
inline constexpr int kValidationsMax = 10;

absl::Status SerializationFailure();

// By the committer: what is visible now, with 40001 if something that was read is newer. What is left to the writer thread
// begins there: moves `request->validate_after`, and counts in `request->validations`. Cancelled when `request->stop` is
// requested.
absl::Status ValidateVisible(Store* store, CommitRequest* request);

// Of the writer thread: the committer has to look again. Nothing took place.
absl::Status TooMuchToValidate();
bool IsTooMuchToValidate(const absl::Status& status);

}  // namespace anabranch
