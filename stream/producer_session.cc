#include "stream/producer_session.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace anabranch {
namespace {

absl::Status Violation(std::string message) { return SqlError(sqlstate::kProtocolViolation, std::move(message)); }

size_t EncodedBytes(const wire::Frame& frame) { return sizeof(uint32_t) + frame.ByteSizeLong(); }

}  // namespace

ProducerSession::ProducerSession(Options options, SessionTime now)
    : options_(std::move(options)),
      spans_(options_.spans),
      complete_(options_.after),
      target_(options_.joined_at),
      refreshed_at_ns_(now.monotonic_ns),
      checkpoint_made_at_ns_(now.monotonic_ns),
      sent_checkpoint_(options_.after),
      heard_at_ns_(now.monotonic_ns) {
  CHECK(target_ >= complete_, "a live feed joined in the past would leave a gap (P1)");
  CHECK(options_.credit_bytes >= kFrameBytesMax + kFrameEnvelopeBytesMax, "a window that holds no frame (P3)");
}

ProducerSession::Effects ProducerSession::Tick(SessionTime now) {
  if (now.monotonic_ns >= heard_at_ns_ + options_.silence_ns) {
    Effects effects;
    effects.failure = SqlError(sqlstate::kConnectionFailure,
                               fmt::format("no acknowledgement for {} s", options_.silence_ns / 1'000'000'000));
    return effects;
  }
  live_available_ = true;
  return Pump(now);
}

ProducerSession::Effects ProducerSession::Receive(std::string_view frame, SessionTime now, Timestamp resolved) {
  Effects taken;
  taken.failure = TakeAcknowledgement(frame, resolved, &taken);
  if (!taken.failure.ok()) return taken;
  heard_at_ns_ = now.monotonic_ns;
  // What waited for this acknowledgement gets a checkpoint of now, with all that came meanwhile.
  if (uncovered_) live_available_ = true;
  Effects effects = Pump(now);
  effects.acknowledged = taken.acknowledged;
  return effects;
}

absl::Status ProducerSession::TakeAcknowledgement(std::string_view bytes, Timestamp resolved, Effects* effects) {
  ASSIGN_OR_RETURN(const wire::Frame frame, DecodeFrame(bytes));
  if (frame.sequence() != received_sequence_ + 1) {  // P5
    return Violation(fmt::format("frame {} after frame {}", frame.sequence(), received_sequence_));
  }
  ++received_sequence_;
  if (!frame.has_acknowledgement()) return Violation("the destination may send acknowledgements only");
  const wire::Acknowledgement& ack = frame.acknowledgement();
  if (ack.received_bytes() < acknowledged_bytes_ || ack.received_bytes() > sent_bytes_) {
    return Violation(fmt::format("{} bytes acknowledged of {} sent", ack.received_bytes(), sent_bytes_));
  }
  if (ack.frontier() < acknowledged_.frontier.ns || ack.frontier() > sent_checkpoint_.ns) {
    return Violation(
        fmt::format("frontier {} acknowledged, the newest checkpoint is {}", ack.frontier(), sent_checkpoint_.ns));
  }
  if (ack.retained() > ack.frontier()) {
    return Violation(fmt::format("what is needed from {} on is acknowledged up to {}", ack.retained(), ack.frontier()));
  }
  acknowledged_bytes_ = ack.received_bytes();
  acknowledged_ = {{ack.frontier()}, {ack.retained()}};
  const uint64_t stored_in_ns = std::min(ack.stored_in_ns(), options_.checkpoint_interval_ns);
  pace_ns_ = stored_in_ns <= kQuickStoreNs ? kPaceNsMin : kPaceStores * stored_in_ns;
  effects->acknowledged = acknowledged_;
  if (ack.drain() > drain_) {
    drain_ = ack.drain();
    drain_upto_ = resolved;
  }
  return absl::OkStatus();
}

ProducerSession::Effects ProducerSession::OfferChanges(const std::vector<Version>& versions, Timestamp upto,
                                                       SessionTime now) {
  CHECK(complete_ <= upto && upto <= target_, "changes offered that were not asked for (P1)");
  for (const Version& version : versions) Gather(version.key, version.timestamp, version.write.kind, version.write.value);
  SealBatch();
  uncovered_ = true;  // also by a part that only raises `upto`
  complete_ = upto;
  live_available_ = true;  // the shell was not listening to the live feed meanwhile
  refreshed_at_ns_ = now.monotonic_ns;
  return Pump(now);
}

ProducerSession::Effects ProducerSession::OfferLive(const LiveChunk& chunk, SessionTime now) {
  CHECK(complete_ == target_ && complete_ <= chunk.resolved,
        "live commits offered while catching up, or from the past (P1)");
  live_available_ = false;
  target_ = chunk.resolved;
  if (!chunk.lost) {
    for (const PublishedCommit& commit : chunk.commits) {
      for (const WriteList::Entry write : *commit.writes) Gather(write.key, commit.timestamp, write.kind(), write.value());
    }
    SealBatch();
    complete_ = target_;
  }
  refreshed_at_ns_ = now.monotonic_ns;
  return Pump(now);
}

void ProducerSession::Gather(std::string_view key, Timestamp timestamp, WriteKind kind, std::string_view value) {
  if (!options_.spans.empty() && !spans_.Contains(key)) return;
  AppendVersion(&flat_, key, timestamp, kind, value);
  if (flat_.size() >= kFlatBytesTarget) SealBatch();  // P4
}

void ProducerSession::SealBatch() {
  if (flat_.empty()) return;
  uncovered_ = true;
  for (wire::Batch& piece : SplitBatch(MakeBatch(std::exchange(flat_, {})))) {
    *queue_.emplace_back().mutable_batch() = std::move(piece);
  }
}

bool ProducerSession::CheckpointIsDue(SessionTime now) const {
  if (checkpoint_queued_) return false;
  if (DrainIsWanted() && complete_ >= drain_upto_) return true;
  // In live mode a checkpoint waits for the resolved timestamp to be read again once it is due: it would be an interval
  // old.
  const bool fresh = complete_ < target_ || refreshed_at_ns_ >= CheckpointAtNs();
  if (now.monotonic_ns >= CheckpointAtNs() && fresh) return true;
  return uncovered_ && !CheckpointIsUnderWay() && refreshed_at_ns_ == now.monotonic_ns;
}

ProducerSession::Effects ProducerSession::Pump(SessionTime now) {
  Effects effects;
  if (CheckpointIsDue(now)) {
    wire::Checkpoint& checkpoint = *queue_.emplace_back().mutable_checkpoint();
    checkpoint.set_resolved(complete_.ns);
    if (complete_ >= drain_upto_) drained_ = drain_;
    checkpoint.set_drained(drained_);
    intervals_ = uncovered_ ? 1 : std::min(2 * intervals_, kIdleIntervalsMax);
    checkpoint_queued_ = true;
    uncovered_ = false;
    checkpoint_made_at_ns_ = now.monotonic_ns;
  }
  SendQueued(now, &effects.frames);
  effects.read = NextRead(now);
  effects.tick_at_ns = NextTick();
  return effects;
}

void ProducerSession::SendQueued(SessionTime now, std::vector<std::string>* frames) {
  while (!queue_.empty()) {
    wire::Frame& frame = queue_.front();
    frame.set_sequence(sent_sequence_ + 1);
    frame.set_clock_ns(now.clock_ns);
    if (sent_bytes_ + EncodedBytes(frame) > acknowledged_bytes_ + options_.credit_bytes) return;  // P3
    frames->push_back(EncodeFrame(frame));
    ++sent_sequence_;
    sent_bytes_ += frames->back().size();
    if (frame.has_checkpoint()) {
      CHECK(frame.checkpoint().resolved() >= sent_checkpoint_.ns, "a checkpoint went back (P2)");
      sent_checkpoint_ = {frame.checkpoint().resolved()};
      checkpoint_sent_bytes_ = sent_bytes_;
      checkpoint_queued_ = false;
    }
    queue_.pop_front();
  }
}

ProducerSession::Read ProducerSession::NextRead(SessionTime now) const {
  if (!queue_.empty()) return {};  // P3
  if (complete_ < target_) return {Source::kChangeIndex, complete_, target_};
  if (live_available_ && now.monotonic_ns >= LiveAtNs()) return {Source::kLiveFeed, complete_, complete_};
  if (now.monotonic_ns >= CheckpointAtNs()) return {Source::kLiveFeed, complete_, complete_};
  return {};
}

uint64_t ProducerSession::CheckpointAtNs() const {
  return checkpoint_made_at_ns_ + (uncovered_ ? 1 : intervals_) * options_.checkpoint_interval_ns;
}

// The live feed is not read again before this.
uint64_t ProducerSession::LiveAtNs() const {
  if (DrainIsWanted()) return refreshed_at_ns_ + kDrainReadNs;
  return refreshed_at_ns_ + (CheckpointIsUnderWay() ? kGatherNs : pace_ns_);
}

uint64_t ProducerSession::NextTick() const {
  uint64_t at_ns = heard_at_ns_ + options_.silence_ns;
  if (!queue_.empty()) return at_ns;  // only an acknowledgement moves what waits
  at_ns = std::min(at_ns, CheckpointAtNs());
  if (live_available_ || DrainIsWanted()) at_ns = std::min(at_ns, LiveAtNs());
  return at_ns;
}

}  // namespace anabranch
