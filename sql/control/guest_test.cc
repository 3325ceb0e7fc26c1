// What a virtual cluster other than `system` may ask about itself, from inside it, over libpq.
#include <atomic>
#include <thread>

#include "sql/testing/test_server.h"

namespace anabranch {
namespace {

class GuestTest : public ServerTest {
 protected:
  void SetUp() override {
    root_ = Connect("options=-ccluster=system");
    main_ = Connect("options=-ccluster=main");
    ASSERT_EQ(root_->Run("CREATE VIRTUAL CLUSTER other"), "OK CREATE VIRTUAL CLUSTER");
    ASSERT_EQ(root_->Run("ALTER VIRTUAL CLUSTER other START SERVICE SHARED"), "OK ALTER VIRTUAL CLUSTER");
  }
  void Grant(const std::string& capability) {
    ASSERT_EQ(root_->Run("ALTER VIRTUAL CLUSTER main GRANT CAPABILITY " + capability), "OK ALTER VIRTUAL CLUSTER");
  }
  // Whether it is refused before it is granted, and again once it is revoked; what it answers in between.
  std::string Gated(const std::string& capability, const std::string& statement) {
    EXPECT_EQ(main_->Run(statement), "42501") << statement;
    EXPECT_NE(main_->error().find(capability), std::string::npos) << main_->error();
    Grant(capability);
    const std::string answer = main_->Run(statement);
    EXPECT_EQ(root_->Run("ALTER VIRTUAL CLUSTER main REVOKE CAPABILITY " + capability), "OK ALTER VIRTUAL CLUSTER");
    EXPECT_EQ(main_->Run(statement), "42501") << statement;
    return answer;
  }

  std::unique_ptr<Client> root_;
  std::unique_ptr<Client> main_;
};

TEST_F(GuestTest, EachCapabilityAllowsItsStatement) {
  EXPECT_EQ(Gated("can_view_node_info", "SELECT name FROM [SHOW VIRTUAL CLUSTER main]"), "main");
  EXPECT_EQ(Gated("can_view_node_info", "SHOW CLUSTER SETTING physical_replication.checkpoint_interval"), "100ms");
  EXPECT_EQ(
      Gated("can_check_consistency", "SELECT tenant_name FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main]"),
      "main");
  EXPECT_EQ(Gated("can_view_all_metrics", "SELECT count(*) FROM [SHOW REPLICATION STREAMS]"), "0");
  EXPECT_EQ(Gated("can_debug_process", "SELECT count(*) FROM [SHOW JOBS]"), "0");
}

TEST_F(GuestTest, NothingIsSaidOfOthers) {
  Grant("can_view_node_info, can_check_consistency, can_view_all_metrics, can_debug_process");
  for (const char* statement :
       {"SHOW VIRTUAL CLUSTER other", "SHOW VIRTUAL CLUSTER nowhere", "SHOW VIRTUAL CLUSTER [3]", "SHOW VIRTUAL CLUSTERS",
        "SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER other", "SHOW JOB 17", "CANCEL JOB 17",
        "SHOW CLUSTER SETTING gc.ttlseconds FOR VIRTUAL CLUSTER other",
        "SHOW CLUSTER SETTING server.controller.default_target_cluster"}) {
    EXPECT_EQ(main_->Run(statement), "42501") << statement;
  }
  ASSERT_EQ(root_->Run("SET CLUSTER SETTING server.controller.default_target_cluster = 'other'"), "OK SET CLUSTER SETTING");
  EXPECT_EQ(main_->Run("SELECT count(*) FROM [SHOW CLUSTER SETTINGS] WHERE value = 'other'"), "0");
  EXPECT_EQ(main_->Run("SELECT count(*) > 3 FROM [SHOW CLUSTER SETTINGS]"), "t");
}

// A name is given to another one while the statement runs, again and again.
TEST_F(GuestTest, ANameThatIsGivenAwayShowsNobodyElse) {
  Grant("can_view_node_info");
  std::atomic<bool> done = false;
  std::thread swapping([&] {
    while (!done) {
      for (const auto& [from, to] : {std::pair{"main", "away"}, {"other", "main"}, {"main", "other"}, {"away", "main"}}) {
        root_->Run(fmt::format("ALTER VIRTUAL CLUSTER {} RENAME TO {}", from, to));
      }
    }
  });
  int shown = 0;
  for (int i = 0; i < 500; ++i) {
    const std::string id = main_->Run("SELECT id FROM [SHOW VIRTUAL CLUSTER main]");
    EXPECT_TRUE(id == "2" || id == "42501") << id;
    shown += id == "2" ? 1 : 0;
  }
  done = true;
  swapping.join();
  EXPECT_GT(shown, 0);
}

TEST_F(GuestTest, WhatTheUserMayCountsNow) {
  Grant("can_view_node_info");
  ASSERT_EQ(main_->Run("CREATE USER joe PASSWORD 'secret'"), "OK CREATE ROLE");
  const auto joe = Connect("options=-ccluster=main user=joe");
  const std::string statement = "SELECT name FROM [SHOW VIRTUAL CLUSTER main]";
  EXPECT_EQ(joe->Run(statement), "42501");
  ASSERT_EQ(main_->Run("GRANT admin TO joe"), "OK GRANT ROLE");
  EXPECT_EQ(joe->Run(statement), "main");
  ASSERT_EQ(main_->Run("REVOKE admin FROM joe"), "OK REVOKE ROLE");
  EXPECT_EQ(joe->Run(statement), "42501");
}

}  // namespace
}  // namespace anabranch
