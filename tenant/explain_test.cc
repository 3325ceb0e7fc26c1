// EXPLAIN decides as the statement does, says what then happens, and changes nothing.
#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/revert.h"
#include "tenant/catalog/catalog.h"
#include "tenant/replication/estimate.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

constexpr TenantId kMain{2};

class ExplainTest : public ReplicationFixture {
 protected:
  void SetUp() override {
    Fill(a_, "shared", 3);
    ASSERT_TRUE(Replicate(a_, b_).ok());
    ASSERT_TRUE(CaughtUp(a_, b_));
  }
  static std::string Property(const absl::StatusOr<VirtualClusters::Explanation>& rows, const std::string& property) {
    if (!rows.ok()) return SqlStateOf(rows.status());
    for (const auto& [name, value] : *rows) {
      if (name == property) return value;
    }
    return "-";
  }
  // All records of virtual clusters, streams, ledgers and protections.
  static std::string Catalog(TestCluster& cluster) {
    std::string all;
    for (const char* prefix : {"tenant", "stream/", "ledger/", "failover/", "protect/", "keyspace/"}) {
      const auto records = cluster.store()->ScanMeta(prefix);
      for (const auto& [key, value] : *records) all += key + "=" + value + "\n";
    }
    return all;
  }
};

TEST_F(ExplainTest, CompleteSaysWhatWillBeSwept) {
  const Timestamp kept = *a_.Put("main", "k", "old");
  Fill(a_, "later", 7);
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->PauseReplication("main").ok());
  const std::string before = Catalog(b_);
  const auto explain = [&](const FailoverTarget& target) { return b_->ExplainComplete("main", target, {}); };
  const auto explained = explain(ToSystemTime{FormatHlc(kept)});
  EXPECT_EQ(Property(explained, "verdict"), "constant time");
  EXPECT_EQ(Property(explained, "target"), FormatHlc(kept));
  EXPECT_EQ(Property(explained, "transactions to sweep"), "7");
  EXPECT_EQ(Property(explained, "bytes to sweep"), fmt::format("about {}", 7 * std::string("later000v").size()));
  EXPECT_EQ(Property(explain(ToLatest{}), "versions to sweep"), "0");
  EXPECT_EQ(Property(explain(ToSystemTime{"+1h"}), "verdict"), "pending until the target, then constant time");
  const std::string refused = Property(explain(ToSystemTime{"-5h"}), "verdict");
  EXPECT_TRUE(refused.starts_with("refused: ") && refused.ends_with("(22023)")) << refused;
  EXPECT_EQ(Property(a_->ExplainComplete("main", ToLatest{}, {}), "verdict").find("refused: "), 0u);
  EXPECT_EQ(Property(b_->ExplainComplete("nobody", ToLatest{}, {}), "verdict"), "42704");
  EXPECT_EQ(Catalog(b_), before);

  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{FormatHlc(kept)}, {}).ok());
  ASSERT_TRUE(b_->StartService("main").ok());
  EXPECT_TRUE(Eventually([&] { return (*b_->ShowFailovers()).front().versions_undone == 7; }));
}

TEST_F(ExplainTest, StartReplicationSaysWhatWillBeUndoneAndLeavesNothingAtTheSource) {
  const Timestamp parted = Promote(b_);
  Fill(a_, "on-a", 4);
  Fill(b_, "on-b", 6);
  const auto explain = [&] { return a_->ExplainStartReplication("main", "main", b_.uri(), {}, {}); };
  EXPECT_NE(Property(explain(), "verdict").find("service mode must be none"), std::string::npos);
  ASSERT_TRUE(a_->StopService("main").ok());
  const std::string before_a = Catalog(a_);
  const std::string before_b = Catalog(b_);
  const auto explained = explain();
  EXPECT_EQ(Property(explained, "verdict"), "undo + catch-up");
  EXPECT_EQ(Property(explained, "target"), FormatHlc(parted));
  EXPECT_EQ(Property(explained, "versions to undo"), "4");
  EXPECT_EQ(Property(explained, "versions to fetch"), "6");
  const std::string self = Property(a_->ExplainStartReplication("main", "main", a_.uri(), {}, {}), "verdict");
  EXPECT_NE(self.find("cannot be replicated from itself (22023)"), std::string::npos) << self;
  EXPECT_EQ(Property(a_->ExplainStartReplication("main", "nobody", b_.uri(), {}, {}), "verdict"), "42704");
  EXPECT_EQ(Catalog(a_), before_a);
  EXPECT_EQ(Catalog(b_), before_b);
  b_.Disconnect();
  EXPECT_EQ(SqlStateOf(explain().status()), "08001");
  b_.Reconnect();

  ASSERT_TRUE(a_->StartReplication("main", "main", b_.uri(), {}, {}).ok());
  ASSERT_TRUE(CaughtUp(b_, a_));
  EXPECT_EQ(LoadTenant(a_.store(), kMain)->replication().diverged_at(), parted.ns);
  EXPECT_EQ((*a_.store()->ScanMeta("ledger/")).size(), 1u);
}

TEST_F(ExplainTest, NothingToUndoIsCatchUpOnly) {
  ASSERT_TRUE(a_->StopService("main").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  EXPECT_EQ(Property(a_->ExplainStartReplication("main", "main", b_.uri(), {}, {}), "verdict"), "catch-up only");
}

TEST_F(ExplainTest, DropCountsWhatGoes) {
  EXPECT_EQ(Property(b_->ExplainDrop("main", {}), "verdict"), "constant time");
  EXPECT_EQ(Property(a_->ExplainDrop("main", {}), "verdict").find("refused: cannot drop"), 0u);
  ASSERT_TRUE(a_->StopService("main").ok());
  EXPECT_EQ(Property(a_->ExplainDrop("main", {}), "standbys that lose their source"), "1");
  EXPECT_EQ(Property(a_->ExplainDrop("main", {}), "versions to lose"), "3");
  EXPECT_EQ(Property(a_->ExplainDrop("system", {}), "verdict"), "22023");
  EXPECT_EQ(a_.StateOf("main"), "ready");
}

TEST_F(ExplainTest, BeyondTheLimitItIsAtLeast) {
  const KeyspaceRef keyspace = *b_.store()->CreateKeyspace();
  IngestRequest request{.keyspace = keyspace, .epoch = keyspace->state()->epoch, .versions = {}, .frontier = {}};
  for (uint64_t i = 1; i <= kEstimateVersionsMax + 5; ++i) {
    request.versions.push_back({fmt::format("{:06}", i), Timestamp{i}, {WriteKind::kPut, "1234"}});
  }
  ASSERT_TRUE(b_.store()
                  ->UpdateMeta([&](MetaUpdate& update) {
                    update.Stage(keyspace).SetIngesting(true, kTimestampZero);
                    return absl::OkStatus();
                  })
                  .ok());
  ASSERT_TRUE(b_.store()->Ingest(std::move(request)).ok());
  const auto exact = EstimateRange(b_.store(), keyspace, Timestamp{5}, ChangeFilter::kAll, {});
  ASSERT_TRUE(exact.ok());
  EXPECT_EQ(CountText(exact->versions, *exact), fmt::format("{}", kEstimateVersionsMax));
  EXPECT_EQ(exact->bytes, 10 * kEstimateVersionsMax);
  const auto more = EstimateRange(b_.store(), keyspace, Timestamp{4}, ChangeFilter::kAll, {});
  EXPECT_EQ(CountText(more->versions, *more), fmt::format("at least {}", kEstimateVersionsMax));
}

}  // namespace
}  // namespace anabranch
