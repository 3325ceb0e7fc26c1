#include "stream/producer.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>

#include "base/failpoint.h"
#include "base/status.h"
#include "storage/mvcc/change_index.h"
#include "stream/frame.h"
#include "stream/producer_session.h"

namespace anabranch {
namespace {

constexpr int kWaitMsMax = 1'000;

absl::Status HistoryIsGone(Timestamp after, Timestamp floor) {
  return SqlError(
      sqlstate::kObjectNotInPrerequisiteState,
      fmt::format("the source has dropped its history up to {}; the destination needs it from {}", FormatHlc(floor),
                  FormatHlc(after)),
      "Make another standby with CREATE VIRTUAL CLUSTER ... FROM REPLICATION OF ..., and drop this one after that.");
}

SessionTime Now(Store* store) {
  return {store->clock()->MonotonicNs(), std::max(store->clock()->WallNs(), store->visible().ns)};
}

ProducerSession::Options SessionOptions(const SubscriptionOptions& subscription, Timestamp joined_at) {
  const wire::SubscribeRequest& request = subscription.request;
  ProducerSession::Options options{.after = {request.after()}, .joined_at = joined_at, .spans = {}};
  for (const wire::Span& span : request.spans()) options.spans.push_back({span.start(), span.end()});
  options.credit_bytes = std::min(request.credit_bytes(), kCreditWindowBytes);
  options.checkpoint_interval_ns = subscription.checkpoint_interval_ns;
  options.silence_ns = subscription.silence_ns;
  return options;
}

// Reads what the session asks for from the change index, a bounded part at a time.
class CatchUp {
 public:
  CatchUp(Store* store, KeyspaceRef keyspace) : store_(store), keyspace_(std::move(keyspace)) {}

  struct Part {
    std::vector<Version> versions;
    Timestamp upto;  // this part and earlier ones hold everything up to here
  };
  absl::StatusOr<Part> Next(const ProducerSession::Read& read);

 private:
  Store* const store_;
  const KeyspaceRef keyspace_;
  std::unique_ptr<ChangeCursor> cursor_;  // stands behind what was offered; null between two catch-ups
};

absl::StatusOr<CatchUp::Part> CatchUp::Next(const ProducerSession::Read& read) {
  Failpoint("producer.catch_up");
  if (cursor_ == nullptr) {
    ASSIGN_OR_RETURN(cursor_, ChangeCursor::Open(store_, keyspace_, read.after, read.upto, ChangeFilter::kVisible));  // R7
  }
  Part part;
  size_t bytes = 0;
  ChangeEntry entry;
  while (bytes < kReadBytesMax) {
    ASSIGN_OR_RETURN(const bool found, cursor_->Next(&entry));
    if (!found) {
      cursor_.reset();
      part.upto = read.upto;
      break;
    }
    ASSIGN_OR_RETURN(std::vector<Version> versions, ReadVersions(store_, keyspace_, entry));
    for (const Version& version : versions) bytes += version.key.size() + version.write.value.size();
    std::move(versions.begin(), versions.end(), std::back_inserter(part.versions));
    part.upto = entry.timestamp.Prev();  // more entries of the same timestamp may follow
  }
  return part;
}

class Subscription {
 public:
  Subscription(SubscriptionOptions options, FrameTransport* transport, std::stop_token stop)
      : options_(std::move(options)),
        transport_(transport),
        stop_(std::move(stop)),
        on_stop_(stop_,
                 [this] {
                   stop_wake_.Signal();
                   wake_.Signal();
                 }),
        reader_(options_.feed->Subscribe(options_.keyspace, &wake_)),
        catch_up_(options_.store, options_.keyspace),
        state_at_start_(options_.keyspace->state()) {}

  absl::Status Run();

 private:
  absl::Status CheckRequest() const;
  absl::Status CheckSource() const;
  absl::Status Apply(const ProducerSession::Effects& effects);
  absl::StatusOr<ProducerSession::Effects> ReadMore(ProducerSession& session, const ProducerSession::Read& read);
  int WaitMs(const ProducerSession::Effects& effects) const;

  const SubscriptionOptions options_;
  FrameTransport* const transport_;
  const std::stop_token stop_;
  WakeEvent wake_;       // ends Receive: something was published, or stop
  WakeEvent stop_wake_;  // ends Send: stop only
  const std::stop_callback<std::function<void()>> on_stop_;
  const std::unique_ptr<LiveReader> reader_;  // it joins before anything is read, so that no commit falls between
  CatchUp catch_up_;
  const std::shared_ptr<const KeyspaceState> state_at_start_;
};

absl::Status Subscription::CheckRequest() const {
  const Timestamp after{options_.request.after()};
  if (options_.request.credit_bytes() < kFrameBytesMax + kFrameEnvelopeBytesMax) {
    return SqlError(sqlstate::kInvalidParameterValue, fmt::format("credit of {} bytes holds no frame (kFrameBytesMax = {})",
                                                                  options_.request.credit_bytes(), kFrameBytesMax));
  }
  if (after > reader_->joined_at()) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    fmt::format("the destination is complete up to {}, the source only up to {}", FormatHlc(after),
                                FormatHlc(reader_->joined_at())));
  }
  return absl::OkStatus();
}

// R10: every change that is not an append ends outgoing streams; the next connect judges both histories.
absl::Status Subscription::CheckSource() const {
  const auto state = options_.keyspace->state();
  if (state->dropping) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState, "the source virtual cluster is being dropped");
  }
  if (state->ingesting) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState, "the source virtual cluster is itself a standby",
                    "Replicate from its source.");
  }
  const auto known = [this](const HiddenInterval& interval) {
    const std::vector<HiddenInterval>& before = state_at_start_->hidden;
    return std::any_of(before.begin(), before.end(),
                       [&](const HiddenInterval& other) { return other.after == interval.after; });
  };
  if (!std::all_of(state->hidden.begin(), state->hidden.end(), known)) {
    return SqlError(sqlstate::kObjectNotInPrerequisiteState,
                    "the history of the source virtual cluster was changed: reconnect");
  }
  return absl::OkStatus();
}

absl::Status Subscription::Apply(const ProducerSession::Effects& effects) {
  RETURN_IF_ERROR(transport_->SendAll(effects.frames, &stop_wake_));
  if (effects.acknowledged) {
    RETURN_IF_ERROR(options_.on_acknowledged(effects.acknowledged->frontier, effects.acknowledged->retained));
  }
  return effects.failure;
}

absl::StatusOr<ProducerSession::Effects> Subscription::ReadMore(ProducerSession& session,
                                                                const ProducerSession::Read& read) {
  if (read.source == ProducerSession::Source::kLiveFeed) {
    const LiveChunk chunk = reader_->Take(kReadBytesMax);  // R2: resolved comes from the writer thread
    return session.OfferLive(chunk, Now(options_.store));  // the clock of after: no checkpoint is later than its frame
  }
  absl::StatusOr<CatchUp::Part> part = catch_up_.Next(read);
  // R8: only if nothing above `after` was collected while the part was read is it everything, and may a checkpoint follow.
  if (const Timestamp floor = options_.keyspace->state()->floor; floor > read.after)
    return HistoryIsGone(read.after, floor);
  RETURN_IF_ERROR(part.status());
  return session.OfferChanges(part->versions, part->upto, Now(options_.store));
}

int Subscription::WaitMs(const ProducerSession::Effects& effects) const {
  if (effects.read.source != ProducerSession::Source::kNothing) return 0;
  const uint64_t now_ns = options_.store->clock()->MonotonicNs();
  if (effects.tick_at_ns <= now_ns) return 0;
  // Rounded up: a wait that ends just short of its time would spin.
  return static_cast<int>(std::min<uint64_t>((effects.tick_at_ns - now_ns + 999'999) / 1'000'000, kWaitMsMax));
}

absl::Status Subscription::Run() {
  RETURN_IF_ERROR(CheckRequest());
  ProducerSession session(SessionOptions(options_, reader_->joined_at()), Now(options_.store));
  ProducerSession::Effects effects = session.Tick(Now(options_.store));
  while (true) {
    RETURN_IF_ERROR(CheckSource());
    RETURN_IF_ERROR(Apply(effects));
    auto received = transport_->Receive(WaitMs(effects), &wake_);
    if (stop_.stop_requested()) return absl::CancelledError("the subscription was stopped");
    if (!received.ok()) return absl::IsUnavailable(received.status()) ? absl::OkStatus() : received.status();
    if (received->has_value()) {
      effects = session.Receive(**received, Now(options_.store), options_.store->Resolved(*options_.keyspace));
      continue;
    }
    wake_.Clear();  // before Take, which arms the event again, and before another look at the stop that it may have told of
    if (stop_.stop_requested()) return absl::CancelledError("the subscription was stopped");
    if (effects.read.source == ProducerSession::Source::kNothing) {
      effects = session.Tick(Now(options_.store));
    } else {
      ASSIGN_OR_RETURN(effects, ReadMore(session, effects.read));
    }
  }
}

}  // namespace

absl::Status ServeSubscription(SubscriptionOptions options, FrameTransport& transport, std::stop_token stop) {
  return Subscription(std::move(options), &transport, std::move(stop)).Run();
}

}  // namespace anabranch
