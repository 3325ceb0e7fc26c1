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

// Judged on the writer thread: the history is as it was when the stream was opened. Returns the record as it is now.
absl::StatusOr<catalog::TenantRecord> LoadSame(MetaUpdate& update, const catalog::TenantRecord& before) {
  ASSIGN_OR_RETURN(catalog::TenantRecord now, LoadTenant(update, TenantId(before.id())));
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

absl::Status CheckStreamRoom(Store* store, const StreamUser& user) {
  ASSIGN_OR_RETURN(const std::vector<catalog::StreamRecord> streams, LoadStreams(store));
  const auto is_users = [&](const catalog::StreamRecord& stream) { return stream.owner() == user.name; };
  const auto owned = static_cast<size_t>(std::count_if(streams.begin(), streams.end(), is_users));
  if (!user.admin && owned >= kReplicationStreamsOfUserMax) {
    return SqlError(sqlstate::kProgramLimitExceeded,
                    fmt::format("a user who has not admin owns at most {} replication streams "
                                "(kReplicationStreamsOfUserMax)",
                                kReplicationStreamsOfUserMax),
                    "SHOW REPLICATION STREAMS, at the source, lists them; CANCEL JOB gives up one that no standby will "
                    "come back to.");
  }
  if (streams.size() < kReplicationStreamsMax) return absl::OkStatus();
  return SqlError(
      sqlstate::kProgramLimitExceeded,
      fmt::format("a cluster feeds at most {} replication streams (kReplicationStreamsMax)", kReplicationStreamsMax),
      "SHOW REPLICATION STREAMS, at the source, lists them; CANCEL JOB gives up one that no standby will come back to.");
}

// What an earlier request with the same key has made, if its standby never came back to it and can still use it.
absl::StatusOr<std::optional<catalog::StreamRecord>> FindUnclaimed(Store* store, const catalog::TenantRecord& tenant,
                                                                   const wire::OpenRequest& request,
                                                                   const StreamUser& user) {
  if (request.key().empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const std::vector<catalog::StreamRecord> streams, LoadStreams(store));
  for (const catalog::StreamRecord& stream : streams) {
    const bool same = stream.unclaimed() && stream.open_key() == request.key() &&
                      stream.destination_cluster_id() == request.destination_cluster_id() && stream.owner() == user.name &&
                      stream.tenant_id() == tenant.id() && stream.incarnation() == tenant.incarnation();
    if (!same) continue;
    const bool current = stream.exporting() || JudgeResume(FromWire(tenant.ancestry()), FromWire(stream.export_ancestry()),
                                                           {stream.manifest().copied_upto()})
                                                   .ok();
    if (current) return stream;
  }
  return std::nullopt;
}

// What every answer says of the source.
wire::OpenResponse ResponseOf(Store* store, const catalog::TenantRecord& source, Timestamp start_at) {
  wire::OpenResponse response;
  response.set_clock_ns(store->visible().ns);
  response.set_source_cluster_id(store->cluster_id().value());
  response.set_source_tenant_id(source.id());
  response.set_source_tenant(source.name());
  *response.mutable_ancestry() = source.ancestry();
  response.set_start_at(start_at.ns);
  return response;
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
  RETURN_IF_ERROR(CheckRequest(request));
  ASSIGN_OR_RETURN(const Source source, FindSource(request));
  RETURN_IF_ERROR(CheckAnother(store_->cluster_id(), source.tenant, request));
  if (request.stream_id() != 0) return OpenAgain(source, request, user);
  RETURN_IF_ERROR(CheckServes(source.tenant));
  if (request.explain()) return ExplainFailback(source, request, stop);
  return request.ancestry().empty() ? OpenNew(source, request, user, stop) : OpenFailback(source, request, user);
}

absl::StatusOr<wire::OpenResponse> StreamSource::Answer(const Source& source, StreamId stream, Timestamp start_at) {
  ASSIGN_OR_RETURN(const uint64_t checkpoint_interval_ns, ReadDurationNs(store_, ClusterSetting::kCheckpointInterval));
  wire::OpenResponse response = ResponseOf(store_, source.tenant, start_at);
  response.set_stream_id(stream.value());
  response.add_partitions()->add_spans();  // one partition, everything, here
  response.set_checkpoint_interval_ms(checkpoint_interval_ns / kMsNs);
  ASSIGN_OR_RETURN(const catalog::StreamRecord record, LoadStream(store_, stream));
  ASSIGN_OR_RETURN(const uint64_t default_ns, ReadDurationNs(store_, ClusterSetting::kExpirationWindow));
  response.set_expiration_window_ns(WindowOf(record, default_ns));
  std::lock_guard lock(mutex_);
  Live& live = LiveOf(stream);
  live.silent_since_ns = store_->clock()->MonotonicNs();
  live.branch = source.tenant.ancestry().rbegin()->branch_id();
  live.checkpoint_interval_ns = checkpoint_interval_ns;
  live.expiration_window_ns = response.expiration_window_ns();
  return response;
}

// REQUIRES: adding_ held.
absl::Status StreamSource::AddStream(const Source& source, const wire::OpenRequest& request, const StreamUser& user,
                                     StreamId stream, Timestamp protect, Purpose purpose) {
  RETURN_IF_ERROR(CheckStreamRoom(store_, user));
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
  record.set_created_at_ns(store_->clock()->WallNs());
  record.set_openings(1);
  record.set_exporting(purpose == Purpose::kInitialCopy);
  record.set_unclaimed(purpose == Purpose::kInitialCopy);
  if (purpose == Purpose::kInitialCopy) record.set_open_key(request.key());
  std::optional<catalog::TenantRecord> settled;
  std::vector<StreamId> replaced;
  RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    ASSIGN_OR_RETURN(catalog::TenantRecord now, LoadSame(update, source.tenant));
    RETURN_IF_ERROR(CheckServes(now));
    const Timestamp floor = update.Before(source.keyspace)->floor;
    if (protect < floor) return HistoryReleased(source.tenant.name(), protect, floor);  // R8
    PutStream(update, record);
    Protect(update, source.keyspace->incarnation(), StreamKey(stream), protect);
    if (purpose == Purpose::kFailback) {
      ASSIGN_OR_RETURN(replaced, Promise(update, record, user, now));
    }
    if (EndUndo(update, now, kReplicatedFrom)) settled = now;
    PutTenant(update, now);
    return absl::OkStatus();
  }));
  for (const StreamId& earlier : replaced) Forgotten(earlier);
  if (settled) options_.settled(*settled);
  return absl::OkStatus();
}

absl::Status StreamSource::CheckRoomForNew(const Source& source, const wire::OpenRequest& request, const StreamUser& user) {
  ASSIGN_OR_RETURN(const std::optional<catalog::StreamRecord> known, FindUnclaimed(store_, source.tenant, request, user));
  return known ? absl::OkStatus() : CheckStreamRoom(store_, user);
}

absl::StatusOr<wire::OpenResponse> StreamSource::OpenNew(const Source& source, const wire::OpenRequest& request,
                                                         const StreamUser& user, std::stop_token stop) {
  RETURN_IF_ERROR(CheckRoomForNew(source, request, user));                   // before the undo ends for nothing
  RETURN_IF_ERROR(options_.wait_swept(TenantId(source.tenant.id()), stop));  // R7
  const StreamId stream(store_->random()->NextNonZero());
  {
    std::lock_guard adding(adding_);
    ASSIGN_OR_RETURN(const std::optional<catalog::StreamRecord> known, FindUnclaimed(store_, source.tenant, request, user));
    if (known) return OpenKnown(source, *known);
    RETURN_IF_ERROR(AddStream(source, request, user, stream, store_->visible(), Purpose::kInitialCopy));
  }
  const absl::StatusOr<TransferManifest> manifest = Export(source, stream, stop);
  if (!manifest.ok()) {
    if (const absl::Status forgotten = Forget(stream); !forgotten.ok()) {
      Log(LogLevel::kWarning, "stream.forget_failed", "stream={} error=\"{}\"", StreamText(stream), MessageOf(forgotten));
    }
    return manifest.status();
  }
  Log(LogLevel::kInfo, "stream.created", "stream={} vc={} destination={} files={} from={} upto={}", StreamText(stream),
      source.tenant.name(), request.destination_tenant(), manifest->files.size(), FormatHlc(manifest->copied_from),
      FormatHlc(manifest->copied_upto));
  ASSIGN_OR_RETURN(wire::OpenResponse response, Answer(source, stream, manifest->copied_from));
  response.set_opening(1);
  *response.mutable_manifest() = ToWire(*manifest);
  return response;
}

// Of a stream that an earlier request of the same kind made.
absl::StatusOr<wire::OpenResponse> StreamSource::OpenKnown(const Source& source, const catalog::StreamRecord& stream) {
  const StreamId id(stream.stream_id());
  if (StateOf(stream) == StreamState::kExporting) {
    return SqlError(sqlstate::kCannotConnectNow,
                    fmt::format("the files of stream {} are being made for an earlier request", StreamText(id)),
                    "Ask again in a moment.");
  }
  uint32_t opening = 0;
  RETURN_IF_ERROR(UpdateStream(store_, id, [&](MetaUpdate&, catalog::StreamRecord& now) {
    opening = now.openings() + 1;
    now.set_openings(opening);
    EndSilence(now);
    return absl::OkStatus();
  }));
  Log(LogLevel::kInfo, "stream.found_again", "stream={} vc={} destination={}", StreamText(id), source.tenant.name(),
      stream.destination_tenant());
  ASSIGN_OR_RETURN(wire::OpenResponse response, Answer(source, id, {stream.manifest().copied_from()}));
  response.set_opening(opening);
  *response.mutable_manifest() = stream.manifest();
  return response;
}

absl::StatusOr<TransferManifest> StreamSource::Export(const Source& source, StreamId stream, const std::stop_token& stop) {
  std::error_code error;
  fs::create_directories(ExportsRoot(store_), error);
  ASSIGN_OR_RETURN(TransferManifest manifest, ExportKeyspace(store_, source.keyspace, ExportDir(store_, stream)));
  if (stop.stop_requested()) return absl::CancelledError("the standby has left");
  RETURN_IF_ERROR(UpdateStream(store_, stream, [&](MetaUpdate& update, catalog::StreamRecord& record) -> absl::Status {
    ASSIGN_OR_RETURN(const catalog::TenantRecord now, LoadSame(update, source.tenant));
    RETURN_IF_ERROR(CheckServes(now));
    record.set_exporting(false);
    *record.mutable_manifest() = ToWire(manifest);
    *record.mutable_export_ancestry() = source.tenant.ancestry();
    return absl::OkStatus();
  }));
  return manifest;
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
  wire::OpenResponse response = ResponseOf(store_, source.tenant, point);
  ASSIGN_OR_RETURN(const RangeEstimate estimate,
                   EstimateRange(store_, source.keyspace, point, ChangeFilter::kVisible, std::move(stop)));
  *response.mutable_to_fetch() = ToWire(estimate);
  return response;
}

absl::StatusOr<wire::OpenResponse> StreamSource::OpenFailback(const Source& source, const wire::OpenRequest& request,
                                                              const StreamUser& user) {
  ASSIGN_OR_RETURN(const Timestamp point, JudgeFailback(source, request));
  std::lock_guard adding(adding_);
  const StreamId stream(store_->random()->NextNonZero());
  RETURN_IF_ERROR(AddStream(source, request, user, stream, point, Purpose::kFailback));
  Log(LogLevel::kInfo, "stream.failback_opened", "stream={} vc={} destination={} point={}", StreamText(stream),
      source.tenant.name(), request.destination_tenant(), FormatHlc(point));
  ASSIGN_OR_RETURN(wire::OpenResponse response, Answer(source, stream, point));
  response.set_opening(1);
  return response;
}

// From where on it goes on.
absl::StatusOr<Timestamp> StreamSource::JudgeOpenAgain(const Source& source, const catalog::StreamRecord& record,
                                                       const wire::OpenRequest& request, const StreamUser& user) {
  RETURN_IF_ERROR(CheckMayOpen(record, user, request));
  RETURN_IF_ERROR(CheckSettled(source.tenant));
  const Ancestry ancestry = FromWire(source.tenant.ancestry());
  if (request.ancestry().empty()) {
    if (StateOf(record) != StreamState::kCopying) {
      return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                      fmt::format("stream {} has ended its initial copy", StreamText(StreamId(record.stream_id()))),
                      "Drop the standby and create it again.");
    }
    // The files hold history as of the export: what left it since is of no use.
    RETURN_IF_ERROR(JudgeResume(ancestry, FromWire(record.export_ancestry()), {record.manifest().copied_upto()}));
    RETURN_IF_ERROR(CheckReadyAgain(source.tenant));
    return Timestamp{record.manifest().copied_from()};
  }
  const Timestamp frontier{request.frontier()};
  RETURN_IF_ERROR(JudgeResume(ancestry, FromWire(request.ancestry()), frontier));
  const Timestamp kept = std::max(source.keyspace->state()->floor, Timestamp{record.protected_at()});
  if (frontier < kept) return HistoryReleased(source.tenant.name(), frontier, kept);
  RETURN_IF_ERROR(CheckReadyAgain(source.tenant));
  return frontier;
}

absl::StatusOr<wire::OpenResponse> StreamSource::OpenAgain(const Source& source, const wire::OpenRequest& request,
                                                           const StreamUser& user) {
  const StreamId stream(request.stream_id());
  ASSIGN_OR_RETURN(const catalog::StreamRecord record, LoadStream(store_, stream));
  ASSIGN_OR_RETURN(const Timestamp start_at, JudgeOpenAgain(source, record, request, user));
  if (request.explain()) return ResponseOf(store_, source.tenant, start_at);
  RETURN_IF_ERROR(GoOn(source, request, user));
  ASSIGN_OR_RETURN(wire::OpenResponse response, Answer(source, stream, start_at));
  if (request.ancestry().empty()) *response.mutable_manifest() = record.manifest();
  return response;
}

// What its OPEN changes of a stream, judged in the write that does. Its standby may have been renamed since the last one,
// want another window, or come as another user.
absl::Status StreamSource::GoOn(const Source& source, const wire::OpenRequest& request, const StreamUser& user) {
  const StreamId stream(request.stream_id());
  std::string owner;
  RETURN_IF_ERROR(UpdateStream(store_, stream, [&](MetaUpdate& update, catalog::StreamRecord& now) -> absl::Status {
    ASSIGN_OR_RETURN(const catalog::TenantRecord tenant, LoadSame(update, source.tenant));
    RETURN_IF_ERROR(CheckReadyAgain(tenant));
    RETURN_IF_ERROR(CheckMayOpen(now, user, request));
    owner = now.owner();
    now.set_owner(user.name);
    now.set_destination_tenant(request.destination_tenant());
    if (request.expiration_window_ns() != 0) now.set_expiration_window_ns(request.expiration_window_ns());
    now.set_openings(now.openings() + 1);
    now.clear_unclaimed();
    EndSilence(now);
    const bool keeps = request.ancestry().empty() || request.reverting();
    return keeps ? absl::OkStatus() : EndPromise(update, now);
  }));
  if (owner == user.name) return absl::OkStatus();
  registry_.EndStream(stream);
  Log(LogLevel::kInfo, "stream.taken_over", "stream={} from=\"{}\" to=\"{}\"", StreamText(stream), owner, user.name);
  return absl::OkStatus();
}

}  // namespace anabranch
