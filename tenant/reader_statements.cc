// The statements and sessions of VirtualClusters that concern readers (tenant/replication/reader.h).
#include "base/log.h"
#include "base/status.h"
#include "tenant/replication/reader.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {

absl::Status VirtualClustersImpl::AddReadVirtualCluster(const VirtualClusterSpec& spec) {
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "set replication of"));
  const catalog::TenantRecord& record = statement.record;
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kAddReader, record.name(), StateOf(record), ModeOf(record)));
  if (record.reader() != 0) return absl::OkStatus();
  RETURN_IF_ERROR(CheckReaderName(store_, record));
  std::lock_guard creating(creating_);
  RETURN_IF_ERROR(CheckRoom(store_, 1));
  RETURN_IF_ERROR(
      UpdateTenant(store_, statement.runtime->id, [&](MetaUpdate& update, catalog::TenantRecord& now) -> absl::Status {
        RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kAddReader, now.name(), StateOf(now), ModeOf(now)));
        Timestamp frontier;
        if (!now.incarnation().empty()) {
          ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store_->FindKeyspace(IncarnationId(now.incarnation())));
          frontier = update.Before(keyspace)->frontier;
        }
        const bool replicated = ReplicatedTime(now.replication(), frontier).has_value();
        return AddReader(update, now, replicated ? ReaderStart::kServing : ReaderStart::kAdded);
      }));
  Log(LogLevel::kInfo, "reader.added", "vc={} name={}", record.name(), ReaderName(record.name()));
  return absl::OkStatus();
}

// Before the record says so, nothing of the reader may be seen; so what could take it back is noted first, and the record
// is read again.
absl::StatusOr<ServedVirtualCluster> VirtualClustersImpl::ConnectReader(const catalog::TenantRecord& record) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord standby, LoadTenant(store_, TenantId(record.reads_from())));
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store_->FindKeyspace(IncarnationId(standby.incarnation())));
  const std::shared_ptr<const KeyspaceState> state = keyspace->state();
  ASSIGN_OR_RETURN(const catalog::TenantRecord now, LoadTenant(store_, TenantId(record.id())));
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kServeSession, now.name(), StateOf(now), ModeOf(now)));
  const std::shared_ptr<TenantRuntime> runtime = RuntimeOf(now);
  std::lock_guard lock(runtime->mutex);
  if (runtime->reader_locks == nullptr) runtime->reader_locks = LockTable::Create();
  return ServedVirtualCluster{
      .id = runtime->id,
      .name = now.name(),
      // No owner's epoch: whatever went past the transaction to write would be refused by the store (R4).
      .context = {store_, keyspace, Epoch(0), runtime->reader_locks.get(), state->rewinds},
      .locks = runtime->reader_locks,
  };
}

// What cannot be finished now is finished by the next start.
void VirtualClustersImpl::EndReader(TenantId reader) {
  if (reader.value() == 0) return;
  EndSessions(reader, "because the virtual cluster that this one reads was dropped, or its history was taken back",
              "SHOW VIRTUAL CLUSTERS, in the system virtual cluster, shows whether there is a reader again.");
  const absl::StatusOr<catalog::TenantRecord> record = LoadTenant(store_, reader);
  if (!record.ok() || StateOf(*record) != DataState::kDropping) return;
  if (const absl::Status status = FinishDrop(*record); !status.ok()) {
    Log(LogLevel::kWarning, "reader.drop_failed", "vc={} error=\"{}\"", record->name(), MessageOf(status));
  }
}

ReplicationStatus VirtualClustersImpl::ReaderStatus(const catalog::TenantRecord& reader) {
  ReplicationStatus status;
  const absl::StatusOr<catalog::TenantRecord> standby = LoadTenant(store_, TenantId(reader.reads_from()));
  if (!standby.ok()) return status;
  status.source_tenant_name = standby->name();
  const auto keyspace = store_->FindKeyspace(IncarnationId(standby->incarnation()));
  if (keyspace.ok() && StateOf(reader) == DataState::kReady) status.replicated_time = (*keyspace)->state()->frontier;
  return status;
}

}  // namespace anabranch
