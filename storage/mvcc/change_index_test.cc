#include "storage/mvcc/change_index.h"

#include "base/coding.h"
#include "storage/mvcc/fingerprint.h"
#include "storage/rocks/keyspace.h"
#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

TEST(ChangeEncodingTest, RoundTripsAndSortsByTimestamp) {
  const auto early = EncodeChange(Timestamp{255}, {"a", std::string_view("b\0c", 3)});
  const auto late = EncodeChange(Timestamp{256}, {""});
  ASSERT_EQ(early.size(), 1u);
  ASSERT_EQ(late.size(), 1u);
  EXPECT_LT(early[0].first, late[0].first);
  ChangeEntry entry;
  ASSERT_TRUE(DecodeChange(early[0].first, early[0].second, &entry));
  EXPECT_EQ(entry.timestamp, Timestamp{255});
  EXPECT_EQ(entry.encoded_key, early[0].first);
  EXPECT_EQ(entry.keys, (std::vector<std::string>{"a", std::string("b\0c", 3)}));
  ASSERT_TRUE(DecodeChange(late[0].first, late[0].second, &entry));
  EXPECT_EQ(entry.keys, std::vector<std::string>{""});
  EXPECT_TRUE(EncodeChange(Timestamp{1}, {}).empty());
}

TEST(ChangeEncodingTest, DividesALargeCommitAtTheBound) {
  std::vector<std::string> keys;
  for (int i = 0; i < 40; ++i) keys.push_back(fmt::format("{:05}", i) + std::string(kKeyBytesMax - 5, 'k'));
  const auto entries = EncodeChange(Timestamp{1}, {keys.begin(), keys.end()});
  ASSERT_EQ(entries.size(), 3u);  // 15 keys of 16 KiB and their lengths fit 256 KiB
  std::vector<std::string> all;
  for (const auto& [key, value] : entries) {
    EXPECT_LE(value.size(), kChangeEntryBytesMax);
    ChangeEntry entry;
    ASSERT_TRUE(DecodeChange(key, value, &entry));
    all.insert(all.end(), entry.keys.begin(), entry.keys.end());
  }
  EXPECT_EQ(all, keys);
}

TEST(ChangeEncodingTest, RefusesDamagedEntries) {
  const auto [key, value] = EncodeChange(Timestamp{7}, {"abc", "def"})[0];
  ChangeEntry entry;
  EXPECT_FALSE(DecodeChange(key.substr(1), value, &entry));
  EXPECT_FALSE(DecodeChange(key, "", &entry));
  for (size_t i = 0; i < value.size(); ++i) {
    std::string damaged = value;
    damaged[i] ^= 1;
    EXPECT_FALSE(DecodeChange(key, damaged, &entry)) << i;
  }
}

class ChangeIndexTest : public StoreFixture {
 protected:
  std::string Changes(const KeyspaceRef& keyspace, uint64_t after, uint64_t upto, ChangeFilter filter) {
    auto cursor = ChangeCursor::Open(store_.get(), keyspace, Timestamp{after}, Timestamp{upto}, filter);
    if (!cursor.ok()) return SqlStateOf(cursor.status());
    std::string text;
    ChangeEntry entry;
    while (true) {
      const absl::StatusOr<bool> found = (*cursor)->NextTimestamp(&entry);
      if (!found.ok()) return text + SqlStateOf(found.status());
      if (!*found) return text;
      text += fmt::format("{}:{} ", entry.timestamp.ns, fmt::join(entry.keys, ","));
    }
  }
  size_t EntryCount(const KeyspaceRef& keyspace) {
    auto cursor = ChangeCursor::Open(store_.get(), keyspace, {}, Timestamp{1000}, ChangeFilter::kAll);
    ChangeEntry entry;
    size_t count = 0;
    while (*(*cursor)->Next(&entry)) ++count;
    return count;
  }
  Fingerprint FingerprintOf(const KeyspaceRef& keyspace, std::optional<uint64_t> start, uint64_t at) {
    std::optional<Timestamp> from;
    if (start) from = Timestamp{*start};
    auto fingerprint = ComputeFingerprint(store_.get(), keyspace, from, Timestamp{at}, {});
    CHECK(fingerprint.ok(), fingerprint.status().ToString().c_str());
    return *fingerprint;
  }
};

TEST_F(ChangeIndexTest, CursorWalksExactlyItsRange) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), DeleteAt("b", 10), PutAt("c", 20, "2"), PutAt("d", 30, "3")}, 30);
  EXPECT_EQ(Changes(keyspace, 0, 100, ChangeFilter::kVisible), "10:a,b 20:c 30:d ");
  EXPECT_EQ(Changes(keyspace, 10, 30, ChangeFilter::kVisible), "20:c 30:d ");
  EXPECT_EQ(Changes(keyspace, 9, 29, ChangeFilter::kVisible), "10:a,b 20:c ");
  EXPECT_EQ(Changes(keyspace, 30, 30, ChangeFilter::kVisible), "");
  EXPECT_EQ(Changes(keyspace, 25, 5, ChangeFilter::kVisible), "");
}

TEST_F(ChangeIndexTest, OnlyUndoSeesHiddenEntries) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("b", 20, "2"), PutAt("c", 21, "3"), PutAt("d", 30, "4")}, 30);
  Promote(keyspace, 20);
  EXPECT_EQ(Changes(keyspace, 0, 100, ChangeFilter::kVisible), "10:a 20:b ");
  EXPECT_EQ(Changes(keyspace, 0, 100, ChangeFilter::kAll), "10:a 20:b 21:c 30:d ");
  const Timestamp written = CommitPut(keyspace, "e", "5");
  EXPECT_EQ(Changes(keyspace, 10, written.ns, ChangeFilter::kVisible), fmt::format("20:b {}:e ", written.ns));
}

TEST_F(ChangeIndexTest, PartsOfACommitAreReadAsAUnion) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("b", 10, "2")});
  Ingest(keyspace, {PutAt("c", 10, "3")});
  Ingest(keyspace, {PutAt("b", 10, "2"), PutAt("c", 10, "3")}, 10);  // the same versions, divided otherwise
  EXPECT_EQ(EntryCount(keyspace), 3u);
  EXPECT_EQ(Changes(keyspace, 0, 10, ChangeFilter::kVisible), "10:a,b,c ");
  const Fingerprint versions = FingerprintOf(keyspace, 0, 10);
  EXPECT_EQ(versions.versions, 3u);
}

TEST_F(ChangeIndexTest, IngestingTheSameTwiceChangesNothing) {
  const KeyspaceRef keyspace = NewStandby();
  const std::vector<Version> versions{PutAt("a", 10, "1"), DeleteAt("b", 10), PutAt("a", 20, "2")};
  Ingest(keyspace, versions, 20);
  const std::string rows = ScanAt(keyspace, 20);
  const Fingerprint before = FingerprintOf(keyspace, 0, 20);
  Ingest(keyspace, versions, 20);
  EXPECT_EQ(EntryCount(keyspace), 2u);
  EXPECT_EQ(ScanAt(keyspace, 20), rows);
  EXPECT_EQ(FingerprintOf(keyspace, 0, 20).digest, before.digest);
}

TEST_F(ChangeIndexTest, ReadVersionsReturnsExactlyTheVersionsOfTheEntry) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "old"), PutAt("a", 20, "mid"), DeleteAt("b", 20), PutAt("a", 30, "new")}, 30);
  auto cursor = ChangeCursor::Open(store_.get(), keyspace, Timestamp{10}, Timestamp{20}, ChangeFilter::kVisible);
  ChangeEntry entry;
  ASSERT_TRUE(*(*cursor)->Next(&entry));
  const auto versions = ReadVersions(store_.get(), keyspace, entry);
  ASSERT_TRUE(versions.ok()) << versions.status();
  ASSERT_EQ(versions->size(), 2u);
  EXPECT_EQ((*versions)[0].write.value, "mid");
  EXPECT_EQ((*versions)[1].key, "b");
  EXPECT_EQ((*versions)[1].write.kind, WriteKind::kTombstone);
  EXPECT_EQ((*versions)[1].timestamp, Timestamp{20});
}

TEST_F(ChangeIndexTest, VersionThatTheDataLacksIsDataLoss) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("key", 10, "2")}, 10);
  auto cursor = ChangeCursor::Open(store_.get(), keyspace, {}, Timestamp{10}, ChangeFilter::kVisible);
  ChangeEntry entry;
  ASSERT_TRUE(*(*cursor)->Next(&entry));
  RocksKeyspace& rocks = AsRocks(*keyspace);
  ASSERT_TRUE(rocks.db()->Delete({}, rocks.data(), EncodeVersionKey("key", Timestamp{10})).ok());
  const absl::Status lost = ReadVersions(store_.get(), keyspace, entry).status();
  EXPECT_TRUE(absl::IsDataLoss(lost));
  EXPECT_EQ(MessageOf(lost), "the change index names key 6b6579 at 10.0000000000, which the data lacks");

  // Undone since the entry was read: entry and versions go together, so nothing is lost.
  ASSERT_TRUE(rocks.db()->Delete({}, rocks.changes(), entry.encoded_key).ok());
  EXPECT_EQ(SqlStateOf(ReadVersions(store_.get(), keyspace, entry).status()), sqlstate::kObjectNotInPrerequisiteState);

  KeyspaceState state = *keyspace->state();
  state.floor = Timestamp{10};
  AsRocks(*keyspace).SetState(state);
  EXPECT_EQ(SqlStateOf(ReadVersions(store_.get(), keyspace, entry).status()), sqlstate::kInvalidParameterValue);
}

TEST_F(ChangeIndexTest, RefusesToStartBelowTheFloor) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("b", 20, "2")}, 20);
  KeyspaceState state = *keyspace->state();
  state.floor = Timestamp{15};
  AsRocks(*keyspace).SetState(state);
  EXPECT_EQ(Changes(keyspace, 14, 100, ChangeFilter::kVisible), sqlstate::kInvalidParameterValue);
  EXPECT_EQ(Changes(keyspace, 15, 100, ChangeFilter::kVisible), "20:b ");
}

TEST_F(ChangeIndexTest, DamagedEntryIsDataLoss) {
  const KeyspaceRef keyspace = NewStandby();
  RocksKeyspace& rocks = AsRocks(*keyspace);
  const auto [key, value] = EncodeChange(Timestamp{7}, {"abc"})[0];
  ASSERT_TRUE(rocks.db()->Put({}, rocks.changes(), key, value + "x").ok());
  EXPECT_EQ(Changes(keyspace, 0, 100, ChangeFilter::kAll), sqlstate::kDataCorrupted);
}

TEST_F(ChangeIndexTest, FingerprintDoesNotDependOnTheOrderOfArrival) {
  const KeyspaceRef one = NewStandby();
  const KeyspaceRef two = NewStandby();
  std::vector<Version> versions;
  for (uint64_t i = 0; i < 500; ++i) versions.push_back(PutAt(fmt::format("k{}", i % 100), 1 + i, fmt::format("v{}", i)));
  versions.push_back(DeleteAt("k7", 600));
  Ingest(one, versions, 600);
  std::reverse(versions.begin(), versions.end());
  for (size_t i = 0; i < versions.size(); i += 167) {
    Ingest(two, {versions.begin() + i, versions.begin() + std::min(versions.size(), i + 167)});
  }
  Ingest(two, {}, 600);
  const Fingerprint rows = FingerprintOf(one, std::nullopt, 600);
  EXPECT_EQ(rows.versions, 99u);
  EXPECT_EQ(FingerprintOf(two, std::nullopt, 600).digest, rows.digest);
  const Fingerprint history = FingerprintOf(one, 50, 600);
  EXPECT_EQ(history.versions, 451u);
  EXPECT_EQ(FingerprintOf(two, 50, 600).digest, history.digest);
  EXPECT_NE(FingerprintOf(two, 51, 600).digest, history.digest);
}

TEST_F(ChangeIndexTest, FingerprintDiffersByOneByteAnywhere) {
  const auto digest = [&](const Version& version, std::optional<uint64_t> start) {
    const KeyspaceRef keyspace = NewStandby();
    Ingest(keyspace, {PutAt("z", 5, "same"), version}, 50);
    return FingerprintOf(keyspace, start, 50).digest;
  };
  for (const std::optional<uint64_t> start : {std::optional<uint64_t>(), std::optional<uint64_t>(0)}) {
    const uint64_t original = digest(PutAt("key", 10, "value"), start);
    EXPECT_EQ(digest(PutAt("key", 10, "value"), start), original);
    EXPECT_NE(digest(PutAt("key", 10, "valuf"), start), original);
    EXPECT_NE(digest(PutAt("kex", 10, "value"), start), original);
    EXPECT_NE(digest(PutAt("key", 11, "value"), start), original);
    EXPECT_NE(digest(PutAt("keyv", 10, "alue"), start), original);
    EXPECT_NE(digest(DeleteAt("key", 10), start), original);
  }
}

TEST_F(ChangeIndexTest, FingerprintSkipsHiddenVersionsAndStopsWhenAsked) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1"), PutAt("a", 30, "2")}, 30);
  const Fingerprint before = FingerprintOf(keyspace, std::nullopt, 20);
  const Fingerprint history = FingerprintOf(keyspace, 0, 20);
  Promote(keyspace, 20);
  EXPECT_EQ(FingerprintOf(keyspace, std::nullopt, 40).digest, before.digest);
  EXPECT_EQ(FingerprintOf(keyspace, 0, 40).digest, history.digest);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(absl::IsCancelled(ComputeFingerprint(store_.get(), keyspace, {}, Timestamp{40}, stop.get_token()).status()));
}

}  // namespace
}  // namespace anabranch
