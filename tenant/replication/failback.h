// Failback: turns a `ready` virtual cluster back into a standby of one that it shares a past with; and the way back out of
// it, CANCEL REPLICATION.
//
// Order (R11): handshake, in which the source durably protects the fork, promises to feed it and gives a stream id ->
// ledger synced, outside the keyspace -> journal `reverting` -> the source answers once more -> revert -> stream.
// Everything up to the journal can be refused and changes nothing; everything after it is the job's, which a restart
// continues.
//
// Two that fail back to each other (R13). A and B are both `ready`, and somebody says START REPLICATION to both. At most
// one failback is journaled:
//  - B's answer to A's handshake makes, in one write that demands that B is `ready`, a promise in B's record. B's journal
//    is one write that demands that B has promised nothing. So if A has B's answer, B journals no more for as long as the
//    promise stands; and if B has journaled first, it is not `ready` and gives no answer. The same with A and B exchanged:
//    to be journaled, each would have to come before the other's answer, and after its own.
//  - If both have answered, both journals are refused; each then gives up the other's promise. To make that rare, and to
//    refuse before a ledger is written, a virtual cluster whose own failback is being prepared promises nothing.
//  - A promise ends when it has done its work: when A, which has undone what it had to, opens the stream; or when A gives up, says so, or
//    asks anew. If A died before it could say so, B's promise is void as soon as A answers B's own handshake: then A is
//    `ready` and prepares nothing, so what B had promised before it asked is of an attempt that is over. If A never comes
//    back, the promise goes with its stream, which expires; B is `ready` all the while.
//
// The way back (R13), CANCEL REPLICATION, needs neither the source nor the job:
//  - While nothing is undone, everything that the journal replaced is put back, the former branch included. That is right,
//    and a new branch would be wrong: from the journal on no session could write (new epoch, service none), nothing was
//    ingested, the floor stood still (nothing is resolved while the frontier is zero), so the history is to the byte what
//    it was on that branch, and standbys of it may go on. Nobody can have taken us for a copy of the source meanwhile: one
//    that is not `ready` serves no stream.
//  - The first write of the undo forgets what would be put back. From then on the data are whole at P alone, the point
//    where the histories parted: everything at or below it was here before and was not touched. So it is a failover to P:
//    what is left above is hidden in the same write and swept, as the undo would have done, and a new branch begins at P.
//    What was undone is in the ledger.
//  - Once the stream has passed P, there is a replicated_time, and COMPLETE REPLICATION TO LATEST is the way.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/store.h"
#include "storage/ledger.h"
#include "stream/wire.pb.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/spec.h"

namespace anabranch {

struct FailbackRequest {
  std::string uri;
  uint64_t retention_ns = 0;
  std::string user;  // who asked
  bool read_virtual_cluster = false;
};

// Whether the source's answer can be followed, whatever is hidden: it is swept first. Nothing changes. Here and below
// REQUIRES: CheckAnswer(response).
absl::Status JudgeAnswer(Store* store, const catalog::TenantRecord& record, const wire::OpenResponse& response);

struct PreparedFailback {
  Epoch owner;  // of the keyspace, as of before the ledger
  LedgerSize ledger = {};
};
// Checks the source's answer against what is here and writes the ledger, which is all that it leaves. On an error it leaves
// nothing. `record` is as of before the handshake. 53400 if the ledger would take more than `ledger_bytes_max`.
// REQUIRES: statements on this virtual cluster are serialized; no hidden interval is left (R5).
absl::StatusOr<PreparedFailback> PrepareFailback(Store* store, const catalog::TenantRecord& record,
                                                 const wire::OpenResponse& response, uint64_t ledger_bytes_max);
// Checks again, that the stream is new as well, and journals, in one write. `record` as above. A reader that it has is dropped or follows the new stream: its
// sessions are to be ended either way.
absl::Status JournalFailback(Store* store, const catalog::TenantRecord& record, const FailbackRequest& request,
                             const wire::OpenResponse& response, const PreparedFailback& prepared);
// For a failback that was refused or taken back: nothing was undone.
void RemoveLedger(Store* store, TenantId tenant, StreamId stream);

enum class CancelPlan {
  kNothing,         // it is `ready`
  kPutBack,         // as it was before the failback was journaled
  kGoToDivergence,  // ready at diverged_at
};
// Decides CANCEL REPLICATION, given the durable frontier. 55000 with the statement that helps if something was replicated,
// or if it is an initial copy. Pure.
absl::StatusOr<CancelPlan> JudgeCancel(const catalog::TenantRecord& record, Timestamp frontier);
// CancelPlan::kPutBack, in one write that judges again. 55000 if the undo has begun.
absl::Status PutBack(Store* store, TenantId tenant);

}  // namespace anabranch
