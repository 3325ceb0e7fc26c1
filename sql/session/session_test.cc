// Parameters, COPY, settings, statements of ours.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/testing/session_fixture.h"

namespace anabranch {
namespace {

using testing::StartsWith;

// --- Parameters ---

TEST_F(SessionTest, ParametersOfTables) {
  Seed();
  EXPECT_EQ(session_->Describe("INSERT INTO t VALUES ($1, $2, $3)"), "integer text numeric ->");
  EXPECT_EQ(session_->Describe("SELECT v, n FROM t WHERE k = $1 AND n > $2 LIMIT $3"),
            "integer numeric bigint -> v:text n:numeric");
  EXPECT_EQ(session_->Describe("UPDATE t SET v = $1 WHERE k IN ($2, $3)"), "text integer integer ->");
  EXPECT_EQ(session_->RunWith("INSERT INTO t VALUES ($1, $2, $3)", {"4", "four", "4.444"}), "INSERT 0 1");
  EXPECT_EQ(session_->RunWith("SELECT * FROM t WHERE k = $1", {"4"}), "4|four|4.44");
  EXPECT_EQ(session_->RunWith("SELECT * FROM t WHERE k = $1", {"4"}, {SqlType::kInt8}), "4|four|4.44");
  EXPECT_EQ(session_->RunWith("SELECT k FROM t WHERE k >= $1 ORDER BY k LIMIT $2", {"2", "2"}), "2\n3");
  EXPECT_EQ(session_->RunWith("UPDATE t SET v = $2 WHERE k = $1", {"4", std::nullopt}), "UPDATE 1");
  EXPECT_EQ(session_->RunWith("SELECT v IS NULL FROM t WHERE k = $1", {"4"}), "t");
  EXPECT_EQ(session_->RunWith("DELETE FROM t WHERE k = $1", {std::nullopt}), "DELETE 0");
}

// --- COPY ---

TEST_F(SessionTest, CopyInPieces) {
  Seed();
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN",
                           {"10\tte", "n\t1.5\n11\t\\N\t\\N", "\n12\ta\\tb\\\\c\\n\\x41\\101\t2\n\\.\nrubbish"}),
            "COPY 3");
  EXPECT_EQ(Run("SELECT * FROM t WHERE k >= 10"), "10|ten|1.50\n11|~|~\n12|a\tb\\c\nAA|2.00");
  EXPECT_EQ(session_->Copy("COPY t (v, k) FROM STDIN WITH (FORMAT text)", {"x\t20\r\ny\t21"}), "COPY 2");
  EXPECT_EQ(Run("SELECT k, v FROM t WHERE k >= 20"), "20|x\n21|y");
}

TEST_F(SessionTest, CopyMistakesLeaveNothing) {
  Seed();
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"10\ta\t1\n11\tb\n"}),
            "22P04: COPY t, line 2: missing data for column \"n\"");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"10\ta\t1\t5\n"}),
            "22P04: COPY t, line 1: extra data after last expected column");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"x\ta\t1\n"}),
            "22P02: COPY t, line 1: invalid input syntax for type integer: \"x\"");
  EXPECT_THAT(session_->Copy("COPY t FROM STDIN", {"10\ta\t1\n1\tb\t1\n"}),
              StartsWith("23505: COPY t, line 2: duplicate key"));
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"10\ta\\\n"}).substr(0, 5), "22P04");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  {  // A client that goes away in the middle.
    auto copy = session_->session().BeginCopy(session_->session().Parse("COPY t FROM STDIN")->front(), {});
    ASSERT_TRUE(copy.ok()) << copy.status();
    EXPECT_EQ((*copy)->column_count(), 3u);
    ASSERT_TRUE((*copy)->Data("10\ta\t1\n", {}).ok());
  }
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(locks_->held_count(), 0u);
  EXPECT_EQ(session_->Copy("COPY nope FROM STDIN", {}), "42P01: relation \"nope\" does not exist");
}

TEST_F(SessionTest, CopyInsideABlock) {
  Seed();
  Run("BEGIN");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"10\ta\t1\n"}), "COPY 1");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "4");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"10\ta\t1\n"}).substr(0, 5), "23505");
  EXPECT_EQ(session_->status(), 'E');
  Run("ROLLBACK");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
}

// --- Settings ---

TEST_F(SessionTest, SetShowReset) {
  EXPECT_EQ(Run("SHOW server_version"), "15.0 (Anabranch)");
  EXPECT_EQ(Run("SET application_name TO 'me'"), "SET");
  EXPECT_EQ(Run("SHOW Application_Name"), "me");
  EXPECT_EQ(session_->last().columns, "application_name");
  EXPECT_EQ(Run("RESET application_name"), "RESET");
  EXPECT_EQ(Run("SHOW application_name"), "");
  EXPECT_EQ(Run("SHOW TIME ZONE"), "UTC");
  EXPECT_EQ(session_->last().columns, "TimeZone");
  EXPECT_EQ(Run("SET TIME ZONE 'utc'"), "SET");
  EXPECT_EQ(Run("SET TimeZone = 'europe/berlin'"), "SET");
  EXPECT_EQ(Run("SHOW TIME ZONE"), "Europe/Berlin");
  EXPECT_EQ(Run("SET search_path = a, public"), "SET");
  EXPECT_EQ(Run("SHOW search_path"), "a, public");
  EXPECT_EQ(Run("SHOW nope"), "42704: unrecognized configuration parameter \"nope\"");
  EXPECT_EQ(State("SET nope = 1"), "42704");
  EXPECT_EQ(State("SET server_version = '16'"), "55P02");
  EXPECT_EQ(State("SET default_transaction_isolation = 'chaos'"), "22023");
  EXPECT_EQ(Run("SET statement_timeout = '5s'"), "SET");
  EXPECT_THAT(Run("SHOW ALL"),
              testing::AllOf(StartsWith("application_name|"), testing::HasSubstr("\nstatement_timeout|5s|")));
  EXPECT_EQ(session_->last().columns, "name,setting,description");
  EXPECT_EQ(*session_->session().Setting("is_superuser"), "on");
}

TEST_F(SessionTest, ASessionStaysTheUserItLoggedInAs) {
  EXPECT_EQ(Run("SET ROLE root"), "SET");
  EXPECT_EQ(Run("SET ROLE NONE"), "SET");
  EXPECT_EQ(Run("RESET ROLE"), "RESET");
  EXPECT_EQ(Run("SHOW role"), "none");
  EXPECT_EQ(Run("SET SESSION AUTHORIZATION DEFAULT"), "SET");
  EXPECT_EQ(Run("RESET SESSION AUTHORIZATION"), "RESET");
  EXPECT_EQ(Run("SET ROLE other"), "0A000: SET ROLE to another user is not supported");
  EXPECT_EQ(Run("SET SESSION AUTHORIZATION other"), "0A000: SET SESSION AUTHORIZATION to another user is not supported");
}

TEST_F(SessionTest, SettingsFollowTheirTransaction) {
  Run("BEGIN; SET application_name = 'a'; ROLLBACK");
  EXPECT_EQ(Run("SHOW application_name"), "");
  Run("BEGIN");
  Run("SET LOCAL application_name = 'local'");
  EXPECT_EQ(Run("SHOW application_name"), "local");
  Run("SET extra_float_digits = 3");
  Run("COMMIT");
  EXPECT_EQ(Run("SHOW application_name"), "");
  EXPECT_EQ(Run("SHOW extra_float_digits"), "3");
}

TEST_F(SessionTest, TransactionModes) {
  Run("BEGIN");
  EXPECT_EQ(Run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"), "SET");
  EXPECT_EQ(Run("SHOW TRANSACTION ISOLATION LEVEL"), "serializable");
  Run("SELECT 1");
  EXPECT_EQ(State("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"), "25001");
  Run("ROLLBACK");
  EXPECT_EQ(Run("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ"), "SET");
  EXPECT_EQ(Run("SHOW transaction_isolation"), "repeatable read");
}

TEST_F(SessionTest, ClientsAreToldOfSettings) {
  EXPECT_THAT(session_->session().TakeReportedSettings(),
              testing::IsSupersetOf({testing::Pair("server_version", "15.0 (Anabranch)"), testing::Pair("TimeZone", "UTC"),
                                     testing::Pair("session_authorization", "root")}));
  EXPECT_THAT(session_->session().TakeReportedSettings(), testing::IsEmpty());
  Run("SET application_name = 'x'");
  EXPECT_THAT(session_->session().TakeReportedSettings(), testing::ElementsAre(testing::Pair("application_name", "x")));
}

// --- Statements of ours ---

TEST_F(SessionTest, SystemStatementsRunInSystemOnly) {
  EXPECT_EQ(State("SHOW VIRTUAL CLUSTERS"), "42501");
  EXPECT_EQ(State("SELECT * FROM [SHOW VIRTUAL CLUSTERS]"), "42501");
  FakeSystemStatements system;
  SessionContext context = Context();
  context.system = &system;
  TestSession session(context);
  EXPECT_EQ(session.Run("SHOW VIRTUAL CLUSTERS"), "1|system|~\n3|main|00:00:02");
  EXPECT_EQ(session.Run("CREATE VIRTUAL CLUSTER x"), "DONE");
  EXPECT_EQ(session.Run("SELECT 1; SHOW VIRTUAL CLUSTERS"), "1|system|~\n3|main|00:00:02");
  session.Run("BEGIN");
  EXPECT_EQ(session.Run("DROP VIRTUAL CLUSTER x").substr(0, 5), "25001");
  EXPECT_EQ(session.status(), 'E');
}

TEST_F(SessionTest, SelectFromShow) {
  FakeSystemStatements system;
  SessionContext context = Context();
  context.system = &system;
  TestSession session(context);
  EXPECT_EQ(session.Run("SELECT name FROM [SHOW VIRTUAL CLUSTERS] WHERE id > 1"), "main");
  EXPECT_EQ(session.Run("SELECT count(*), max(x.id) FROM [SHOW VIRTUAL CLUSTERS] AS x"), "2|3");
  EXPECT_EQ(session.Run("SELECT name FROM [ SHOW VIRTUAL CLUSTER [3] ] ORDER BY id DESC LIMIT 1"), "main");
  EXPECT_EQ(session.Run("SELECT name FROM [SHOW VIRTUAL CLUSTERS] WHERE replication_lag < '5s'"), "main");
  EXPECT_EQ(session.Describe("SELECT * FROM [SHOW VIRTUAL CLUSTERS]"), "-> id:bigint name:text replication_lag:interval");
  EXPECT_EQ(session.Run("SELECT * FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main] AS OF SYSTEM TIME '-1s'")
                .substr(0, 1),
            "1");
  EXPECT_EQ(system.as_of, "-1s");
  EXPECT_EQ(session.Run("SELECT * FROM [SHOW VIRTUAL CLUSTERS] AS OF SYSTEM TIME '-1s'").substr(0, 5), "0A000");
  EXPECT_EQ(session.Run("SELECT * FROM [SHOW server_version]").substr(0, 5), "0A000");
  EXPECT_EQ(session.Run("SELECT * FROM [SHOW VIRTUAL CLUSTERS").substr(0, 5), "42601");
}

}  // namespace
}  // namespace anabranch
