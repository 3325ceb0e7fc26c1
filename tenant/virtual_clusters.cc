// CREATE, DROP, SHOW, and how statements find and take turns on a virtual cluster.
#include "tenant/virtual_clusters.h"

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "base/status.h"
#include "base/system_time.h"
#include "stream/source_client.h"
#include "tenant/catalog/farewells.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/paths.h"
#include "tenant/replication/lost_writes.h"
#include "tenant/replication/reader.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {

namespace {

// One for each failback of the virtual cluster that is gone.
void RemoveLedgers(const std::string& root, TenantId id) {
  const std::string prefix = fmt::format("{}-", id.value());
  std::error_code ignored;  // only disk space
  for (std::filesystem::directory_iterator it(root, ignored), end; !ignored && it != end; it.increment(ignored)) {
    if (it->path().filename().string().starts_with(prefix)) std::filesystem::remove(it->path(), ignored);
  }
}

}  // namespace

absl::StatusOr<TenantId> VirtualClustersImpl::Locate(const VirtualClusterSpec& spec) {
  if (const auto* id = std::get_if<TenantId>(&spec)) return *id;
  const std::string& name = std::get<std::string>(spec);
  ASSIGN_OR_RETURN(const std::optional<TenantId> id, FindTenant(store_, name));
  if (!id) return NoSuchTenant(name);
  return *id;
}

std::shared_ptr<TenantRuntime> VirtualClustersImpl::RuntimeOf(const catalog::TenantRecord& record) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<TenantRuntime>& runtime = runtimes_[TenantId(record.id())];
  if (runtime == nullptr) runtime = std::make_shared<TenantRuntime>(store_, TenantId(record.id()), record.name());
  return runtime;
}

absl::StatusOr<TenantId> VirtualClustersImpl::LocateFor(const VirtualClusterSpec& spec, std::string_view verb) {
  ASSIGN_OR_RETURN(const TenantId id, Locate(spec));
  if (id != kSystemTenantId || verb.empty()) return id;
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("cannot {} tenant \"{}\", ID assigned to system tenant", verb, id.value()));
}

absl::StatusOr<VirtualClustersImpl::Statement> VirtualClustersImpl::Begin(const VirtualClusterSpec& spec,
                                                                          std::string_view verb, OnReader on_reader) {
  ASSIGN_OR_RETURN(const TenantId id, LocateFor(spec, verb));
  Statement statement;
  ASSIGN_OR_RETURN(statement.record, LoadTenant(store_, id));
  if (IsReader(statement.record) && on_reader == OnReader::kRefuse) return RefuseReader(store_, statement.record, verb);
  statement.runtime = RuntimeOf(statement.record);
  statement.turn = std::unique_lock(statement.runtime->statements);
  ASSIGN_OR_RETURN(statement.record, LoadTenant(store_, id));  // as it is now that it is our turn
  return statement;
}

absl::Status VirtualClustersImpl::Create(const std::string& name, CreateOptions options) {
  RETURN_IF_ERROR(CheckName(name));
  std::lock_guard creating(creating_);
  ASSIGN_OR_RETURN(const std::optional<TenantId> exists, FindTenant(store_, name));
  if (exists) return options.if_not_exists ? absl::OkStatus() : TenantExists(name);
  RETURN_IF_ERROR(CheckRoom(store_, 1));
  std::optional<TenantId> like;
  if (options.like) {
    ASSIGN_OR_RETURN(like, Locate(*options.like));
  }
  ASSIGN_OR_RETURN(const KeyspaceRef keyspace, store_->CreateKeyspace());
  catalog::TenantRecord record;
  record.set_name(name);
  SetState(record, DataState::kReady);
  SetMode(record, ServiceMode::kNone);
  record.set_incarnation(keyspace->incarnation().value());
  ToWire({{BranchId(store_->random()->NextHex(kBranchHexDigits)), kTimestampZero}}, record.mutable_ancestry());
  const absl::Status status = store_->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    if (like) RETURN_IF_ERROR(CopyTraits(update, *like, &record));
    RETURN_IF_ERROR(AddTenant(update, &record));
    update.Stage(keyspace).Publish();
    return absl::OkStatus();
  });
  if (!status.ok()) {
    (void)store_->DropKeyspace(keyspace);  // unpublished: the next start would drop it as well
    return status;
  }
  Log(LogLevel::kInfo, "catalog.created", "vc={} id={}", name, record.id());
  return absl::OkStatus();
}

// A name is free as soon as its virtual cluster is `dropping`; one that got stuck there still answers to it.
absl::StatusOr<TenantId> VirtualClustersImpl::LocateToDrop(const VirtualClusterSpec& spec) {
  const absl::StatusOr<TenantId> located = Locate(spec);
  if (located.ok() || SqlStateOf(located.status()) != sqlstate::kUndefinedObject) return located;
  ASSIGN_OR_RETURN(const std::vector<catalog::TenantRecord> records, LoadTenants(store_));
  for (const catalog::TenantRecord& record : records) {
    if (StateOf(record) == DataState::kDropping && record.name() == std::get<std::string>(spec))
      return TenantId(record.id());
  }
  return located;
}

absl::Status VirtualClustersImpl::Drop(const VirtualClusterSpec& spec, bool if_exists) {
  const absl::StatusOr<TenantId> located = LocateToDrop(spec);
  absl::StatusOr<Statement> statement = located.ok() ? Begin(*located, "drop", OnReader::kAllow) : located.status();
  if (!statement.ok()) {
    return if_exists && SqlStateOf(statement.status()) == sqlstate::kUndefinedObject ? absl::OkStatus()
                                                                                     : statement.status();
  }
  if (StateOf(statement->record) == DataState::kDropping) return FinishDrop(statement->record);
  const TenantId id = statement->runtime->id;
  catalog::TenantRecord dropping;
  TenantId reader;
  RETURN_IF_ERROR(UpdateTenant(store_, id, [&](MetaUpdate& update, catalog::TenantRecord& record) -> absl::Status {
    RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kDrop, record.name(), StateOf(record), ModeOf(record)));
    KeyspaceRef keyspace;
    if (!record.incarnation().empty()) {
      ASSIGN_OR_RETURN(keyspace, store_->FindKeyspace(IncarnationId(record.incarnation())));
      update.Stage(keyspace).BumpEpoch();  // R12
      update.Stage(keyspace).MarkDropping();
    }
    if (IsReader(record)) RETURN_IF_ERROR(ForgetReader(update, record));
    ASSIGN_OR_RETURN(reader, DropReader(update, record, keyspace));
    // Else its source knows.
    if (IsReplicating(StateOf(record)) || record.has_before_failover()) {
      JournalFarewell(update, record.replication(), Ending::kAbandoned);
    }
    SetState(record, DataState::kDropping);
    update.Delete(TenantNameKey(record.name()));  // the name is free from here on
    dropping = record;
    return absl::OkStatus();
  }));
  farewells_.SayJournaled();
  EndReader(reader);
  return FinishDrop(dropping);
}

// Everything here can be done again: by DROP, by the housekeeper, or by a start if a crash came in between.
absl::Status VirtualClustersImpl::FinishDrop(const catalog::TenantRecord& record) {
  const TenantId id(record.id());
  const std::shared_ptr<TenantRuntime> runtime = RuntimeOf(record);
  runtime->job.reset();
  runtime->sweeper.Stop();
  RETURN_IF_ERROR(source_.ForgetTenant(id));
  // Not found: it was dropped before the crash, or the store's start has done it.
  if (const auto keyspace = store_->FindKeyspace(IncarnationId(record.incarnation())); keyspace.ok()) {
    RETURN_IF_ERROR(store_->DropKeyspace(*keyspace));
  }
  const std::string incoming = IncomingDir(store_, StreamId(record.replication().stream_id()));
  std::error_code ignored;  // only disk space
  std::filesystem::remove_all(incoming, ignored);
  std::filesystem::remove_all(incoming + ".adopting", ignored);
  RemoveLedgers(LedgerRoot(store_), id);
  ASSIGN_OR_RETURN(const std::vector<catalog::LedgerRecord> ledgers, LoadLedgers(store_, id));
  RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) {
    for (const catalog::LedgerRecord& ledger : ledgers) DeleteLedger(update, IncarnationId(record.incarnation()), ledger);
    update.Delete(TenantKey(id));
    return absl::OkStatus();
  }));
  Log(LogLevel::kInfo, "catalog.dropped", "vc={} id={}", record.name(), record.id());
  std::lock_guard lock(mutex_);
  runtimes_.erase(id);
  return absl::OkStatus();
}

Timestamp VirtualClustersImpl::FrontierOf(const catalog::TenantRecord& record) {
  const auto keyspace = store_->FindKeyspace(IncarnationId(record.incarnation()));
  return keyspace.ok() && (*keyspace)->state()->ingesting ? (*keyspace)->state()->frontier : kTimestampZero;
}

// Every time that a user names is a time of the source, whatever this node's clock says.
Timestamp VirtualClustersImpl::SourceNow(const catalog::TenantRecord& record, const TenantRuntime& runtime) {
  if (!IsReplicating(StateOf(record))) return store_->visible();
  return {store_->clock()->WallNs() + static_cast<uint64_t>(runtime.progress->offset_ns())};
}

VirtualClusterInfo VirtualClustersImpl::InfoOf(const catalog::TenantRecord& record) {
  VirtualClusterInfo info{.id = TenantId(record.id()),
                          .name = record.name(),
                          .data_state = StateOf(record),
                          .service_mode = ModeOf(record),
                          .replication = std::nullopt,
                          .prior = std::nullopt,
                          .capabilities = CapabilitiesOf(record)};
  if (IsReader(record)) info.replication = ReaderStatus(record);
  const catalog::Replication& replication = record.replication();
  if (replication.phase() == catalog::Replication::DONE && record.failover_time() != 0) {
    info.prior =
        PriorReplication{.source_id = fmt::format("{}:{}", replication.source_cluster_id(), replication.source_tenant_id()),
                         .activation_time = {record.failover_time()}};
  }
  if (replication.phase() == catalog::Replication::NONE) return info;
  ReplicationStatus& status = info.replication.emplace();
  status.source_tenant_name = replication.source_tenant();
  status.source_cluster_uri = RedactUri(replication.uri());
  status.initial_copies = replication.initial_copies();
  if (record.failover_time() != 0) status.failover_time = Timestamp{record.failover_time()};
  const std::shared_ptr<TenantRuntime> runtime = RuntimeOf(record);
  status.progress = IsReplicating(info.data_state) ? runtime->progress->step() : runtime->sweeper.Step();
  if (record.has_before_failover()) {
    status.progress = fmt::format("can be undone until {}", FormatTimestampTz({record.before_failover().undo_until_ns()}));
  }
  if (!IsReplicating(info.data_state)) return info;
  if (replication.cutover() != 0) status.failover_time = Timestamp{replication.cutover()};
  const Timestamp frontier = FrontierOf(record);
  status.last_error = runtime->progress->last_error();
  status.ready_by = WayToReady(record, frontier);
  status.replicated_time = ReplicatedTime(replication, frontier);
  if (status.replicated_time) {
    status.retained_time = RetainedTime(replication, frontier);
    const int64_t lag_ns = static_cast<int64_t>(SourceNow(record, *runtime).ns - frontier.ns);
    status.replication_lag_ns = std::max<int64_t>(0, lag_ns);
  }
  return info;
}

absl::StatusOr<VirtualClusterInfo> VirtualClustersImpl::Show(const VirtualClusterSpec& spec) {
  ASSIGN_OR_RETURN(const TenantId id, Locate(spec));
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, id));
  return InfoOf(record);
}

absl::StatusOr<std::vector<VirtualClusterInfo>> VirtualClustersImpl::ShowAll() {
  ASSIGN_OR_RETURN(const std::vector<catalog::TenantRecord> records, LoadTenants(store_));
  std::vector<VirtualClusterInfo> rows;
  for (const catalog::TenantRecord& record : records) rows.push_back(InfoOf(record));
  return rows;
}

absl::StatusOr<VirtualClusters::FingerprintRow> VirtualClustersImpl::ShowFingerprint(
    const VirtualClusterSpec& spec, std::optional<std::string> start_expression, std::optional<std::string> at_expression,
    std::stop_token stop) {
  ASSIGN_OR_RETURN(const TenantId id, Locate(spec));
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, id));
  if (IsReader(record)) return RefuseReader(store_, record, "fingerprint");
  const auto keyspace = store_->FindKeyspace(IncarnationId(record.incarnation()));
  const Timestamp resolved = keyspace.ok() ? store_->Resolved(**keyspace) : kTimestampZero;
  if (resolved.IsZero()) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("virtual cluster \"{}\" in state {} holds no complete data yet", record.name(),
                                ToString(StateOf(record))),
                    "Wait until SHOW VIRTUAL CLUSTER ... WITH REPLICATION STATUS shows a replicated_time.");
  }
  const Timestamp now = SourceNow(record, *RuntimeOf(record));
  Timestamp at = resolved;
  if (at_expression) {
    ASSIGN_OR_RETURN(at, ResolveSystemTime(*at_expression, now));
    if (!(*keyspace)->state()->ingesting) RETURN_IF_ERROR(store_->WaitReadable(*keyspace, at, stop));  // R2
  }
  std::optional<Timestamp> start;
  if (start_expression) {
    ASSIGN_OR_RETURN(start, ResolveSystemTime(*start_expression, now));
  }
  FingerprintRow row{.name = record.name(), .at = at, .fingerprint = {}};
  ASSIGN_OR_RETURN(row.fingerprint, ComputeFingerprint(store_, *keyspace, start, at, stop));
  return row;
}

absl::StatusOr<wire::OpenResponse> VirtualClustersImpl::OpenStream(const wire::OpenRequest& request, const StreamUser& user,
                                                                   std::stop_token stop) {
  return source_.Open(request, user, std::move(stop));
}

absl::Status VirtualClustersImpl::ServeSubscription(const wire::SubscribeRequest& request, const StreamUser& user,
                                                    FrameTransport& transport, std::stop_token stop) {
  return source_.ServeSubscription(request, user, transport, std::move(stop));
}

absl::Status VirtualClustersImpl::ServeCopy(const wire::CopyRequest& request, const StreamUser& user,
                                            FrameTransport& transport, std::stop_token stop) {
  return source_.ServeCopy(request, user, transport, std::move(stop));
}

absl::StatusOr<wire::FinishResponse> VirtualClustersImpl::FinishStream(const wire::FinishRequest& request,
                                                                       const StreamUser& user) {
  return source_.Finish(request, user);
}

}  // namespace anabranch
