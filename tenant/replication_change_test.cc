// What of a stream can be changed while it runs or is paused: its address, its retention, its expiration window.
#include "base/status.h"
#include "gtest/gtest.h"
#include "stream/source_client.h"
#include "tenant/catalog/catalog.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

class ReplicationChangeTest : public ReplicationFixture {
 protected:
  void SetUp() override {
    Fill(a_, "row", 3);
    ASSERT_TRUE(Replicate(a_, b_).ok());
    ASSERT_TRUE(CaughtUp(a_, b_));
  }
  // The same server under another name.
  std::string OtherUri() const { return a_.uri() + "&application_name=other"; }
  catalog::Replication Record() { return LoadTenant(b_.store(), b_->Show("main")->id)->replication(); }
};

TEST_F(ReplicationChangeTest, ARunningAndAPausedStreamGetAnotherAddress) {
  ASSERT_TRUE(b_->ChangeReplication("main", {.address = OtherUri()}, {}).ok());
  EXPECT_EQ(Record().uri(), OtherUri());
  ASSERT_TRUE(a_.Put("main", "running", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(b_.Status("main").initial_copies, 1u);
  ASSERT_TRUE(b_->PauseReplication("main").ok());
  ASSERT_TRUE(b_->ChangeReplication("main", {.address = a_.uri()}, {}).ok());
  EXPECT_EQ(b_.StateOf("main"), "replication paused");
  ASSERT_TRUE(a_.Put("main", "paused", "v").ok());
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(b_.Status("main").initial_copies, 1u);
}

TEST_F(ReplicationChangeTest, AnAddressThatDoesNotLeadToTheSourceChangesNothing) {
  TestCluster other(Virtualization::kVirtualized, 3);
  const absl::Status elsewhere = b_->ChangeReplication("main", {.address = other.uri()}, {});
  EXPECT_EQ(SqlStateOf(elsewhere), "55000") << elsewhere;
  EXPECT_EQ(HintOf(elsewhere), "Nothing was changed: the stream is as it was.");
  const absl::Status nowhere = b_->ChangeReplication("main", {.address = "postgresql://root@127.0.0.1:1"}, {});
  EXPECT_EQ(SqlStateOf(nowhere), "08001") << nowhere;
  EXPECT_EQ(SqlStateOf(b_->ChangeReplication("main", {.address = "mysql://h"}, {})), "22023");
  EXPECT_EQ(SqlStateOf(b_->ChangeReplication("main", {.address = "external://nobody"}, {})), "42704");
  EXPECT_EQ(Record().uri(), a_.uri());
  ASSERT_TRUE(a_.Put("main", "later", "v").ok());
  EXPECT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(SqlStateOf(b_->ChangeReplication("system", {.address = a_.uri()}, {})), "22023");
  EXPECT_EQ(SqlStateOf(b_->ChangeReplication("nobody", {.address = a_.uri()}, {})), "42704");
  EXPECT_EQ(SqlStateOf(a_->ChangeReplication("main", {.address = b_.uri()}, {})), "55000") << "it has no source";
  EXPECT_EQ(SqlStateOf(a_->ChangeReplication("main", {.retention_ns = kSecondNs}, {})), "55000");
}

TEST_F(ReplicationChangeTest, AShorterRetentionCountsAtOnceAndALongerOneFromThenOn) {
  ASSERT_TRUE(b_->ChangeReplication("main", {.retention_ns = 0}, {}).ok());
  ASSERT_TRUE(a_.Put("main", "later", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const Timestamp retained = *b_.Status("main").retained_time;
  EXPECT_GT(retained.ns, Record().start_at()) << "with none, only the newest";
  ASSERT_TRUE(b_->ChangeReplication("main", {.retention_ns = 3600 * kSecondNs}, {}).ok());
  EXPECT_EQ(Record().retention_ns(), 3600 * kSecondNs);
  EXPECT_GE(*b_.Status("main").retained_time, retained) << "what was given up does not come back";
  const Timestamp kept = *b_.Status("main").retained_time;
  ASSERT_TRUE(a_.Put("main", "more", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(*b_.Status("main").retained_time, kept);
}

TEST_F(ReplicationChangeTest, TheExpirationWindowIsTheSourcesAndEitherSideSetsIt) {
  const auto window_ns = [&] { return LoadStreams(a_.store())->front().expiration_window_ns(); };
  EXPECT_EQ(window_ns(), 0u) << "the cluster setting";
  ASSERT_TRUE(a_->ChangeReplication("main", {.expiration_window_ns = 42 * kSecondNs}, {}).ok());
  EXPECT_EQ(window_ns(), 42 * kSecondNs);
  ASSERT_TRUE(b_->ChangeReplication("main", {.expiration_window_ns = 600 * kSecondNs}, {}).ok());
  EXPECT_EQ(window_ns(), 600 * kSecondNs);
  for (const uint64_t seconds : {0, 29, 365 * 86'400 + 1}) {
    EXPECT_EQ(SqlStateOf(b_->ChangeReplication("main", {.expiration_window_ns = seconds * kSecondNs}, {})), "22023");
  }
  b_.Restart();
  ASSERT_TRUE(a_.Put("main", "later", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(window_ns(), 600 * kSecondNs);
  ASSERT_TRUE(a_->Create("alone", {}).ok());
  EXPECT_EQ(SqlStateOf(a_->ChangeReplication("alone", {.expiration_window_ns = 42 * kSecondNs}, {})), "55000");
}

TEST_F(ReplicationChangeTest, WhomItFollowedIsShownAfterAFailover) {
  EXPECT_FALSE(b_->Show("main")->prior.has_value());
  const Timestamp at = Promote(b_);
  const auto prior = b_->Show("main")->prior;
  ASSERT_TRUE(prior.has_value());
  EXPECT_EQ(prior->source_id, fmt::format("{}:2", a_.store()->cluster_id().value()));
  EXPECT_EQ(prior->activation_time, at);
  EXPECT_FALSE(a_->Show("main")->prior.has_value());
}

}  // namespace
}  // namespace anabranch
