// A stream whose source is reached another way from now on, as another user with another password: by ALTER EXTERNAL
// CONNECTION and by SET REPLICATION SOURCE. The way that it began with is closed, and it goes on where it was.
#include <functional>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/e2e/cluster.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

class SourceAddress : public TwoClusters {
 protected:
  void SetUp() override {
    TwoClusters::SetUp();
    Ask(a_.Uri("system"), "CREATE USER before WITH PASSWORD 'old'");
    Ask(a_.Uri("system"), "GRANT SYSTEM REPLICATIONSOURCE TO before");
    Ask(a_.Uri("main"), "CREATE TABLE t (k INT PRIMARY KEY)");
    Write(1);
  }
  static std::string UriOf(const ClusterProcess& cluster, const std::string& user) {
    std::string uri = cluster.Uri("system");
    return uri.replace(uri.find("root@"), 4, user);
  }
  // By another name of the same machine, too.
  std::string NewUri() const {
    std::string uri = UriOf(a_, "after:new");
    return uri.replace(uri.find("127.0.0.1"), 9, "localhost");
  }
  void Write(int key) const { Ask(a_.Uri("main"), fmt::format("INSERT INTO t VALUES ({})", key)); }
  std::string Shown(const std::string& column) const {
    return AskValue(b_.Uri("system"),
                    fmt::format("SELECT {} FROM [SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS]", column));
  }
  void CreateFrom(const std::string& source) const {
    Ask(b_.Uri("system"), fmt::format("CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main ON '{}'", source));
  }
  // The stream flows; `move` moves it; the old way is closed and every connection ended; the stream flows.
  void GoesOnAfter(const std::function<void()>& move) {
    WaitReplicated(b_, a_);
    Write(2);
    WaitReplicated(b_, a_);
    Ask(a_.Uri("system"), "CREATE USER after WITH PASSWORD 'new'");
    Ask(a_.Uri("system"), "GRANT admin TO after");  // who takes over a stream of another's
    move();
    Write(3);
    WaitReplicated(b_, a_);
    a_.Kill();
    ASSERT_TRUE(a_.Start().ok());
    Ask(a_.Uri("system"), "DROP USER before");
    Write(4);
    WaitReplicated(b_, a_);
    EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");
    EXPECT_EQ(AskValue(a_.Uri("system"), "SELECT count(*) FROM [SHOW REPLICATION STREAMS]"), "1");
    FailOver(b_);
    EXPECT_EQ(Ask(b_.Uri("main"), "SELECT k FROM t ORDER BY k"), "1;2;3;4");
  }
};

TEST_F(SourceAddress, ByAlterExternalConnection) {
  Ask(b_.Uri("system"), fmt::format("CREATE EXTERNAL CONNECTION east AS '{}'", UriOf(a_, "before:old")));
  CreateFrom("external://east");
  GoesOnAfter([&] { Ask(b_.Uri("system"), fmt::format("ALTER EXTERNAL CONNECTION east AS '{}'", NewUri())); });
}

TEST_F(SourceAddress, BySetReplicationSource) {
  CreateFrom(UriOf(a_, "before:old"));
  GoesOnAfter([&] {
    Ask(b_.Uri("system"), fmt::format("ALTER VIRTUAL CLUSTER main SET REPLICATION SOURCE = '{}'", NewUri()));
    EXPECT_THAT(Shown("source_cluster_uri"), HasSubstr("localhost"));
  });
}

TEST_F(SourceAddress, ToAnExternalConnectionBySetReplicationSource) {
  CreateFrom(UriOf(a_, "before:old"));
  GoesOnAfter([&] {
    Ask(b_.Uri("system"), fmt::format("CREATE EXTERNAL CONNECTION east AS '{}'", NewUri()));
    Ask(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main SET REPLICATION SOURCE = 'external://east'");
    ExpectRefused(b_.Uri("system"), "DROP EXTERNAL CONNECTION east", "2BP01", "main");
  });
}

// B itself has a virtual cluster of the source's name, and is not the source.
TEST_F(SourceAddress, OfAnotherClusterIsRefusedAndNothingChanges) {
  CreateFrom(UriOf(a_, "before:old"));
  WaitReplicated(b_, a_);
  const std::string uri = Shown("source_cluster_uri");
  ExpectRefused(b_.Uri("system"), fmt::format("ALTER VIRTUAL CLUSTER main SET REPLICATION SOURCE = '{}'", b_.Uri("system")),
                "55000", "Nothing was changed");
  ExpectRefused(b_.Uri("system"), "ALTER VIRTUAL CLUSTER main SET REPLICATION SOURCE = 'nowhere'", "42704", "nowhere");
  EXPECT_EQ(Shown("source_cluster_uri"), uri);
  EXPECT_EQ(Shown("status"), "replicating");
  Write(2);
  WaitReplicated(b_, a_);
  EXPECT_EQ(ReadStandby(b_)->initial_copies, "1");
  EXPECT_EQ(AskValue(b_.Uri("system"), "SELECT count(*) FROM [SHOW REPLICATION STREAMS]"), "0");
}

}  // namespace
}  // namespace anabranch
