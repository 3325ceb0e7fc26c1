// Row and descriptor locks of one keyspace, with deadlock detection. Locks are held until the group that commits them is
// published (R3).
//
// Waits form one graph, whose nodes are sessions (R17): what a transaction does in another of its own, as nextval does, waits
// as that transaction.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/types.h"

namespace anabranch {

enum class LockMode { kShared, kExclusive };

// Names a transaction in the lock table; unique while it lives.
using LockOwner = uint64_t;

// A moment in what one owner took: how many grants and upgrades came before it.
using LockMark = size_t;

inline constexpr std::chrono::milliseconds kNoLockTimeout{0};

// What the locks of one table may take, by kLockOverheadBytes and a key for each. The last part of it, one of kLockParts, is
// for sessions that hold no more than one of kLockFewParts of the whole: whoever locks much leaves room for all others.
inline constexpr size_t kLockBytesMax = 512 << 20;
inline constexpr size_t kLockOverheadBytes = 160;
inline constexpr size_t kLockParts = 8;
inline constexpr size_t kLockFewParts = 8192;
// One session may lock the rows of a transaction of kTransactionBytesMax, if they have this many bytes, their keys included.
inline constexpr size_t kLockedRowBytes = 32;
static_assert(kTransactionBytesMax / kLockedRowBytes * (kLockOverheadBytes + kLockedRowBytes) <=
              kLockBytesMax - kLockBytesMax / kLockParts);
static_assert(kLockOverheadBytes + kKeyBytesMax <= kLockBytesMax / kLockFewParts);
// Given back without letting others in between.
inline constexpr size_t kLocksReleasedAtOnce = 1000;

// Thread-safe.
class LockTable {
 public:
  static std::unique_ptr<LockTable> Create(size_t bytes_max = kLockBytesMax);
  virtual ~LockTable() = default;

  // Until ReleaseAll(inner), `inner` is part of `outer`, which waits for it: what the outer one holds is no obstacle to it,
  // and whoever waits for one of them waits for both. REQUIRES: `inner` holds nothing; what `outer` is part of, `inner` is.
  virtual void Nest(LockOwner inner, LockOwner outer) = 0;

  // Waits until granted, first come first served. Re-entrant; a holder of kShared that asks for kExclusive is upgraded.
  // 40P01, at once, for the request that would close a cycle of waiters; Cancelled when `stop` is requested; 55P03 after
  // having waited for `timeout`; 53200 if the locks would take more than they may, or more than is left to those who hold much.
  virtual absl::Status Lock(LockOwner owner, std::string_view key, LockMode mode, std::stop_token stop,
                            std::chrono::milliseconds timeout = kNoLockTimeout) = 0;
  // The same without waiting: false, and nothing is locked, where Lock would wait.
  virtual absl::StatusOr<bool> TryLock(LockOwner owner, std::string_view key, LockMode mode) = 0;
  virtual LockMark Mark(LockOwner owner) = 0;
  // Gives back what `owner` took since the mark: what it holds and how, is as it was then.
  virtual void ReleaseSince(LockOwner owner, LockMark mark) = 0;
  virtual void ReleaseAll(LockOwner owner) = 0;
  // The same, if it is little work. False: nothing is given back.
  virtual bool ReleaseFew(LockOwner owner) = 0;
  virtual size_t held_count() const = 0;     // for tests
  virtual size_t waiting_count() const = 0;  // for tests
};

}  // namespace anabranch
