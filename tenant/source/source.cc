#include "tenant/source/source.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/log.h"
#include "base/status.h"
#include "storage/protection.h"
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
  RETURN_IF_ERROR(CheckServes(tenant));
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
