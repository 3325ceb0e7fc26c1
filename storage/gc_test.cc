#include "storage/gc.h"

#include <set>

#include "storage/mvcc/fingerprint.h"
#include "storage/mvcc/lock_table.h"
#include "storage/mvcc/transaction.h"
#include "storage/protection.h"
#include "storage/revert.h"
#include "storage/testing/gc_fixture.h"
#include "storage/transfer.h"

namespace anabranch {
namespace {

TEST_F(GcTest, KeepsTheNewestVersionBelowTheFloorAndNoTombstone) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace,
         {PutAt("a", 10, "1"), PutAt("a", 20, "2"), PutAt("a", 30, "3"), PutAt("b", 10, "1"), DeleteAt("b", 20),
          PutAt("c", 10, "1"), DeleteAt("c", 25), PutAt("c", 30, "3"), PutAt("d", 20, "1"), DeleteAt("e", 5)},
         30);
  const GcProgress progress = Collect(keyspace, 8);
  EXPECT_EQ(progress.floor, Timestamp{22});
  EXPECT_EQ(progress.versions, 4u);  // gone: a@10, b@20-, b@10, e@5-
  EXPECT_EQ(progress.entries, 3u);
  EXPECT_EQ(Present(keyspace), (std::set<std::string>{"a@20", "a@30", "c@10", "c@25-", "c@30", "d@20"}));
  EXPECT_EQ(ScanAt(keyspace, 22), "a=2@20 c=1@10 d=1@20");
  EXPECT_EQ(SqlStateOf(MvccReader::Open(store_.get(), keyspace, Timestamp{21}).status()), sqlstate::kInvalidParameterValue);
  EXPECT_EQ(Collect(keyspace, 8).entries, 0u);
  EXPECT_EQ(Collect(keyspace, 0).versions, 3u);  // gone: a@20, c@25-, c@10
  EXPECT_EQ(Present(keyspace), (std::set<std::string>{"a@30", "c@30", "d@20"}));
}

TEST_F(GcTest, FloorStopsAtWhatIsProtectedHiddenOrUnresolved) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("a", 20, "2"), PutAt("a", 30, "3"), PutAt("a", 50, "5")}, 40);
  Update([&](MetaUpdate& update) {
    Protect(update, keyspace->incarnation(), "stream/1", Timestamp{25});
    Protect(update, keyspace->incarnation(), "stream/2", Timestamp{15});
  });
  EXPECT_EQ(Collect(keyspace).floor, Timestamp{15});
  EXPECT_EQ(Present(keyspace).size(), 4u);
  Update([&](MetaUpdate& update) { Unprotect(update, keyspace->incarnation(), "stream/2"); });
  EXPECT_EQ(Collect(keyspace).floor, Timestamp{25});
  EXPECT_EQ(Collect(keyspace, 30).floor, Timestamp{25});  // the floor never goes back
  EXPECT_EQ(Present(keyspace), (std::set<std::string>{"a@20", "a@30", "a@50"}));
  Update([&](MetaUpdate& update) { Unprotect(update, keyspace->incarnation(), "stream/1"); });
  EXPECT_EQ(Collect(keyspace).floor, Timestamp{40});  // the frontier: 50 is not complete
  EXPECT_EQ(Present(keyspace), (std::set<std::string>{"a@30", "a@50"}));
  Promote(keyspace, 45);
  CommitPut(keyspace, "a", "new");
  EXPECT_EQ(Collect(keyspace).floor, Timestamp{45});  // 50 is hidden: it supersedes nothing
  EXPECT_EQ(Present(keyspace).size(), 3u);
  ASSERT_TRUE(SweepHidden(store_.get(), keyspace, keyspace->state()->epoch, {}, nullptr).ok());
  EXPECT_GT(Collect(keyspace).floor, Timestamp{1000});
  EXPECT_EQ(Present(keyspace).size(), 1u);
}

TEST_F(GcTest, HistoryBelowTheFloorIsRefusedToEverybody) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("a", 20, "2"), PutAt("a", 30, "3")}, 30);
  Collect(keyspace, 5);
  uint64_t versions = 0;
  EXPECT_TRUE(CatchUpFrom(keyspace, 25, 30, &versions).ok());
  EXPECT_EQ(versions, 1u);
  EXPECT_EQ(SqlStateOf(CatchUpFrom(keyspace, 24, 30, &versions)), sqlstate::kInvalidParameterValue);
  EXPECT_EQ(SqlStateOf(ComputeFingerprint(store_.get(), keyspace, std::nullopt, Timestamp{24}, {}).status()),
            sqlstate::kInvalidParameterValue);
  const absl::Status hidden = store_->UpdateMeta([&](MetaUpdate& update) {
    update.Stage(keyspace).Hide(Timestamp{24});
    return absl::OkStatus();
  });
  EXPECT_EQ(SqlStateOf(hidden), sqlstate::kInvalidParameterValue);
  EXPECT_TRUE(keyspace->state()->hidden.empty());
  const absl::Status late = store_->Ingest({.keyspace = keyspace,
                                            .epoch = keyspace->state()->epoch,
                                            .versions = {PutAt("b", 25, "late")},
                                            .frontier = std::nullopt});
  EXPECT_EQ(SqlStateOf(late), sqlstate::kObjectNotInPrerequisiteState);
  EXPECT_EQ(ScanAt(keyspace, 30), "a=3@30");
}

TEST_F(GcTest, ReadersThatWereOpenKeepWhatTheySaw) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("b", 10, "1"), PutAt("a", 20, "2"), DeleteAt("b", 20)}, 30);
  auto reader = ReaderAt(keyspace, Timestamp{15});
  ASSERT_TRUE(reader->Get("a").ok());  // the reader's iterator is open now
  const auto scan = reader->Scan({});
  ASSERT_TRUE(*scan->Next());
  EXPECT_EQ(Collect(keyspace).versions, 3u);
  EXPECT_EQ(reader->Get("b").value()->value, "1");
  EXPECT_EQ(Drain(*scan), "b=1@10");
  EXPECT_EQ(Drain(*reader->Scan({})), sqlstate::kInvalidParameterValue);
  const auto late = ReaderAt(keyspace, Timestamp{30});
  EXPECT_EQ(late->Get("a").value()->value, "2");
}

// Such a transaction cannot tell any more whether a row it read was deleted since.
TEST_F(GcTest, WriterWhoseSnapshotIsBelowTheFloorHasToStartAgain) {
  const KeyspaceRef keyspace = NewKeyspace();
  const std::unique_ptr<LockTable> locks = LockTable::Create();
  const TransactionContext context{
      .store = store_.get(), .keyspace = keyspace, .epoch = keyspace->state()->epoch, .locks = locks.get()};
  CommitPut(keyspace, "a", "1");
  auto locking = Transaction::Begin(context, IsolationLevel::kRepeatableRead);
  auto validating = Transaction::Begin(context, IsolationLevel::kSerializable);
  ASSERT_TRUE(locking->BeginStatement().ok());
  ASSERT_TRUE(validating->BeginStatement().ok());
  ASSERT_TRUE(locking->Get("a").value().has_value());
  ASSERT_TRUE(validating->Get("a").value().has_value());
  const Timestamp deleted = CommitWrites(keyspace, {{"a", {WriteKind::kTombstone, ""}}});
  ASSERT_TRUE(store_->WaitVisible(deleted.Next(), {}).ok());
  Collect(keyspace);
  ASSERT_TRUE(Present(keyspace).empty());
  EXPECT_EQ(SqlStateOf(locking->LockRow("a", {}).status()), sqlstate::kSerializationFailure);
  ASSERT_TRUE(validating->Put("b", "2").ok());
  EXPECT_EQ(SqlStateOf(validating->Commit().status()), sqlstate::kSerializationFailure);
}

TEST_F(GcTest, DeadKeyNeverComesBackBetweenBatches) {
  const KeyspaceRef keyspace = NewStandby();
  std::vector<Version> versions;
  constexpr uint64_t kVersions = 3 * kGcBatchVersions + 10;
  for (uint64_t ts = 1; ts <= kVersions; ++ts) versions.push_back(PutAt("hot", ts, "v"));
  versions.push_back(DeleteAt("hot", kVersions + 1));
  Ingest(keyspace, std::move(versions), kVersions + 10);
  int batches = 0;
  uint64_t erased = 0;
  const auto progress = CollectGarbage(store_.get(), keyspace, keyspace->state()->epoch, 0, Pacing::kPaced, {},
                                       [&](const GcProgress& so_far) {
                                         ++batches;
                                         EXPECT_LE(so_far.versions - erased, kGcBatchVersions + 1);
                                         erased = so_far.versions;
                                         EXPECT_EQ(ScanAt(keyspace, kVersions + 10), "");
                                       });
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_EQ(progress->versions, kVersions + 1);
  EXPECT_GE(batches, 4);
  EXPECT_TRUE(Present(keyspace).empty());
}

TEST_F(GcTest, InterruptedRunGoesOnWhereItStopped) {
  const KeyspaceRef keyspace = NewStandby();
  IngestMany(keyspace, 1, 200, 100, 3000);
  std::stop_source stop;
  GcProgress done;
  const auto interrupted = CollectGarbage(store_.get(), keyspace, keyspace->state()->epoch, 0, Pacing::kPaced,
                                          stop.get_token(), [&](const GcProgress& progress) {
                                            done = progress;
                                            stop.request_stop();
                                          });
  EXPECT_TRUE(absl::IsCancelled(interrupted.status()));
  EXPECT_GT(done.entries, 0u);
  const GcProgress rest = Collect(keyspace);
  EXPECT_EQ(done.entries + rest.entries, 200u);
  EXPECT_EQ(done.versions + rest.versions, 17'000u);
  EXPECT_EQ(Present(keyspace).size(), 3000u);
}

TEST_F(GcTest, FencedRunDeletesNothingMore) {
  const KeyspaceRef keyspace = NewStandby();
  IngestMany(keyspace, 1, 200, 100, 3000);
  uint64_t batches = 0;
  const auto fenced =
      CollectGarbage(store_.get(), keyspace, keyspace->state()->epoch, 0, Pacing::kFull, {}, [&](const GcProgress&) {
        ++batches;
        Update([&](MetaUpdate& update) { update.Stage(keyspace).BumpEpoch(); });
      });
  EXPECT_TRUE(IsFenced(fenced.status()));
  EXPECT_EQ(batches, 1u);
  const std::set<std::string> present = Present(keyspace);
  const auto stale = CollectGarbage(store_.get(), keyspace, Epoch(1), 0, Pacing::kFull, {}, nullptr);
  EXPECT_TRUE(IsFenced(stale.status()));
  EXPECT_EQ(Present(keyspace), present);
  Collect(keyspace);
  EXPECT_EQ(Present(keyspace).size(), 3000u);
}

TEST_F(GcTest, KeyspaceBeingDroppedIsLeftAlone) {
  const KeyspaceRef keyspace = NewStandby();
  IngestMany(keyspace, 1, 20, 10, 50);
  Update([&](MetaUpdate& update) { update.Stage(keyspace).MarkDropping(); });
  EXPECT_TRUE(IsFenced(TryCollect(keyspace).status()));
  ASSERT_TRUE(store_->DropKeyspace(keyspace).ok());
  EXPECT_TRUE(IsFenced(TryCollect(keyspace).status()));
  EXPECT_TRUE(store_->ScanMeta("collected/")->empty());
}

TEST_F(GcTest, CostFollowsTheChangeNotTheData) {
  for (const bool compacted : {false, true}) {
    std::vector<OperationCounts> costs;
    for (const uint64_t base_commits : {20, 200}) {
      const KeyspaceRef keyspace = NewStandby();
      const uint64_t base_keys = base_commits * 250;
      IngestMany(keyspace, 1, base_commits, 250, base_keys);
      Collect(keyspace);
      IngestMany(keyspace, base_commits + 1, 40, 50, base_keys);
      if (compacted) {
        Flush(keyspace);
        Compact(keyspace);
      }
      const OperationCounts before = store_->counts();
      const GcProgress progress = Collect(keyspace);
      costs.push_back(store_->counts() - before);
      EXPECT_EQ(progress.versions, 2000u);
      EXPECT_EQ(progress.entries, 40u);
    }
    EXPECT_EQ(costs[0].deletes, costs[1].deletes);
    EXPECT_NEAR(costs[0].iterator_steps, costs[1].iterator_steps, 0.1 * costs[0].iterator_steps);
    EXPECT_NEAR(costs[0].gets, costs[1].gets, 1);
    EXPECT_NEAR(costs[0].puts, costs[1].puts, 1);
    EXPECT_GE(costs[0].iterator_steps, 4000u);  // for each key: to the newest version, then over what that superseded
    EXPECT_LE(costs[1].iterator_steps, 6500u);
  }
}

TEST_F(GcTest, DiskIsFreed) {
  const KeyspaceRef keyspace = NewStandby();
  for (uint64_t round = 0; round < 4; ++round) {
    std::vector<Version> versions;
    for (uint64_t i = 0; i < 5000; ++i) {
      versions.push_back(
          PutAt(fmt::format("key{:05}", i), 1 + round * 5000 + i, std::string(100, 'a' + round) + random_.NextHex(64)));
    }
    Ingest(keyspace, std::move(versions), (round + 1) * 5000);
    Flush(keyspace);
  }
  const std::string rows = ScanAt(keyspace, 20'000);
  const uint64_t data_bytes = FileBytes(keyspace, false);
  EXPECT_GT(FileBytes(keyspace, true), 100'000u);
  EXPECT_EQ(Collect(keyspace).versions, 15'000u);
  EXPECT_EQ(FileBytes(keyspace, true), 0u);  // the stretch of entries went as files, nothing waits for a compaction
  Flush(keyspace);
  Compact(keyspace);
  EXPECT_LT(FileBytes(keyspace, false), data_bytes * 2 / 5);
  EXPECT_EQ(ScanAt(keyspace, 20'000), rows);
  Ingest(keyspace, {PutAt("key00000", 20'001, "next")}, 20'001);
  EXPECT_EQ(Collect(keyspace).versions, 1u);
}

TEST_F(GcTest, CopiesOfACollectedKeyspaceAreWholeAndGoOn) {
  const KeyspaceRef keyspace = NewStandby();
  IngestMany(keyspace, 1, 300, 100, 3000);
  std::stop_source stop;
  (void)CollectGarbage(store_.get(), keyspace, keyspace->state()->epoch, 100, Pacing::kFull, stop.get_token(),
                       [&](const GcProgress&) { stop.request_stop(); });
  const std::string rows = ScanAt(keyspace, 250);
  const auto manifest = ExportKeyspace(store_.get(), keyspace, dir_ + "/export");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->floor, Timestamp{200});
  const auto imported = ImportKeyspace(store_.get(), *manifest, dir_ + "/export");
  ASSERT_TRUE(imported.ok()) << imported.status();
  const auto clone = CloneKeyspace(store_.get(), keyspace);
  ASSERT_TRUE(clone.ok()) << clone.status();
  EXPECT_EQ((*clone)->state()->floor, Timestamp{200});
  Update([&](MetaUpdate& update) {
    update.Stage(*imported).Publish();
    update.Stage(*imported).SetIngesting(true, Timestamp{300});
    update.Stage(*clone).Publish();
    update.Stage(*clone).SetIngesting(true, Timestamp{300});
  });
  EXPECT_EQ(ScanAt(*imported, 250), rows);
  EXPECT_EQ(ScanAt(*clone, 250), rows);
  for (const KeyspaceRef& copy : {keyspace, *imported, *clone}) {
    Collect(copy, 100);
    EXPECT_EQ(ScanAt(copy, 250), rows);
  }
  EXPECT_EQ(Present(*imported), Present(keyspace));
}

TEST_F(GcTest, DamagedIndexEntryStopsTheRun) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("a", 20, "2")}, 30);
  RocksKeyspace& rocks = AsRocks(*keyspace);
  const auto [key, value] = EncodeChange(Timestamp{15}, {"abc"})[0];
  ASSERT_TRUE(rocks.db()->Put({}, rocks.changes(), key, value + "x").ok());
  EXPECT_TRUE(absl::IsDataLoss(TryCollect(keyspace).status()));
  EXPECT_EQ(Present(keyspace).size(), 2u);
}

}  // namespace
}  // namespace anabranch
