// Lost writes: what failbacks discarded, as SHOW LOST WRITES lists it.
//
// A failback copies what it is about to undo to a ledger, a file of its own (storage/ledger.h). The write that journals the
// failback also makes a LedgerRecord, and protects the history at P, so that for as long as the ledger is kept it can be
// said what each write had replaced and what the tables looked like then. Both go when the retention of the failback has
// passed, or with the virtual cluster; or earlier, the oldest first, when all ledgers of the node take more room than
// `physical_replication.failback.lost_writes_bytes_max`: then the record stays and says so. A failback whose own ledger
// would be larger than that is refused before anything changes.
//
// RESET DATA to before P takes back the rows and tables that the writes of a ledger followed: what it had replaced could not
// be said any more, nor what its bytes mean. So such a ledger goes with the reset, and its record says so. A later failback
// that goes back further than P takes nothing back: its own ledger has what lay between.
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
// In the write that resets the data of `tenant` to `target`: those of `ledgers` that it makes unreadable are over. Their
// files go with RemoveStrayLedgers, or once the write is durable with RemoveFiles.
absl::Status EndLedgersAbove(MetaUpdate& update, const IncarnationId& keyspace, Timestamp target,
                             const std::vector<catalog::LedgerRecord>& ledgers);
// Of records that say that they are removed.
void RemoveFiles(Store* store, TenantId tenant);
// Removes the files of failbacks that were never journaled. REQUIRES: none is being prepared.
absl::Status RemoveStrayLedgers(Store* store);

// --- Reading them ---
// Keys that one failback wrote to and discarded, and can be listed: 64 bytes or so of memory for each.
inline constexpr size_t kLostWriteKeysMax = 1 << 20;
// 55000 while a failback is undoing. 53200 beyond `keys_max`.
absl::Status VisitLostWrites(Store* store, const catalog::TenantRecord& record, const LostWriteVisitor& visitor,
                             std::stop_token stop, size_t keys_max = kLostWriteKeysMax);

}  // namespace anabranch
