// Internal to storage/: the snapshots at which a keyspace is read by who follows its frontier (TransactionContext::follows).
// Garbage collection leaves what they see, for as long as kSnapshotPinNsMax: after that a snapshot counts no more, and who
// reads at it is refused once the floor has passed it. Those who read a primary have `gc.ttlseconds`, and nothing else.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>

#include "base/timestamp.h"

namespace anabranch {

inline constexpr uint64_t kSnapshotPinNsMax = 24ull * 3600 * 1'000'000'000;

// Thread-safe. There is one for each open transaction at most.
class SnapshotPins {
 public:
  using Pin = std::multimap<Timestamp, uint64_t>::const_iterator;

  // `now_ns` is monotonic. The caller checks the floor after it: what is collected already was not kept for it.
  Pin Add(Timestamp at, uint64_t now_ns) {
    std::lock_guard lock(mutex_);
    return pins_.emplace(at, now_ns);
  }
  void Remove(Pin pin) {
    std::lock_guard lock(mutex_);
    pins_.erase(pin);
  }
  // The oldest that counts; kTimestampMax: there is none.
  Timestamp Oldest(uint64_t now_ns) const {
    std::lock_guard lock(mutex_);
    const auto oldest = std::find_if(pins_.begin(), pins_.end(),
                                     [now_ns](const auto& pin) { return now_ns <= pin.second + kSnapshotPinNsMax; });
    return oldest == pins_.end() ? kTimestampMax : oldest->first;
  }

 private:
  mutable std::mutex mutex_;
  std::multimap<Timestamp, uint64_t> pins_;  // guarded by mutex_; when each was made
};

}  // namespace anabranch
