// ALTER VIRTUAL CLUSTER ... SET REPLICATION RETENTION | SOURCE EXPIRATION WINDOW | SOURCE: what of a stream may change
// while it runs or is paused. Its data are not touched.
#include "base/log.h"
#include "base/status.h"
#include "stream/source_client.h"
#include "tenant/catalog/limits.h"
#include "tenant/replication/failover.h"
#include "tenant/replication/open_request.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

// Whoever answers must be the one that has fed the stream: that is decided by who has it, not by what it is called.
absl::Status CheckSameSource(const catalog::TenantRecord& record, const wire::OpenResponse& response) {
  const catalog::Replication& replication = record.replication();
  const bool same_tenant =
      replication.source_tenant_id() == 0 || replication.source_tenant_id() == response.source_tenant_id();
  if (same_tenant && replication.source_cluster_id() == response.source_cluster_id()) return absl::OkStatus();
  return SqlError(
      sqlstate::kInvalidParameterValue,
      fmt::format("the connection string leads to virtual cluster {} of cluster {}; virtual cluster \"{}\" replicates "
                  "from virtual cluster {} of cluster {}",
                  response.source_tenant_id(), response.source_cluster_id(), record.name(), replication.source_tenant_id(),
                  replication.source_cluster_id()));
}

}  // namespace

// Asks the source, at the new address if there is one, whether it goes on with the stream. That changes nothing there.
// Then, if there is a window, for that.
absl::Status VirtualClustersImpl::CheckSource(const catalog::TenantRecord& record, const std::string& address,
                                              uint64_t expiration_window_ns, std::stop_token stop) {
  const catalog::Replication& replication = record.replication();
  wire::OpenRequest request =
      ReopenRequest(store_, record,
                    std::max(FrontierOf(record),
                             Timestamp{replication.phase() == catalog::Replication::COPYING ? 0 : replication.start_at()}));
  request.set_expiration_window_ns(expiration_window_ns);
  request.set_explain(true);
  const absl::StatusOr<wire::OpenResponse> response = Handshake(address, request, stop);
  const absl::Status status = response.ok() ? CheckSameSource(record, *response) : response.status();
  if (absl::IsCancelled(status)) return status;
  if (!status.ok()) {
    return SqlError(
        SqlStateOf(status),
        fmt::format("cannot change the replication of virtual cluster \"{}\": {}", record.name(), MessageOf(status)),
        "Nothing was changed: the stream is as it was.");
  }
  if (expiration_window_ns == 0) return absl::OkStatus();
  request.set_explain(false);
  return Handshake(address, request, std::move(stop)).status();
}

// At the source: of all streams that it feeds.
absl::Status VirtualClustersImpl::SetExpirationWindow(const catalog::TenantRecord& record, uint64_t window_ns) {
  ASSIGN_OR_RETURN(const size_t streams, source_.SetExpirationWindow(TenantId(record.id()), window_ns));
  if (streams == 0) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("virtual cluster \"{}\" has no replication stream, neither to a standby nor from a source",
                                record.name()),
                    "SET CLUSTER SETTING physical_replication.expiration_window counts for streams to come.");
  }
  Log(LogLevel::kInfo, "stream.expiration_window_changed", "vc={} streams={} seconds={}", record.name(), streams,
      window_ns / 1'000'000'000);
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::ChangeReplication(const VirtualClusterSpec& spec, const ReplicationChange& change,
                                                    std::stop_token stop) {
  RETURN_IF_ERROR(CheckExpirationWindow(change.expiration_window_ns));
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "alter replication of"));
  const catalog::TenantRecord& record = statement.record;
  const bool window_only = change.expiration_window_ns && !change.retention_ns && !change.address;
  if (window_only && StateOf(record) == DataState::kReady) {
    return SetExpirationWindow(record, *change.expiration_window_ns);
  }
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kChangeReplication, record.name(), StateOf(record), ModeOf(record)));
  std::string address = record.replication().uri();
  if (change.address) {
    ASSIGN_OR_RETURN(address, NormalizeAddress(*change.address));
  }
  const ExternalConnections::Use use(&connections_, address);
  if (change.address || change.expiration_window_ns) {
    RETURN_IF_ERROR(CheckSource(record, address, change.expiration_window_ns.value_or(0), std::move(stop)));
  }
  TenantRuntime& runtime = *statement.runtime;
  if (change.expiration_window_ns) {
    RETURN_IF_ERROR(UpdateTenant(store_, runtime.id, [&](MetaUpdate&, catalog::TenantRecord& now) {
      now.mutable_replication()->set_source_expiration_window_ns(*change.expiration_window_ns);
      return absl::OkStatus();
    }));
  }
  if (!change.address && !change.retention_ns) return absl::OkStatus();
  runtime.job.reset();  // the next one reads the record
  const absl::Status status =
      UpdateTenant(store_, runtime.id, [&](MetaUpdate&, catalog::TenantRecord& now) -> absl::Status {
        RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kChangeReplication, now.name(), StateOf(now), ModeOf(now)));
        catalog::Replication* replication = now.mutable_replication();
        replication->set_uri(address);
        if (change.retention_ns) {
          // A longer one keeps more from now on; what was given up does not come back.
          replication->set_retained_at_least(RetainedTime(*replication, FrontierOf(now)).ns);
          replication->set_retention_ns(*change.retention_ns);
        }
        return absl::OkStatus();
      });
  const DataState state = StateOf(record);
  if (state != DataState::kPaused && state != DataState::kError) StartJob(runtime);
  RETURN_IF_ERROR(status);
  Log(LogLevel::kInfo, "replication.changed", "vc={} uri={} retention_ns={}", record.name(), RedactUri(address),
      change.retention_ns.value_or(record.replication().retention_ns()));
  return absl::OkStatus();
}

}  // namespace anabranch
