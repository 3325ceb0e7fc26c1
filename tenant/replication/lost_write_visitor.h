// How lost writes are read: see tenant/replication/lost_writes.h.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/timestamp.h"
#include "storage/api/types.h"

namespace anabranch {

// What one failback discarded.
struct DiscardedWrites {
  Timestamp point;         // everything after it
  Timestamp discarded_at;  // by this node's clock
  uint64_t versions = 0;
  enum class Removed { kNo, kForRoom, kByReset };
  Removed removed = Removed::kNo;  // they cannot be listed any more
};

// Called for one failback after the other, the oldest first.
struct LostWriteVisitor {
  // Its writes follow, unless they were removed.
  std::function<absl::Status(const DiscardedWrites&)> failback;
  // The system tables (storage/api/types.h, kSystemKeysEnd): as they were at its point, then every version that was discarded,
  // before any other write.
  std::function<absl::Status(const Version&)> schema;
  // Every other version that was discarded, by time. What stood there before it; nullopt: nothing.
  std::function<absl::Status(const Version&, const std::optional<std::string>& old_value)> write;
};

}  // namespace anabranch
