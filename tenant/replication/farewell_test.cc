// What a source is told of a stream that is over: by whom it is heard, and until when it is said.
#include <atomic>

#include "tenant/catalog/farewells.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

constexpr uint64_t kHourNs = 3600ull * 1'000'000'000;

class FarewellTest : public ReplicationFixture {
 protected:
  // B is promoted while nobody answers at A's address, so that a farewell waits.
  void PromoteUnheard(std::optional<uint64_t> window_ns) {
    Fill(a_, "k", 3);
    ASSERT_TRUE(b_->CreateFromReplication("main", {}, "main", a_.uri(), {.expiration_window_ns = window_ns}, {}).ok());
    ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
    b_.SetUndoWindow("0s");
    a_.Disconnect();
    Promote(b_);
    ASSERT_EQ(Waiting(), 1u);
  }
  size_t Waiting() { return LoadFarewells(b_.store())->size(); }
  bool Told() {
    return Eventually([&] { return LoadStreams(a_.store())->front().finished() && Waiting() == 0; });
  }
};

TEST_F(FarewellTest, WhoeverElseAnswersIsNotTheSource) {
  PromoteUnheard(std::nullopt);
  {
    TestCluster other(Virtualization::kVirtualized, 3);
    std::atomic<int> heard = 0;
    const TestServer impostor(other.operator->(), a_.port(), {.finished = [&] { ++heard; }});
    b_.Restart();
    ASSERT_TRUE(Eventually([&] { return heard > 0; }));
  }
  a_.Reconnect();
  b_.Restart();
  EXPECT_TRUE(Told());
}

TEST_F(FarewellTest, IsSaidForAsLongAsTheSourceKeepsTheHistory) {
  PromoteUnheard(48 * kHourNs);
  b_.clock().Advance(30 * kHourNs);
  a_.Reconnect();
  b_.Restart();
  EXPECT_TRUE(Told());
}

TEST_F(FarewellTest, IsGivenUpWhenTheSourceHasForgottenByItself) {
  PromoteUnheard(kHourNs);
  b_.clock().Advance(2 * kHourNs);
  b_.Restart();
  EXPECT_TRUE(Eventually([&] { return Waiting() == 0; }));
}

}  // namespace
}  // namespace anabranch
