// Whole histories made or changed at once: RESET DATA, FROM CLONE OF, and a DROP that was interrupted.
#include <algorithm>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/protection.h"
#include "storage/transfer.h"
#include "tenant/replication/clone.h"
#include "tenant/replication/failover.h"
#include "tenant/replication/reset.h"
#include "tenant/testing/replication_fixture.h"

namespace anabranch {
namespace {

constexpr TenantId kMain{2};

catalog::TenantRecord RecordOf(TestCluster& cluster, const std::string& name) {
  return *LoadTenant(cluster.store(), *FindTenant(cluster.store(), name).value());
}
KeyspaceRef KeyspaceOf(TestCluster& cluster, const std::string& name) {
  return *cluster.store()->FindKeyspace(IncarnationId(RecordOf(cluster, name).incarnation()));
}

class DataStatementsTest : public ReplicationFixture {
 protected:
  // A moment of A's `main`, and one write of each kind after it.
  Timestamp WriteAndGoOn() {
    EXPECT_TRUE(a_.Put("main", "k", "old").ok());
    const Timestamp at = *a_.Put("main", "kept", "v");
    EXPECT_TRUE(a_.Put("main", "k", "new").ok());
    EXPECT_TRUE(a_.Put("main", "late", "v").ok());
    return at;
  }
  absl::Status Reset(Timestamp at) {
    const absl::Status stopped = a_->StopService("main");
    return stopped.ok() ? a_->ResetData("main", FormatHlc(at), "root", {}).status() : stopped;
  }
  // Refused, and the catalog is what it was.
  void ExpectRefused(const absl::Status& status, const catalog::TenantRecord& before, const std::string& sqlstate,
                     const std::string& text) {
    EXPECT_EQ(SqlStateOf(status), sqlstate) << status;
    EXPECT_NE((MessageOf(status) + HintOf(status)).find(text), std::string::npos) << status << HintOf(status);
    EXPECT_EQ(LoadTenant(a_.store(), TenantId(before.id()))->SerializeAsString(), before.SerializeAsString());
  }
  static void RaiseFloor(TestCluster& cluster, const KeyspaceRef& keyspace, Timestamp floor) {
    ASSERT_TRUE(cluster.store()
                    ->UpdateMeta([&](MetaUpdate& update) {
                      update.Stage(keyspace).RaiseFloor(floor);
                      return absl::OkStatus();
                    })
                    .ok());
  }
};

using ResetDataTest = DataStatementsTest;

TEST_F(ResetDataTest, ProtectsItsTargetForTheExpirationWindow) {
  const Timestamp at = WriteAndGoOn();
  constexpr uint64_t kWindowNs = 3600ull * 1'000'000'000;
  ASSERT_TRUE(a_->SetClusterSetting("physical_replication.expiration_window", "1h").ok());
  const uint64_t before_ns = a_.store()->clock()->WallNs();
  ASSERT_TRUE(Reset(at).ok());
  const uint64_t until_ns = RecordOf(a_, "main").reset_protected_until_ns();
  EXPECT_GE(until_ns, before_ns + kWindowNs);
  EXPECT_LE(until_ns, a_.store()->clock()->WallNs() + kWindowNs);
}

TEST_F(ResetDataTest, WhatIsAboveIsUndoneAndHistoryGoesOnFromThere) {
  const Timestamp at = WriteAndGoOn();
  const uint64_t expected = a_.FingerprintAt("main", at);
  const catalog::TenantRecord before = RecordOf(a_, "main");
  ASSERT_TRUE(a_->StopService("main").ok());
  const auto explained = a_->ExplainReset("main", FormatHlc(at), {});
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_EQ(explained->front().second, "constant time");
  EXPECT_NE(std::find(explained->begin(), explained->end(), std::pair<std::string, std::string>("versions to sweep", "2")),
            explained->end());
  const auto reset = a_->ResetData("main", FormatHlc(at), "maria", {});
  ASSERT_TRUE(reset.ok()) << reset.status();
  EXPECT_EQ(*reset, at);
  const catalog::TenantRecord after = RecordOf(a_, "main");
  ASSERT_EQ(after.ancestry_size(), before.ancestry_size() + 1);
  EXPECT_EQ(after.ancestry().rbegin()->forked_at(), at.ns);
  EXPECT_EQ(*ProtectedBy(a_.store(), KeyspaceOf(a_, "main")->incarnation(), "reset"), at);
  EXPECT_EQ(a_.StateOf("main"), "ready");
  const auto receipts = a_->ShowFailovers();
  ASSERT_TRUE(receipts.ok() && receipts->size() == 1);
  EXPECT_EQ(receipts->front().statement + " by " + receipts->front().user_name, "RESET DATA by maria");
  EXPECT_EQ(receipts->front().target, at);
  ASSERT_TRUE(a_->StartService("main").ok());
  EXPECT_EQ(a_.Get("main", "k"), "old");
  EXPECT_EQ(a_.Get("main", "kept"), "v");
  EXPECT_EQ(a_.Get("main", "late"), "-");
  EXPECT_TRUE(a_.Put("main", "mine", "v").ok());
  EXPECT_EQ(a_.FingerprintAt("main", at), expected);
  EXPECT_TRUE(Eventually([&] { return KeyspaceOf(a_, "main")->state()->hidden.empty(); }));
  a_.Restart();
  EXPECT_EQ(a_.Get("main", "k"), "old");
  EXPECT_EQ(a_.Get("main", "mine"), "v");
}

TEST_F(ResetDataTest, KilledBeforeTheSweepIsSweptByTheNextStart) {
  const Timestamp at = WriteAndGoOn();
  ASSERT_TRUE(a_->StopService("main").ok());
  ASSERT_TRUE(PublishReset(a_.store(), kMain, at, "root").ok());  // published, never swept
  a_.Restart();
  EXPECT_TRUE(Eventually([&] { return KeyspaceOf(a_, "main")->state()->hidden.empty(); }));
  ASSERT_TRUE(a_->StartService("main").ok());
  EXPECT_EQ(a_.Get("main", "late"), "-");
}

TEST_F(ResetDataTest, RefusalsNameTheWindowAndChangeNothing) {
  const Timestamp at = WriteAndGoOn();
  const auto reset = [&](const std::string& expression) { return a_->ResetData("main", expression, "root", {}).status(); };
  ExpectRefused(reset(FormatHlc(at)), RecordOf(a_, "main"), "55000", "ALTER VIRTUAL CLUSTER main STOP SERVICE");
  ASSERT_TRUE(a_->StopService("main").ok());
  const catalog::TenantRecord before = RecordOf(a_, "main");
  ExpectRefused(reset("+1h"), before, "22023", "virtual cluster \"main\"");
  EXPECT_EQ(a_->ExplainReset("main", "+1h", {})->front().second.find("refused: cannot reset data"), 0u);
  ExpectRefused(reset("soon"), before, "22023", "neither timestamp");
  RaiseFloor(a_, KeyspaceOf(a_, "main"), at);
  ExpectRefused(reset(FormatHlc(at.Prev())), before, "22023", fmt::format("history is retained since {}", FormatHlc(at)));
  EXPECT_TRUE(reset(FormatHlc(at)).ok());
  EXPECT_EQ(SqlStateOf(a_->ResetData("system", FormatHlc(at), "root", {}).status()), "22023");
  EXPECT_EQ(SqlStateOf(a_->ResetData("nobody", FormatHlc(at), "root", {}).status()), "42704");
  ASSERT_TRUE(Replicate(a_, b_).ok());
  const absl::Status standby = b_->ResetData("main", FormatHlc(at), "root", {}).status();
  EXPECT_EQ(SqlStateOf(standby), "55000");
  EXPECT_NE(MessageOf(standby).find("virtual cluster \"main\" in state "), std::string::npos) << standby;
}

TEST_F(ResetDataTest, AStandbyBehindFollowsAndOneAheadIsRefusedAndFailsBack) {
  TestCluster c(Virtualization::kVirtualizedEmpty, 3);
  ASSERT_TRUE(a_.Put("main", "k", "old").ok());
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(Replicate(a_, c).ok());
  ASSERT_TRUE(CaughtUp(a_, c));
  ASSERT_TRUE(c->PauseReplication("main").ok());
  const Timestamp at = WriteAndGoOn();
  ASSERT_TRUE(CaughtUp(a_, b_));
  const absl::Status reset = Reset(at);
  ASSERT_TRUE(reset.ok()) << reset;
  ASSERT_TRUE(a_->StartService("main").ok());
  ASSERT_TRUE(a_.Put("main", "mine", "v").ok());

  ASSERT_TRUE(c->ResumeReplication("main").ok());
  ASSERT_TRUE(CaughtUp(a_, c)) << c.Status("main").last_error;
  const Timestamp now = *c.Status("main").replicated_time;
  EXPECT_EQ(c.FingerprintAt("main", now), a_.FingerprintAt("main", now));

  EXPECT_TRUE(Eventually([&] { return b_.StateOf("main") == "replication error"; }));
  EXPECT_NE(b_.Status("main").last_error.find("diverged at " + FormatHlc(at)), std::string::npos);
  Promote(b_);
  EXPECT_EQ(b_.Get("main", "late"), "v");  // what it held is whole
  ASSERT_TRUE(FailBack(b_, a_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_)) << b_.Status("main").last_error;
  const Timestamp then = *b_.Status("main").replicated_time;
  EXPECT_EQ(b_.FingerprintAt("main", then), a_.FingerprintAt("main", then));
}

TEST_F(ResetDataTest, EndsTheWindowInWhichAFailoverCanBeUndone) {
  const Timestamp at = WriteAndGoOn();
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(a_.Put("main", "last", "v").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const Timestamp replicated = *b_.Status("main").replicated_time;
  ASSERT_TRUE(b_->CompleteReplication("main", ToLatest{}, {.user = "anna"}, {}).ok());
  const absl::Status reset = b_->ResetData("main", FormatHlc(at), "anna", {}).status();
  ASSERT_TRUE(reset.ok()) << reset;
  const absl::Status undo = b_->UndoCompleteReplication("main", "anna");
  EXPECT_EQ(SqlStateOf(undo), "55000");
  EXPECT_NE(MessageOf(undo).find("its data were reset"), std::string::npos) << undo;
  EXPECT_TRUE(Eventually([&] { return KeyspaceOf(b_, "main")->state()->hidden.empty(); }));
  EXPECT_TRUE(Eventually([&] {  // the source is told as well
    const auto streams = a_->ShowReplicationStreams();
    return streams.ok() && streams->size() == 1 && streams->front().state == "finished";
  }));
  ASSERT_TRUE(b_->StartService("main").ok());
  EXPECT_EQ(b_.Get("main", "k"), "old");
  EXPECT_EQ(b_.FingerprintAt("main", at), a_.FingerprintAt("main", at));
  EXPECT_GT(replicated, at);
}

TEST_F(ResetDataTest, EndsTheReaderThatAFailoverLeft) {
  const Timestamp at = WriteAndGoOn();
  ReplicationOptions options;
  options.read_virtual_cluster = true;
  ASSERT_TRUE(b_->CreateFromReplication("main", {}, "main", a_.uri(), options, {}).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const absl::Status cloned = b_->CreateFromClone("copy", {}, "main-readonly", std::nullopt, {});
  EXPECT_EQ(SqlStateOf(cloned), "55000");
  EXPECT_NE(MessageOf(cloned).find("it only reads virtual cluster \"main\""), std::string::npos) << cloned;
  EXPECT_EQ(SqlStateOf(b_->ResetData("main-readonly", FormatHlc(at), "anna", {}).status()), "55000");
  ASSERT_TRUE(b_->CompleteReplication("main", ToLatest{}, {.user = "anna"}, {}).ok());
  EXPECT_EQ(b_.StateOf("main-readonly"), "ready");
  ASSERT_TRUE(b_->ResetData("main", FormatHlc(at), "anna", {}).ok());
  EXPECT_EQ(b_.StateOf("main-readonly"), "42704");
}

using CloneTest = DataStatementsTest;

TEST_F(CloneTest, GoesItsOwnWayAndOutlivesItsOriginal) {
  WriteAndGoOn();
  ASSERT_TRUE(a_->SetSetting("main", "gc.ttlseconds", "600").ok());
  ASSERT_TRUE(a_->CreateFromClone("copy", {}, "main", std::nullopt, {}).ok());
  EXPECT_EQ(a_.StateOf("copy"), "ready");
  EXPECT_EQ(a_->Show("copy")->service_mode, ServiceMode::kNone);
  EXPECT_EQ(*a_->ShowSetting("copy", "gc.ttlseconds"), "600");
  EXPECT_EQ(RecordOf(a_, "copy").ancestry_size(), 2);
  ASSERT_TRUE(a_->StartService("copy").ok());
  ASSERT_TRUE(a_.Put("copy", "k", "mine").ok());
  ASSERT_TRUE(a_.Put("main", "k", "yours").ok());
  EXPECT_EQ(a_.Get("copy", "k"), "mine");
  EXPECT_EQ(a_.Get("main", "k"), "yours");
  ASSERT_TRUE(a_->StopService("main").ok());
  ASSERT_TRUE(a_->Drop("main", false).ok());
  EXPECT_EQ(a_.Get("copy", "late"), "v");
  a_.Restart();
  EXPECT_EQ(a_.Get("copy", "k"), "mine");
  EXPECT_EQ(a_.Get("copy", "late"), "v");
}

TEST_F(CloneTest, AsOfAPastMoment) {
  const Timestamp at = WriteAndGoOn();
  ASSERT_TRUE(a_->CreateFromClone("copy", {}, kMain, FormatHlc(at), {}).ok());
  EXPECT_EQ(a_.FingerprintAt("copy", at), a_.FingerprintAt("main", at));
  EXPECT_EQ(RecordOf(a_, "copy").ancestry(1).forked_at(), at.ns);
  ASSERT_TRUE(a_->StartService("copy").ok());
  EXPECT_EQ(a_.Get("copy", "k"), "old");
  EXPECT_EQ(a_.Get("copy", "late"), "-");
  EXPECT_EQ(a_.Get("main", "late"), "v");
  EXPECT_TRUE(Eventually([&] { return KeyspaceOf(a_, "copy")->state()->hidden.empty(); }));
  EXPECT_EQ(a_.Get("copy", "k"), "old");
}

TEST_F(CloneTest, RefusalsLeaveNothing) {
  const Timestamp at = WriteAndGoOn();
  RaiseFloor(a_, KeyspaceOf(a_, "main"), at);
  const size_t keyspaces = a_.store()->Keyspaces().size();
  const catalog::TenantRecord before = RecordOf(a_, "main");
  const auto clone = [&](const VirtualClusterSpec& original, const std::optional<std::string>& as_of) {
    return a_->CreateFromClone("copy", {}, original, as_of, {});
  };
  ExpectRefused(clone("main", FormatHlc(at.Prev())), before, "22023", "Give a time from " + FormatHlc(at));
  ExpectRefused(clone("main", "+1h"), before, "22023", "its data are complete up to");
  ExpectRefused(clone("nobody", std::nullopt), before, "42704", "nobody");
  ExpectRefused(clone("system", std::nullopt), before, "22023", "system tenant");
  ExpectRefused(a_->CreateFromClone("main", {}, "main", std::nullopt, {}), before, "42710", "main");
  EXPECT_TRUE(a_->CreateFromClone("main", {.if_not_exists = true}, "main", std::nullopt, {}).ok());
  EXPECT_EQ(a_.StateOf("copy"), "42704");
  EXPECT_EQ(a_.store()->Keyspaces().size(), keyspaces);
}

// What CheckInWindow judged may be collected by the time that the files are linked.
TEST_F(CloneTest, CollectedMeanwhileLeavesNothing) {
  const Timestamp at = WriteAndGoOn();
  const catalog::TenantRecord original = RecordOf(a_, "main");
  const size_t keyspaces = a_.store()->Keyspaces().size();
  RaiseFloor(a_, KeyspaceOf(a_, "main"), at);
  const CloneWindow window = *WindowToClone(original, *KeyspaceOf(a_, "main")->state(), a_.store()->visible());
  EXPECT_EQ(SqlStateOf(PublishClone(a_.store(), original, window, at.Prev(), "copy").status()), "22023");
  EXPECT_EQ(a_.store()->Keyspaces().size(), keyspaces);
  ASSERT_TRUE(Reset(at).ok());
  EXPECT_EQ(SqlStateOf(PublishClone(a_.store(), original, window, at, "copy").status()), "55006");
  EXPECT_EQ(a_.store()->Keyspaces().size(), keyspaces);
  EXPECT_EQ(a_.StateOf("copy"), "42704");
}

TEST_F(CloneTest, OfAStandbyWhichGoesOn) {
  Fill(a_, "k", 20);
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(Eventually([&] { return b_.StateOf("main") == "replicating"; }));
  const Epoch epoch = KeyspaceOf(b_, "main")->state()->epoch;
  const uint64_t replicated = b_.Status("main").replicated_time->ns;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(a_.Put("main", "k000", fmt::format("{}", i)).ok());
    const std::string name = fmt::format("copy{}", i);
    ASSERT_TRUE(b_->CreateFromClone(name, {}, "main", std::nullopt, {}).ok());
    const Timestamp at{RecordOf(b_, name).ancestry().rbegin()->forked_at()};
    EXPECT_GE(at.ns, replicated);
    EXPECT_EQ(b_.FingerprintAt(name, at), a_.FingerprintAt("main", at));
    ASSERT_TRUE(b_->StartService(name).ok());
    EXPECT_TRUE(b_.Put(name, "mine", "v").ok());
    ASSERT_TRUE(b_->StopService(name).ok());
    ASSERT_TRUE(b_->Drop(name, false).ok());
  }
  ASSERT_TRUE(CaughtUp(a_, b_));
  EXPECT_EQ(KeyspaceOf(b_, "main")->state()->epoch, epoch) << "the stream was interrupted";
  EXPECT_EQ(b_.Status("main").initial_copies, 1u);
  Promote(b_);
  EXPECT_EQ(b_.Get("main", "mine"), "-");
  EXPECT_EQ(b_.Get("main", "k000"), "2");
}

TEST_F(CloneTest, OfAStandbyAtAPastMomentThatItMayFailOverTo) {
  const Timestamp at = WriteAndGoOn();
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const Timestamp later = *a_.Put("main", "k", "newer");
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(a_.Put("main", "k", "newest").ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->CreateFromClone("copy", {}, "main", FormatHlc(later), {}).ok());
  ASSERT_TRUE(b_->StartService("copy").ok());
  EXPECT_EQ(b_.Get("copy", "k"), "newer");
  ASSERT_TRUE(b_->CreateFromClone("older", {}, "main", FormatHlc(at), {}).ok());
  ASSERT_TRUE(b_->StartService("older").ok());
  EXPECT_EQ(b_.Get("older", "k"), "old");
  const absl::Status ahead = b_->CreateFromClone("ahead", {}, "main", "+1h", {});
  EXPECT_EQ(SqlStateOf(ahead), "22023") << ahead;
}

// What the failover hid is in the files of neither or both: whether it is hidden in the clone, nobody can say.
TEST_F(CloneTest, NotOfAStandbyThatWasPromotedMeanwhileThoughThatWasUndone) {
  const Timestamp at = WriteAndGoOn();
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const Timestamp later = *a_.Put("main", "k", "newer");
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->PauseReplication("main").ok());
  const catalog::TenantRecord original = RecordOf(b_, "main");
  const CloneWindow window = *WindowToClone(original, *KeyspaceOf(b_, "main")->state(), b_.store()->visible());
  const size_t keyspaces = b_.store()->Keyspaces().size();
  ASSERT_TRUE(b_->CompleteReplication("main", ToSystemTime{FormatHlc(later.Prev())}, {}).ok());
  ASSERT_TRUE(b_->UndoCompleteReplication("main", "root").ok());
  EXPECT_EQ(SqlStateOf(PublishClone(b_.store(), original, window, later, "copy").status()), "55006");
  EXPECT_EQ(b_.store()->Keyspaces().size(), keyspaces);
  ASSERT_TRUE(b_->CreateFromClone("copy", {}, "main", FormatHlc(later), {}).ok());
  ASSERT_TRUE(b_->StartService("copy").ok());
  EXPECT_EQ(b_.Get("copy", "k"), "newer");
  EXPECT_LT(at, later);
}

TEST_F(CloneTest, OfAStandbyThatHoldsNothingYet) {
  a_.Reconnect({.answered = nullptr, .opens_left = 1});  // the source is lost after the handshake
  ASSERT_TRUE(Replicate(a_, b_).ok());
  const absl::Status refused = b_->CreateFromClone("copy", {}, "main", std::nullopt, {});
  EXPECT_EQ(SqlStateOf(refused), "55000") << refused;
  EXPECT_NE(MessageOf(refused).find("has not replicated any data yet"), std::string::npos) << refused;
}

TEST_F(CloneTest, OfOneWhoseFailoverIsNotSwept) {
  ASSERT_TRUE(Replicate(a_, b_).ok());
  ASSERT_TRUE(CaughtUp(a_, b_));
  const Timestamp at = WriteAndGoOn();
  ASSERT_TRUE(CaughtUp(a_, b_));
  ASSERT_TRUE(b_->PauseReplication("main").ok());
  ASSERT_TRUE(PublishFailover(b_.store(), *FindTenant(b_.store(), "main").value(), at).ok());  // never swept
  ASSERT_TRUE(b_->CreateFromClone("copy", {}, "main", std::nullopt, {}).ok());
  ASSERT_TRUE(b_->StartService("copy").ok());
  EXPECT_EQ(b_.Get("copy", "k"), "old");
  EXPECT_EQ(b_.Get("copy", "late"), "-");
  EXPECT_TRUE(Eventually([&] { return KeyspaceOf(b_, "copy")->state()->hidden.empty(); }));
  EXPECT_FALSE(KeyspaceOf(b_, "main")->state()->hidden.empty());
  EXPECT_EQ(b_.Get("copy", "k"), "old");
}

TEST_F(CloneTest, BecomesAStandbyOfItsOriginalWithoutACopy) {
  WriteAndGoOn();
  ASSERT_TRUE(a_->CreateFromClone("copy", {}, "main", std::nullopt, {}).ok());
  ASSERT_TRUE(a_->StartService("copy").ok());
  ASSERT_TRUE(a_.Put("copy", "mine", "v").ok());
  ASSERT_TRUE(a_->StopService("copy").ok());
  ASSERT_TRUE(a_.Put("main", "yours", "v").ok());
  const absl::Status started = a_->StartReplication("copy", "main", a_.uri(), {}, {});
  ASSERT_TRUE(started.ok()) << started;
  ASSERT_TRUE(CaughtUp(a_, a_, "copy")) << a_.Status("copy").last_error;
  const Timestamp now = *a_.Status("copy").replicated_time;
  EXPECT_EQ(a_.FingerprintAt("copy", now), a_.FingerprintAt("main", now));
  EXPECT_EQ(a_.Status("copy").initial_copies, 0u);
}

// The work of RESET DATA and of the write that publishes a clone, counted in the store's operations.
TEST_F(DataStatementsTest, TakeTheSameWorkWhateverLiesAboveAndBelow) {
  Store* const store = a_.store();
  const uint64_t base = store->visible().ns - 60'000'000'000;
  std::vector<OperationCounts> resets;
  std::vector<OperationCounts> clones;
  for (const uint64_t versions : {10, 50'000}) {
    const KeyspaceRef keyspace = *store->CreateKeyspace();
    IngestRequest request{.keyspace = keyspace, .epoch = keyspace->state()->epoch, .versions = {}, .frontier = {}};
    for (uint64_t i = 1; i <= 2 * versions; ++i) {
      request.versions.push_back({fmt::format("key{:06}", i % 1000), Timestamp{base + i}, {WriteKind::kPut, "v"}});
    }
    ASSERT_TRUE(store->Ingest(std::move(request)).ok());
    catalog::TenantRecord record;
    record.set_name(fmt::format("vc{}", versions));
    SetState(record, DataState::kReady);
    SetMode(record, ServiceMode::kNone);
    record.set_incarnation(keyspace->incarnation().value());
    ToWire({{BranchId("a"), kTimestampZero}}, record.mutable_ancestry());
    ASSERT_TRUE(store
                    ->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
                      update.Stage(keyspace).Publish();
                      return AddTenant(update, &record);
                    })
                    .ok());
    const OperationCounts before = store->counts();
    const auto window = WindowToClone(record, *keyspace->state(), store->visible());
    ASSERT_TRUE(PublishClone(store, record, *window, Timestamp{base + versions}, record.name() + "copy").ok());
    const OperationCounts cloned = store->counts();
    ASSERT_TRUE(PublishReset(store, TenantId(record.id()), Timestamp{base + versions}, "root").ok());
    clones.push_back(cloned - before);
    resets.push_back(store->counts() - cloned);
  }
  EXPECT_EQ(resets.front(), resets.back());
  EXPECT_EQ(clones.front(), clones.back());
}

// A DROP that cannot finish: a record of a stream that does not decode.
class DropTest : public DataStatementsTest {
 protected:
  void PutBadStream(bool there) {
    ASSERT_TRUE(a_.store()
                    ->UpdateMeta([&](MetaUpdate& update) {
                      if (there) {
                        update.Put(StreamKey(StreamId(7)), "\xff");
                      } else {
                        update.Delete(StreamKey(StreamId(7)));
                      }
                      return absl::OkStatus();
                    })
                    .ok());
  }
};

TEST_F(DropTest, OneThatFailedIsRepeatedWithoutARestart) {
  for (const VirtualClusterSpec& again : {VirtualClusterSpec("other"), VirtualClusterSpec(TenantId(0))}) {
    ASSERT_TRUE(a_->Create("other", {}).ok());
    const TenantId id = *FindTenant(a_.store(), "other").value();
    const size_t keyspaces = a_.store()->Keyspaces().size();
    PutBadStream(true);
    EXPECT_EQ(SqlStateOf(a_->Drop("other", false)), "XX001");
    EXPECT_EQ(ToString(a_->Show(id)->data_state), "dropping");
    EXPECT_EQ(SqlStateOf(a_->Drop("other", false)), "XX001");
    PutBadStream(false);
    const absl::Status dropped = a_->Drop(std::holds_alternative<TenantId>(again) ? VirtualClusterSpec(id) : again, false);
    EXPECT_TRUE(dropped.ok()) << dropped;
    EXPECT_EQ(SqlStateOf(a_->Show(id).status()), "42704");
    EXPECT_EQ(a_.store()->Keyspaces().size(), keyspaces - 1);
  }
  EXPECT_EQ(SqlStateOf(a_->Drop("other", false)), "42704");
  EXPECT_TRUE(a_->Drop("other", true).ok());
}

// The name is free at once: the new one of that name is the one that is meant.
TEST_F(DropTest, OneThatFailedDoesNotHideItsSuccessor) {
  ASSERT_TRUE(a_->Create("other", {}).ok());
  const TenantId first = *FindTenant(a_.store(), "other").value();
  PutBadStream(true);
  EXPECT_FALSE(a_->Drop("other", false).ok());
  PutBadStream(false);
  ASSERT_TRUE(a_->Create("other", {}).ok());
  ASSERT_TRUE(a_->Drop("other", false).ok());
  EXPECT_EQ(ToString(a_->Show(first)->data_state), "dropping");
  EXPECT_TRUE(a_->Drop("other", false).ok());
  EXPECT_EQ(SqlStateOf(a_->Show(first).status()), "42704");
}

}  // namespace
}  // namespace anabranch
