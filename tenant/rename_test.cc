// Renaming at either side, while data flows.
#include "tenant/catalog/catalog.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

class RenameTest : public ReplicationFixture {};

TEST_F(RenameTest, ANameIsFreeOrItIsTakenAndSessionsGoOn) {
  absl::StatusOr<ServedVirtualCluster> session = a_->Connect("main");
  ASSERT_TRUE(session.ok());
  ASSERT_TRUE(a_->Create("other", {}).ok());
  const absl::Status taken = a_->Rename("main", "other");
  EXPECT_EQ(SqlStateOf(taken), "42710");
  EXPECT_EQ(MessageOf(taken), "name \"other\" is already taken");
  EXPECT_EQ(SqlStateOf(a_->Rename("main", "")), "42601");
  EXPECT_EQ(SqlStateOf(a_->Rename("main", "a b")), "22023");
  EXPECT_EQ(SqlStateOf(a_->Rename("nobody", "x")), "42704");
  const absl::Status system = a_->Rename("system", "x");
  EXPECT_EQ(SqlStateOf(system), "22023");
  EXPECT_EQ(MessageOf(system), "cannot rename tenant \"1\", ID assigned to system tenant");
  EXPECT_TRUE(a_->Rename("main", "main").ok());
  EXPECT_EQ(a_->Connect("")->name, "main");

  ASSERT_TRUE(a_->Rename("main", "prod").ok());
  EXPECT_EQ(a_->Connect("prod")->name, "prod");
  EXPECT_EQ(a_->Connect("")->name, "prod") << "the default target follows";
  EXPECT_EQ(SqlStateOf(a_->Connect("main").status()), "3D000");
  WriteSet writes{{"k", {WriteKind::kPut, "v"}}};
  EXPECT_TRUE(a_.store()
                  ->Commit({.keyspace = session->context.keyspace,
                            .epoch = session->context.epoch,
                            .writes = std::make_shared<const WriteList>(writes),
                            .validate_spans = {},
                            .validate_after = {}})
                  .ok())
      << "of a session that was there before";
  session = absl::CancelledError();  // it holds the store
  a_.Restart();
  EXPECT_EQ(a_.Get("prod", "k"), "v");
  ASSERT_TRUE(a_->Create("main", {}).ok()) << "the old name is free";
  EXPECT_EQ(a_->Connect("")->name, "prod");
}

TEST_F(RenameTest, ARenamedSourceFeedsItsStandbyNowAndWhenItConnectsAgain) {
  Fill(a_, "before", 3);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(a_->Rename("main", "prod").ok());
  ASSERT_TRUE(a_->Create("main", {}).ok()) << "somebody else has the name now";
  ASSERT_TRUE(a_.Put("prod", "running", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(b_.Status("main").source_tenant_name, "main") << "as of the last connect";
  a_.Disconnect();
  a_.Reconnect();
  ASSERT_TRUE(a_.Put("prod", "again", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(b_.Status("main").source_tenant_name, "prod");
  EXPECT_EQ(b_.StateOf("main"), "replicating");
  Promote(b_);
  EXPECT_EQ(b_.Get("main", "again"), "v");
  ASSERT_TRUE(a_->StopService("prod").ok());
  EXPECT_TRUE(a_->StartReplication("prod", "main", b_.uri(), {}, {}).ok()) << "lineage follows ids";
}

TEST_F(RenameTest, ARenamedStandbyGoesOnAndItsSourceLearnsTheName) {
  Fill(a_, "before", 3);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->Rename("main", "standby").ok());
  ASSERT_TRUE(a_.Put("main", "running", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_, "standby"));
  b_.Restart();
  ASSERT_TRUE(a_.Put("main", "again", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_, "standby"));
  const auto streams = LoadStreams(a_.store());
  ASSERT_TRUE(streams.ok());
  ASSERT_EQ(streams->size(), 1u);
  EXPECT_EQ(streams->front().destination_tenant(), "standby");
}

TEST_F(RenameTest, ASourceCanBeGivenByItsId) {
  Fill(a_, "row", 3);
  ASSERT_TRUE(b_->CreateFromReplication("main", {}, TenantId(2), a_.uri(), {}, {}).ok());
  EXPECT_EQ(b_.Status("main").source_tenant_name, "main");
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(SqlStateOf(b_->CreateFromReplication("x", {}, TenantId(1), a_.uri(), {}, {})), "22023");
  EXPECT_EQ(SqlStateOf(b_->CreateFromReplication("x", {}, TenantId(77), a_.uri(), {}, {})), "42704");
  Promote(b_);
  ASSERT_TRUE(a_->StopService("main").ok());
  EXPECT_TRUE(a_->StartReplication("main", b_->Show("main")->id, b_.uri(), {}, {}).ok());
}

}  // namespace
}  // namespace anabranch
