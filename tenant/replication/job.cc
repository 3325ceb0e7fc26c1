#include "tenant/replication/job.h"

#include <algorithm>
#include <filesystem>

#include "base/disk_error.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/status.h"
#include "storage/protection.h"
#include "storage/revert.h"
#include "storage/transfer.h"
#include "stream/ingestion.h"
#include "stream/producer.h"
#include "stream/source_client.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/paths.h"
#include "tenant/replication/answer.h"
#include "tenant/replication/open_request.h"
#include "tenant/replication/reader.h"

namespace anabranch {
namespace {

namespace fs = std::filesystem;

// What the source will still say when it is asked again. Not that it speaks another version of the protocol (08P01): one of
// the two is being upgraded.
bool IsPermanent(const absl::Status& status) {
  const std::string state = SqlStateOf(status);
  return state == sqlstate::kObjectNotInPrerequisiteState || state == sqlstate::kUndefinedObject ||
         state == sqlstate::kInvalidParameterValue || state == sqlstate::kInsufficientPrivilege;
}

// What is shown of a refusal: why, and what would help.
std::string ReasonOf(const absl::Status& why) {
  const std::string hint = HintOf(why);
  if (hint.empty()) return MessageOf(why);
  const bool lasts = SqlStateOf(why) == sqlstate::kInsufficientPrivilege;
  return fmt::format("{}. {}{}", MessageOf(why), hint, lasts ? " Then RESUME REPLICATION here." : "");
}

double PartDone(uint64_t done, uint64_t total) {
  return total == 0 ? 1 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
}

bool WantsJob(const catalog::TenantRecord& record) {
  const DataState state = StateOf(record);
  const catalog::Replication::Phase phase = record.replication().phase();
  return IsReplicating(state) && state != DataState::kPaused && state != DataState::kError &&
         phase != catalog::Replication::NONE && phase != catalog::Replication::DONE;
}

absl::Status CheckPhase(const catalog::TenantRecord& record, catalog::Replication::Phase phase) {
  if (WantsJob(record) && record.replication().phase() == phase) return absl::OkStatus();
  return FencedError(fmt::format("replication into virtual cluster \"{}\" was stopped or changed", record.name()));
}

// A second name for every file, for the store to take away: should it die before the adoption is durable, the first ones
// are still there and nothing has to be copied again.
absl::Status LinkFiles(const TransferManifest& manifest, const std::string& from, const std::string& to) {
  std::error_code error;
  fs::remove_all(to, error);
  fs::create_directories(to + "/data", error);
  if (!error) fs::create_directories(to + "/changes", error);
  RETURN_IF_ERROR(DiskError(error, "creating", to));
  for (const TransferFile& file : manifest.files) {
    fs::create_hard_link(TransferPath(from, file), TransferPath(to, file), error);
    RETURN_IF_ERROR(DiskError(error, "linking", file.name));
  }
  return absl::OkStatus();
}

}  // namespace

ReplicationJob::ReplicationJob(Options options)
    : options_(std::move(options)),
      store_(options_.store),
      thread_([this](std::stop_token stop) { Run(std::move(stop)); }) {}

ReplicationJob::~ReplicationJob() {
  thread_.request_stop();
  thread_.join();
}

bool ReplicationJob::IsAlive() const {
  std::lock_guard lock(mutex_);
  return !ended_ && !thread_.get_stop_token().stop_requested();
}

bool ReplicationJob::SetTarget(Timestamp target) {
  std::lock_guard lock(mutex_);
  if (ended_ || thread_.get_stop_token().stop_requested()) return false;
  target_ns_ = target.ns;
  return true;
}

// The record and, from it, the target. A target journaled meanwhile is told after this, and stays.
absl::StatusOr<catalog::TenantRecord> ReplicationJob::LoadRecord() {
  std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(catalog::TenantRecord record, LoadTenant(store_, options_.tenant));
  target_ns_ = record.replication().cutover();
  return record;
}

// False: a statement has changed the record since the last attempt, and wants more.
bool ReplicationJob::TryEnd(std::stop_token stop) {
  std::lock_guard lock(mutex_);
  const absl::StatusOr<catalog::TenantRecord> record = LoadTenant(store_, options_.tenant);
  ended_ = stop.stop_requested() || !record.ok() || !WantsJob(*record);
  return ended_;
}

void ReplicationJob::Run(std::stop_token stop) {
  uint64_t wait_ms = kRetryMinMs;
  while (true) {
    const Timestamp before = DurableFrontier();
    const Attempt attempt = RunOnce(stop);
    options_.progress->SetStep("");
    if ((stop.stop_requested() || attempt.outcome == Outcome::kOver) && TryEnd(stop)) return;
    if (attempt.outcome != Outcome::kRetry || DurableFrontier() > before) wait_ms = kRetryMinMs;
    if (attempt.outcome != Outcome::kRetry) continue;
    NoteRetry(attempt.why, wait_ms);
    std::unique_lock lock(mutex_);
    retry_.wait_for(lock, stop, std::chrono::milliseconds(wait_ms), [] { return false; });
    wait_ms = std::min(2 * wait_ms, kRetryMaxMs);
  }
}

ReplicationJob::Attempt ReplicationJob::RunOnce(std::stop_token stop) {
  const absl::StatusOr<catalog::TenantRecord> record = LoadRecord();
  if (!record.ok()) return {Outcome::kOver, record.status()};
  const catalog::Replication& replication = record->replication();
  if (!WantsJob(*record)) return {Outcome::kOver, absl::OkStatus()};
  if (TargetReached(replication, DurableFrontier())) return FailOver({replication.cutover()});
  switch (replication.phase()) {
    case catalog::Replication::COPYING:
      return Copy(*record, stop);
    case catalog::Replication::REVERTING:
      return Revert(*record, stop);
    case catalog::Replication::STREAMING:
      return Stream(*record, stop);
    default:
      return {Outcome::kOver, absl::OkStatus()};
  }
}

ReplicationJob::Attempt ReplicationJob::FailOver(Timestamp target) {
  const absl::StatusOr<uint64_t> undo_window_ns = ReadDurationNs(store_, ClusterSetting::kUndoWindow);
  if (!undo_window_ns.ok()) return {Outcome::kRetry, undo_window_ns.status()};
  const auto published = PublishFailover(store_, options_.tenant, target, {.user = "", .undo_window_ns = *undo_window_ns});
  if (!published.ok()) return {Outcome::kRetry, published.status()};  // replaced, paused: the record is read again
  options_.on_failover(*published);
  return {Outcome::kOver, absl::OkStatus()};
}

// The source's answer to where we stand; judged on every connect (R10).
absl::StatusOr<wire::OpenResponse> ReplicationJob::Open(const catalog::TenantRecord& record, Timestamp frontier,
                                                        std::stop_token stop) {
  const catalog::Replication& replication = record.replication();
  ASSIGN_OR_RETURN(const std::string uri, options_.resolve(replication.uri()));
  ASSIGN_OR_RETURN(const auto client, SourceClient::Connect(uri, stop));
  const wire::OpenRequest request = ReopenRequest(store_, record, frontier);
  ASSIGN_OR_RETURN(wire::OpenResponse response, client->Open(request));
  RETURN_IF_ERROR(CheckAnswer(request, response));
  options_.progress->SetOffset(static_cast<int64_t>(response.clock_ns() - store_->clock()->WallNs()));
  // A clock that is wrong is mended some time: the source is asked again (R2).
  if (const absl::Status skewed = store_->ForwardClock({response.clock_ns()}); !skewed.ok()) {
    return SqlError(sqlstate::kCannotConnectNow, MessageOf(skewed), HintOf(skewed));
  }
  RETURN_IF_ERROR(FollowSource(replication, response));
  return response;
}

// The source may have been renamed since the last connect, or keep our history for another time.
absl::Status ReplicationJob::FollowSource(const catalog::Replication& before, const wire::OpenResponse& response) {
  const bool same = before.source_tenant() == response.source_tenant() &&
                    before.source_tenant_id() == response.source_tenant_id() &&
                    before.source_expiration_window_ns() == response.expiration_window_ns();
  if (same) return absl::OkStatus();
  return UpdateTenant(store_, options_.tenant, [&](MetaUpdate&, catalog::TenantRecord& record) -> absl::Status {
    RETURN_IF_ERROR(CheckPhase(record, before.phase()));
    record.mutable_replication()->set_source_tenant(response.source_tenant());
    record.mutable_replication()->set_source_tenant_id(response.source_tenant_id());
    record.mutable_replication()->set_source_expiration_window_ns(response.expiration_window_ns());
    return absl::OkStatus();
  });
}

ReplicationJob::Attempt ReplicationJob::Refused(absl::Status why) {
  return IsPermanent(why) ? GiveUp(std::move(why)) : Attempt{Outcome::kRetry, std::move(why)};
}

// Until somebody says RESUME.
ReplicationJob::Attempt ReplicationJob::GiveUp(absl::Status why) {
  const std::string reason = ReasonOf(why);
  Log(LogLevel::kError, "replication.refused", "vc_id={} error=\"{}\"", options_.tenant.value(), reason);
  options_.progress->SetError(reason);
  const absl::Status status =
      UpdateTenant(store_, options_.tenant, [&](MetaUpdate&, catalog::TenantRecord& record) -> absl::Status {
        if (!WantsJob(record)) return FencedError("it was stopped meanwhile");
        SetState(record, DataState::kError);
        record.mutable_replication()->set_last_error(reason);
        return absl::OkStatus();
      });
  return {status.ok() ? Outcome::kOver : Outcome::kRetry, std::move(why)};
}

ReplicationJob::Attempt ReplicationJob::Copy(const catalog::TenantRecord& record, std::stop_token stop) {
  const absl::StatusOr<wire::OpenResponse> response = Open(record, kTimestampZero, stop);
  if (!response.ok()) return Refused(response.status());
  if (!response->has_manifest()) {
    return Refused(SqlError(sqlstate::kObjectNotInPrerequisiteState,
                            "the source no longer holds the files of the initial copy",
                            "Drop the standby and create it again."));
  }
  if (absl::Status judged = CheckManifest(store_, FromWire(response->manifest())); !judged.ok()) {
    return {Outcome::kRetry, std::move(judged)};
  }
  const std::string dir = IncomingDir(store_, StreamId(response->stream_id()));
  Log(LogLevel::kInfo, "copy.started", "vc={} stream={} files={}", record.name(),
      StreamText(StreamId(response->stream_id())), response->manifest().files_size());
  std::error_code error;
  fs::create_directories(dir, error);
  absl::Status status = DiskError(error, "creating", dir);
  CopyProgress copied;
  const uint64_t begun_at_ns = store_->clock()->MonotonicNs();
  const auto on_progress = [&](const CopyProgress& progress) {
    copied = progress;
    ShowCopy(copied, begun_at_ns);
  };
  const absl::StatusOr<std::string> uri = options_.resolve(record.replication().uri());
  if (status.ok()) status = uri.status();
  const absl::StatusOr<uint64_t> connections = ReadInteger(store_, ClusterSetting::kCopyConnections);
  if (status.ok()) status = connections.status();
  if (status.ok()) {
    status = CopyFiles(*uri, store_->cluster_id(), *response, dir, on_progress, stop, static_cast<int>(*connections));
  }
  if (SqlStateOf(status) == sqlstate::kIoError) return DamagedCopy(std::move(status));  // a block that cannot be read
  if (!status.ok()) return {Outcome::kRetry, std::move(status)};
  Log(LogLevel::kInfo, "copy.finished", "vc={} bytes={} resent={}", record.name(), copied.bytes_done, copied.bytes_resent);
  options_.progress->SetStep("checking the copy", 1);
  status = Adopt(record, *response, dir, stop);
  if (absl::IsDataLoss(status)) {
    fs::remove_all(dir, error);  // whole, yet not what it should be: bring it again
    return DamagedCopy(std::move(status));
  }
  if (!status.ok()) return {Outcome::kRetry, std::move(status)};
  fs::remove_all(dir, error);
  damaged_copies_ = 0;
  return {Outcome::kAgain, absl::OkStatus()};
}

void ReplicationJob::ShowCopy(const CopyProgress& copied, uint64_t begun_at_ns) {
  constexpr int kMiBShift = 20;
  const double part = PartDone(copied.bytes_done, copied.bytes_total);
  const uint64_t came = copied.bytes_done - copied.bytes_kept;
  std::string left;
  if (came > 0) {
    const double seconds = static_cast<double>(store_->clock()->MonotonicNs() - begun_at_ns) / 1e9;
    const double missing = static_cast<double>(copied.bytes_total - copied.bytes_done);
    left = fmt::format(", {:.0f} s left", seconds * missing / static_cast<double>(came));
  }
  options_.progress->SetStep(fmt::format("copying: {} of {} MiB ({:.0f} %{})", copied.bytes_done >> kMiBShift,
                                         copied.bytes_total >> kMiBShift, 100 * part, left),
                             part);
}

// The network is not to blame, its damage shows in each chunk: a disk is, the source's or ours. What one more copy does not
// mend, a hundred will not either.
ReplicationJob::Attempt ReplicationJob::DamagedCopy(absl::Status why) {
  if (++damaged_copies_ < kDamagedCopiesMax) return {Outcome::kRetry, std::move(why)};
  damaged_copies_ = 0;
  return GiveUp(SqlError(sqlstate::kDataCorrupted,
                         fmt::format("the initial copy came damaged {} times: {}", kDamagedCopiesMax, MessageOf(why)),
                         "Check the disks of both clusters, then RESUME REPLICATION here."));
}

absl::Status ReplicationJob::Adopt(const catalog::TenantRecord& record, const wire::OpenResponse& response,
                                   const std::string& dir, std::stop_token stop) {
  const TransferManifest manifest = FromWire(response.manifest());
  const std::string adopting = dir + ".adopting";
  RETURN_IF_ERROR(LinkFiles(manifest, dir, adopting));
  Failpoint("copy.before_adopt");
  absl::StatusOr<KeyspaceRef> keyspace = ImportKeyspace(store_, manifest, adopting, std::move(stop));
  std::error_code ignored;
  fs::remove_all(adopting, ignored);
  RETURN_IF_ERROR(keyspace.status());
  const IncarnationId& incarnation = (*keyspace)->incarnation();
  const absl::Status status =
      UpdateTenant(store_, options_.tenant, [&](MetaUpdate& update, catalog::TenantRecord& now) -> absl::Status {
        RETURN_IF_ERROR(CheckPhase(now, catalog::Replication::COPYING));
        catalog::Replication* replication = now.mutable_replication();
        update.Stage(*keyspace).Publish();
        update.Stage(*keyspace).SetIngesting(true, kTimestampZero);
        Protect(update, incarnation, kRetentionHolder, manifest.copied_from);
        now.set_incarnation(incarnation.value());
        *now.mutable_ancestry() = response.ancestry();
        replication->set_phase(catalog::Replication::STREAMING);
        replication->set_start_at(manifest.copied_from.ns);
        replication->set_first_frontier(manifest.copied_upto.ns);
        replication->set_initial_copies(replication->initial_copies() + 1);
        replication->set_adopted_at_ns(store_->clock()->WallNs());
        return absl::OkStatus();
      });
  if (!status.ok()) {
    if (const absl::Status dropped = store_->DropKeyspace(*keyspace); !dropped.ok()) {
      Log(LogLevel::kWarning, "copy.drop_failed", "error=\"{}\"", MessageOf(dropped));
    }
    return status;
  }
  Log(LogLevel::kInfo, "copy.adopted", "vc={} keyspace={} from={} upto={}", record.name(), incarnation.value(),
      FormatHlc(manifest.copied_from), FormatHlc(manifest.copied_upto));
  return absl::OkStatus();
}

// A fresh epoch, unless the record stopped wanting this job meanwhile: bumping it then would fence the service that a
// failover started.
absl::StatusOr<Epoch> ReplicationJob::TakeOver(const KeyspaceRef& keyspace, catalog::Replication::Phase phase) {
  Epoch epoch;
  RETURN_IF_ERROR(
      UpdateTenant(store_, options_.tenant, [&](MetaUpdate& update, catalog::TenantRecord& record) -> absl::Status {
        RETURN_IF_ERROR(CheckPhase(record, phase));
        // From here on something may be undone, and what was before can no longer be put back (tenant/replication/failback.h).
        if (phase == catalog::Replication::REVERTING) record.clear_before_failback();
        epoch = update.Stage(keyspace).BumpEpoch();
        return absl::OkStatus();
      }));
  return epoch;
}

ReplicationJob::Attempt ReplicationJob::Revert(const catalog::TenantRecord& record, std::stop_token stop) {
  const auto keyspace = store_->FindKeyspace(IncarnationId(record.incarnation()));
  if (!keyspace.ok()) return {Outcome::kRetry, keyspace.status()};
  const Timestamp point{record.replication().start_at()};
  if (record.has_before_failback()) {
    // Nothing is undone for a source that was lost since the handshake. Once something is, the undo needs no source.
    if (const auto response = Open(record, point, stop); !response.ok()) return Refused(response.status());
  }
  const absl::StatusOr<Epoch> epoch = TakeOver(*keyspace, catalog::Replication::REVERTING);
  if (!epoch.ok()) return {Outcome::kRetry, epoch.status()};
  options_.end_streams();  // a reader that misses what is being deleted would hand out a hole
  Failpoint("failback.before_revert");
  const auto total = CountRange(store_, *keyspace, point, kTimestampMax.Prev(), stop);
  if (!total.ok()) return {Outcome::kRetry, total.status()};
  const auto on_batch = [&](const EraseProgress& done) {
    options_.progress->SetStep(fmt::format("reverting: {} of {} versions", done.versions, total->versions),
                               PartDone(done.versions, total->versions));
  };
  on_batch({});
  const auto undone = EraseRange(store_, *keyspace, *epoch, point, kTimestampMax.Prev(), stop, on_batch);
  if (!undone.ok()) return {Outcome::kRetry, undone.status()};
  absl::Status status =
      UpdateTenant(store_, options_.tenant, [&](MetaUpdate& update, catalog::TenantRecord& now) -> absl::Status {
        RETURN_IF_ERROR(CheckPhase(now, catalog::Replication::REVERTING));
        if (update.Before(*keyspace)->epoch != *epoch) return FencedError("the revert no longer owns the keyspace");
        update.Stage(*keyspace).SetIngesting(true, point);
        now.mutable_replication()->set_phase(catalog::Replication::STREAMING);
        now.mutable_replication()->set_reverted_at_ns(store_->clock()->WallNs());
        return absl::OkStatus();
      });
  if (!status.ok()) return {Outcome::kRetry, std::move(status)};
  Log(LogLevel::kInfo, "failback.reverted", "vc={} to={} versions={}", record.name(), FormatHlc(point), undone->versions);
  return {Outcome::kAgain, absl::OkStatus()};
}

ReplicationJob::Attempt ReplicationJob::Stream(const catalog::TenantRecord& record, std::stop_token stop) {
  const auto keyspace = store_->FindKeyspace(IncarnationId(record.incarnation()));
  if (!keyspace.ok()) return {Outcome::kRetry, keyspace.status()};
  const absl::StatusOr<Epoch> epoch = TakeOver(*keyspace, catalog::Replication::STREAMING);
  if (!epoch.ok()) return {Outcome::kRetry, epoch.status()};
  // After the take-over: nobody else moves the frontier from here on.
  const Timestamp held = std::max((*keyspace)->state()->frontier, Timestamp{record.replication().start_at()});
  absl::StatusOr<wire::OpenResponse> response = Open(record, held, stop);
  if (!response.ok()) return Refused(response.status());
  absl::Status status = FollowBranches(record, *response, *keyspace, *epoch, held, stop);
  if (status.ok()) status = Ingest(record, *std::move(response), *keyspace, *epoch, held, stop);
  const bool reached = TargetReached(record.replication(), DurableFrontier());
  return {reached ? Outcome::kAgain : Outcome::kRetry, std::move(status)};
}

// What lies above `held` came from the branches that the source had at the last connect. If it has others now, those
// versions may be of a history that it left; the stream brings the right ones.
absl::Status ReplicationJob::FollowBranches(const catalog::TenantRecord& record, const wire::OpenResponse& response,
                                            const KeyspaceRef& keyspace, Epoch epoch, Timestamp held,
                                            std::stop_token stop) {
  const Ancestry ancestry = FromWire(response.ancestry());
  if (ancestry == FromWire(record.ancestry())) return absl::OkStatus();
  RETURN_IF_ERROR(EraseRange(store_, keyspace, epoch, held, kTimestampMax.Prev(), stop, nullptr).status());
  return UpdateTenant(store_, options_.tenant, [&](MetaUpdate& update, catalog::TenantRecord& now) -> absl::Status {
    RETURN_IF_ERROR(CheckPhase(now, catalog::Replication::STREAMING));
    if (update.Before(keyspace)->epoch != epoch) return FencedError("the stream no longer owns the keyspace");
    *now.mutable_ancestry() = response.ancestry();
    return absl::OkStatus();
  });
}

absl::Status ReplicationJob::Ingest(const catalog::TenantRecord& record, wire::OpenResponse response,
                                    const KeyspaceRef& keyspace, Epoch epoch, Timestamp after, std::stop_token stop) {
  std::stop_source attempt;
  const std::stop_callback forward(stop, [&attempt] { attempt.request_stop(); });
  const catalog::Replication replication = record.replication();
  journaled_ = false;
  IngestionOptions options;
  options.store = store_;
  options.keyspace = keyspace;
  options.epoch = epoch;
  ASSIGN_OR_RETURN(options.uri, options_.resolve(replication.uri()));
  options.stream = std::move(response);
  options.after = after;
  options.first_frontier = {replication.first_frontier()};
  options.copy_finished = replication.initial_copies() > 0;
  options.retained = [this, replication](Timestamp frontier) {
    catalog::Replication now = replication;
    now.set_cutover(target_ns_);
    return RetainedTime(now, frontier);
  };
  options.on_frontier = [&](Timestamp frontier, int64_t source_clock_offset_ns) {
    options_.progress->SetOffset(source_clock_offset_ns);
    JournalFrontier(keyspace, epoch, frontier);
    // The failover is for the job's own thread, after the ingestion has ended.
    if (TargetReached(replication, frontier)) attempt.request_stop();
  };
  options.drain = &drain_;
  return RunIngestion(std::move(options), attempt.get_token());
}

// The first frontier of an attempt ends `initializing` and the last error; what may lag behind is written now and then.
void ReplicationJob::JournalFrontier(const KeyspaceRef& keyspace, Epoch epoch, Timestamp frontier) {
  const uint64_t now_ns = store_->clock()->MonotonicNs();
  bool consistent = false;
  if (journaled_ && now_ns - journaled_at_ns_ < kProgressIntervalNs) return;
  const absl::Status status =
      UpdateTenant(store_, options_.tenant, [&](MetaUpdate& update, catalog::TenantRecord& record) -> absl::Status {
        RETURN_IF_ERROR(CheckPhase(record, catalog::Replication::STREAMING));
        if (update.Before(keyspace)->epoch != epoch) return FencedError("the stream no longer owns the keyspace");
        catalog::Replication* replication = record.mutable_replication();
        consistent = ReplicatedTime(*replication, frontier).has_value();
        if (consistent && StateOf(record) == DataState::kInitializing) SetState(record, DataState::kReplicating);
        if (consistent) RETURN_IF_ERROR(OpenReader(update, record));
        replication->set_source_clock_offset_ns(options_.progress->offset_ns());
        replication->clear_last_error();
        Protect(update, keyspace->incarnation(), kRetentionHolder, RetainedTime(*replication, frontier));  // R11
        return absl::OkStatus();
      });
  if (!status.ok()) return;  // fenced or refused: the ingestion meets the same and ends
  options_.progress->SetError("");
  if (!journaled_)
    Log(LogLevel::kInfo, "replication.advancing", "vc_id={} frontier={}", options_.tenant.value(), FormatHlc(frontier));
  journaled_ = consistent;
  journaled_at_ns_ = now_ns;
}

bool ReplicationJob::TargetReached(const catalog::Replication& replication, Timestamp frontier) const {
  const uint64_t target_ns = target_ns_;
  return target_ns != 0 && IsReached(replication, frontier, {target_ns});
}

void ReplicationJob::NoteRetry(const absl::Status& why, uint64_t wait_ms) {
  const std::string message = MessageOf(why);
  if (message != options_.progress->last_error()) {
    Log(LogLevel::kWarning, "replication.retrying", "vc_id={} wait_ms={} error=\"{}\"", options_.tenant.value(), wait_ms,
        message);
  }
  options_.progress->SetError(message);
}

Timestamp ReplicationJob::DurableFrontier() const {
  const absl::StatusOr<catalog::TenantRecord> record = LoadTenant(store_, options_.tenant);
  if (!record.ok() || record->incarnation().empty()) return kTimestampZero;
  const auto keyspace = store_->FindKeyspace(IncarnationId(record->incarnation()));
  return keyspace.ok() ? (*keyspace)->state()->frontier : kTimestampZero;
}

}  // namespace anabranch
