// Garbage collection through the change index: below the floor only the newest version of each key is kept, and that only
// if it is not a tombstone. Cost follows what changed since the last run and never the data.
//
// A run raises the floor, synced (R8), then reads the entries of `changes` up to it in order. For each key that an entry
// names as changed at t, the newest version at or below the floor is looked up. If it is the one of t, everything older
// goes and, if it is a tombstone, itself no earlier than the last of them (R6); if it is a later one, that one's entry does
// the work. So each version is walked over once, however often its key changed.
//
// How far it came is recorded in the batch of the deletions, so a run that died goes on there. Entries that were worked off
// are not deleted one by one, nor with a range tombstone: either would make the ever-growing index be rewritten. Whole
// files of them are dropped at the end, and what is left in the file at the boundary lies below the floor, where nobody
// reads.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>

#include "absl/status/statusor.h"
#include "storage/api/keyspace.h"
#include "storage/api/pacer.h"
#include "storage/api/store.h"

namespace anabranch {

inline constexpr uint64_t kGcTtlSecondsDefault = 14'400;  // gc.ttlseconds
inline constexpr size_t kGcBatchVersions = kPacedVersionsMax;

struct GcProgress {
  Timestamp floor;        // history from here on is kept
  uint64_t entries = 0;   // entries of the change index that were worked off
  uint64_t versions = 0;  // versions that were deleted
};

// Collects what was superseded `ttl_ns` or longer before the keyspace's resolved timestamp, as far as protections, hidden
// intervals and the snapshots of readers allow (R6, R11; storage/rocks/snapshot_pins.h). `on_batch` (may be null) is called after each batch with totals of this run. Memory is
// bounded by a batch and one entry. Cancelled when `stop` is requested, fenced (55000) when `epoch` no longer owns the
// keyspace; the next run continues. REQUIRES: one run per keyspace at a time.
absl::StatusOr<GcProgress> CollectGarbage(Store* store, const KeyspaceRef& keyspace, Epoch epoch, uint64_t ttl_ns,
                                          Pacing pacing, std::stop_token stop,
                                          const std::function<void(const GcProgress&)>& on_batch);

}  // namespace anabranch
