#include "stream/ingestion_session.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status.h"

namespace anabranch {
namespace {

absl::Status Violation(std::string message) { return SqlError(sqlstate::kProtocolViolation, std::move(message)); }

}  // namespace

IngestionSession::IngestionSession(Options options, SessionTime now)
    : options_(options),
      silence_ns_(kSilentIntervalsMax * options.checkpoint_interval_ns),
      resolved_(options.after),
      frontier_(options.after),
      acknowledged_at_ns_(now.monotonic_ns),
      heard_at_ns_(now.monotonic_ns) {}

void IngestionSession::Receive(std::string_view bytes, SessionTime now, Effects* effects) {
  heard_at_ns_ = now.monotonic_ns;
  received_bytes_ += bytes.size();
  effects->bytes += bytes.size();
  absl::StatusOr<wire::Frame> frame = DecodeFrame(bytes);
  effects->failure = frame.ok() ? Take(*std::move(frame), now, effects) : std::move(frame).status();
}

absl::Status IngestionSession::Take(wire::Frame frame, SessionTime now, Effects* effects) {
  if (frame.sequence() != received_sequence_ + 1) {  // I1
    return Violation(fmt::format("frame {} after frame {}", frame.sequence(), received_sequence_));
  }
  ++received_sequence_;
  source_clock_offset_ns_ = static_cast<int64_t>(frame.clock_ns() - now.clock_ns);
  const uint64_t newest_ns =
      frame.has_checkpoint() ? std::max(frame.clock_ns(), frame.checkpoint().resolved()) : frame.clock_ns();
  if (newest_ns > now.clock_ns && newest_ns - now.clock_ns > kPeerClockAheadNsMax) {  // I5
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("the clock of the source is ahead by {} s", (newest_ns - now.clock_ns) / 1'000'000'000),
                    "Set the clocks of both clusters right; the limit is 10 minutes.");
  }
  switch (frame.body_case()) {
    case wire::Frame::kBatch:
      return TakeBatch(std::move(*frame.mutable_batch()), {frame.clock_ns()}, effects);
    case wire::Frame::kCheckpoint:
      return TakeCheckpoint(frame.checkpoint(), {frame.clock_ns()}, effects);
    default:
      return Violation("the source may send batches and checkpoints only");
  }
}

absl::Status IngestionSession::TakeBatch(wire::Batch piece, Timestamp sent, Effects* effects) {
  RETURN_IF_ERROR(JoinBatch(&partial_, std::move(piece)));
  if (partial_.more()) return absl::OkStatus();
  const uint64_t unpacked_bytes = partial_.raw_bytes();
  ASSIGN_OR_RETURN(std::vector<Version> versions, DecodeBatch(std::exchange(partial_, {})));
  for (const Version& version : versions) {
    if (version.timestamp > options_.after && version.timestamp <= sent) continue;  // I6
    return Violation(fmt::format("a version at {} came at {}, of what follows {}", FormatHlc(version.timestamp),
                                 FormatHlc(sent), FormatHlc(options_.after)));
  }
  effects->bytes += versions.size() * sizeof(Version) + unpacked_bytes;
  std::move(versions.begin(), versions.end(), std::back_inserter(effects->versions));
  return absl::OkStatus();
}

absl::Status IngestionSession::TakeCheckpoint(const wire::Checkpoint& checkpoint, Timestamp sent, Effects* effects) {
  const Timestamp resolved{checkpoint.resolved()};
  if (resolved < resolved_) {  // I2
    return Violation(fmt::format("the checkpoint went back from {} to {}", FormatHlc(resolved_), FormatHlc(resolved)));
  }
  if (resolved > sent) {  // I6
    return Violation(fmt::format("a checkpoint at {} came at {}", FormatHlc(resolved), FormatHlc(sent)));
  }
  if (!partial_.versions().empty()) return Violation("a checkpoint between the pieces of a version");
  if (checkpoint.drained() > drain_) return Violation("the source answered a drain that was not asked for");
  resolved_ = resolved;
  checkpoint_unacknowledged_ = true;
  effects->drained = checkpoint.drained();
  // `after` was durable before only if the copy needs no more: until first_frontier is passed, nothing is.
  if (resolved < options_.first_frontier || resolved <= frontier_) return absl::OkStatus();
  frontier_ = resolved;
  effects->frontier = resolved;
  return absl::OkStatus();
}

absl::Status IngestionSession::Tick(SessionTime now) const {
  if (now.monotonic_ns < silent_at_ns()) return absl::OkStatus();
  return SqlError(sqlstate::kConnectionFailure,
                  fmt::format("nothing came from the source for {} ms", silence_ns_ / 1'000'000));
}

std::optional<std::string> IngestionSession::Stored(Timestamp durable, Timestamp retained, SessionTime now) {
  stored_in_ns_ = now.monotonic_ns - std::min(now.monotonic_ns, heard_at_ns_);
  heard_at_ns_ = std::max(heard_at_ns_, now.monotonic_ns);  // while we stored, nobody listened: the source was not silent
  const bool credit_due = received_bytes_ - acknowledged_bytes_ >= options_.credit_bytes / 2;
  const bool time_is_due = now.monotonic_ns >= acknowledged_at_ns_ + silence_ns_ / 3;
  if (!credit_due && !checkpoint_unacknowledged_ && !time_is_due) return std::nullopt;
  checkpoint_unacknowledged_ = false;
  return Acknowledge(durable, retained, now);
}

std::string IngestionSession::AskToDrain(uint64_t drain, Timestamp durable, Timestamp retained, SessionTime now) {
  drain_ = drain;
  return Acknowledge(durable, retained, now);
}

std::string IngestionSession::Acknowledge(Timestamp durable, Timestamp retained, SessionTime now) {
  acknowledged_bytes_ = received_bytes_;
  acknowledged_at_ns_ = now.monotonic_ns;
  wire::Frame frame;
  frame.set_sequence(++sent_sequence_);
  frame.set_clock_ns(now.clock_ns);
  wire::Acknowledgement& ack = *frame.mutable_acknowledgement();
  ack.set_frontier(durable.ns);
  ack.set_retained(retained.ns);
  ack.set_received_bytes(received_bytes_);
  ack.set_drain(drain_);
  ack.set_stored_in_ns(stored_in_ns_);
  return EncodeFrame(frame);
}

}  // namespace anabranch
