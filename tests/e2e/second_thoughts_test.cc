// Before and after a failover: EXPLAIN says what it will do, SHOW FAILOVERS what it did, UNDO takes it back, SHOW LOST
// WRITES lists what the way back discarded.
#include <thread>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class SecondThoughts : public TwoClusters {
 protected:
  void Replicate() {
    Ask(a_.Uri("main"), "CREATE TABLE t (k INT PRIMARY KEY, v TEXT)");
    Ask(a_.Uri("main"), "INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    CreateStandby(b_, a_);
    WaitReplicated(b_, a_);
  }
  static std::string OnMain(const std::string& what) { return "ALTER VIRTUAL CLUSTER main " + what; }
  std::string Explained(const ClusterProcess& cluster, const std::string& statement, const std::string& property) {
    return Ask(cluster.Uri("system"),
               fmt::format("SELECT value FROM [EXPLAIN {}] WHERE property = '{}'", statement, property));
  }
  // The statement dies with its process at the failpoint.
  void RunAndDie(ClusterProcess& cluster, const std::string& failpoint, const std::string& statement) {
    cluster.Kill();
    ASSERT_TRUE(cluster.Start(failpoint + "=exit").ok());
    const auto client = SqlClient::Connect(cluster.Uri("system"));
    ASSERT_TRUE(client.ok());
    EXPECT_FALSE((*client)->Query(statement).ok());
    ASSERT_TRUE(cluster.WaitForLog("failpoint.hit name=" + failpoint, kEventTimeoutMs));
    cluster.Kill();
    ASSERT_TRUE(cluster.Start().ok());
  }
};

TEST_F(SecondThoughts, UndoneAtEveryStepThatAKillCanComeBetween) {
  Replicate();
  Ask(b_.Uri("system"), OnMain("PAUSE REPLICATION"));
  const uint64_t replicated = ReadStandby(b_)->replicated_ns;
  const std::string complete = OnMain(fmt::format("COMPLETE REPLICATION TO SYSTEM TIME '{}'", FormatHlc({replicated - 1})));
  const std::string undo = OnMain("UNDO COMPLETE REPLICATION");

  RunAndDie(b_, "failover.before_publish", complete);
  EXPECT_EQ(ReadStandby(b_)->status, "replication paused");
  RunAndDie(b_, "failover.published", complete);
  EXPECT_EQ(ReadStandby(b_)->status, "ready");
  RunAndDie(b_, "undo_failover.before_write", undo);
  EXPECT_EQ(ReadStandby(b_)->status, "ready");
  RunAndDie(b_, "undo_failover.written", undo);
  EXPECT_EQ(ReadStandby(b_)->status, "replication paused");
  EXPECT_EQ(ReadStandby(b_)->replicated_ns, replicated);
  ExpectRefused(b_.Uri("system"), undo, "55000", "not promoted");
  Ask(b_.Uri("system"), OnMain("RESUME REPLICATION"));
  Ask(a_.Uri("main"), "INSERT INTO t VALUES (3, 'three')");
  WaitReplicated(b_, a_);
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");

  const Timestamp at = FailOver(b_);
  EXPECT_EQ(Ask(b_.Uri("main"), "SELECT k FROM t ORDER BY k"), "1;2;3");
  ExpectEqualAt(at);
  ExpectRefused(b_.Uri("system"), undo, "55000", "its service was started");
  EXPECT_EQ(Ask(b_.Uri("system"), "SELECT statement, user_name FROM [SHOW FAILOVERS]"),
            "COMPLETE REPLICATION,root;UNDO COMPLETE REPLICATION,root;COMPLETE REPLICATION,root");
}

TEST_F(SecondThoughts, WhatIsExplainedIsWhatHappens) {
  Replicate();
  const uint64_t kept = ReadStandby(b_)->replicated_ns;
  for (int i = 3; i < 13; ++i) Ask(a_.Uri("main"), fmt::format("INSERT INTO t VALUES ({}, 'later')", i));
  WaitReplicated(b_, a_);
  const std::string complete = OnMain(fmt::format("COMPLETE REPLICATION TO SYSTEM TIME '{}'", FormatHlc({kept})));
  EXPECT_EQ(Explained(b_, complete, "verdict"), "constant time");
  EXPECT_EQ(Explained(b_, complete, "target"), FormatHlc({kept}));
  EXPECT_EQ(Explained(b_, complete, "transactions to sweep"), "10");
  EXPECT_EQ(Explained(b_, complete, "versions to sweep"), "10");
  EXPECT_EQ(ReadStandby(b_)->status, "replicating") << "nothing changes";
  EXPECT_THAT(Explained(b_, OnMain("COMPLETE REPLICATION TO SYSTEM TIME '1'"), "verdict"), StartsWith("refused: cutover"));
  EXPECT_THAT(Explained(a_, OnMain("COMPLETE REPLICATION TO LATEST"), "verdict"), HasSubstr("(55000)"));
  Ask(b_.Uri("system"), complete);
  Ask(b_.Uri("system"), OnMain("START SERVICE SHARED"));
  EXPECT_TRUE(WaitUntil(kEventTimeoutMs, [&] {
    return Ask(b_.Uri("system"), "SELECT versions_undone FROM [SHOW FAILOVERS] WHERE versions_undone IS NOT NULL") == "10";
  }));

  // The way back of A: ten transactions of it, and three of B.
  for (int i = 20; i < 23; ++i) Ask(b_.Uri("main"), fmt::format("INSERT INTO t VALUES ({}, 'on b')", i));
  const std::string back = OnMain("START " + ReplicationOf(b_));
  EXPECT_THAT(Explained(a_, "DROP VIRTUAL CLUSTER main", "hint"), HasSubstr("STOP SERVICE"));
  Ask(a_.Uri("system"), OnMain("STOP SERVICE"));
  EXPECT_EQ(Explained(a_, back, "verdict"), "undo + catch-up");
  EXPECT_EQ(Explained(a_, back, "target"), FormatHlc({kept}));
  EXPECT_EQ(Explained(a_, back, "transactions to undo"), "10");
  EXPECT_EQ(Explained(a_, back, "transactions to fetch"), "3");
  EXPECT_EQ(Explained(a_, "DROP VIRTUAL CLUSTER main", "verdict"), "constant time");
  EXPECT_EQ(Ask(a_.Uri("system"), "SELECT data_state FROM [SHOW VIRTUAL CLUSTER main]"), "ready") << "nothing changes";
  Ask(a_.Uri("system"), back);
  WaitReplicated(a_, b_);
  EXPECT_EQ(Ask(a_.Uri("system"), "SELECT count(*) FROM [SHOW LOST WRITES FROM VIRTUAL CLUSTER main]"), "10");
}

TEST_F(SecondThoughts, LostWritesAreRowsOfTheTablesOfThatTime) {
  Replicate();
  FailOver(b_);
  const std::string main = a_.Uri("main");
  Ask(main, "UPDATE t SET v = 'changed' WHERE k = 1");
  Ask(main, "DELETE FROM t WHERE k = 2");
  Ask(main, "INSERT INTO t VALUES (3, 'quoted \" \\\\ text')");
  Ask(main, "ALTER TABLE t ADD COLUMN n NUMERIC");
  Ask(main, "UPDATE t SET n = 1.50 WHERE k = 3");
  Ask(main, "CREATE TABLE u (a INT, b TEXT, PRIMARY KEY (a, b))");
  Ask(main, "INSERT INTO u VALUES (7, 'x')");
  FailBack(a_, b_);
  WaitReplicated(a_, b_);
  const std::string lost =
      "SELECT table_name, operation, key::text, old_value::text, new_value::text FROM [SHOW LOST WRITES FROM VIRTUAL "
      "CLUSTER "
      "main] WHERE operation <> 'schema'";
  const CommandResult psql = RunCommand(fmt::format("psql -X -At '{}' -c \"{}\"", a_.Uri("system"), lost));
  EXPECT_EQ(
      psql.output,
      "t|update|{\"k\": 1}|{\"k\": 1, \"v\": \"one\"}|{\"k\": 1, \"v\": \"changed\"}\n"
      "t|delete|{\"k\": 2}|{\"k\": 2, \"v\": \"two\"}|\n"
      "t|insert|{\"k\": 3}||{\"k\": 3, \"v\": \"quoted \\\" \\\\\\\\ text\"}\n"
      "t|update|{\"k\": 3}|{\"k\": 3, \"n\": null, \"v\": \"quoted \\\" \\\\\\\\ text\"}|{\"k\": 3, \"n\": 1.50, \"v\": "
      "\"quoted \\\" \\\\\\\\ text\"}\n"
      "u|insert|{\"a\": 7, \"b\": \"x\"}||{\"a\": 7, \"b\": \"x\"}\n");
  EXPECT_EQ(Ask(a_.Uri("system"),
                "SELECT DISTINCT table_name FROM [SHOW LOST WRITES FROM VIRTUAL CLUSTER main] WHERE operation = 'schema' "
                "ORDER BY 1"),
            "t;u");
  const CommandResult copied = RunCommand(
      fmt::format("psql -X -At '{}' -c \"COPY (SELECT operation FROM [SHOW LOST WRITES FROM VIRTUAL CLUSTER main] WHERE "
                  "table_name = 'u') TO STDOUT\"",
                  a_.Uri("system")));
  EXPECT_EQ(copied.output, "schema\ninsert\n");
  EXPECT_EQ(Ask(b_.Uri("system"), "SELECT count(*) FROM [SHOW LOST WRITES FROM VIRTUAL CLUSTER main]"), "0");
  ExpectRefused(b_.Uri("system"), "SHOW LOST WRITES FROM VIRTUAL CLUSTER nobody", "42704", "nobody");
}

}  // namespace
}  // namespace anabranch
