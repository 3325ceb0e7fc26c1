// Settings of a cluster: what they can be, and that they count at once.
#include "tenant/catalog/cluster_settings.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "tenant/catalog/catalog.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

const std::string kTarget = "server.controller.default_target_cluster";
const std::string kInterval = "physical_replication.checkpoint_interval";
const std::string kRetention = "physical_replication.default_retention";
const std::string kWindow = "physical_replication.expiration_window";
constexpr uint64_t kSecondNs = 1'000'000'000;

class ClusterSettingsTest : public ReplicationFixture {
 protected:
  static std::string Value(TestCluster& cluster, const std::string& name) {
    const auto info = cluster->ShowClusterSetting(name);
    return info.ok() ? info->value : SqlStateOf(info.status());
  }
};

TEST_F(ClusterSettingsTest, AreTypedBoundedAndListed) {
  EXPECT_EQ(SqlStateOf(a_->SetClusterSetting("no.such", "1")), "42704");
  EXPECT_EQ(Value(a_, "no.such"), "42704");
  EXPECT_EQ(Value(a_, kRetention), "4h");
  for (const char* bad : {"", "x", "-1s", "366 days", "0.5ms"}) {
    EXPECT_EQ(SqlStateOf(a_->SetClusterSetting(kRetention, bad)), "22023") << bad;
  }
  const absl::Status low = a_->SetClusterSetting(kWindow, "29s");
  EXPECT_EQ(MessageOf(low), "invalid value for cluster setting \"physical_replication.expiration_window\": \"29s\"");
  EXPECT_EQ(HintOf(low), "Give a duration between '30s' and '8760h'.");
  EXPECT_TRUE(a_->SetClusterSetting(kWindow, "30s").ok());
  EXPECT_TRUE(a_->SetClusterSetting(kWindow, "365 days").ok());
  EXPECT_TRUE(a_->SetClusterSetting(kRetention, "90 minutes").ok());
  EXPECT_TRUE(a_->SetClusterSetting(kInterval, "20ms").ok());
  EXPECT_EQ(SqlStateOf(a_->SetClusterSetting(kInterval, "19ms")), "22023");
  EXPECT_EQ(SqlStateOf(a_->SetClusterSetting(kInterval, "10001ms")), "22023");
  const std::string ledgers(kLostWritesSetting);
  for (const char* bad : {"", "x", "-1", "1.5", "1125899906842625"}) {
    EXPECT_EQ(SqlStateOf(a_->SetClusterSetting(ledgers, bad)), "22023") << bad;
  }
  EXPECT_TRUE(a_->SetClusterSetting(ledgers, "7").ok());
  const absl::Status slow = a_->SetClusterSetting("physical_replication.bytes_per_second", "65535");
  EXPECT_EQ(HintOf(slow), "Give 0, or a whole number between 65536 and 1099511627776.");
  EXPECT_TRUE(a_->SetClusterSetting("physical_replication.bytes_per_second", "65536").ok());
  EXPECT_TRUE(a_->SetClusterSetting("physical_replication.bytes_per_second", "0").ok());
  a_.Restart();
  const auto all = a_->ShowClusterSettings();
  ASSERT_TRUE(all.ok()) << all.status();
  std::vector<std::string> rows;
  for (const SettingInfo& info : *all) {
    EXPECT_FALSE(info.description.empty()) << info.name;
    rows.push_back(fmt::format("{} {} {} '{}'", info.name, info.value, info.type, info.default_value));
  }
  EXPECT_EQ(
      rows,
      (std::vector<std::string>{
          "physical_replication.bytes_per_second 0 i '0'", "physical_replication.checkpoint_interval 20ms d '100ms'",
          "physical_replication.copy_connections 2 i '2'", "physical_replication.default_retention 1h30m d '4h'",
          "physical_replication.expiration_window 8760h d '24h'",
          "physical_replication.failback.lost_writes_bytes_max 7 i '4294967296'",
          "physical_replication.failover.undo_window 10m d '10m'",
          "physical_replication.live_feed_bytes 33554432 i '33554432'", "physical_replication.silence_window 1m d '1m'",
          "physical_replication.stream_bytes_per_second 0 i '0'", "server.controller.default_target_cluster main s ''",
          "server.host_based_authentication.configuration hostssl all all all cert-password s "
          "'hostssl all all all cert-password'"}));
  EXPECT_TRUE(a_->SetClusterSetting(kRetention, std::nullopt).ok());
  EXPECT_EQ(Value(a_, kRetention), "4h");
}

TEST_F(ClusterSettingsTest, TheDefaultTargetOfAnEmptyClusterIsItsOnlyVirtualClusterOnceThatServes) {
  EXPECT_EQ(b_->Connect("")->name, "system");
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(b_->Connect("")->name, "system") << "it does not serve";
  Promote(b_);
  EXPECT_EQ(b_->Connect("")->name, "main");
  ASSERT_TRUE(b_->Create("second", {}).ok());
  EXPECT_EQ(b_->Connect("")->name, "system") << "there are two";
  EXPECT_EQ(SqlStateOf(b_->SetClusterSetting(kTarget, "nobody")), "42704");
  ASSERT_TRUE(b_->SetClusterSetting(kTarget, "main").ok());
  EXPECT_EQ(b_->Connect("")->name, "main");
  ASSERT_TRUE(b_->SetClusterSetting(kTarget, "second").ok());
  EXPECT_EQ(SqlStateOf(b_->Connect("").status()), "57P03");
  ASSERT_TRUE(b_->SetClusterSetting(kTarget, "system").ok());
  b_.Restart();
  EXPECT_EQ(b_->Connect("")->name, "system");
}

TEST_F(ClusterSettingsTest, ACheckpointIntervalReachesRunningStreams) {
  Fill(a_, "row", 3);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(a_->SetClusterSetting(kInterval, "600ms").ok());
  ASSERT_TRUE(a_.Put("main", "later", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  // Two frontiers follow each other by the interval, in the source's time.
  const auto next = [&](Timestamp after) {
    Timestamp seen;
    EXPECT_TRUE(Eventually([&] {
      seen = b_.Status("main").replicated_time.value_or(kTimestampZero);
      return seen > after;
    }));
    return seen;
  };
  const Timestamp first = next(next(a_.store()->visible()));
  EXPECT_GE(next(first).ns - first.ns, kSecondNs / 2);
  ASSERT_TRUE(a_->SetClusterSetting(kInterval, std::nullopt).ok());
  const Timestamp soon = next(a_.store()->visible());
  EXPECT_LT(next(soon).ns - soon.ns, kSecondNs / 2);
}

TEST_F(ClusterSettingsTest, RetentionAndExpirationCountForWhatComesNext) {
  ASSERT_TRUE(b_->SetClusterSetting(kRetention, "1h").ok());
  ASSERT_TRUE(a_->SetClusterSetting(kWindow, "2h").ok());
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(b_->CreateFromReplication("other", {}, "main", a_.uri(),
                                        {.retention_ns = 60 * kSecondNs, .expiration_window_ns = 600 * kSecondNs}, {})
                  .ok());
  EXPECT_EQ(LoadTenant(b_.store(), b_->Show("main")->id)->replication().retention_ns(), 3600 * kSecondNs);
  EXPECT_EQ(LoadTenant(b_.store(), b_->Show("other")->id)->replication().retention_ns(), 60 * kSecondNs);
  ASSERT_TRUE(CaughtUp(a_, b_) && CaughtUp(a_, b_, "other"));
  const auto streams = a_->ShowReplicationStreams();
  const uint64_t now_ns = a_.store()->clock()->WallNs();
  ASSERT_TRUE(streams.ok());
  ASSERT_EQ(streams->size(), 2u);
  for (const ReplicationStreamInfo& stream : *streams) {
    const uint64_t window_ns = stream.standby_name == "main" ? 7200 * kSecondNs : 600 * kSecondNs;
    EXPECT_LE(stream.expires_at_ns, now_ns + window_ns);
    EXPECT_GT(stream.expires_at_ns + 60 * kSecondNs, now_ns + window_ns);
  }
}

}  // namespace
}  // namespace anabranch
