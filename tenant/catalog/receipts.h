// Receipts of failovers: one for each, written in the meta write that publishes it, so there is none without the other.
// SHOW FAILOVERS lists them. The last kReceiptsKept stay, over restarts and over the drop of their virtual cluster.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "storage/api/store.h"
#include "tenant/catalog/catalog.pb.h"

namespace anabranch {

inline constexpr uint64_t kReceiptsKept = 1'000;

// Adds it under the next number, which is returned, and removes the one that is kReceiptsKept older: after every
// ChangeReceipt of the same update, which could write that one again.
absl::StatusOr<uint64_t> AddReceipt(MetaUpdate& update, catalog::FailoverReceipt receipt);
absl::StatusOr<std::vector<catalog::FailoverReceipt>> LoadReceipts(Store* store);  // in the order of their numbers
// In an update. Does nothing if it is not kept any more.
absl::Status ChangeReceipt(MetaUpdate& update, uint64_t number,
                           const std::function<void(catalog::FailoverReceipt&)>& change);

// What is learned of a failover after its publication. Only for display: a failure is logged. Of a virtual cluster whose
// last failover is complete already, or can still be undone and so is not swept, they change nothing.
void NotePublication(Store* store, uint64_t number, uint64_t publish_ns);
void NoteSweepBegun(Store* store, TenantId tenant, uint64_t versions);
void NoteSwept(Store* store, TenantId tenant);

}  // namespace anabranch
