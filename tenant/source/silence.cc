// How long streams have been silent, and what of it is durable (tenant/source/source.h).
#include <map>

#include "base/log.h"
#include "base/status.h"
#include "storage/protection.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/stream_state.h"
#include "tenant/source/source.h"

namespace anabranch {

StreamSource::Live& StreamSource::LiveOf(StreamId stream) {
  const auto [found, added] = live_.try_emplace(stream);
  if (added) found->second.silent_since_ns = store_->clock()->MonotonicNs();
  return found->second;
}

void StreamSource::Heard(StreamId stream) {
  std::lock_guard lock(mutex_);
  LiveOf(stream).silent_since_ns = store_->clock()->MonotonicNs();
}

// In the write that puts `record`: NoteSilence, in a later one, sees it.
void StreamSource::EndSilence(catalog::StreamRecord& record) {
  record.clear_silent_ns();
  Heard(StreamId(record.stream_id()));
}

uint64_t StreamSource::SilenceOf(const catalog::StreamRecord& record) {
  const StreamId stream(record.stream_id());
  if (registry_.Find(stream)) return 0;
  std::lock_guard lock(mutex_);
  return record.silent_ns() + (store_->clock()->MonotonicNs() - LiveOf(stream).silent_since_ns);
}

bool StreamSource::IsSilentSince(StreamId stream, uint64_t monotonic_ns) {
  std::lock_guard lock(mutex_);
  const auto live = live_.find(stream);
  return live != live_.end() && live->second.silent_since_ns == monotonic_ns;
}

absl::Status StreamSource::ExpireSilent() {
  ASSIGN_OR_RETURN(const std::vector<catalog::StreamRecord> streams, LoadStreams(store_));
  ASSIGN_OR_RETURN(const uint64_t default_ns, ReadDurationNs(store_, ClusterSetting::kExpirationWindow));
  const auto check_silent = [&](const catalog::StreamRecord& record) {
    const bool silent = CanExpire(StateOf(record)) && SilenceOf(record) >= WindowOf(record, default_ns);
    return silent ? absl::OkStatus() : SqlError(sqlstate::kObjectInUse, "the stream was heard of");
  };
  for (const catalog::StreamRecord& record : streams) {
    if (!check_silent(record).ok()) continue;
    const absl::Status status = Forget(StreamId(record.stream_id()), check_silent);
    if (SqlStateOf(status) == sqlstate::kObjectInUse) continue;
    RETURN_IF_ERROR(status);
    Log(LogLevel::kWarning, "stream.expired", "stream={} destination={}", StreamText(StreamId(record.stream_id())),
        record.destination_tenant());
  }
  return NoteSilence();
}

// All in one write. Of one that is heard of meanwhile nothing is noted.
absl::Status StreamSource::NoteSilence() {
  const uint64_t now_ns = store_->clock()->MonotonicNs();
  std::map<StreamId, uint64_t> silences;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [stream, live] : live_) {
      const uint64_t silent_ns = now_ns - live.silent_since_ns;
      if (silent_ns >= kSilenceNotedNs && !registry_.Find(stream)) silences[stream] = silent_ns;
    }
  }
  if (silences.empty()) return absl::OkStatus();
  std::vector<StreamId> gone;
  RETURN_IF_ERROR(store_->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    for (const auto& [stream, silent_ns] : silences) {
      ASSIGN_OR_RETURN(const std::optional<std::string> there, update.GetBefore(StreamKey(stream)));
      if (!there) {
        gone.push_back(stream);
        continue;
      }
      if (!IsSilentSince(stream, now_ns - silent_ns)) continue;
      ASSIGN_OR_RETURN(catalog::StreamRecord record, LoadStream(update, stream));
      record.set_silent_ns(record.silent_ns() + silent_ns);
      PutStream(update, record);
    }
    return absl::OkStatus();
  }));
  std::lock_guard lock(mutex_);
  for (const StreamId& stream : gone) live_.erase(stream);  // ids are never used twice
  for (const auto& [stream, silent_ns] : silences) {
    const auto live = live_.find(stream);
    if (live == live_.end()) continue;
    if (live->second.silent_since_ns + silent_ns == now_ns) live->second.silent_since_ns = now_ns;
    live->second.touched_at_ns = 0;
  }
  return absl::OkStatus();
}

// Not more often than kProgressIntervalNs: what is durable lags behind what was acknowledged, on the safe side.
absl::Status StreamSource::Touch(StreamId stream, std::optional<Timestamp> retained) {
  const uint64_t now_ns = store_->clock()->MonotonicNs();
  {
    std::lock_guard lock(mutex_);
    Live& live = LiveOf(stream);
    live.silent_since_ns = now_ns;
    if (live.touched_at_ns != 0 && now_ns - live.touched_at_ns < kProgressIntervalNs) return absl::OkStatus();
    live.touched_at_ns = now_ns;
  }
  return UpdateStream(store_, stream, [&](MetaUpdate& update, catalog::StreamRecord& record) -> absl::Status {
    record.clear_silent_ns();
    if (retained && retained->ns > record.protected_at()) {  // R11: only upwards
      record.set_protected_at(retained->ns);
      Protect(update, IncarnationId(record.incarnation()), StreamKey(stream), *retained);
    }
    return absl::OkStatus();
  });
}

}  // namespace anabranch
