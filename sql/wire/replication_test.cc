// Who may say what of a stream, at its source, over libpq. What a stream carries is stream_test.cc's business.
#include "sql/wire/replication.h"

#include <functional>
#include <map>

#include "base/coding.h"
#include "sql/testing/test_server.h"
#include "stream/frame.h"

namespace anabranch {
namespace {

constexpr char kStandby[] = "0123456789abcdef0123456789abcdef";

class StreamRightsTest : public ServerTest {
 protected:
  void SetUp() override {
    root_ = Connect("options=-ccluster=system");
    ASSERT_EQ(Connect()->Run("CREATE TABLE t (k INT PRIMARY KEY)"), "OK CREATE TABLE");
    for (const char* user : {"alice", "bob"}) {
      ASSERT_EQ(root_->Run(fmt::format("CREATE USER {} PASSWORD 'secret'", user)), "OK CREATE ROLE");
    }
    alice_ = As("alice");
    bob_ = As("bob");
  }
  std::unique_ptr<Client> As(const std::string& user) {
    return Connect(fmt::format("options=-ccluster=system user={}", user));
  }
  void MayReplicate(const std::string& user, bool may) {
    ASSERT_EQ(
        root_->Run(fmt::format("{} SYSTEM REPLICATIONSOURCE {} {}", may ? "GRANT" : "REVOKE", may ? "TO" : "FROM", user)),
        may ? "OK GRANT" : "OK REVOKE");
  }

  template <typename Request>
  static std::string Verb(const std::string& verb, const Request& request) {
    return fmt::format("REPLICATION_STREAM {} '{}'", verb, ToHex(request.SerializeAsString()));
  }
  // For an initial copy; the answer, or an SQLSTATE.
  std::string Open(Client& client) {
    wire::OpenRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_clock_ns(store_->visible().ns);
    request.set_source_tenant("main");
    request.set_destination_cluster_id(kStandby);
    request.set_destination_tenant("main");
    request.set_stream_id(stream_);
    const std::string answer = client.Run(Verb("OPEN", request));
    wire::OpenResponse response;
    std::string bytes;
    if (answer.size() <= 5 || !FromHex(answer, &bytes) || !response.ParseFromString(bytes)) return answer;
    stream_ = response.stream_id();
    start_at_ = response.start_at();
    file_ = response.manifest().files(0);
    return "opened";
  }
  template <typename Request>
  Request About() {
    Request request;
    request.set_stream_id(stream_);
    request.set_destination_cluster_id(kStandby);
    return request;
  }
  // The SQLSTATE that a stream ends with, "streaming" if it does not.
  std::string Stream(Client& client, const std::string& command) {
    client.Send(command);
    PGresult* first = PQgetResult(client.get());
    if (PQresultStatus(first) != PGRES_COPY_BOTH) {
      const std::string outcome = Client::Outcome(first);
      while (PGresult* more = PQgetResult(client.get())) PQclear(more);
      return outcome;
    }
    PQclear(first);
    char* data = nullptr;
    const int bytes = PQgetCopyData(client.get(), &data, 0);
    if (bytes <= 0) return client.Finish();
    PQfreemem(data);
    EXPECT_EQ(PQputCopyEnd(client.get(), nullptr), 1);
    while (PQgetCopyData(client.get(), &data, 0) > 0) PQfreemem(data);
    while (PGresult* more = PQgetResult(client.get())) PQclear(more);
    return "streaming";
  }
  std::string Copy(Client& client) {
    auto request = About<wire::CopyRequest>();
    request.set_family(file_.family());
    request.set_name(file_.name());
    return Stream(client, Verb("COPY", request));
  }
  std::string Subscription() {
    auto request = About<wire::SubscribeRequest>();
    request.set_after(start_at_);
    request.add_spans();
    request.set_credit_bytes(kCreditWindowBytes);
    return Verb("SUBSCRIBE", request);
  }
  std::string Subscribe(Client& client) { return Stream(client, Subscription()); }
  // Subscribes, does `meanwhile`, and reads to the end: the SQLSTATE that the stream ends with.
  std::string EndOfSubscription(Client& client, const std::function<void()>& meanwhile) {
    client.Send(Subscription());
    PGresult* first = PQgetResult(client.get());
    EXPECT_EQ(PQresultStatus(first), PGRES_COPY_BOTH);
    PQclear(first);
    meanwhile();
    char* data = nullptr;
    while (PQgetCopyData(client.get(), &data, 0) > 0) PQfreemem(data);
    return client.Finish();
  }
  // "finished", or the SQLSTATE of the refusal.
  std::string Finish(Client& client) {
    const std::string answer = client.Run(Verb("FINISH", About<wire::FinishRequest>()));
    wire::FinishResponse response;
    std::string bytes;
    const bool finished = answer.size() > 5 && FromHex(answer, &bytes) && response.ParseFromString(bytes);
    return finished && response.cluster_id() == store_->cluster_id().value() ? "finished" : answer;
  }

  std::unique_ptr<Client> root_;
  std::unique_ptr<Client> alice_;
  std::unique_ptr<Client> bob_;
  uint64_t stream_ = 0;
  uint64_t start_at_ = 0;
  wire::TransferFile file_;
};

TEST_F(StreamRightsTest, EveryVerbNeedsReplicationSource) {
  EXPECT_EQ(Open(*alice_), "42501");
  EXPECT_NE(alice_->error().find("user alice does not have REPLICATIONSOURCE system privilege"), std::string::npos)
      << alice_->error();
  EXPECT_NE(alice_->error().find("GRANT SYSTEM REPLICATIONSOURCE TO alice"), std::string::npos) << alice_->error();
  ASSERT_EQ(root_->Run("GRANT SYSTEM MANAGEVIRTUALCLUSTER, REPLICATIONDEST TO alice"), "OK GRANT");
  EXPECT_EQ(Open(*alice_), "42501") << "of another kind";
  MayReplicate("alice", true);
  EXPECT_EQ(Open(*alice_), "opened");
  EXPECT_EQ(Copy(*alice_), "streaming");
  EXPECT_EQ(Subscribe(*alice_), "streaming");

  // In force at the next verb of the running session.
  MayReplicate("alice", false);
  EXPECT_EQ(Open(*alice_), "42501");
  EXPECT_EQ(Copy(*alice_), "42501");
  EXPECT_EQ(Subscribe(*alice_), "42501");
  EXPECT_EQ(Finish(*alice_), "42501");
  MayReplicate("alice", true);
  EXPECT_EQ(Subscribe(*alice_), "streaming");
  EXPECT_EQ(Finish(*alice_), "finished");
  EXPECT_EQ(Subscribe(*alice_), "55000") << "it is over";
}

TEST_F(StreamRightsTest, AForeignStreamIsLeftAlone) {
  MayReplicate("alice", true);
  MayReplicate("bob", true);
  ASSERT_EQ(Open(*alice_), "opened");
  EXPECT_EQ(Open(*bob_), "42501");
  EXPECT_EQ(Copy(*bob_), "42501");
  EXPECT_EQ(Subscribe(*bob_), "42501");
  EXPECT_EQ(Finish(*bob_), "42501");
  EXPECT_NE(bob_->error().find("user bob does not own stream"), std::string::npos) << bob_->error();
  EXPECT_EQ(Copy(*alice_), "streaming");
  // An administrator takes it over, and then it is no longer alice's.
  EXPECT_EQ(Open(*root_), "opened");
  EXPECT_EQ(Copy(*alice_), "42501");
  EXPECT_EQ(Finish(*root_), "finished");
}

TEST_F(StreamRightsTest, AnAdministratorEndsAForeignOne) {
  MayReplicate("alice", true);
  ASSERT_EQ(Open(*alice_), "opened");
  EXPECT_EQ(Finish(*root_), "finished");
  EXPECT_EQ(Copy(*alice_), "55000");
}

// Neither waits for the next request.
TEST_F(StreamRightsTest, ARunningStreamEndsWithItsUsersRight) {
  const std::map<std::string, std::string> ways = {
      {"GRANT SYSTEM REPLICATIONSOURCE TO alice", "REVOKE SYSTEM REPLICATIONSOURCE FROM alice"},
      {"GRANT SYSTEM REPLICATION TO alice", "REVOKE SYSTEM REPLICATIONSOURCE FROM alice"},
      {"GRANT admin TO alice", "REVOKE admin FROM alice"}};
  for (const auto& [grant, revoke] : ways) {
    ASSERT_EQ(root_->Run(grant).substr(0, 2), "OK");
    ASSERT_EQ(Open(*alice_), "opened");
    const auto take_away = [&] { ASSERT_EQ(root_->Run(revoke).substr(0, 2), "OK"); };
    EXPECT_EQ(EndOfSubscription(*alice_, take_away), "42501") << revoke;
    EXPECT_EQ(Open(*alice_), "42501") << revoke;
    stream_ = 0;
  }
}

TEST_F(StreamRightsTest, ATakeOverEndsWhatTheFormerOwnerReads) {
  MayReplicate("alice", true);
  ASSERT_EQ(Open(*alice_), "opened");
  EndOfSubscription(*alice_, [&] { ASSERT_EQ(Open(*root_), "opened"); });
  EXPECT_EQ(Subscribe(*alice_), "42501");
}

}  // namespace
}  // namespace anabranch
