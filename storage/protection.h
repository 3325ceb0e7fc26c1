// Protected timestamps: history at or above one is not garbage collected. One record per (keyspace, holder), kept in `meta`
// under "protect/"; a collector takes the minimum (R11). A holder is a short text, e.g. "stream/8f3a..." or "failover".
#pragma once

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/api/keyspace.h"
#include "storage/api/store.h"

namespace anabranch {

// Records are written inside an UpdateMeta, so a protection appears and disappears atomically with what needs it.
void Protect(MetaUpdate& update, const IncarnationId& keyspace, std::string_view holder, Timestamp ts);
void Unprotect(MetaUpdate& update, const IncarnationId& keyspace, std::string_view holder);

// The oldest protected timestamp of the keyspace; nullopt if nothing is protected.
absl::StatusOr<std::optional<Timestamp>> OldestProtected(Store* store, const IncarnationId& keyspace);
absl::StatusOr<std::optional<Timestamp>> ProtectedBy(Store* store, const IncarnationId& keyspace, std::string_view holder);

}  // namespace anabranch
