// The statements that start, pause, resume and end a replication into a virtual cluster of this node.
#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "base/status.h"
#include "base/system_time.h"
#include "stream/source_client.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/limits.h"
#include "tenant/replication/answer.h"
#include "tenant/replication/failback.h"
#include "tenant/replication/lost_writes.h"
#include "tenant/replication/open_request.h"
#include "tenant/replication/reader.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

absl::StatusOr<uint64_t> RetentionOf(Store* store, const ReplicationOptions& options) {
  if (options.retention_ns) return *options.retention_ns;
  return ReadDurationNs(store, ClusterSetting::kDefaultRetention);
}

}  // namespace

// Judged by the source, by us, and by this node's clock (R2).
absl::StatusOr<wire::OpenResponse> VirtualClustersImpl::Handshake(const std::string& address,
                                                                  const wire::OpenRequest& request, std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::string uri, connections_.Resolve(address));
  ASSIGN_OR_RETURN(const auto client, SourceClient::Connect(uri, std::move(stop)));
  absl::StatusOr<wire::OpenResponse> response = client->Open(request);
  if (!response.ok()) return WithContext(response.status(), "source");
  RETURN_IF_ERROR(CheckAnswer(request, *response));
  if (absl::Status skewed = store_->ForwardClock({response->clock_ns()}); !skewed.ok()) {
    if (request.stream_id() == 0 && !request.explain()) GiveUp(address, *response);
    return skewed;
  }
  return response;
}

// Of a stream that the source has made for us and nothing here names: the same statement, run twice at a time, has one.
void VirtualClustersImpl::GiveUp(const std::string& address, const wire::OpenResponse& answer) {
  if (CheckNewStream(store_, StreamId(answer.stream_id())).ok()) farewells_.SendAbandoned(address, answer);
}

void VirtualClustersImpl::StartJob(TenantRuntime& runtime) {
  runtime.job.reset();
  TenantRuntime* const held = &runtime;  // outlives its job
  runtime.job = std::make_unique<ReplicationJob>(ReplicationJob::Options{
      .store = store_,
      .tenant = runtime.id,
      .progress = runtime.progress,
      .resolve = [this](const std::string& address) { return connections_.Resolve(address); },
      .end_streams = [this, id = runtime.id] { source_.EndStreams(id); },
      .on_failover = [this, held](const PublishedFailover& published) { AfterFailover(*held, published); },
  });
}

absl::Status VirtualClustersImpl::CreateFromReplication(const std::string& name, CreateOptions options,
                                                        const VirtualClusterSpec& source, const std::string& address,
                                                        ReplicationOptions replication, std::stop_token stop) {
  RETURN_IF_ERROR(CheckName(name));
  ASSIGN_OR_RETURN(const std::string uri, NormalizeAddress(address));
  RETURN_IF_ERROR(CheckExpirationWindow(replication.expiration_window_ns));
  const ExternalConnections::Use use(&connections_, uri);
  ASSIGN_OR_RETURN(const std::optional<TenantId> exists, FindTenant(store_, name));
  if (exists) return options.if_not_exists ? absl::OkStatus() : TenantExists(name);
  catalog::TenantRecord record;
  record.set_name(name);
  const bool reader = replication.read_virtual_cluster;
  if (reader) RETURN_IF_ERROR(CheckReaderName(store_, record));
  RETURN_IF_ERROR(CheckRoom(store_, reader ? 2 : 1));
  std::optional<TenantId> like;
  if (options.like) {
    ASSIGN_OR_RETURN(like, Locate(*options.like));
  }

  ASSIGN_OR_RETURN(wire::OpenRequest request, CopyHandshake(store_, name, source));
  request.set_expiration_window_ns(replication.expiration_window_ns.value_or(0));
  ASSIGN_OR_RETURN(const uint64_t retention_ns, RetentionOf(store_, replication));
  ASSIGN_OR_RETURN(const wire::OpenResponse response, Handshake(uri, request, std::move(stop)));

  SetState(record, DataState::kInitializing);
  SetMode(record, ServiceMode::kNone);
  catalog::Replication* job = record.mutable_replication();
  job->set_phase(catalog::Replication::COPYING);
  job->set_source_tenant(response.source_tenant());
  job->set_source_tenant_id(response.source_tenant_id());
  job->set_uri(uri);
  job->set_stream_id(response.stream_id());
  job->set_source_cluster_id(response.source_cluster_id());
  job->set_retention_ns(retention_ns);
  job->set_start_at(response.start_at());
  job->set_created_at_ns(store_->clock()->WallNs());
  job->set_created_by(replication.user);
  job->set_source_expiration_window_ns(response.expiration_window_ns());
  job->set_source_clock_offset_ns(static_cast<int64_t>(response.clock_ns() - store_->clock()->WallNs()));
  std::lock_guard creating(creating_);
  absl::Status status = CheckRoom(store_, reader ? 2 : 1);
  if (status.ok()) {
    status = store_->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
      if (like) RETURN_IF_ERROR(CopyTraits(update, *like, &record));
      RETURN_IF_ERROR(AddTenant(update, &record));
      RETURN_IF_ERROR(CheckNewStream(store_, StreamId(response.stream_id())));
      return reader ? AddReader(update, record, ReaderStart::kAdded) : absl::OkStatus();
    });
  }
  if (!status.ok()) {
    if (WasRefused(status)) GiveUp(uri, response);
    if (!options.if_not_exists || SqlStateOf(status) != sqlstate::kDuplicateObject) return status;
    ASSIGN_OR_RETURN(const std::optional<TenantId> taken, FindTenant(store_, name));
    return taken ? absl::OkStatus() : status;  // else it is the reader's name that is taken
  }
  Log(LogLevel::kInfo, "replication.created", "vc={} id={} source={} uri={}", name, record.id(), response.source_tenant(),
      RedactUri(uri));
  const std::shared_ptr<TenantRuntime> runtime = RuntimeOf(record);
  std::lock_guard turn(runtime->statements);
  // A statement may have come in between: then it has decided about the job.
  ASSIGN_OR_RETURN(const catalog::TenantRecord now, LoadTenant(store_, runtime->id));
  if (StateOf(now) != DataState::kInitializing || runtime->job != nullptr) return absl::OkStatus();
  runtime->progress->SetOffset(job->source_clock_offset_ns());
  StartJob(*runtime);
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::StartReplication(const VirtualClusterSpec& spec, const VirtualClusterSpec& source,
                                                   const std::string& address, ReplicationOptions replication,
                                                   std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::string uri, NormalizeAddress(address));
  RETURN_IF_ERROR(CheckExpirationWindow(replication.expiration_window_ns));
  const ExternalConnections::Use use(&connections_, uri);
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "start replication of"));
  const catalog::TenantRecord& record = statement.record;
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kStartReplication, record.name(), StateOf(record), ModeOf(record)));
  if (replication.read_virtual_cluster) {
    RETURN_IF_ERROR(CheckReaderName(store_, record));
    RETURN_IF_ERROR(CheckRoom(store_, record.reader() != 0 ? 0 : 1));
  }
  const StreamSource::FailbackPreparation preparation(&source_, statement.runtime->id);
  ASSIGN_OR_RETURN(const uint64_t retention_ns, RetentionOf(store_, replication));
  ASSIGN_OR_RETURN(const uint64_t lost_writes_bytes_max, ReadInteger(store_, ClusterSetting::kLostWritesBytesMax));
  wire::OpenRequest handshake = FailbackHandshake(store_, record, source);
  handshake.set_expiration_window_ns(replication.expiration_window_ns.value_or(0));
  ASSIGN_OR_RETURN(const wire::OpenResponse response, Handshake(uri, handshake, stop));
  const StreamId stream(response.stream_id());
  RETURN_IF_ERROR(CheckNewStream(store_, stream));
  // R5. Only now that the source agrees: until then the failover that brought this one here could still be undone.
  absl::Status swept = SettleFailover(*statement.runtime, "it was told to follow another");
  if (swept.ok()) swept = statement.runtime->sweeper.WaitIdle(std::move(stop), kSweepWaitMs);
  const absl::StatusOr<PreparedFailback> prepared = swept.ok()
                                                        ? PrepareFailback(store_, record, response, lost_writes_bytes_max)
                                                        : absl::StatusOr<PreparedFailback>(swept);
  if (!prepared.ok()) {
    GiveUp(uri, response);
    return prepared.status();
  }
  const FailbackRequest request{.uri = uri,
                                .retention_ns = retention_ns,
                                .user = replication.user,
                                .read_virtual_cluster = replication.read_virtual_cluster};
  if (absl::Status status = JournalFailback(store_, record, request, response, *prepared); !status.ok()) {
    // A journal that was lost on its way to the disk may be there after a restart, and needs both.
    if (WasRefused(status)) {
      RemoveLedger(store_, statement.runtime->id, stream);
      GiveUp(uri, response);
    }
    return status;
  }
  Log(LogLevel::kInfo, "failback.journaled", "vc={} point={} versions={} source={}", record.name(),
      FormatHlc({response.start_at()}), prepared->ledger.versions, RedactUri(uri));
  EndReader(TenantId(record.reader()));
  statement.runtime->progress->SetOffset(static_cast<int64_t>(response.clock_ns() - store_->clock()->WallNs()));
  statement.runtime->progress->SetError("");
  StartJob(*statement.runtime);
  if (const absl::Status trimmed = TrimLedgers(store_, lost_writes_bytes_max); !trimmed.ok()) {
    Log(LogLevel::kWarning, "ledger.trim_failed", "error=\"{}\"", MessageOf(trimmed));  // the housekeeper tries again
  }
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::PauseReplication(const VirtualClusterSpec& spec) {
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "pause replication of"));
  KeyspaceRef keyspace;
  if (!statement.record.incarnation().empty()) {
    ASSIGN_OR_RETURN(keyspace, store_->FindKeyspace(IncarnationId(statement.record.incarnation())));
  }
  RETURN_IF_ERROR(
      UpdateTenant(store_, statement.runtime->id, [&](MetaUpdate& update, catalog::TenantRecord& now) -> absl::Status {
        RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kPause, now.name(), StateOf(now), ModeOf(now)));
        SetState(now, DataState::kPaused);
        // R4. The initial copy may have been adopted since: then its job stops at the state, before it writes.
        if (keyspace != nullptr) update.Stage(keyspace).BumpEpoch();
        return absl::OkStatus();
      }));
  statement.runtime->job.reset();
  Log(LogLevel::kInfo, "replication.paused", "vc={}", statement.record.name());
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::ResumeReplication(const VirtualClusterSpec& spec) {
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "resume replication of"));
  const catalog::TenantRecord& record = statement.record;
  RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kResume, record.name(), StateOf(record), ModeOf(record)));
  if (StateOf(record) != DataState::kPaused && StateOf(record) != DataState::kError) {
    if (statement.runtime->job == nullptr || !statement.runtime->job->IsAlive()) StartJob(*statement.runtime);
    return absl::OkStatus();
  }
  const Timestamp frontier = FrontierOf(record);
  RETURN_IF_ERROR(UpdateTenant(store_, statement.runtime->id, [&](MetaUpdate&, catalog::TenantRecord& now) -> absl::Status {
    RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kResume, now.name(), StateOf(now), ModeOf(now)));
    const bool pending = now.replication().cutover() != 0;
    const bool replicated = ReplicatedTime(now.replication(), frontier).has_value();
    SetState(now, pending ? DataState::kPendingFailover : replicated ? DataState::kReplicating : DataState::kInitializing);
    now.mutable_replication()->clear_last_error();
    return absl::OkStatus();
  }));
  statement.runtime->progress->SetError("");
  StartJob(*statement.runtime);
  Log(LogLevel::kInfo, "replication.resumed", "vc={}", record.name());
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::CancelReplication(const VirtualClusterSpec& spec, const std::string& user) {
  ASSIGN_OR_RETURN(Statement statement, Begin(spec, "cancel replication of"));
  TenantRuntime& runtime = *statement.runtime;
  ASSIGN_OR_RETURN(const CancelPlan plan, JudgeCancel(statement.record, FrontierOf(statement.record)));
  if (plan == CancelPlan::kNothing) return absl::OkStatus();
  runtime.job.reset();  // which may have begun to undo, or brought the first data
  absl::Status status = CancelJobless(statement, user);
  if (!status.ok()) StartJob(runtime);  // for as long as the record wants one
  return status;
}

absl::Status VirtualClustersImpl::CancelJobless(Statement& statement, const std::string& user) {
  TenantRuntime& runtime = *statement.runtime;
  ASSIGN_OR_RETURN(statement.record, LoadTenant(store_, runtime.id));
  const catalog::Replication& replication = statement.record.replication();
  ASSIGN_OR_RETURN(const CancelPlan plan, JudgeCancel(statement.record, FrontierOf(statement.record)));
  if (plan == CancelPlan::kNothing) return absl::OkStatus();  // the job has reached a pending target
  if (plan == CancelPlan::kPutBack) {
    RETURN_IF_ERROR(PutBack(store_, runtime.id));
    EndReader(TenantId(statement.record.reader()));
    const StreamId stream(replication.stream_id());
    RemoveLedger(store_, runtime.id, stream);
    farewells_.SayJournaled();
  } else {
    const auto judge = [](const catalog::TenantRecord& record, Timestamp frontier) -> absl::StatusOr<FailoverPlan> {
      ASSIGN_OR_RETURN(const CancelPlan now, JudgeCancel(record, frontier));
      if (now != CancelPlan::kGoToDivergence) {
        return SqlError(sqlstate::kObjectInUse,
                        fmt::format("virtual cluster \"{}\" changed while its replication was cancelled", record.name()),
                        "Try again.");
      }
      return FailoverPlan{.at = {record.replication().diverged_at()}, .reached = true};
    };
    const FailoverOrder order{.user = user, .undo_window_ns = 0, .statement = catalog::FailoverReceipt::CANCEL};
    ASSIGN_OR_RETURN(const PublishedFailover published, PublishFailover(store_, runtime.id, judge, order));
    AfterFailover(runtime, published);
  }
  runtime.progress->SetError("");
  Log(LogLevel::kInfo, "replication.cancelled", "vc={} result={}", statement.record.name(),
      plan == CancelPlan::kPutBack ? "as before" : "ready where the histories parted");
  return absl::OkStatus();
}

}  // namespace anabranch
