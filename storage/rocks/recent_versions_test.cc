#include "storage/rocks/recent_versions.h"

#include "storage/mvcc/transaction.h"
#include "storage/revert.h"
#include "storage/rocks/keyspace.h"
#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

constexpr uint32_t kFamily = 7;

WriteList Puts(const std::vector<std::string>& keys, std::string_view value) {
  WriteList writes;
  for (const std::string& key : keys) writes.Add(key, WriteKind::kPut, value);
  return writes;
}

std::string Found(const std::optional<Version>& version) {
  if (!version) return "unknown";
  const bool put = version->write.kind == WriteKind::kPut;
  return fmt::format("{}={}@{}", version->key, put ? version->write.value : "none", version->timestamp.ns);
}

TEST(RecentVersionsTest, FindsTheNewestVersionWhereItIsTheAnswer) {
  RecentVersions recent;
  recent.Note(kFamily, Puts({"a"}, "1"), {10});
  recent.Note(kFamily, Puts({"a"}, "2"), {20});
  EXPECT_EQ(Found(recent.Find(kFamily, "a", {0}, {20})), "a=2@20");
  EXPECT_EQ(Found(recent.Find(kFamily, "a", {19}, {99})), "a=2@20");
  EXPECT_EQ(Found(recent.Find(kFamily, "a", {0}, {19})), "unknown");  // the answer is an older version
  EXPECT_EQ(Found(recent.Find(kFamily, "a", {20}, {99})), "unknown");
  EXPECT_EQ(Found(recent.Find(kFamily + 1, "a", {0}, {99})), "unknown");
  EXPECT_EQ(Found(recent.Find(kFamily, "b", {0}, {99})), "unknown");
  EXPECT_TRUE(recent.UnchangedSince(kFamily, "a", {20}));
  EXPECT_FALSE(recent.UnchangedSince(kFamily, "a", {19}));

  WriteList deletion;
  deletion.Add("a", WriteKind::kTombstone, "");
  recent.Note(kFamily, deletion, {30});
  EXPECT_EQ(Found(recent.Find(kFamily, "a", {0}, {30})), "a=none@30");

  recent.DropVersions();
  EXPECT_EQ(Found(recent.Find(kFamily, "a", {0}, {30})), "unknown");
  EXPECT_FALSE(recent.UnchangedSince(kFamily, "a", {29}));
}

TEST(RecentVersionsTest, OfALargeVersionOnlyThatItChangedIsKept) {
  RecentVersions recent;
  recent.Note(kFamily, Puts({"a"}, "1"), {10});
  recent.Note(kFamily, Puts({"a"}, std::string(RecentVersions::kEntryBytesMax, 'x')), {20});
  EXPECT_EQ(Found(recent.Find(kFamily, "a", {0}, {99})), "unknown");
  EXPECT_FALSE(recent.UnchangedSince(kFamily, "a", {19}));
}

// More keys than slots: each is either found as it was last written or not at all, and never called unchanged wrongly.
TEST(RecentVersionsTest, KeysThatShareASlotAreToldApart) {
  RecentVersions recent;
  constexpr uint64_t kKeys = 4 * RecentVersions::kSlots;
  for (uint64_t i = 1; i <= kKeys; ++i) recent.Note(kFamily, Puts({std::to_string(i)}, "v" + std::to_string(i)), {i});
  size_t found = 0;
  for (uint64_t i = 1; i <= kKeys; ++i) {
    const std::string key = std::to_string(i);
    const std::optional<Version> version = recent.Find(kFamily, key, {0}, {kKeys});
    if (version) {
      EXPECT_EQ(Found(version), fmt::format("{0}=v{0}@{0}", i));
    }
    found += version.has_value();
    EXPECT_FALSE(recent.UnchangedSince(kFamily, key, {i - 1})) << key;
  }
  EXPECT_GT(found, RecentVersions::kSlots / 2);
  EXPECT_LE(found, RecentVersions::kSlots);
}

// Those of different keyspaces do.
TEST(RecentVersionsTest, ACommitThatComesLateHidesNoneThatIsNewer) {
  RecentVersions recent;
  for (uint64_t i = 0; i < 4 * RecentVersions::kSlots; ++i) recent.Note(kFamily, Puts({std::to_string(i)}, "new"), {20});
  for (uint64_t i = 0; i < RecentVersions::kSlots; ++i) recent.Note(kFamily + 1, Puts({std::to_string(i)}, "late"), {10});
  for (uint64_t i = 0; i < 4 * RecentVersions::kSlots; ++i) {
    EXPECT_FALSE(recent.UnchangedSince(kFamily, std::to_string(i), {15})) << i;
  }
}

class RecentReadTest : public StoreFixture {
 protected:
  std::unique_ptr<Transaction> Begin(IsolationLevel isolation = IsolationLevel::kReadCommitted) {
    auto transaction = Transaction::Begin({store_.get(), keyspace_, keyspace_->state()->epoch, locks_.get()}, isolation);
    EXPECT_TRUE(transaction->BeginStatement().ok());
    return transaction;
  }
  static std::string Text(const absl::StatusOr<std::optional<ReadVersion>>& row) {
    if (!row.ok()) return SqlStateOf(row.status());
    return *row ? fmt::format("{}@{}", (*row)->value, (*row)->timestamp.ns) : "none";
  }
  // As the LSM tree has it.
  std::string Stored(const std::string& key, Timestamp at) { return Text(ReaderAt(keyspace_, at)->Get(key)); }
  uint64_t StepsOf(const std::function<void()>& work) {
    const uint64_t before = store_->counts().iterator_steps;
    work();
    return store_->counts().iterator_steps - before;
  }

  std::unique_ptr<LockTable> locks_ = LockTable::Create();
  KeyspaceRef keyspace_ = NewKeyspace();
};

TEST_F(RecentReadTest, AHotRowIsReadAndLockedWithoutTheTree) {
  CommitPut(keyspace_, "a", "1");
  const Timestamp second = CommitPut(keyspace_, "a", "2");
  EXPECT_EQ(StepsOf([&] {
              const auto transaction = Begin();
              EXPECT_EQ(Text(transaction->Get("a")), fmt::format("2@{}", second.ns));
              const auto locked = transaction->LockFoundRow("a", {});
              ASSERT_TRUE(locked.ok()) << locked.status();
              EXPECT_FALSE(locked->has_value());
            }),
            0u);
}

TEST_F(RecentReadTest, ALockedRowThatChangedOrIsOnesOwnIsRead) {
  CommitPut(keyspace_, "a", "1");
  const auto transaction = Begin();
  const Timestamp second = CommitPut(keyspace_, "a", "2");
  const auto changed = transaction->LockFoundRow("a", {});
  ASSERT_TRUE(changed.ok() && changed->has_value());
  EXPECT_TRUE((*changed)->changed_since_snapshot);
  EXPECT_EQ(Text((*changed)->row), fmt::format("2@{}", second.ns));
  ASSERT_TRUE(transaction->Delete("a").ok());
  const auto own = transaction->LockFoundRow("a", {});
  ASSERT_TRUE(own.ok() && own->has_value());
  EXPECT_FALSE((*own)->row.has_value());

  const auto older = Begin(IsolationLevel::kRepeatableRead);
  ASSERT_TRUE(transaction->Commit().ok());
  EXPECT_EQ(SqlStateOf(older->LockFoundRow("a", {}).status()), sqlstate::kSerializationFailure);
}

// Commits small and large, as files, hidden versions, changes of owner and ingestion: what a transaction reads is what is
// stored, and a row is not called unchanged that is not.
TEST_F(RecentReadTest, WhateverChangesAKeyspaceNoReadIsStale) {
  Random random(7);
  const auto below = [&](uint64_t n) { return random.Next() % n; };
  const auto key = [&] { return fmt::format("k{:02}", below(40)); };
  size_t hits = 0;
  for (int step = 0; step < 3000; ++step) {
    const std::string value = std::to_string(step);
    const Timestamp before = store_->visible();
    std::unique_ptr<Transaction> older = Begin();
    const std::string watched = key();
    const std::string seen = Text(older->Get(watched));
    switch (below(20)) {
      case 0: {
        WriteSet writes;
        for (size_t i = 0; i <= RecentVersions::kCommitKeysMax; ++i)
          writes[fmt::format("k{:02}", i)] = {WriteKind::kPut, value};
        CommitWrites(keyspace_, std::move(writes));
        break;
      }
      case 1: {
        auto writes = std::make_shared<WriteList>(Puts({watched}, value));
        ASSERT_TRUE(store_
                        ->Commit({.keyspace = keyspace_,
                                  .epoch = keyspace_->state()->epoch,
                                  .writes = std::move(writes),
                                  .validate_spans = {},
                                  .validate_after = {},
                                  .as_files = true})
                        .ok());
        break;
      }
      case 2:
        Promote(keyspace_, before.ns - below(2'000'000));
        ASSERT_TRUE(SweepHidden(store_.get(), keyspace_, keyspace_->state()->epoch, {}, nullptr).ok());
        break;
      case 3: {
        Update([&](MetaUpdate& update) {
          update.Stage(keyspace_).BumpEpoch();
          update.Stage(keyspace_).SetIngesting(true, before);
        });
        Ingest(keyspace_, {PutAt(key(), before.ns + 1, value), DeleteAt(key(), before.ns + 2)}, before.ns + 2);
        Promote(keyspace_, before.ns + 2);
        break;
      }
      case 4:
        CommitWrites(keyspace_, {{key(), {WriteKind::kTombstone, ""}}});
        break;
      default:
        CommitPut(keyspace_, key(), value);
    }
    const bool unchanged = AsRocks(*keyspace_).UnchangedSince(watched, older->snapshot());
    if (unchanged) {
      EXPECT_EQ(Stored(watched, store_->visible()), seen) << step;
    }
    const auto transaction = Begin();
    for (int i = 0; i < 3; ++i) {
      const std::string read = key();
      hits += AsRocks(*keyspace_).FindRecent(read, transaction->snapshot()).has_value();
      ASSERT_EQ(Text(transaction->Get(read)), Stored(read, transaction->snapshot())) << step << " " << read;
    }
  }
  EXPECT_GT(hits, 100u);
}

}  // namespace
}  // namespace anabranch
