// Internal to storage/: whether what a serializable transaction read has changed since.
//
// The work follows what others changed meanwhile, which may be an hour of all their commits. So the committer's own thread
// looks at what is visible already, and the writer thread only at what was published after that, up to a limit (R18): beyond
// it the committer is told to look again.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "storage/api/store.h"
#include "storage/rocks/keyspace.h"

namespace anabranch {

// Bytes of change index, or of keys written by the own group, that the writer thread looks at for one commit.
inline constexpr size_t kValidatedByWriterBytesMax = 256 << 10;
// How often a committer looks again before the commit fails, with 40001.
inline constexpr int kValidationsMax = 10;

absl::Status SerializationFailure();

// By the committer: what is visible now, with 40001 if something that was read is newer. What is left to the writer thread
// begins there: moves `request->validate_after`.
absl::Status ValidateVisible(Store* store, CommitRequest* request);

// Of the writer thread: the committer has to look again. Nothing took place.
absl::Status TooMuchToValidate();
bool IsTooMuchToValidate(const absl::Status& status);

}  // namespace anabranch
