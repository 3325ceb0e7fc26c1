// How long a source waits for a standby, and by which clock.
#include "tenant/testing/source_fixture.h"

namespace anabranch {
namespace {

class SilenceTest : public SourceFixture {
 protected:
  size_t Expire() {
    EXPECT_TRUE(source_->ExpireSilent().ok());
    return Streams();
  }
};

TEST_F(SilenceTest, WhatIsSilentForTheWindowExpires) {
  Claimed();
  a_.clock().Advance(23 * kHourNs);
  EXPECT_EQ(Expire(), 1u);
  a_.clock().Advance(2 * kHourNs);
  EXPECT_EQ(Expire(), 0u);
}

TEST_F(SilenceTest, ToComeBackBeginsAnew) {
  const wire::OpenRequest request = Claimed();
  for (int day = 0; day < 3; ++day) {
    a_.clock().Advance(23 * kHourNs);
    EXPECT_EQ(Expire(), 1u);
    EXPECT_TRUE(Open(request).ok());
  }
}

TEST_F(SilenceTest, TheSourcesOwnDowntimeIsNobodysSilence) {
  Claimed();
  Restart(25 * kHourNs);
  EXPECT_EQ(Streams(), 1u);
  a_.clock().Advance(23 * kHourNs);
  EXPECT_EQ(Expire(), 1u);
}

TEST_F(SilenceTest, AWallClockThatStepsExpiresNobody) {
  Claimed();
  a_.clock().StepWall(25 * kHourNs);
  EXPECT_EQ(Expire(), 1u);
  Restart();
  EXPECT_EQ(Streams(), 1u);
}

TEST_F(SilenceTest, ItAddsUpOverRestarts) {
  Claimed();
  for (int i = 0; i < 4; ++i) {
    a_.clock().Advance(5 * kHourNs);
    EXPECT_EQ(Expire(), 1u);
    Restart(100 * kHourNs);
  }
  a_.clock().Advance(5 * kHourNs);
  EXPECT_EQ(Expire(), 0u);
}

TEST_F(SilenceTest, WhoIsConnectedDoesNotExpire) {
  const wire::OpenRequest request = Claimed();
  SilentStandby standby;
  const std::future<absl::Status> served = Connect(request.stream_id(), standby);
  a_.clock().Advance(25 * kHourNs);
  EXPECT_EQ(Expire(), 1u);
  standby.Leave();
  served.wait();
  EXPECT_EQ(Expire(), 1u) << "it was there until now";
  a_.clock().Advance(25 * kHourNs);
  EXPECT_EQ(Expire(), 0u);
}

// Its standby may be journaled, and paused, or down.
TEST_F(SilenceTest, WhatNobodyHasClaimedIsKeptForTheWindowToo) {
  const auto opened = Open(NewStream());
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(StreamStateOf(), "unclaimed");
  a_.clock().Advance(23 * kHourNs);
  EXPECT_EQ(Expire(), 1u);
  a_.clock().Advance(2 * kHourNs);
  EXPECT_EQ(Expire(), 0u);
  EXPECT_FALSE(std::filesystem::exists(a_.dir() + "/store/exports/" + StreamText(StreamId(opened->stream_id()))));
}

// A standby that was created while its source went down, and copies when that is there again.
TEST_F(SilenceTest, AStandbyThatIsPausedBeforeItsCopyGoesOnHoursLater) {
  a_.Disconnect();
  a_.Reconnect({.opens_left = 1});
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(b_->PauseReplication("main").ok());
  EXPECT_EQ(StreamStateOf(), "unclaimed");
  a_.clock().Advance(5 * kHourNs);
  b_.clock().Advance(5 * kHourNs);
  EXPECT_EQ(Expire(), 1u);
  a_.Disconnect();
  a_.Reconnect({});
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  EXPECT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
}

TEST_F(SilenceTest, ANewWindowIsToldToWhoIsConnected) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const auto told_ns = [&] {
    return LoadTenant(b_.store(), b_->Show("main")->id)->replication().source_expiration_window_ns();
  };
  EXPECT_EQ(told_ns(), 24 * kHourNs);
  ASSERT_TRUE(a_->SetClusterSetting("physical_replication.expiration_window", "2h").ok());
  EXPECT_TRUE(Eventually([&] { return told_ns() == 2 * kHourNs; }));
  ASSERT_TRUE(a_->ChangeReplication("main", {.retention_ns = {}, .expiration_window_ns = kHourNs, .address = {}}, {}).ok());
  EXPECT_TRUE(Eventually([&] { return told_ns() == kHourNs; }));
}

// The whole story, with a standby.
TEST_F(SilenceTest, AStandbyGoesOnAfterItsSourceWasDownForLonger) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  source_.reset();
  a_.Stop();
  a_.clock().Advance(25 * kHourNs);
  b_.clock().Advance(25 * kHourNs);
  a_.Start();
  Fill(a_, "later", 3);
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  EXPECT_EQ(b_.Status("main").initial_copies, 1u);
}

}  // namespace
}  // namespace anabranch
