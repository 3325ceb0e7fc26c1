// External connections: the files, the statements, and streams that go through one.
#include "tenant/catalog/external_connections.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/status.h"
#include "gtest/gtest.h"
#include "tenant/catalog/catalog.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

class ExternalConnectionsTest : public ReplicationFixture {
 protected:
  static std::string Shown(TestCluster& cluster, const std::string& name) {
    const auto rows = cluster->ShowExternalConnections(name);
    return rows.ok() ? rows->front().uri : SqlStateOf(rows.status());
  }
  std::string File(const std::string& name) { return fmt::format("{}/store/connections/{}", b_.dir(), name); }
};

TEST_F(ExternalConnectionsTest, AreNamedAndShownWithoutTheirSecretInFilesThatNobodyElseReads) {
  ASSERT_TRUE(b_->CreateExternalConnection("east", a_.uri(), false).ok());
  EXPECT_EQ(SqlStateOf(b_->CreateExternalConnection("east", a_.uri(), false)), "42710");
  EXPECT_TRUE(b_->CreateExternalConnection("east", "postgresql://other", true).ok());
  EXPECT_EQ(Shown(b_, "east").find("secret"), std::string::npos);
  EXPECT_NE(Shown(b_, "east").find("root@127.0.0.1"), std::string::npos) << Shown(b_, "east");
  for (const char* bad : {"", "a b", "a/b", "../x", "a.new"}) {
    EXPECT_EQ(SqlStateOf(b_->CreateExternalConnection(bad, a_.uri(), false)), "22023") << bad;
  }
  for (const char* bad : {"", "mysql://h", "postgresql://", "postgresql://h:99999"}) {
    const absl::Status status = b_->CreateExternalConnection("west", bad, false);
    EXPECT_EQ(SqlStateOf(status), "22023") << bad;
  }
  EXPECT_EQ(Shown(b_, "west"), "42704");
  struct stat file = {};
  ASSERT_EQ(stat(File("east").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777u, 0600u);
  ASSERT_EQ(stat(File("").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777u, 0700u);

  b_.Restart();
  ASSERT_TRUE(b_->AlterExternalConnection("east", "postgresql://u:other@h", false).ok());
  EXPECT_EQ(Shown(b_, "east"), "postgresql://u@h");
  EXPECT_EQ(SqlStateOf(b_->AlterExternalConnection("west", "postgresql://h", false)), "42704");
  EXPECT_TRUE(b_->AlterExternalConnection("west", "postgresql://h", true).ok());
  ASSERT_TRUE(b_->CreateExternalConnection("able", "postgresql://h", false).ok());
  EXPECT_EQ(b_->ShowExternalConnections(std::nullopt)->size(), 2u);
  EXPECT_EQ(b_->ShowExternalConnections(std::nullopt)->front().name, "able");
  ASSERT_TRUE(b_->DropExternalConnection("east", false).ok());
  EXPECT_EQ(SqlStateOf(b_->DropExternalConnection("east", false)), "42704");
  EXPECT_TRUE(b_->DropExternalConnection("east", true).ok());
  EXPECT_FALSE(std::filesystem::exists(File("east")));
}

TEST_F(ExternalConnectionsTest, AStreamKeepsTheNameAndLooksItUpWhenItConnects) {
  Fill(a_, "row", 3);
  EXPECT_EQ(SqlStateOf(b_->CreateFromReplication("main", {}, "main", "external://east", {}, {})), "42704");
  ASSERT_TRUE(b_->CreateExternalConnection("east", a_.uri(), false).ok());
  ASSERT_TRUE(b_->CreateFromReplication("main", {}, "main", "east", {}, {}).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(b_.Status("main").source_cluster_uri, "external://east");
  const absl::Status used = b_->DropExternalConnection("east", false);
  EXPECT_EQ(SqlStateOf(used), "2BP01");
  EXPECT_EQ(MessageOf(used), "cannot drop external connection \"east\": virtual cluster \"main\" replicates through it");

  // Nothing listens there: a stream that goes on is connected, one that connects again is not.
  ASSERT_TRUE(b_->AlterExternalConnection("east", "postgresql://root@127.0.0.1:1", false).ok());
  ASSERT_TRUE(a_.Put("main", "still", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  a_.Disconnect();
  a_.Reconnect();
  ASSERT_TRUE(Eventually([&] { return b_.Status("main").last_error.find("127.0.0.1") != std::string::npos; }))
      << b_.Status("main").last_error;
  ASSERT_TRUE(b_->AlterExternalConnection("east", a_.uri(), false).ok());
  ASSERT_TRUE(a_.Put("main", "again", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  b_.Restart();
  ASSERT_TRUE(a_.Put("main", "restarted", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->CompleteReplication("main", ToLatest{}, {}).ok());
  const absl::Status needed = b_->DropExternalConnection("east", false);
  EXPECT_EQ(SqlStateOf(needed), "2BP01") << "an undo replicates through it again";
  EXPECT_NE(MessageOf(needed).find("virtual cluster \"main\""), std::string::npos) << needed;
  ASSERT_TRUE(b_->StartService("main").ok());
  EXPECT_EQ(b_.Get("main", "restarted"), "v");
  // Nothing replicates through it any more, once the source is told.
  EXPECT_TRUE(Eventually([&] { return b_->DropExternalConnection("east", false).ok(); }));
}

TEST_F(ExternalConnectionsTest, WhatAFailbackReplacedIsStillInUse) {
  Fill(a_, "row", 3);
  ASSERT_TRUE(b_->CreateExternalConnection("east", a_.uri(), false).ok());
  ASSERT_TRUE(b_->CreateExternalConnection("again", a_.uri(), false).ok());
  ASSERT_TRUE(b_->CreateFromReplication("main", {}, "main", "east", {}, {}).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  ASSERT_TRUE(b_->StopService("main").ok());
  ASSERT_TRUE(Eventually([&] { return LoadStreams(a_.store())->front().finished(); })) << "a source is to be told";
  a_.Reconnect({.answered = nullptr, .opens_left = 1});  // the handshake, and no more
  ASSERT_TRUE(b_->StartReplication("main", "main", "again", {}, {}).ok());
  EXPECT_EQ(SqlStateOf(b_->DropExternalConnection("again", false)), "2BP01");
  const absl::Status replaced = b_->DropExternalConnection("east", false);
  EXPECT_EQ(SqlStateOf(replaced), "2BP01") << "CANCEL REPLICATION puts it back";
  ASSERT_TRUE(b_->CancelReplication("main").ok());
  EXPECT_TRUE(Eventually([&] { return b_->DropExternalConnection("east", false).ok(); }));
}

TEST_F(ExternalConnectionsTest, ASourceThatIsToBeToldIsNamedByAnAddress) {
  Fill(a_, "row", 3);
  ASSERT_TRUE(b_->CreateExternalConnection("east", a_.uri(), false).ok());
  ASSERT_TRUE(b_->CreateFromReplication("main", {}, "main", "east", {}, {}).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  // Takes a connection and says nothing.
  const int listening = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listening, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listening, 8), 0);
  ASSERT_EQ(getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string mute = fmt::format("postgresql://root@127.0.0.1:{}?sslmode=disable", ntohs(address.sin_port));
  ASSERT_TRUE(b_->AlterExternalConnection("east", mute, false).ok());
  ASSERT_TRUE(b_->Drop("main", false).ok());
  const absl::Status waiting = b_->DropExternalConnection("east", false);
  EXPECT_EQ(SqlStateOf(waiting), "2BP01");
  EXPECT_NE(MessageOf(waiting).find("is still to be told"), std::string::npos) << waiting;
  close(listening);
  ASSERT_TRUE(b_->AlterExternalConnection("east", a_.uri(), false).ok());
  b_.Restart();
  EXPECT_TRUE(Eventually([&] { return b_->DropExternalConnection("east", false).ok(); }));
}

}  // namespace
}  // namespace anabranch
