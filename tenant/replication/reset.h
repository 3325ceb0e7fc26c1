// RESET DATA TO SYSTEM TIME: takes a `ready` virtual cluster back to a past moment, as a failover to that moment would have
// left it.
//
// It is a change of history that is not an append (R10), so it mints a branch, and no connection may stream across it. The
// caller closes the outgoing streams first, publishes second, and lets them in again third: a subscription that was
// half-way through the change index would miss what has just been hidden, and still send a checkpoint above it. From then
// on each standby is judged by lineage when it connects: one that holds nothing above the moment follows the new branch, one
// that does is refused and can fail back.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/timestamp.h"
#include "storage/api/store.h"
#include "tenant/catalog/catalog.h"

namespace anabranch {

// 55000 unless it is ready and serves nobody; 22023, naming the window, for a moment that is not retained or has not been.
// `visible` is the newest moment there is. Pure.
absl::Status JudgeReset(const catalog::TenantRecord& record, const KeyspaceState& state, Timestamp visible,
                        Timestamp target);

// Resets in one meta write, judged inside it: the epoch is bumped, everything above the target is hidden, a new branch begins
// there, and the target is protected for as long as a standby may want to fail back to it. A failover that could be undone no
// longer can, the reader that it left goes, and so do ledgers from above the target (tenant/replication/lost_writes.h). SHOW
// FAILOVERS has a receipt of it. The number of store operations does not depend on what lies above. REQUIRES: statements on
// this virtual cluster are serialized.
struct PublishedReset {
  KeyspaceRef keyspace;        // its hidden intervals are to be swept, and what is journaled is to be said
  TenantId ended_reader = {};  // which showed the virtual cluster as it was promoted; zero: there was none
};
absl::StatusOr<PublishedReset> PublishReset(Store* store, TenantId tenant, Timestamp target, const std::string& user);

}  // namespace anabranch
