// The standby's end: takes frames in, hands versions to the store, makes data and frontier durable together, acknowledges.
//
// The protocol is a pure state machine, IngestionSession (stream/ingestion_session.h); RunIngestion is the shell. One call
// is one attempt under one epoch; failover fences it by bumping the epoch, never by waiting for it.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "storage/api/store.h"
#include "storage/transfer.h"
#include "stream/source_drain.h"
#include "stream/wire.pb.h"

namespace anabranch {

struct IngestionOptions {
  Store* store = nullptr;
  KeyspaceRef keyspace;
  Epoch epoch;  // of the keyspace's owner; minted for this attempt
  std::string uri;
  wire::OpenResponse stream;  // all of its partitions are subscribed to, from `after`
  Timestamp after;            // the keyspace's frontier, or start_at before the first checkpoint
  Timestamp
      first_frontier;  // no frontier below this is made durable: E of the initial copy (tenant/replication/failover.h); zero otherwise
  bool copy_finished = false;
  // The oldest failover target when the frontier is `frontier`; goes into acknowledgements.
  std::function<Timestamp(Timestamp frontier)> retained;
  // Called after a frontier became durable. source_clock_offset_ns: source clock minus this machine's wall clock, as last
  // seen.
  std::function<void(Timestamp frontier, int64_t source_clock_offset_ns)> on_frontier;
  SourceDrain* drain = nullptr;  // not owned, outlives the ingestion; may be null
};

// Of what a source's answer names, which is 08P01 beyond them: each partition is a connection and a thread.
inline constexpr int kPartitionsMax = 64;
inline constexpr int kPartitionSpansMax = 1'000;

// Runs until `stop` (Cancelled) or until the attempt must end: lost connection, silence for kSilentIntervalsMax checkpoint
// intervals, bad frame, fenced, or the store refused; 08P01 at once for partitions or an interval
// that no source has. With several partitions the durable frontier is the minimum over
// theirs.
absl::Status RunIngestion(IngestionOptions options, std::stop_token stop);

struct CopyProgress {
  uint64_t bytes_done = 0;
  uint64_t bytes_kept = 0;  // of these, what earlier attempts brought
  uint64_t bytes_total = 0;
  uint64_t bytes_resent = 0;  // bytes that restarts made come twice; at most one chunk per connection and restart
};
inline constexpr int kCopyConnections = 2;
inline constexpr int kCopyConnectionsMax = 16;
// A copy leaves so much of the disk to the other virtual clusters, and to the log.
inline constexpr uint64_t kCopyLeavesBytes = 64 << 20;

// Brings the manifest's files to the cluster `destination`, into `dir`, over so many connections. Chunks already in `dir`
// from an earlier attempt are verified against its journal and kept; each chunk is checksummed. OK: every file is complete
// and synced. 53100 if the disk has no room for what is missing, before anything is asked for, or no longer has.
absl::Status CopyFiles(const std::string& uri, const ClusterId& destination, const wire::OpenResponse& stream,
                       const std::string& dir, const std::function<void(const CopyProgress&)>& on_progress,
                       std::stop_token stop, int connections = kCopyConnections);

}  // namespace anabranch
