// OPEN: judging who may stream what, and making or finding the stream.
#include <algorithm>
#include <filesystem>

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
#include "tenant/source/judge.h"
#include "tenant/source/promise.h"
#include "tenant/source/source.h"

namespace anabranch {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMsNs = 1'000'000;

absl::Status HistoryReleased(const std::string& tenant, Timestamp needed, Timestamp kept) {
  return SqlError(
      sqlstate::kObjectNotInPrerequisiteState,
      fmt::format("history of virtual cluster \"{}\" at {} was released: it is retained since {}", tenant,
                  FormatHlc(needed), FormatHlc(kept)),
      "Make another standby with CREATE VIRTUAL CLUSTER ... FROM REPLICATION OF ..., and drop this one after that.");
}

// For a stream that exists: its source may be in the middle of a failback of its own, and ready again later. The standby
// is to ask again.
absl::Status CheckReadyAgain(const catalog::TenantRecord& tenant) {
  const absl::Status ready = CheckServes(tenant);
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
  RETURN_IF_ERROR(CheckServes(now));
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

}  // namespace

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
  if (source.tenant.incarnation().empty()) return CheckServes(source.tenant);  // not even copied
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
  RETURN_IF_ERROR(CheckServes(source.tenant));
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
  ASSIGN_OR_RETURN(const catalog::StreamRecord record, LoadStream(store_, stream));
  uint64_t window_ns = record.expiration_window_ns();
  if (window_ns == 0) {
    ASSIGN_OR_RETURN(window_ns, ReadDurationNs(store_, ClusterSetting::kExpirationWindow));
  }
  response.set_expiration_window_ns(window_ns);
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

}  // namespace anabranch
