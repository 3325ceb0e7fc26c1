#include "stream/producer_session.h"

#include <random>

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

using Source = ProducerSession::Source;
using Effects = ProducerSession::Effects;

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kIntervalNs = kCheckpointIntervalMs * kMs;

Timestamp Ts(uint64_t ns) { return {ns}; }
SessionTime At(uint64_t ms) { return {1'000 * kMs + ms * kMs, 77'000'000'000 + ms * kMs}; }
Version Put(std::string key, uint64_t ts, std::string value) {
  return {std::move(key), {ts}, {WriteKind::kPut, std::move(value)}};
}

std::string Noise(size_t bytes) {
  std::mt19937_64 engine(3);
  std::string noise(bytes, '\0');
  for (char& c : noise) c = static_cast<char>(engine());
  return noise;
}

PublishedCommit Commit(uint64_t ts, WriteSet writes) {
  return {IncarnationId("i"), Ts(ts), std::make_shared<const WriteList>(writes)};
}
LiveChunk Chunk(std::vector<PublishedCommit> commits, uint64_t resolved) {
  return {std::move(commits), Ts(resolved), false};
}

// "a@5 b@6 | cp 7": what the frames say.
std::string Show(const Effects& effects) {
  std::string text;
  for (const std::string& bytes : effects.frames) {
    const auto frame = DecodeFrame(bytes);
    EXPECT_TRUE(frame.ok()) << frame.status();
    if (!text.empty()) text += " | ";
    if (frame->has_checkpoint()) {
      text += "cp " + std::to_string(frame->checkpoint().resolved());
    } else {
      const auto versions = DecodeBatch(frame->batch());
      EXPECT_TRUE(versions.ok()) << versions.status();
      for (const Version& v : *versions)
        text += (text.empty() || text.back() == ' ' ? "" : " ") + v.key + "@" + std::to_string(v.timestamp.ns);
    }
  }
  return text;
}

size_t Bytes(const Effects& effects) {
  size_t bytes = 0;
  for (const std::string& frame : effects.frames) bytes += frame.size();
  return bytes;
}

std::string Ack(uint64_t sequence, uint64_t frontier, uint64_t received_bytes, uint64_t retained = 0) {
  wire::Frame frame;
  frame.set_sequence(sequence);
  frame.mutable_acknowledgement()->set_frontier(frontier);
  frame.mutable_acknowledgement()->set_retained(retained);
  frame.mutable_acknowledgement()->set_received_bytes(received_bytes);
  return EncodeFrame(frame);
}

ProducerSession Live(std::vector<Span> spans = {}) {
  return ProducerSession({.after = Ts(10), .joined_at = Ts(10), .spans = std::move(spans)}, At(0));
}

TEST(ProducerSessionTest, CatchesUpThenGoesLive) {
  ProducerSession session({.after = Ts(10), .joined_at = Ts(50), .spans = {}}, At(0));
  Effects effects = session.Tick(At(0));
  EXPECT_EQ(effects.read.source, Source::kChangeIndex);
  EXPECT_EQ(effects.read.after, Ts(10));
  EXPECT_EQ(effects.read.upto, Ts(50));
  effects = session.OfferChanges({Put("a", 20, "1"), Put("b", 30, "2")}, Ts(29), At(1));
  EXPECT_EQ(Show(effects), "a@20 b@30 | cp 29");
  EXPECT_EQ(effects.read.source, Source::kChangeIndex);
  EXPECT_EQ(effects.read.after, Ts(29));
  effects = session.OfferChanges({Put("c", 30, "3")}, Ts(50), At(2));
  EXPECT_EQ(Show(effects), "c@30");
  effects = session.Tick(At(90));
  EXPECT_EQ(effects.read.source, Source::kLiveFeed);
  effects = session.OfferLive(Chunk({Commit(60, {{"d", {}}})}, 70), At(101));
  EXPECT_EQ(Show(effects), "d@60 | cp 70");
  EXPECT_EQ(effects.read.source, Source::kNothing);
}

TEST(ProducerSessionTest, ACheckpointNeverPassesWhatIsNotSentYet) {
  ProducerSession session({.after = Ts(10), .joined_at = Ts(50), .spans = {}}, At(0));
  EXPECT_EQ(Show(session.OfferChanges({Put("a", 20, "1")}, Ts(19), At(150))), "a@20 | cp 19");
  EXPECT_EQ(Show(session.Tick(At(260))), "cp 19");  // a heartbeat, no progress
  EXPECT_EQ(Show(session.OfferChanges({}, Ts(50), At(370))), "cp 50");
}

TEST(ProducerSessionTest, AnIdleStreamSlowsDownToOneSmallCheckpointInFourIntervals) {
  ProducerSession session = Live();
  Effects effects = session.OfferLive(Chunk({}, 11), At(0));
  std::vector<uint64_t> checkpoints_at_ms;
  size_t bytes = 0;
  uint64_t steps = 0;
  uint64_t now_ms = 0;
  for (uint64_t sequence = 1; now_ms < 10'000; ++steps) {
    now_ms = effects.tick_at_ns / kMs - 1'000;
    effects = session.Tick(At(now_ms));
    ASSERT_EQ(effects.read.source, Source::kLiveFeed) << now_ms;  // resolved is read afresh for the checkpoint
    effects = session.OfferLive(Chunk({}, 100 + now_ms), At(now_ms));
    ASSERT_EQ(Show(effects), "cp " + std::to_string(100 + now_ms));
    checkpoints_at_ms.push_back(now_ms);
    bytes += Bytes(effects);
    const Effects after = session.Receive(Ack(sequence++, 100 + now_ms, bytes), At(now_ms));
    EXPECT_TRUE(after.frames.empty());
    effects = after;
  }
  EXPECT_EQ(steps, 27u);  // nothing else wakes the session
  EXPECT_EQ(std::vector<uint64_t>(checkpoints_at_ms.begin(), checkpoints_at_ms.begin() + 4),
            (std::vector<uint64_t>{100, 300, 700, 1'100}));
  EXPECT_LT(bytes, 27u * 64);  // 0.2 KB/s
  // A commit ends the rest at once.
  effects = session.Tick(At(now_ms + 50));
  EXPECT_EQ(Show(session.OfferLive(Chunk({Commit(20'000, {{"a", {}}})}, 20'001), At(now_ms + 50))), "a@20000 | cp 20001");
}

TEST(ProducerSessionTest, ACheckpointFollowsWhatWasCommittedAtOnce) {
  ProducerSession session = Live();
  Effects effects = session.OfferLive(Chunk({}, 11), At(0));
  effects = session.Tick(At(1));  // the live feed has woken the shell
  EXPECT_EQ(effects.read.source, Source::kNothing);
  EXPECT_EQ(effects.tick_at_ns, At(0).monotonic_ns + kPaceNsMin);
  effects = session.Tick(At(2));
  EXPECT_EQ(effects.read.source, Source::kLiveFeed);
  EXPECT_EQ(Show(session.OfferLive(Chunk({Commit(12, {{"a", {}}}), Commit(13, {{"b", {}}})}, 14), At(2))),
            "a@12 b@13 | cp 14");
}

TEST(ProducerSessionTest, WhileACheckpointIsUnderWayCommitsAreGatheredThenSentWithoutOne) {
  ProducerSession session = Live();
  Effects effects = session.OfferLive(Chunk({Commit(12, {{"a", {}}})}, 14), At(0));
  EXPECT_EQ(Show(effects), "a@12 | cp 14");
  const size_t first = Bytes(effects);
  effects = session.Tick(At(5));
  EXPECT_EQ(effects.read.source, Source::kNothing);
  EXPECT_EQ(effects.tick_at_ns, At(0).monotonic_ns + kGatherNs);
  effects = session.Tick(At(10));
  EXPECT_EQ(effects.read.source, Source::kLiveFeed);
  effects = session.OfferLive(Chunk({Commit(15, {{"b", {}}})}, 16), At(10));
  EXPECT_EQ(Show(effects), "b@15");
  // Credit that comes back for a part of it is no acknowledgement of the checkpoint.
  effects = session.Receive(Ack(1, 0, first - 1), At(13));
  EXPECT_EQ(effects.read.source, Source::kNothing);
  // The acknowledgement: what came meanwhile is read, and all of it has its checkpoint.
  effects = session.Receive(Ack(2, 14, first), At(14));
  EXPECT_EQ(effects.read.source, Source::kLiveFeed);
  EXPECT_EQ(Show(session.OfferLive(Chunk({Commit(17, {{"c", {}}})}, 18), At(14))), "c@17 | cp 18");
}

TEST(ProducerSessionTest, AStandbyWhoseDiskIsSlowIsLeftTimeForOthers) {
  ProducerSession session = Live();
  const size_t sent = Bytes(session.OfferLive(Chunk({Commit(12, {{"a", {}}})}, 14), At(0)));
  wire::Frame ack;
  ack.set_sequence(1);
  ack.mutable_acknowledgement()->set_frontier(14);
  ack.mutable_acknowledgement()->set_received_bytes(sent);
  ack.mutable_acknowledgement()->set_stored_in_ns(9 * kMs);
  Effects effects = session.Receive(EncodeFrame(ack), At(10));
  effects = session.Tick(At(17));
  EXPECT_EQ(effects.read.source, Source::kNothing);
  EXPECT_EQ(effects.tick_at_ns, At(18).monotonic_ns);
  effects = session.Tick(At(18));
  EXPECT_EQ(effects.read.source, Source::kLiveFeed);
}

TEST(ProducerSessionTest, AStandbyThatIsSlowStillHearsACheckpointEachInterval) {
  ProducerSession session = Live();
  EXPECT_EQ(Show(session.OfferLive(Chunk({Commit(12, {{"a", {}}})}, 14), At(0))), "a@12 | cp 14");
  EXPECT_EQ(Show(session.OfferLive(Chunk({Commit(15, {{"b", {}}})}, 16), At(99))), "b@15");
  EXPECT_EQ(Show(session.OfferLive(Chunk({Commit(17, {{"c", {}}})}, 18), At(100))), "c@17 | cp 18");
}

TEST(ProducerSessionTest, ADrainIsAnsweredOnceAllThatWasCommittedIsSent) {
  ProducerSession session = Live();
  const uint64_t asked_at = At(3).clock_ns;
  size_t sent = Bytes(session.OfferLive(Chunk({Commit(12, {{"a", {}}})}, 14), At(0)));
  wire::Frame ask;
  ask.set_sequence(1);
  ask.mutable_acknowledgement()->set_drain(7);
  Effects effects = session.Receive(EncodeFrame(ask), At(3), Ts(asked_at));
  effects = session.Tick(At(4));
  ASSERT_EQ(effects.read.source, Source::kLiveFeed);  // although a checkpoint is under way
  effects = session.OfferLive(Chunk({Commit(15, {{"b", {}}})}, asked_at - 1), At(4));
  EXPECT_EQ(Show(effects), "b@15");
  sent += Bytes(effects);
  effects = session.Tick(At(5));
  ASSERT_EQ(effects.read.source, Source::kLiveFeed);
  effects = session.OfferLive(Chunk({}, asked_at), At(5));
  ASSERT_EQ(effects.frames.size(), 1u);
  const auto answer = DecodeFrame(effects.frames[0]);
  EXPECT_EQ(answer->checkpoint().resolved(), asked_at);
  EXPECT_EQ(answer->checkpoint().drained(), 7u);
  // Answered once.
  sent += Bytes(effects);
  effects = session.Receive(Ack(2, asked_at, sent), At(6));
  EXPECT_TRUE(effects.frames.empty());
  EXPECT_EQ(effects.read.source, Source::kNothing);
}

TEST(ProducerSessionTest, FallingOffTheRingGoesThroughTheIndexAndBack) {
  ProducerSession session = Live();
  session.OfferLive(Chunk({}, 20), At(0));
  Effects effects = session.OfferLive({{}, Ts(90), /*lost=*/true}, At(100));
  EXPECT_EQ(Show(effects), "cp 20");  // not 90: nothing of that commit is sent yet
  EXPECT_EQ(effects.read.source, Source::kChangeIndex);
  EXPECT_EQ(effects.read.after, Ts(20));
  EXPECT_EQ(effects.read.upto, Ts(90));
  effects = session.OfferChanges({Put("a", 30, "1")}, Ts(90), At(200));
  EXPECT_EQ(Show(effects), "a@30 | cp 90");
  EXPECT_EQ(session.Tick(At(210)).read.source, Source::kLiveFeed);
}

TEST(ProducerSessionTest, OnlyTheSpansAskedForAreSent) {
  ProducerSession session = Live({{"b", "d"}, {"x", ""}});
  EXPECT_EQ(
      Show(session.OfferLive(Chunk({Commit(12, {{"a", {}}, {"b", {}}, {"c", {}}, {"d", {}}, {"y", {}}})}, 14), At(0))),
      "b@12 c@12 y@12 | cp 14");
}

TEST(ProducerSessionTest, ALargeTransactionIsSplitItsCheckpointIsNot) {
  ProducerSession session = Live();
  WriteSet writes;
  const std::string value = Noise(300 << 10);
  for (int i = 0; i < 20; ++i) writes["k" + std::to_string(100 + i)] = {WriteKind::kPut, value};
  const Effects effects = session.OfferLive(Chunk({Commit(12, std::move(writes))}, 14), At(100));
  ASSERT_GT(effects.frames.size(), 5u);
  size_t checkpoints = 0;
  for (const std::string& bytes : effects.frames) {
    EXPECT_LE(bytes.size(), kFrameBytesMax + kFrameEnvelopeBytesMax);
    checkpoints += DecodeFrame(bytes)->has_checkpoint();
  }
  EXPECT_EQ(checkpoints, 1u);
  EXPECT_TRUE(DecodeFrame(effects.frames.back())->has_checkpoint());
}

TEST(ProducerSessionTest, CreditIsNeverExceededAndAnAcknowledgementFreesIt) {
  ProducerSession session = Live();
  const std::string value = Noise(900 << 10);
  size_t sent = 0;
  size_t received = 0;
  uint64_t sequence = 0;
  uint64_t ts = 11;
  Effects effects = session.Tick(At(0));
  int blocked = 0;
  for (uint64_t ms = 0; ms < 4'000; ms += 10) {
    effects = session.Tick(At(ms));
    sent += Bytes(effects);
    if (effects.read.source == Source::kLiveFeed) {
      std::vector<PublishedCommit> commits;
      for (int i = 0; i < 5; ++i) commits.push_back(Commit(++ts, {{"k", {WriteKind::kPut, value}}}));
      effects = session.OfferLive(Chunk(std::move(commits), ts), At(ms));
      sent += Bytes(effects);
    } else {
      ++blocked;
    }
    ASSERT_LE(sent - received, kCreditWindowBytes);
    if (ms % 200 == 190) {
      received = sent;
      effects = session.Receive(Ack(++sequence, 0, received), At(ms));
      sent += Bytes(effects);
      ASSERT_LE(sent - received, kCreditWindowBytes);
    }
  }
  EXPECT_GT(blocked, 100);
  EXPECT_GT(sent, 10 * kCreditWindowBytes);
}

TEST(ProducerSessionTest, WithoutCreditNothingIsReadAndNoTickSpins) {
  ProducerSession session = Live();
  const std::string value = Noise(1 << 20);
  std::vector<PublishedCommit> commits;
  for (uint64_t ts = 11; ts < 31; ++ts) commits.push_back(Commit(ts, {{"k", {WriteKind::kPut, value}}}));
  Effects effects = session.OfferLive(Chunk(std::move(commits), 31), At(0));
  EXPECT_LE(Bytes(effects), kCreditWindowBytes);
  EXPECT_GT(Bytes(effects) + kFrameBytesMax, kCreditWindowBytes);
  EXPECT_EQ(effects.read.source, Source::kNothing);
  EXPECT_GE(effects.tick_at_ns, At(1'000).monotonic_ns);
  effects = session.Tick(At(5'000));
  EXPECT_TRUE(effects.frames.empty());
  EXPECT_EQ(effects.read.source, Source::kNothing);
}

TEST(ProducerSessionTest, AcknowledgementsAreChecked) {
  const auto refused = [](const std::string& ack) {
    ProducerSession session = Live();
    session.OfferLive(Chunk({}, 20), At(100));  // one checkpoint, at 20
    return SqlStateOf(session.Receive(ack, At(101)).failure) == "08P01";
  };
  EXPECT_FALSE(refused(Ack(1, 20, 10)));
  EXPECT_TRUE(refused(Ack(2, 20, 10)));       // a gap
  EXPECT_TRUE(refused(Ack(1, 21, 10)));       // durable beyond what was sent
  EXPECT_TRUE(refused(Ack(1, 20, 100'000)));  // received more than was sent
  wire::Frame batch;
  batch.set_sequence(1);
  batch.mutable_batch();
  EXPECT_TRUE(refused(EncodeFrame(batch)));

  ProducerSession session = Live();
  session.OfferLive(Chunk({}, 20), At(100));
  Effects effects = session.Receive(Ack(1, 15, 10, 5), At(101));
  ASSERT_TRUE(effects.acknowledged.has_value());
  EXPECT_EQ(effects.acknowledged->frontier, Ts(15));
  EXPECT_EQ(effects.acknowledged->retained, Ts(5));
  EXPECT_EQ(SqlStateOf(session.Receive(Ack(2, 14, 10), At(102)).failure), "08P01");  // durable went back
  std::string damaged = Ack(2, 15, 10);
  damaged[6] ^= 1;
  EXPECT_EQ(SqlStateOf(session.Receive(damaged, At(102)).failure), "XX001");
}

TEST(ProducerSessionTest, APeerThatNeverAcknowledgesIsGivenUp) {
  ProducerSession session = Live();
  EXPECT_TRUE(session.Tick(At(kPeerSilentNsMax / kMs - 1)).failure.ok());
  EXPECT_EQ(SqlStateOf(session.Tick(At(kPeerSilentNsMax / kMs)).failure), "08006");
}

TEST(ProducerSessionDeathTest, OfferingWhatWasNotAskedForIsCaught) {
  ProducerSession session({.after = Ts(10), .joined_at = Ts(50), .spans = {}}, At(0));
  EXPECT_DEATH(session.OfferChanges({}, Ts(51), At(0)), "P1");
  EXPECT_DEATH(session.OfferLive(Chunk({}, 60), At(0)), "P1");
  EXPECT_DEATH(ProducerSession({.after = Ts(60), .joined_at = Ts(50), .spans = {}}, At(0)), "P1");
}

}  // namespace
}  // namespace anabranch
