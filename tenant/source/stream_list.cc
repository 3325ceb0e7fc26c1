// What the source tells of its streams, and how one that nobody will come back to is given up.
#include <algorithm>

#include "base/log.h"
#include "base/status.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/catalog/jobs.h"
#include "tenant/catalog/stream_state.h"
#include "tenant/source/source.h"

namespace anabranch {

StreamRegistry::Connection StreamSource::ConnectionFrom(StreamRegistry::Purpose purpose,
                                                        const FrameTransport& transport) const {
  return {.purpose = purpose, .peer_address = transport.PeerAddress(), .since_ns = store_->clock()->WallNs()};
}

void StreamSource::NoteAcknowledged(StreamId stream, Timestamp frontier) {
  std::lock_guard lock(mutex_);
  Live& live = LiveOf(stream);
  live.acknowledged = frontier;
  live.silent_since_ns = store_->clock()->MonotonicNs();
}

ReplicationStreamInfo StreamSource::InfoOf(const catalog::StreamRecord& record, const catalog::TenantRecord& tenant,
                                           uint64_t window_ns) {
  const StreamId stream(record.stream_id());
  ReplicationStreamInfo info;
  info.stream = stream;
  info.job_id = JobIdOf(JobKind::kProducer, stream);
  info.tenant = TenantId(record.tenant_id());
  info.virtual_cluster = tenant.name();
  info.standby_cluster = record.destination_cluster_id();
  info.standby_name = record.destination_tenant();
  info.protected_at = {record.protected_at()};
  info.created_at_ns = record.created_at_ns();
  info.expires_at_ns = store_->clock()->WallNs() + window_ns - std::min(window_ns, SilenceOf(record));
  const std::optional<StreamRegistry::Connection> connection = registry_.Find(stream);
  const bool subscribed = connection && connection->purpose == StreamRegistry::Purpose::kSubscription;
  switch (StateOf(record, tenant)) {
    case StreamState::kExporting:
      info.state = "exporting";
      break;
    case StreamState::kCopying:
      info.state = subscribed ? "streaming" : record.unclaimed() ? "unclaimed" : "copying";
      break;
    case StreamState::kPromised:
      info.state = subscribed ? "streaming" : "failback agreed";
      break;
    case StreamState::kStanding:
      info.state = subscribed ? "streaming" : "disconnected";
      break;
    case StreamState::kFinished:
      info.state = "finished";
      break;
  }
  if (!connection) return info;
  info.standby_address = connection->peer_address;
  info.connected_since_ns = connection->since_ns;
  if (!subscribed) return info;
  Timestamp acknowledged;
  {
    std::lock_guard lock(mutex_);
    acknowledged = LiveOf(stream).acknowledged;
  }
  info.bytes_behind = options_.feed->BytesAbove(IncarnationId(record.incarnation()), acknowledged);
  return info;
}

absl::StatusOr<std::vector<ReplicationStreamInfo>> StreamSource::Streams() {
  ASSIGN_OR_RETURN(const std::vector<catalog::StreamRecord> records, LoadStreams(store_));
  ASSIGN_OR_RETURN(const uint64_t default_ns, ReadDurationNs(store_, ClusterSetting::kExpirationWindow));
  std::vector<ReplicationStreamInfo> streams;
  for (const catalog::StreamRecord& record : records) {
    const absl::StatusOr<catalog::TenantRecord> tenant = LoadTenant(store_, TenantId(record.tenant_id()));
    // Else it is dropped at this moment, and the stream with it.
    if (tenant.ok()) streams.push_back(InfoOf(record, *tenant, WindowOf(record, default_ns)));
  }
  return streams;
}

absl::Status StreamSource::Release(StreamId stream) {
  ASSIGN_OR_RETURN(const catalog::StreamRecord released, LoadStream(store_, stream));
  const auto check_unused = [&](const catalog::StreamRecord& record) -> absl::Status {
    const std::optional<StreamRegistry::Connection> connection = registry_.Find(stream);
    if (!connection && StateOf(record) != StreamState::kExporting) return absl::OkStatus();
    return SqlError(sqlstate::kObjectInUse,
                    fmt::format("replication stream {} is in use by its standby, virtual cluster \"{}\" of cluster {}{}",
                                StreamText(stream), record.destination_tenant(), record.destination_cluster_id(),
                                connection ? fmt::format(" at {}", connection->peer_address) : ""),
                    "It is no orphan: it ends when the standby is promoted or dropped.");
  };
  RETURN_IF_ERROR(Forget(stream, check_unused));
  Log(LogLevel::kWarning, "stream.released", "stream={} destination={}", StreamText(stream), released.destination_tenant());
  return absl::OkStatus();
}

}  // namespace anabranch
