#include "sql/stored/system_privilege.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

class SystemPrivilegeTest : public SessionFixture {
 protected:
  std::string Run(std::string_view text) { return root_->Run(text); }
  std::string As(const std::string& user, std::string_view text) {
    SessionContext context = Context();
    context.user = user;
    return TestSession(std::move(context)).Run(text);
  }
  std::string Change(SystemGrantChange change, const std::vector<SystemPrivilege>& privileges,
                     const std::vector<std::string>& grantees) {
    return Outcome(UpdateSystemGrants(Context().transaction, change, privileges, grantees, {}));
  }
  std::string Grant(const std::vector<SystemPrivilege>& privileges, const std::vector<std::string>& grantees) {
    return Change(SystemGrantChange::kGrant, privileges, grantees);
  }
  // Which of the four checks a user passes: letters of M, D, S, A (admin).
  std::string May(const std::string& user) {
    const Identity identity = *ReadIdentity(Context().transaction, user);
    std::string may;
    if (CheckSystemPrivilege(identity, SystemPrivilege::kManageVirtualCluster).ok()) may += "M";
    if (CheckSystemPrivilege(identity, SystemPrivilege::kReplicationDest).ok()) may += "D";
    if (CheckSystemPrivilege(identity, SystemPrivilege::kReplicationSource).ok()) may += "S";
    if (CheckAdmin(identity, "it").ok()) may += "A";
    return may;
  }
  std::string Grants(const std::vector<std::string>& grantees = {}) {
    const auto grants = ReadSystemGrants(Context().transaction, grantees);
    if (!grants.ok()) return Outcome(grants.status());
    std::string text;
    for (const SystemGrant& grant : *grants) text += fmt::format("{} {}\n", grant.grantee, ToString(grant.privilege));
    return text;
  }
  static std::string Outcome(const absl::Status& status) {
    return status.ok() ? "ok" : fmt::format("{}: {}", SqlStateOf(status), MessageOf(status));
  }

  std::unique_ptr<TestSession> root_ = NewSession();
};

constexpr SystemPrivilege kManage = SystemPrivilege::kManageVirtualCluster;
constexpr SystemPrivilege kDest = SystemPrivilege::kReplicationDest;
constexpr SystemPrivilege kSource = SystemPrivilege::kReplicationSource;

TEST_F(SystemPrivilegeTest, NamesInAnyCase) {
  EXPECT_EQ(*SystemPrivilegeNamed("managevirtualcluster"), kManage);
  EXPECT_EQ(*SystemPrivilegeNamed("REPLICATIONDEST"), kDest);
  EXPECT_EQ(*SystemPrivilegeNamed("ReplicationSource"), kSource);
  EXPECT_EQ(*SystemPrivilegeNamed("replication"), SystemPrivilege::kReplication);
  const absl::Status unknown = SystemPrivilegeNamed("MODIFYCLUSTERSETTING").status();
  EXPECT_EQ(Outcome(unknown), "42601: not a valid privilege: \"MODIFYCLUSTERSETTING\"");
  EXPECT_EQ(HintOf(unknown),
            "The system privileges are MANAGEVIRTUALCLUSTER, REPLICATION, REPLICATIONDEST, REPLICATIONSOURCE.");
  uint32_t all = 0;
  for (const SystemPrivilegeName& known : kSystemPrivilegeNames) all |= static_cast<uint32_t>(known.privilege);
  EXPECT_EQ(all, kAllSystemPrivileges);
}

TEST_F(SystemPrivilegeTest, WhatIsGrantedIsHadUntilItIsRevoked) {
  ASSERT_EQ(Run("CREATE USER alice"), "CREATE ROLE");
  EXPECT_EQ(May("root"), "MDSA");
  EXPECT_EQ(May("alice"), "");
  EXPECT_EQ(May("nobody"), "");
  EXPECT_EQ(Grant({kManage}, {"alice"}), "ok");
  EXPECT_EQ(May("alice"), "M");
  EXPECT_EQ(Grant({kDest, kManage}, {"alice"}), "ok");
  EXPECT_EQ(May("alice"), "MD");
  EXPECT_EQ(Grants(), "alice MANAGEVIRTUALCLUSTER\nalice REPLICATIONDEST\n");
  EXPECT_EQ(Change(SystemGrantChange::kRevoke, {kManage, kSource}, {"alice"}), "ok");
  EXPECT_EQ(May("alice"), "D");
  EXPECT_EQ(Change(SystemGrantChange::kRevoke, {kDest}, {"alice"}), "ok");
  EXPECT_EQ(May("alice"), "");
  EXPECT_EQ(Grants(), "");
  EXPECT_EQ(Grant({SystemPrivilege::kReplication}, {"alice"}), "ok");
  EXPECT_EQ(May("alice"), "S") << "the older name of it";
}

TEST_F(SystemPrivilegeTest, OfAllGranteesOrOfNone) {
  ASSERT_EQ(Run("CREATE USER alice"), "CREATE ROLE");
  EXPECT_EQ(Grant({kManage}, {"alice", "zoe"}), "42704: role \"zoe\" does not exist");
  EXPECT_EQ(May("alice"), "");
  EXPECT_EQ(Grants({"alice", "zoe"}), "42704: role \"zoe\" does not exist");
  EXPECT_EQ(Grants({"alice"}), "");
  EXPECT_EQ(Grant({kManage}, {"alice", "alice"}), "ok");
  EXPECT_EQ(Grants({"alice"}), "alice MANAGEVIRTUALCLUSTER\n");
}

TEST_F(SystemPrivilegeTest, ThroughRolesAndAdmin) {
  ASSERT_EQ(Run("CREATE USER alice"), "CREATE ROLE");
  ASSERT_EQ(Run("CREATE ROLE operators"), "CREATE ROLE");
  ASSERT_EQ(Run("CREATE ROLE staff"), "CREATE ROLE");
  ASSERT_EQ(Run("GRANT operators TO staff"), "GRANT ROLE");
  ASSERT_EQ(Run("GRANT staff TO alice"), "GRANT ROLE");
  EXPECT_EQ(Grant({kManage}, {"operators"}), "ok");
  EXPECT_EQ(Grant({kSource}, {"alice"}), "ok");
  EXPECT_EQ(May("alice"), "MS");
  EXPECT_EQ(Grants({"alice"}), "alice REPLICATIONSOURCE\n");
  ASSERT_EQ(Run("REVOKE operators FROM staff"), "REVOKE ROLE");
  EXPECT_EQ(May("alice"), "S");
  ASSERT_EQ(Run("GRANT admin TO alice"), "GRANT ROLE");
  EXPECT_EQ(May("alice"), "MDSA");
}

TEST_F(SystemPrivilegeTest, StayWithTheUserAndGoWithIt) {
  ASSERT_EQ(Run("CREATE USER alice PASSWORD 'secret'"), "CREATE ROLE");
  EXPECT_EQ(Grant({kManage, kDest}, {"alice"}), "ok");
  ASSERT_EQ(Run("ALTER USER alice WITH PASSWORD 'other'"), "ALTER ROLE");
  EXPECT_EQ(May("alice"), "MD");
  ASSERT_EQ(Run("DROP USER alice"), "DROP ROLE");
  ASSERT_EQ(Run("CREATE USER alice"), "CREATE ROLE");
  EXPECT_EQ(May("alice"), "");
}

TEST_F(SystemPrivilegeTest, RefusalsNameUserPrivilegeAndStatement) {
  ASSERT_EQ(Run("CREATE USER \"user\""), "CREATE ROLE");
  const Identity identity = *ReadIdentity(Context().transaction, "user");
  const absl::Status privilege = CheckSystemPrivilege(identity, kManage);
  EXPECT_EQ(Outcome(privilege), "42501: user user does not have MANAGEVIRTUALCLUSTER system privilege");
  EXPECT_EQ(HintOf(privilege),
            "GRANT SYSTEM MANAGEVIRTUALCLUSTER TO \"user\", as an administrator, in the system virtual cluster.");
  const absl::Status admin = CheckAdmin(identity, "SET CLUSTER SETTING");
  EXPECT_EQ(Outcome(admin), "42501: user user does not have the admin role, which SET CLUSTER SETTING requires");
  EXPECT_EQ(HintOf(admin), "GRANT admin TO \"user\", as an administrator, in the system virtual cluster.");
}

// Who may make users is no administrator, and makes nobody more than itself.
TEST_F(SystemPrivilegeTest, CreateRoleIsNoWayToThem) {
  ASSERT_EQ(Run("CREATE USER maker CREATEROLE"), "CREATE ROLE");
  ASSERT_EQ(Run("CREATE ROLE operators"), "CREATE ROLE");
  ASSERT_EQ(Run("CREATE ROLE bosses"), "CREATE ROLE");
  ASSERT_EQ(Run("GRANT admin TO bosses"), "GRANT ROLE");
  ASSERT_EQ(Run("CREATE ROLE staff"), "CREATE ROLE");
  ASSERT_EQ(Grant({kManage}, {"operators"}), "ok");
  EXPECT_EQ(As("maker", "GRANT staff TO maker"), "GRANT ROLE");
  for (const char* role : {"operators", "bosses", "admin"}) {
    EXPECT_THAT(As("maker", fmt::format("GRANT {} TO maker", role)), HasSubstr("42501")) << role;
  }
  for (const char* role : {"operators", "bosses"}) {
    EXPECT_THAT(As("maker", fmt::format("ALTER ROLE {} LOGIN PASSWORD 'mine'", role)), HasSubstr("42501")) << role;
    EXPECT_THAT(As("maker", fmt::format("DROP ROLE {}", role)), HasSubstr("42501")) << role;
  }
  EXPECT_EQ(May("maker"), "");
}

TEST_F(SystemPrivilegeTest, UsersAreForAdministrators) {
  ASSERT_EQ(Run("CREATE USER alice WITH PASSWORD 'a'"), "CREATE ROLE");
  ASSERT_EQ(Grant({kManage, kDest, kSource}, {"alice"}), "ok");
  for (const char* statement :
       {"CREATE USER bob WITH PASSWORD 'b'", "CREATE USER bob PASSWORD 'b'", "ALTER USER root WITH PASSWORD 'b'",
        "DROP USER alice", "GRANT admin TO alice", "REVOKE admin FROM root"}) {
    EXPECT_THAT(As("alice", statement), HasSubstr("42501")) << statement;
  }
  EXPECT_EQ(As("alice", "ALTER USER alice PASSWORD 'mine'"), "ALTER ROLE");
  ASSERT_EQ(Run("GRANT admin TO alice"), "GRANT ROLE");
  EXPECT_EQ(As("alice", "CREATE USER bob PASSWORD 'b'"), "CREATE ROLE");
}

}  // namespace
}  // namespace anabranch
