// The tour of the README as a newcomer types it, and every mistake that lies beside its path.

#include <thread>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

using ::testing::HasSubstr;

class Tour : public TwoClusters {
 protected:
  std::string Psql(const ClusterProcess& cluster, const std::string& virtual_cluster, const std::string& statement) {
    const CommandResult result =
        RunCommand(fmt::format("psql -X -v ON_ERROR_STOP=1 -At '{}' -c \"{}\"", cluster.Uri(virtual_cluster), statement));
    EXPECT_EQ(result.exit_status, 0) << statement << "\n" << result.output;
    return result.output;
  }
  void MakeTable() {
    Ask(a_.Uri("main"), "CREATE TABLE t (k INT PRIMARY KEY, v TEXT)");
    Ask(a_.Uri("main"), "INSERT INTO t VALUES (1, 'one'), (2, 'two')");
  }
  // A with rows, B a standby that has them.
  void Replicate() {
    MakeTable();
    CreateStandby(b_, a_);
    WaitReplicated(b_, a_);
  }
};

TEST_F(Tour, TypedWithPsql) {
  Psql(a_, "main", "CREATE TABLE t (k INT PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'one'), (2, 'two')");
  Psql(b_, "system", "CREATE VIRTUAL CLUSTER main FROM " + ReplicationOf(a_));
  const auto first = ReadStandby(b_);
  ASSERT_TRUE(first.has_value());
  EXPECT_THAT(first->status, ::testing::AnyOf("initializing replication", "replicating"));
  WaitReplicated(b_, a_);
  const uint64_t replicated = ReadStandby(b_)->replicated_ns;
  EXPECT_TRUE(WaitUntil(kEventTimeoutMs, [&] { return ReadStandby(b_)->replicated_ns > replicated; }))
      << "replicated_time stands still";
  EXPECT_THAT(Psql(b_, "system", "SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS"), HasSubstr("replicating"));
  EXPECT_EQ(Psql(b_, "system", "SELECT name, data_state, service_mode FROM [SHOW VIRTUAL CLUSTERS] WHERE name = 'main'"),
            "main|replicating|none\n");

  EXPECT_THAT(Psql(b_, "system", "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST"), HasSubstr(".0000000000"));
  Psql(b_, "system", "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  EXPECT_EQ(Psql(b_, "main", "SELECT k, v FROM t ORDER BY k"), "1|one\n2|two\n");

  Psql(b_, "main", "INSERT INTO t VALUES (3, 'written on B'); UPDATE t SET v = 'changed on B' WHERE k = 1");
  Psql(a_, "main", "INSERT INTO t VALUES (3, 'written on A'), (4, 'lost'); DELETE FROM t WHERE k = 2");

  Psql(a_, "system", "ALTER VIRTUAL CLUSTER main STOP SERVICE");
  Psql(a_, "system", "ALTER VIRTUAL CLUSTER main START " + ReplicationOf(b_));
  WaitReplicated(a_, b_);
  const std::string time =
      Psql(a_, "system", "SELECT replicated_time FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS]");
  const std::string fingerprint = fmt::format(
      "SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main AS OF SYSTEM TIME '{}'", time.substr(0, time.find('\n')));
  EXPECT_EQ(Psql(a_, "system", fingerprint), Psql(b_, "system", fingerprint));
  ExpectEqualAt(AskTimestamp(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST"));
  Psql(a_, "system", "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  EXPECT_EQ(Psql(a_, "main", "SELECT k, v FROM t ORDER BY k"), "1|changed on B\n2|two\n3|written on B\n");
}

TEST_F(Tour, ThereAndBackAndThereAgain) {
  Replicate();
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");
  FailOver(b_);
  Ask(b_.Uri("main"), "INSERT INTO t VALUES (3, 'b')");
  Ask(a_.Uri("main"), "INSERT INTO t VALUES (9, 'lost on A')");

  FailBack(a_, b_);
  WaitReplicated(a_, b_);
  EXPECT_EQ(ReadStandby(a_)->initial_copies, "0");
  FailOver(a_);
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT k, v FROM t ORDER BY k"), "1,one;2,two;3,b");
  Ask(a_.Uri("main"), "INSERT INTO t VALUES (4, 'a again')");
  Ask(b_.Uri("main"), "INSERT INTO t VALUES (9, 'lost on B')");

  FailBack(b_, a_);
  WaitReplicated(b_, a_);
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "0");
  const Timestamp at = FailOver(b_);
  EXPECT_EQ(Ask(b_.Uri("main"), "SELECT k, v FROM t ORDER BY k"), "1,one;2,two;3,b;4,a again");
  ExpectEqualAt(at);
}

TEST_F(Tour, FailoverWithDeadSourceAndLaterFailback) {
  Replicate();
  a_.Kill();
  FailOver(b_);
  EXPECT_EQ(Ask(b_.Uri("main"), "SELECT k, v FROM t ORDER BY k"), "1,one;2,two");
  Ask(b_.Uri("main"), "DELETE FROM t WHERE k = 1");
  ASSERT_TRUE(a_.Start().ok());
  FailBack(a_, b_);
  WaitReplicated(a_, b_);
  ExpectEqualAt(FailOver(a_));
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT k, v FROM t"), "2,two");
}

TEST_F(Tour, PauseAndResume) {
  Replicate();
  Ask(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main PAUSE REPLICATION");
  EXPECT_EQ(ReadStandby(b_)->status, "replication paused");
  Ask(a_.Uri("main"), "INSERT INTO t VALUES (3, 'while paused')");
  Ask(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main RESUME REPLICATION");
  WaitReplicated(b_, a_);
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");
  FailOver(b_);
  EXPECT_EQ(Ask(b_.Uri("main"), "SELECT count(*) FROM t"), "3");
}

TEST_F(Tour, FailoverOfAPausedStream) {
  Replicate();
  Ask(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main PAUSE REPLICATION");
  FailOver(b_);
  EXPECT_EQ(Ask(b_.Uri("main"), "SELECT count(*) FROM t"), "2");
}

TEST_F(Tour, BothRestartedGracefully) {
  Replicate();
  for (ClusterProcess* cluster : {&a_, &b_}) {
    const auto status = cluster->Stop();
    ASSERT_TRUE(status.ok()) << MessageOf(status.status());
    EXPECT_EQ(*status, 0) << cluster->Log();
    ASSERT_TRUE(cluster->Start().ok());
  }
  Ask(a_.Uri("main"), "INSERT INTO t VALUES (3, 'after the restart')");
  WaitReplicated(b_, a_);
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT count(*) FROM t"), "3");
}

TEST_F(Tour, FailoverTimeIsShown) {
  Replicate();
  const std::string before = ReadStandby(b_)->failover_time;
  EXPECT_EQ(before, "NULL");
  const Timestamp at = AskTimestamp(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST");
  const auto after = ReadStandby(b_);
  EXPECT_EQ(after->status, "ready");
  EXPECT_NE(after->failover_time, "NULL") << FormatHlc(at);
}

// --- Beside the path ---

TEST_F(Tour, SourceThatIsNotThere) {
  ExpectRefused(b_.Uri("system"), "CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main ON 'nonsense://x'", "22023", "");
  a_.Kill();
  ExpectRefused(b_.Uri("system"), "CREATE VIRTUAL CLUSTER main FROM " + ReplicationOf(a_), "08001", "");
  EXPECT_EQ(Ask(b_.Uri("system"), "SELECT name FROM [SHOW VIRTUAL CLUSTERS]"), "system") << "a refusal changed something";
}

TEST_F(Tour, SourceVirtualClusterThatDoesNotExist) {
  ExpectRefused(b_.Uri("system"),
                fmt::format("CREATE VIRTUAL CLUSTER main FROM REPLICATION OF nothing ON '{}'", a_.Uri("system")), "42704",
                "nothing");
}

TEST_F(Tour, UnknownVirtualCluster) {
  ExpectRefused(b_.Uri("system"), "ALTER VIRTUAL CLUSTER nothing START SERVICE SHARED", "42704", "nothing");
  ExpectRefused(b_.Uri("system"), "SHOW VIRTUAL CLUSTER nothing", "42704", "nothing");
  ExpectRefused(b_.Uri("system"), "DROP VIRTUAL CLUSTER nothing", "42704", "nothing");
  Ask(b_.Uri("system"), "DROP VIRTUAL CLUSTER IF EXISTS nothing");
  ExpectConnectRefused(b_.Uri("nothing"), "3D000", "nothing");
}

TEST_F(Tour, LatestBeforeTheFirstReplicatedTime) {
  MakeTable();
  a_.Kill();
  ASSERT_TRUE(a_.Start("copy.chunk=delay:60000").ok());
  CreateStandby(b_, a_);
  ASSERT_TRUE(a_.WaitForLog("failpoint.hit name=copy.chunk", kEventTimeoutMs) ||
              b_.WaitForLog("failpoint.hit name=copy.chunk", 1));
  EXPECT_EQ(ReadStandby(b_)->status, "initializing replication");
  ExpectRefused(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST", "55000", "");
  EXPECT_EQ(ReadStandby(b_)->status, "initializing replication") << "a refusal changed something";
}

TEST_F(Tour, TheNewPrimaryIsLostForGoodDuringTheFailback) {
  Replicate();
  FailOver(b_);
  Ask(a_.Uri("main"), "INSERT INTO t VALUES (3, 'written on A')");
  a_.Kill();
  ASSERT_TRUE(a_.Start("failback.before_revert=pause").ok());
  FailBack(a_, b_);
  ASSERT_TRUE(a_.WaitForLog("failpoint.hit name=failback.before_revert", kEventTimeoutMs));
  b_.Kill();
  a_.Kill();
  ASSERT_TRUE(a_.Start().ok());
  const std::string system = a_.Uri("system");
  ExpectRefused(system, "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST", "55000", "CANCEL REPLICATION");
  const std::string way = Ask(system, "SELECT ready_by FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS]");
  EXPECT_EQ(way, "ALTER VIRTUAL CLUSTER main CANCEL REPLICATION");
  Ask(system, way);
  Ask(system, way);  // does nothing any more
  Ask(system, "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT k FROM t ORDER BY k"), "1;2");
}

TEST_F(Tour, FollowingItselfIsRefused) {
  MakeTable();
  Ask(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main STOP SERVICE");
  ExpectRefused(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main START " + ReplicationOf(a_), "22023", "this very cluster");
  Ask(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT count(*) FROM t"), "2");
}

TEST_F(Tour, StandbyDoesNotServe) {
  Replicate();
  ExpectConnectRefused(b_.Uri("main"), "57P03", "main");
  ExpectRefused(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main START SERVICE SHARED", "55000", "COMPLETE REPLICATION");
}

TEST_F(Tour, StartReplicationWhileServing) {
  Replicate();
  FailOver(b_);
  ExpectRefused(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main START " + ReplicationOf(b_), "55000", "STOP SERVICE");
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT count(*) FROM t"), "2");
}

TEST_F(Tour, StartReplicationOfAnUnrelatedCluster) {
  MakeTable();
  Ask(b_.Uri("system"), "CREATE VIRTUAL CLUSTER main");
  Ask(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  Ask(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main STOP SERVICE");
  ExpectRefused(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main START " + ReplicationOf(b_), "55000", "");
  Ask(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT count(*) FROM t"), "2") << "a refusal changed something";
}

TEST_F(Tour, DropIsRefusedWhileServing) {
  ExpectRefused(a_.Uri("system"), "DROP VIRTUAL CLUSTER main", "55000", "STOP SERVICE");
  Ask(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main STOP SERVICE");
  ExpectConnectRefused(a_.Uri("main"), "57P03", "START SERVICE");
  Ask(a_.Uri("system"), "DROP VIRTUAL CLUSTER main");
  ExpectConnectRefused(a_.Uri("main"), "3D000", "main");
}

TEST_F(Tour, DroppedStandbyCanBeMadeAnew) {
  Replicate();
  Ask(b_.Uri("system"), "DROP VIRTUAL CLUSTER main");
  CreateStandby(b_, a_);
  WaitReplicated(b_, a_);
  FailOver(b_);
  EXPECT_EQ(Ask(b_.Uri("main"), "SELECT count(*) FROM t"), "2");
}

TEST_F(Tour, StopServiceEndsSessions) {
  MakeTable();
  const auto idle = SqlClient::Connect(a_.Uri("main"));
  const auto holder = SqlClient::Connect(a_.Uri("main"));
  const auto busy = SqlClient::Connect(a_.Uri("main"));
  ASSERT_TRUE(idle.ok() && holder.ok() && busy.ok());
  ASSERT_TRUE((*holder)->Query("BEGIN; UPDATE t SET v = 'held' WHERE k = 1").ok());
  absl::StatusOr<SqlRows> ended = absl::UnknownError("none yet");
  {
    std::jthread waiting([&] { ended = (*busy)->Query("UPDATE t SET v = 'waits' WHERE k = 1"); });
    Pause(100);  // most likely it waits by now; the answer is the same if it does not
    Ask(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main STOP SERVICE");
  }
  EXPECT_EQ(SqlStateOf(ended.status()), "57P01") << MessageOf(ended.status());
  // libpq hands over what came to an idle connection as a text without its SQLSTATE.
  const auto after = (*idle)->Query("SELECT 1");
  EXPECT_FALSE(after.ok());
  EXPECT_THAT(MessageOf(after.status()), HasSubstr("terminating connection due to administrator command"));
  Ask(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT v FROM t WHERE k = 1"), "one") << "open transactions were rolled back";
}

TEST_F(Tour, DefaultTarget) {
  MakeTable();
  EXPECT_EQ(Ask(a_.Uri(""), "SELECT count(*) FROM t"), "2") << "--virtualized: main";
  EXPECT_EQ(Ask(b_.Uri(""), "SELECT name FROM [SHOW VIRTUAL CLUSTERS]"), "system") << "--virtualized-empty: system";
  EXPECT_EQ(Ask("postgresql://root@" + a_.address() + "/cluster:main%2Fdefaultdb", "SELECT count(*) FROM t"), "2");
}

TEST_F(Tour, SecondStartKeepsWhatIsThere) {
  MakeTable();
  ASSERT_EQ(a_.Stop().value_or(-1), 0);
  ASSERT_TRUE(a_.Start().ok());
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT k, v FROM t ORDER BY k"), "1,one;2,two");
  a_.Kill();
  ASSERT_TRUE(a_.Start().ok());
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT k, v FROM t ORDER BY k"), "1,one;2,two");
}

TEST_F(Tour, RefusedStarts) {
  const std::string start = Program() + " start-single-node --http-addr=127.0.0.1:0";
  const CommandResult no_flag = RunCommand(fmt::format("{} --store={}/c --listen-addr=127.0.0.1:0", start, folder_.path()));
  EXPECT_NE(no_flag.exit_status, 0);
  EXPECT_THAT(no_flag.output, HasSubstr("--insecure"));
  const CommandResult port =
      RunCommand(fmt::format("{} --insecure --store={}/c --listen-addr={}", start, folder_.path(), a_.address()));
  EXPECT_NE(port.exit_status, 0);
  EXPECT_THAT(port.output, HasSubstr("in use"));
  const CommandResult locked =
      RunCommand(fmt::format("{} --insecure --store={} --listen-addr=127.0.0.1:0", start, a_.store_path()));
  EXPECT_NE(locked.exit_status, 0);
  EXPECT_THAT(locked.output, HasSubstr(fmt::format("{}", a_.pid()))) << "the pid of the process that has it";
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT 1"), "1");
}

TEST_F(Tour, HealthAndVersion) {
  const CommandResult health = RunCommand(
      fmt::format("bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}; printf \"GET /health HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'",
                  a_.http_address().substr(a_.http_address().rfind(':') + 1)));
  EXPECT_THAT(health.output, HasSubstr(" 200 "));
  const CommandResult version = RunCommand(Program() + " version");
  EXPECT_EQ(version.exit_status, 0);
  EXPECT_THAT(version.output, HasSubstr("RocksDB"));
}

TEST_F(Tour, CancelledQuery) {
  MakeTable();
  auto holder = SqlClient::Connect(a_.Uri("main"));
  auto waiter = SqlClient::Connect(a_.Uri("main"));
  ASSERT_TRUE(holder.ok() && waiter.ok());
  ASSERT_TRUE((*holder)->Query("BEGIN").ok());
  ASSERT_TRUE((*holder)->Query("UPDATE t SET v = 'held' WHERE k = 1").ok());
  absl::StatusOr<SqlRows> answer = absl::UnknownError("none yet");
  std::atomic<bool> answered{false};
  std::jthread waiting([&] {
    answer = (*waiter)->Query("UPDATE t SET v = 'waits' WHERE k = 1");
    answered = true;
  });
  // A cancel that arrives before the statement does nothing: ask until it has been heard.
  EXPECT_TRUE(WaitUntil(kEventTimeoutMs, [&] {
    if (!answered) {
      EXPECT_TRUE((*waiter)->Cancel().ok());
    }
    return answered.load();
  }));
  waiting.join();
  EXPECT_EQ(SqlStateOf(answer.status()), "57014") << MessageOf(answer.status());
  EXPECT_TRUE((*waiter)->Query("SELECT 1").ok()) << "the session goes on";
  EXPECT_TRUE((*holder)->Query("COMMIT").ok());
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT v FROM t WHERE k = 1"), "held");
}

TEST_F(Tour, CopyWithGoodAndBadData) {
  MakeTable();
  auto client = SqlClient::Connect(a_.Uri("main"));
  ASSERT_TRUE(client.ok());
  std::vector<std::string> pieces = {"10\tten\n11", "\televen\n12\t\\N\n", ""};
  size_t at = 0;
  const auto copied = (*client)->CopyIn("COPY t FROM STDIN", [&] { return pieces[at++]; });
  ASSERT_TRUE(copied.ok()) << MessageOf(copied.status());
  EXPECT_EQ(copied->tag, "COPY 3");
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT k, v FROM t WHERE k >= 10 ORDER BY k"), "10,ten;11,eleven;12,NULL");

  pieces = {"20\ttwenty\nnot a number\tx\n", ""};
  at = 0;
  EXPECT_FALSE((*client)->CopyIn("COPY t FROM STDIN", [&] { return pieces[at++]; }).ok());
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT count(*) FROM t WHERE k = 20"), "0") << "all or nothing";
  EXPECT_TRUE((*client)->Query("SELECT 1").ok()) << "the session goes on";
}

TEST_F(Tour, ExtendedProtocol) {
  MakeTable();
  auto client = SqlClient::Connect(a_.Uri("main"));
  ASSERT_TRUE(client.ok());
  const auto inserted = (*client)->QueryParams("INSERT INTO t VALUES ($1, $2)", {"5", "five"});
  ASSERT_TRUE(inserted.ok()) << MessageOf(inserted.status());
  const auto selected = (*client)->QueryParams("SELECT v FROM t WHERE k = $1", {"5"});
  ASSERT_TRUE(selected.ok()) << MessageOf(selected.status());
  EXPECT_EQ(selected->ToText(), "five");
}

TEST_F(Tour, AsOfSystemTimeAndCommitTimestamp) {
  MakeTable();
  auto client = SqlClient::Connect(a_.Uri("main"));
  ASSERT_TRUE(client.ok());
  ASSERT_TRUE((*client)->Query("BEGIN; UPDATE t SET v = 'new' WHERE k = 1; COMMIT").ok());
  const auto committed = (*client)->Query("SHOW COMMIT TIMESTAMP");
  ASSERT_TRUE(committed.ok()) << MessageOf(committed.status());
  const auto at = ParseHlc(committed->rows.at(0).at(0).value_or(""));
  ASSERT_TRUE(at.ok());
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT v FROM t AS OF SYSTEM TIME " + FormatHlc(*at) + " WHERE k = 1"), "new");
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT v FROM t AS OF SYSTEM TIME " + FormatHlc(at->Prev()) + " WHERE k = 1"), "one");
}

TEST_F(Tour, WhatIsNotSupportedIsNamed) {
  MakeTable();
  ExpectRefused(a_.Uri("main"), "SELECT rank() OVER (ORDER BY k) FROM t", "0A000", "");
  ExpectRefused(a_.Uri("main"), "CREATE DATABASE other", "0A000", "");
  ExpectRefused(a_.Uri("main"), "SELEC 1", "42601", "");
  ExpectRefused(a_.Uri("main"), "SELECT * FROM nowhere", "42P01", "nowhere");
  ExpectRefused(a_.Uri("main"), "INSERT INTO t VALUES (1, 'again')", "23505", "");
}

}  // namespace
}  // namespace anabranch
