// START SERVICE, STOP SERVICE, and the way of sessions into a virtual cluster.
#include "base/log.h"
#include "base/status.h"
#include "tenant/replication/reader.h"
#include "tenant/replication/undo_failover.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {

// A new epoch and new locks for every service: sessions of an earlier one can do no more harm (R4).
absl::Status VirtualClustersImpl::Serve(const catalog::TenantRecord& record) {
  const TenantId id(record.id());
  if (IsReader(record)) {
    return UpdateTenant(store_, id, [](MetaUpdate&, catalog::TenantRecord& now) -> absl::Status {
      RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kStartService, now.name(), StateOf(now), ModeOf(now)));
      SetMode(now, ServiceMode::kShared);
      return absl::OkStatus();
    });
  }
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store_->FindKeyspace(IncarnationId(record.incarnation())));
  Epoch epoch;
  bool settled = false;  // what was promoted stays so
  RETURN_IF_ERROR(UpdateTenant(store_, id, [&](MetaUpdate& update, catalog::TenantRecord& now) -> absl::Status {
    RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kStartService, now.name(), StateOf(now), ModeOf(now)));
    SetMode(now, ServiceMode::kShared);
    settled = EndUndo(update, now, "its service was started");
    epoch = update.Stage(keyspace).BumpEpoch();
    return absl::OkStatus();
  }));
  std::shared_ptr<LockTable> locks = LockTable::Create();
  ServedVirtualCluster service{
      .id = id, .name = record.name(), .context = {store_, keyspace, epoch, locks.get()}, .locks = locks};
  const std::shared_ptr<TenantRuntime> runtime = RuntimeOf(record);
  if (settled) ConcludeFailover(*runtime, keyspace->incarnation());
  std::lock_guard lock(runtime->mutex);
  runtime->service = std::move(service);
  return absl::OkStatus();
}

// 57P01. Returns when they are gone.
void VirtualClustersImpl::EndSessions(TenantId id, std::string why, std::string hint) {
  SessionStopper stopper;
  {
    std::lock_guard lock(mutex_);
    stopper = session_stopper_;
  }
  if (!stopper) return;
  stopper(id, SqlError(sqlstate::kAdminShutdown, fmt::format("terminating connection {}", why), std::move(hint)));
}

absl::Status VirtualClustersImpl::StartService(const VirtualClusterSpec& spec) {
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "", OnReader::kAllow));
  const catalog::TenantRecord& record = statement.record;
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kStartService, record.name(), StateOf(record), ModeOf(record)));
  if (ModeOf(record) == ServiceMode::kShared) return absl::OkStatus();
  RETURN_IF_ERROR(Serve(record));
  Log(LogLevel::kInfo, "service.started", "vc={}", record.name());
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::StopService(const VirtualClusterSpec& spec) {
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "stop service of", OnReader::kAllow));
  const catalog::TenantRecord& record = statement.record;
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kStopService, record.name(), StateOf(record), ModeOf(record)));
  if (ModeOf(record) == ServiceMode::kNone) return absl::OkStatus();
  KeyspaceRef keyspace;  // null: sessions of a reader commit nothing
  if (!IsReader(record)) {
    ASSIGN_OR_RETURN(keyspace, store_->FindKeyspace(IncarnationId(record.incarnation())));
  }
  RETURN_IF_ERROR(UpdateTenant(store_, statement.runtime->id, [&](MetaUpdate& update, catalog::TenantRecord& now) {
    SetMode(now, ServiceMode::kStopping);
    if (keyspace != nullptr) update.Stage(keyspace).BumpEpoch();  // R4: no commit of a session gets in from here on
    return absl::OkStatus();
  }));
  {
    std::lock_guard lock(statement.runtime->mutex);
    statement.runtime->service.reset();
  }
  EndSessions(statement.runtime->id, "due to administrator command: ALTER VIRTUAL CLUSTER ... STOP SERVICE",
              "Reconnect after ALTER VIRTUAL CLUSTER ... START SERVICE SHARED.");
  RETURN_IF_ERROR(UpdateTenant(store_, statement.runtime->id, [](MetaUpdate&, catalog::TenantRecord& now) {
    SetMode(now, ServiceMode::kNone);
    return absl::OkStatus();
  }));
  Log(LogLevel::kInfo, "service.stopped", "vc={}", record.name());
  return absl::OkStatus();
}

// Where a connection goes that names no virtual cluster.
absl::StatusOr<std::string> VirtualClustersImpl::DefaultTarget() {
  ASSIGN_OR_RETURN(std::string target, ReadSetting(store_, ClusterSetting::kDefaultTarget));
  if (!target.empty()) return target;
  ASSIGN_OR_RETURN(const std::vector<catalog::TenantRecord> records, LoadTenants(store_));
  const catalog::TenantRecord* only = nullptr;
  for (const catalog::TenantRecord& record : records) {
    const bool counts = TenantId(record.id()) != kSystemTenantId && !IsReader(record);
    if (!counts || StateOf(record) == DataState::kDropping) continue;
    if (only != nullptr) return std::string(kSystemTenantName);
    only = &record;
  }
  const bool serves =
      only != nullptr && CheckAllowed(LifecycleAction::kServeSession, only->name(), StateOf(*only), ModeOf(*only)).ok();
  return serves ? only->name() : std::string(kSystemTenantName);
}

absl::StatusOr<ServedVirtualCluster> VirtualClustersImpl::Connect(const std::string& name) {
  std::string target = name;
  if (target.empty()) {
    ASSIGN_OR_RETURN(target, DefaultTarget());
  }
  ASSIGN_OR_RETURN(const std::optional<TenantId> id, FindTenant(store_, target));
  if (!id) {
    return SqlError(sqlstate::kInvalidCatalogName, fmt::format("virtual cluster \"{}\" does not exist", target),
                    "SHOW VIRTUAL CLUSTERS, in the system virtual cluster, lists those that do.");
  }
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, *id));
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kServeSession, record.name(), StateOf(record), ModeOf(record)));
  if (IsReader(record)) return ConnectReader(record);
  const std::shared_ptr<TenantRuntime> runtime = RuntimeOf(record);
  std::lock_guard lock(runtime->mutex);
  if (runtime->service) return *runtime->service;
  return SqlError(sqlstate::kCannotConnectNow,
                  fmt::format("virtual cluster \"{}\" is about to start or stop serving", target), "Connect again.");
}

}  // namespace anabranch
