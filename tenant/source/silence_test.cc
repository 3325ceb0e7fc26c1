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

TEST_F(SilenceTest, WhatNobodyClaimsGoesSoon) {
  const auto opened = Open(NewStream());
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(StreamStateOf(), "unclaimed");
  a_.clock().Advance(9 * kMinuteNs);
  EXPECT_EQ(Expire(), 1u);
  a_.clock().Advance(2 * kMinuteNs);
  EXPECT_EQ(Expire(), 0u);
  EXPECT_FALSE(std::filesystem::exists(a_.dir() + "/store/exports/" + StreamText(StreamId(opened->stream_id()))));
  Claimed();
  EXPECT_EQ(StreamStateOf(), "copying");
  a_.clock().Advance(11 * kMinuteNs);
  EXPECT_EQ(Expire(), 1u);
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
