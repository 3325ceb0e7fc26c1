#include "stream/egress.h"

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

TEST(TokenBucketTest, BytesPassInTheirOrderAtTheRate) {
  TokenBucket bucket;
  constexpr uint64_t kBegin = 7 * kSecondNs;
  const uint64_t first = bucket.Announce(1'000, 1'000, kBegin);
  const uint64_t second = bucket.Announce(500, 1'000, kBegin);
  const uint64_t third = bucket.Announce(1, 1'000, kBegin);
  EXPECT_EQ(bucket.WaitNs(first, 1'000, kBegin), 0u);
  EXPECT_NEAR(static_cast<double>(bucket.WaitNs(second, 1'000, kBegin)), 1.0 * kSecondNs, 1e3);
  EXPECT_NEAR(static_cast<double>(bucket.WaitNs(third, 1'000, kBegin)), 1.5 * kSecondNs, 1e3);
  EXPECT_EQ(bucket.WaitNs(second, 1'000, kBegin + kSecondNs), 0u);
  EXPECT_NEAR(static_cast<double>(bucket.WaitNs(third, 100, kBegin + kSecondNs)), 5.0 * kSecondNs, 1e3);  // slower now
  EXPECT_EQ(bucket.WaitNs(third, 0, kBegin + kSecondNs), 0u);  // no limit any more
}

TEST(TokenBucketTest, AnIdleHourIsNotSavedUp) {
  TokenBucket bucket;
  constexpr uint64_t kLater = 3'600 * kSecondNs;
  EXPECT_EQ(bucket.WaitNs(bucket.Announce(1'000, 1'000, 1), 1'000, 1), 0u);
  EXPECT_EQ(bucket.WaitNs(bucket.Announce(1'000, 1'000, kLater), 1'000, kLater), 0u);
  EXPECT_GT(bucket.WaitNs(bucket.Announce(1, 1'000, kLater), 1'000, kLater), kSecondNs / 2);
}

TEST(EgressTest, StreamsShareTheNodesLimitAlike) {
  constexpr uint64_t kRate = 8 << 20;
  Egress egress(SystemClock(), [] { return Egress::Limits{.stream = 0, .node = kRate}; });
  std::array<std::atomic<uint64_t>, 3> sent{};
  std::atomic<bool> over = false;
  std::vector<std::thread> senders;
  const uint64_t begun_ns = SystemClock()->MonotonicNs();
  for (size_t i = 0; i < sent.size(); ++i) {
    senders.emplace_back([&, i] {
      const FrameTransport::Pace pace = egress.PaceOf(StreamId(i + 1));
      while (!over) {
        ASSERT_TRUE(pace(kPieceBytes, nullptr).ok());
        if ((sent[i] += kPieceBytes) >= (1 << 20)) over = true;
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  const double seconds = static_cast<double>(SystemClock()->MonotonicNs() - begun_ns) / kSecondNs;
  EXPECT_LE(static_cast<double>(sent[0] + sent[1] + sent[2]), kRate * seconds + sent.size() * kPieceBytes);
  for (const auto& bytes : sent) EXPECT_GT(bytes, (1 << 20) / 2);
}

TEST(EgressTest, TheConnectionsOfAStreamShareItsLimit) {
  constexpr uint64_t kRate = 1 << 20;
  Egress egress(SystemClock(), [] { return Egress::Limits{.stream = kRate, .node = 0}; });
  const uint64_t begun_ns = SystemClock()->MonotonicNs();
  std::vector<std::thread> connections;
  for (int i = 0; i < 2; ++i) {
    connections.emplace_back([&] {
      const FrameTransport::Pace pace = egress.PaceOf(StreamId(7));
      for (int piece = 0; piece < 8; ++piece) ASSERT_TRUE(pace(kPieceBytes, nullptr).ok());
    });
  }
  for (std::thread& connection : connections) connection.join();
  EXPECT_GE(SystemClock()->MonotonicNs() - begun_ns, 15 * kPieceBytes * kSecondNs / kRate);
}

TEST(EgressTest, ItsWaitEndsWhenItIsWokenOrTheLimitGoes) {
  std::atomic<uint64_t> rate = 1;
  Egress egress(SystemClock(), [&] { return Egress::Limits{.stream = rate, .node = 0}; });
  const FrameTransport::Pace pace = egress.PaceOf(StreamId(1));
  ASSERT_TRUE(pace(100'000, nullptr).ok());
  WakeEvent wake;
  wake.Signal();
  EXPECT_TRUE(absl::IsCancelled(pace(1, &wake).status()));
  std::thread lifter([&] { rate = 0; });
  EXPECT_TRUE(pace(1, nullptr).ok());
  lifter.join();
}

}  // namespace
}  // namespace anabranch
