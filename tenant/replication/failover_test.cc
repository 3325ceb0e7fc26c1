// Failover on its own: what may be failed over to, and that promoting costs the same whatever has to be undone.
#include "tenant/replication/failover.h"

#include <algorithm>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/protection.h"
#include "storage/transfer.h"
#include "tenant/testing/test_cluster.h"

namespace anabranch {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

catalog::TenantRecord Standby(uint64_t start_at, uint64_t first_frontier, uint64_t diverged_at, uint64_t retention_ns) {
  catalog::TenantRecord record;
  record.set_id(3);
  record.set_name("main");
  SetState(record, DataState::kReplicating);
  SetMode(record, ServiceMode::kNone);
  catalog::Replication* replication = record.mutable_replication();
  replication->set_phase(catalog::Replication::STREAMING);
  replication->set_start_at(start_at);
  replication->set_first_frontier(first_frontier);
  replication->set_diverged_at(diverged_at);
  replication->set_retention_ns(retention_ns);
  return record;
}

std::string Judge(const catalog::TenantRecord& record, uint64_t frontier, std::optional<uint64_t> target) {
  std::optional<Timestamp> at;
  if (target) at = Timestamp{*target};
  const auto plan = JudgeFailover(record, Timestamp{frontier}, at);
  return plan.ok() ? fmt::format("{} at {}", plan->reached ? "now" : "later", plan->at.ns) : SqlStateOf(plan.status());
}

TEST(JudgeFailoverTest, TheWindowIsFromRetainedToReplicatedAndTheFuture) {
  const catalog::TenantRecord record = Standby(/*start_at=*/100, /*first_frontier=*/120, 0, /*retention_ns=*/50);
  EXPECT_EQ(Judge(record, 200, std::nullopt), "now at 200");
  EXPECT_EQ(Judge(record, 200, 150), "now at 150");
  EXPECT_EQ(Judge(record, 200, 149), "22023");
  EXPECT_EQ(Judge(record, 200, 99), "22023");
  EXPECT_EQ(Judge(record, 200, 201), "later at 201");
}

TEST(JudgeFailoverTest, BeforeTheFirstFrontierOnlyTheFutureIsThere) {
  const catalog::TenantRecord record = Standby(100, 120, 0, 50);
  EXPECT_EQ(Judge(record, 0, std::nullopt), "55000");
  EXPECT_EQ(Judge(record, 0, 110), "later at 110");
  EXPECT_EQ(Judge(record, 0, 99), "22023");
}

TEST(JudgeFailoverTest, AFailbackMustPassTheDivergenceFirst) {
  const catalog::TenantRecord record = Standby(100, 0, /*diverged_at=*/100, 50);
  EXPECT_EQ(Judge(record, 100, std::nullopt), "55000");
  EXPECT_EQ(Judge(record, 101, std::nullopt), "now at 101");
}

TEST(JudgeFailoverTest, APendingTargetStaysRetained) {
  catalog::TenantRecord record = Standby(100, 0, 0, /*retention_ns=*/0);
  EXPECT_EQ(Judge(record, 200, 150), "22023");
  record.mutable_replication()->set_cutover(150);
  EXPECT_EQ(Judge(record, 200, 150), "now at 150");
}

TEST(JudgeFailoverTest, OnlyAStandbyCanBePromoted) {
  catalog::TenantRecord record = Standby(100, 0, 0, 50);
  SetState(record, DataState::kReady);
  EXPECT_EQ(Judge(record, 200, std::nullopt), "55000");
}

// A standby with a keyspace full of versions, made without a source.
class FailoverTest : public testing::Test {
 protected:
  // Versions at base+1, base+2, ...
  KeyspaceRef MakeKeyspace(uint64_t base, uint64_t versions) {
    Store* const store = cluster_.store();
    const KeyspaceRef keyspace = *store->CreateKeyspace();
    IngestRequest request{.keyspace = keyspace, .epoch = keyspace->state()->epoch, .versions = {}, .frontier = {}};
    for (uint64_t i = 1; i <= versions; ++i) {
      request.versions.push_back({fmt::format("key{:06}", i % 1000), Timestamp{base + i}, {WriteKind::kPut, "v"}});
    }
    EXPECT_TRUE(store
                    ->UpdateMeta([&](MetaUpdate& update) {
                      update.Stage(keyspace).SetIngesting(true, kTimestampZero);
                      return absl::OkStatus();
                    })
                    .ok());
    EXPECT_TRUE(store->Ingest(std::move(request)).ok());
    return keyspace;
  }
  // The frontier at the newest version.
  TenantId MakeStandby(const std::string& name, uint64_t base, uint64_t versions, const KeyspaceRef& keyspace) {
    catalog::TenantRecord record = Standby(base, 0, 0, 3600 * kSecond);
    record.set_name(name);
    record.set_incarnation(keyspace->incarnation().value());
    SetState(record, DataState::kPaused);
    ToWire({{BranchId("a"), kTimestampZero}}, record.mutable_ancestry());
    EXPECT_TRUE(cluster_.store()
                    ->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
                      update.Stage(keyspace).Publish();
                      update.Stage(keyspace).SetIngesting(true, Timestamp{base + versions});
                      return AddTenant(update, &record);
                    })
                    .ok());
    return TenantId(record.id());
  }
  TenantId MakeStandby(const std::string& name, uint64_t base, uint64_t versions) {
    return MakeStandby(name, base, versions, MakeKeyspace(base, versions));
  }

  TestCluster cluster_{Virtualization::kVirtualizedEmpty};
};

TEST_F(FailoverTest, PromotionDoesTheSameWorkWhateverLiesAbove) {
  constexpr int kRuns = 9;
  const uint64_t base = cluster_.store()->visible().ns - 60 * kSecond;
  std::vector<OperationCounts> counts;
  for (const uint64_t above : {10, 100'000}) {
    std::vector<double> took_ms;
    const KeyspaceRef model = MakeKeyspace(base, 100 + above);
    ASSERT_TRUE(cluster_.store()
                    ->UpdateMeta([&](MetaUpdate& update) {
                      update.Stage(model).SetIngesting(false, kTimestampZero);
                      return absl::OkStatus();
                    })
                    .ok());
    for (int run = 0; run < kRuns; ++run) {
      const TenantId id =
          MakeStandby(fmt::format("s{}-{}", above, run), base, 100 + above, *CloneKeyspace(cluster_.store(), model));
      const OperationCounts before = cluster_.store()->counts();
      const uint64_t started_ns = SystemClock()->MonotonicNs();
      const auto published = PublishFailover(cluster_.store(), id, Timestamp{base + 100});
      took_ms.push_back(static_cast<double>(SystemClock()->MonotonicNs() - started_ns) / 1e6);
      counts.push_back(cluster_.store()->counts() - before);
      ASSERT_TRUE(published.ok()) << published.status();
      EXPECT_EQ(published->keyspace->state()->hidden.size(), 1u);
      ASSERT_TRUE(cluster_->Drop(id, false).ok());
    }
    std::sort(took_ms.begin(), took_ms.end());
    fmt::print("failover with {} versions above the target: median {:.3f} ms of {} runs\n", above, took_ms[kRuns / 2],
               kRuns);
  }
  for (const OperationCounts& count : counts) EXPECT_EQ(count, counts.front());
}

TEST_F(FailoverTest, StateBranchEpochAndProtectionChangeTogether) {
  const uint64_t base = cluster_.store()->visible().ns - 60 * kSecond;
  const TenantId id = MakeStandby("main", base, 20);
  const KeyspaceRef keyspace =
      *cluster_.store()->FindKeyspace(IncarnationId(LoadTenant(cluster_.store(), id)->incarnation()));
  const Epoch before = keyspace->state()->epoch;
  const auto at = cluster_->CompleteReplication("main", ToSystemTime{FormatHlc({base + 10})}, {});
  ASSERT_TRUE(at.ok()) << at.status();
  EXPECT_EQ(at->ns, base + 10);
  const auto record = LoadTenant(cluster_.store(), id);
  EXPECT_EQ(StateOf(*record), DataState::kReady);
  EXPECT_EQ(ModeOf(*record), ServiceMode::kNone);
  ASSERT_EQ(record->ancestry_size(), 2);
  EXPECT_EQ(record->ancestry(1).forked_at(), base + 10);
  EXPECT_GT(keyspace->state()->epoch, before);
  EXPECT_EQ(*ProtectedBy(cluster_.store(), keyspace->incarnation(), "failover"), *at);
  EXPECT_EQ(cluster_.Status("main").failover_time, *at);
  EXPECT_EQ(SqlStateOf(cluster_->CompleteReplication("main", ToLatest{}, {}).status()), "55000");
  // Serving does not wait for the sweep, and does not disturb it.
  ASSERT_TRUE(cluster_->StartService("main").ok());
  EXPECT_EQ(cluster_.Get("main", "key000010"), "v");
  EXPECT_EQ(cluster_.Get("main", "key000011"), "-");
  EXPECT_TRUE(Eventually([&] { return keyspace->state()->hidden.empty(); }));
  EXPECT_EQ(cluster_.Get("main", "key000011"), "-");
}

TEST_F(FailoverTest, KilledBeforeTheSweepIsSweptByTheNextStart) {
  const uint64_t base = cluster_.store()->visible().ns - 60 * kSecond;
  const TenantId id = MakeStandby("main", base, 20);
  ASSERT_TRUE(PublishFailover(cluster_.store(), id, Timestamp{base + 10}).ok());  // published, never swept
  cluster_.Restart();
  const KeyspaceRef keyspace =
      *cluster_.store()->FindKeyspace(IncarnationId(LoadTenant(cluster_.store(), id)->incarnation()));
  EXPECT_TRUE(Eventually([&] { return keyspace->state()->hidden.empty(); }));
  ASSERT_TRUE(cluster_->StartService("main").ok());
  EXPECT_EQ(cluster_.Get("main", "key000010"), "v");
  EXPECT_EQ(cluster_.Get("main", "key000011"), "-");
}

}  // namespace
}  // namespace anabranch
