// A keyspace: all versions of all keys of one virtual cluster, as it stands on this node.
//
// On disk it is two column families named after a random incarnation id (docs/formats.md has a worked example):
//   <incarnation>/data     escaped user key | ~timestamp (8 B BE)      -> kind byte | value
//   <incarnation>/changes  timestamp (8 B BE) | 128-bit hash of keys   -> the user keys that commit touched
// Both are written in one WriteBatch. A version is written once; writing it again writes the same bytes.
//
// Invariants
// (K1) Every version above the floor has an entry in `changes`, and every key an entry names has that version (R8).
// (K2) One owner epoch: a write that carries another epoch than the keyspace's is refused on the writer thread (R4).
// (K3) Versions inside a hidden interval exist for no reader: get, scan, change cursor, fingerprint (R7).
// (K4) frontier never goes back while the keyspace is under ingestion.
//
// Threads: all methods may be called from any thread. State changes only on the store's writer thread, after the change is
// durable. A KeyspaceRef keeps the column families' handles alive; dropping the keyspace makes later writes fail and frees
// the files when the last reference goes (R12).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "storage/api/types.h"

namespace anabranch {

class Keyspace;
using KeyspaceRef = std::shared_ptr<Keyspace>;

// What `meta` keeps of a keyspace, as of one moment.
struct KeyspaceState {
  Epoch epoch;
  bool published = false;  // false: the keyspace is being built (import, clone), and the next start drops it
  bool dropping = false;
  bool ingesting = false;  // the keyspace resolves at `frontier` instead of the store's visible timestamp (R2)
  Timestamp floor;         // reads below the floor are refused; deletions happen only below it (R8)
  Timestamp frontier;  // under ingestion, the keyspace is complete and durable up to here; zero before the first checkpoint
  Timestamp newest;    // of the newest version present, hidden or not; zero if there is none
  // Not on disk. The system tables' versions are all at or below it; it may be above the newest of them.
  Timestamp system_newest;
  // Not on disk. How often something at or below `frontier` was taken back: hidden, or about to be undone; or those who
  // read there (TransactionContext::follows) were ended otherwise. Who meets another number than it began with may have read
  // what is no longer.
  uint64_t rewinds = 0;
  // Not on disk. A large commit is on its way, above this: the keyspace resolves here.
  std::optional<Timestamp> held_at;
  std::vector<HiddenInterval> hidden;

  // The interval that hides versions of this timestamp; null: none does.
  const HiddenInterval* HiddenAround(Timestamp ts) const {
    for (const HiddenInterval& interval : hidden) {
      if (interval.Contains(ts)) return &interval;
    }
    return nullptr;
  }
  bool IsHidden(Timestamp ts) const { return HiddenAround(ts) != nullptr; }
};

class Keyspace {
 public:
  virtual ~Keyspace() = default;

  virtual const IncarnationId& incarnation() const = 0;
  // A consistent copy of the state; immutable, shared.
  virtual std::shared_ptr<const KeyspaceState> state() const = 0;
};

// The error of a write whose epoch no longer owns the keyspace, or whose keyspace is being dropped (R4, R12): 55000.
// Whoever gets it has lost the keyspace and must stop, not retry.
absl::Status FencedError(std::string message);
bool IsFenced(const absl::Status& status);

}  // namespace anabranch
