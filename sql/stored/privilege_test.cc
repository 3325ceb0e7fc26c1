// What users may do with sequences, and has_table_privilege and its kind, which must say the same as statements do.
#include "sql/stored/privilege.h"

#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class PrivilegeTest : public SessionFixture {
 protected:
  PrivilegeTest() {
    EXPECT_EQ(Run("CREATE TABLE t (k SERIAL PRIMARY KEY, v TEXT); CREATE SEQUENCE s; CREATE USER alice; CREATE ROLE staff; "
                  "CREATE ROLE boss; GRANT admin TO boss; CREATE USER bob; GRANT staff TO alice"),
              "GRANT ROLE");
  }
  std::unique_ptr<TestSession> SessionOf(const std::string& user) {
    SessionContext context = Context();
    context.user = user;
    context.admin = IsAdmin(context.transaction, user).value_or(false);
    return std::make_unique<TestSession>(std::move(context));
  }
  std::string Run(std::string_view text) { return root_->Run(text); }
  std::string AsAlice(std::string_view text) { return SessionOf("alice")->Run(text); }

  std::unique_ptr<TestSession> root_ = NewSession();
};

TEST_F(PrivilegeTest, NumbersOfASequenceNeedUsageOrUpdate) {
  const std::string denied = "42501: permission denied for sequence s";
  EXPECT_EQ(AsAlice("SELECT nextval('s')"), denied);
  EXPECT_EQ(AsAlice("SELECT setval('s', 5)"), denied);
  EXPECT_EQ(AsAlice("SELECT currval('s')"), denied);
  ASSERT_EQ(Run("GRANT SELECT ON SEQUENCE s TO alice"), "GRANT");
  EXPECT_EQ(AsAlice("SELECT nextval('s')"), denied);
  EXPECT_EQ(AsAlice("SELECT currval('s')"), "55000: currval of sequence \"s\" is not yet defined in this session");
  ASSERT_EQ(Run("GRANT USAGE ON SEQUENCE s TO staff"), "GRANT");
  EXPECT_EQ(AsAlice("SELECT nextval('s')"), "1");
  EXPECT_EQ(AsAlice("SELECT setval('s', 5)"), denied);
  ASSERT_EQ(Run("GRANT UPDATE ON SEQUENCE s TO alice"), "GRANT");
  EXPECT_EQ(AsAlice("SELECT setval('s', 5)"), "5");
}

TEST_F(PrivilegeTest, LastvalIsJudgedWhenItIsAsked) {
  ASSERT_EQ(Run("GRANT USAGE ON SEQUENCE s TO alice"), "GRANT");
  const auto alice = SessionOf("alice");
  EXPECT_EQ(alice->Run("SELECT nextval('s'), lastval()"), "1|1");
  ASSERT_EQ(Run("REVOKE USAGE ON SEQUENCE s FROM alice"), "REVOKE");
  EXPECT_EQ(alice->Run("SELECT lastval()").substr(0, 5), "42501");
}

// As in PostgreSQL: a serial column is a default that calls nextval, an identity column is not.
TEST_F(PrivilegeTest, SerialColumnsNeedTheirSequenceAndIdentityColumnsDoNot) {
  ASSERT_EQ(Run("CREATE TABLE i (k INT GENERATED ALWAYS AS IDENTITY, v TEXT); GRANT INSERT ON t, i TO alice"), "GRANT");
  EXPECT_EQ(AsAlice("INSERT INTO t (v) VALUES ('a')"), "42501: permission denied for sequence t_k_seq");
  EXPECT_EQ(AsAlice("INSERT INTO i (v) VALUES ('a')"), "INSERT 0 1");
  EXPECT_EQ(AsAlice("SELECT nextval('i_k_seq')"), "42501: permission denied for sequence i_k_seq");
  EXPECT_EQ(AsAlice("SELECT identity_nextval('i_k_seq')"), "42883: function identity_nextval(unknown) does not exist");
  ASSERT_EQ(Run("GRANT USAGE ON SEQUENCE t_k_seq TO alice"), "GRANT");
  EXPECT_EQ(AsAlice("INSERT INTO t (v) VALUES ('a')"), "INSERT 0 1");
}

TEST_F(PrivilegeTest, OfTablesAndColumns) {
  ASSERT_EQ(Run("GRANT SELECT ON t TO staff; GRANT INSERT ON t TO alice WITH GRANT OPTION"), "GRANT");
  EXPECT_EQ(AsAlice("SELECT has_table_privilege('t', 'SELECT'), has_table_privilege('t', 'DELETE'), "
                    "has_table_privilege('t', 'delete, insert')"),
            "t|f|t");
  EXPECT_EQ(AsAlice("SELECT has_table_privilege('t', 'SELECT WITH GRANT OPTION'), "
                    "has_table_privilege('t', 'INSERT WITH GRANT OPTION')"),
            "f|t");
  EXPECT_EQ(Run("SELECT has_table_privilege('bob', 't', 'SELECT'), has_table_privilege('boss', 't'::regclass, 'DELETE')"),
            "f|t");
  EXPECT_EQ(AsAlice("SELECT has_column_privilege('t', 'v', 'SELECT'), has_column_privilege('t', 2::int2, 'UPDATE'), "
                    "has_any_column_privilege('t', 'INSERT')"),
            "t|f|t");
  EXPECT_EQ(AsAlice("SELECT has_table_privilege('pg_class', 'SELECT'), has_table_privilege('pg_class', 'INSERT'), "
                    "has_table_privilege(1::oid, 'SELECT')"),
            "t|f|~");
  EXPECT_EQ(Run("SELECT has_table_privilege('t', 'FLY')"), "22023: unrecognized privilege type: \"FLY\"");
  EXPECT_EQ(Run("SELECT has_table_privilege('t', 'USAGE')"), "22023: unrecognized privilege type: \"USAGE\"");
  EXPECT_EQ(Run("SELECT has_table_privilege('nobody', 't', 'SELECT')"), "42704: role \"nobody\" does not exist");
  EXPECT_EQ(Run("SELECT has_column_privilege('t', 'x', 'SELECT')"), "42703: column \"x\" of relation \"t\" does not exist");
}

TEST_F(PrivilegeTest, OfSequencesSchemasAndTheDatabase) {
  EXPECT_EQ(AsAlice("SELECT has_sequence_privilege('s', 'USAGE'), has_schema_privilege('public', 'CREATE'), "
                    "has_schema_privilege('pg_catalog', 'USAGE'), has_schema_privilege('pg_catalog', 'CREATE')"),
            "f|t|t|f");
  EXPECT_EQ(AsAlice("SELECT has_database_privilege('defaultdb', 'CONNECT'), has_database_privilege('defaultdb', 'CREATE'), "
                    "has_type_privilege('int4', 'USAGE')"),
            "t|f|t");
  EXPECT_EQ(Run("SELECT has_sequence_privilege('t', 'USAGE')"), "42809: \"t\" is not a sequence");
  EXPECT_EQ(Run("SELECT has_schema_privilege('nowhere', 'USAGE')"), "3F000: schema \"nowhere\" does not exist");
  EXPECT_EQ(Run("SELECT has_schema_privilege('public', 'SELECT')"), "22023: unrecognized privilege type: \"SELECT\"");
}

TEST_F(PrivilegeTest, OfRoles) {
  EXPECT_EQ(AsAlice("SELECT pg_has_role('staff', 'MEMBER'), pg_has_role('boss', 'USAGE'), pg_has_role('alice', 'USAGE')"),
            "t|f|t");
  EXPECT_EQ(AsAlice("SELECT pg_has_role('staff', 'MEMBER WITH ADMIN OPTION')"), "f");
  EXPECT_EQ(Run("SELECT pg_has_role('alice', 'staff', 'USAGE'), pg_has_role('staff', 'USAGE WITH ADMIN OPTION')"), "t|t");
  EXPECT_EQ(Run("SELECT pg_has_role('staff', 'FLY')"), "22023: unrecognized privilege type: \"FLY\"");
}

TEST_F(PrivilegeTest, IsSuperuserTellsWhoIsAnAdministrator) {
  EXPECT_EQ(Run("SHOW is_superuser"), "on");
  EXPECT_EQ(AsAlice("SHOW is_superuser"), "off");
  ASSERT_EQ(Run("GRANT boss TO alice"), "GRANT ROLE");
  EXPECT_EQ(AsAlice("SELECT current_setting('is_superuser')"), "on");
}

}  // namespace
}  // namespace anabranch
