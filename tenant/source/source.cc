#include "tenant/source/source.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/log.h"
#include "base/status.h"
#include "stream/producer.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/paths.h"
#include "tenant/catalog/stream_state.h"
#include "tenant/source/judge.h"
#include "tenant/source/promise.h"

namespace anabranch {
namespace {

namespace fs = std::filesystem;

void RemoveFolder(const std::string& dir) {
  std::error_code error;
  fs::remove_all(dir, error);
  if (error) Log(LogLevel::kWarning, "stream.remove_failed", "dir={} error=\"{}\"", dir, error.message());
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

StreamSource::StreamSource(Options options)
    : options_(std::move(options)),
      store_(options_.store),
      egress_(store_->clock(), [store = store_]() -> absl::StatusOr<Egress::Limits> {
        Egress::Limits limits;
        ASSIGN_OR_RETURN(limits.stream, ReadInteger(store, ClusterSetting::kStreamBytesPerSecond));
        ASSIGN_OR_RETURN(limits.node, ReadInteger(store, ClusterSetting::kNodeBytesPerSecond));
        return limits;
      }) {}

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

// The record and the protection go in one write, before the connections do: none begins after it (tenant/source/registry.h),
// and one that reads on meanwhile is refused by the floor (R8).
absl::Status StreamSource::Forget(StreamId stream, const StreamJudge& judge) {
  RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<std::string> there, update.GetBefore(StreamKey(stream)));
    if (!there) return absl::OkStatus();
    ASSIGN_OR_RETURN(const catalog::StreamRecord record, LoadStream(update, stream));
    if (judge != nullptr) RETURN_IF_ERROR(judge(record));
    DeleteStream(update, record);
    return EndPromise(update, record);
  }));
  Forgotten(stream);
  return absl::OkStatus();
}

void StreamSource::Forgotten(StreamId stream) {
  registry_.EndStream(stream);
  RemoveFolder(ExportDir(store_, stream));
  std::lock_guard lock(mutex_);
  live_.erase(stream);
}

absl::Status StreamSource::ForgetTenant(TenantId tenant) {
  registry_.EndTenant(tenant);
  ASSIGN_OR_RETURN(const std::vector<catalog::StreamRecord> streams, LoadStreams(store_));
  for (const catalog::StreamRecord& record : streams) {
    if (record.tenant_id() == tenant.value()) RETURN_IF_ERROR(Forget(StreamId(record.stream_id())));
  }
  return absl::OkStatus();
}

// Each has the whole of it before itself.
absl::StatusOr<size_t> StreamSource::SetExpirationWindow(TenantId tenant, uint64_t window_ns) {
  ASSIGN_OR_RETURN(const std::vector<catalog::StreamRecord> streams, LoadStreams(store_));
  size_t changed = 0;
  for (const catalog::StreamRecord& stream : streams) {
    if (stream.tenant_id() != tenant.value()) continue;
    const StreamId id(stream.stream_id());
    RETURN_IF_ERROR(UpdateStream(store_, id, [&](MetaUpdate&, catalog::StreamRecord& now) {
      now.set_expiration_window_ns(window_ns);
      EndSilence(now);
      return absl::OkStatus();
    }));
    registry_.EndStream(id);  // the standby learns it when it connects
    ++changed;
  }
  return changed;
}

// Judged when it was opened, by this process, and the history is still the one that was judged (R10), and the checkpoints
// come, and silence counts, as the standby was told then. A promise says nothing of what its destination has journaled since.
absl::Status StreamSource::CheckCurrent(const catalog::StreamRecord& record) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord tenant, LoadTenant(store_, TenantId(record.tenant_id())));
  RETURN_IF_ERROR(CheckServes(tenant));
  ASSIGN_OR_RETURN(const uint64_t interval_ns, ReadDurationNs(store_, ClusterSetting::kCheckpointInterval));
  ASSIGN_OR_RETURN(const uint64_t default_ns, ReadDurationNs(store_, ClusterSetting::kExpirationWindow));
  const StreamState state = StateOf(record, tenant);
  std::lock_guard lock(mutex_);
  const auto live = live_.find(StreamId(record.stream_id()));
  const bool opened = live != live_.end() && live->second.branch == tenant.ancestry().rbegin()->branch_id() &&
                      live->second.checkpoint_interval_ns == interval_ns &&
                      live->second.expiration_window_ns == WindowOf(record, default_ns);
  const bool closed = closed_.contains(TenantId(record.tenant_id()));
  if (opened && !closed && IsOpen(state) && state != StreamState::kPromised) return absl::OkStatus();
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

// The settings of this cluster for a connection of a stream. Returns the silence that is borne with.
absl::StatusOr<uint64_t> StreamSource::Govern(StreamId stream, FrameTransport& transport) {
  ASSIGN_OR_RETURN(const uint64_t silence_ns, ReadDurationNs(store_, ClusterSetting::kSilenceWindow));
  transport.SetTakesNothingMs(static_cast<int>(silence_ns / 1'000'000));
  transport.SetPace(egress_.PaceOf(stream));
  return silence_ns;
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
    options.checkpoint_interval_ns = LiveOf(stream).checkpoint_interval_ns;
  }
  ASSIGN_OR_RETURN(options.silence_ns, Govern(stream, transport));
  options.on_acknowledged = [this, stream](Timestamp frontier, Timestamp retained) {
    NoteAcknowledged(stream, frontier);
    return Touch(stream, retained);
  };
  absl::Status ended = anabranch::ServeSubscription(std::move(options), transport, registration.token());
  Heard(stream);
  return ended;
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
  RETURN_IF_ERROR(Govern(stream, transport).status());
  absl::Status ended = anabranch::ServeCopy(ExportDir(store_, stream), request, transport, registration.token());
  Heard(stream);
  return ended;
}

absl::StatusOr<wire::FinishResponse> StreamSource::Finish(const wire::FinishRequest& request, const StreamUser& user) {
  const StreamId stream(request.stream_id());
  ASSIGN_OR_RETURN(const std::optional<std::string> there, store_->GetMeta(StreamKey(stream)));
  wire::FinishResponse response;
  response.set_cluster_id(store_->cluster_id().value());
  if (!there) return response;  // it is over already
  const auto check_may = [&](const catalog::StreamRecord& record) { return CheckMayFinish(record, user, request); };
  if (!request.promoted()) {
    RETURN_IF_ERROR(Forget(stream, check_may));
    return response;
  }
  RETURN_IF_ERROR(UpdateStream(store_, stream, [&](MetaUpdate& update, catalog::StreamRecord& record) -> absl::Status {
    RETURN_IF_ERROR(check_may(record));
    record.set_finished(true);
    EndSilence(record);
    record.clear_unclaimed();
    record.clear_manifest();
    record.clear_export_ancestry();
    return EndPromise(update, record);
  }));
  registry_.EndStream(stream);
  RemoveFolder(ExportDir(store_, stream));
  return response;
}

}  // namespace anabranch
