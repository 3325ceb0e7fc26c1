// Whole histories at once, over real processes: a rehearsal on a clone of a standby that goes on replicating, RESET DATA, and
// what SHOW JOBS and SHOW REPLICATION STREAMS say meanwhile. Killed where it would hurt, each leaves all or nothing.
#include <atomic>
#include <thread>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

constexpr std::string_view kAll = "SELECT k, v FROM t ORDER BY k";
constexpr std::string_view kNames =
    "SELECT name, data_state, service_mode FROM [SHOW VIRTUAL CLUSTERS] WHERE name <> 'system'";

class Rehearsal : public TwoClusters {
 protected:
  void SetUp() override {
    TwoClusters::SetUp();
    Ask(a_.Uri("main"), "CREATE TABLE t (k INT PRIMARY KEY, v TEXT)");
    Ask(a_.Uri("main"), "INSERT INTO t VALUES (1, 'one'), (2, 'two')");
  }
  std::string OnA(const std::string& query) { return Ask(a_.Uri("system"), query); }
  std::string OnB(const std::string& query) { return Ask(b_.Uri("system"), query); }
  Timestamp Now() { return AskTimestamp(a_.Uri("main"), "SELECT cluster_logical_timestamp()"); }
};

TEST_F(Rehearsal, OnACloneOfAStandbyThatGoesOn) {
  CreateStandby(b_, a_);
  WaitReplicated(b_, a_);
  OnB("CREATE VIRTUAL CLUSTER rehearsal FROM CLONE OF main");
  EXPECT_EQ(OnB(std::string(kNames)), "main,replicating,none;rehearsal,ready,none");
  OnB("ALTER VIRTUAL CLUSTER rehearsal START SERVICE SHARED");
  EXPECT_EQ(Ask(b_.Uri("rehearsal"), std::string(kAll)), "1,one;2,two");
  Ask(b_.Uri("rehearsal"), "UPDATE t SET v = 'smoke'");
  Ask(b_.Uri("rehearsal"), "ALTER TABLE t ADD COLUMN w INT");
  Ask(a_.Uri("main"), "INSERT INTO t VALUES (3, 'three')");
  WaitReplicated(b_, a_);
  EXPECT_EQ(Ask(b_.Uri("rehearsal"), "SELECT count(*), max(v) FROM t"), "2,smoke");
  ExpectRefused(b_.Uri("system"), "DROP VIRTUAL CLUSTER rehearsal IMMEDIATE", "55000", "STOP SERVICE");
  OnB("ALTER VIRTUAL CLUSTER rehearsal STOP SERVICE");
  OnB("DROP VIRTUAL CLUSTER rehearsal IMMEDIATE");
  EXPECT_EQ(OnB(std::string(kNames)), "main,replicating,none");
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");
  ExpectEqualAt(FailOver(b_));
  EXPECT_EQ(Ask(b_.Uri("main"), std::string(kAll)), "1,one;2,two;3,three");
}

TEST_F(Rehearsal, TheStandbyAdvancesWhileItIsClonedAndAKillLeavesNothing) {
  CreateStandby(b_, a_);
  WaitReplicated(b_, a_);
  ASSERT_TRUE(b_.Stop().ok());
  ASSERT_TRUE(b_.Start("clone.before_publish=pause").ok());
  std::jthread clone([this] {
    const auto held = QueryOnce(b_.Uri("system"), "CREATE VIRTUAL CLUSTER rehearsal FROM CLONE OF main");
    EXPECT_FALSE(held.ok());
  });
  ASSERT_TRUE(b_.WaitForLog("failpoint.hit name=clone.before_publish", kEventTimeoutMs));
  Ask(a_.Uri("main"), "INSERT INTO t VALUES (3, 'three')");
  WaitReplicated(b_, a_);
  b_.Kill();
  clone.join();
  ASSERT_TRUE(b_.Start().ok());
  EXPECT_EQ(OnB("SELECT name FROM [SHOW VIRTUAL CLUSTERS] WHERE name <> 'system'"), "main");
  WaitReplicated(b_, a_);
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");
  OnB("CREATE VIRTUAL CLUSTER rehearsal FROM CLONE OF main");
  b_.Kill();  // acknowledged: it is there
  ASSERT_TRUE(b_.Start().ok());
  OnB("ALTER VIRTUAL CLUSTER rehearsal START SERVICE SHARED");
  EXPECT_EQ(Ask(b_.Uri("rehearsal"), std::string(kAll)), "1,one;2,two;3,three");
}

TEST_F(Rehearsal, ResetDataIsWholeOrHasNotHappened) {
  const Timestamp before = Now();
  Ask(a_.Uri("main"), "DELETE FROM t");
  Ask(a_.Uri("main"), "DROP TABLE t");
  const std::string reset = "ALTER VIRTUAL CLUSTER main RESET DATA TO SYSTEM TIME '" + FormatHlc(before) + "'";
  ExpectRefused(a_.Uri("system"), reset, "55000", "STOP SERVICE");
  OnA("ALTER VIRTUAL CLUSTER main STOP SERVICE");
  ExpectRefused(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main RESET DATA TO SYSTEM TIME '+1h'", "22023", "in the future");
  ASSERT_TRUE(a_.Stop().ok());
  ASSERT_TRUE(a_.Start("reset.before_publish=exit").ok());
  EXPECT_FALSE(QueryOnce(a_.Uri("system"), reset).ok());
  a_.Kill();
  ASSERT_TRUE(a_.Start().ok());
  OnA("ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT count(*) FROM pg_tables WHERE tablename = 't'"), "0");
  OnA("ALTER VIRTUAL CLUSTER main STOP SERVICE");
  OnA(reset);
  a_.Kill();
  ASSERT_TRUE(a_.Start().ok());
  EXPECT_EQ(OnA(std::string(kNames)), "main,ready,none");
  OnA("ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  EXPECT_EQ(Ask(a_.Uri("main"), std::string(kAll)), "1,one;2,two");
}

TEST_F(Rehearsal, JobsAndStreams) {
  CreateStandby(b_, a_);
  const std::string copy =
      AskValue(b_.Uri("system"), "SELECT job_id FROM [SHOW JOBS] WHERE job_type = 'REPLICATION INITIAL COPY'");
  EXPECT_EQ(OnB("SELECT status, fraction_completed FROM [SHOW JOB WHEN COMPLETE " + copy + "]"), "succeeded,1");
  WaitReplicated(b_, a_);
  EXPECT_EQ(
      OnB("SELECT user_name, status, running_status FROM [SHOW JOBS] WHERE job_type = 'REPLICATION STREAM INGESTION'"),
      "root,running,replicating");
  const std::string job =
      AskValue(b_.Uri("system"), "SELECT job_id FROM [SHOW JOBS] WHERE job_type = 'REPLICATION STREAM INGESTION'");
  OnB("PAUSE JOB " + job);
  EXPECT_EQ(ReadStandby(b_)->status, "replication paused");
  OnB("RESUME JOB " + job);
  WaitReplicated(b_, a_);
  ExpectRefused(b_.Uri("system"), "CANCEL JOB " + job, "55000", "COMPLETE REPLICATION TO LATEST");
  ExpectRefused(b_.Uri("system"), "SHOW JOB 42", "42704", "job with ID 42 does not exist");

  // A wait ends when the client cancels it.
  const auto waiter = *SqlClient::Connect(b_.Uri("system"));
  std::atomic<bool> ended = false;
  std::jthread wait([&] {
    EXPECT_EQ(SqlStateOf(waiter->Query("SHOW JOB WHEN COMPLETE " + job).status()), "57014");
    ended = true;
  });
  EXPECT_TRUE(WaitUntil(kEventTimeoutMs, [&] { return ended || (waiter->Cancel().ok() && ended); }));
  wait.join();

  const std::string streams =
      "SELECT virtual_cluster, standby_name, state, bytes_behind IS NULL, connected_since IS NULL FROM [SHOW REPLICATION "
      "STREAMS]";
  EXPECT_EQ(OnA(streams), "main,main,streaming,f,f");
  EXPECT_THAT(OnA("SELECT standby_address FROM [SHOW REPLICATION STREAMS]"), HasSubstr("127.0.0.1:"));
  const std::string producer = AskValue(a_.Uri("system"), "SELECT job_id FROM [SHOW REPLICATION STREAMS]");
  EXPECT_EQ(OnA("SELECT job_type, status FROM [SHOW JOB " + producer + "]"), "REPLICATION STREAM PRODUCER,running");
  ExpectRefused(a_.Uri("system"), "CANCEL JOB " + producer, "55006", "promoted or dropped");
  b_.Kill();  // for good
  ASSERT_TRUE(WaitUntil(kEventTimeoutMs, [&] { return OnA(streams) == "main,main,disconnected,t,t"; }));
  OnA("CANCEL JOB " + producer);
  EXPECT_EQ(OnA(streams), "");
  ASSERT_TRUE(b_.Start().ok());
  WaitForStatus(b_, "replication error");
}

}  // namespace
}  // namespace anabranch
