// The source's side of one subscription as a pure state machine: no clock, no I/O, no threads. The shell
// (stream/producer.cc) reads what `read` asks for, offers it, sends `frames` in order, and passes on acknowledgements.
//
// Invariants
//
// (P1) Every version at or below a checkpoint's timestamp, within the spans, was sent on this connection before it, or is
//      at or below `after`.
//
// (P2) Checkpoints never go back. One follows what was sent as soon as the one before it is acknowledged, so the pace sets
//      itself (R16), and an interval after it at the latest. When nothing changes there is one each kIdleIntervalsMax
//      intervals at least: the resolved timestamp moves on.
//
// (P3) What was sent and not acknowledged never exceeds the credit window. Nothing more is read while something waits for
//      credit, so a slow peer costs one chunk of memory here, and the bounded ring of the live feed.
//
// (P4) A transaction larger than a batch is split over several, its checkpoint is not.
//
// (P5) Frames are numbered from 1 without a gap, in both directions.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/api/types.h"
#include "storage/commit/span_set.h"
#include "stream/frame.h"
#include "stream/live_feed.h"
#include "stream/session_time.h"

namespace anabranch {

inline constexpr size_t kReadBytesMax = 4 << 20;  // of one chunk from the change index or the live feed
// Commits are gathered this long into a batch while a checkpoint is under way; else a checkpoint follows them, not sooner
// than kPaceNsMin after the one before. If the peer took longer than kQuickStoreNs to store that one, not sooner than
// kPaceStores times as long: the disk or the cores that it may share with us are busy, and free for the rest.
inline constexpr uint64_t kGatherNs = 10'000'000;
inline constexpr uint64_t kPaceNsMin = 2'000'000;
inline constexpr uint64_t kQuickStoreNs = 5'000'000;
inline constexpr uint64_t kPaceStores = 2;
// While nothing changes the interval grows to so many.
inline constexpr uint64_t kIdleIntervalsMax = 4;
static_assert(4 * kIdleIntervalsMax < kSilentIntervalsMax, "an idle source is not a silent one");
inline constexpr uint64_t kDrainReadNs = 1'000'000;  // how often the live feed is read while a drain is to be answered
inline constexpr uint64_t kPeerSilentNsMax =
    60'000'000'000;  // a peer that acknowledges nothing for so long, unless it is set otherwise: end the stream
static_assert(kGatherNs < kCheckpointIntervalMs * 1'000'000);

class ProducerSession {
 public:
  struct Options {
    Timestamp after;      // the peer has everything up to here
    Timestamp joined_at;  // when the live reader joined. REQUIRES: joined_at >= after
    std::vector<Span> spans;
    uint64_t credit_bytes = kCreditWindowBytes;  // REQUIRES: holds one frame
    uint64_t checkpoint_interval_ns = kCheckpointIntervalMs * 1'000'000;
    uint64_t silence_ns = kPeerSilentNsMax;
  };

  enum class Source { kNothing, kChangeIndex, kLiveFeed };
  struct Read {
    Source source = Source::kNothing;
    Timestamp after;  // kChangeIndex: everything in (after, upto], or a beginning of it
    Timestamp upto;
  };
  struct Acknowledged {
    Timestamp frontier;
    Timestamp retained;
  };
  struct Effects {
    std::vector<std::string> frames;  // encoded; send all, in this order
    Read read;                        // do this next
    std::optional<Acknowledged> acknowledged;
    uint64_t tick_at_ns = 0;  // call Tick then at the latest
    absl::Status failure;     // end the connection
  };

  ProducerSession(Options options, SessionTime now);

  // The time has come, or the live feed woke the shell.
  Effects Tick(SessionTime now);
  // `resolved`: up to where the source's keyspace is, of which all that was acknowledged to its clients is part.
  Effects Receive(std::string_view frame, SessionTime now, Timestamp resolved = {});
  // The answer to a read of the change index: with what was offered since, these are all versions in (read.after, upto];
  // some above may be among them. upto <= read.upto.
  Effects OfferChanges(const std::vector<Version>& versions, Timestamp upto, SessionTime now);
  // The answer to a read of the live feed.
  Effects OfferLive(const LiveChunk& chunk, SessionTime now);

 private:
  void Gather(std::string_view key, Timestamp timestamp, WriteKind kind, std::string_view value);
  void SealBatch();
  absl::Status TakeAcknowledgement(std::string_view bytes, Timestamp resolved, Effects* effects);
  bool CheckpointIsDue(SessionTime now) const;
  bool CheckpointIsUnderWay() const { return acknowledged_bytes_ < checkpoint_sent_bytes_; }
  bool DrainIsWanted() const { return drain_ > drained_; }
  Effects Pump(SessionTime now);
  void SendQueued(SessionTime now, std::vector<std::string>* frames);
  Read NextRead(SessionTime now) const;
  uint64_t CheckpointAtNs() const;  // when the next one is due at the latest
  uint64_t LiveAtNs() const;
  uint64_t NextTick() const;

  const Options options_;
  const SpanSet spans_;

  // Everything up to here, from `after`, was queued or sent (P1). Below target_: catching up from the change index.
  Timestamp complete_;
  Timestamp target_;

  std::string flat_;               // the batch being gathered; empty between inputs
  std::deque<wire::Frame> queue_;  // frames that wait for credit (P3)
  bool checkpoint_queued_ = false;

  bool uncovered_ = false;  // something was queued or sent after the newest checkpoint

  bool live_available_ = true;    // the live feed may have something to take
  uint64_t refreshed_at_ns_ = 0;  // when complete_ was last learned
  uint64_t checkpoint_made_at_ns_ = 0;
  uint64_t intervals_ = 1;  // until the next one, if nothing changes
  uint64_t pace_ns_ = kPaceNsMin;
  uint64_t drain_ = 0;  // the newest drain that the peer asked for, and when
  Timestamp drain_upto_;
  uint64_t drained_ = 0;  // the newest one answered

  uint64_t sent_sequence_ = 0;
  uint64_t sent_bytes_ = 0;
  Timestamp sent_checkpoint_;
  uint64_t checkpoint_sent_bytes_ = 0;  // sent_bytes_ with the newest checkpoint

  uint64_t received_sequence_ = 0;
  uint64_t acknowledged_bytes_ = 0;
  Acknowledged acknowledged_;
  uint64_t heard_at_ns_;
};

}  // namespace anabranch
