#include "storage/gc.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/coding.h"
#include "storage/change_index.h"
#include "storage/fingerprint.h"
#include "storage/lock_table.h"
#include "storage/protection.h"
#include "storage/revert.h"
#include "storage/rocks_keyspace.h"
#include "storage/test_store.h"
#include "storage/transaction.h"
#include "storage/transfer.h"

namespace anabranch {
namespace {

class GcTest : public StoreFixture {
 protected:
  absl::StatusOr<GcProgress> TryCollect(const KeyspaceRef& keyspace, uint64_t ttl_ns = 0) {
    return CollectGarbage(store_.get(), keyspace, keyspace->state()->epoch, ttl_ns, Pacing::kFull, {}, nullptr);
  }
  GcProgress Collect(const KeyspaceRef& keyspace, uint64_t ttl_ns = 0) {
    auto progress = TryCollect(keyspace, ttl_ns);
    CHECK(progress.ok(), progress.status().ToString().c_str());
    return *progress;
  }
  // Every version in `data`, hidden or not: "key@ts", a tombstone with a '-'.
  static std::set<std::string> Present(const KeyspaceRef& keyspace) {
    RocksKeyspace& rocks = AsRocks(*keyspace);
    std::set<std::string> present;
    rocksdb::ReadOptions options;
    options.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> it(rocks.db()->NewIterator(options, rocks.data()));
    std::string key;
    Timestamp ts;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      CHECK(DecodeVersionKey(it->key().ToStringView(), &key, &ts), "key");
      const bool tombstone = it->value()[0] == static_cast<char>(WriteKind::kTombstone);
      present.insert(fmt::format("{}@{}{}", key, ts.ns, tombstone ? "-" : ""));
    }
    return present;
  }
  static uint64_t FileBytes(const KeyspaceRef& keyspace, bool changes) {
    RocksKeyspace& rocks = AsRocks(*keyspace);
    rocksdb::ColumnFamilyMetaData metadata;
    rocks.db()->GetColumnFamilyMetaData(changes ? rocks.changes() : rocks.data(), &metadata);
    return metadata.size;
  }
  static void Flush(const KeyspaceRef& keyspace) {
    RocksKeyspace& rocks = AsRocks(*keyspace);
    CHECK(rocks.db()->Flush({}, {rocks.data(), rocks.changes()}).ok(), "flush");
  }
  static void Compact(const KeyspaceRef& keyspace) {
    RocksKeyspace& rocks = AsRocks(*keyspace);
    CHECK(rocks.db()->CompactRange({}, rocks.data(), nullptr, nullptr).ok(), "compact");
  }
  void IngestMany(const KeyspaceRef& keyspace, uint64_t first, uint64_t commits, uint64_t keys_each, uint64_t key_space) {
    std::vector<Version> versions;
    for (uint64_t ts = first; ts < first + commits; ++ts) {
      for (uint64_t i = 0; i < keys_each; ++i) {
        versions.push_back(PutAt(fmt::format("key{:07}", (ts * keys_each + i) * 7919 % key_space), ts, "some value of it"));
      }
      if (versions.size() >= 20'000 || ts + 1 == first + commits) {
        Ingest(keyspace, std::move(versions), ts);
        versions.clear();
      }
    }
  }
  absl::Status CatchUpFrom(const KeyspaceRef& keyspace, uint64_t after, uint64_t upto, uint64_t* versions) {
    ASSIGN_OR_RETURN(auto cursor,
                     ChangeCursor::Open(store_.get(), keyspace, Timestamp{after}, Timestamp{upto}, ChangeFilter::kVisible));
    ChangeEntry entry;
    while (true) {
      ASSIGN_OR_RETURN(const bool found, cursor->NextTimestamp(&entry));
      if (!found) return absl::OkStatus();
      ASSIGN_OR_RETURN(const auto read, ReadVersions(store_.get(), keyspace, entry));
      *versions += read.size();
    }
  }
};

TEST_F(GcTest, KeepsTheNewestVersionBelowTheFloorAndNoTombstone) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace,
         {PutAt("a", 10, "1"), PutAt("a", 20, "2"), PutAt("a", 30, "3"), PutAt("b", 10, "1"), DeleteAt("b", 20),
          PutAt("c", 10, "1"), DeleteAt("c", 25), PutAt("c", 30, "3"), PutAt("d", 20, "1"), DeleteAt("e", 5)},
         30);
  const GcProgress progress = Collect(keyspace, 8);
  EXPECT_EQ(progress.floor, Timestamp{22});
  EXPECT_EQ(progress.versions, 4u);  // a@10, b@20-, b@10, e@5-
  EXPECT_EQ(progress.entries, 3u);
  EXPECT_EQ(Present(keyspace), (std::set<std::string>{"a@20", "a@30", "c@10", "c@25-", "c@30", "d@20"}));
  EXPECT_EQ(ScanAt(keyspace, 22), "a=2@20 c=1@10 d=1@20");
  EXPECT_EQ(SqlStateOf(MvccReader::Open(store_.get(), keyspace, Timestamp{21}).status()), sqlstate::kInvalidParameterValue);
  EXPECT_EQ(Collect(keyspace, 8).entries, 0u);
  EXPECT_EQ(Collect(keyspace, 0).versions, 3u);  // a@20, c@25-, c@10
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
  EXPECT_EQ(Collect(keyspace, 30).floor, Timestamp{25});  // never back
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
    update.Hide(keyspace, Timestamp{24});
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
  ASSERT_TRUE(reader->Get("a").ok());  // its iterator is open now
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
        Update([&](MetaUpdate& update) { update.BumpEpoch(keyspace); });
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
  Update([&](MetaUpdate& update) { update.MarkDropping(keyspace); });
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
    EXPECT_GE(costs[0].iterator_steps, 4000u);  // each key: to the newest version, then over what it superseded
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
  EXPECT_EQ(FileBytes(keyspace, true), 0u);  // the stretch went as files, nothing waits for a compaction
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
    update.Publish(*imported);
    update.SetIngesting(*imported, true, Timestamp{300});
    update.Publish(*clone);
    update.SetIngesting(*clone, true, Timestamp{300});
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

// Random histories against an oracle that never forgets.
class GcModel {
 public:
  using History = std::map<uint64_t, std::optional<std::string>>;  // nullopt: a tombstone

  void Apply(const Version& version) {
    std::optional<std::string>& slot = keys_[version.key][version.timestamp.ns];
    if (version.write.kind == WriteKind::kPut) slot = version.write.value;
  }
  void Undo(uint64_t above) {
    for (auto& [key, history] : keys_) history.erase(history.upper_bound(above), history.end());
  }
  std::string ScanAt(uint64_t at) const {
    std::string text;
    for (const auto& [key, history] : keys_) {
      const auto next = history.upper_bound(at);
      if (next == history.begin() || !std::prev(next)->second) continue;
      text += fmt::format("{}={}@{} ", key, *std::prev(next)->second, std::prev(next)->first);
    }
    return text.substr(0, text.size() - (text.empty() ? 0 : 1));
  }
  uint64_t VersionsIn(uint64_t after, uint64_t upto) const {
    uint64_t count = 0;
    for (const auto& [key, history] : keys_) {
      count += std::distance(history.upper_bound(after), history.upper_bound(upto));
    }
    return count;
  }
  // What a collection up to `floor` leaves.
  std::set<std::string> Kept(uint64_t floor) const {
    std::set<std::string> kept;
    for (const auto& [key, history] : keys_) {
      auto from = history.upper_bound(floor);
      if (from != history.begin() && std::prev(from)->second) --from;
      for (; from != history.end(); ++from) kept.insert(fmt::format("{}@{}{}", key, from->first, from->second ? "" : "-"));
    }
    return kept;
  }

 private:
  std::map<std::string, History> keys_;
};

class GcModelTest : public GcTest {
 protected:
  uint64_t Below(uint64_t bound) { return seeded_->Next() % bound; }

  void IngestOne() {
    last_ += 1 + Below(3);
    std::map<std::string, Version> commit;
    for (uint64_t i = 0, keys = 1 + Below(4); i < keys; ++i) {
      const std::string key(1, static_cast<char>('a' + Below(8)));
      commit.emplace(key, Below(3) == 0 ? DeleteAt(key, last_) : PutAt(key, last_, std::to_string(Below(1000))));
    }
    std::vector<Version> parts[2];
    for (const auto& [key, version] : commit) {
      model_.Apply(version);
      const uint64_t where = Below(3);
      if (where != 1) parts[0].push_back(version);
      if (where != 0) parts[1].push_back(version);
    }
    Ingest(keyspace_, parts[0]);
    Ingest(keyspace_, parts[1], last_);
  }
  void CommitHere() {
    const std::string key(1, static_cast<char>('a' + Below(8)));
    const Write write = Below(3) == 0 ? Write{WriteKind::kTombstone, ""} : Write{WriteKind::kPut, "c"};
    const Timestamp ts = CommitWrites(keyspace_, {{key, write}});
    model_.Apply({key, ts, write});
    last_ = ts.ns;
  }
  void ProtectOrNot() {
    const std::string holder = fmt::format("stream/{}", Below(3));
    const bool protect = Below(2) == 0;
    const uint64_t floor = keyspace_->state()->floor.ns;
    const Timestamp at{floor + Below(last_ - floor + 1)};
    Update([&](MetaUpdate& update) {
      if (protect) {
        Protect(update, keyspace_->incarnation(), holder, at);
      } else {
        Unprotect(update, keyspace_->incarnation(), holder);
      }
    });
  }
  void FailOver() {
    const uint64_t floor = keyspace_->state()->floor.ns;
    const uint64_t at = std::max(floor, last_ - std::min(last_, Below(20)));
    Promote(keyspace_, at);
    model_.Undo(at);
    promoted_ = true;
  }
  void FailBack() {  // or rather on: the same keyspace ingests again, above what it holds
    ASSERT_TRUE(SweepHidden(store_.get(), keyspace_, keyspace_->state()->epoch, {}, nullptr).ok());
    last_ = std::max({last_, store_->visible().ns, keyspace_->state()->floor.ns});
    Update([&](MetaUpdate& update) {
      update.BumpEpoch(keyspace_);
      update.SetIngesting(keyspace_, true, Timestamp{last_});
    });
    promoted_ = false;
  }
  void CollectAndCheck() {
    const uint64_t ttl_ns = Below(60);
    const uint64_t floor_before = keyspace_->state()->floor.ns;
    const bool hidden = !keyspace_->state()->hidden.empty();
    const auto oldest = OldestProtected(store_.get(), keyspace_->incarnation());
    const uint64_t resolved = store_->Resolved(*keyspace_).ns;
    const uint64_t floor = Collect(keyspace_, ttl_ns).floor.ns;
    if (hidden) {
      EXPECT_LE(floor, keyspace_->state()->hidden[0].after.ns);
    } else {
      uint64_t expected = resolved - std::min(resolved, ttl_ns);
      if (oldest->has_value()) expected = std::min(expected, (*oldest)->ns);
      if (keyspace_->state()->ingesting) {
        EXPECT_EQ(floor, std::max(floor_before, expected));
      }
      EXPECT_EQ(Present(keyspace_), model_.Kept(floor));
    }
    if (floor > floor_before) ++collections_;
  }
  void CheckReads() {
    const uint64_t floor = keyspace_->state()->floor.ns;
    const uint64_t newest = std::min(last_, store_->Resolved(*keyspace_).ns);
    if (newest < floor) return;
    const uint64_t at = floor + Below(newest - floor + 1);
    ASSERT_EQ(ScanAt(keyspace_, floor), model_.ScanAt(floor));
    ASSERT_EQ(ScanAt(keyspace_, at), model_.ScanAt(at));
    ASSERT_EQ(ScanAt(keyspace_, newest), model_.ScanAt(newest));
    uint64_t versions = 0;
    const absl::Status caught_up = CatchUpFrom(keyspace_, at, newest, &versions);
    ASSERT_TRUE(caught_up.ok()) << caught_up;
    ASSERT_EQ(versions, model_.VersionsIn(at, newest));
    if (floor > 0) {
      ASSERT_EQ(SqlStateOf(CatchUpFrom(keyspace_, floor - 1, newest, &versions)), sqlstate::kInvalidParameterValue);
    }
  }

  void RunSeed() {
    keyspace_ = NewStandby();
    model_ = {};
    last_ = 0;
    promoted_ = false;
    for (int i = 0; i < 80 && !HasFailure(); ++i) {
      const uint64_t dice = Below(100);
      if (dice < 50) {
        promoted_ ? CommitHere() : IngestOne();
      } else if (dice < 70) {
        CollectAndCheck();
      } else if (dice < 85) {
        ProtectOrNot();
      } else if (dice < 92) {
        CheckReads();
      } else {
        promoted_ ? FailBack() : FailOver();
      }
      if (i % 8 == 0) CheckReads();
    }
    CheckReads();
    Update([&](MetaUpdate& update) { update.MarkDropping(keyspace_); });
    ASSERT_TRUE(store_->DropKeyspace(keyspace_).ok());
    keyspace_.reset();
  }

  std::optional<Random> seeded_;
  KeyspaceRef keyspace_;
  GcModel model_;
  uint64_t last_ = 0;  // newest timestamp written
  bool promoted_ = false;
  uint64_t collections_ = 0;
};

TEST_F(GcModelTest, AgreesWithAnOracleAtEveryTimestampThatIsKept) {
  for (uint64_t seed = 1; seed <= 16 && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    seeded_.emplace(seed);
    RunSeed();
  }
  EXPECT_GT(collections_, 50u);
}

}  // namespace
}  // namespace anabranch
