#include "tenant/source/source.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/log.h"
#include "base/quote.h"
#include "base/status.h"
#include "storage/protection.h"
#include "storage/transfer.h"
#include "stream/frame.h"
#include "stream/producer.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/paths.h"
#include "tenant/catalog/stream_state.h"
#include "tenant/replication/estimate.h"
#include "tenant/replication/reader.h"
#include "tenant/replication/undo_failover.h"

namespace anabranch {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMsNs = 1'000'000;

void RemoveFolder(const std::string& dir) {
  std::error_code error;
  fs::remove_all(dir, error);
  if (error) Log(LogLevel::kWarning, "stream.remove_failed", "dir={} error=\"{}\"", dir, error.message());
}

absl::Status HistoryReleased(const std::string& tenant, Timestamp needed, Timestamp kept) {
  return SqlError(
      sqlstate::kObjectNotInPrerequisiteState,
      fmt::format("history of virtual cluster \"{}\" at {} was released: it is retained since {}", tenant,
                  FormatHlc(needed), FormatHlc(kept)),
      "Make another standby with CREATE VIRTUAL CLUSTER ... FROM REPLICATION OF ..., and drop this one after that.");
}

absl::Status CheckReady(const catalog::TenantRecord& tenant) {
  return CheckAllowed(LifecycleAction::kServeStream, tenant.name(), StateOf(tenant), ModeOf(tenant));
}

// For a stream that exists: its source may be in the middle of a failback of its own, and ready again later. The standby
// is to ask again.
absl::Status CheckReadyAgain(const catalog::TenantRecord& tenant) {
  const absl::Status ready = CheckReady(tenant);
  return ready.ok() ? ready : SqlError(sqlstate::kCannotConnectNow, MessageOf(ready), HintOf(ready));
}

// R13. Whatever the connection string says: it is judged by who answers.
absl::Status CheckAnother(const ClusterId& cluster, const catalog::TenantRecord& source, const wire::OpenRequest& request) {
  const bool same = request.destination_cluster_id() == cluster.value() && request.destination_tenant_id() == source.id();
  if (!same) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("virtual cluster \"{}\" cannot be replicated from itself", source.name()),
                  "The connection string leads to this very cluster: give that of the cluster that has the other copy.");
}

// Judged on the writer thread: the source is as it was when the stream was opened. Returns it.
absl::StatusOr<catalog::TenantRecord> LoadSame(MetaUpdate& update, const catalog::TenantRecord& before) {
  ASSIGN_OR_RETURN(catalog::TenantRecord now, LoadTenant(update, TenantId(before.id())));
  RETURN_IF_ERROR(CheckReady(now));
  if (now.incarnation() == before.incarnation() && FromWire(now.ancestry()) == FromWire(before.ancestry())) return now;
  return SqlError(sqlstate::kObjectInUse,
                  fmt::format("the history of virtual cluster \"{}\" changed meanwhile", now.name()));
}

// A standby that had a stream already waits for as long as the promotion of its source can be taken back.
absl::Status CheckSettled(const catalog::TenantRecord& tenant) {
  if (!tenant.has_before_failover()) return absl::OkStatus();
  return SqlError(
      sqlstate::kCannotConnectNow,
      fmt::format("cannot replicate from virtual cluster \"{}\" yet: its failover can still be undone", tenant.name()),
      fmt::format("It goes on by itself after ALTER VIRTUAL CLUSTER {} START SERVICE SHARED.",
                  QuotedIdentifier(tenant.name())));
}

// What the destination was promised before is of a handshake that it gave up: it prepares one failback at a time.
absl::Status Promise(MetaUpdate& update, const catalog::StreamRecord& stream, catalog::TenantRecord& tenant) {
  const std::vector<uint64_t> before(tenant.promised_streams().begin(), tenant.promised_streams().end());
  tenant.clear_promised_streams();
  for (const uint64_t id : before) {
    ASSIGN_OR_RETURN(const catalog::StreamRecord earlier, LoadStream(update, StreamId(id)));
    const bool replaced = earlier.destination_cluster_id() == stream.destination_cluster_id() &&
                          earlier.destination_tenant_id() == stream.destination_tenant_id();
    if (!replaced) tenant.add_promised_streams(id);
  }
  tenant.add_promised_streams(stream.stream_id());
  return absl::OkStatus();
}

// Nothing if it was not promised, or its virtual cluster is gone.
absl::Status EndPromise(MetaUpdate& update, const catalog::StreamRecord& stream) {
  const TenantId id(stream.tenant_id());
  ASSIGN_OR_RETURN(const std::optional<std::string> there, update.GetBefore(TenantKey(id)));
  if (!there) return absl::OkStatus();
  ASSIGN_OR_RETURN(catalog::TenantRecord tenant, LoadTenant(update, id));
  auto* const promised = tenant.mutable_promised_streams();
  const auto kept = std::remove(promised->begin(), promised->end(), stream.stream_id());
  if (kept == promised->end()) return absl::OkStatus();
  promised->erase(kept, promised->end());
  PutTenant(update, tenant);
  return absl::OkStatus();
}

absl::Status NotOwner(const catalog::StreamRecord& record, const StreamUser& user, std::string hint) {
  return SqlError(sqlstate::kInsufficientPrivilege,
                  fmt::format("user {} does not own stream {}", user.name, StreamText(StreamId(record.stream_id()))),
                  std::move(hint));
}

// For what is not OPEN. A standby that does not say which cluster it is runs an older program, which did not.
absl::Status CheckOwner(const catalog::StreamRecord& record, const StreamUser& user, const std::string& destination) {
  if (!destination.empty() && destination != record.destination_cluster_id()) {
    return SqlError(sqlstate::kInsufficientPrivilege,
                    fmt::format("stream {} is of another standby", StreamText(StreamId(record.stream_id()))));
  }
  const bool unowned = record.owner().empty() && !destination.empty();
  return unowned || record.owner() == user.name
             ? absl::OkStatus()
             : NotOwner(record, user, "Open the stream as the user who began it, or as one who has admin.");
}

absl::Status CheckKnownFile(const catalog::StreamRecord& record, const wire::CopyRequest& request) {
  const auto& files = record.manifest().files();
  const bool known = std::any_of(files.begin(), files.end(), [&](const wire::TransferFile& file) {
    return file.family() == request.family() && file.name() == request.name();
  });
  if (known) return absl::OkStatus();
  return SqlError(sqlstate::kUndefinedObject,
                  fmt::format("stream {} has no such file", StreamText(StreamId(record.stream_id()))));
}

}  // namespace

StreamSource::FailbackPreparation::FailbackPreparation(StreamSource* source, TenantId tenant)
    : source_(source), tenant_(tenant) {
  std::lock_guard lock(source_->mutex_);
  source_->preparing_.insert(tenant_);
}

StreamSource::FailbackPreparation::~FailbackPreparation() {
  std::lock_guard lock(source_->mutex_);
  source_->preparing_.erase(tenant_);
}

// In this order, and a connection registers before it looks: none is missed.
StreamSource::Closing::Closing(StreamSource* source, TenantId tenant) : source_(source), tenant_(tenant) {
  {
    std::lock_guard lock(source_->mutex_);
    source_->closed_.insert(tenant_);
  }
  source_->registry_.EndTenant(tenant_);
}

StreamSource::Closing::~Closing() {
  std::lock_guard lock(source_->mutex_);
  source_->closed_.erase(tenant_);
}

// The window is the stream's own, or else the cluster's.
absl::StatusOr<uint64_t> StreamSource::NewExpiration(uint64_t window_ns) const {
  if (window_ns == 0) {
    ASSIGN_OR_RETURN(window_ns, ReadDurationNs(store_, ClusterSetting::kExpirationWindow));
  }
  return store_->clock()->WallNs() + window_ns;
}

absl::Status StreamSource::Recover() {
  ASSIGN_OR_RETURN(const std::vector<catalog::StreamRecord> streams, LoadStreams(store_));
  std::set<std::string> exports;
  for (const catalog::StreamRecord& record : streams) {
    const StreamState state = StateOf(record);
    if (state == StreamState::kExporting) {
      RETURN_IF_ERROR(Forget(StreamId(record.stream_id())));
    } else if (state == StreamState::kCopying) {
      exports.insert(StreamText(StreamId(record.stream_id())));
    }
  }
  std::error_code error;
  for (fs::directory_iterator it(ExportsRoot(store_), error), end; !error && it != end; it.increment(error)) {
    if (!exports.contains(it->path().filename().string())) RemoveFolder(it->path().string());
  }
  return ExpireSilent();
}

absl::Status StreamSource::ExpireSilent() {
  ASSIGN_OR_RETURN(const std::vector<catalog::StreamRecord> streams, LoadStreams(store_));
  const uint64_t now_ns = store_->clock()->WallNs();
  for (const catalog::StreamRecord& record : streams) {
    if (!CanExpire(StateOf(record)) || record.expires_at_ns() > now_ns) continue;
    Log(LogLevel::kWarning, "stream.expired", "stream={} destination={}", StreamText(StreamId(record.stream_id())),
        record.destination_tenant());
    RETURN_IF_ERROR(Forget(StreamId(record.stream_id())));
  }
  return absl::OkStatus();
}

// The connections go before the protection does: none reads history that may be collected.
absl::Status StreamSource::Forget(StreamId stream) {
  registry_.EndStream(stream);
  RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<std::string> there, update.GetBefore(StreamKey(stream)));
    if (!there) return absl::OkStatus();
    ASSIGN_OR_RETURN(const catalog::StreamRecord record, LoadStream(update, stream));
    update.Delete(StreamKey(stream));
    Unprotect(update, IncarnationId(record.incarnation()), StreamKey(stream));
    return EndPromise(update, record);
  }));
  RemoveFolder(ExportDir(store_, stream));
  std::lock_guard lock(mutex_);
  live_.erase(stream);
  return absl::OkStatus();
}

absl::Status StreamSource::ForgetTenant(TenantId tenant) {
  registry_.EndTenant(tenant);
  ASSIGN_OR_RETURN(const std::vector<catalog::StreamRecord> streams, LoadStreams(store_));
  for (const catalog::StreamRecord& record : streams) {
    if (record.tenant_id() == tenant.value()) RETURN_IF_ERROR(Forget(StreamId(record.stream_id())));
  }
  return absl::OkStatus();
}

// A stream knows its source by id, so that a rename does not end it. Before there is a stream, the statement's name or id
// counts.
absl::StatusOr<TenantId> StreamSource::LocateSource(const wire::OpenRequest& request) {
  if (request.stream_id() != 0) {
    ASSIGN_OR_RETURN(const catalog::StreamRecord record, LoadStream(store_, StreamId(request.stream_id())));
    return TenantId(record.tenant_id());
  }
  if (request.source_tenant_id() != 0) return TenantId(request.source_tenant_id());
  ASSIGN_OR_RETURN(const std::optional<TenantId> id, FindTenant(store_, request.source_tenant()));
  if (!id) return NoSuchTenant(request.source_tenant());
  return *id;
}

absl::StatusOr<StreamSource::Source> StreamSource::FindSource(const wire::OpenRequest& request) {
  ASSIGN_OR_RETURN(const TenantId id, LocateSource(request));
  if (id == kSystemTenantId) {
    return SqlError(sqlstate::kInvalidParameterValue, "cannot replicate tenant \"1\", ID assigned to system tenant");
  }
  Source source;
  ASSIGN_OR_RETURN(source.tenant, LoadTenant(store_, id));
  if (IsReader(source.tenant)) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("cannot replicate from virtual cluster \"{}\": it only reads another virtual cluster",
                                source.tenant.name()),
                    "Replicate from the virtual cluster that it reads, once that is ready, or from that one's source.");
  }
  if (source.tenant.incarnation().empty()) return CheckReady(source.tenant);  // not even copied
  ASSIGN_OR_RETURN(source.keyspace, store_->FindKeyspace(IncarnationId(source.tenant.incarnation())));
  return source;
}

absl::StatusOr<wire::OpenResponse> StreamSource::Open(const wire::OpenRequest& request, const StreamUser& user,
                                                      std::stop_token stop) {
  if (request.protocol_version() != kProtocolVersion) {
    return SqlError(sqlstate::kProtocolViolation,
                    fmt::format("the standby speaks version {} of the stream protocol, this source version {}",
                                request.protocol_version(), kProtocolVersion));
  }
  RETURN_IF_ERROR(store_->ForwardClock({request.clock_ns()}));  // R2
  RETURN_IF_ERROR(ExpireSilent());
  ASSIGN_OR_RETURN(const Source source, FindSource(request));
  RETURN_IF_ERROR(CheckAnother(store_->cluster_id(), source.tenant, request));
  if (request.stream_id() != 0) return OpenAgain(source, request, user);
  RETURN_IF_ERROR(CheckReady(source.tenant));
  if (request.explain()) return ExplainFailback(source, request, stop);
  return request.ancestry().empty() ? OpenNew(source, request, user, stop) : OpenFailback(source, request, user);
}

absl::StatusOr<wire::OpenResponse> StreamSource::Answer(const Source& source, StreamId stream, Timestamp start_at) {
  ASSIGN_OR_RETURN(const uint64_t checkpoint_interval_ns, ReadDurationNs(store_, ClusterSetting::kCheckpointInterval));
  wire::OpenResponse response;
  response.set_clock_ns(store_->visible().ns);
  response.set_stream_id(stream.value());
  response.set_source_cluster_id(store_->cluster_id().value());
  response.set_source_tenant_id(source.tenant.id());
  response.set_source_tenant(source.tenant.name());
  *response.mutable_ancestry() = source.tenant.ancestry();
  response.set_start_at(start_at.ns);
  response.add_partitions()->add_spans();  // one partition, everything, here
  response.set_checkpoint_interval_ms(checkpoint_interval_ns / kMsNs);
  std::lock_guard lock(mutex_);
  Live& live = live_[stream];
  live.branch = source.tenant.ancestry().rbegin()->branch_id();
  live.checkpoint_interval_ns = checkpoint_interval_ns;
  return response;
}

absl::Status StreamSource::AddStream(const Source& source, const wire::OpenRequest& request, const StreamUser& user,
                                     StreamId stream, Timestamp protect, Purpose purpose) {
  catalog::StreamRecord record;
  record.set_stream_id(stream.value());
  record.set_tenant_id(source.tenant.id());
  record.set_incarnation(source.tenant.incarnation());
  record.set_destination_cluster_id(request.destination_cluster_id());
  record.set_destination_tenant(request.destination_tenant());
  record.set_destination_tenant_id(request.destination_tenant_id());
  record.set_owner(user.name);
  record.set_protected_at(protect.ns);
  record.set_expiration_window_ns(request.expiration_window_ns());
  ASSIGN_OR_RETURN(const uint64_t expires_at_ns, NewExpiration(request.expiration_window_ns()));
  record.set_expires_at_ns(expires_at_ns);
  record.set_created_at_ns(store_->clock()->WallNs());
  record.set_exporting(purpose == Purpose::kInitialCopy);
  std::optional<catalog::TenantRecord> settled;
  RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    ASSIGN_OR_RETURN(catalog::TenantRecord now, LoadSame(update, source.tenant));
    const Timestamp floor = update.Before(source.keyspace)->floor;
    if (protect < floor) return HistoryReleased(source.tenant.name(), protect, floor);  // R8
    PutStream(update, record);
    Protect(update, source.keyspace->incarnation(), StreamKey(stream), protect);
    if (purpose == Purpose::kFailback) RETURN_IF_ERROR(Promise(update, record, now));
    if (EndUndo(update, now, kReplicatedFrom)) settled = now;
    PutTenant(update, now);
    return absl::OkStatus();
  }));
  if (settled) options_.settled(*settled);
  return absl::OkStatus();
}

absl::StatusOr<wire::OpenResponse> StreamSource::OpenNew(const Source& source, const wire::OpenRequest& request,
                                                         const StreamUser& user, std::stop_token stop) {
  RETURN_IF_ERROR(options_.wait_swept(TenantId(source.tenant.id()), stop));  // R7
  const StreamId stream(store_->random()->NextNonZero());
  RETURN_IF_ERROR(AddStream(source, request, user, stream, store_->visible(), Purpose::kInitialCopy));
  std::error_code error;
  fs::create_directories(ExportsRoot(store_), error);
  absl::StatusOr<TransferManifest> manifest = ExportKeyspace(store_, source.keyspace, ExportDir(store_, stream));
  absl::Status status = manifest.status();
  if (status.ok()) {
    status = UpdateStream(store_, stream, [&](MetaUpdate& update, catalog::StreamRecord& record) -> absl::Status {
      RETURN_IF_ERROR(LoadSame(update, source.tenant).status());
      record.set_exporting(false);
      *record.mutable_manifest() = ToWire(*manifest);
      *record.mutable_export_ancestry() = source.tenant.ancestry();
      return absl::OkStatus();
    });
  }
  if (!status.ok()) {
    if (const absl::Status forgotten = Forget(stream); !forgotten.ok()) {
      Log(LogLevel::kWarning, "stream.forget_failed", "stream={} error=\"{}\"", StreamText(stream), MessageOf(forgotten));
    }
    return status;
  }
  Log(LogLevel::kInfo, "stream.created", "stream={} vc={} destination={} files={} from={} upto={}", StreamText(stream),
      source.tenant.name(), request.destination_tenant(), manifest->files.size(), FormatHlc(manifest->copied_from),
      FormatHlc(manifest->copied_upto));
  ASSIGN_OR_RETURN(wire::OpenResponse response, Answer(source, stream, manifest->copied_from));
  *response.mutable_manifest() = ToWire(*manifest);
  return response;
}

absl::Status StreamSource::CheckNotPreparing(const catalog::TenantRecord& tenant) {
  std::lock_guard lock(mutex_);
  if (!preparing_.contains(TenantId(tenant.id()))) return absl::OkStatus();
  return SqlError(
      sqlstate::kObjectInUse,
      fmt::format("virtual cluster \"{}\" is preparing a failback of its own: it does not feed one", tenant.name()),
      "Try again when its START REPLICATION has ended, if that was refused; otherwise it follows this one.");
}

absl::StatusOr<Timestamp> StreamSource::JudgeFailback(const Source& source, const wire::OpenRequest& request) {
  RETURN_IF_ERROR(CheckNotPreparing(source.tenant));
  return CommonPoint(FromWire(source.tenant.ancestry()), FromWire(request.ancestry()), {request.frontier()});
}

absl::StatusOr<wire::OpenResponse> StreamSource::ExplainFailback(const Source& source, const wire::OpenRequest& request,
                                                                 std::stop_token stop) {
  ASSIGN_OR_RETURN(const Timestamp point, JudgeFailback(source, request));
  const Timestamp floor = source.keyspace->state()->floor;
  if (point < floor) return HistoryReleased(source.tenant.name(), point, floor);
  wire::OpenResponse response;
  response.set_clock_ns(store_->visible().ns);
  response.set_source_cluster_id(store_->cluster_id().value());
  response.set_source_tenant_id(source.tenant.id());
  response.set_source_tenant(source.tenant.name());
  *response.mutable_ancestry() = source.tenant.ancestry();
  response.set_start_at(point.ns);
  ASSIGN_OR_RETURN(const RangeEstimate estimate,
                   EstimateRange(store_, source.keyspace, point, ChangeFilter::kVisible, std::move(stop)));
  *response.mutable_to_fetch() = ToWire(estimate);
  return response;
}

absl::StatusOr<wire::OpenResponse> StreamSource::OpenFailback(const Source& source, const wire::OpenRequest& request,
                                                              const StreamUser& user) {
  ASSIGN_OR_RETURN(const Timestamp point, JudgeFailback(source, request));
  const StreamId stream(store_->random()->NextNonZero());
  RETURN_IF_ERROR(AddStream(source, request, user, stream, point, Purpose::kFailback));
  Log(LogLevel::kInfo, "stream.failback_opened", "stream={} vc={} destination={} point={}", StreamText(stream),
      source.tenant.name(), request.destination_tenant(), FormatHlc(point));
  return Answer(source, stream, point);
}

// By its owner, or by an administrator, who owns it from then on. So does whoever comes first to one without an owner.
absl::Status StreamSource::TakeOver(const catalog::StreamRecord& record, const StreamUser& user) {
  if (record.owner() == user.name) return absl::OkStatus();
  Log(LogLevel::kInfo, "stream.taken_over", "stream={} from=\"{}\" to=\"{}\"", StreamText(StreamId(record.stream_id())),
      record.owner(), user.name);
  return UpdateStream(store_, StreamId(record.stream_id()), [&](MetaUpdate&, catalog::StreamRecord& now) {
    now.set_owner(user.name);
    return absl::OkStatus();
  });
}

absl::StatusOr<wire::OpenResponse> StreamSource::OpenAgain(const Source& source, const wire::OpenRequest& request,
                                                           const StreamUser& user) {
  const StreamId stream(request.stream_id());
  ASSIGN_OR_RETURN(const catalog::StreamRecord record, LoadStream(store_, stream));
  const bool same_destination = record.destination_cluster_id() == request.destination_cluster_id();
  if (!same_destination || !IsOpen(StateOf(record))) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("replication stream {} is not a running stream of virtual cluster \"{}\" to this standby",
                                StreamText(stream), source.tenant.name()));
  }
  if (!record.owner().empty() && record.owner() != user.name && !user.admin) {
    return NotOwner(
        record, user,
        "Give the user who began the stream in the connection string, or one who has admin: such a user takes it "
        "over.");
  }
  RETURN_IF_ERROR(CheckSettled(source.tenant));
  const Ancestry ancestry = FromWire(source.tenant.ancestry());
  if (request.ancestry().empty()) {
    if (StateOf(record) != StreamState::kCopying) {
      return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                      fmt::format("stream {} has ended its initial copy", StreamText(stream)),
                      "Drop the standby and create it again.");
    }
    // The files hold history as of the export: what left it since is of no use.
    RETURN_IF_ERROR(JudgeResume(ancestry, FromWire(record.export_ancestry()), {record.manifest().copied_upto()}));
    RETURN_IF_ERROR(CheckReadyAgain(source.tenant));
    RETURN_IF_ERROR(TakeOver(record, user));
    RETURN_IF_ERROR(Touch(stream, std::nullopt));
    RETURN_IF_ERROR(Follow(record, request));
    ASSIGN_OR_RETURN(wire::OpenResponse response, Answer(source, stream, {record.manifest().copied_from()}));
    *response.mutable_manifest() = record.manifest();
    return response;
  }
  const Timestamp frontier{request.frontier()};
  RETURN_IF_ERROR(JudgeResume(ancestry, FromWire(request.ancestry()), frontier));
  const Timestamp kept = std::max(source.keyspace->state()->floor, Timestamp{record.protected_at()});
  if (frontier < kept) return HistoryReleased(source.tenant.name(), frontier, kept);
  RETURN_IF_ERROR(CheckReadyAgain(source.tenant));
  RETURN_IF_ERROR(TakeOver(record, user));
  RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) { return EndPromise(update, record); }));
  RETURN_IF_ERROR(Touch(stream, std::nullopt));
  RETURN_IF_ERROR(Follow(record, request));
  return Answer(source, stream, frontier);
}

// The standby may have been renamed since the last OPEN, or want another window.
absl::Status StreamSource::Follow(const catalog::StreamRecord& record, const wire::OpenRequest& request) {
  const uint64_t window_ns =
      request.expiration_window_ns() != 0 ? request.expiration_window_ns() : record.expiration_window_ns();
  const bool same =
      record.destination_tenant() == request.destination_tenant() && record.expiration_window_ns() == window_ns;
  if (same) return absl::OkStatus();
  ASSIGN_OR_RETURN(const uint64_t expires_at_ns, NewExpiration(window_ns));
  return UpdateStream(store_, StreamId(record.stream_id()), [&](MetaUpdate&, catalog::StreamRecord& now) {
    now.set_destination_tenant(request.destination_tenant());
    now.set_expiration_window_ns(window_ns);
    now.set_expires_at_ns(expires_at_ns);
    return absl::OkStatus();
  });
}

absl::StatusOr<size_t> StreamSource::SetExpirationWindow(TenantId tenant, uint64_t window_ns) {
  ASSIGN_OR_RETURN(const std::vector<catalog::StreamRecord> streams, LoadStreams(store_));
  ASSIGN_OR_RETURN(const uint64_t expires_at_ns, NewExpiration(window_ns));
  size_t changed = 0;
  for (const catalog::StreamRecord& stream : streams) {
    if (stream.tenant_id() != tenant.value()) continue;
    RETURN_IF_ERROR(UpdateStream(store_, StreamId(stream.stream_id()), [&](MetaUpdate&, catalog::StreamRecord& now) {
      now.set_expiration_window_ns(window_ns);
      now.set_expires_at_ns(expires_at_ns);
      return absl::OkStatus();
    }));
    ++changed;
  }
  return changed;
}

// Not more often than kProgressIntervalNs: what is durable lags behind what was acknowledged, on the safe side.
absl::Status StreamSource::Touch(StreamId stream, std::optional<Timestamp> retained) {
  const uint64_t now_ns = store_->clock()->MonotonicNs();
  {
    std::lock_guard lock(mutex_);
    Live& live = live_[stream];
    if (live.touched_at_ns != 0 && now_ns - live.touched_at_ns < kProgressIntervalNs) return absl::OkStatus();
    live.touched_at_ns = now_ns;
  }
  return UpdateStream(store_, stream, [&](MetaUpdate& update, catalog::StreamRecord& record) -> absl::Status {
    ASSIGN_OR_RETURN(const uint64_t expires_at_ns, NewExpiration(record.expiration_window_ns()));
    record.set_expires_at_ns(expires_at_ns);
    if (retained && retained->ns > record.protected_at()) {  // R11: only upwards
      record.set_protected_at(retained->ns);
      Protect(update, IncarnationId(record.incarnation()), StreamKey(stream), *retained);
    }
    return absl::OkStatus();
  });
}

// Judged when it was opened, by this process, and the history is still the one that was judged (R10).
absl::Status StreamSource::CheckCurrent(const catalog::StreamRecord& record) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord tenant, LoadTenant(store_, TenantId(record.tenant_id())));
  RETURN_IF_ERROR(CheckReady(tenant));
  std::lock_guard lock(mutex_);
  const auto live = live_.find(StreamId(record.stream_id()));
  const bool opened = live != live_.end() && live->second.branch == tenant.ancestry().rbegin()->branch_id();
  const bool closed = closed_.contains(TenantId(record.tenant_id()));
  if (opened && !closed && IsOpen(StateOf(record))) return absl::OkStatus();
  return SqlError(sqlstate::kObjectInUse,
                  fmt::format("stream {} must be opened again", StreamText(StreamId(record.stream_id()))));
}

absl::Status StreamSource::FinishExport(StreamId stream) {
  RETURN_IF_ERROR(UpdateStream(store_, stream, [](MetaUpdate&, catalog::StreamRecord& record) -> absl::Status {
    record.clear_manifest();
    record.clear_export_ancestry();
    return absl::OkStatus();
  }));
  RemoveFolder(ExportDir(store_, stream));
  return absl::OkStatus();
}

absl::Status StreamSource::ServeSubscription(const wire::SubscribeRequest& request, const StreamUser& user,
                                             FrameTransport& transport, std::stop_token stop) {
  const StreamId stream(request.stream_id());
  ASSIGN_OR_RETURN(const catalog::StreamRecord found, LoadStream(store_, stream));
  const StreamRegistry::Registration registration(&registry_, TenantId(found.tenant_id()), stream,
                                                  ConnectionFrom(StreamRegistry::Purpose::kSubscription, transport),
                                                  std::move(stop));
  ASSIGN_OR_RETURN(const catalog::StreamRecord record, LoadStream(store_, stream));
  RETURN_IF_ERROR(CheckOwner(record, user, request.destination_cluster_id()));
  RETURN_IF_ERROR(CheckCurrent(record));
  if (request.copy_finished() && StateOf(record) == StreamState::kCopying) RETURN_IF_ERROR(FinishExport(stream));
  SubscriptionOptions options;
  options.store = store_;
  options.feed = options_.feed;
  ASSIGN_OR_RETURN(options.keyspace, store_->FindKeyspace(IncarnationId(record.incarnation())));
  options.request = request;
  NoteAcknowledged(stream, {request.after()});
  {
    std::lock_guard lock(mutex_);
    options.checkpoint_interval_ns = live_[stream].checkpoint_interval_ns;
  }
  options.on_acknowledged = [this, stream](Timestamp frontier, Timestamp retained) {
    NoteAcknowledged(stream, frontier);
    return Touch(stream, retained);
  };
  return anabranch::ServeSubscription(std::move(options), transport, registration.token());
}

absl::Status StreamSource::ServeCopy(const wire::CopyRequest& request, const StreamUser& user, FrameTransport& transport,
                                     std::stop_token stop) {
  const StreamId stream(request.stream_id());
  ASSIGN_OR_RETURN(const catalog::StreamRecord found, LoadStream(store_, stream));
  const StreamRegistry::Registration registration(&registry_, TenantId(found.tenant_id()), stream,
                                                  ConnectionFrom(StreamRegistry::Purpose::kCopy, transport),
                                                  std::move(stop));
  ASSIGN_OR_RETURN(const catalog::StreamRecord record, LoadStream(store_, stream));
  RETURN_IF_ERROR(CheckOwner(record, user, request.destination_cluster_id()));
  RETURN_IF_ERROR(CheckCurrent(record));
  RETURN_IF_ERROR(CheckKnownFile(record, request));
  RETURN_IF_ERROR(Touch(stream, std::nullopt));
  return anabranch::ServeCopy(ExportDir(store_, stream), request, transport, registration.token());
}

absl::StatusOr<wire::FinishResponse> StreamSource::Finish(const wire::FinishRequest& request, const StreamUser& user) {
  const StreamId stream(request.stream_id());
  ASSIGN_OR_RETURN(const std::optional<std::string> there, store_->GetMeta(StreamKey(stream)));
  if (!there) return wire::FinishResponse();  // it is over already
  ASSIGN_OR_RETURN(const catalog::StreamRecord found, LoadStream(store_, stream));
  RETURN_IF_ERROR(CheckOwner(found, user, request.destination_cluster_id()));
  if (!request.promoted()) {
    RETURN_IF_ERROR(Forget(stream));
    return wire::FinishResponse();
  }
  RETURN_IF_ERROR(UpdateStream(store_, stream, [&](MetaUpdate& update, catalog::StreamRecord& record) -> absl::Status {
    ASSIGN_OR_RETURN(const uint64_t expires_at_ns, NewExpiration(record.expiration_window_ns()));
    record.set_finished(true);
    record.set_expires_at_ns(expires_at_ns);
    record.clear_manifest();
    record.clear_export_ancestry();
    return EndPromise(update, record);
  }));
  registry_.EndStream(stream);
  RemoveFolder(ExportDir(store_, stream));
  return wire::FinishResponse();
}

}  // namespace anabranch
