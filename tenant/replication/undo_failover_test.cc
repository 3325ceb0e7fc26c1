// UNDO COMPLETE REPLICATION: what it brings back, until when, and after which crash.
#include "tenant/replication/undo_failover.h"

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/gc.h"
#include "storage/protection.h"
#include "storage/revert.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/farewells.h"
#include "tenant/catalog/limits.h"
#include "tenant/catalog/receipts.h"
#include "tenant/replication/failover.h"
#include "tenant/testing/replication_fixture.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

constexpr TenantId kMainOnB{2};
constexpr uint64_t kHourNs = 3600ull * 1'000'000'000;

class UndoFailoverTest : public ReplicationFixture {
 protected:
  void SetUp() override {
    Fill(a_, "shared", 5);
    ASSERT_TRUE(Replicate(a_, b_).ok());
    ASSERT_TRUE(CaughtUp(a_, b_));
    kept_ = *a_.Put("main", "k", "old");
    ASSERT_TRUE(a_.Put("main", "k", "new").ok());
    ASSERT_TRUE(CaughtUp(a_, b_));
    ASSERT_TRUE(b_->PauseReplication("main").ok());
    replicated_ = *b_.Status("main").replicated_time;
    retained_ = *b_.Status("main").retained_time;
    before_ = Record();
  }

  catalog::TenantRecord Record() { return *LoadTenant(b_.store(), kMainOnB); }
  KeyspaceRef Keyspace() { return *b_.store()->FindKeyspace(IncarnationId(before_.incarnation())); }
  bool IsSwept() { return Keyspace()->state()->hidden.empty(); }
  // To before the newest write, which is hidden by it.
  void Complete() {
    const auto at = b_->CompleteReplication("main", ToSystemTime{FormatHlc(kept_)}, {});
    ASSERT_TRUE(at.ok()) << at.status();
    EXPECT_EQ(Keyspace()->state()->hidden.size(), 1u);
  }
  absl::Status Undo() { return b_->UndoCompleteReplication("main", "anna"); }
  void ExpectRefused(const std::string& why) {
    const std::string before = Record().SerializeAsString();
    const absl::Status refused = Undo();
    EXPECT_EQ(SqlStateOf(refused), "55000") << refused;
    EXPECT_NE(MessageOf(refused).find(why), std::string::npos) << refused;
    EXPECT_NE(HintOf(refused).find("ALTER VIRTUAL CLUSTER main START REPLICATION OF"), std::string::npos)
        << HintOf(refused);
    if (Record().SerializeAsString() != before) {
      EXPECT_EQ(Record().failover_receipt(), 0u) << "nothing but the end of a sweep is noted";
    }
  }
  // The catalog is what it was, but for the stages of its receipt.
  void ExpectAsBefore() {
    EXPECT_EQ(b_.StateOf("main"), "replication paused");
    EXPECT_EQ(b_.Status("main").replicated_time, replicated_);
    EXPECT_EQ(b_.Status("main").retained_time, retained_);
    EXPECT_EQ(b_.Status("main").failover_time, std::nullopt);
    EXPECT_EQ(Record().SerializeAsString(), before_.SerializeAsString());
    EXPECT_TRUE(IsSwept()) << "nothing is hidden any more";
    EXPECT_EQ(*ProtectedBy(b_.store(), Keyspace()->incarnation(), "failover"), std::nullopt);
    EXPECT_NE(*ProtectedBy(b_.store(), Keyspace()->incarnation(), "retention"), std::nullopt);
  }
  void ExpectResumesWithoutACopy() {
    ASSERT_TRUE(b_->ResumeReplication("main").ok());
    ASSERT_TRUE(a_.Put("main", "later", "1").ok());
    ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
    EXPECT_EQ(b_.Status("main").initial_copies, 1u);
    const Timestamp at = Promote(b_);
    EXPECT_EQ(b_.Get("main", "k"), "new");
    EXPECT_EQ(b_.Get("main", "later"), "1");
    EXPECT_EQ(a_.FingerprintAt("main", at), b_.FingerprintAt("main", at));
  }

  Timestamp kept_;
  Timestamp replicated_;
  Timestamp retained_;
  catalog::TenantRecord before_;
};

TEST_F(UndoFailoverTest, BringsBackTheStandbyAndItsStream) {
  const uint64_t expected = b_.FingerprintAt("main", replicated_);
  Complete();
  EXPECT_NE(b_.Status("main").progress.find("can be undone until"), std::string::npos);
  const absl::Status undone = Undo();
  ASSERT_TRUE(undone.ok()) << undone;
  ExpectAsBefore();
  EXPECT_EQ(b_.FingerprintAt("main", replicated_), expected) << "what was hidden is there again";
  EXPECT_FALSE(LoadStreams(a_.store())->front().finished()) << "the source was not told";
  ExpectResumesWithoutACopy();
}

TEST_F(UndoFailoverTest, ToLatestAndAgain) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(b_->CompleteReplication("main", ToLatest{}, {}).ok());
    ASSERT_TRUE(Undo().ok());
    ExpectAsBefore();
    Complete();
    ASSERT_TRUE(Undo().ok());
    ExpectAsBefore();
  }
  EXPECT_EQ(SqlStateOf(Undo()), "55000");
  ExpectResumesWithoutACopy();
}

TEST_F(UndoFailoverTest, OfAPendingOneLeavesNothingPending) {
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  const auto soon = b_->CompleteReplication("main", ToSystemTime{"+100ms"}, {});
  ASSERT_TRUE(soon.ok()) << soon.status();
  ASSERT_TRUE(Eventually([&] { return b_.StateOf("main") == "ready"; }));
  ASSERT_TRUE(Undo().ok());
  EXPECT_EQ(b_.StateOf("main"), "replication paused");
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  EXPECT_EQ(b_.StateOf("main"), "replicating");
}

TEST_F(UndoFailoverTest, AReaderThatTheFailoverLeftFollowsAgain) {
  ASSERT_TRUE(b_->AddReadVirtualCluster("main").ok());
  before_ = Record();
  ASSERT_TRUE(b_->CompleteReplication("main", ToLatest{}, {}).ok());
  EXPECT_NE(*ProtectedBy(b_.store(), Keyspace()->incarnation(), kReaderHolder), std::nullopt);
  ASSERT_TRUE(Undo().ok());
  ExpectAsBefore();
  EXPECT_EQ(*ProtectedBy(b_.store(), Keyspace()->incarnation(), kReaderHolder), std::nullopt);
  EXPECT_EQ(b_.StateOf("main-readonly"), "ready");
  ExpectResumesWithoutACopy();
}

TEST_F(UndoFailoverTest, AReaderThatTheFailoverEndedIsMadeAgain) {
  ASSERT_TRUE(b_->AddReadVirtualCluster("main").ok());
  const uint64_t reader = Record().reader();
  Complete();
  EXPECT_EQ(Record().reader(), 0u);
  EXPECT_TRUE(Eventually([&] { return b_.StateOf("main-readonly") == "42704"; }));
  ASSERT_TRUE(Undo().ok());
  EXPECT_EQ(b_.StateOf("main-readonly"), "ready");
  EXPECT_GT(Record().reader(), reader);
  EXPECT_TRUE(b_->Connect("main-readonly").ok());
  ExpectResumesWithoutACopy();
}

TEST_F(UndoFailoverTest, AReaderWhoseNameIsTakenIsNotMadeAgain) {
  ASSERT_TRUE(b_->AddReadVirtualCluster("main").ok());
  Complete();
  ASSERT_TRUE(Eventually([&] { return b_.StateOf("main-readonly") == "42704"; }));
  ASSERT_TRUE(b_->Create("main-readonly", {}).ok());
  ASSERT_TRUE(Undo().ok());
  EXPECT_EQ(b_.StateOf("main"), "replication paused");
  EXPECT_EQ(Record().reader(), 0u);
}

TEST_F(UndoFailoverTest, AReaderForWhichThereIsNoRoomIsNotMadeAgain) {
  ASSERT_TRUE(b_->AddReadVirtualCluster("main").ok());
  Complete();
  ASSERT_TRUE(Eventually([&] { return b_.StateOf("main-readonly") == "42704"; }));
  const size_t there = LoadTenants(b_.store())->size();
  ASSERT_TRUE(b_.store()
                  ->UpdateMeta([&](MetaUpdate& update) {
                    catalog::TenantRecord record;
                    SetState(record, DataState::kAdd);
                    SetMode(record, ServiceMode::kNone);
                    for (uint64_t i = there; i < kVirtualClustersMax; ++i) {
                      record.set_id(1'000 + i);
                      PutTenant(update, record);
                    }
                    return absl::OkStatus();
                  })
                  .ok());
  ASSERT_TRUE(Undo().ok());
  EXPECT_EQ(b_.StateOf("main"), "replication paused");
  EXPECT_EQ(Record().reader(), 0u);
  EXPECT_EQ(LoadTenants(b_.store())->size(), static_cast<size_t>(kVirtualClustersMax));
}

// --- Killed ---

TEST_F(UndoFailoverTest, KilledAfterEachWriteOfItsStory) {
  // The failover is published, and nothing else.
  ASSERT_TRUE(PublishFailover(b_.store(), kMainOnB, kept_, {.user = "anna", .undo_window_ns = kFailoverUndoWindowNs}).ok());
  b_.Restart();
  EXPECT_EQ(b_.StateOf("main"), "ready");
  EXPECT_FALSE(IsSwept());
  // The undo is written, and nothing else.
  ASSERT_TRUE(UndoFailover(b_.store(), kMainOnB, "anna").ok());
  b_.Restart();
  ExpectAsBefore();
  // It can be undone no more, and nothing was begun yet.
  Complete();
  ASSERT_TRUE(UpdateTenant(b_.store(), kMainOnB, [](MetaUpdate& update, catalog::TenantRecord& record) {
                EXPECT_TRUE(EndUndo(update, record, "of the test"));
                return absl::OkStatus();
              }).ok());
  b_.Restart();
  ExpectRefused("of the test");
  EXPECT_TRUE(Eventually([&] { return IsSwept(); }));
  EXPECT_TRUE(Eventually([&] { return LoadStreams(a_.store())->front().finished(); })) << "the source is told";
  EXPECT_TRUE(Eventually([&] { return LoadFarewells(b_.store())->empty(); }));
}

TEST_F(UndoFailoverTest, ASourceThatIsAwayIsToldWhenItIsBack) {
  Complete();
  a_.Disconnect();
  ASSERT_TRUE(b_->StartService("main").ok());
  EXPECT_EQ(LoadFarewells(b_.store())->size(), 1u);
  a_.Reconnect();
  b_.Restart();
  EXPECT_TRUE(Eventually([&] { return LoadStreams(a_.store())->front().finished(); }));
  EXPECT_TRUE(Eventually([&] { return LoadFarewells(b_.store())->empty(); }));
}

// Whoever concludes it: another stream may have begun since.
TEST_F(UndoFailoverTest, WithoutAWindowTheFarewellIsOfTheStreamThatEnded) {
  const uint64_t stream = before_.replication().stream_id();
  ASSERT_TRUE(PublishFailover(b_.store(), kMainOnB, kept_).ok());
  const auto journaled = LoadFarewells(b_.store());
  ASSERT_EQ(journaled->size(), 1u);
  EXPECT_EQ(journaled->front().stream_id(), stream);
  EXPECT_TRUE(journaled->front().promoted());
  ASSERT_TRUE(UpdateTenant(b_.store(), kMainOnB, [&](MetaUpdate&, catalog::TenantRecord& record) {
                record.mutable_replication()->set_stream_id(stream + 1);
                return absl::OkStatus();
              }).ok());
  b_.Restart();
  EXPECT_TRUE(Eventually([&] { return LoadStreams(a_.store())->front().finished(); }));
}

// --- The sweeper ---

// Started for something else, and late.
TEST_F(UndoFailoverTest, ASweeperLeavesWhatIsKept) {
  const uint64_t expected = b_.FingerprintAt("main", replicated_);
  Complete();
  const uint64_t receipt = Record().failover_receipt();
  TenantRuntime late(b_.store(), kMainOnB, "main");
  late.sweeper.Start(Keyspace());
  ASSERT_TRUE(late.sweeper.WaitIdle({}, kSweepWaitMs).ok());
  EXPECT_EQ(Keyspace()->state()->hidden.size(), 1u);
  EXPECT_EQ(Record().failover_receipt(), receipt) << "its receipt is not complete";
  ASSERT_TRUE(Undo().ok());
  ExpectAsBefore();
  EXPECT_EQ(b_.FingerprintAt("main", replicated_), expected);
}

// The epoch was taken while there was nothing to keep.
TEST_F(UndoFailoverTest, ASweepThatBeganBeforeIsFenced) {
  const Epoch epoch = Keyspace()->state()->epoch;
  Complete();
  EXPECT_TRUE(IsFenced(SweepHidden(b_.store(), Keyspace(), epoch, {}, nullptr).status()));
  ASSERT_TRUE(Undo().ok());
  ExpectAsBefore();
}

TEST_F(UndoFailoverTest, ASweeperDoesNotCompleteTheReceiptOfOneThatHidNothing) {
  ASSERT_TRUE(b_->CompleteReplication("main", ToLatest{}, {}).ok());
  const uint64_t receipt = Record().failover_receipt();
  TenantRuntime late(b_.store(), kMainOnB, "main");
  late.sweeper.Start(Keyspace());
  ASSERT_TRUE(late.sweeper.WaitIdle({}, kSweepWaitMs).ok());
  EXPECT_EQ(Record().failover_receipt(), receipt);
  ASSERT_TRUE(Undo().ok());
  const auto receipts = LoadReceipts(b_.store());
  ASSERT_EQ(receipts->size(), 2u);
  EXPECT_TRUE(receipts->front().undone());
}

TEST_F(UndoFailoverTest, NotWhenWhatItHidIsGone) {
  Complete();
  ASSERT_TRUE(SweepHidden(b_.store(), Keyspace(), Keyspace()->state()->epoch, {}, nullptr).ok());
  ExpectRefused("what it hid is swept");
}

// The receipt that makes room for the one of the undo is that of the failover.
TEST_F(UndoFailoverTest, AReceiptThatIsRemovedStaysRemoved) {
  Complete();
  const uint64_t number = Record().failover_receipt();
  ASSERT_TRUE(b_.store()
                  ->UpdateMeta([&](MetaUpdate& update) {
                    update.Put("counter/failover", fmt::format("{}", number + kReceiptsKept - 1));
                    return absl::OkStatus();
                  })
                  .ok());
  ASSERT_TRUE(Undo().ok());
  const auto receipts = LoadReceipts(b_.store());
  ASSERT_EQ(receipts->size(), 1u);
  EXPECT_EQ(receipts->front().number(), number + kReceiptsKept);
}

TEST_F(UndoFailoverTest, AfterARestartOfBoth) {
  Complete();
  b_.Restart();
  a_.Restart();
  EXPECT_FALSE(IsSwept());
  ASSERT_TRUE(Undo().ok());
  b_.Restart();
  ExpectAsBefore();
  ExpectResumesWithoutACopy();
}

// --- Until when ---

TEST_F(UndoFailoverTest, NotAfterItsServiceWasStarted) {
  Complete();
  ASSERT_TRUE(b_->StartService("main").ok());
  ExpectRefused("its service was started");
  EXPECT_TRUE(Eventually([&] { return IsSwept(); }));
  EXPECT_TRUE(Eventually([&] { return LoadStreams(a_.store())->front().finished(); })) << "the source is told";
  ASSERT_TRUE(b_->StopService("main").ok());
  ExpectRefused("its service was started");
  b_.Restart();
  ExpectRefused("its service was started");
  EXPECT_EQ(*ProtectedBy(b_.store(), Keyspace()->incarnation(), "retention"), std::nullopt);
}

TEST_F(UndoFailoverTest, NotAfterTheWindow) {
  b_.SetUndoWindow("50ms");
  b_.Restart();
  Complete();
  EXPECT_TRUE(Eventually([&] { return IsSwept(); }));
  ExpectRefused("physical_replication.failover.undo_window has passed");
  EXPECT_TRUE(Eventually([&] { return LoadStreams(a_.store())->front().finished(); }));
  EXPECT_EQ(b_.StateOf("main"), "ready");
}

TEST_F(UndoFailoverTest, NotAfterAnotherChangeOfItsHistory) {
  Complete();
  ASSERT_TRUE(UpdateTenant(b_.store(), kMainOnB, [&](MetaUpdate&, catalog::TenantRecord& record) {
                ToWire(Fork(FromWire(record.ancestry()), BranchId("another"), kept_), record.mutable_ancestry());
                return absl::OkStatus();
              }).ok());
  ExpectRefused("its history was changed");
}

// Whatever else of the housekeeper's work fails.
TEST_F(UndoFailoverTest, AFailureElsewhereKeepsNoWindowOpen) {
  ASSERT_TRUE(b_.store()
                  ->UpdateMeta([&](MetaUpdate& update) {
                    update.Put(StreamKey(StreamId(7)), "\xff");
                    return absl::OkStatus();
                  })
                  .ok());
  b_.SetUndoWindow("50ms");
  Complete();
  EXPECT_TRUE(Eventually([&] { return IsSwept(); }));
}

TEST_F(UndoFailoverTest, NoLongerThanTheSourceKeepsTheHistory) {
  b_.SetUndoWindow("2h");
  ASSERT_TRUE(b_->ChangeReplication("main", {.retention_ns = {}, .expiration_window_ns = kHourNs, .address = {}}, {}).ok());
  constexpr uint64_t kToleranceNs = kHourNs / 60;  // of what one knows of the other's clock
  Complete();
  EXPECT_NEAR(static_cast<double>(Record().before_failover().undo_until_ns()),
              static_cast<double>(replicated_.ns + kHourNs), kToleranceNs);
  ASSERT_TRUE(Undo().ok());
  // The source counts the silence from before the failover, too.
  a_.clock().Advance(kHourNs / 2);
  b_.clock().Advance(kHourNs / 2);
  const auto explained = b_->ExplainComplete("main", ToSystemTime{FormatHlc(kept_)}, {});
  ASSERT_TRUE(explained.ok()) << explained.status();
  const auto row = std::find_if(explained->begin(), explained->end(),
                                [](const auto& cells) { return cells.first == "can be undone for, seconds"; });
  ASSERT_NE(row, explained->end());
  EXPECT_NEAR(std::stod(row->second), 1'800, 60);
  Complete();
  EXPECT_NEAR(static_cast<double>(Record().before_failover().undo_until_ns()),
              static_cast<double>(replicated_.ns + kHourNs), kToleranceNs);
  ASSERT_TRUE(Undo().ok());
  ExpectResumesWithoutACopy();
}

TEST_F(UndoFailoverTest, NotWhenTheSourceMayHaveForgottenTheStandby) {
  b_.clock().Advance(25 * kHourNs);
  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{FormatHlc(kept_)}, {}).ok());
  EXPECT_TRUE(Eventually([&] { return IsSwept(); }));
  ExpectRefused("its source might have forgotten it");
}

TEST_F(UndoFailoverTest, AStandbyKnowsHowLongItsSourceKeepsTheHistory) {
  EXPECT_EQ(before_.replication().source_expiration_window_ns(), kExpirationWindowNs);
  ASSERT_TRUE(a_->SetClusterSetting("physical_replication.expiration_window", "1h").ok());
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  EXPECT_TRUE(Eventually([&] { return Record().replication().source_expiration_window_ns() == kHourNs; }));
}

TEST_F(UndoFailoverTest, WithoutAWindowItIsSweptAtOnce) {
  b_.SetUndoWindow("0s");
  b_.Restart();
  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{FormatHlc(kept_)}, {}).ok());
  EXPECT_TRUE(Eventually([&] { return IsSwept(); }));
  ExpectRefused("physical_replication.failover.undo_window is 0");
}

TEST_F(UndoFailoverTest, OnlyOfWhatWasPromoted) {
  EXPECT_EQ(SqlStateOf(Undo()), "55000");
  EXPECT_EQ(SqlStateOf(a_->UndoCompleteReplication("main", "anna")), "55000");
  EXPECT_EQ(SqlStateOf(a_->UndoCompleteReplication("system", "anna")), "22023");
  EXPECT_EQ(SqlStateOf(a_->UndoCompleteReplication("nobody", "anna")), "42704");
  EXPECT_EQ(Record().SerializeAsString(), before_.SerializeAsString());
}

// --- Others ---

TEST_F(UndoFailoverTest, AFailbackOfItsOwnEndsItOnlyWhenTheSourceAgrees) {
  Complete();
  a_.Disconnect();
  EXPECT_EQ(SqlStateOf(b_->StartReplication("main", "main", a_.uri(), {}, {})), "08001");
  EXPECT_FALSE(IsSwept());
  a_.Reconnect();
  const absl::Status followed = b_->StartReplication("main", "main", a_.uri(), {}, {});
  ASSERT_TRUE(followed.ok()) << followed;
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  EXPECT_EQ(b_.Status("main").initial_copies, 0u);
}

TEST_F(UndoFailoverTest, TheSourceThatFollowsEndsIt) {
  Complete();
  const absl::Status followed = FailBack(a_, b_);
  ASSERT_TRUE(followed.ok()) << followed;
  ExpectRefused("it is replicated from");
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
}

TEST_F(UndoFailoverTest, ANewStandbyEndsIt) {
  TestCluster c(Virtualization::kVirtualizedEmpty, 3);
  Complete();
  ASSERT_TRUE(Replicate(b_, c).ok());
  ExpectRefused("it is replicated from");
  EXPECT_TRUE(CaughtUp(b_, c)) << c.Status("main").last_error;
}

TEST_F(UndoFailoverTest, AStandbyThatItHadWaitsAndIsNotLost) {
  ASSERT_TRUE(b_->CompleteReplication("main", ToLatest{}, {}).ok());
  ASSERT_TRUE(b_->StartService("main").ok());
  TestCluster c(Virtualization::kVirtualizedEmpty, 3);
  ASSERT_TRUE(Replicate(b_, c).ok());
  ASSERT_TRUE(CaughtUp(b_, c)) << c.Status("main").last_error;
  ASSERT_TRUE(c->PauseReplication("main").ok());
  // A follows, is promoted, and B follows A: on the history that C knows.
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  Promote(a_);
  ASSERT_TRUE(FailBack(b_, a_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  ASSERT_TRUE(c->ResumeReplication("main").ok());
  ASSERT_TRUE(b_->CompleteReplication("main", ToLatest{}, {}).ok());
  ASSERT_TRUE(Eventually([&] { return c.Status("main").last_error.find("can still be undone") != std::string::npos; }))
      << c.Status("main").last_error;
  ASSERT_TRUE(Undo().ok());
  ASSERT_TRUE(b_->CompleteReplication("main", ToLatest{}, {}).ok());
  ASSERT_TRUE(b_->StartService("main").ok());
  EXPECT_TRUE(CaughtUp(b_, c)) << c.Status("main").last_error;
}

TEST_F(UndoFailoverTest, ADroppedOneIsForgottenByItsSource) {
  Complete();
  ASSERT_TRUE(b_->Drop("main", false).ok());
  EXPECT_TRUE(Eventually([&] { return LoadStreams(a_.store())->empty(); }));
}

// A failback that has undone nothing, promoted where the histories parted, is that failback again.
TEST_F(UndoFailoverTest, OfAFailbackThatHasUndoneNothing) {
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  Promote(b_);
  ASSERT_TRUE(a_.Put("main", "on-a", "x").ok());
  ASSERT_TRUE(a_->StopService("main").ok());
  b_.Reconnect({.answered = nullptr, .opens_left = 1});
  ASSERT_TRUE(a_->StartReplication("main", "main", b_.uri(), {}, {}).ok());
  ASSERT_TRUE(a_->PauseReplication("main").ok());
  const catalog::TenantRecord before = *LoadTenant(a_.store(), kMainOnB);
  ASSERT_TRUE(before.has_before_failback());
  const std::string parted = FormatHlc({before.replication().diverged_at()});
  ASSERT_TRUE(a_->CompleteReplication("main", ToSystemTime{parted}, {}).ok());
  ASSERT_TRUE(a_->UndoCompleteReplication("main", "anna").ok());
  EXPECT_EQ(LoadTenant(a_.store(), kMainOnB)->SerializeAsString(), before.SerializeAsString());
  ASSERT_TRUE(a_->CancelReplication("main").ok());
  ASSERT_TRUE(a_->StartService("main").ok());
  EXPECT_EQ(a_.Get("main", "on-a"), "x");
}

// The protection that a CANCEL puts back is of history that is still there.
TEST_F(UndoFailoverTest, ThenACancelHasTheHistoryThatItProtects) {
  ASSERT_TRUE(b_->ResumeReplication("main").ok());
  const Timestamp promoted = Promote(b_);
  ASSERT_TRUE(b_.Put("main", "on-b", "1").ok());
  ASSERT_TRUE(FailBack(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(b_, a_)) << a_.Status("main").last_error;
  Promote(a_);
  ASSERT_TRUE(b_.Put("main", "also-on-b", "2").ok());
  ASSERT_TRUE(b_->StopService("main").ok());
  a_.Reconnect({.answered = nullptr, .opens_left = 1});
  ASSERT_TRUE(b_->StartReplication("main", "main", a_.uri(), {}, {}).ok());
  ASSERT_TRUE(b_->PauseReplication("main").ok());
  ASSERT_TRUE(Record().has_before_failback());
  ASSERT_EQ(Record().before_failback().failover_time(), promoted.ns);
  const Timestamp parted{Record().replication().diverged_at()};
  ASSERT_LT(promoted, parted);
  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{FormatHlc(parted)}, {}).ok());
  const auto collected = CollectGarbage(b_.store(), Keyspace(), Keyspace()->state()->epoch, 0, Pacing::kFull, {}, nullptr);
  ASSERT_TRUE(collected.ok()) << collected.status();
  ASSERT_TRUE(b_->UndoCompleteReplication("main", "anna").ok());
  ASSERT_TRUE(b_->CancelReplication("main").ok());
  EXPECT_EQ(*ProtectedBy(b_.store(), Keyspace()->incarnation(), kFailoverHolder), promoted);
  EXPECT_LE(Keyspace()->state()->floor, promoted);
}

TEST_F(UndoFailoverTest, OnceItIsSettledItsOwnProtectionCounts) {
  Complete();
  ASSERT_TRUE(b_->StartService("main").ok());
  EXPECT_EQ(*ProtectedBy(b_.store(), Keyspace()->incarnation(), kFailoverHolder), kept_);
}

}  // namespace
}  // namespace anabranch
