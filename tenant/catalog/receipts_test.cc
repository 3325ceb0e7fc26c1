// SHOW FAILOVERS: who promoted what, when, and what came of it.
#include "tenant/catalog/receipts.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/limits.h"
#include "tenant/replication/failover.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

class ReceiptsTest : public ReplicationFixture {
 protected:
  void SetUp() override {
    Fill(a_, "k", 3);
    ASSERT_TRUE(Replicate(a_, b_).ok());
    ASSERT_TRUE(CaughtUp(a_, b_));
  }
  static std::vector<FailoverInfo> Failovers(TestCluster& cluster) { return *cluster->ShowFailovers(); }
  // Once the sweep is done.
  static FailoverInfo Complete(TestCluster& cluster) {
    EXPECT_TRUE(Eventually([&] {
      const auto all = Failovers(cluster);
      return !all.empty() && all.front().versions_undone && all.front().phases.find("sweep") != std::string::npos;
    })) << Failovers(cluster).front().phases;
    return Failovers(cluster).front();
  }
};

TEST_F(ReceiptsTest, OneForEachFailoverOverRestartsAndTheDrop) {
  const Timestamp kept = *a_.Put("main", "k", "old");
  ASSERT_TRUE(a_.Put("main", "k", "new").ok());
  const Timestamp newest = *a_.Put("main", "l", "new");
  ASSERT_TRUE(CaughtUp(a_, b_));
  const Timestamp replicated = *b_.Status("main").replicated_time;
  const Timestamp before = b_.store()->visible();
  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{FormatHlc(kept)}, {.user = "anna"}, {}).ok());
  ASSERT_EQ(Failovers(b_).size(), 1u);
  EXPECT_EQ(Failovers(b_).front().versions_undone, std::nullopt) << "not swept yet";
  ASSERT_TRUE(b_->StartService("main").ok());
  FailoverInfo info = Complete(b_);
  EXPECT_EQ(info.virtual_cluster, "main");
  EXPECT_EQ(info.user_name, "anna");
  EXPECT_EQ(info.statement, "COMPLETE REPLICATION");
  EXPECT_EQ(info.target, kept);
  EXPECT_GE(*info.frontier, replicated);
  EXPECT_EQ(info.lost_upto, newest);
  EXPECT_EQ(info.versions_undone, 2u);
  EXPECT_GE(info.completed_at.ns + 1'000'000'000, before.ns);
  EXPECT_EQ(info.phases.find("publish "), 0u) << info.phases;
  b_.Restart();
  ASSERT_TRUE(b_->StopService("main").ok());
  ASSERT_TRUE(b_->Drop("main", false).ok());
  ASSERT_EQ(Failovers(b_).size(), 1u);
  EXPECT_EQ(Failovers(b_).front().phases, info.phases);
}

TEST_F(ReceiptsTest, APendingOneIsOfWhoAskedForIt) {
  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{"+1h"}, {.user = "early"}, {}).ok());
  const auto soon = b_->CompleteReplication("main", ToSystemTime{"+200ms"}, {.user = "anna"}, {});
  ASSERT_TRUE(soon.ok()) << soon.status();
  EXPECT_TRUE(Failovers(b_).empty());
  b_.Restart();
  ASSERT_TRUE(Eventually([&] { return b_.StateOf("main") == "ready"; })) << b_.Status("main").last_error;
  ASSERT_EQ(Failovers(b_).size(), 1u);
  EXPECT_EQ(Failovers(b_).front().user_name, "anna");
  EXPECT_EQ(Failovers(b_).front().target, *soon);
  EXPECT_EQ(Failovers(b_).front().phases.find("pending "), 0u) << Failovers(b_).front().phases;
}

TEST_F(ReceiptsTest, AnUndoHasItsOwnAndSaysSoInThatOfTheFailover) {
  ASSERT_TRUE(b_->CompleteReplication("main", ToLatest{}, {.user = "anna"}, {}).ok());
  ASSERT_TRUE(b_->UndoCompleteReplication("main", "bert").ok());
  const std::vector<FailoverInfo> all = Failovers(b_);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].statement, "UNDO COMPLETE REPLICATION");
  EXPECT_EQ(all[0].user_name, "bert");
  EXPECT_EQ(all[0].frontier, b_.Status("main").replicated_time);
  EXPECT_EQ(all[1].user_name, "anna");
  EXPECT_TRUE(all[1].phases.ends_with("undone")) << all[1].phases;
  EXPECT_EQ(all[1].versions_undone, 0u);
}

TEST_F(ReceiptsTest, HasTheFingerprintAtTheTargetIfItWasAskedFor) {
  ASSERT_TRUE(CaughtUp(a_, b_));
  const auto at = b_->CompleteReplication("main", ToLatest{}, {.fingerprint = true}, {});
  ASSERT_TRUE(at.ok()) << at.status();
  ASSERT_TRUE(Eventually([&] { return Failovers(b_).front().fingerprint.has_value(); }));
  EXPECT_EQ(Failovers(b_).front().fingerprint, a_.FingerprintAt("main", *at));
  b_.Restart();
  EXPECT_EQ(Failovers(b_).front().fingerprint, a_.FingerprintAt("main", *at));
}

TEST_F(ReceiptsTest, APendingOneRemembersThatAFingerprintWasAskedFor) {
  const auto at = b_->CompleteReplication("main", ToSystemTime{"+200ms"}, {.fingerprint = true}, {});
  ASSERT_TRUE(at.ok()) << at.status();
  b_.Restart();
  ASSERT_TRUE(Eventually([&] { return !Failovers(b_).empty() && Failovers(b_).front().fingerprint.has_value(); }));
  EXPECT_EQ(Failovers(b_).front().fingerprint, a_.FingerprintAt("main", *at));
}

TEST_F(ReceiptsTest, OfWhatWasUndoneThereIsNoFingerprint) {
  ASSERT_TRUE(PublishFailover(b_.store(), TenantId(2), std::nullopt,
                              {.user = "anna", .undo_window_ns = kFailoverUndoWindowNs, .fingerprint = true})
                  .ok());
  ASSERT_TRUE(b_->UndoCompleteReplication("main", "anna").ok());
  b_.Restart();
  ASSERT_TRUE(Eventually([&] { return !LoadReceipts(b_.store())->front().fingerprint_wanted(); }));
  EXPECT_EQ(Failovers(b_).back().fingerprint, std::nullopt);
}

TEST_F(ReceiptsTest, ACancelledFailbackThatHadBegunHasOne) {
  Promote(b_);
  ASSERT_TRUE(a_.Put("main", "undone", "x").ok());
  ASSERT_TRUE(a_->StopService("main").ok());
  b_.Reconnect({.answered = nullptr, .opens_left = 2});  // the handshake, and the answer before the undo
  ASSERT_TRUE(a_->StartReplication("main", "main", b_.uri(), {}, {}).ok());
  ASSERT_TRUE(Eventually(
      [&] { return LoadTenant(a_.store(), TenantId(2))->replication().phase() == catalog::Replication::STREAMING; }));
  const Timestamp parted{LoadTenant(a_.store(), TenantId(2))->replication().diverged_at()};
  ASSERT_TRUE(a_->CancelReplication("main", "anna").ok());
  const std::vector<FailoverInfo> all = Failovers(a_);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].statement, "CANCEL REPLICATION");
  EXPECT_EQ(all[0].user_name, "anna");
  EXPECT_EQ(all[0].target, parted);
  EXPECT_EQ(all[0].frontier, std::nullopt);
}

TEST(ReceiptsKeptTest, TheOldestGo) {
  TestCluster cluster(Virtualization::kVirtualizedEmpty);
  for (uint64_t i = 1; i <= kReceiptsKept + 3; ++i) {
    ASSERT_TRUE(cluster.store()
                    ->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
                      ASSIGN_OR_RETURN(const uint64_t number, AddReceipt(update, {}));
                      EXPECT_EQ(number, i);
                      return absl::OkStatus();
                    })
                    .ok());
  }
  const auto receipts = LoadReceipts(cluster.store());
  ASSERT_TRUE(receipts.ok());
  EXPECT_EQ(receipts->size(), kReceiptsKept);
  EXPECT_EQ(receipts->front().number(), 4u);
}

}  // namespace
}  // namespace anabranch
