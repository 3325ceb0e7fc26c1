// What describes data replicates like data: a table's indexes and sequences, users and what they may do are there after a
// failover.

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

class SchemaFailover : public TwoClusters {
 protected:
  static std::string UriOf(const ClusterProcess& cluster, const std::string& user) {
    std::string uri = cluster.Uri("main");
    return uri.replace(uri.find("root@"), 4, user);
  }
};

TEST_F(SchemaFailover, UsersGrantsIndexesAndSequences) {
  const std::string primary = a_.Uri("main");
  Ask(primary, "CREATE TABLE t (k SERIAL PRIMARY KEY, v TEXT)");
  CreateStandby(b_, a_);
  WaitReplicated(b_, a_);

  // Made while the stream runs, not by the initial copy.
  Ask(primary, "INSERT INTO t (v) VALUES ('one'), ('two')");
  Ask(primary, "CREATE UNIQUE INDEX t_v ON t (v)");
  Ask(primary, "CREATE USER alice WITH PASSWORD 'secret'");
  Ask(primary, "CREATE USER bob");
  Ask(primary, "GRANT SELECT ON t TO alice");
  Ask(primary, "CREATE TABLE scratch (k INT PRIMARY KEY)");
  Ask(primary, "DROP TABLE scratch");
  ExpectRefused(UriOf(a_, "bob"), "SELECT * FROM t", "42501", "permission denied for table t");
  ExpectConnectRefused(UriOf(a_, "carol"), "28000", "role \"carol\" does not exist");
  WaitReplicatedTo(b_, AskTimestamp(primary, "SELECT cluster_logical_timestamp()"));
  FailOver(b_);

  const std::string standby = b_.Uri("main");
  EXPECT_EQ(Ask(UriOf(b_, "alice"), "SELECT k, v FROM t ORDER BY k"), "1,one;2,two");
  ExpectRefused(UriOf(b_, "alice"), "DELETE FROM t", "42501", "permission denied for table t");
  ExpectRefused(UriOf(b_, "bob"), "SELECT * FROM t", "42501", "permission denied for table t");
  ExpectConnectRefused(UriOf(b_, "carol"), "28000", "role \"carol\" does not exist");
  ExpectRefused(standby, "INSERT INTO t (v) VALUES ('two')", "23505", "t_v");
  Ask(standby, "INSERT INTO t (v) VALUES ('three')");
  EXPECT_EQ(AskValue(standby, "SELECT count(*) FROM t WHERE k > 2 AND v = 'three'"), "1");
  EXPECT_EQ(Ask(standby, "SELECT indexname FROM pg_indexes WHERE tablename = 't' ORDER BY indexname"), "t_pkey;t_v");
  EXPECT_EQ(Ask(standby, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), "t");

  // And the new primary's own changes go on from there.
  Ask(standby, "GRANT DELETE ON t TO alice");
  Ask(standby, "DROP USER bob");
  Ask(UriOf(b_, "alice"), "DELETE FROM t");
  ExpectConnectRefused(UriOf(b_, "bob"), "28000", "role \"bob\" does not exist");
}

}  // namespace
}  // namespace anabranch
