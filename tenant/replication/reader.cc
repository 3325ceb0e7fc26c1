#include "tenant/reader.h"

#include "base/log.h"
#include "base/status.h"
#include "fmt/format.h"
#include "storage/protection.h"
#include "tenant/limits.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

absl::StatusOr<catalog::TenantRecord> LoadReader(MetaUpdate& update, const catalog::TenantRecord& standby) {
  return LoadTenant(update, TenantId(standby.reader()));
}

IncarnationId KeyspaceOf(const catalog::TenantRecord& standby) { return IncarnationId(standby.incarnation()); }

void Unpin(MetaUpdate& update, const catalog::TenantRecord& standby) {
  if (!standby.incarnation().empty()) Unprotect(update, KeyspaceOf(standby), kReaderHolder);
}

void SetStart(catalog::TenantRecord& reader, ReaderStart start) {
  const bool serves = start == ReaderStart::kServing;
  SetState(reader, serves ? DataState::kReady : DataState::kAdd);
  SetMode(reader, serves ? ServiceMode::kShared : ServiceMode::kNone);
}

}  // namespace

std::string ReaderName(std::string_view standby) { return fmt::format("{}{}", standby, kReaderSuffix); }

absl::Status CheckReaderName(Store* store, const catalog::TenantRecord& standby) {
  if (standby.reader() != 0) return absl::OkStatus();
  const std::string name = ReaderName(standby.name());
  RETURN_IF_ERROR(CheckName(name));
  ASSIGN_OR_RETURN(const std::optional<TenantId> taken, FindTenant(store, name));
  return taken ? TenantExists(name) : absl::OkStatus();
}

absl::Status AddReader(MetaUpdate& update, catalog::TenantRecord& standby, ReaderStart start) {
  if (standby.reader() != 0) {
    ASSIGN_OR_RETURN(catalog::TenantRecord reader, LoadReader(update, standby));
    SetStart(reader, start);
    PutTenant(update, reader);
    Unpin(update, standby);
    return absl::OkStatus();
  }
  catalog::TenantRecord reader;
  reader.set_name(ReaderName(standby.name()));
  RETURN_IF_ERROR(CheckName(reader.name()));
  reader.set_reads_from(standby.id());
  SetStart(reader, start);
  RETURN_IF_ERROR(AddTenant(update, &reader, TenantId(standby.id())));
  standby.set_reader(reader.id());
  PutTenant(update, standby);
  return absl::OkStatus();
}

absl::Status OpenReader(MetaUpdate& update, const catalog::TenantRecord& standby) {
  if (standby.reader() == 0) return absl::OkStatus();
  Unpin(update, standby);  // it follows, whatever it did before
  ASSIGN_OR_RETURN(catalog::TenantRecord reader, LoadReader(update, standby));
  if (StateOf(reader) != DataState::kAdd) return absl::OkStatus();
  SetStart(reader, ReaderStart::kServing);
  PutTenant(update, reader);
  return absl::OkStatus();
}

absl::Status FreezeReader(MetaUpdate& update, const catalog::TenantRecord& standby, Timestamp at) {
  if (standby.reader() == 0) return absl::OkStatus();
  RETURN_IF_ERROR(OpenReader(update, standby));
  Protect(update, KeyspaceOf(standby), kReaderHolder, at);  // R8
  return absl::OkStatus();
}

absl::StatusOr<TenantId> DropReader(MetaUpdate& update, catalog::TenantRecord& standby) {
  if (standby.reader() == 0) return TenantId(0);
  ASSIGN_OR_RETURN(catalog::TenantRecord reader, LoadReader(update, standby));
  SetState(reader, DataState::kDropping);
  SetMode(reader, ServiceMode::kNone);
  update.Delete(TenantNameKey(reader.name()));
  PutTenant(update, reader);
  Unpin(update, standby);
  standby.clear_reader();
  return TenantId(reader.id());
}

absl::Status ForgetReader(MetaUpdate& update, const catalog::TenantRecord& reader) {
  ASSIGN_OR_RETURN(catalog::TenantRecord standby, LoadTenant(update, TenantId(reader.reads_from())));
  Unpin(update, standby);
  standby.clear_reader();
  PutTenant(update, standby);
  return absl::OkStatus();
}

absl::Status RefuseReader(Store* store, const catalog::TenantRecord& reader, std::string_view verb) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord standby, LoadTenant(store, TenantId(reader.reads_from())));
  return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                  fmt::format("cannot {} tenant \"{}\": it only reads tenant \"{}\"", verb.empty() ? "change" : verb,
                              reader.name(), standby.name()),
                  fmt::format("Say it of {} itself. A reader can be dropped, and its service started and stopped.",
                              QuoteName(standby.name())));
}

// --- The statements and sessions of VirtualClusters that concern readers ---

absl::Status VirtualClustersImpl::AddReadVirtualCluster(const VirtualClusterSpec& spec) {
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "set replication of"));
  const catalog::TenantRecord& record = statement.record;
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kAddReader, record.name(), StateOf(record), ModeOf(record)));
  if (record.reader() != 0) return absl::OkStatus();
  RETURN_IF_ERROR(CheckReaderName(store_, record));
  std::lock_guard creating(creating_);
  RETURN_IF_ERROR(CheckRoom(1));
  RETURN_IF_ERROR(
      UpdateTenant(store_, statement.runtime->id, [&](MetaUpdate& update, catalog::TenantRecord& now) -> absl::Status {
        RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kAddReader, now.name(), StateOf(now), ModeOf(now)));
        Timestamp frontier;
        if (!now.incarnation().empty()) {
          ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store_->FindKeyspace(KeyspaceOf(now)));
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
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store_->FindKeyspace(KeyspaceOf(standby)));
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
  const auto keyspace = store_->FindKeyspace(KeyspaceOf(*standby));
  if (keyspace.ok() && StateOf(reader) == DataState::kReady) status.replicated_time = (*keyspace)->state()->frontier;
  return status;
}

}  // namespace anabranch
