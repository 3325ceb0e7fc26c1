// Who may do what, over two real clusters: as a user without a right at either end one can do nothing; each right, granted
// while the session runs, opens one more step.
#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

class Privileges : public TwoClusters {
 protected:
  void SetUp() override {
    TwoClusters::SetUp();
    for (const ClusterProcess* cluster : {&a_, &b_}) {
      Ask(cluster->Uri("system"), "CREATE USER op WITH PASSWORD 'secret'");
    }
    Ask(a_.Uri("main"), "CREATE TABLE t (k INT PRIMARY KEY)");
    op_ = SqlClient::Connect(UriOf(b_, "op")).value();
  }
  static std::string UriOf(const ClusterProcess& cluster, const std::string& user) {
    std::string uri = cluster.Uri("system");
    return uri.replace(uri.find("root@"), 4, user);
  }
  // In op's session on B, which lasts for the whole test.
  void Do(const std::string& statement) {
    const auto rows = op_->Query(statement);
    EXPECT_TRUE(rows.ok()) << statement << ": " << rows.status();
  }
  void Lacks(const std::string& statement, const std::string& privilege) {
    const absl::Status status = op_->Query(statement).status();
    EXPECT_EQ(SqlStateOf(status), "42501") << statement << ": " << status;
    EXPECT_THAT(MessageOf(status), HasSubstr(fmt::format("user op does not have {} system privilege", privilege)));
    EXPECT_THAT(HintOf(status), HasSubstr(fmt::format("GRANT SYSTEM {} TO op", privilege))) << statement;
  }
  std::string Standbys() { return AskValue(b_.Uri("system"), "SELECT count(*) FROM [SHOW VIRTUAL CLUSTERS] WHERE id > 1"); }

  std::unique_ptr<SqlClient> op_;
};

TEST_F(Privileges, AStandbyStepByStep) {
  const std::string create = fmt::format("CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main ON '{}'", UriOf(a_, "op"));
  const std::string a = a_.Uri("system");
  const std::string b = b_.Uri("system");
  for (const std::string& statement :
       {create, std::string("SHOW VIRTUAL CLUSTERS"), std::string("SELECT * FROM [SHOW VIRTUAL CLUSTERS]")}) {
    Lacks(statement, "MANAGEVIRTUALCLUSTER");
  }
  EXPECT_EQ(SqlStateOf(op_->Query("GRANT SYSTEM MANAGEVIRTUALCLUSTER TO op").status()), "42501");
  EXPECT_EQ(SqlStateOf(op_->Query("CREATE USER eve").status()), "42501");

  Ask(b, "GRANT SYSTEM MANAGEVIRTUALCLUSTER TO op");
  Do("SHOW VIRTUAL CLUSTERS");
  Lacks(create, "REPLICATIONDEST");
  Ask(b, "GRANT SYSTEM REPLICATIONDEST TO op");
  Lacks(create, "REPLICATIONSOURCE");  // of the source's op
  EXPECT_EQ(Standbys(), "0");
  Ask(a, "GRANT SYSTEM REPLICATIONSOURCE TO op");
  Do(create);
  WaitReplicated(b_, a_);

  // Without the right at the source the stream ends at its next connection, for good, and says what would help.
  Ask(a, "REVOKE SYSTEM REPLICATIONSOURCE FROM op");
  Do("ALTER VIRTUAL CLUSTER main PAUSE REPLICATION");
  Do("ALTER VIRTUAL CLUSTER main RESUME REPLICATION");
  WaitForStatus(b_, "replication error");
  const std::string error = ReadStandby(b_)->last_error;
  EXPECT_THAT(error, HasSubstr("user op does not have REPLICATIONSOURCE system privilege"));
  EXPECT_THAT(error, HasSubstr("GRANT SYSTEM REPLICATIONSOURCE TO op"));
  EXPECT_THAT(error, HasSubstr("RESUME REPLICATION"));
  Ask(a, "GRANT SYSTEM REPLICATIONSOURCE TO op");
  Do("ALTER VIRTUAL CLUSTER main RESUME REPLICATION");
  Ask(a_.Uri("main"), "INSERT INTO t VALUES (1)");
  WaitReplicated(b_, a_);
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");

  // The rights stay with the users of `system`, over a restart too, and not with those of main.
  b_.Kill();
  ASSERT_TRUE(b_.Start().ok());
  op_ = SqlClient::Connect(UriOf(b_, "op")).value();
  EXPECT_EQ(Ask(b, "SHOW SYSTEM GRANTS"), "op,MANAGEVIRTUALCLUSTER,f;op,REPLICATIONDEST,f");
  Ask(b, "REVOKE SYSTEM MANAGEVIRTUALCLUSTER FROM op");
  Lacks("ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST", "MANAGEVIRTUALCLUSTER");
  Ask(b, "GRANT SYSTEM MANAGEVIRTUALCLUSTER TO op");
  Ask(b, "REVOKE SYSTEM REPLICATIONDEST FROM op");
  WaitReplicated(b_, a_);
  Do("ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST");
  Do("ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  EXPECT_EQ(Ask(b_.Uri("main"), "SELECT k FROM t"), "1");
  Do("ALTER VIRTUAL CLUSTER main STOP SERVICE");
  Lacks(fmt::format("ALTER VIRTUAL CLUSTER main START REPLICATION OF main ON '{}'", UriOf(a_, "op")), "REPLICATIONDEST");
  Do("DROP VIRTUAL CLUSTER main");
}

}  // namespace
}  // namespace anabranch
