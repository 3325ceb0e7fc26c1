#include "storage/api/store.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "storage/mvcc/change_index.h"
#include "storage/protection.h"
#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kHourNs = 3600 * kSecondNs;
constexpr uint64_t kWallNs = 1'700'000'000 * kSecondNs;

std::shared_ptr<const WriteList> OnePut(const std::string& key, const std::string& value) {
  return std::make_shared<const WriteList>(WriteSet{{key, {WriteKind::kPut, value}}});
}

class StoreTest : public StoreFixture {
 protected:
  absl::StatusOr<std::unique_ptr<Store>> TryOpen(const std::string& dir, Clock* clock = SystemClock()) {
    return Store::Open({.dir = dir, .clock = clock, .random = &random_, .block_cache_bytes = 8 << 20});
  }
  std::unique_ptr<Store> MustOpen(const std::string& dir, Clock* clock = SystemClock()) {
    auto store = TryOpen(dir, clock);
    CHECK(store.ok(), store.status().ToString().c_str());
    return *std::move(store);
  }
  void Reopen(Clock* clock = SystemClock()) {
    store_.reset();
    store_ = MustOpen(dir_ + "/store", clock);
  }
  KeyspaceRef Find(const IncarnationId& incarnation) {
    auto keyspace = store_->FindKeyspace(incarnation);
    CHECK(keyspace.ok(), keyspace.status().ToString().c_str());
    return *keyspace;
  }
  absl::StatusOr<Timestamp> TryPut(const KeyspaceRef& keyspace, Epoch epoch, const std::string& key,
                                   const std::string& value) {
    return store_->Commit(
        {.keyspace = keyspace, .epoch = epoch, .writes = OnePut(key, value), .validate_spans = {}, .validate_after = {}});
  }
  std::string GetValue(const KeyspaceRef& keyspace, Timestamp at, const std::string& key) {
    auto value = ReaderAt(keyspace, at)->Get(key);
    CHECK(value.ok(), value.status().ToString().c_str());
    return *value ? (*value)->value : "(none)";
  }
  size_t IndexEntries(const KeyspaceRef& keyspace) {
    auto cursor = ChangeCursor::Open(store_.get(), keyspace, kTimestampZero, keyspace->state()->newest, ChangeFilter::kAll);
    CHECK(cursor.ok(), cursor.status().ToString().c_str());
    ChangeEntry entry;
    size_t entries = 0;
    while (*(*cursor)->Next(&entry)) ++entries;
    return entries;
  }
};

// ---------------------------------------------------------------- commit

TEST_F(StoreTest, AcknowledgedWritesAreVisibleAtOnce) {
  const KeyspaceRef keyspace = NewKeyspace();
  const Timestamp first = CommitPut(keyspace, "k", "1");
  const Timestamp second = CommitPut(keyspace, "k", "2");
  EXPECT_LT(first, second);
  EXPECT_GE(store_->visible(), second);
  EXPECT_EQ(GetValue(keyspace, first, "k"), "1");
  EXPECT_EQ(GetValue(keyspace, second, "k"), "2");
  EXPECT_EQ(GetValue(keyspace, first.Prev(), "k"), "(none)");
  EXPECT_EQ(keyspace->state()->newest, second);
  EXPECT_EQ(IndexEntries(keyspace), 2u);
}

TEST_F(StoreTest, ManyCommittersShareSyncs) {
  const KeyspaceRef keyspace = NewKeyspace();
  constexpr int kThreads = 16;
  constexpr int kCommits = 50;
  const OperationCounts before = store_->counts();
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCommits; ++i) CommitPut(keyspace, fmt::format("{}/{}", t, i), "x");
    });
  }
  threads.clear();
  const OperationCounts done = store_->counts() - before;
  EXPECT_EQ(done.puts, 2u * kThreads * kCommits);
  EXPECT_LT(done.syncs, static_cast<uint64_t>(kThreads * kCommits));
  EXPECT_EQ(IndexEntries(keyspace), static_cast<size_t>(kThreads * kCommits));
}

TEST_F(StoreTest, ACommitAsFilesIsACommitLikeAnyOther) {
  const KeyspaceRef keyspace = NewKeyspace();
  CommitPut(keyspace, "b", "before");
  WriteSet many;
  for (int i = 0; i < 60'000; ++i) many[fmt::format("key/{}", i)] = {WriteKind::kPut, fmt::format("{}", i)};
  many["b"] = {WriteKind::kPut, "during"};
  CommitRequest request{.keyspace = keyspace,
                        .epoch = keyspace->state()->epoch,
                        .writes = std::make_shared<const WriteList>(many),
                        .validate_spans = {},
                        .validate_after = {},
                        .as_files = true};
  const auto committed = store_->Commit(request);
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_GE(store_->visible(), *committed);
  EXPECT_EQ(keyspace->state()->newest, *committed);
  EXPECT_EQ(GetValue(keyspace, committed->Prev(), "b"), "before");
  EXPECT_EQ(GetValue(keyspace, *committed, "b"), "during");
  EXPECT_EQ(GetValue(keyspace, *committed, "key/59999"), "59999");
  EXPECT_EQ(IndexEntries(keyspace), 4u);  // the commit's keys fill three entries of one timestamp
  const Timestamp after = CommitPut(keyspace, "b", "after");
  EXPECT_EQ(GetValue(keyspace, after, "b"), "after");
  EXPECT_EQ(GetValue(keyspace, *committed, "b"), "during");

  request.epoch = Epoch(request.epoch.value() + 1);
  EXPECT_TRUE(IsFenced(store_->Commit(request).status()));
  EXPECT_EQ(keyspace->state()->newest, after);
  EXPECT_TRUE(std::filesystem::is_empty(dir_ + "/store/tmp"));
}

TEST_F(StoreTest, PublishedIsToldOnceOthersSeeItAndNeverOfARefusedCommit) {
  const KeyspaceRef keyspace = NewKeyspace();
  Timestamp visible_then;
  int told = 0;
  CommitRequest request{.keyspace = keyspace,
                        .epoch = keyspace->state()->epoch,
                        .writes = OnePut("k", "v"),
                        .validate_spans = {},
                        .validate_after = {},
                        .as_files = false,
                        .published = [&] {
                          visible_then = store_->visible();
                          ++told;
                        }};
  const auto committed = store_->Commit(request);
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ(told, 1);
  EXPECT_GE(visible_then, *committed);
  request.epoch = Epoch(request.epoch.value() + 1);
  EXPECT_TRUE(IsFenced(store_->Commit(request).status()));
  EXPECT_EQ(told, 1);
}

TEST_F(StoreTest, RefusesWhatIsTooLargeByName) {
  const KeyspaceRef keyspace = NewKeyspace();
  const Epoch epoch = keyspace->state()->epoch;
  EXPECT_TRUE(TryPut(keyspace, epoch, std::string(kKeyBytesMax, 'k'), "v").ok());
  EXPECT_EQ(SqlStateOf(TryPut(keyspace, epoch, std::string(kKeyBytesMax + 1, 'k'), "v").status()), "54000");
  EXPECT_TRUE(TryPut(keyspace, epoch, "k", std::string(kValueBytesMax, 'v')).ok());
  EXPECT_EQ(SqlStateOf(TryPut(keyspace, epoch, "k", std::string(kValueBytesMax + 1, 'v')).status()), "54000");
  WriteSet large;
  for (size_t i = 0; i < kTransactionBytesMax / kValueBytesMax; ++i) {
    large[fmt::format("{}", i)] = {WriteKind::kPut, std::string(kValueBytesMax, 'v')};
  }
  const auto writes = std::make_shared<const WriteList>(large);
  const auto refused =
      store_->Commit({.keyspace = keyspace, .epoch = epoch, .writes = writes, .validate_spans = {}, .validate_after = {}});
  EXPECT_EQ(SqlStateOf(refused.status()), "54000");
}

// ---------------------------------------------------------------- ownership

TEST_F(StoreTest, OldOwnersWritesAreRefusedByStorage) {
  const KeyspaceRef keyspace = NewKeyspace();
  const Epoch old_epoch = keyspace->state()->epoch;
  Epoch new_epoch;
  Update([&](MetaUpdate& update) { new_epoch = update.Stage(keyspace).BumpEpoch(); });
  EXPECT_EQ(new_epoch.value(), old_epoch.value() + 1);
  const absl::Status commit = TryPut(keyspace, old_epoch, "k", "v").status();
  EXPECT_EQ(SqlStateOf(commit), "55000");
  EXPECT_TRUE(IsFenced(commit));
  EXPECT_TRUE(IsFenced(
      store_->Ingest({.keyspace = keyspace, .epoch = old_epoch, .versions = {PutAt("k", 1, "v")}, .frontier = {}})));
  EXPECT_TRUE(IsFenced(store_->Erase({keyspace, old_epoch, {"k"}, {}})));
  EXPECT_TRUE(TryPut(keyspace, new_epoch, "k", "v").ok());
}

TEST_F(StoreTest, NothingOfTheOldOwnerFollowsABumpUnderLoad) {
  const KeyspaceRef keyspace = NewKeyspace();
  const Epoch old_epoch = keyspace->state()->epoch;
  std::atomic<uint64_t> newest_acknowledged{0};
  std::atomic<int> acknowledged{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      while (true) {
        const auto ts = TryPut(keyspace, old_epoch, std::to_string(t), "v");
        if (!ts.ok()) {
          EXPECT_TRUE(IsFenced(ts.status())) << ts.status();
          return;
        }
        ++acknowledged;
        acknowledged.notify_all();
        uint64_t seen = newest_acknowledged;
        while (seen < ts->ns && !newest_acknowledged.compare_exchange_weak(seen, ts->ns)) {
        }
      }
    });
  }
  for (int seen = 0; seen < 100; seen = acknowledged) acknowledged.wait(seen);
  Timestamp present;
  Update([&](MetaUpdate& update) {
    update.Stage(keyspace).BumpEpoch();
    present = update.Stage(keyspace).Hide(update.visible());
  });
  threads.clear();
  EXPECT_LE(newest_acknowledged.load(), present.ns);
  EXPECT_EQ(keyspace->state()->newest, present);
}

// ---------------------------------------------------------------- meta

TEST_F(StoreTest, RefusedUpdateLeavesNothing) {
  const KeyspaceRef keyspace = NewKeyspace();
  const absl::Status status = store_->UpdateMeta([&](MetaUpdate& update) {
    update.Put("test/a", "1");
    update.Stage(keyspace).BumpEpoch();
    return SqlError("55000", "no");
  });
  EXPECT_EQ(MessageOf(status), "no");
  EXPECT_EQ(keyspace->state()->epoch, Epoch(1));
  EXPECT_FALSE(store_->GetMeta("test/a")->has_value());
}

TEST_F(StoreTest, AnUpdateReadsWhatWasBeforeItAndStagesChangesOneOnAnother) {
  const KeyspaceRef keyspace = NewKeyspace();
  const Timestamp kept = CommitPut(keyspace, "k", "1");
  CommitPut(keyspace, "k", "2");
  Update([&](MetaUpdate& update) {
    update.Put("test/a", "1");
    EXPECT_FALSE(update.GetBefore("test/a")->has_value());
    StagedKeyspace staged = update.Stage(keyspace);
    EXPECT_EQ(staged.BumpEpoch(), Epoch(2));
    EXPECT_EQ(update.Stage(keyspace).BumpEpoch(), Epoch(3));
    staged.Hide(kept);
    EXPECT_EQ(staged.RaiseFloor(update.visible()), kept);  // the floor stops at the interval that was staged just now
    EXPECT_EQ(update.Before(keyspace)->epoch, Epoch(1));
    EXPECT_EQ(update.Before(keyspace)->floor, kTimestampZero);
    EXPECT_TRUE(update.Before(keyspace)->hidden.empty());
  });
  const std::shared_ptr<const KeyspaceState> state = keyspace->state();
  EXPECT_EQ(state->epoch, Epoch(3));
  EXPECT_EQ(state->floor, kept);
  ASSERT_EQ(state->hidden.size(), 1u);
  EXPECT_EQ(state->hidden[0].after, kept);
  EXPECT_EQ(**store_->GetMeta("test/a"), "1");
}

TEST_F(StoreTest, UpdatesSeeTheOnesBeforeThem) {
  constexpr int kThreads = 8;
  constexpr int kUpdates = 20;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kUpdates; ++i) {
        Update([&](MetaUpdate& update) {
          const auto value = update.GetBefore("test/n");
          ASSERT_TRUE(value.ok());
          update.Put("test/n", std::to_string(value->has_value() ? std::stoi(**value) + 1 : 1));
        });
      }
    });
  }
  threads.clear();
  EXPECT_EQ(**store_->GetMeta("test/n"), std::to_string(kThreads * kUpdates));
  Update([](MetaUpdate& update) { update.Delete("test/n"); });
  EXPECT_TRUE(store_->ScanMeta("test/")->empty());
}

TEST_F(StoreTest, OldestProtectionCounts) {
  const KeyspaceRef keyspace = NewKeyspace();
  const IncarnationId& id = keyspace->incarnation();
  EXPECT_EQ(*OldestProtected(store_.get(), id), std::nullopt);
  Update([&](MetaUpdate& update) {
    Protect(update, id, "stream/1", {20});
    Protect(update, id, "failover", {10});
  });
  EXPECT_EQ(*OldestProtected(store_.get(), id), Timestamp{10});
  EXPECT_EQ(*ProtectedBy(store_.get(), id, "stream/1"), Timestamp{20});
  Update([&](MetaUpdate& update) { Unprotect(update, id, "failover"); });
  EXPECT_EQ(*OldestProtected(store_.get(), id), Timestamp{20});
  EXPECT_EQ(*ProtectedBy(store_.get(), id, "failover"), std::nullopt);
}

// ---------------------------------------------------------------- ingestion and hidden intervals

TEST_F(StoreTest, IngestingTwiceIsIngestingOnce) {
  const KeyspaceRef keyspace = NewStandby();
  const std::vector<Version> versions = {PutAt("b", 10, "x"), PutAt("a", 10, "y"), DeleteAt("a", 12), PutAt("a", 10, "y")};
  Ingest(keyspace, versions, 12);
  const std::string once = ScanAt(keyspace, 10) + "|" + ScanAt(keyspace, 12);
  const size_t entries = IndexEntries(keyspace);
  Ingest(keyspace, versions, 12);
  EXPECT_EQ(ScanAt(keyspace, 10) + "|" + ScanAt(keyspace, 12), once);
  EXPECT_EQ(once, "a=y@10 b=x@10|b=x@10");
  EXPECT_EQ(entries, 2u);
  EXPECT_EQ(IndexEntries(keyspace), entries);
}

TEST_F(StoreTest, FrontierIsDurableAndIsWhatAStandbyResolves) {
  KeyspaceRef keyspace = NewStandby();
  const OperationCounts before = store_->counts();
  Ingest(keyspace, {PutAt("a", 10, "x")});
  EXPECT_EQ((store_->counts() - before).syncs, 0u);
  Ingest(keyspace, {PutAt("a", 20, "y")}, 15);
  EXPECT_EQ((store_->counts() - before).syncs, 1u);
  EXPECT_EQ(store_->Resolved(*keyspace), Timestamp{15});
  EXPECT_EQ(keyspace->state()->newest, Timestamp{20});
  const IncarnationId id = keyspace->incarnation();
  keyspace.reset();
  Reopen();
  const KeyspaceRef again = Find(id);
  EXPECT_TRUE(again->state()->ingesting);
  EXPECT_EQ(store_->Resolved(*again), Timestamp{15});
  EXPECT_EQ(again->state()->newest, Timestamp{20});
}

TEST_F(StoreTest, FrontierGoingBackIsCaught) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {}, 15);
  Ingest(keyspace, {}, 15);
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(Ingest(keyspace, {}, 14), "K4");
}

// R5
TEST_F(StoreTest, IngestionWaitsForTheSweep) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "x"), PutAt("a", 20, "y")}, 10);
  const Epoch epoch = Promote(keyspace, 10);
  const absl::Status refused =
      store_->Ingest({.keyspace = keyspace, .epoch = epoch, .versions = {PutAt("a", 20, "y")}, .frontier = {}});
  EXPECT_EQ(SqlStateOf(refused), "55000");
  EXPECT_FALSE(IsFenced(refused));
}

TEST_F(StoreTest, UnsweptIntervalIsNotRetired) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "x"), PutAt("a", 20, "y")}, 10);
  Promote(keyspace, 10);
  const auto retire = [&] {
    return store_->UpdateMeta([&](MetaUpdate& update) {
      update.Stage(keyspace).RetireHidden({10});
      return absl::OkStatus();
    });
  };
  EXPECT_EQ(SqlStateOf(retire()), "55000");
  EXPECT_EQ(keyspace->state()->hidden.size(), 1u);
  const auto entry = EncodeChange({20}, {"a"});
  ASSERT_TRUE(store_->Erase({keyspace, keyspace->state()->epoch, {EncodeVersionKey("a", {20})}, {entry[0].first}}).ok());
  EXPECT_TRUE(retire().ok());
  EXPECT_TRUE(keyspace->state()->hidden.empty());
}

TEST_F(StoreTest, PromotionCostsTheSameWhateverLiesAbove) {
  std::vector<OperationCounts> costs;
  for (const int versions_above : {10, 100'000}) {
    const KeyspaceRef keyspace = NewStandby();
    Ingest(keyspace, {PutAt("k", 1000, "kept")}, 1000);
    std::vector<Version> above;
    for (int i = 0; i < versions_above; ++i) above.push_back(PutAt(fmt::format("k{}", i), 1001 + i % 1000, "undone"));
    Ingest(keyspace, std::move(above));
    const OperationCounts before = store_->counts();
    Promote(keyspace, 1000);
    costs.push_back(store_->counts() - before);
    EXPECT_EQ(keyspace->state()->hidden.front().after, Timestamp{1000});
    EXPECT_EQ(GetValue(keyspace, store_->visible(), "k"), "kept");
    EXPECT_EQ(GetValue(keyspace, store_->visible(), "k1"), "(none)");
  }
  EXPECT_EQ(costs[0], costs[1]);
  EXPECT_EQ(costs[0].syncs, 1u);
  EXPECT_EQ(costs[0].iterator_steps, 1u);
}

TEST_F(StoreTest, WritesAfterAPromotionLieAboveWhatWasHidden) {
  const KeyspaceRef keyspace = NewStandby();
  const uint64_t ahead = SystemClock()->WallNs() + kPeerClockAheadNsMax - 60 * kSecondNs;
  Ingest(keyspace, {PutAt("k", ahead, "kept"), PutAt("k", ahead + 500, "undone")}, ahead);
  Promote(keyspace, ahead);
  EXPECT_GE(store_->visible().ns, ahead + 500);
  EXPECT_EQ(GetValue(keyspace, store_->visible(), "k"), "kept");
  EXPECT_GT(CommitPut(keyspace, "k", "new").ns, ahead + 500);
  EXPECT_EQ(GetValue(keyspace, store_->visible(), "k"), "new");
}

// ---------------------------------------------------------------- time

TEST_F(StoreTest, WallClockThatStepsBackOverARestartChangesNothing) {
  ManualClock clock(SystemClock()->WallNs() + kHourNs);
  Reopen(&clock);
  KeyspaceRef keyspace = NewKeyspace();
  const IncarnationId id = keyspace->incarnation();
  const Timestamp committed = CommitPut(keyspace, "k", "v");
  const Timestamp reserved = *store_->ReserveTimestamp();
  const Timestamp shown = store_->visible();
  EXPECT_GT(reserved, committed);
  // What a crash at this moment leaves.
  std::filesystem::copy(dir_ + "/store", dir_ + "/crashed", std::filesystem::copy_options::recursive);
  keyspace.reset();
  store_.reset();
  ManualClock stepped_back(clock.WallNs() - kHourNs / 2);
  for (const char* folder : {"/store", "/crashed"}) {
    store_ = MustOpen(dir_ + folder, &stepped_back);
    EXPECT_GE(store_->visible(), shown);
    EXPECT_GT(*store_->ReserveTimestamp(), reserved);
    EXPECT_GT(CommitPut(Find(id), "k", "later"), reserved);
    EXPECT_EQ(GetValue(Find(id), committed, "k"), "v");
    store_.reset();
  }
}

TEST_F(StoreTest, CleanRestartDoesNotJumpAhead) {
  KeyspaceRef keyspace = NewKeyspace();
  for (int i = 0; i < 5; ++i) {
    const Timestamp last = *store_->ReserveTimestamp();
    ManualClock stopped(last.ns - kSecondNs);  // the clock stands: whatever time passes, the store added
    keyspace.reset();
    Reopen(&stopped);
    EXPECT_LT(store_->visible().ns - last.ns, kTickIntervalNs * 50);
    Reopen(SystemClock());
  }
}

TEST_F(StoreTest, TimestampsAreNeverGivenTwice) {
  const KeyspaceRef keyspace = NewKeyspace();
  std::mutex mutex;
  std::vector<uint64_t> given;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<uint64_t> mine;
      for (int i = 0; i < 2000; ++i) {
        mine.push_back(store_->ReserveTimestamp()->ns);
        if (i % 100 == 0) mine.push_back(CommitPut(keyspace, std::to_string(t), "v").ns);
      }
      std::lock_guard lock(mutex);
      given.insert(given.end(), mine.begin(), mine.end());
    });
  }
  threads.clear();
  std::sort(given.begin(), given.end());
  EXPECT_EQ(std::adjacent_find(given.begin(), given.end()), given.end());
}

TEST_F(StoreTest, VisibleFollowsTheClockWhileNothingIsWritten) {
  const Timestamp now = store_->visible();
  EXPECT_TRUE(store_->WaitVisible({now.ns + 3 * kTickIntervalNs}, {}).ok());
  EXPECT_EQ(SqlStateOf(store_->WaitVisible({now.ns + kHourNs}, {})), "22023");
  std::stop_source stop;
  stop.request_stop();
  const Timestamp ahead{SystemClock()->WallNs() + kCeilingLeadNs / 2};
  EXPECT_EQ(store_->WaitVisible(ahead, stop.get_token()).code(), absl::StatusCode::kCancelled);
}

TEST_F(StoreTest, PeersClockIsFollowedUpToALimit) {
  const Timestamp ahead{SystemClock()->WallNs() + kPeerClockAheadNsMax - 60 * kSecondNs};
  ASSERT_TRUE(store_->ForwardClock(ahead).ok());
  EXPECT_GE(store_->visible(), ahead);
  EXPECT_GT(*store_->ReserveTimestamp(), ahead);
  EXPECT_EQ(SqlStateOf(store_->ForwardClock({SystemClock()->WallNs() + kPeerClockAheadNsMax + 60 * kSecondNs})), "22023");
  Reopen();
  EXPECT_GE(store_->visible(), ahead);
}

// They take the clock along once they are hidden, or promoted.
TEST_F(StoreTest, VersionsAreFollowedUpToTheSameLimit) {
  const KeyspaceRef standby = NewStandby();
  const uint64_t ahead = SystemClock()->WallNs() + kPeerClockAheadNsMax - 60 * kSecondNs;
  const uint64_t too_far = SystemClock()->WallNs() + kPeerClockAheadNsMax + 60 * kSecondNs;
  const auto ingest = [&](std::vector<Version> versions, std::optional<Timestamp> frontier) {
    return SqlStateOf(store_->Ingest(
        {.keyspace = standby, .epoch = standby->state()->epoch, .versions = std::move(versions), .frontier = frontier}));
  };
  Ingest(standby, {PutAt("k", ahead, "v")}, ahead);
  EXPECT_EQ(ingest({PutAt("a", ahead + 1, "v"), PutAt("k", too_far, "v")}, std::nullopt), "22023");
  EXPECT_EQ(ingest({}, Timestamp{too_far}), "22023");
  EXPECT_EQ(standby->state()->newest, Timestamp{ahead});
  const absl::Status hidden = store_->UpdateMeta([&](MetaUpdate& update) {
    update.Stage(standby).Hide({too_far});
    return absl::OkStatus();
  });
  EXPECT_EQ(SqlStateOf(hidden), "22023");
  EXPECT_LT(store_->visible(), Timestamp{too_far});
  Promote(standby, ahead - 1);
  EXPECT_GE(store_->visible(), Timestamp{ahead});
}

class Recorder : public CommitObserver {
 public:
  void OnPublished(const std::vector<PublishedCommit>& commits, Timestamp resolved, const HeldKeyspaces&) override {
    std::lock_guard lock(mutex_);
    for (const PublishedCommit& commit : commits) {
      in_order_ &= commit.timestamp > last_ && commit.timestamp > resolved_ && commit.timestamp <= resolved;
      last_ = commit.timestamp;
      ++commits_;
    }
    in_order_ &= resolved >= resolved_;
    resolved_ = resolved;
    ++calls_;
    moved_.notify_all();
  }
  void WaitForCalls(int calls) {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return calls_ >= calls; });
  }
  void WaitForCommits(int commits) {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return commits_ >= commits; });
  }
  bool in_order() const { return in_order_; }
  int calls() const { return calls_; }

 private:
  std::mutex mutex_;
  std::condition_variable moved_;
  Timestamp last_;
  Timestamp resolved_;
  int commits_ = 0;
  int calls_ = 0;
  bool in_order_ = true;
};

TEST_F(StoreTest, ObserverGetsEveryCommitInOrderAndTicks) {
  const KeyspaceRef keyspace = NewKeyspace();
  Recorder recorder;
  store_->SetObserver(&recorder);
  recorder.WaitForCalls(2);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) CommitPut(keyspace, std::to_string(t), "v");
    });
  }
  threads.clear();
  recorder.WaitForCommits(100);
  store_->SetObserver(nullptr);
  const int calls = recorder.calls();
  CommitPut(keyspace, "unseen", "v");
  EXPECT_TRUE(store_->Sync().ok());
  EXPECT_EQ(recorder.calls(), calls);
  EXPECT_TRUE(recorder.in_order());
}

// ---------------------------------------------------------------- opening, dropping

TEST_F(StoreTest, RestartKeepsEverything) {
  KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("k", 10, "kept"), PutAt("k", 20, "undone")}, 10);
  const Epoch epoch = Promote(keyspace, 10);
  const Timestamp committed = CommitPut(keyspace, "k2", "v");
  const ClusterId cluster = store_->cluster_id();
  const IncarnationId id = keyspace->incarnation();
  keyspace.reset();
  Reopen();
  EXPECT_EQ(store_->cluster_id(), cluster);
  EXPECT_EQ(cluster.value().size(), 32u);
  keyspace = Find(id);
  const auto state = keyspace->state();
  EXPECT_EQ(state->epoch, epoch);
  EXPECT_TRUE(state->published);
  EXPECT_FALSE(state->ingesting);
  ASSERT_EQ(state->hidden.size(), 1u);
  EXPECT_EQ(state->hidden[0].upto, Timestamp{20});
  EXPECT_EQ(state->newest, committed);
  EXPECT_EQ(GetValue(keyspace, committed, "k"), "kept");
  EXPECT_EQ(GetValue(keyspace, committed, "k2"), "v");
}

TEST_F(StoreTest, StartDropsWhatWasNeverPublishedOrWasBeingDropped) {
  KeyspaceRef live = NewKeyspace();
  KeyspaceRef dropping = NewKeyspace();
  KeyspaceRef unpublished = *store_->CreateKeyspace();
  Ingest(unpublished, {PutAt("k", 10, "v")}, 10);
  Update([&](MetaUpdate& update) {
    update.Stage(dropping).MarkDropping();
    Protect(update, dropping->incarnation(), "failover", {1});
    Protect(update, live->incarnation(), "failover", {1});
  });
  const IncarnationId live_id = live->incarnation();
  live.reset();
  dropping.reset();
  unpublished.reset();
  Reopen();
  ASSERT_EQ(store_->Keyspaces().size(), 1u);
  EXPECT_EQ(store_->Keyspaces()[0]->incarnation(), live_id);
  EXPECT_EQ(store_->ScanMeta("protect/")->size(), 1u);
  EXPECT_EQ(store_->ScanMeta("keyspace/")->size(), 1u);
}

TEST_F(StoreTest, DroppedKeyspaceTakesNoMoreWrites) {
  const KeyspaceRef keyspace = NewKeyspace();
  CommitPut(keyspace, "k", "v");
  EXPECT_EQ(SqlStateOf(store_->DropKeyspace(keyspace)), "55000");  // the keyspace is live
  const auto scan = ReaderAt(keyspace, store_->visible())->Scan({});
  std::vector<std::jthread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&] {
      while (TryPut(keyspace, Epoch(1), "k", "v").ok()) {
      }
    });
  }
  Update([&](MetaUpdate& update) {
    update.Stage(keyspace).MarkDropping();
    Protect(update, keyspace->incarnation(), "failover", {1});
  });
  ASSERT_TRUE(store_->DropKeyspace(keyspace).ok());
  writers.clear();
  EXPECT_TRUE(IsFenced(TryPut(keyspace, Epoch(1), "k", "v").status()));
  EXPECT_TRUE(IsFenced(store_->UpdateMeta([&](MetaUpdate& update) {
    update.Stage(keyspace).Publish();
    return absl::OkStatus();
  })));
  EXPECT_TRUE(IsFenced(store_->DropKeyspace(keyspace)));
  EXPECT_NE(Drain(*scan), "");  // a reader that had begun goes on
  EXPECT_FALSE(store_->FindKeyspace(keyspace->incarnation()).ok());
  EXPECT_TRUE(store_->ScanMeta("protect/")->empty());
  EXPECT_TRUE(store_->ScanMeta("keyspace/")->empty());
  CommitPut(NewKeyspace(), "k", "v");  // the store is well
}

TEST_F(StoreTest, LockedStoreNamesTheHolder) {
  const absl::Status refused = TryOpen(dir_ + "/store").status();
  EXPECT_EQ(SqlStateOf(refused), "55006");
  EXPECT_NE(MessageOf(refused).find(fmt::format("in use by process {}", getpid())), std::string::npos) << refused;
  CommitPut(NewKeyspace(), "k", "v");  // the try did not take the lock away
  EXPECT_EQ(SqlStateOf(TryOpen(dir_ + "/store").status()), "55006");
}

TEST_F(StoreTest, StoreOfANewerFormatIsRefused) {
  Update([](MetaUpdate& update) { update.Put("store/format", "\x02"); });
  store_.reset();
  const absl::Status refused = TryOpen(dir_ + "/store").status();
  EXPECT_EQ(SqlStateOf(refused), "55000");
  EXPECT_NE(MessageOf(refused).find("has format 2, this program reads up to 1"), std::string::npos) << refused;
}

TEST_F(StoreTest, ASlashAtTheEndOfTheFolderIsNoOther) {
  ASSERT_TRUE(TryOpen(dir_ + "/slash/").ok());
  const auto permissions = std::filesystem::status(dir_ + "/slash").permissions();
  EXPECT_EQ(permissions, std::filesystem::perms::owner_all);
}

TEST_F(StoreTest, FolderThatCannotBeMadeIsRefused) {
  std::ofstream(dir_ + "/file") << "x";
  const absl::Status refused = TryOpen(dir_ + "/file/store").status();
  EXPECT_EQ(SqlStateOf(refused), "58030");
  EXPECT_NE(MessageOf(refused).find("is not writable"), std::string::npos) << refused;
}

// ---------------------------------------------------------------- failure

// A limit on file sizes makes the next large write to the log fail as a bad disk would.
TEST_F(StoreTest, FailedWriteIsTerminalUntilRestart) {
  KeyspaceRef keyspace = NewKeyspace();
  const IncarnationId id = keyspace->incarnation();
  const Timestamp before = CommitPut(keyspace, "k", "acknowledged");
  signal(SIGXFSZ, SIG_IGN);
  rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{1 << 20, limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const absl::Status failed = TryPut(keyspace, Epoch(1), "k", std::string(kLargeCommitBytes / 2, 'x')).status();
  setrlimit(RLIMIT_FSIZE, &limit);
  const Timestamp shown = store_->visible();
  EXPECT_EQ(SqlStateOf(failed), "58030") << failed;
  EXPECT_EQ(SqlStateOf(TryPut(keyspace, Epoch(1), "k", "small").status()), "58030");
  EXPECT_EQ(SqlStateOf(store_->Sync()), "58030");
  EXPECT_EQ(SqlStateOf(store_->DropKeyspace(keyspace)), "58030");
  EXPECT_EQ(store_->visible(), shown);
  EXPECT_EQ(GetValue(keyspace, before, "k"), "acknowledged");
  keyspace.reset();
  Reopen();
  EXPECT_EQ(GetValue(Find(id), store_->visible(), "k"), "acknowledged");
  CommitPut(Find(id), "k", "new");
}

constexpr char kChildDirVariable[] = "ANABRANCH_STORE_TEST_DIR";
constexpr char kChildFdVariable[] = "ANABRANCH_STORE_TEST_FD";

// The body of the process that the next test kills: commits for ever and reports each acknowledgement.
TEST(StoreChild, DISABLED_CommitsUntilKilled) {
  const char* dir = std::getenv(kChildDirVariable);
  const char* fd_text = std::getenv(kChildFdVariable);
  ASSERT_TRUE(dir != nullptr && fd_text != nullptr);
  const int fd = std::atoi(fd_text);
  Random random(7);
  auto store = Store::Open({.dir = dir, .random = &random});
  ASSERT_TRUE(store.ok()) << store.status();
  const KeyspaceRef keyspace = (*store)->Keyspaces().at(0);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      while (true) {
        const std::string key = std::to_string(t);
        const auto ts = (*store)->Commit({.keyspace = keyspace,
                                          .epoch = keyspace->state()->epoch,
                                          .writes = OnePut(key, "v"),
                                          .validate_spans = {},
                                          .validate_after = {}});
        CHECK(ts.ok(), "commit in the child");
        const uint64_t record[2] = {static_cast<uint64_t>(t), ts->ns};
        if (write(fd, record, sizeof record) != sizeof record) return;
      }
    });
  }
}

TEST_F(StoreTest, KilledAtAnyMomentLosesNothingAcknowledged) {
  IncarnationId id;
  {
    const KeyspaceRef keyspace = NewKeyspace();
    id = keyspace->incarnation();
  }
  store_.reset();
  for (const size_t kill_after : {1, 200, 1000}) {
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(pipe_fds[0]);
      setenv(kChildDirVariable, (dir_ + "/store").c_str(), 1);
      setenv(kChildFdVariable, std::to_string(pipe_fds[1]).c_str(), 1);
      execl("/proc/self/exe", "storage_test", "--gtest_also_run_disabled_tests",
            "--gtest_filter=StoreChild.DISABLED_CommitsUntilKilled", nullptr);
      _exit(127);
    }
    close(pipe_fds[1]);
    std::vector<std::pair<uint64_t, uint64_t>> acknowledged;
    uint64_t record[2];
    while (read(pipe_fds[0], record, sizeof record) == sizeof record) {
      acknowledged.emplace_back(record[0], record[1]);
      if (acknowledged.size() == 1) {
        EXPECT_NE(MessageOf(TryOpen(dir_ + "/store").status()).find(fmt::format("in use by process {}", child)),
                  std::string::npos);
      }
      if (acknowledged.size() == kill_after) kill(child, SIGKILL);
    }
    close(pipe_fds[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ASSERT_GE(acknowledged.size(), kill_after);
    store_ = MustOpen(dir_ + "/store");
    KeyspaceRef keyspace = Find(id);
    for (const auto& [thread, ns] : acknowledged) {
      const auto found = ReaderAt(keyspace, Timestamp{ns})->NewestTimestamp(std::to_string(thread));
      ASSERT_TRUE(found.ok());
      EXPECT_EQ(found->ns, ns);
      EXPECT_GE(store_->visible().ns, ns);
    }
    keyspace.reset();
    store_.reset();
  }
}

}  // namespace
}  // namespace anabranch
