#include "sql/stored/user.h"

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/stored/scram.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

class UserTest : public SessionFixture {
 protected:
  std::unique_ptr<TestSession> SessionOf(const std::string& user) {
    SessionContext context = Context();
    context.user = user;
    context.admin = IsAdmin(context.transaction, user).value_or(false);
    return std::make_unique<TestSession>(std::move(context));
  }
  std::string Run(std::string_view text) { return root_->Run(text); }
  std::string As(const std::string& user, std::string_view text) { return SessionOf(user)->Run(text); }
  void Seed() {
    ASSERT_EQ(Run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT)"), "CREATE TABLE");
    ASSERT_EQ(Run("INSERT INTO t VALUES (1, 'one')"), "INSERT 0 1");
    ASSERT_EQ(Run("CREATE USER alice"), "CREATE ROLE");
    ASSERT_EQ(Run("CREATE USER bob"), "CREATE ROLE");
  }
  std::string Login(const std::string& user) {
    const absl::Status status = CheckLogin(Context().transaction, user);
    return status.ok() ? "ok" : fmt::format("{}: {}", SqlStateOf(status), MessageOf(status));
  }

  std::unique_ptr<TestSession> root_ = NewSession();
};

TEST(ScramTest, VerifierOfRfc7677) {
  std::string salt;
  ASSERT_TRUE(absl::Base64Unescape("W22ZaJ0SNY7soEsUEjb6gQ==", &salt));
  const std::string verifier = MakeScramVerifier("pencil", salt);
  EXPECT_EQ(verifier,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
            "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
  EXPECT_TRUE(ParseScramVerifier(verifier).has_value());
  EXPECT_FALSE(ParseScramVerifier(verifier.substr(0, verifier.size() - 4)).has_value());
  EXPECT_FALSE(ParseScramVerifier("SCRAM-SHA-256$pencil").has_value());
}

TEST_F(UserTest, OnlyKnownUsersWithLoginComeIn) {
  EXPECT_EQ(Login("root"), "ok");
  EXPECT_EQ(Login("alice"), "28000: role \"alice\" does not exist");
  EXPECT_EQ(Run("CREATE USER alice"), "CREATE ROLE");
  EXPECT_EQ(Login("alice"), "ok");
  EXPECT_EQ(Run("CREATE ROLE staff"), "CREATE ROLE");
  EXPECT_EQ(Login("staff"), "28000: role \"staff\" is not permitted to log in");
  EXPECT_EQ(Run("ALTER ROLE staff LOGIN"), "ALTER ROLE");
  EXPECT_EQ(Login("staff"), "ok");
  EXPECT_EQ(Run("DROP USER alice, staff"), "DROP ROLE");
  EXPECT_EQ(Login("alice"), "28000: role \"alice\" does not exist");
}

TEST_F(UserTest, NamesAndOptionsAreChecked) {
  EXPECT_EQ(Run("CREATE USER root"), "42710: role \"root\" already exists");
  EXPECT_EQ(Run("CREATE USER admin"), "42710: role \"admin\" already exists");
  EXPECT_EQ(Run("CREATE USER pg_x"), "42939: role name \"pg_x\" is reserved");
  EXPECT_EQ(Run("CREATE USER a LOGIN NOLOGIN"), "42601: conflicting or redundant options");
  EXPECT_EQ(Run("CREATE USER a REPLICATION"), "0A000: REPLICATION of a user is not supported");
  EXPECT_EQ(Run("DROP USER a"), "42704: role \"a\" does not exist");
  EXPECT_EQ(Run("DROP USER IF EXISTS a"), "DROP ROLE");
  EXPECT_EQ(Run("ALTER USER a CREATEDB"), "42704: role \"a\" does not exist");
  EXPECT_EQ(Run("ALTER USER root NOSUPERUSER"), "42501: the user \"root\" must keep SUPERUSER and LOGIN");
  EXPECT_EQ(Run("DROP USER root"), "55006: current user cannot be dropped");
}

TEST_F(UserTest, PasswordIsKeptAsAVerifier) {
  EXPECT_EQ(Run("CREATE USER alice WITH PASSWORD 'secret'"), "CREATE ROLE");
  const std::unique_ptr<Transaction> transaction =
      Transaction::Begin(Context().transaction, IsolationLevel::kReadCommitted);
  ASSERT_TRUE(transaction->BeginStatement().ok());
  const auto alice = FindUser(*transaction, "alice");
  ASSERT_TRUE(alice.ok() && *alice);
  EXPECT_TRUE(ParseScramVerifier((*alice)->password).has_value());
  EXPECT_THAT((*alice)->password, Not(HasSubstr("secret")));
  EXPECT_EQ(As("alice", "ALTER USER alice PASSWORD 'own'"), "ALTER ROLE");
  EXPECT_EQ(As("alice", "ALTER USER alice CREATEROLE"), "42501: permission denied");
}

TEST_F(UserTest, TablesAreTheirOwners) {
  Seed();
  EXPECT_EQ(As("alice", "CREATE TABLE mine (k INT PRIMARY KEY)"), "CREATE TABLE");
  EXPECT_EQ(As("alice", "INSERT INTO mine VALUES (1)"), "INSERT 0 1");
  EXPECT_EQ(As("bob", "SELECT * FROM mine"), "42501: permission denied for table mine");
  EXPECT_EQ(As("bob", "DROP TABLE mine"), "42501: must be owner of table mine");
  EXPECT_EQ(Run("SELECT * FROM mine"), "1");
  EXPECT_EQ(Run("DROP USER alice"),
            "2BP01: role \"alice\" cannot be dropped because some objects depend on it: owner of table mine");
  EXPECT_EQ(As("alice", "DROP TABLE mine"), "DROP TABLE");
  EXPECT_EQ(Run("DROP USER alice"), "DROP ROLE");
}

TEST_F(UserTest, EachPrivilegeAllowsItsStatement) {
  Seed();
  const std::string denied = "42501: permission denied for table t";
  EXPECT_EQ(As("alice", "SELECT * FROM t"), denied);
  EXPECT_EQ(As("alice", "INSERT INTO t VALUES (2, 'two')"), denied);
  EXPECT_EQ(As("alice", "UPDATE t SET v = 'x'"), denied);
  EXPECT_EQ(As("alice", "DELETE FROM t"), denied);
  EXPECT_EQ(As("alice", "TRUNCATE t"), denied);
  EXPECT_EQ(Run("GRANT SELECT ON t TO alice"), "GRANT");
  EXPECT_EQ(As("alice", "SELECT * FROM t"), "1|one");
  EXPECT_EQ(As("bob", "SELECT * FROM t"), denied);
  EXPECT_EQ(As("alice", "DELETE FROM t"), denied);
  EXPECT_EQ(Run("GRANT INSERT, UPDATE, DELETE ON TABLE t TO alice"), "GRANT");
  EXPECT_EQ(As("alice", "INSERT INTO t VALUES (2, 'two')"), "INSERT 0 1");
  EXPECT_EQ(As("alice", "UPDATE t SET v = 'x' WHERE k = 2"), "UPDATE 1");
  EXPECT_EQ(As("alice", "DELETE FROM t WHERE k = 2"), "DELETE 1");
  EXPECT_EQ(As("alice", "TRUNCATE t"), denied);
  EXPECT_EQ(Run("GRANT TRUNCATE ON t TO alice"), "GRANT");
  EXPECT_EQ(As("alice", "TRUNCATE t"), "TRUNCATE TABLE");
  EXPECT_EQ(Run("REVOKE ALL ON t FROM alice"), "REVOKE");
  EXPECT_EQ(As("alice", "SELECT * FROM t"), denied);
}

TEST_F(UserTest, ConditionNeedsSelect) {
  Seed();
  EXPECT_EQ(Run("GRANT UPDATE, DELETE ON t TO alice"), "GRANT");
  EXPECT_EQ(As("alice", "UPDATE t SET v = 'x' WHERE k = 1"), "42501: permission denied for table t");
  EXPECT_EQ(As("alice", "UPDATE t SET v = 'x'"), "UPDATE 1");
  EXPECT_EQ(As("alice", "DELETE FROM t WHERE k = 1"), "42501: permission denied for table t");
}

TEST_F(UserTest, UpsertReturningAndCopyNeedWhatTheyDo) {
  Seed();
  const std::string denied = "42501: permission denied for table t";
  EXPECT_EQ(SessionOf("alice")->Copy("COPY t FROM STDIN", {"2\ttwo\n"}), denied);
  EXPECT_EQ(Run("GRANT INSERT ON t TO alice"), "GRANT");
  EXPECT_EQ(SessionOf("alice")->Copy("COPY t FROM STDIN", {"2\ttwo\n"}), "COPY 1");
  EXPECT_EQ(As("alice", "INSERT INTO t VALUES (3, 'x') RETURNING k"), denied);
  EXPECT_EQ(As("alice", "INSERT INTO t VALUES (1, 'x') ON CONFLICT (k) DO UPDATE SET v = 'x'"), denied);
  EXPECT_EQ(As("alice", "INSERT INTO t SELECT k + 10, v FROM t"), denied);
  EXPECT_EQ(Run("GRANT SELECT, UPDATE ON t TO alice"), "GRANT");
  EXPECT_EQ(As("alice", "INSERT INTO t VALUES (1, 'x') ON CONFLICT (k) DO UPDATE SET v = 'x'"), "INSERT 0 1");
  EXPECT_EQ(As("alice", "INSERT INTO t VALUES (3, 'x') RETURNING k"), "3");
}

TEST_F(UserTest, OnlyOwnersChangeTheSchema) {
  Seed();
  ASSERT_EQ(Run("GRANT ALL ON t TO alice; CREATE SEQUENCE s"), "CREATE SEQUENCE");
  const std::string denied = "42501: must be owner of table t";
  EXPECT_EQ(As("alice", "ALTER TABLE t ADD COLUMN w INT"), denied);
  EXPECT_EQ(As("alice", "ALTER TABLE t RENAME TO u"), denied);
  EXPECT_EQ(As("alice", "ALTER TABLE t RENAME COLUMN v TO w"), denied);
  EXPECT_EQ(As("alice", "CREATE INDEX t_v ON t (v)"), denied);
  EXPECT_EQ(As("alice", "DROP INDEX t_pkey").substr(0, 5), "42501");
  EXPECT_EQ(As("alice", "DROP SEQUENCE s"), "42501: must be owner of sequence s");
}

TEST_F(UserTest, GrantsReachThroughPublicAndRoles) {
  Seed();
  EXPECT_EQ(Run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC"), "GRANT");
  EXPECT_EQ(As("bob", "SELECT k FROM t"), "1");
  EXPECT_EQ(Run("REVOKE SELECT ON t FROM PUBLIC"), "REVOKE");
  EXPECT_EQ(Run("CREATE ROLE staff; CREATE ROLE readers; GRANT readers TO staff; GRANT staff TO alice"), "GRANT ROLE");
  EXPECT_EQ(Run("GRANT SELECT ON t TO readers"), "GRANT");
  EXPECT_EQ(As("alice", "SELECT k FROM t"), "1");
  EXPECT_EQ(As("bob", "SELECT k FROM t"), "42501: permission denied for table t");
  EXPECT_EQ(Run("GRANT alice TO readers"), "0LP01: role \"alice\" is a member of role \"readers\"");
  EXPECT_EQ(Run("DROP ROLE staff"), "DROP ROLE");
  EXPECT_EQ(As("alice", "SELECT k FROM t"), "42501: permission denied for table t");
}

TEST_F(UserTest, AdminMayDoEverything) {
  Seed();
  EXPECT_EQ(As("alice", "CREATE USER carol"), "42501: permission denied to create role");
  EXPECT_EQ(As("alice", "GRANT admin TO alice"), "42501: must have admin option on role \"admin\"");
  EXPECT_EQ(Run("GRANT admin TO alice"), "GRANT ROLE");
  EXPECT_EQ(As("alice", "SELECT k FROM t"), "1");
  EXPECT_EQ(As("alice", "CREATE USER carol SUPERUSER"), "CREATE ROLE");
  EXPECT_EQ(As("carol", "DROP TABLE t"), "DROP TABLE");
  EXPECT_EQ(Run("REVOKE admin FROM root"), "42501: the user \"root\" must keep the role \"admin\"");
}

TEST_F(UserTest, GrantOptionIsHandedOnAndTakenBack) {
  Seed();
  EXPECT_EQ(As("alice", "GRANT SELECT ON t TO bob"), "42501: permission denied for table t");
  EXPECT_EQ(Run("GRANT SELECT ON t TO alice WITH GRANT OPTION"), "GRANT");
  EXPECT_EQ(As("alice", "GRANT SELECT ON t TO bob"), "GRANT");
  EXPECT_EQ(As("bob", "SELECT k FROM t"), "1");
  EXPECT_EQ(Run("REVOKE SELECT ON t FROM alice"), "2BP01: dependent privileges exist");
  EXPECT_EQ(Run("REVOKE SELECT ON t FROM alice CASCADE"), "REVOKE");
  EXPECT_EQ(As("bob", "SELECT k FROM t"), "42501: permission denied for table t");
}

TEST_F(UserTest, MistakesInGrants) {
  Seed();
  EXPECT_EQ(Run("GRANT SELECT ON t TO nobody"), "42704: role \"nobody\" does not exist");
  EXPECT_EQ(Run("GRANT SELECT ON u TO alice"), "42P01: relation \"u\" does not exist");
  EXPECT_EQ(Run("GRANT FLY ON t TO alice"), "42601: unrecognized privilege type \"fly\"");
  EXPECT_EQ(Run("GRANT USAGE ON t TO alice"), "0LP01: invalid privilege type USAGE for table");
  EXPECT_EQ(Run("GRANT SELECT (k) ON t TO alice"), "0A000: a privilege on columns is not supported");
  EXPECT_EQ(Run("GRANT nobody TO alice"), "42704: role \"nobody\" does not exist");
  EXPECT_EQ(Run("GRANT USAGE ON SCHEMA public TO alice"), "GRANT");
}

TEST_F(UserTest, RolledBackGrantWasNeverThere) {
  Seed();
  EXPECT_EQ(Run("BEGIN; GRANT SELECT ON t TO alice; ROLLBACK"), "ROLLBACK");
  EXPECT_EQ(As("alice", "SELECT k FROM t"), "42501: permission denied for table t");
}

// What a session learned of its rights does not outlive them.
TEST_F(UserTest, RevokedInTheMiddleOfASession) {
  Seed();
  ASSERT_EQ(Run("GRANT SELECT ON t TO alice"), "GRANT");
  const auto alice = SessionOf("alice");
  EXPECT_EQ(alice->Run("SELECT k FROM t"), "1");
  ASSERT_EQ(Run("REVOKE SELECT ON t FROM alice"), "REVOKE");
  EXPECT_EQ(alice->Run("SELECT k FROM t"), "42501: permission denied for table t");
}

}  // namespace
}  // namespace anabranch
