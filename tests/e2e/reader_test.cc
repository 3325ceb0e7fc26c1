// READ VIRTUAL CLUSTER between real processes: a reader over an initial copy, kills, failovers and a failback, under load. All
// by SQL.
#include "fmt/format.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

constexpr int64_t kAccounts = 2'000;
constexpr int kKills = 4;
constexpr int kReadsBetween = 20;

class Reader : public TwoClusters {
 protected:
  static std::string StateOf(const ClusterProcess& cluster, const std::string& name = "main-readonly") {
    const auto rows =
        QueryOnce(cluster.Uri("system"),
                  fmt::format("SELECT data_state, service_mode FROM [SHOW VIRTUAL CLUSTERS] WHERE name = '{}'", name),
                  kEventTimeoutMs);
    if (!rows.ok()) return MessageOf(rows.status());
    return rows->rows.empty() ? "none" : rows->Value(0, "data_state") + ", " + rows->Value(0, "service_mode");
  }
  static void WaitServes(const ClusterProcess& cluster) {
    EXPECT_TRUE(WaitUntil(kEventTimeoutMs, [&] { return StateOf(cluster) == "ready, shared"; })) << StateOf(cluster);
  }
  static void CreateWithReader(const ClusterProcess& standby, const ClusterProcess& source) {
    Ask(standby.Uri("system"), "CREATE VIRTUAL CLUSTER main FROM " + ReplicationOf(source) + " WITH READ VIRTUAL CLUSTER");
  }
  // Of one connection: each read sees the sum, at a moment no earlier than the one before, and than `last`.
  static void ReadAll(const ClusterProcess& cluster, Timestamp* last) {
    const auto client = SqlClient::Connect(cluster.Uri("main-readonly"));
    ASSERT_TRUE(client.ok()) << client.status();
    for (int i = 0; i < kReadsBetween; ++i) {
      const auto rows = (*client)->Query("SELECT sum(balance) AS sum, cluster_logical_timestamp() AS moment FROM accounts");
      ASSERT_TRUE(rows.ok()) << rows.status();
      EXPECT_EQ(rows->Value(0, "sum"), std::to_string(kAccounts * kOpeningBalance));
      const Timestamp moment = ParseHlc(rows->Value(0, "moment")).value_or(kTimestampZero);
      EXPECT_GE(moment, *last);
      *last = moment;
    }
  }

  TransferLedger ledger_;
};

TEST_F(Reader, SumsHoldAndTimeNeverGoesBackOverKills) {
  const auto client = SqlClient::Connect(a_.Uri("main"));
  ASSERT_TRUE(client.ok() && CreateBank(**client, kAccounts).ok());
  TransferWorkload workload({.uri = a_.Uri("main"), .connections = 4, .accounts = kAccounts}, &ledger_);
  CreateWithReader(b_, a_);
  WaitServes(b_);
  Timestamp last;
  for (int kill = 0; kill < kKills; ++kill) {
    ReadAll(b_, &last);
    ClusterProcess& victim = kill % 2 == 0 ? b_ : a_;
    victim.Kill();
    if (&victim == &a_) ReadAll(b_, &last);  // the source is gone, the reader is not
    ASSERT_TRUE(victim.Start().ok());
    ReadAll(b_, &last);  // at once: nothing is to be waited for
  }
  workload.Stop();
  WaitReplicated(b_, a_);
  ReadAll(b_, &last);
  ExpectRefused(b_.Uri("main-readonly"), "UPDATE accounts SET balance = 0", "25006", "UPDATE in a read-only transaction");
}

TEST_F(Reader, FailoversAndAFailback) {
  Ask(a_.Uri("main"), "CREATE TABLE t (k INT PRIMARY KEY, v TEXT)");
  Ask(a_.Uri("main"), "INSERT INTO t VALUES (1, 'one')");
  CreateStandby(b_, a_);
  WaitReplicated(b_, a_);
  Ask(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main SET REPLICATION READ VIRTUAL CLUSTER");
  EXPECT_EQ(StateOf(b_), "ready, shared");
  EXPECT_EQ(Ask(b_.Uri("main-readonly"), "SELECT k, v FROM t"), "1,one");
  ExpectRefused(b_.Uri("system"), "ALTER VIRTUAL CLUSTER \"main-readonly\" COMPLETE REPLICATION TO LATEST", "55000",
                "it only reads virtual cluster \"main\"");
  ExpectRefused(b_.Uri("system"), "DROP VIRTUAL CLUSTER \"main-readonly\"", "55000", "STOP SERVICE");

  FailOver(b_);
  Ask(b_.Uri("main"), "UPDATE t SET v = 'of B'");
  EXPECT_EQ(Ask(b_.Uri("main-readonly"), "SELECT k, v FROM t"), "1,one");
  b_.Kill();
  ASSERT_TRUE(b_.Start().ok());
  EXPECT_EQ(Ask(b_.Uri("main-readonly"), "SELECT k, v FROM t"), "1,one");

  Ask(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main STOP SERVICE");
  Ask(a_.Uri("system"), "ALTER VIRTUAL CLUSTER main START " + ReplicationOf(b_) + " WITH READ VIRTUAL CLUSTER");
  WaitServes(a_);
  WaitReplicated(a_, b_);
  EXPECT_EQ(Ask(a_.Uri("main-readonly"), "SELECT k, v FROM t"), "1,of B");

  const std::string now = FormatHlc(AskTimestamp(a_.Uri("main-readonly"), "SELECT cluster_logical_timestamp()"));
  FailOver(a_, "SYSTEM TIME " + now);
  EXPECT_EQ(StateOf(a_), "none");
  ExpectConnectRefused(a_.Uri("main-readonly"), "3D000", "main-readonly");
  EXPECT_EQ(Ask(a_.Uri("main"), "SELECT k, v FROM t"), "1,of B");
}

}  // namespace
}  // namespace anabranch
