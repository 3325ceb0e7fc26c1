#include "tenant/replication/clone.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/quote.h"
#include "base/status.h"
#include "storage/transfer.h"
#include "tenant/catalog/limits.h"
#include "tenant/replication/failover.h"

namespace anabranch {
namespace {

// The history up to the moment is the one that was cloned: of a ready one by its branches, of a standby because no other
// stream came in between, and no failover either, undone or not. A standby's branches may have changed, but only above what
// it has.
absl::Status CheckSame(const catalog::TenantRecord& before, const CloneWindow& window, const catalog::TenantRecord& now,
                       const KeyspaceState& state) {
  const bool replicating = IsReplicating(StateOf(before));
  const bool same_history =
      replicating ? before.replication().stream_id() == now.replication().stream_id() && window.rewinds == state.rewinds
                  : FromWire(before.ancestry()) == FromWire(now.ancestry());
  const bool same_kind = replicating ? IsReplicating(StateOf(now)) : StateOf(before) == StateOf(now);
  if (same_kind && same_history && before.incarnation() == now.incarnation()) return absl::OkStatus();
  return SqlError(sqlstate::kObjectInUse, fmt::format("virtual cluster \"{}\" changed while it was cloned", before.name()),
                  "Try again.");
}

}  // namespace

absl::StatusOr<CloneWindow> WindowToClone(const catalog::TenantRecord& original, const KeyspaceState& state,
                                          Timestamp visible) {
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kClone, original.name(), StateOf(original), ModeOf(original)));
  if (!IsReplicating(StateOf(original))) {
    return CloneWindow{.floor = state.floor, .newest = visible, .rewinds = state.rewinds};
  }
  const std::optional<Timestamp> replicated =
      state.ingesting ? ReplicatedTime(original.replication(), state.frontier) : std::nullopt;
  if (replicated) return CloneWindow{.floor = state.floor, .newest = *replicated, .rewinds = state.rewinds};
  return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                  fmt::format("cannot clone virtual cluster \"{}\" in state {}: it has not replicated any data yet",
                              original.name(), ToString(StateOf(original))),
                  fmt::format("Wait until SHOW VIRTUAL CLUSTER {} WITH REPLICATION STATUS shows a replicated_time.",
                              QuotedIdentifier(original.name())));
}

absl::Status CheckInWindow(const catalog::TenantRecord& original, const CloneWindow& window, Timestamp at) {
  if (window.floor <= at && at <= window.newest) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidParameterValue,
                  at > window.newest
                      ? fmt::format("cannot clone virtual cluster \"{}\" as of {}: its data are complete up to {}",
                                    original.name(), FormatHlc(at), FormatHlc(window.newest))
                      : fmt::format("cannot clone virtual cluster \"{}\" as of {}: history is retained since {}",
                                    original.name(), FormatHlc(at), FormatHlc(window.floor)),
                  fmt::format("Give a time from {} to {}.", FormatHlc(window.floor), FormatHlc(window.newest)));
}

absl::StatusOr<PublishedClone> PublishClone(Store* store, const catalog::TenantRecord& original, const CloneWindow& window,
                                            Timestamp at, const std::string& name) {
  ASSIGN_OR_RETURN(const KeyspaceRef from, store->FindKeyspace(IncarnationId(original.incarnation())));
  PublishedClone clone;
  ASSIGN_OR_RETURN(clone.keyspace, CloneKeyspace(store, from, at));
  clone.record.set_name(name);
  SetState(clone.record, DataState::kReady);
  SetMode(clone.record, ServiceMode::kNone);
  clone.record.set_incarnation(clone.keyspace->incarnation().value());
  const BranchId branch(store->random()->NextHex(kBranchHexDigits));
  Failpoint("clone.before_publish");
  const absl::Status status = store->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    ASSIGN_OR_RETURN(const catalog::TenantRecord now, LoadTenant(update, TenantId(original.id())));
    RETURN_IF_ERROR(CheckSame(original, window, now, *update.Before(from)));
    RETURN_IF_ERROR(CopyTraits(update, TenantId(now.id()), &clone.record));
    ToWire(Fork(FromWire(now.ancestry()), branch, at), clone.record.mutable_ancestry());  // R10
    RETURN_IF_ERROR(AddTenant(update, &clone.record));
    update.Stage(clone.keyspace).Publish();
    return absl::OkStatus();
  });
  if (!status.ok()) {
    if (WasRefused(status)) (void)store->DropKeyspace(clone.keyspace);  // unpublished: the next start would drop it as well
    return status;
  }
  Log(LogLevel::kInfo, "clone.published", "vc={} id={} original={} at={} branch={}", name, clone.record.id(),
      original.name(), FormatHlc(at), branch.value());
  return clone;
}

}  // namespace anabranch
