#include "tenant/replication/failback.h"

#include <algorithm>
#include <filesystem>

#include "base/quote.h"
#include "base/status.h"
#include "storage/protection.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/farewells.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/paths.h"
#include "tenant/replication/answer.h"
#include "tenant/replication/failover.h"
#include "tenant/replication/lost_writes.h"
#include "tenant/replication/reader.h"

namespace anabranch {
namespace {

absl::Status CannotResume(const catalog::TenantRecord& record, Timestamp point, const std::string& why) {
  return SqlError(
      sqlstate::kObjectNotInPrerequisiteState,
      fmt::format("cannot resume replication into tenant \"{}\" by reverting to {} ({})", record.name(), FormatHlc(point),
                  why),
      "Make a standby under another name with CREATE VIRTUAL CLUSTER ... FROM REPLICATION OF ...; this one keeps "
      "what it has.");
}

absl::Status CheckPoint(const catalog::TenantRecord& record, const KeyspaceState& state,
                        const wire::OpenResponse& response) {
  const Timestamp point{response.start_at()};
  if (state.floor <= point) return absl::OkStatus();
  return CannotResume(record, point, fmt::format("history is retained since {}", FormatHlc(state.floor)));
}

absl::Status CheckAnswer(const catalog::TenantRecord& record, const KeyspaceState& state,
                         const wire::OpenResponse& response) {
  RETURN_IF_ERROR(CheckPoint(record, state, response));
  if (!state.hidden.empty()) {
    return SqlError(sqlstate::kObjectInUse,
                    fmt::format("an earlier failover of virtual cluster \"{}\" is still being swept", record.name()),
                    "Try again when the sweep is done.");
  }
  return absl::OkStatus();
}

// R13. Void is what was promised to the very one that answers us, before we asked it. `reader` is a Store* or a
// MetaUpdate&.
template <typename Reader>
absl::Status CheckNothingPromised(Reader&& reader, const catalog::TenantRecord& before, const catalog::TenantRecord& now,
                                  const wire::OpenResponse& response) {
  const auto& asked_with = before.promised_streams();
  for (const uint64_t id : now.promised_streams()) {
    ASSIGN_OR_RETURN(const catalog::StreamRecord stream, LoadStream(reader, StreamId(id)));
    const bool to_the_source = stream.destination_cluster_id() == response.source_cluster_id() &&
                               stream.destination_tenant_id() == response.source_tenant_id();
    if (to_the_source && std::find(asked_with.begin(), asked_with.end(), id) != asked_with.end()) continue;
    uint64_t window_ns = stream.expiration_window_ns();
    if (window_ns == 0) {
      ASSIGN_OR_RETURN(window_ns, ReadDurationNs(reader, ClusterSetting::kExpirationWindow));
    }
    return SqlError(
        sqlstate::kObjectNotInPrerequisiteState,
        fmt::format("virtual cluster \"{}\" has promised to feed the failback of virtual cluster \"{}\" of cluster {}: it "
                    "begins none of its own",
                    now.name(), stream.destination_tenant(), stream.destination_cluster_id()),
        fmt::format(
            "Let that one follow, or cancel it there with ALTER VIRTUAL CLUSTER {} CANCEL REPLICATION. If that cluster "
            "is gone for good, the promise ends after {} of silence.",
            QuotedIdentifier(stream.destination_tenant()), FormatDuration(window_ns)));
  }
  return absl::OkStatus();
}

// REQUIRES: `record` is that of the journaled failback.
catalog::LedgerRecord LedgerOf(const catalog::TenantRecord& record, const LedgerSize& size, uint64_t now_ns) {
  catalog::LedgerRecord ledger;
  ledger.set_tenant_id(record.id());
  ledger.set_stream_id(record.replication().stream_id());
  ledger.set_point(record.replication().diverged_at());
  ledger.set_versions(size.versions);
  ledger.set_bytes(size.bytes);
  ledger.set_discarded_at_ns(now_ns);
  const uint64_t retention_ns = record.replication().retention_ns();
  ledger.set_keep_until_ns(retention_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + retention_ns);
  return ledger;
}

void KeepForCancel(const catalog::TenantRecord& now, catalog::BeforeFailback* before) {
  *before->mutable_ancestry() = now.ancestry();
  if (now.has_replication()) *before->mutable_replication() = now.replication();
  before->set_failover_time(now.failover_time());
  before->set_failover_protected_until_ns(now.failover_protected_until_ns());
}

}  // namespace

absl::Status JudgeAnswer(Store* store, const catalog::TenantRecord& record, const wire::OpenResponse& response) {
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store->FindKeyspace(IncarnationId(record.incarnation())));
  RETURN_IF_ERROR(CheckPoint(record, *keyspace->state(), response));
  ASSIGN_OR_RETURN(const catalog::TenantRecord now, LoadTenant(store, TenantId(record.id())));
  return CheckNothingPromised(store, record, now, response);
}

absl::StatusOr<PreparedFailback> PrepareFailback(Store* store, const catalog::TenantRecord& record,
                                                 const wire::OpenResponse& response, uint64_t ledger_bytes_max) {
  const TenantId tenant(record.id());
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store->FindKeyspace(IncarnationId(record.incarnation())));
  const std::shared_ptr<const KeyspaceState> state = keyspace->state();
  RETURN_IF_ERROR(CheckAnswer(record, *state, response));
  RETURN_IF_ERROR(JudgeAnswer(store, record, response));
  const StreamId stream(response.stream_id());
  const absl::StatusOr<LedgerSize> ledger = WriteLedger(store, keyspace, {response.start_at()}, kTimestampMax.Prev(),
                                                        LedgerPath(store, tenant, stream), ledger_bytes_max);
  if (ledger.ok()) return PreparedFailback{.owner = state->epoch, .ledger = *ledger};
  RemoveLedger(store, tenant, stream);
  if (SqlStateOf(ledger.status()) != sqlstate::kConfigurationLimitExceeded) return ledger.status();
  return SqlError(sqlstate::kConfigurationLimitExceeded,
                  fmt::format("cannot keep what the failback of virtual cluster \"{}\" would undo: {}", record.name(),
                              MessageOf(ledger.status())),
                  fmt::format("Raise the cluster setting {}.", kLostWritesSetting));
}

absl::Status JournalFailback(Store* store, const catalog::TenantRecord& record, const FailbackRequest& request,
                             const wire::OpenResponse& response, const PreparedFailback& prepared) {
  const IncarnationId incarnation(record.incarnation());
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store->FindKeyspace(incarnation));
  const Timestamp point{response.start_at()};
  return UpdateTenant(store, TenantId(record.id()), [&](MetaUpdate& update, catalog::TenantRecord& now) -> absl::Status {
    RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kStartReplication, now.name(), StateOf(now), ModeOf(now)));
    RETURN_IF_ERROR(CheckAnswer(now, *update.Before(keyspace), response));
    if (update.Before(keyspace)->epoch != prepared.owner) {
      return SqlError(sqlstate::kObjectInUse,
                      fmt::format("virtual cluster \"{}\" changed while its failback was prepared", now.name()));
    }
    RETURN_IF_ERROR(CheckNothingPromised(update, record, now, response));
    RETURN_IF_ERROR(CheckNewStream(store, StreamId(response.stream_id())));
    KeepForCancel(now, now.mutable_before_failback());
    now.clear_promised_streams();
    update.Stage(keyspace).BumpEpoch();
    update.Stage(keyspace).SetIngesting(true, kTimestampZero);
    Unprotect(update, incarnation, kFailoverHolder);
    Protect(update, incarnation, kRetentionHolder, point);
    *now.mutable_ancestry() = response.ancestry();  // R10: in the write that ends the old branch
    SetState(now, DataState::kInitializing);
    now.clear_failover_time();
    now.clear_failover_protected_until_ns();
    catalog::Replication replication;
    replication.set_phase(catalog::Replication::REVERTING);
    replication.set_source_tenant(response.source_tenant());
    replication.set_source_tenant_id(response.source_tenant_id());
    replication.set_uri(request.uri);
    replication.set_stream_id(response.stream_id());
    replication.set_source_cluster_id(response.source_cluster_id());
    replication.set_retention_ns(request.retention_ns);
    replication.set_created_at_ns(store->clock()->WallNs());
    replication.set_created_by(request.user);
    replication.set_start_at(point.ns);
    replication.set_diverged_at(point.ns);
    replication.set_source_expiration_window_ns(response.expiration_window_ns());
    replication.set_source_clock_offset_ns(static_cast<int64_t>(response.clock_ns() - store->clock()->WallNs()));
    *now.mutable_replication() = std::move(replication);
    if (prepared.ledger.versions > 0) {
      AddLedger(update, incarnation, LedgerOf(now, prepared.ledger, store->clock()->WallNs()));
    }
    return request.read_virtual_cluster ? AddReader(update, now, ReaderStart::kAdded)
                                        : DropReader(update, now, keyspace).status();
  });
}

void RemoveLedger(Store* store, TenantId tenant, StreamId stream) {
  std::error_code ignored;  // only disk space
  std::filesystem::remove(LedgerPath(store, tenant, stream), ignored);
}

absl::StatusOr<CancelPlan> JudgeCancel(const catalog::TenantRecord& record, Timestamp frontier) {
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kCancel, record.name(), StateOf(record), ModeOf(record)));
  if (StateOf(record) == DataState::kReady) return CancelPlan::kNothing;
  if (record.has_before_failback()) return CancelPlan::kPutBack;
  const catalog::Replication& replication = record.replication();
  const bool replicated = ReplicatedTime(replication, frontier).has_value();
  if (!replicated && replication.diverged_at() != 0) return CancelPlan::kGoToDivergence;
  return SqlError(
      sqlstate::kObjectNotInPrerequisiteState,
      replicated
          ? fmt::format("cannot cancel replication of virtual cluster \"{}\": it holds replicated data", record.name())
          : fmt::format("cannot cancel replication of virtual cluster \"{}\": its initial copy is not complete, there "
                        "is nothing to go back to",
                        record.name()),
      fmt::format("Use {}.", WayToReady(record, frontier)));
}

absl::Status PutBack(Store* store, TenantId tenant) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store, tenant));
  const IncarnationId incarnation(record.incarnation());
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store->FindKeyspace(incarnation));
  return UpdateTenant(store, tenant, [&](MetaUpdate& update, catalog::TenantRecord& now) -> absl::Status {
    RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kCancel, now.name(), StateOf(now), ModeOf(now)));
    if (!now.has_before_failback()) {
      return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                      fmt::format("the failback of virtual cluster \"{}\" has begun to undo", now.name()));
    }
    const catalog::BeforeFailback before = now.before_failback();
    DeleteLedger(update, incarnation, LedgerOf(now, {}, 0));
    update.Stage(keyspace).BumpEpoch();
    update.Stage(keyspace).SetIngesting(false, kTimestampZero);
    Unprotect(update, incarnation, kRetentionHolder);
    if (before.failover_protected_until_ns() != 0) Protect(update, incarnation, kFailoverHolder, {before.failover_time()});
    JournalFarewell(update, now.replication(), Ending::kAbandoned);
    *now.mutable_ancestry() = before.ancestry();
    now.clear_replication();
    if (before.has_replication()) *now.mutable_replication() = before.replication();
    now.set_failover_time(before.failover_time());
    now.set_failover_protected_until_ns(before.failover_protected_until_ns());
    now.clear_before_failback();
    SetState(now, DataState::kReady);
    SetMode(now, ServiceMode::kNone);
    return DropReader(update, now, keyspace).status();
  });
}

}  // namespace anabranch
