#include "storage/revert.h"

#include <filesystem>

#include "base/coding.h"
#include "storage/ledger.h"
#include "storage/mvcc/change_index.h"
#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

class RevertTest : public StoreFixture {
 protected:
  // `commits` commits of `keys_each` keys, one nanosecond apart from `first`.
  void IngestMany(const KeyspaceRef& keyspace, uint64_t first, uint64_t commits, uint64_t keys_each, uint64_t key_space) {
    std::vector<Version> versions;
    for (uint64_t ts = first; ts < first + commits; ++ts) {
      for (uint64_t i = 0; i < keys_each; ++i) {
        versions.push_back(PutAt(fmt::format("key{:07}", (ts * keys_each + i) * 7919 % key_space), ts, "value"));
      }
      if (versions.size() >= 20'000 || ts + 1 == first + commits) {
        Ingest(keyspace, std::move(versions), ts);
        versions.clear();
      }
    }
  }
  EraseProgress Erase(const KeyspaceRef& keyspace, uint64_t after, uint64_t upto) {
    auto progress =
        EraseRange(store_.get(), keyspace, keyspace->state()->epoch, Timestamp{after}, Timestamp{upto}, {}, nullptr);
    CHECK(progress.ok(), progress.status().ToString().c_str());
    return *progress;
  }
  uint64_t EntriesAbove(const KeyspaceRef& keyspace, uint64_t after) {
    auto cursor = ChangeCursor::Open(store_.get(), keyspace, Timestamp{after}, kTimestampMax.Prev(), ChangeFilter::kAll);
    ChangeEntry entry;
    uint64_t count = 0;
    while (*(*cursor)->Next(&entry)) ++count;
    return count;
  }
};

TEST_F(RevertTest, EraseGivesBackTheStateBefore) {
  const KeyspaceRef keyspace = NewStandby();
  IngestMany(keyspace, 1, 50, 10, 200);
  const std::string before = ScanAt(keyspace, 50);
  IngestMany(keyspace, 51, 50, 10, 300);
  EXPECT_NE(ScanAt(keyspace, 100), before);
  const EraseProgress progress = Erase(keyspace, 50, 100);
  EXPECT_EQ(progress.versions, 500u);
  EXPECT_EQ(progress.entries, 50u);
  EXPECT_EQ(ScanAt(keyspace, 100), before);
  EXPECT_EQ(EntriesAbove(keyspace, 50), 0u);
  EXPECT_EQ(Erase(keyspace, 50, 100).entries, 0u);
}

TEST_F(RevertTest, EraseLeavesWhatLiesAboveItsRange) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "low"), PutAt("a", 20, "mid"), PutAt("b", 20, "mid"), PutAt("a", 30, "high")}, 30);
  EXPECT_EQ(Erase(keyspace, 10, 29).versions, 2u);
  EXPECT_EQ(ScanAt(keyspace, 30), "a=high@30");
  EXPECT_EQ(ScanAt(keyspace, 29), "a=low@10");
}

TEST_F(RevertTest, PartsThatOverlapAreErasedTogetherAndCountedOnce) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("b", 10, "2")});
  Ingest(keyspace, {PutAt("b", 10, "2"), PutAt("c", 10, "3")}, 10);
  const EraseProgress progress = Erase(keyspace, 0, 10);
  EXPECT_EQ(progress.versions, 3u);
  EXPECT_EQ(progress.entries, 2u);
  EXPECT_EQ(ScanAt(keyspace, 10), "");
}

TEST_F(RevertTest, InterruptedEraseGoesOnWhereItStopped) {
  const KeyspaceRef keyspace = NewStandby();
  IngestMany(keyspace, 1, 10, 100, 100'000);
  const std::string before = ScanAt(keyspace, 10);
  IngestMany(keyspace, 11, 130, 1000, 100'000);
  std::stop_source stop;
  EraseProgress done;
  const auto interrupted = EraseRange(store_.get(), keyspace, keyspace->state()->epoch, Timestamp{10}, Timestamp{140},
                                      stop.get_token(), [&](const EraseProgress& progress) {
                                        done = progress;
                                        stop.request_stop();
                                      });
  EXPECT_TRUE(absl::IsCancelled(interrupted.status()));
  EXPECT_EQ(done.versions, kEraseVersionsMax);
  EXPECT_EQ(EntriesAbove(keyspace, 10), 80u);
  EXPECT_EQ(Erase(keyspace, 10, 140).versions, 80'000u);
  EXPECT_EQ(EntriesAbove(keyspace, 10), 0u);
  EXPECT_EQ(ScanAt(keyspace, 140), before);
}

// A sweep beside a service: it holds the writer thread for a moment only, and it can be interrupted while it rests.
TEST_F(RevertTest, PacedEraseWorksInSmallBatches) {
  const KeyspaceRef keyspace = NewStandby();
  IngestMany(keyspace, 1, 130, 100, 100'000);
  uint64_t batches = 0;
  uint64_t versions = 0;
  const auto erased = EraseRange(
      store_.get(), keyspace, keyspace->state()->epoch, Timestamp{10}, Timestamp{130}, {},
      [&](const EraseProgress& progress) {
        ++batches;
        EXPECT_LE(progress.versions - versions, kPacedVersionsMax);
        versions = progress.versions;
      },
      Pacing::kPaced);
  ASSERT_TRUE(erased.ok()) << erased.status();
  EXPECT_EQ(erased->versions, 12'000u);
  EXPECT_EQ(batches, 3u);
}

TEST_F(RevertTest, CostFollowsTheChangeNotTheData) {
  std::vector<OperationCounts> costs;
  for (const uint64_t base_commits : {20, 200}) {
    const KeyspaceRef keyspace = NewStandby();
    IngestMany(keyspace, 1, base_commits, 200, 1'000'000);
    IngestMany(keyspace, base_commits + 1, 20, 50, 1'000'000);
    const OperationCounts before = store_->counts();
    ASSERT_EQ(Erase(keyspace, base_commits, base_commits + 20).versions, 1000u);
    costs.push_back(store_->counts() - before);
  }
  EXPECT_EQ(costs[0].gets, costs[1].gets);
  EXPECT_EQ(costs[0].deletes, costs[1].deletes);
  EXPECT_NEAR(costs[0].iterator_steps, costs[1].iterator_steps, 0.1 * costs[0].iterator_steps);
  EXPECT_GT(costs[0].iterator_steps, 0u);
  EXPECT_LT(costs[1].iterator_steps, 100u);
}

TEST_F(RevertTest, EarlierOwnerIsFencedBeforeItErasesAnything) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("b", 30, "2")}, 30);
  const Epoch earlier = keyspace->state()->epoch;
  Promote(keyspace, 20);
  const absl::Status erase =
      EraseRange(store_.get(), keyspace, earlier, Timestamp{20}, Timestamp{30}, {}, nullptr).status();
  EXPECT_TRUE(IsFenced(erase)) << erase;
  EXPECT_EQ(EntriesAbove(keyspace, 20), 1u);
  EXPECT_TRUE(IsFenced(SweepHidden(store_.get(), keyspace, earlier, {}, nullptr).status()));
  EXPECT_EQ(keyspace->state()->hidden.size(), 1u);
}

TEST_F(RevertTest, OwnerLostBetweenErasingAndRetiringLeavesTheIntervalToTheNextOne) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("b", 30, "2")}, 30);
  const Epoch sweeper = Promote(keyspace, 20);
  Epoch next;
  const auto swept = SweepHidden(store_.get(), keyspace, sweeper, {}, [&](const EraseProgress&) {
    Update([&](MetaUpdate& update) { next = update.Stage(keyspace).BumpEpoch(); });
  });
  EXPECT_TRUE(IsFenced(swept.status())) << swept.status();
  EXPECT_EQ(keyspace->state()->hidden.size(), 1u);
  EXPECT_TRUE(SweepHidden(store_.get(), keyspace, next, {}, nullptr).ok());
  EXPECT_TRUE(keyspace->state()->hidden.empty());
}

TEST_F(RevertTest, WhatWasHiddenCanBeTakenBackUntilSomethingIsWrittenAboveIt) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("a", 30, "2"), PutAt("b", 31, "3")}, 40);
  const std::string before = ScanAt(keyspace, 40);
  const auto unhide = [&](uint64_t after) {
    return store_->UpdateMeta([&](MetaUpdate& update) {
      update.Stage(keyspace).BumpEpoch();
      update.Stage(keyspace).Unhide(Timestamp{after});
      update.Stage(keyspace).SetIngesting(true, Timestamp{40});
      return absl::OkStatus();
    });
  };
  Promote(keyspace, 20);
  EXPECT_EQ(ScanAt(keyspace, 40), "a=1@10");
  ASSERT_TRUE(unhide(20).ok());
  EXPECT_TRUE(keyspace->state()->hidden.empty());
  EXPECT_EQ(ScanAt(keyspace, 40), before);
  ASSERT_TRUE(unhide(20).ok()) << "there is none";

  Promote(keyspace, 20);
  CommitPut(keyspace, "c", "own");
  const absl::Status refused = unhide(20);
  EXPECT_EQ(SqlStateOf(refused), "55000") << refused;
  EXPECT_EQ(keyspace->state()->hidden.size(), 1u) << "nothing of a refused update is there";
}

TEST_F(RevertTest, SweepErasesHiddenVersionsAndRetiresTheirIntervals) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "kept"), PutAt("a", 30, "hidden"), DeleteAt("b", 31)}, 31);
  const Epoch epoch = Promote(keyspace, 20);
  const Timestamp kept = CommitPut(keyspace, "c", "kept");
  const Timestamp hidden = CommitPut(keyspace, "d", "hidden");
  Update([&](MetaUpdate& update) { update.Stage(keyspace).Hide(kept); });
  ASSERT_EQ(keyspace->state()->hidden.size(), 2u);
  const std::string before = ScanAt(keyspace, hidden.ns);
  EraseProgress reported;
  const auto swept =
      SweepHidden(store_.get(), keyspace, epoch, {}, [&](const EraseProgress& progress) { reported = progress; });
  ASSERT_TRUE(swept.ok()) << swept.status();
  EXPECT_EQ(swept->versions, 3u);
  EXPECT_EQ(swept->entries, 3u);
  EXPECT_EQ(reported.versions, 3u);
  EXPECT_TRUE(keyspace->state()->hidden.empty());
  EXPECT_EQ(ScanAt(keyspace, hidden.ns), before);
  EXPECT_EQ(EntriesAbove(keyspace, 0), 2u);
  EXPECT_EQ(SweepHidden(store_.get(), keyspace, epoch, {}, nullptr)->entries, 0u);
}

TEST_F(RevertTest, LedgerHoldsEveryVersionThatWillBeErased) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "kept"), PutAt("a", 30, "lost"), DeleteAt(std::string("b\0", 2), 30)});
  Ingest(keyspace, {PutAt("a", 30, "lost"), PutAt("c", 31, std::string(3 << 20, 'x'))}, 40);
  Promote(keyspace, 20);  // a version is undone whether it is hidden or not
  const std::string path = dir_ + "/ledger";
  const auto written = WriteLedger(store_.get(), keyspace, Timestamp{20}, Timestamp{40}, path);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->versions, 3u);
  EXPECT_EQ(written->bytes, std::filesystem::file_size(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));

  const auto versions = ReadLedger(store_.get(), path);
  ASSERT_TRUE(versions.ok()) << versions.status();
  std::string text;
  for (const Version& v : *versions) {
    text +=
        fmt::format("{} {} {} {}; ", v.timestamp.ns, static_cast<int>(v.write.kind), ToHex(v.key), v.write.value.size());
  }
  EXPECT_EQ(text, "30 1 61 4; 30 2 6200 0; 31 1 63 3145728; ");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  EXPECT_TRUE(absl::IsDataLoss(ReadLedger(store_.get(), path).status()));
}

TEST_F(RevertTest, LedgerOfNothingIsNoFile) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1")}, 10);
  const std::string path = dir_ + "/ledger";
  EXPECT_EQ(WriteLedger(store_.get(), keyspace, Timestamp{10}, Timestamp{40}, path)->versions, 0u);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST_F(RevertTest, LedgerIsReadPieceByPieceAndAgain) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("b", 11, std::string(3 << 20, 'x')), PutAt("c", 12, "3")}, 20);
  const std::string path = dir_ + "/ledger";
  ASSERT_TRUE(WriteLedger(store_.get(), keyspace, {}, Timestamp{40}, path).ok());
  const auto reader = LedgerReader::Open(store_.get(), path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  Version version;
  std::vector<uint64_t> positions;
  for (const char* key : {"a", "b", "c"}) {
    ASSERT_TRUE(*(*reader)->Next(&version));
    EXPECT_EQ(version.key, key);
    positions.push_back((*reader)->position());
    EXPECT_EQ((*reader)->At(positions.front())->key, "a");
  }
  EXPECT_FALSE(*(*reader)->Next(&version));
  EXPECT_EQ((*reader)->At(positions[1])->write.value.size(), 3u << 20);
  EXPECT_TRUE(absl::IsDataLoss((*reader)->At(positions[1] + 1).status()));
}

TEST_F(RevertTest, LedgerThatWouldBeTooLargeIsNone) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("b", 11, "2")}, 20);
  const std::string path = dir_ + "/ledger";
  const uint64_t bytes = WriteLedger(store_.get(), keyspace, {}, Timestamp{40}, path)->bytes;
  std::filesystem::remove(path);
  EXPECT_EQ(SqlStateOf(WriteLedger(store_.get(), keyspace, {}, Timestamp{40}, path, bytes - 1).status()), "53400");
  EXPECT_FALSE(std::filesystem::exists(path) || std::filesystem::exists(path + ".tmp"));
  EXPECT_TRUE(WriteLedger(store_.get(), keyspace, {}, Timestamp{40}, path, bytes).ok());
}

TEST_F(RevertTest, LedgerThatCannotBeWrittenSaysWhy) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1")}, 10);
  const std::string path = dir_ + "/missing/folder/ledger";
  const absl::Status missing = WriteLedger(store_.get(), keyspace, {}, Timestamp{40}, path).status();
  EXPECT_EQ(SqlStateOf(missing), sqlstate::kIoError);
  EXPECT_NE(MessageOf(missing).find("No such file or directory"), std::string::npos) << missing;
}

}  // namespace
}  // namespace anabranch
