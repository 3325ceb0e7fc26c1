// Whose a stream is, at its source.
#include "tenant/catalog/catalog.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

const StreamUser kAlice{.name = "alice"};
const StreamUser kBob{.name = "bob"};

// Nothing is ever sent through it.
class NoTransport final : public FrameTransport {
 public:
  absl::Status Send(std::string_view, WakeEvent*) override { return absl::InternalError("sent"); }
  absl::StatusOr<std::optional<std::string>> Receive(int, WakeEvent*) override { return absl::InternalError("received"); }
};

class StreamOwnerTest : public ReplicationFixture {
 protected:
  // A stream from A to B whose user is alice.
  void SetUp() override {
    a_.Reconnect({.user = kAlice});
    Fill(a_, "k", 5);
    ASSERT_TRUE(Replicate(a_, b_).ok());
    ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
    b_to_ = b_.store()->cluster_id().value();
  }

  catalog::StreamRecord Stream() { return LoadStreams(a_.store())->front(); }
  void SetOwner(const std::string& owner) {
    ASSERT_TRUE(UpdateStream(a_.store(), Id(), [&](MetaUpdate&, catalog::StreamRecord& record) {
                  record.set_owner(owner);
                  return absl::OkStatus();
                }).ok());
  }
  StreamId Id() { return StreamId(Stream().stream_id()); }
  absl::Status Finish(const StreamUser& user, const std::string& destination) {
    wire::FinishRequest request;
    request.set_stream_id(Stream().stream_id());
    request.set_destination_cluster_id(destination);
    return a_->FinishStream(request, user).status();
  }
  // Its first connection, or all of its connections, come back as `user`.
  void ComeBackAs(const StreamUser& user) {
    a_.Disconnect();
    a_.Reconnect({.user = user});
  }
  bool Refused() {
    return Eventually([&] { return b_.StateOf("main") == "replication error"; });
  }

  std::string b_to_;
};

TEST_F(StreamOwnerTest, OnlyTheOwnerFinishesIt) {
  EXPECT_EQ(Stream().owner(), "alice");
  const absl::Status foreign = Finish(kBob, b_to_);
  EXPECT_EQ(SqlStateOf(foreign), "42501");
  EXPECT_EQ(MessageOf(foreign), fmt::format("user bob does not own stream {}", StreamText(Id())));
  EXPECT_EQ(SqlStateOf(Finish(kRoot, "")), "42501") << "who does not even say where it goes to";
  const absl::Status elsewhere = Finish(kAlice, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(SqlStateOf(elsewhere), "42501");
  EXPECT_EQ(MessageOf(elsewhere), fmt::format("stream {} is of another standby", StreamText(Id())));
  // The stream lives on.
  Fill(a_, "later", 3);
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  EXPECT_TRUE(Finish(kAlice, b_to_).ok());
  EXPECT_EQ(LoadStreams(a_.store())->size(), 0u);
}

TEST_F(StreamOwnerTest, AnAdministratorFinishesIt) {
  EXPECT_TRUE(Finish(kRoot, b_to_).ok());
  EXPECT_EQ(LoadStreams(a_.store())->size(), 0u);
}

TEST_F(StreamOwnerTest, OnlyTheOwnerReadsIt) {
  wire::SubscribeRequest subscribe;
  subscribe.set_stream_id(Stream().stream_id());
  wire::CopyRequest copy;
  copy.set_stream_id(Stream().stream_id());
  NoTransport transport;
  EXPECT_EQ(SqlStateOf(a_->ServeSubscription(subscribe, kBob, transport, {})), "42501");
  EXPECT_EQ(SqlStateOf(a_->ServeCopy(copy, kBob, transport, {})), "42501");
  subscribe.set_destination_cluster_id("0123456789abcdef0123456789abcdef");
  EXPECT_EQ(SqlStateOf(a_->ServeSubscription(subscribe, kAlice, transport, {})), "42501");
}

TEST_F(StreamOwnerTest, AnotherUserIsRefusedForGoodAndAnAdministratorTakesOver) {
  ComeBackAs(kBob);
  ASSERT_TRUE(Refused());
  const std::string error = b_.Status("main").last_error;
  EXPECT_NE(error.find("user bob does not own stream"), std::string::npos) << error;
  EXPECT_NE(error.find("RESUME REPLICATION"), std::string::npos) << error;
  EXPECT_EQ(Stream().owner(), "alice");

  ComeBackAs(kRoot);
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  Fill(a_, "later", 3);
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  EXPECT_EQ(Stream().owner(), "root");
  EXPECT_EQ(b_.Status("main").initial_copies, 1u);
  EXPECT_EQ(SqlStateOf(Finish(kAlice, b_to_)), "42501");
}

TEST_F(StreamOwnerTest, AStreamWithoutAnOwnerIsOfWhoOpensItNext) {
  SetOwner("");
  EXPECT_EQ(SqlStateOf(Finish(kBob, "")), "42501") << "who does not even say where it goes to";
  ComeBackAs(kBob);
  Fill(a_, "later", 3);
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  EXPECT_EQ(Stream().owner(), "bob");
  // The promotion is told in bob's name.
  Promote(b_);
  EXPECT_TRUE(Eventually([&] { return Stream().finished(); }));
}

// It is of whoever opens it, and until then of nobody.
TEST_F(StreamOwnerTest, AStreamWithoutAnOwnerIsNeitherReadNorFinished) {
  SetOwner("");
  EXPECT_EQ(SqlStateOf(Finish(kBob, b_to_)), "42501");
  wire::SubscribeRequest subscribe;
  subscribe.set_stream_id(Stream().stream_id());
  subscribe.set_destination_cluster_id(b_to_);
  NoTransport transport;
  EXPECT_EQ(SqlStateOf(a_->ServeSubscription(subscribe, kBob, transport, {})), "42501");
  EXPECT_EQ(LoadStreams(a_.store())->size(), 1u);
}

}  // namespace
}  // namespace anabranch
