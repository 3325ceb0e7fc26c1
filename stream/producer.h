// The source's end of a subscription: catch-up from the change index, then the live feed, checkpoints, flow control.
//
// The protocol is a pure state machine, ProducerSession (stream/producer_session.h); ServeSubscription is the shell that
// reads the store and moves frames. It runs on the thread of the connection that asked.
#pragma once

#include <functional>
#include <stop_token>

#include "absl/status/status.h"
#include "storage/api/store.h"
#include "storage/transfer.h"
#include "stream/frame.h"
#include "stream/live_feed.h"
#include "stream/transport.h"
#include "stream/wire.pb.h"

namespace anabranch {

struct SubscriptionOptions {
  Store* store = nullptr;
  LiveFeed* feed = nullptr;
  KeyspaceRef keyspace;
  wire::SubscribeRequest request;
  uint64_t checkpoint_interval_ns = kCheckpointIntervalMs * 1'000'000;
  uint64_t silence_ns = 60'000'000'000;  // how long the peer may acknowledge nothing
  // Called for each acknowledgement: the destination is durable at `frontier` and may still fail over to `retained` or
  // later.
  std::function<absl::Status(Timestamp frontier, Timestamp retained)> on_acknowledged;
};

// Returns when the peer closed (OK), the stream must end (error, told to the peer), or `stop` was requested (Cancelled).
absl::Status ServeSubscription(SubscriptionOptions options, FrameTransport& transport, std::stop_token stop);

// Sends one exported file from request.offset to its end. `dir` is the export's folder.
absl::Status ServeCopy(const std::string& dir, const wire::CopyRequest& request, FrameTransport& transport,
                       std::stop_token stop);

wire::TransferManifest ToWire(const TransferManifest& manifest);
TransferManifest FromWire(const wire::TransferManifest& manifest);

}  // namespace anabranch
