#include "storage/mvcc/reader.h"

#include <algorithm>
#include <map>

#include "base/coding.h"
#include "storage/mvcc/change_index.h"
#include "storage/revert.h"
#include "storage/rocks/keyspace.h"
#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

std::string RandomKey(Random& random) {
  static constexpr char kBytes[] = {0, 0, 1, 2, 'a', 'b', '\x7f', '\xfe', '\xff'};
  std::string key;
  for (uint64_t length = random.Next() % 6; length > 0; --length) key.push_back(kBytes[random.Next() % sizeof(kBytes)]);
  return key;
}

TEST(KeyEncodingTest, RoundTripsAnyBytes) {
  Random random(1);
  for (int i = 0; i < 5000; ++i) {
    const std::string key = RandomKey(random);
    const Timestamp ts{random.Next()};
    std::string decoded;
    Timestamp decoded_ts;
    ASSERT_TRUE(DecodeVersionKey(EncodeVersionKey(key, ts), &decoded, &decoded_ts)) << ToHex(key);
    ASSERT_EQ(decoded, key);
    ASSERT_EQ(decoded_ts, ts);
  }
}

TEST(KeyEncodingTest, OrdersByUserKeyThenNewestFirst) {
  Random random(2);
  std::vector<std::pair<std::string, uint64_t>> versions;  // key and inverted timestamp: their order is wanted
  for (int i = 0; i < 3000; ++i) versions.emplace_back(RandomKey(random), random.Next() >> (random.Next() % 64));
  std::sort(versions.begin(), versions.end());
  std::vector<std::string> encoded;
  for (const auto& [key, inverted] : versions) encoded.push_back(EncodeVersionKey(key, Timestamp{~inverted}));
  EXPECT_TRUE(std::is_sorted(encoded.begin(), encoded.end()));
}

TEST(KeyEncodingTest, RefusesMalformedKeys) {
  std::string key;
  Timestamp ts;
  const std::string whole = EncodeVersionKey(std::string("a\0b", 3), Timestamp{7});
  ASSERT_TRUE(DecodeVersionKey(whole, &key, &ts));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(DecodeVersionKey(whole.substr(0, size), &key, &ts)) << size;
  }
  EXPECT_FALSE(DecodeVersionKey("x" + std::string(9, '\0'), &key, &ts));  // 00 00 is no escape
  EXPECT_FALSE(DecodeVersionKey(std::string("a\0\x01tail\0\x01", 9) + std::string(8, '\0'), &key, &ts));  // ended twice
}

class MvccReaderTest : public StoreFixture {
 protected:
  std::string GetAt(const KeyspaceRef& keyspace, uint64_t at, std::string_view key) {
    auto row = ReaderAt(keyspace, Timestamp{at})->Get(key);
    if (!row.ok()) return row.status().ToString();
    return *row ? fmt::format("{}@{}", (*row)->value, (*row)->timestamp.ns) : "none";
  }
};

TEST_F(MvccReaderTest, GetFindsTheVersionInForce) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace,
         {PutAt("a", 10, "one"), PutAt("a", 20, "two"), DeleteAt("a", 30), PutAt("a", 40, ""), PutAt("ab", 15, "x")}, 50);
  EXPECT_EQ(GetAt(keyspace, 9, "a"), "none");
  EXPECT_EQ(GetAt(keyspace, 10, "a"), "one@10");
  EXPECT_EQ(GetAt(keyspace, 19, "a"), "one@10");
  EXPECT_EQ(GetAt(keyspace, 29, "a"), "two@20");
  EXPECT_EQ(GetAt(keyspace, 30, "a"), "none");
  EXPECT_EQ(GetAt(keyspace, 50, "a"), "@40");
  EXPECT_EQ(GetAt(keyspace, 50, "aa"), "none");
  EXPECT_EQ(GetAt(keyspace, 50, ""), "none");
  const auto reader = ReaderAt(keyspace, Timestamp{35});
  EXPECT_EQ(*reader->NewestTimestamp("a"), Timestamp{30});  // the tombstone counts
  EXPECT_EQ(*reader->NewestTimestamp("zz"), kTimestampZero);
  EXPECT_EQ((*reader->GetVersion("a"))->write.kind, WriteKind::kTombstone);
}

TEST_F(MvccReaderTest, ScanReturnsLiveKeysOfTheSpanInOrder) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace,
         {PutAt("", 10, "empty"), PutAt("a", 10, "1"), PutAt("a", 20, "2"), PutAt("b", 10, "3"), DeleteAt("b", 20),
          PutAt("c", 30, "4"), PutAt("d", 5, "5"), PutAt("e", 10, "6")},
         40);
  EXPECT_EQ(ScanAt(keyspace, 40), "=empty@10 a=2@20 c=4@30 d=5@5 e=6@10");
  EXPECT_EQ(ScanAt(keyspace, 15), "=empty@10 a=1@10 b=3@10 d=5@5 e=6@10");
  EXPECT_EQ(ScanAt(keyspace, 4), "");
  EXPECT_EQ(ScanAt(keyspace, 40, {"a", "d"}), "a=2@20 c=4@30");
  EXPECT_EQ(ScanAt(keyspace, 40, {"aa", ""}), "c=4@30 d=5@5 e=6@10");
  EXPECT_EQ(ScanAt(keyspace, 40, {"f", ""}), "");
  EXPECT_EQ(ScanAt(keyspace, 40, {"d", "c"}), "");
}

TEST_F(MvccReaderTest, ManyVersionsAboveAndBelowAreSkippedBySeeks) {
  const KeyspaceRef keyspace = NewStandby();
  std::vector<Version> versions;
  for (uint64_t ts = 1; ts <= 2000; ++ts) {
    for (const char* key : {"a", "b", "c"}) versions.push_back(PutAt(key, ts, std::to_string(ts)));
  }
  Ingest(keyspace, std::move(versions), 2000);
  const OperationCounts before = store_->counts();
  EXPECT_EQ(ScanAt(keyspace, 1000), "a=1000@1000 b=1000@1000 c=1000@1000");
  EXPECT_EQ(GetAt(keyspace, 1, "b"), "1@1");
  EXPECT_LT((store_->counts() - before).iterator_steps, 80u);
}

TEST_F(MvccReaderTest, HiddenVersionsExistForNoReader) {
  const KeyspaceRef keyspace = NewStandby();
  std::vector<Version> versions{PutAt("a", 10, "kept"), PutAt("gone", 10, "kept"), DeleteAt("gone", 25),
                                PutAt("only", 30, "hidden")};
  for (uint64_t ts = 21; ts <= 60; ++ts) versions.push_back(PutAt("a", ts, "hidden"));
  Ingest(keyspace, std::move(versions), 60);
  EXPECT_EQ(ScanAt(keyspace, 60), "a=hidden@60 only=hidden@30");
  Promote(keyspace, 20);
  for (const uint64_t at : {20, 30, 60, 1000}) {
    EXPECT_EQ(ScanAt(keyspace, at), "a=kept@10 gone=kept@10") << at;
    EXPECT_EQ(GetAt(keyspace, at, "a"), "kept@10") << at;
    EXPECT_EQ(GetAt(keyspace, at, "only"), "none") << at;
    EXPECT_EQ(*ReaderAt(keyspace, Timestamp{at})->NewestTimestamp("gone"), Timestamp{10}) << at;
  }
  const Timestamp written = CommitPut(keyspace, "only", "new");
  EXPECT_EQ(GetAt(keyspace, written.ns, "only"), fmt::format("new@{}", written.ns));
  EXPECT_EQ(GetAt(keyspace, written.ns - 1, "only"), "none");
}

// What a reader pinned before the sweep stays readable, and its view does not change.
TEST_F(MvccReaderTest, ScanOpenedBeforeTheSweepSeesNoHiddenVersionAfterIt) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "kept"), PutAt("a", 30, "hidden"), PutAt("b", 30, "hidden"), PutAt("c", 10, "kept")},
         30);
  const Epoch epoch = Promote(keyspace, 20);
  const auto reader = ReaderAt(keyspace, Timestamp{40});
  const auto early = reader->Scan({});
  ASSERT_TRUE(SweepHidden(store_.get(), keyspace, epoch, {}, nullptr).ok());
  ASSERT_TRUE(keyspace->state()->hidden.empty());
  EXPECT_EQ(Drain(*early), "a=kept@10 c=kept@10");
  EXPECT_EQ(Drain(*reader->Scan({})), "a=kept@10 c=kept@10");
}

TEST_F(MvccReaderTest, RefusesUnresolvedAndCollectedTimestamps) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1")}, 50);
  const absl::Status unresolved = MvccReader::Open(store_.get(), keyspace, Timestamp{51}).status();
  EXPECT_EQ(SqlStateOf(unresolved), sqlstate::kInvalidParameterValue);
  EXPECT_EQ(MessageOf(unresolved), "cannot read at 51.0000000000: complete only up to 50.0000000000");

  const auto early = ReaderAt(keyspace, Timestamp{20});
  KeyspaceState state = *keyspace->state();
  state.floor = Timestamp{30};  // as garbage collection raises the floor
  AsRocks(*keyspace).SetState(state);
  const absl::Status collected = MvccReader::Open(store_.get(), keyspace, Timestamp{29}).status();
  EXPECT_EQ(SqlStateOf(collected), sqlstate::kInvalidParameterValue);
  EXPECT_EQ(MessageOf(collected),
            "history at 29.0000000000 was garbage collected: the oldest readable timestamp is 30.0000000000");
  EXPECT_EQ(GetAt(keyspace, 30, "a"), "1@10");
  // Opened before, but its iterators come after (R8).
  EXPECT_EQ(SqlStateOf(early->Get("a").status()), sqlstate::kInvalidParameterValue);
  EXPECT_EQ(Drain(*early->Scan({})), sqlstate::kInvalidParameterValue);
}

TEST_F(MvccReaderTest, UnknownKindIsDataLossNotAGuess) {
  const KeyspaceRef keyspace = NewStandby();
  Ingest(keyspace, {PutAt("a", 10, "1")}, 50);
  RocksKeyspace& rocks = AsRocks(*keyspace);
  for (const char* damaged : {"\x09value", ""}) {
    ASSERT_TRUE(rocks.db()->Put({}, rocks.data(), EncodeVersionKey("b", Timestamp{20}), damaged).ok());
    EXPECT_TRUE(absl::IsDataLoss(ReaderAt(keyspace, Timestamp{50})->Get("b").status()));
    EXPECT_EQ(ScanAt(keyspace, 50), "a=1@10 XX001");
  }
}

// Random histories of ingestion, failover and sweep against an oracle in memory.
class ModelTest : public MvccReaderTest {
 protected:
  using History = std::map<std::string, std::map<uint64_t, std::optional<std::string>>>;

  std::optional<std::pair<uint64_t, std::string>> Expected(const std::string& key, uint64_t at) const {
    const auto versions = oracle_.find(key);
    if (versions == oracle_.end()) return std::nullopt;
    auto next = versions->second.upper_bound(at);
    if (next == versions->second.begin()) return std::nullopt;
    --next;
    if (!next->second) return std::nullopt;
    return std::pair(next->first, *next->second);
  }

  void IngestSome() {
    std::vector<Version> versions;
    for (uint64_t commits = 1 + model_.Next() % 20; commits > 0; --commits) {
      ++now_;
      for (uint64_t writes = 1 + model_.Next() % 4; writes > 0; --writes) {
        const std::string key = keys_[model_.Next() % keys_.size()];
        const bool put = model_.Next() % 4 != 0;
        if (oracle_[key].contains(now_)) continue;
        const std::string value = fmt::format("v{}", model_.Next() % 1000);
        oracle_[key][now_] = put ? std::optional(value) : std::nullopt;
        versions.push_back(put ? PutAt(key, now_, value) : DeleteAt(key, now_));
      }
    }
    Ingest(keyspace_, std::move(versions), now_);
  }

  void FailOver() {
    const uint64_t after = now_ - model_.Next() % std::min<uint64_t>(now_, 30);
    epoch_ = Promote(keyspace_, after);
    for (auto& [key, versions] : oracle_) versions.erase(versions.upper_bound(after), versions.end());
    promoted_at_ = after;
  }

  void SweepAndGoBackToStandby() {
    const auto swept = SweepHidden(store_.get(), keyspace_, epoch_, {}, nullptr);
    ASSERT_TRUE(swept.ok()) << swept.status();
    now_ = promoted_at_;  // timestamps above are used again, as a stream that resends them does
    Update([&](MetaUpdate& update) { update.Stage(keyspace_).SetIngesting(true, Timestamp{now_}); });
  }

  void CheckReads() {
    const uint64_t at = model_.Next() % (now_ + 1);
    const auto reader = ReaderAt(keyspace_, Timestamp{at});
    for (int i = 0; i < 5; ++i) {
      const std::string& key = keys_[model_.Next() % keys_.size()];
      const auto row = reader->Get(key);
      ASSERT_TRUE(row.ok()) << row.status();
      const auto expected = Expected(key, at);
      ASSERT_EQ(row->has_value(), expected.has_value()) << ToHex(key) << " at " << at;
      if (!expected) continue;
      ASSERT_EQ(std::pair((*row)->timestamp.ns, (*row)->value), *expected);
    }
    Span span{keys_[model_.Next() % keys_.size()], keys_[model_.Next() % keys_.size()]};
    std::string expected;
    for (const auto& [key, versions] : oracle_) {
      if (key < span.start || (!span.end.empty() && key >= span.end)) continue;
      const auto row = Expected(key, at);
      if (row) expected += fmt::format("{}{}={}@{}", expected.empty() ? "" : " ", key, row->second, row->first);
    }
    ASSERT_EQ(Drain(*reader->Scan(span)), expected) << "at " << at;
  }

  void CheckChanges() {
    std::map<uint64_t, std::vector<std::string>> expected;
    for (const auto& [key, versions] : oracle_) {
      for (const auto& [ts, value] : versions) expected[ts].push_back(key);
    }
    auto cursor =
        ChangeCursor::Open(store_.get(), keyspace_, kTimestampZero, Timestamp{now_ + 100}, ChangeFilter::kVisible);
    ASSERT_TRUE(cursor.ok()) << cursor.status();
    ChangeEntry entry;
    for (const auto& [ts, keys] : expected) {
      ASSERT_TRUE(*(*cursor)->NextTimestamp(&entry));
      ASSERT_EQ(entry.timestamp.ns, ts);
      ASSERT_EQ(entry.keys, keys);
      ASSERT_TRUE(ReadVersions(store_.get(), keyspace_, entry).ok());
    }
    ASSERT_FALSE(*(*cursor)->NextTimestamp(&entry));
  }

  const uint64_t seed_ = Random().Next();
  Random model_{seed_};
  KeyspaceRef keyspace_;
  Epoch epoch_;
  History oracle_;
  std::vector<std::string> keys_;
  uint64_t now_ = 0;
  uint64_t promoted_at_ = 0;
};

TEST_F(ModelTest, ReadsAgreeWithAnOracleThroughFailoversAndSweeps) {
  SCOPED_TRACE(fmt::format("seed {}", seed_));
  for (int history = 0; history < 5; ++history) {
    keys_.clear();
    for (int i = 0; i < 30; ++i) keys_.push_back(RandomKey(model_));
    oracle_.clear();
    now_ = 0;
    keyspace_ = NewStandby();
    for (int round = 0; round < 6; ++round) {
      for (uint64_t i = 2 + model_.Next() % 6; i > 0; --i) ASSERT_NO_FATAL_FAILURE(IngestSome());
      for (int i = 0; i < 15; ++i) ASSERT_NO_FATAL_FAILURE(CheckReads());
      FailOver();
      for (int i = 0; i < 15; ++i) ASSERT_NO_FATAL_FAILURE(CheckReads());
      ASSERT_NO_FATAL_FAILURE(CheckChanges());
      ASSERT_NO_FATAL_FAILURE(SweepAndGoBackToStandby());
      for (int i = 0; i < 5; ++i) ASSERT_NO_FATAL_FAILURE(CheckReads());
      ASSERT_NO_FATAL_FAILURE(CheckChanges());
    }
  }
}

}  // namespace
}  // namespace anabranch
