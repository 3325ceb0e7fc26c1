// The standby's side of one subscription as a pure state machine: no clock, no I/O, no threads. The shell
// (stream/ingestion.cc) gives it frames, stores what the effects say, reports that with Stored, and sends the
// acknowledgements.
//
// Invariants
//
// (I1) A frame that fails its CRC, does not parse or skips a sequence number ends the attempt, and so does silence for
//      kSilentIntervalsMax intervals: reconnect, never guess. Any byte breaks the silence, for a frame may take longer.
//
// (I2) A frontier comes out with, or after, every version at or below it. It never goes back, and none below
//      first_frontier comes out.
//
// (I3) Versions that arrive again are given out again: the store takes them idempotently.
//
// (I4) An acknowledgement carries what the store has made durable and never more. There is one for each checkpoint and at
//      the latest when half the credit window was received, or when something was and the last one is a third of the
//      silence ago: a slow link takes longer than the source waits.
//
// (I5) A source whose clock is ahead of ours by more than kPeerClockAheadNsMax is refused, not followed (R2).
//
// (I6) A version lies above what was subscribed from, and nothing that a frame says is later than the frame.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/api/store.h"
#include "stream/frame.h"
#include "stream/session_time.h"

namespace anabranch {

class IngestionSession {
 public:
  struct Options {
    Timestamp after;           // the timestamp that was subscribed from
    Timestamp first_frontier;  // as in IngestionOptions
    uint64_t credit_bytes = kCreditWindowBytes;
    uint64_t checkpoint_interval_ns = kCheckpointIntervalMs * 1'000'000;
  };
  struct Effects {
    std::vector<Version> versions;      // ingest these
    std::optional<Timestamp> frontier;  // then, or with them, make this durable
    uint64_t drained = 0;               // then this drain is done, and all before it
    size_t bytes = 0;                   // of memory that the above takes, unpacked, and of frames
    absl::Status failure;               // end the attempt; what came out before it may still be stored
  };

  IngestionSession(Options options, SessionTime now);

  // Appends to `effects`, so that what is here already is stored at once. After a failure: no more.
  void Receive(std::string_view frame, SessionTime now, Effects* effects);
  // Something came that is no whole frame yet.
  void Hear(SessionTime now) { heard_at_ns_ = now.monotonic_ns; }
  // Nothing came.
  absl::Status Tick(SessionTime now) const;
  // Everything given out is in the store; the keyspace is durable at `durable` and may fail over to `retained` or later.
  // The acknowledgement to send, if one is due.
  std::optional<std::string> Stored(Timestamp durable, Timestamp retained, SessionTime now);
  // An acknowledgement that asks the source for all that it has committed by now. `drain` counts up.
  std::string AskToDrain(uint64_t drain, Timestamp durable, Timestamp retained, SessionTime now);

  uint64_t heard_at_ns() const { return heard_at_ns_; }
  uint64_t silent_at_ns() const { return heard_at_ns_ + silence_ns_; }  // Tick fails from then on
  uint64_t silence_ns() const { return silence_ns_; }
  int64_t source_clock_offset_ns() const { return source_clock_offset_ns_; }

 private:
  absl::Status Take(wire::Frame frame, SessionTime now, Effects* effects);
  absl::Status TakeBatch(wire::Batch piece, Timestamp sent, Effects* effects);
  absl::Status TakeCheckpoint(const wire::Checkpoint& checkpoint, Timestamp sent, Effects* effects);
  std::string Acknowledge(Timestamp durable, Timestamp retained, SessionTime now);

  const Options options_;
  const uint64_t silence_ns_;

  wire::Batch partial_;  // the pieces so far of a version larger than a frame
  Timestamp resolved_;   // of the newest checkpoint
  Timestamp frontier_;   // of the newest checkpoint given out (I2)
  uint64_t received_sequence_ = 0;
  uint64_t received_bytes_ = 0;

  uint64_t sent_sequence_ = 0;
  uint64_t acknowledged_bytes_ = 0;
  uint64_t acknowledged_at_ns_;
  bool checkpoint_unacknowledged_ = false;
  uint64_t drain_ = 0;         // the newest one asked for
  uint64_t stored_in_ns_ = 0;  // from the last frame until what came with it was stored

  uint64_t heard_at_ns_;
  int64_t source_clock_offset_ns_ = 0;
};

}  // namespace anabranch
