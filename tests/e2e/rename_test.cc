// Renaming the source, the standby, or both, while money moves: no session and no stream notices, and nothing is lost.
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

constexpr int64_t kAccounts = 1'000;
constexpr int kRounds = 5;
constexpr uint64_t kCommitsPerStep = 50;

class RenameUnderLoad : public TwoClusters {
 protected:
  void SetUp() override {
    TwoClusters::SetUp();
    const auto client = SqlClient::Connect(a_.Uri("main"));
    ASSERT_TRUE(client.ok()) << client.status();
    ASSERT_TRUE(CreateBank(**client, kAccounts).ok());
    CreateStandby(b_, a_);
    WaitReplicated(b_, a_);
  }
  static void Rename(const ClusterProcess& cluster, const std::string& from, const std::string& to) {
    Ask(cluster.Uri("system"), fmt::format("ALTER VIRTUAL CLUSTER {} RENAME TO {}", from, to));
  }
  static void ExpectMoreCommits(const TransferWorkload& workload) {
    const uint64_t wanted = workload.committed() + kCommitsPerStep;
    EXPECT_TRUE(WaitUntil(kEventTimeoutMs, [&] { return workload.committed() >= wanted; })) << workload.last_error();
  }
  // What is committed from now on reaches the standby, whatever that is called.
  void ExpectMoreReplicated(const std::string& standby) {
    const std::string query =
        fmt::format("SELECT replicated_time FROM [SHOW VIRTUAL CLUSTER {} WITH REPLICATION STATUS]", standby);
    const std::string before = AskValue(b_.Uri("system"), query);
    EXPECT_TRUE(WaitUntil(kEventTimeoutMs, [&] { return AskValue(b_.Uri("system"), query) > before; }));
  }
};

TEST_F(RenameUnderLoad, InterruptsNothing) {
  TransferLedger ledger;
  TransferWorkload workload({.uri = a_.Uri("main"), .accounts = kAccounts}, &ledger);
  ExpectMoreCommits(workload);
  const std::string before = b_.Log();
  for (int round = 0; round < kRounds; ++round) {
    Rename(a_, "main", "prod");
    ExpectMoreCommits(workload);
    ExpectMoreReplicated("main");
    Rename(b_, "main", "standby");
    ExpectMoreCommits(workload);
    ExpectMoreReplicated("standby");
    Rename(a_, "prod", "main");
    Rename(b_, "standby", "main");
  }
  workload.Stop();
  EXPECT_EQ(workload.last_error(), "");
  const std::string meanwhile = b_.Log().substr(before.size());
  EXPECT_EQ(meanwhile.find("replication.retrying"), std::string::npos) << meanwhile;
  EXPECT_EQ(meanwhile.find("replication.refused"), std::string::npos) << meanwhile;
  WaitReplicated(b_, a_);
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");
  const Timestamp at = FailOver(b_);
  const auto client = SqlClient::Connect(b_.Uri("main"));
  ASSERT_TRUE(client.ok()) << client.status();
  const auto audit = AuditBank(**client, ledger, at);
  ASSERT_TRUE(audit.ok()) << audit.status();
  EXPECT_TRUE(audit->SumHeld());
  EXPECT_THAT(audit->missing, testing::IsEmpty());
  EXPECT_GE(ledger.Acknowledged().size(), 2 * kRounds * kCommitsPerStep);
}

}  // namespace
}  // namespace anabranch
