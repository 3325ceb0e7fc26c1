// UNDO COMPLETE REPLICATION: a virtual cluster that was promoted by mistake becomes the standby again that it was.
//
// It can be undone while nothing has come of the promotion: its service was never started, nobody replicates from it, and
// nothing that the failover hid is swept. So until then the sweeper waits, the retention of the standby stays protected, and
// the source is not told that the stream is over: it protects the history for whoever comes back to that stream, as for any
// standby that is silent. What ends it is written with, or before, what would contradict it:
//  - START SERVICE, in the same write (R10: nothing exists above U);
//  - a stream that is opened from it: for an initial copy before the sweep that the copy waits for (R7), for a failback in
//    the write that makes the stream. A standby of it that already had one is asked to come again later: its stream goes on
//    as soon as the service starts;
//  - a failback of its own, before the sweep that the failback waits for (R5);
//  - the end of the window, `physical_replication.failover.undo_window`.
//
// The mark is `before_failover` in the record. The write that sets it bumps the keyspace's epoch, and a sweep goes by an epoch
// that was taken where the mark was not there (tenant/replication/sweeper.h): so none touches what is kept, however late it
// was started.
//
// A source forgets a standby that is silent for its expiration window, and a standby that could not go on is no undo: where
// what is left of that window is shorter, the failover can be undone for as long as that. Silence counts from the frontier
// on: the source has heard of the standby at that moment or later.
//
// A reader that the failover ended is made again, under another id, if its name is still free.
//
// The undo puts back what the failover replaced, in one write: the hidden versions, the frontier, the branches and the
// protections. That is right, and a new branch would be wrong (R10): nothing was written on the branch that the failover
// began and nobody was given any of it, so the history is to the byte what the stream made it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "storage/api/store.h"
#include "tenant/catalog/catalog.h"

namespace anabranch {

// For how long a failover can be undone, where `setting_ns` is asked for. `now_ns`: this node's wall clock. Zero: not at all.
uint64_t UndoWindowNs(const catalog::Replication& replication, Timestamp frontier, uint64_t now_ns, uint64_t setting_ns);

// For the publication: what it replaces, from the record as it is before it.
struct FailoverToUndo {
  Timestamp at;
  Timestamp frontier;
  Timestamp newest;  // U
  BranchId branch;   // that begins
};
void KeepForUndo(MetaUpdate& update, const FailoverToUndo& failover, uint64_t undo_until_ns, catalog::TenantRecord& record);

// Whether the last failover can still be undone, and so nothing that is hidden may go. For the sweeper.
absl::StatusOr<bool> IsKeptForUndo(MetaUpdate& update, TenantId tenant);

// Whether UNDO COMPLETE REPLICATION may be done: 55000 with the condition that fails. Pure.
absl::Status JudgeUndo(const catalog::TenantRecord& record, const KeyspaceState& state, uint64_t now_ns);
// Does it, judged in the one write: `replication paused`, with the replicated_time that it had. With a receipt.
absl::Status UndoFailover(Store* store, TenantId tenant, const std::string& user);

// In the write that begins what could not be undone. `why`: as in "it can no longer be undone: <why>". False: it could not
// be undone anyway. True: the farewell to the source is journaled, and once the write is durable the sweep is to begin and
// what is journaled is to be said.
bool EndUndo(MetaUpdate& update, catalog::TenantRecord& record, std::string_view why);

}  // namespace anabranch
