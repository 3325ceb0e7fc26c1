// Statements on one cluster: create, drop, service, show, refusals, and what a restart makes of them.
#include "tenant/virtual_clusters.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "tenant/catalog/catalog.h"
#include "tenant/testing/test_cluster.h"

namespace anabranch {
namespace {

std::vector<std::string> Rows(TestCluster& cluster) {
  std::vector<std::string> rows;
  const auto all = cluster->ShowAll();
  EXPECT_TRUE(all.ok()) << all.status();
  for (const VirtualClusterInfo& info : *all) {
    rows.push_back(
        fmt::format("{} {} {} {}", info.id.value(), info.name, ToString(info.data_state), ToString(info.service_mode)));
  }
  return rows;
}

TEST(VirtualClustersTest, ANewStoreServesSystemAndMain) {
  TestCluster cluster(Virtualization::kUnspecified);
  EXPECT_EQ(Rows(cluster), (std::vector<std::string>{"1 system ready shared", "2 main ready shared"}));
  EXPECT_EQ(cluster->Connect("")->name, "main");
  EXPECT_EQ(cluster->Connect("system")->name, "system");
}

TEST(VirtualClustersTest, AnEmptyOneServesSystemOnlyAndASecondStartKeepsIt) {
  TestCluster cluster(Virtualization::kVirtualizedEmpty);
  EXPECT_EQ(Rows(cluster), (std::vector<std::string>{"1 system ready shared"}));
  EXPECT_EQ(cluster->Connect("")->name, "system");
  EXPECT_EQ(SqlStateOf(cluster->Connect("main").status()), "3D000");
  cluster.Restart();
  EXPECT_EQ(Rows(cluster), (std::vector<std::string>{"1 system ready shared"}));
}

TEST(VirtualClustersTest, CreateServeStopDrop) {
  TestCluster cluster(Virtualization::kVirtualizedEmpty);
  ASSERT_TRUE(cluster->Create("app", {}).ok());
  EXPECT_EQ(SqlStateOf(cluster->Create("app", {})), "42710");
  EXPECT_TRUE(cluster->Create("app", {.if_not_exists = true}).ok());
  const absl::Status not_serving = cluster->Connect("app").status();
  EXPECT_EQ(SqlStateOf(not_serving), "57P03");
  EXPECT_EQ(HintOf(not_serving), "Use ALTER VIRTUAL CLUSTER app START SERVICE SHARED.");
  ASSERT_TRUE(cluster->StartService("app").ok());
  EXPECT_TRUE(cluster->StartService("app").ok());
  ASSERT_TRUE(cluster.Put("app", "k", "v").ok());
  EXPECT_EQ(cluster.Get("app", "k"), "v");
  const absl::Status serving = cluster->Drop("app", false);
  EXPECT_EQ(SqlStateOf(serving), "55000");
  EXPECT_NE(HintOf(serving).find("STOP SERVICE"), std::string::npos);
  ASSERT_TRUE(cluster->StopService("app").ok());
  EXPECT_TRUE(cluster->StopService("app").ok());
  ASSERT_TRUE(cluster->Drop("app", false).ok());
  EXPECT_EQ(SqlStateOf(cluster->Drop("app", false)), "42704");
  EXPECT_TRUE(cluster->Drop("app", true).ok());
  EXPECT_EQ(cluster.store()->Keyspaces().size(), 1u);
  ASSERT_TRUE(cluster->Create("app", {}).ok());
  EXPECT_EQ(cluster->Show("app")->id, TenantId(3)) << "ids are never reused";
}

TEST(VirtualClustersTest, StopEndsSessionsAndFencesTheirCommits) {
  TestCluster cluster(Virtualization::kVirtualized);
  const auto session = cluster->Connect("main");
  ASSERT_TRUE(session.ok());
  std::vector<TenantId> stopped;
  cluster->SetSessionStopper([&](TenantId id, const absl::Status&) {
    stopped.push_back(id);
    EXPECT_EQ(cluster->Show("main")->service_mode, ServiceMode::kStopping);
    EXPECT_EQ(SqlStateOf(cluster->Connect("main").status()), "57P03");
  });
  ASSERT_TRUE(cluster->StopService("main").ok());
  EXPECT_EQ(stopped, std::vector<TenantId>{TenantId(2)});
  ASSERT_TRUE(cluster->StartService("main").ok());
  WriteSet writes{{"k", {WriteKind::kPut, "v"}}};
  const auto late = cluster.store()->Commit({.keyspace = session->context.keyspace,
                                             .epoch = session->context.epoch,
                                             .writes = std::make_shared<const WriteList>(writes),
                                             .validate_spans = {},
                                             .validate_after = {}});
  EXPECT_TRUE(IsFenced(late.status())) << late.status();
}

TEST(VirtualClustersTest, ServiceAndDataSurviveARestart) {
  TestCluster cluster(Virtualization::kVirtualized);
  ASSERT_TRUE(cluster.Put("main", "k", "v").ok());
  ASSERT_TRUE(cluster->Create("idle", {}).ok());
  cluster.Restart();
  EXPECT_EQ(Rows(cluster), (std::vector<std::string>{"1 system ready shared", "2 main ready shared", "3 idle ready none"}));
  EXPECT_EQ(cluster.Get("main", "k"), "v");
}

TEST(VirtualClustersTest, KilledWhileStoppingComesBackStopped) {
  TestCluster cluster(Virtualization::kVirtualized);
  ASSERT_TRUE(UpdateTenant(cluster.store(), TenantId(2), [](MetaUpdate&, catalog::TenantRecord& record) {
                SetMode(record, ServiceMode::kStopping);
                return absl::OkStatus();
              }).ok());
  cluster.Restart();
  EXPECT_EQ(cluster->Show("main")->service_mode, ServiceMode::kNone);
}

TEST(VirtualClustersTest, KilledInTheMiddleOfADropIsDroppedByTheNextStart) {
  TestCluster cluster(Virtualization::kVirtualized);
  ASSERT_TRUE(cluster->StopService("main").ok());
  ASSERT_TRUE(
      UpdateTenant(cluster.store(), TenantId(2), [&](MetaUpdate& update, catalog::TenantRecord& record) -> absl::Status {
        ASSIGN_OR_RETURN(const KeyspaceRef keyspace, cluster.store()->FindKeyspace(IncarnationId(record.incarnation())));
        update.Stage(keyspace).BumpEpoch();
        update.Stage(keyspace).MarkDropping();
        update.Delete(TenantNameKey(record.name()));
        SetState(record, DataState::kDropping);
        return absl::OkStatus();
      }).ok());
  cluster.Restart();
  EXPECT_EQ(Rows(cluster), std::vector<std::string>{"1 system ready shared"});
  EXPECT_EQ(cluster.store()->Keyspaces().size(), 1u);
  EXPECT_TRUE(cluster->Create("main", {}).ok());
}

TEST(VirtualClustersTest, SystemIsNotForSuchStatements) {
  TestCluster cluster(Virtualization::kVirtualized);
  for (const VirtualClusterSpec& spec : {VirtualClusterSpec("system"), VirtualClusterSpec(TenantId(1))}) {
    EXPECT_EQ(SqlStateOf(cluster->Drop(spec, false)), "22023");
    EXPECT_EQ(SqlStateOf(cluster->StopService(spec)), "22023");
    EXPECT_EQ(SqlStateOf(cluster->PauseReplication(spec)), "22023");
    EXPECT_EQ(SqlStateOf(cluster->CompleteReplication(spec, ToLatest{}, {}).status()), "22023");
    EXPECT_EQ(SqlStateOf(cluster->StartReplication(spec, "main", cluster.uri(), {}, {})), "22023");
  }
  EXPECT_EQ(MessageOf(cluster->Drop("system", false)), "cannot drop tenant \"1\", ID assigned to system tenant");
}

TEST(VirtualClustersTest, RefusalsNameTheObject) {
  TestCluster cluster(Virtualization::kVirtualized);
  EXPECT_EQ(MessageOf(cluster->Show("nobody").status()), "tenant \"nobody\" does not exist");
  EXPECT_EQ(SqlStateOf(cluster->Show(TenantId(9)).status()), "42704");
  EXPECT_EQ(SqlStateOf(cluster->Create("", {})), "42601");
  EXPECT_EQ(MessageOf(cluster->Create("main", {})), "tenant with name \"main\" already exists");
  for (const absl::Status& status : {cluster->PauseReplication("main"), cluster->ResumeReplication("main"),
                                     cluster->CompleteReplication("main", ToLatest{}, {}).status()}) {
    EXPECT_EQ(SqlStateOf(status), "55000");
    EXPECT_NE(MessageOf(status).find("does not have an active replication consumer job"), std::string::npos) << status;
  }
}

TEST(VirtualClustersTest, SettingOfOneVirtualClusterSurvivesARestart) {
  TestCluster cluster(Virtualization::kVirtualized);
  const auto shown = [&](const VirtualClusterSpec& spec) {
    const auto value = cluster->ShowSetting(spec, "gc.ttlseconds");
    return value.ok() ? *value : SqlStateOf(value.status());
  };
  EXPECT_EQ(shown("main"), "14400");
  ASSERT_TRUE(cluster->SetSetting("main", "gc.ttlseconds", "600").ok());
  cluster.Restart();
  EXPECT_EQ(shown("main"), "600");
  EXPECT_EQ(shown("system"), "14400");
  EXPECT_EQ(shown("nobody"), "42704");
  for (const char* bad : {"0", "-1", "2147483648", "99999999999999999999", "4h", "1.5", ""}) {
    EXPECT_EQ(SqlStateOf(cluster->SetSetting("main", "gc.ttlseconds", bad)), "22023") << bad;
  }
  EXPECT_EQ(MessageOf(cluster->SetSetting("main", "gc.ttl", "1")), "unknown cluster setting \"gc.ttl\"");
  EXPECT_EQ(SqlStateOf(cluster->ShowSetting("main", "gc.ttl").status()), "42704");
  EXPECT_EQ(shown("main"), "600");
  ASSERT_TRUE(cluster->SetSetting("main", "gc.ttlseconds", std::nullopt).ok());
  EXPECT_EQ(shown("main"), "14400");
}

TEST(VirtualClustersTest, TheLimitIsNamedAtItsBound) {
  TestCluster cluster(Virtualization::kVirtualizedEmpty);
  // Records without keyspaces: creating hundreds of column families takes too long for a unit test.
  ASSERT_TRUE(cluster.store()
                  ->UpdateMeta([](MetaUpdate& update) {
                    for (uint64_t id = 2; id < kVirtualClustersMax; ++id) {
                      catalog::TenantRecord record;
                      record.set_id(id);
                      SetState(record, DataState::kPaused);
                      SetMode(record, ServiceMode::kNone);
                      PutTenant(update, record);
                    }
                    update.Put(kTenantCounterKey, fmt::format("{}", kVirtualClustersMax - 1));
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_TRUE(cluster->Create("last", {}).ok());
  const absl::Status refused = cluster->Create("one-more", {});
  EXPECT_EQ(SqlStateOf(refused), "54000");
  EXPECT_NE(MessageOf(refused).find("kVirtualClustersMax"), std::string::npos);
}

TEST(VirtualClustersTest, FingerprintsOfAServingClusterAtATime) {
  TestCluster cluster(Virtualization::kVirtualized);
  const Timestamp first = *cluster.Put("main", "a", "1");
  const uint64_t before = cluster.FingerprintAt("main", first);
  const Timestamp second = *cluster.Put("main", "a", "2");
  EXPECT_NE(cluster.FingerprintAt("main", second), before);
  EXPECT_EQ(cluster.FingerprintAt("main", first), before);
  EXPECT_GE(cluster->ShowFingerprint("main", std::nullopt, std::nullopt, {})->at, second);
  EXPECT_EQ(cluster->ShowFingerprint("main", FormatHlc(first), FormatHlc(second), {})->fingerprint.versions, 1u);
  EXPECT_EQ(SqlStateOf(cluster->ShowFingerprint("main", std::nullopt, "+1h", {}).status()), "22023");
}

}  // namespace
}  // namespace anabranch
