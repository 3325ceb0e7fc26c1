// Lost writes: what failbacks discarded, as SHOW LOST WRITES lists it.
//
// A failback copies what it is about to undo to a ledger, a file of its own (storage/ledger.h). The write that journals the
// failback also makes a LedgerRecord, and protects the history at P, so that for as long as the ledger is kept it can be
// said what each write had replaced and what the tables looked like then. Both go when the retention of the failback has
// passed, or with the virtual cluster; or earlier, the oldest first, when all ledgers of the node take more room than
// `physical_replication.failback.lost_writes_bytes_max`: then the record stays and says so. A failback whose own ledger
// would be larger than that is refused before anything changes.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/store.h"
#include "storage/ledger.h"
#include "tenant/catalog/catalog.h"
#include "tenant/replication/lost_write_visitor.h"

namespace anabranch {

// --- Keeping them ---
// In the write that journals a failback.
void AddLedger(MetaUpdate& update, const IncarnationId& keyspace, const catalog::LedgerRecord& record);
// For a failback that was taken back; and the last step of a drop.
void DeleteLedger(MetaUpdate& update, const IncarnationId& keyspace, const catalog::LedgerRecord& record);
absl::StatusOr<std::vector<catalog::LedgerRecord>> LoadLedgers(Store* store, TenantId tenant);  // the oldest first
// Removes those whose time is over, and of the others the oldest beyond `bytes_max`, but never the newest.
absl::Status TrimLedgers(Store* store, uint64_t bytes_max);
// Removes the files of failbacks that were never journaled. REQUIRES: none is being prepared.
absl::Status RemoveStrayLedgers(Store* store);

// --- Reading them ---
// 55000 while a failback is undoing. Memory: 64 bytes or so for each key that was written.
absl::Status VisitLostWrites(Store* store, const catalog::TenantRecord& record, const LostWriteVisitor& visitor,
                             std::stop_token stop);

}  // namespace anabranch
