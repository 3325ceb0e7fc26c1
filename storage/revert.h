// Physical undo through the change index: failback's revert and the sweeper's clean-up of a hidden interval are the same
// work. Cost follows the number of versions undone, memory is bounded by kEraseVersionsMax, and a crash anywhere is
// repaired by running it again: an entry of the index goes in the same batch as the versions it names.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/keyspace.h"
#include "storage/api/pacer.h"
#include "storage/api/store.h"

namespace anabranch {

inline constexpr size_t kEraseVersionsMax =
    50'000;  // a batch is sorted by key before deletion (3x faster than in time order)

struct EraseProgress {
  uint64_t versions = 0;
  uint64_t entries = 0;
};

// Deletes every version with after < timestamp <= upto, hidden or not, and their index entries, then syncs. `on_batch` (may
// be null) is called after each batch with totals so far. Cancelled when `stop` is requested; fenced (55000) when the epoch
// no longer owns the keyspace. REQUIRES: nobody reads above `after` (state not ready, or the range is hidden).
absl::StatusOr<EraseProgress> EraseRange(Store* store, const KeyspaceRef& keyspace, Epoch epoch, Timestamp after,
                                         Timestamp upto, std::stop_token stop,
                                         const std::function<void(const EraseProgress&)>& on_batch,
                                         Pacing pacing = Pacing::kFull);

// What EraseRange(after, upto) has before it: a walk through the index, no version is read.
absl::StatusOr<EraseProgress> CountRange(Store* store, const KeyspaceRef& keyspace, Timestamp after, Timestamp upto,
                                         std::stop_token stop);

// Erases and retires the keyspace's hidden intervals one after the other. The sweeper of one keyspace.
absl::StatusOr<EraseProgress> SweepHidden(Store* store, const KeyspaceRef& keyspace, Epoch epoch, std::stop_token stop,
                                          const std::function<void(const EraseProgress&)>& on_batch,
                                          Pacing pacing = Pacing::kFull);

}  // namespace anabranch
