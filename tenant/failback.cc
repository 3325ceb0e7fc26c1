#include "tenant/failback.h"

#include <filesystem>

#include "base/log.h"
#include "base/status.h"
#include "storage/protection.h"
#include "storage/revert.h"
#include "stream/frame.h"
#include "stream/source_client.h"
#include "tenant/limits.h"
#include "tenant/paths.h"

namespace anabranch {
namespace {

absl::Status CannotResume(const catalog::TenantRecord& record, Timestamp point, const std::string& why) {
  return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                  fmt::format("cannot resume replication into tenant \"{}\" by reverting to {} ({})", record.name(),
                              FormatHlc(point), why),
                  "Drop it and create it again with CREATE VIRTUAL CLUSTER ... FROM REPLICATION OF ....");
}

absl::Status CheckAnswer(const catalog::TenantRecord& record, const KeyspaceState& state,
                         const wire::OpenResponse& response) {
  const Timestamp point{response.start_at()};
  if (response.stream_id() == 0 || response.has_manifest() || response.ancestry().empty()) {
    return SqlError(sqlstate::kProtocolViolation, "the source answered a failback's handshake with something else");
  }
  if (state.floor > point)
    return CannotResume(record, point, fmt::format("history is retained since {}", FormatHlc(state.floor)));
  if (!state.hidden.empty()) return CannotResume(record, point, "an earlier failover is still being swept");
  return absl::OkStatus();
}

// Returns how many versions it holds.
absl::StatusOr<uint64_t> WriteLedgerOf(Store* store, const catalog::TenantRecord& record, const KeyspaceRef& keyspace,
                                       const wire::OpenResponse& response) {
  const std::string path = LedgerPath(store, TenantId(record.id()), StreamId(response.stream_id()));
  return WriteLedger(store, keyspace, {response.start_at()}, kTimestampMax.Prev(), path);
}

}  // namespace

wire::OpenRequest FailbackHandshake(Store* store, const catalog::TenantRecord& record, const std::string& source_name) {
  wire::OpenRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_clock_ns(store->visible().ns);
  request.set_source_tenant(source_name);
  request.set_destination_cluster_id(store->cluster_id().value());
  request.set_destination_tenant(record.name());
  *request.mutable_ancestry() = record.ancestry();
  request.set_frontier(store->visible().ns);  // all of its own history, up to now
  return request;
}

absl::Status JournalFailback(Store* store, const catalog::TenantRecord& record, const FailbackRequest& request,
                             const wire::OpenResponse& response) {
  const IncarnationId incarnation(record.incarnation());
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store->FindKeyspace(incarnation));
  const std::shared_ptr<const KeyspaceState> before = keyspace->state();
  RETURN_IF_ERROR(CheckAnswer(record, *before, response));
  CheckAncestry(FromWire(response.ancestry()));
  ASSIGN_OR_RETURN(const uint64_t undone, WriteLedgerOf(store, record, keyspace, response));
  const Timestamp point{response.start_at()};
  const absl::Status status =
      UpdateTenant(store, TenantId(record.id()), [&](MetaUpdate& update, catalog::TenantRecord& now) -> absl::Status {
        RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kStartReplication, now.name(), StateOf(now), ModeOf(now)));
        RETURN_IF_ERROR(CheckAnswer(now, *update.Before(keyspace), response));
        if (update.Before(keyspace)->epoch != before->epoch) {
          return SqlError(sqlstate::kObjectInUse,
                          fmt::format("tenant \"{}\" changed while its failback was prepared", now.name()));
        }
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
        replication.set_source_tenant(request.source_name);
        replication.set_uri(request.uri);
        replication.set_stream_id(response.stream_id());
        replication.set_source_cluster_id(response.source_cluster_id());
        replication.set_retention_ns(request.retention_ns);
        replication.set_start_at(point.ns);
        replication.set_diverged_at(point.ns);
        replication.set_source_clock_offset_ns(static_cast<int64_t>(response.clock_ns() - store->clock()->WallNs()));
        *now.mutable_replication() = std::move(replication);
        return absl::OkStatus();
      });
  if (!status.ok()) {
    std::error_code ignored;
    std::filesystem::remove(LedgerPath(store, TenantId(record.id()), StreamId(response.stream_id())), ignored);
    return status;
  }
  Log(LogLevel::kInfo, "failback.journaled", "vc={} point={} versions={} source={}", record.name(), FormatHlc(point),
      undone, RedactUri(request.uri));
  return absl::OkStatus();
}

}  // namespace anabranch
