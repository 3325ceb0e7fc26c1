// Capabilities: what is kept of them, and for how long.
#include "tenant/catalog/capability.h"

#include <algorithm>

#include "base/status.h"
#include "gtest/gtest.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

class CapabilitiesTest : public ReplicationFixture {
 protected:
  // Those that are not false, as "name=value".
  static std::vector<std::string> Granted(TestCluster& cluster, const std::string& vc) {
    std::vector<std::string> granted;
    const auto info = cluster->Show(vc);
    EXPECT_TRUE(info.ok()) << info.status();
    for (const CapabilityRow& row : info->capabilities) {
      if (row.value != "false") granted.push_back(fmt::format("{}={}", row.name, row.value));
    }
    return granted;
  }
  static std::map<Capability, std::string> All(const std::string& value) {
    std::map<Capability, std::string> values;
    for (const CapabilityInfo& info : kCapabilities) {
      values[info.capability] = info.is_bool ? value : "bounds";
    }
    return values;
  }

  const std::vector<std::string> defaults_ = {"can_admin_scatter=true", "can_admin_split=true", "span_config_bounds={}"};
};

TEST_F(CapabilitiesTest, ThereAreThirteenAndTwoAreGrantedByDefault) {
  EXPECT_EQ(a_->Show("main")->capabilities.size(), 13u);
  EXPECT_EQ(Granted(a_, "main"), defaults_);
  EXPECT_EQ(Granted(a_, "system").size(), 13u);
  EXPECT_EQ(SqlStateOf(a_->SetCapabilities("system", All("true"))), "22023");
  EXPECT_EQ(SqlStateOf(a_->SetCapabilities("nobody", All("true"))), "42704");
}

TEST_F(CapabilitiesTest, ValuesAreChecked) {
  EXPECT_EQ(*CapabilityText(Capability::kViewNodeInfo, std::nullopt), "true");
  EXPECT_EQ(*CapabilityText(Capability::kViewNodeInfo, "off"), "false");
  EXPECT_EQ(SqlStateOf(CapabilityText(Capability::kViewNodeInfo, "maybe").status()), "22023");
  const absl::Status needed = CapabilityText(Capability::kSpanConfigBounds, std::nullopt).status();
  EXPECT_EQ(SqlStateOf(needed), "42601");
  EXPECT_EQ(MessageOf(needed), "value required for capability: \"span_config_bounds\"");
}

TEST_F(CapabilitiesTest, EachIsKeptOverARestartAFailoverAndAFailback) {
  Fill(a_, "row", 3);
  ASSERT_TRUE(a_->SetCapabilities("main", All("true")).ok());
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(b_->SetCapabilities("main", {{Capability::kDebugProcess, "true"}, {Capability::kAdminSplit, "false"}}).ok());
  const std::vector<std::string> own = {"can_admin_scatter=true", "span_config_bounds={}", "can_debug_process=true"};
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  EXPECT_EQ(Granted(b_, "main"), own) << "they are this cluster's, and do not replicate";
  a_.Restart();
  EXPECT_EQ(Granted(a_, "main").size(), 13u);
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_));
  EXPECT_EQ(Granted(a_, "main").size(), 13u);
  EXPECT_EQ(a_->Show("main")->capabilities[9].value, "bounds");
  b_.Restart();
  EXPECT_EQ(Granted(b_, "main"), own);
}

TEST_F(CapabilitiesTest, WhatIsNotGrantedIsRefusedByNameUntilItIs) {
  const TenantId main = a_->Show("main")->id;
  const absl::Status refused = a_->CheckCapability(main, Capability::kCheckConsistency);
  EXPECT_EQ(SqlStateOf(refused), "42501");
  EXPECT_EQ(MessageOf(refused), "client tenant does not have capability \"can_check_consistency\"");
  EXPECT_EQ(HintOf(refused),
            "In the system virtual cluster: ALTER VIRTUAL CLUSTER main GRANT CAPABILITY can_check_consistency.");
  ASSERT_TRUE(a_->SetCapabilities("main", {{Capability::kCheckConsistency, "true"}}).ok());
  EXPECT_TRUE(a_->CheckCapability(main, Capability::kCheckConsistency).ok());
  EXPECT_TRUE(a_->CheckCapability(kSystemTenantId, Capability::kDebugProcess).ok());
  ASSERT_TRUE(a_->SetCapabilities("main", {{Capability::kCheckConsistency, "false"}}).ok());
  EXPECT_EQ(Granted(a_, "main"), defaults_);
}

TEST_F(CapabilitiesTest, LikeCopiesThemAndTheSettings) {
  ASSERT_TRUE(a_->SetCapabilities("main", {{Capability::kViewNodeInfo, "true"}}).ok());
  ASSERT_TRUE(a_->SetSetting("main", "gc.ttlseconds", "77").ok());
  ASSERT_TRUE(a_->Create("twin", {.if_not_exists = false, .like = "main"}).ok());
  EXPECT_EQ(Granted(a_, "twin"), Granted(a_, "main"));
  EXPECT_EQ(*a_->ShowSetting("twin", "gc.ttlseconds"), "77");
  EXPECT_EQ(SqlStateOf(a_->Create("third", {.if_not_exists = false, .like = "nobody"})), "42704");
  EXPECT_EQ(SqlStateOf(a_->Show("third").status()), "42704");
  ASSERT_TRUE(b_->Create("pattern", {}).ok());
  ASSERT_TRUE(b_->SetSetting("pattern", "gc.ttlseconds", "99").ok());
  ASSERT_TRUE(
      b_->CreateFromReplication("main", {.if_not_exists = false, .like = "pattern"}, "main", a_.uri(), {}, {}).ok());
  EXPECT_EQ(*b_->ShowSetting("main", "gc.ttlseconds"), "99");
}

}  // namespace
}  // namespace anabranch
