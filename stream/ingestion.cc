#include "stream/ingestion.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/failpoint.h"
#include "base/status.h"
#include "stream/frame.h"
#include "stream/ingestion_session.h"
#include "stream/ingestion_sink.h"
#include "stream/source_client.h"

namespace anabranch {
namespace {

// So much memory what is taken in one go may need, unpacked, and one batch more: saves syncs. What waits beyond that is still
// as it was sent, and no more than the credit window.
constexpr size_t kTogetherBytesMax = 4 << 20;
// A wait is cut in so many, to look whether a part of a frame came.
constexpr uint64_t kLooksPerSilence = 4;

absl::Status CheckStream(const wire::OpenResponse& stream) {
  const auto divided = [](const wire::Partition& partition) { return partition.spans_size() > kPartitionSpansMax; };
  if (stream.partitions_size() > kPartitionsMax ||
      std::any_of(stream.partitions().begin(), stream.partitions().end(), divided)) {
    return SqlError(sqlstate::kProtocolViolation, "the stream has more partitions, or spans of one, than any source makes");
  }
  const uint64_t interval_ms = stream.checkpoint_interval_ms();
  if (interval_ms == 0 || (interval_ms >= kCheckpointIntervalMsMin && interval_ms <= kCheckpointIntervalMsMax)) {
    return absl::OkStatus();
  }
  return SqlError(sqlstate::kProtocolViolation,
                  fmt::format("a checkpoint interval of {} ms, which no source can be set to", interval_ms));
}

std::vector<std::vector<Span>> SpansOf(const wire::OpenResponse& stream) {
  std::vector<std::vector<Span>> partitions;
  for (const wire::Partition& partition : stream.partitions()) {
    std::vector<Span>& spans = partitions.emplace_back();
    for (const wire::Span& span : partition.spans()) spans.push_back({span.start(), span.end()});
  }
  return partitions;
}

IngestionSession::Options SessionOptions(const IngestionOptions& options) {
  IngestionSession::Options session{.after = options.after, .first_frontier = options.first_frontier};
  if (const uint64_t interval_ms = options.stream.checkpoint_interval_ms(); interval_ms != 0) {
    session.checkpoint_interval_ns = interval_ms * 1'000'000;
  }
  return session;
}

// This machine's clocks; the wall clock, because the offset to it is what the lag is computed from.
SessionTime Now(Store* store) { return {store->clock()->MonotonicNs(), store->clock()->WallNs()}; }

// What is here already, up to kTogetherBytesMax, after waiting for the first frame. OK with nothing: woken or the time is
// over. An error does not undo what came before it.
absl::Status ReceiveSome(FrameTransport& transport, WakeEvent* wake, Store* store, IngestionSession* session,
                         IngestionSession::Effects* effects, bool* any) {
  const uint64_t now_ns = Now(store).monotonic_ns;
  const uint64_t left_ns = session->silent_at_ns() - std::min(now_ns, session->silent_at_ns());
  int timeout_ms = static_cast<int>(std::min(left_ns, session->silence_ns() / kLooksPerSilence) / 1'000'000 + 1);
  for (; effects->bytes < kTogetherBytesMax; timeout_ms = 0) {
    const uint64_t heard = transport.heard();
    ASSIGN_OR_RETURN(const std::optional<std::string> frame, transport.Receive(timeout_ms, wake));
    if (!frame) {
      if (transport.heard() != heard) session->Hear(Now(store));
      return absl::OkStatus();
    }
    *any = true;
    session->Receive(*frame, Now(store), effects);
    RETURN_IF_ERROR(effects->failure);
  }
  return absl::OkStatus();
}

absl::Status SubscribeAndIngest(IngestionSink& sink, size_t partition, std::stop_token stop) {
  const IngestionOptions& options = sink.options();
  const wire::Partition& described = options.stream.partitions(static_cast<int>(partition));
  if (!described.address().empty()) {
    return SqlError(sqlstate::kFeatureNotSupported,
                    "partitions at other addresses than the source's own are not supported yet");
  }
  wire::SubscribeRequest request;
  request.set_stream_id(options.stream.stream_id());
  request.set_after(options.after.ns);
  *request.mutable_spans() = described.spans();
  request.set_credit_bytes(kCreditWindowBytes);
  request.set_copy_finished(options.copy_finished);
  request.set_destination_cluster_id(options.store->cluster_id().value());
  ASSIGN_OR_RETURN(const auto client, SourceClient::Connect(options.uri, stop));
  ASSIGN_OR_RETURN(FrameTransport* const transport, client->Subscribe(request));
  return IngestPartition(sink, partition, *transport, stop);
}

}  // namespace

absl::StatusOr<std::unique_ptr<IngestionSink>> IngestionSink::Create(IngestionOptions options) {
  RETURN_IF_ERROR(CheckStream(options.stream));
  ASSIGN_OR_RETURN(Frontier frontier, Frontier::Create(SpansOf(options.stream), options.after));
  return std::unique_ptr<IngestionSink>(new IngestionSink(std::move(options), std::move(frontier)));
}

IngestionSink::IngestionSink(IngestionOptions options, Frontier frontier)
    : options_(std::move(options)), frontier_(std::move(frontier)) {
  durable_.frontier = std::min(options_.keyspace->state()->frontier, options_.after);
  if (!durable_.frontier.IsZero()) durable_.retained = options_.retained(durable_.frontier);
}

absl::Status IngestionSink::Ingest(std::vector<Version> versions, std::optional<Timestamp> frontier) {
  if (versions.empty() && !frontier) return absl::OkStatus();
  Failpoint("ingest.batch");
  // R1: this keyspace resolves at its frontier, which the store's clock therefore never stays behind.
  if (frontier && *frontier > options_.store->visible()) RETURN_IF_ERROR(options_.store->ForwardClock(*frontier));
  return options_.store->Ingest({options_.keyspace, options_.epoch, std::move(versions), frontier});
}

absl::StatusOr<IngestionSink::Durable> IngestionSink::Put(size_t partition, std::vector<Version> versions,
                                                          std::optional<Timestamp> frontier,
                                                          int64_t source_clock_offset_ns) {
  if (!frontier) {
    RETURN_IF_ERROR(Ingest(std::move(versions), std::nullopt));
    std::lock_guard lock(mutex_);
    return durable_;
  }
  std::lock_guard lock(mutex_);
  std::optional<Timestamp> minimum = frontier_.Advance(partition, *frontier);
  // Another partition is not that far yet, or an earlier attempt was further (K4).
  if (minimum && *minimum < std::max(options_.first_frontier, options_.keyspace->state()->frontier)) minimum.reset();
  RETURN_IF_ERROR(Ingest(std::move(versions), minimum));
  if (minimum) {
    durable_ = {*minimum, options_.retained(*minimum)};
    options_.on_frontier(*minimum, source_clock_offset_ns);
  }
  return durable_;
}

IngestionSink::Durable IngestionSink::durable() {
  std::lock_guard lock(mutex_);
  return durable_;
}

absl::Status IngestPartition(IngestionSink& sink, size_t partition, FrameTransport& transport, std::stop_token stop) {
  WakeEvent stop_wake;  // ends Send: stop only
  WakeEvent wake;       // ends Receive: a drain is wanted, or stop
  const std::stop_callback on_stop(stop, [&] {
    stop_wake.Signal();
    wake.Signal();
  });
  SourceDrain::Attachment drain(sink.options().drain, &wake);
  uint64_t asked = 0;
  Store* const store = sink.options().store;
  IngestionSession session(SessionOptions(sink.options()), Now(store));
  while (true) {
    IngestionSession::Effects effects;
    bool any = false;
    const absl::Status received = ReceiveSome(transport, &wake, store, &session, &effects, &any);
    if (stop.stop_requested()) return absl::CancelledError("ingestion was stopped");
    if (any) {
      ASSIGN_OR_RETURN(const IngestionSink::Durable durable, sink.Put(partition, std::move(effects.versions),
                                                                      effects.frontier, session.source_clock_offset_ns()));
      const std::optional<std::string> ack = session.Stored(durable.frontier, durable.retained, Now(store));
      if (ack && received.ok()) RETURN_IF_ERROR(transport.Send(*ack, &stop_wake));
      if (effects.drained != 0) drain.Done(effects.drained);
    }
    RETURN_IF_ERROR(received);
    RETURN_IF_ERROR(session.Tick(Now(store)));
    if (!any) wake.Clear();  // before it is looked for what woke us
    if (stop.stop_requested()) return absl::CancelledError("ingestion was stopped");
    const uint64_t wanted = drain.Wanted();
    if (wanted == asked) continue;
    asked = wanted;
    if (Now(store).monotonic_ns >
        session.heard_at_ns() + std::max(kDrainSilenceNs, session.silence_ns() / kLooksPerSilence)) {
      drain.Done(wanted);
    } else {
      const IngestionSink::Durable durable = sink.durable();
      RETURN_IF_ERROR(
          transport.Send(session.AskToDrain(wanted, durable.frontier, durable.retained, Now(store)), &stop_wake));
    }
  }
}

absl::Status RunIngestion(IngestionOptions options, std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::unique_ptr<IngestionSink> sink, IngestionSink::Create(std::move(options)));
  const size_t partitions = static_cast<size_t>(sink->options().stream.partitions_size());
  if (partitions == 1) return SubscribeAndIngest(*sink, 0, stop);

  // The first partition that ends, ends the others.
  std::stop_source all;
  const std::stop_callback forward(stop, [&all] { all.request_stop(); });
  std::mutex mutex;
  std::optional<absl::Status> first;
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < partitions; ++i) {
      threads.emplace_back([&, i] {
        absl::Status status = SubscribeAndIngest(*sink, i, all.get_token());
        std::lock_guard lock(mutex);
        if (!first) first = std::move(status);
        all.request_stop();
      });
    }
  }
  return *first;
}

}  // namespace anabranch
