#include "stream/ingestion_session.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

using Effects = IngestionSession::Effects;

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kWallNs = 1'700'000'000'000'000'000;

Timestamp Ts(uint64_t ns) { return {ns}; }
SessionTime At(uint64_t ms) { return {1'000 * kMs + ms * kMs, kWallNs + ms * kMs}; }

std::string Encode(uint64_t sequence, uint64_t clock_ns, const std::function<void(wire::Frame&)>& fill) {
  wire::Frame frame;
  frame.set_sequence(sequence);
  frame.set_clock_ns(clock_ns);
  fill(frame);
  return EncodeFrame(frame);
}
std::string BatchFrame(uint64_t sequence, const std::vector<std::pair<std::string, uint64_t>>& versions) {
  std::string flat;
  for (const auto& [key, ts] : versions) AppendVersion(&flat, key, Ts(ts), WriteKind::kPut, "v");
  return Encode(sequence, kWallNs, [&](wire::Frame& frame) { *frame.mutable_batch() = MakeBatch(flat); });
}
std::string CheckpointFrame(uint64_t sequence, uint64_t resolved, uint64_t clock_ns = kWallNs) {
  return Encode(sequence, clock_ns, [&](wire::Frame& frame) { frame.mutable_checkpoint()->set_resolved(resolved); });
}

IngestionSession Resumed() { return IngestionSession({.after = Ts(10), .first_frontier = {}}, At(0)); }

Effects Receive(IngestionSession& session, const std::string& frame, uint64_t ms = 0) {
  Effects effects;
  session.Receive(frame, At(ms), &effects);
  return effects;
}

TEST(IngestionSessionTest, AFrontierComesOutBehindItsVersions) {
  IngestionSession session = Resumed();
  Effects effects = Receive(session, BatchFrame(1, {{"a", 11}, {"b", 12}}));
  EXPECT_EQ(effects.versions.size(), 2u);
  EXPECT_FALSE(effects.frontier);
  effects = Receive(session, CheckpointFrame(2, 15));
  EXPECT_EQ(effects.frontier, Ts(15));
  EXPECT_TRUE(effects.failure.ok());
}

TEST(IngestionSessionTest, WhatIsHereAlreadyComesOutTogether) {
  IngestionSession session = Resumed();
  Effects effects;
  session.Receive(BatchFrame(1, {{"a", 11}}), At(0), &effects);
  session.Receive(CheckpointFrame(2, 15), At(0), &effects);
  session.Receive(BatchFrame(3, {{"b", 16}}), At(0), &effects);
  session.Receive(CheckpointFrame(4, 17), At(0), &effects);
  session.Receive(BatchFrame(5, {{"c", 18}}), At(0), &effects);
  EXPECT_EQ(effects.versions.size(), 3u);
  EXPECT_EQ(effects.frontier, Ts(17));
}

TEST(IngestionSessionTest, NoFrontierBelowTheEndOfTheCopy) {
  IngestionSession session({.after = Ts(10), .first_frontier = Ts(30)}, At(0));
  EXPECT_FALSE(Receive(session, CheckpointFrame(1, 29)).frontier);
  EXPECT_EQ(Receive(session, CheckpointFrame(2, 30)).frontier, Ts(30));
}

TEST(IngestionSessionTest, AFrontierNeverGoesBackAndIsNotRepeated) {
  IngestionSession session = Resumed();
  EXPECT_FALSE(Receive(session, CheckpointFrame(1, 10)).frontier);  // 10 is durable already
  EXPECT_EQ(Receive(session, CheckpointFrame(2, 20)).frontier, Ts(20));
  const Effects repeated = Receive(session, CheckpointFrame(3, 20));
  EXPECT_FALSE(repeated.frontier);
  EXPECT_TRUE(repeated.failure.ok());  // a heartbeat
  EXPECT_EQ(SqlStateOf(Receive(session, CheckpointFrame(4, 19)).failure), "08P01");
}

TEST(IngestionSessionTest, VersionsThatArriveAgainAreGivenOutAgain) {
  IngestionSession session = Resumed();
  Receive(session, CheckpointFrame(1, 20));
  const Effects effects = Receive(session, BatchFrame(2, {{"a", 11}}));
  EXPECT_EQ(effects.versions.size(), 1u);
  EXPECT_TRUE(effects.failure.ok());
}

TEST(IngestionSessionTest, GapsDamageAndStrangeFramesEndTheAttempt) {
  IngestionSession gap = Resumed();
  EXPECT_EQ(SqlStateOf(Receive(gap, CheckpointFrame(2, 20)).failure), "08P01");

  IngestionSession repeated = Resumed();
  Receive(repeated, CheckpointFrame(1, 20));
  EXPECT_EQ(SqlStateOf(Receive(repeated, CheckpointFrame(1, 20)).failure), "08P01");

  std::string damaged = BatchFrame(1, {{"a", 11}});
  damaged.back() ^= 1;
  IngestionSession crc = Resumed();
  const Effects effects = Receive(crc, damaged);
  EXPECT_EQ(SqlStateOf(effects.failure), "XX001");
  EXPECT_TRUE(effects.versions.empty());

  IngestionSession strange = Resumed();
  EXPECT_EQ(SqlStateOf(Receive(strange, Encode(1, kWallNs, [](wire::Frame& f) { f.mutable_file_chunk(); })).failure),
            "08P01");
  IngestionSession empty = Resumed();
  EXPECT_EQ(SqlStateOf(Receive(empty, Encode(1, kWallNs, [](wire::Frame&) {})).failure), "08P01");
}

TEST(IngestionSessionTest, AnyByteBreaksTheSilence) {
  constexpr uint64_t kSilentMs = kSilentIntervalsMax * kCheckpointIntervalMs;
  IngestionSession session = Resumed();
  session.Hear(At(kSilentMs - 1));
  EXPECT_TRUE(session.Tick(At(2 * kSilentMs - 2)).ok());
  EXPECT_FALSE(session.Tick(At(2 * kSilentMs - 1)).ok());
}

TEST(IngestionSessionTest, OverASlowLinkCreditComesBackByTime) {
  constexpr uint64_t kThirdMs = kSilentIntervalsMax * kCheckpointIntervalMs / 3;
  IngestionSession session = Resumed();
  Receive(session, BatchFrame(1, {{"a", 11}}), 1);
  EXPECT_FALSE(session.Stored(Ts(10), Ts(5), At(1)));
  Receive(session, BatchFrame(2, {{"b", 12}}), kThirdMs);
  EXPECT_TRUE(session.Stored(Ts(10), Ts(5), At(kThirdMs)));
  Receive(session, BatchFrame(3, {{"c", 13}}), kThirdMs + 1);
  EXPECT_FALSE(session.Stored(Ts(10), Ts(5), At(kThirdMs + 1)));
}

TEST(IngestionSessionTest, WhatWasTakenIsCountedAsItLiesInMemory) {
  IngestionSession session = Resumed();
  std::string flat;
  AppendVersion(&flat, "a", Ts(11), WriteKind::kPut, std::string(1 << 20, 'x'));
  const std::string frame =
      Encode(1, kWallNs, [&](wire::Frame& frame) { *frame.mutable_batch() = MakeBatch(std::move(flat)); });
  ASSERT_LT(frame.size(), 10'000u);
  EXPECT_GE(Receive(session, frame).bytes, size_t{1} << 20);
}

TEST(IngestionSessionTest, ADrainIsAskedForAndKnownToBeAnswered) {
  IngestionSession session = Resumed();
  const auto ask = DecodeFrame(session.AskToDrain(3, Ts(10), Ts(5), At(0)));
  ASSERT_TRUE(ask.ok());
  EXPECT_EQ(ask->sequence(), 1u);
  EXPECT_EQ(ask->acknowledgement().drain(), 3u);
  EXPECT_EQ(ask->acknowledgement().frontier(), 10u);
  EXPECT_EQ(Receive(session, CheckpointFrame(1, 20)).drained, 0u);
  const std::string answer = Encode(2, kWallNs, [](wire::Frame& frame) {
    frame.mutable_checkpoint()->set_resolved(30);
    frame.mutable_checkpoint()->set_drained(3);
  });
  const Effects effects = Receive(session, answer);
  EXPECT_EQ(effects.drained, 3u);
  EXPECT_EQ(effects.frontier, Ts(30));
}

TEST(IngestionSessionTest, AFailureKeepsWhatCameBeforeIt) {
  IngestionSession session = Resumed();
  Effects effects;
  session.Receive(BatchFrame(1, {{"a", 11}}), At(0), &effects);
  session.Receive(CheckpointFrame(2, 15), At(0), &effects);
  session.Receive(CheckpointFrame(4, 17), At(0), &effects);
  EXPECT_FALSE(effects.failure.ok());
  EXPECT_EQ(effects.frontier, Ts(15));
}

TEST(IngestionSessionTest, SilenceOfThirtyIntervalsEndsTheAttempt) {
  constexpr uint64_t kSilentMs = kSilentIntervalsMax * kCheckpointIntervalMs;
  IngestionSession session = Resumed();
  EXPECT_TRUE(session.Tick(At(kSilentMs - 1)).ok());
  EXPECT_EQ(SqlStateOf(session.Tick(At(kSilentMs))), "08006");
  Receive(session, CheckpointFrame(1, 20), 500);
  EXPECT_TRUE(session.Tick(At(kSilentMs + 499)).ok());
  EXPECT_FALSE(session.Tick(At(kSilentMs + 500)).ok());
  session.Stored(Ts(20), Ts(5), At(9'000));  // a slow disk of ours is not the source's silence
  EXPECT_TRUE(session.Tick(At(9'001)).ok());
}

TEST(IngestionSessionTest, EachCheckpointIsAcknowledgedWithWhatIsDurable) {
  IngestionSession session = Resumed();
  const std::string batch = BatchFrame(1, {{"a", 11}});
  Receive(session, batch);
  EXPECT_FALSE(session.Stored(Ts(10), Ts(5), At(0)));  // little came and no checkpoint: nothing is due
  const std::string checkpoint = CheckpointFrame(2, 20);
  Receive(session, checkpoint);
  auto ack = session.Stored(Ts(20), Ts(7), At(0));
  ASSERT_TRUE(ack);
  const auto frame = DecodeFrame(*ack);
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame->sequence(), 1u);
  EXPECT_EQ(frame->acknowledgement().frontier(), 20u);
  EXPECT_EQ(frame->acknowledgement().retained(), 7u);
  EXPECT_EQ(frame->acknowledgement().received_bytes(), batch.size() + checkpoint.size());
  EXPECT_FALSE(session.Stored(Ts(20), Ts(7), At(0)));
}

TEST(IngestionSessionTest, CreditIsGivenBackAtHalfTheWindow) {
  IngestionSession session = Resumed();
  uint64_t received = 0;
  for (uint64_t sequence = 1;; ++sequence) {
    const std::string frame = Encode(sequence, kWallNs, [&](wire::Frame& f) {
      std::string flat;
      AppendVersion(&flat, "k", Ts(10 + sequence), WriteKind::kPut, std::string(1 << 20, 'x'));
      f.mutable_batch()->set_raw_bytes(flat.size());
      f.mutable_batch()->set_versions(flat);
    });
    received += frame.size();
    Receive(session, frame);
    const auto ack = session.Stored(Ts(10), Ts(5), At(0));
    EXPECT_EQ(ack.has_value(), received >= kCreditWindowBytes / 2);
    if (!ack) continue;
    EXPECT_EQ(DecodeFrame(*ack)->acknowledgement().received_bytes(), received);
    break;
  }
}

TEST(IngestionSessionTest, AVersionLargerThanAFrameIsJoined) {
  std::string flat;
  AppendVersion(&flat, "k", Ts(11), WriteKind::kPut, std::string(kValueBytesMax, 'x'));
  wire::Batch whole;
  whole.set_raw_bytes(flat.size());
  whole.set_versions(flat);
  IngestionSession session = Resumed();
  uint64_t sequence = 0;
  Effects effects;
  for (const wire::Batch& piece : SplitBatch(whole)) {
    EXPECT_TRUE(effects.versions.empty());
    effects = Receive(session, Encode(++sequence, kWallNs, [&](wire::Frame& f) { *f.mutable_batch() = piece; }));
    ASSERT_TRUE(effects.failure.ok()) << effects.failure;
  }
  EXPECT_GT(sequence, 1u);
  ASSERT_EQ(effects.versions.size(), 1u);
  EXPECT_EQ(effects.versions[0].write.value.size(), kValueBytesMax);
}

TEST(IngestionSessionTest, ACheckpointBetweenThePiecesOfAVersionIsRefused) {
  IngestionSession session = Resumed();
  Receive(session, Encode(1, kWallNs, [](wire::Frame& f) {
            f.mutable_batch()->set_raw_bytes(100);
            f.mutable_batch()->set_versions("half");
            f.mutable_batch()->set_more(true);
          }));
  EXPECT_EQ(SqlStateOf(Receive(session, CheckpointFrame(2, 20)).failure), "08P01");
}

TEST(IngestionSessionTest, NothingIsLaterThanItsFrameNorBeforeTheSubscription) {
  for (const uint64_t ts : {uint64_t{10}, uint64_t{1}, kWallNs + 1, UINT64_MAX - 1}) {
    IngestionSession session = Resumed();
    const Effects effects = Receive(session, BatchFrame(1, {{"a", 11}, {"b", ts}}));
    EXPECT_EQ(SqlStateOf(effects.failure), "08P01") << ts << ": " << effects.failure;
    EXPECT_TRUE(effects.versions.empty());
  }
  IngestionSession session = Resumed();
  EXPECT_TRUE(Receive(session, BatchFrame(1, {{"a", 11}, {"b", kWallNs}})).failure.ok());
  EXPECT_EQ(SqlStateOf(Receive(session, CheckpointFrame(2, kWallNs + 1)).failure), "08P01");
}

TEST(IngestionSessionTest, ASourceWhoseClockIsFarAheadIsRefused) {
  IngestionSession near = Resumed();
  EXPECT_TRUE(Receive(near, CheckpointFrame(1, 20, kWallNs + kPeerClockAheadNsMax)).failure.ok());
  EXPECT_EQ(near.source_clock_offset_ns(), static_cast<int64_t>(kPeerClockAheadNsMax));
  IngestionSession far = Resumed();
  EXPECT_EQ(SqlStateOf(Receive(far, CheckpointFrame(1, 20, kWallNs + kPeerClockAheadNsMax + 1)).failure), "22023");
  IngestionSession resolved = Resumed();
  EXPECT_EQ(SqlStateOf(Receive(resolved, CheckpointFrame(1, kWallNs + kPeerClockAheadNsMax + 1)).failure), "22023");
  IngestionSession behind = Resumed();
  EXPECT_TRUE(Receive(behind, CheckpointFrame(1, 20, kWallNs - 3'600'000 * kMs)).failure.ok());
  EXPECT_EQ(behind.source_clock_offset_ns(), -static_cast<int64_t>(3'600'000 * kMs));
}

}  // namespace
}  // namespace anabranch
