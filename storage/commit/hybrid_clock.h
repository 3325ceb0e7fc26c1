// The store's hybrid logical clock under its durable ceiling (R1). Thread-safe; only the writer thread moves the ceiling.
#pragma once

#include <mutex>
#include <optional>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/timestamp.h"

namespace anabranch {

// Room kept under the ceiling for a clock that runs ahead of the wall and therefore counts by ones. Much smaller than the
// wall's lead, so that a store killed again and again does not drift ahead of the wall by the lead each time.
inline constexpr uint64_t kCeilingLogicalLeadNs = 10'000'000;

class HybridClock {
 public:
  // Begins at the ceiling that the last run left: everything up to it may have been shown.
  HybridClock(Clock* wall, Timestamp ceiling) : wall_(wall), last_(ceiling), ceiling_(ceiling) {}

  // A timestamp at or above all given so far, and at or below the ceiling.
  Timestamp Now();
  // A timestamp above all given so far; nullopt if that would pass the ceiling.
  std::optional<Timestamp> Next();
  // From now on at least `ts`. REQUIRES: ts is at or below the ceiling.
  void RaiseTo(Timestamp ts);

  // The last timestamp given. A clean stop puts the ceiling here.
  Timestamp last() const;
  Timestamp ceiling() const;
  bool CeilingIsNear() const;
  // Where to put the ceiling so that there is room above the present, and above `at_least`.
  Timestamp NextCeiling(Timestamp at_least) const;
  // REQUIRES: `ceiling` is durable.
  void SetCeiling(Timestamp ceiling);
  // True if `ts` is further ahead of both this clock and the wall than `limit_ns`.
  bool IsAhead(Timestamp ts, uint64_t limit_ns) const;
  // Of versions made elsewhere. 22023 if `ts` is ahead by more than kPeerClockAheadNsMax: versions take the clock along when
  // they are hidden or promoted (R2).
  absl::Status CheckVersion(Timestamp ts) const;

 private:
  Timestamp WallUnderCeiling(uint64_t wall_ns) const;  // REQUIRES: mutex_ held

  Clock* const wall_;
  mutable std::mutex mutex_;
  Timestamp last_;     // guarded by mutex_
  Timestamp ceiling_;  // guarded by mutex_
};

}  // namespace anabranch
