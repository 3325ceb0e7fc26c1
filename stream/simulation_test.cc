// Both state machines in one thread over a network and stores that fail: frames are lost and damaged, connections drop, the
// standby loses what it did not sync, the ring overflows. Whatever happens, each durable frontier has the whole of its past
// below it and never goes back.
#include <map>
#include <random>

#include "base/status.h"
#include "gtest/gtest.h"
#include "stream/ingestion_session.h"
#include "stream/producer_session.h"

namespace anabranch {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kStartNs = 1'700'000'000'000'000'000;
constexpr size_t kRingCommits = 12;

using Contents = std::map<std::pair<uint64_t, std::string>, std::string>;  // (timestamp, key) -> value

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {}

  void Run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) Step(/*faults=*/true);
    for (int i = 0; i < 20'000 && !CaughtUp() && !testing::Test::HasFailure(); ++i) Step(/*faults=*/false);
    EXPECT_TRUE(CaughtUp());
    EXPECT_EQ(written_, source_);
  }
  int reconnects() const { return reconnects_; }
  int losses() const { return losses_; }
  int crashes() const { return crashes_; }

 private:
  bool OneIn(uint64_t n) { return random_() % n == 0; }
  bool CaughtUp() const { return !published_.empty() && durable_ >= published_.back().timestamp; }
  SessionTime Now() const { return {now_ns_, kStartNs + now_ns_}; }

  void Step(bool faults) {
    now_ns_ += random_() % (15 * kMs);
    if (faults && OneIn(3)) Commit();
    if (producer_ == nullptr) return Connect();
    if (faults && OneIn(150)) return Disconnect();
    if (faults && OneIn(200)) return CrashStandby();
    switch (random_() % 4) {
      case 0:
        return Produce();
      case 1:
        return Deliver(faults);
      case 2:
        return DeliverAck();
      default:
        return OneIn(2) ? StoreReceived() : Produce();
    }
  }

  void Commit() {
    WriteSet writes;
    const int keys = 1 + static_cast<int>(random_() % 5);
    for (int i = 0; i < keys; ++i) {
      writes["k" + std::to_string(random_() % 20)] = {WriteKind::kPut,
                                                      std::string(random_() % 2'000, static_cast<char>(random_()))};
    }
    const uint64_t ts = kStartNs + now_ns_;
    for (const auto& [key, write] : writes) source_[{ts, key}] = write.value;
    published_.push_back({IncarnationId("i"), {ts}, std::make_shared<const WriteList>(writes)});
    ++now_ns_;
  }

  void Connect() {
    joined_ = published_.size();
    next_ = joined_;
    const Timestamp joined_at{kStartNs + now_ns_++};
    ASSERT_GE(joined_at, durable_);
    producer_ = std::make_unique<ProducerSession>(
        ProducerSession::Options{.after = durable_, .joined_at = joined_at, .spans = {}}, Now());
    standby_ =
        std::make_unique<IngestionSession>(IngestionSession::Options{.after = durable_, .first_frontier = {}}, Now());
    to_standby_.clear();
    to_source_.clear();
    received_ = {};
    Apply(producer_->Tick(Now()));
  }
  void Disconnect() {
    producer_.reset();
    ++reconnects_;
  }
  void CrashStandby() {
    for (const auto& key : unsynced_) written_.erase(key);
    unsynced_.clear();
    ++crashes_;
    Disconnect();
  }

  void Apply(ProducerSession::Effects effects) {
    if (!effects.failure.ok()) return Disconnect();
    for (std::string& frame : effects.frames) to_standby_.push_back(std::move(frame));
    if (effects.acknowledged) {
      EXPECT_LE(effects.acknowledged->frontier, durable_);
    }
    read_ = effects.read;
  }

  void Produce() {
    if (read_.source == ProducerSession::Source::kNothing) return Apply(producer_->Tick(Now()));
    if (read_.source == ProducerSession::Source::kLiveFeed) return Apply(producer_->OfferLive(Take(), Now()));
    std::vector<Version> versions;
    Timestamp upto = read_.upto;
    size_t left = 1 + random_() % 10;
    for (auto it = source_.upper_bound({read_.after.ns, "\xff"}); it != source_.end() && it->first.first <= read_.upto.ns;
         ++it) {
      if (left-- == 0) {
        upto = Timestamp{versions.back().timestamp}.Prev();
        if (upto < read_.after) upto = read_.after;
        // The shell's cursor would go on here; this one starts again at `upto`, so take the timestamp whole.
        for (; it != source_.end() && it->first.first == versions.back().timestamp.ns; ++it) versions.push_back(At(it));
        upto = versions.back().timestamp;
        break;
      }
      versions.push_back(At(it));
    }
    Apply(producer_->OfferChanges(versions, upto, Now()));
  }
  static Version At(Contents::const_iterator it) {
    return {it->first.second, {it->first.first}, {WriteKind::kPut, it->second}};
  }

  LiveChunk Take() {
    LiveChunk chunk;
    chunk.resolved = {kStartNs + now_ns_++};
    if (published_.size() - next_ > kRingCommits) {
      chunk.lost = true;
      ++losses_;
    } else {
      for (; next_ < published_.size(); ++next_) chunk.commits.push_back(published_[next_]);
    }
    next_ = published_.size();
    return chunk;
  }

  void Deliver(bool faults) {
    if (to_standby_.empty()) {
      if (!standby_->Tick(Now()).ok()) Disconnect();
      return;
    }
    std::string frame = std::move(to_standby_.front());
    to_standby_.pop_front();
    if (faults && OneIn(100)) return;  // the frame is lost
    if (faults && OneIn(100)) frame[random_() % frame.size()] ^= 1 << random_() % 8;
    standby_->Receive(frame, Now(), &received_);
    if (!received_.failure.ok()) {
      StoreReceived();
      Disconnect();
    }
  }
  void DeliverAck() {
    if (to_source_.empty()) return;
    const std::string ack = std::move(to_source_.front());
    to_source_.pop_front();
    Apply(producer_->Receive(ack, Now()));
  }

  void StoreReceived() {
    for (const Version& version : received_.versions) {
      const Contents::key_type key{version.timestamp.ns, version.key};
      if (written_.insert_or_assign(key, version.write.value).second) unsynced_.push_back(key);
    }
    if (received_.frontier) {
      unsynced_.clear();
      ASSERT_GT(*received_.frontier, durable_);
      // What lies at or below the old frontier was checked with it, and what is synced stays.
      for (auto it = source_.upper_bound({durable_.ns, "\xff"});
           it != source_.end() && it->first.first <= received_.frontier->ns; ++it) {
        const auto found = written_.find(it->first);
        ASSERT_TRUE(found != written_.end()) << it->first.second << "@" << it->first.first << " is missing";
        ASSERT_EQ(found->second, it->second);
      }
      durable_ = *received_.frontier;
    }
    received_ = {};
    if (auto ack = standby_->Stored(durable_, {}, Now())) to_source_.push_back(*std::move(ack));
  }

  std::mt19937_64 random_;
  uint64_t now_ns_ = 1;

  Contents source_;
  std::vector<PublishedCommit> published_;
  size_t joined_ = 0;
  size_t next_ = 0;
  std::unique_ptr<ProducerSession> producer_;  // null: not connected
  ProducerSession::Read read_;

  std::deque<std::string> to_standby_;
  std::deque<std::string> to_source_;

  std::unique_ptr<IngestionSession> standby_;
  IngestionSession::Effects received_;
  Contents written_;
  std::vector<Contents::key_type> unsynced_;  // versions of written_ that a crash loses
  Timestamp durable_{kStartNs};

  int reconnects_ = 0;
  int losses_ = 0;
  int crashes_ = 0;
};

TEST(StreamSimulationTest, EveryDurableFrontierHasItsWholePast) {
  int reconnects = 0;
  int losses = 0;
  int crashes = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Simulation simulation(seed);
    simulation.Run(1'500);
    reconnects += simulation.reconnects();
    losses += simulation.losses();
    crashes += simulation.crashes();
    if (HasFailure()) return;
  }
  // The faults acted.
  EXPECT_GT(reconnects, 100);
  EXPECT_GT(losses, 20);
  EXPECT_GT(crashes, 100);
}

}  // namespace
}  // namespace anabranch
