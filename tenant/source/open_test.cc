// What OPEN takes from a peer, and what it leaves.
#include "storage/protection.h"
#include "tenant/catalog/paths.h"
#include "tenant/replication/open_request.h"
#include "tenant/testing/source_fixture.h"

namespace anabranch {
namespace {

class OpenTest : public SourceFixture {
 protected:
  std::string Refusal(const std::function<void(wire::OpenRequest&)>& change) {
    wire::OpenRequest request = NewStream();
    change(request);
    const size_t before = Streams();
    const absl::Status status = Open(request).status();
    EXPECT_EQ(Streams(), before);
    return SqlStateOf(status);
  }
  catalog::StreamRecord Record() { return LoadStreams(a_.store())->front(); }
};

TEST_F(OpenTest, AWindowIsOneThatTheSettingCouldHave) {
  const auto with_window = [](uint64_t window_ns) {
    return [=](wire::OpenRequest& request) { request.set_expiration_window_ns(window_ns); };
  };
  for (const uint64_t window_ns : {uint64_t{1}, 366 * 24 * kHourNs, UINT64_MAX, UINT64_MAX - 1'000}) {
    EXPECT_EQ(Refusal(with_window(window_ns)), "22023") << window_ns;
  }
  wire::OpenRequest request = Claimed();
  request.set_expiration_window_ns(UINT64_MAX);
  EXPECT_EQ(SqlStateOf(Open(request).status()), "22023");
  EXPECT_EQ(Record().expiration_window_ns(), 0u);
  request.set_expiration_window_ns(kHourNs);
  EXPECT_TRUE(Open(request).ok());
  EXPECT_EQ(Record().expiration_window_ns(), kHourNs);
}

TEST_F(OpenTest, TextsAreAsOursAre) {
  EXPECT_EQ(Refusal([](auto& request) { request.set_destination_tenant("a\nb"); }), "22023");
  EXPECT_EQ(Refusal([](auto& request) { request.set_destination_tenant(std::string(1'000, 'a')); }), "22023");
  EXPECT_EQ(Refusal([](auto& request) { request.set_source_tenant(std::string(1'000, 'a')); }), "22023");
  EXPECT_EQ(Refusal([](auto& request) { request.set_destination_cluster_id("x"); }), "22023");
  EXPECT_EQ(Refusal([](auto& request) { request.set_destination_cluster_id(std::string(1 << 20, 'a')); }), "22023");
  EXPECT_EQ(Refusal([](auto& request) { request.set_key(std::string(kOpenKeyBytesMax + 1, 'a')); }), "22023");
  EXPECT_EQ(Refusal([](auto& request) { request.add_ancestry()->set_branch_id("\"\n"); }), "22023");
  EXPECT_EQ(Refusal([](auto& request) {
              for (size_t i = 0; i <= kAncestryMax; ++i)
                request.add_ancestry()->set_branch_id(fmt::format("{:0{}x}", i, kBranchHexDigits));
            }),
            "22023");
}

TEST_F(OpenTest, StreamsAreCounted) {
  ASSERT_TRUE(Open(NewStream()).ok());
  ASSERT_TRUE(a_.store()
                  ->UpdateMeta([&, record = Record()](MetaUpdate& update) mutable {
                    for (size_t i = 1; i < kReplicationStreamsMax; ++i) {
                      record.set_stream_id(i);
                      PutStream(update, record);
                    }
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(Refusal([](auto&) {}), "54000");
  ASSERT_TRUE(source_->Release(StreamId(1)).ok());
  EXPECT_TRUE(Open(NewStream()).ok());
}

TEST_F(OpenTest, WhatIsRefusedForWantOfRoomEndsNoUndo) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->CompleteReplication("main", ToLatest{}, {}).ok());
  const auto main = [&] { return *LoadTenant(b_.store(), b_->Show("main")->id); };
  ASSERT_TRUE(b_.store()
                  ->UpdateMeta([&, id = main().id()](MetaUpdate& update) {
                    catalog::StreamRecord record;
                    record.set_tenant_id(id);
                    for (size_t i = 1; i <= kReplicationStreamsMax; ++i) {
                      record.set_stream_id(i);
                      PutStream(update, record);
                    }
                    return absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(SqlStateOf(b_->OpenStream(NewStream(), kRoot, {}).status()), "54000");
  EXPECT_TRUE(main().has_before_failover());
}

// Whatever destinations it names.
TEST_F(OpenTest, StreamsOfAUserAreCounted) {
  const StreamUser alice{.name = "alice"};
  ASSERT_TRUE(Open(NewStream(), alice).ok());
  ASSERT_TRUE(a_.store()
                  ->UpdateMeta([&, record = Record()](MetaUpdate& update) mutable {
                    for (size_t i = 1; i < kReplicationStreamsOfUserMax; ++i) {
                      record.set_stream_id(i);
                      record.set_destination_cluster_id(fmt::format("{:032x}", i));
                      PutStream(update, record);
                    }
                    return absl::OkStatus();
                  })
                  .ok());
  const absl::Status refused = Open(NewStream(), alice).status();
  EXPECT_EQ(SqlStateOf(refused), "54000");
  EXPECT_NE(MessageOf(refused).find("kReplicationStreamsOfUserMax"), std::string::npos) << refused;
  EXPECT_TRUE(Open(NewStream(), {.name = "bob"}).ok());
  EXPECT_TRUE(Open(NewStream()).ok());
  ASSERT_TRUE(source_->Release(StreamId(1)).ok());
  EXPECT_TRUE(Open(NewStream(), alice).ok());
}

TEST_F(OpenTest, ThePeersClockDecidesNothing) {
  for (const uint64_t ahead_ns : {9 * kMinuteNs, 11 * kMinuteNs, 1'000 * kHourNs}) {
    wire::OpenRequest request = NewStream();
    request.set_clock_ns(a_.store()->visible().ns + ahead_ns);
    EXPECT_TRUE(Open(request).ok()) << ahead_ns;
  }
  EXPECT_LT(a_.store()->visible().ns, a_.clock().WallNs() + kMinuteNs);
}

TEST_F(OpenTest, WhoAsksAgainWithTheSameKeyFindsItsStream) {
  wire::OpenRequest request = NewStream();
  request.set_key("main/7");
  const auto first = Open(request);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = Open(request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->SerializeAsString(), [&] {
    wire::OpenResponse same = *first;
    same.set_clock_ns(second->clock_ns());
    same.set_opening(2);
    return same.SerializeAsString();
  }());
  EXPECT_EQ(Streams(), 1u);
  // Neither another one's, nor one that is in use.
  EXPECT_NE(Open(request, {.name = "bob", .admin = true})->stream_id(), first->stream_id());
  wire::OpenRequest other = request;
  other.set_key("main/8");
  EXPECT_NE(Open(other)->stream_id(), first->stream_id());
  other = request;
  other.set_stream_id(first->stream_id());
  ASSERT_TRUE(Open(other).ok());
  EXPECT_NE(Open(request)->stream_id(), first->stream_id());
}

TEST_F(OpenTest, WhoHasLeftLeavesNothing) {
  std::stop_source left;
  left.request_stop();
  EXPECT_TRUE(absl::IsCancelled(source_->Open(NewStream(), kRoot, left.get_token()).status()));
  EXPECT_EQ(Streams(), 0u);
  EXPECT_TRUE(std::filesystem::is_empty(ExportsRoot(a_.store())));
  const IncarnationId main(LoadTenant(a_.store(), TenantId(2))->incarnation());
  EXPECT_FALSE(OldestProtected(a_.store(), main)->has_value());
}

// The farewell of a statement that gave up comes late: the one that was run after it has the stream now.
TEST_F(OpenTest, AnAnswerThatWasGivenUpDoesNotEndTheStreamThatWasFoundAgain) {
  wire::OpenRequest request = NewStream();
  request.set_key("main/7");
  const auto abandon = [&](const wire::OpenResponse& answer) {
    wire::FinishRequest finish;
    finish.set_stream_id(answer.stream_id());
    finish.set_destination_cluster_id(kStandby);
    finish.set_opening(answer.opening());
    return source_->Finish(finish, kRoot).status();
  };
  const auto given_up = Open(request);
  const auto found = Open(request);
  ASSERT_TRUE(given_up.ok() && found.ok()) << given_up.status() << found.status();
  ASSERT_EQ(given_up->stream_id(), found->stream_id());
  EXPECT_EQ(SqlStateOf(abandon(*given_up)), "55006");
  EXPECT_EQ(Streams(), 1u);
  // Nor once its standby has come for it.
  request.set_stream_id(found->stream_id());
  ASSERT_TRUE(Open(request).ok());
  EXPECT_EQ(SqlStateOf(abandon(*found)), "55006");
  EXPECT_EQ(Streams(), 1u);
  const auto another = Open(NewStream());
  ASSERT_TRUE(another.ok()) << another.status();
  EXPECT_TRUE(abandon(*another).ok());
  EXPECT_EQ(Streams(), 1u);
}

// A statement that was cancelled, or killed, and is run again.
TEST_F(OpenTest, AStatementThatIsRunAgainMakesNoSecondStream) {
  const auto opened = Open(*CopyHandshake(b_.store(), "main", "main"));
  ASSERT_TRUE(opened.ok()) << opened.status();
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(Streams(), 1u);
  EXPECT_EQ(Record().stream_id(), opened->stream_id());
  EXPECT_FALSE(Record().unclaimed());
}

TEST_F(OpenTest, AFailbackThatIsAskedForAnewReplacesThePromise) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  const auto main_of = [](TestCluster& cluster) { return *LoadTenant(cluster.store(), cluster->Show("main")->id); };
  const auto handshake = [&] { return b_->OpenStream(FailbackHandshake(a_.store(), main_of(a_), "main"), kRoot, {}); };
  const auto first = handshake();
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = handshake();
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_EQ(LoadStreams(b_.store())->size(), 1u);
  EXPECT_EQ(LoadStreams(b_.store())->front().stream_id(), second->stream_id());
  EXPECT_EQ(main_of(b_).promised_streams_size(), 1);
  // Which destination it is, a peer says itself: another user's promise is not replaced by that.
  const auto ask_as = [&](const StreamUser& user) {
    return b_->OpenStream(FailbackHandshake(a_.store(), main_of(a_), "main"), user, {}).status();
  };
  EXPECT_EQ(SqlStateOf(ask_as({.name = "bob"})), "42501");
  EXPECT_EQ(LoadStreams(b_.store())->front().stream_id(), second->stream_id());
  EXPECT_EQ(main_of(b_).promised_streams_size(), 1);
  EXPECT_TRUE(ask_as({.name = "bob", .admin = true}).ok());
  EXPECT_EQ(SqlStateOf(ask_as({.name = "alice"})), "42501");
  EXPECT_EQ(LoadStreams(b_.store())->size(), 1u);
}

// It would go on without the promise having ended.
TEST_F(OpenTest, APromisedStreamIsOpenedAgainBeforeItIsRead) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  Promote(b_);
  const catalog::TenantRecord main = *LoadTenant(a_.store(), TenantId(2));
  const auto promised = b_->OpenStream(FailbackHandshake(a_.store(), main, "main"), kRoot, {});
  ASSERT_TRUE(promised.ok()) << promised.status();
  wire::SubscribeRequest subscribe;
  subscribe.set_stream_id(promised->stream_id());
  subscribe.set_destination_cluster_id(a_.store()->cluster_id().value());
  SilentStandby standby;
  const absl::Status refused = b_->ServeSubscription(subscribe, kRoot, standby, {});
  EXPECT_EQ(SqlStateOf(refused), "55006");
  EXPECT_NE(MessageOf(refused).find("must be opened again"), std::string::npos) << refused;
}

TEST_F(OpenTest, ATakeOverEndsWhatTheFormerOwnerReads) {
  const StreamUser alice{.name = "alice"};
  const wire::OpenRequest request = Claimed(alice);
  SilentStandby standby;
  std::future<absl::Status> served = Connect(request.stream_id(), standby, alice);
  ASSERT_TRUE(Open(request).ok());
  const absl::Status ended = served.get();
  EXPECT_TRUE(absl::IsCancelled(ended)) << ended;
  EXPECT_EQ(Record().owner(), "root");
  SilentStandby again;
  EXPECT_EQ(SqlStateOf(Subscribe(request.stream_id(), again, alice)), "42501");
}

TEST_F(OpenTest, ToExplainChangesNothing) {
  wire::OpenRequest request = Claimed({.name = "alice"});
  const std::string before = Record().SerializeAsString();
  request.set_explain(true);
  request.set_expiration_window_ns(kHourNs);
  request.set_destination_tenant("renamed");
  const auto explained = Open(request);
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_EQ(explained->source_tenant(), "main");
  EXPECT_EQ(explained->stream_id(), 0u);
  EXPECT_EQ(Record().SerializeAsString(), before);
}

}  // namespace
}  // namespace anabranch
