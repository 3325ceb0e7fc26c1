// Failover: which timestamps a standby may be promoted at, and the one meta write that promotes it.
//
// The timestamps of a replication, all in the source's time (ARCHITECTURE.md has the picture). In catalog.Replication:
//   start_at        S of the initial copy or P of a failback: nothing older can be failed over to. 0: not opened yet
//   first_frontier  E of the initial copy: below it the files hold some versions and lack others. 0: not adopted yet, or
// a failback
//   diverged_at     P of a failback, where the histories parted. 0: not a failback
//   cutover         the pending target. 0: none
// In the keyspace: the frontier, up to which everything is there and durable. From these follow, and are kept nowhere:
//   replicated_time, retained_time, whether a target is reached, and the way to `ready`: the functions below.
// At the source, StreamRecord.protected_at follows the standby's retained_time (R11).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/timestamp.h"
#include "storage/api/store.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/spec.h"

namespace anabranch {

// What may be failed over to, given the durable frontier of the keyspace (zero: none yet, or no keyspace yet).
// Replicated: nothing before the first frontier of an initial copy, nor before a failback has passed the point where the
// histories parted. That point itself can be had by its time, undone or not yet: what is above gets hidden.
std::optional<Timestamp> ReplicatedTime(const catalog::Replication& replication, Timestamp frontier);
// The oldest target. Never above a pending one.
Timestamp RetainedTime(const catalog::Replication& replication, Timestamp frontier);

// Whether the data are complete and consistent at `target`.
bool IsReached(const catalog::Replication& replication, Timestamp frontier, Timestamp target);
// The statement that makes a virtual cluster `ready` without losing what is complete, whatever became of its source (R13).
// Empty if it is ready, or being dropped; DROP if nothing was ever complete.
std::string WayToReady(const catalog::TenantRecord& record, Timestamp frontier);

// 22023 if the history at `at` is gone (R8).
absl::Status CheckKept(Timestamp at, const KeyspaceState& state);

struct FailoverPlan {
  Timestamp at;
  bool reached = false;  // false: the stream must get there first
  bool latest = false;   // the reader stays, at this moment
};

// Decides COMPLETE REPLICATION; nullopt is LATEST. 55000 if the state does not allow it or nothing was replicated; 22023,
// naming the window, for a target outside it. Pure.
absl::StatusOr<FailoverPlan> JudgeFailover(const catalog::TenantRecord& record, Timestamp frontier,
                                           std::optional<Timestamp> target);

// Who wants a failover, and how.
struct FailoverOrder {
  std::string user;             // for the receipt; empty: whoever journaled the target
  uint64_t undo_window_ns = 0;  // for so long it can be undone (tenant/replication/undo_failover.h); zero: not at all
  catalog::FailoverReceipt::Statement statement = catalog::FailoverReceipt::COMPLETE;
  bool fingerprint = false;  // of the data at the target (tenant/replication/receipt_fingerprints.h)
};

struct PublishedFailover {
  TenantId tenant;
  Timestamp at;
  KeyspaceRef keyspace;
  uint64_t receipt = 0;        // its number
  uint64_t publish_ns = 0;     // how long the write took
  bool can_be_undone = false;  // until then nothing is swept, and the source is not told; else that is journaled
  TenantId ended_reader = {};  // its sessions are to be ended, and its drop finished; zero: there is none
};

// Promotes in one meta write, judged inside it: the epoch is bumped, so no later write of the stream gets in; T is
// pinned; everything above it is hidden; a new branch begins; state `ready`, service `none`; and a receipt says so. The
// number of store operations does not depend on what lies above T. OutOfRange if the target has not been reached.
using FailoverJudge = std::function<absl::StatusOr<FailoverPlan>(const catalog::TenantRecord&, Timestamp frontier)>;
absl::StatusOr<PublishedFailover> PublishFailover(Store* store, TenantId tenant, const FailoverJudge& judge,
                                                  const FailoverOrder& order);
// With JudgeFailover.
absl::StatusOr<PublishedFailover> PublishFailover(Store* store, TenantId tenant, std::optional<Timestamp> target,
                                                  const FailoverOrder& order = {});

// Once it is reached, or given up.
void ForgetTarget(catalog::Replication* replication);

// Journals a target that has not been reached, and who asked for it: state `pending failover`. Replaces an earlier one.
absl::Status JournalTarget(Store* store, TenantId tenant, Timestamp target, const CompleteOptions& options);

}  // namespace anabranch
