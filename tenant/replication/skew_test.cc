// Two clusters whose clocks, or programs, do not agree for a while.
#include "base/status.h"
#include "stream/test_connection.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

constexpr uint64_t kMinuteNs = 60ull * 1'000'000'000;

class SkewTest : public ReplicationFixture {
 protected:
  void SetUp() override {
    Fill(a_, "k", 3);
    ASSERT_TRUE(Replicate(a_, b_).ok());
    ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  }
  bool Says(const std::string& error) {
    return Eventually([&] { return b_.Status("main").last_error.find(error) != std::string::npos; });
  }
};

TEST_F(SkewTest, ASourceThatIsFarAheadIsAskedAgainUntilTheClocksAgree) {
  a_.Disconnect();
  a_.clock().StepWall(11 * kMinuteNs);
  Fill(a_, "ahead", 3);
  a_.Reconnect();
  EXPECT_TRUE(Says("clock")) << b_.Status("main").last_error;
  EXPECT_EQ(b_.StateOf("main"), "replicating");
  b_.clock().StepWall(11 * kMinuteNs);
  EXPECT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
}

TEST_F(SkewTest, AStandbyThatIsAheadMovesNoPrimary) {
  b_.clock().StepWall(9 * kMinuteNs);
  b_.Restart();
  Fill(a_, "later", 3);
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  EXPECT_LT(a_.store()->visible().ns, a_.clock().WallNs() + kMinuteNs);
  b_.clock().StepWall(1'000 * kMinuteNs);
  b_.Restart();
  Fill(a_, "much later", 3);
  EXPECT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
}

TEST_F(SkewTest, AnotherVersionOfTheProtocolIsAskedAgain) {
  a_.Disconnect();
  {
    const TestListener upgrading(a_.port(), [](TestConnection& connection) {
      if (!connection.Start()) return;
      std::string body;
      for (char type = connection.Next(&body); type != 0 && type != 'X'; type = connection.Next(&body)) {
        if (type != 'Q') continue;
        const absl::Status other = SqlError(sqlstate::kProtocolViolation, "this source speaks version 2");
        if (!connection.PutError(other).ok() || !connection.Put('Z', "I").ok()) return;
      }
    });
    EXPECT_TRUE(Says("speaks version 2")) << b_.Status("main").last_error;
    EXPECT_EQ(b_.StateOf("main"), "replicating");
  }
  a_.Reconnect();
  Fill(a_, "later", 3);
  EXPECT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
}

}  // namespace
}  // namespace anabranch
