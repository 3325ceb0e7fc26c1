// What others see and do while a large commit is on its way.
#include <algorithm>
#include <chrono>
#include <future>
#include <thread>

#include "storage/store_impl.h"
#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

class LargeCommitTest : public StoreFixture {
 protected:
  Writer& writer() { return static_cast<RocksStore*>(store_.get())->writer(); }
  RocksEngine& engine() { return static_cast<RocksStore*>(store_.get())->engine(); }
  static CommitRequest Of(const KeyspaceRef& keyspace, const WriteSet& writes) {
    return {.keyspace = keyspace,
            .epoch = keyspace->state()->epoch,
            .writes = std::make_shared<const WriteList>(writes),
            .validate_spans = {},
            .validate_after = {}};
  }
  static WriteSet Rows(const std::string& value) {
    constexpr size_t kRowBytes = 1000;
    WriteSet rows;
    for (size_t bytes = 0; bytes <= kLargeCommitBytes; bytes += kRowBytes) {
      rows[fmt::format("row{:06}", bytes)] = {WriteKind::kPut, value + std::string(kRowBytes, 'v')};
    }
    return rows;
  }
  std::string Get(const KeyspaceRef& keyspace, const std::string& key) {
    auto row = ReaderAt(keyspace, store_->Resolved(*keyspace))->Get(key);
    EXPECT_TRUE(row.ok()) << row.status();
    return row.ok() && *row ? (*row)->value.substr(0, 1) : "-";
  }
};

TEST_F(LargeCommitTest, IsACommitLikeAnyOther) {
  const KeyspaceRef keyspace = NewKeyspace();
  CommitPut(keyspace, "row000000", "0");
  for (const char* const value : {"1", "2"}) {
    const Timestamp ts = CommitWrites(keyspace, Rows(value));
    EXPECT_GE(store_->visible(), ts);
    EXPECT_EQ(store_->Resolved(*keyspace), store_->visible());
    EXPECT_EQ(Get(keyspace, "row000000"), value);
    EXPECT_EQ(Get(keyspace, "row001000"), value);
  }
  CommitPut(keyspace, "row001000", "3");
  EXPECT_EQ(Get(keyspace, "row001000"), "3");
}

TEST_F(LargeCommitTest, OthersGoOnWhileItIsWritten) {
  const KeyspaceRef keyspace = NewKeyspace();
  const KeyspaceRef other = NewKeyspace();
  CommitPut(keyspace, "k", "0");
  const CommitRequest large = Of(keyspace, {{"k", {WriteKind::kPut, "1"}}});
  const absl::StatusOr<Timestamp> ts = writer().Hold(large);
  ASSERT_TRUE(ts.ok()) << ts.status();
  for (int i = 0; i < 10; ++i) EXPECT_GT(CommitPut(other, "k", std::to_string(i)), *ts);
  EXPECT_EQ(Get(other, "k"), "9");
  EXPECT_GT(store_->visible(), *ts);
  // Its own keyspace is read below it, and is written to after it.
  EXPECT_EQ(store_->Resolved(*keyspace), ts->Prev());
  EXPECT_EQ(Get(keyspace, "k"), "0");
  auto later = std::async(std::launch::async, [&] { return CommitPut(keyspace, "k", "2"); });
  auto update = std::async(std::launch::async, [&] {
    return store_->UpdateMeta([&](MetaUpdate& update) {
      EXPECT_EQ(update.Before(keyspace)->held_at, std::nullopt) << "whoever decides finds no commit half-way";
      return absl::OkStatus();
    });
  });
  auto readable = std::async(std::launch::async, [&] { return store_->WaitReadable(keyspace, *ts, {}); });
  EXPECT_GT(CommitPut(other, "k", "a"), *ts);
  EXPECT_EQ(later.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_EQ(update.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_EQ(readable.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  CommitFiles files(&engine(), &AsRocks(*keyspace), *ts, CommitFiles::Filters::kAsFamily);
  ASSERT_TRUE(files.Write(*large.writes).ok());
  ASSERT_TRUE(writer().EndHold(large, *ts, &files).ok());
  EXPECT_GT(later.get(), *ts);
  EXPECT_TRUE(update.get().ok());
  EXPECT_TRUE(readable.get().ok());
  EXPECT_EQ(Get(keyspace, "k"), "2");
  auto row = ReaderAt(keyspace, *ts)->Get("k");
  ASSERT_TRUE(row.ok() && *row);
  EXPECT_EQ((*row)->value, "1");
}

// R3: what was read is judged against a commit that has its timestamp and is not there yet.
TEST_F(LargeCommitTest, WhoReadWhatItWritesIsNotSerializable) {
  const KeyspaceRef keyspace = NewKeyspace();
  const KeyspaceRef other = NewKeyspace();
  const Timestamp snapshot = CommitPut(keyspace, "read", "0");
  const CommitRequest large = Of(keyspace, {{"read", {WriteKind::kPut, "1"}}});
  const absl::StatusOr<Timestamp> ts = writer().Hold(large);
  ASSERT_TRUE(ts.ok()) << ts.status();
  EXPECT_GT(CommitPut(other, "k", "0"), *ts);
  CommitRequest reader = Of(keyspace, {{"written", {WriteKind::kPut, "1"}}});
  reader.validate_spans = {{"read", "read0"}};
  reader.validate_after = snapshot;
  auto committed = std::async(std::launch::async, [&] { return store_->Commit(std::move(reader)); });
  EXPECT_EQ(committed.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  CommitFiles files(&engine(), &AsRocks(*keyspace), *ts, CommitFiles::Filters::kAsFamily);
  ASSERT_TRUE(files.Write(*large.writes).ok());
  ASSERT_TRUE(writer().EndHold(large, *ts, &files).ok());
  EXPECT_EQ(SqlStateOf(committed.get().status()), "40001");
}

TEST_F(LargeCommitTest, OneThatIsGivenUpLeavesNothing) {
  const KeyspaceRef keyspace = NewKeyspace();
  CommitPut(keyspace, "k", "0");
  const CommitRequest large = Of(keyspace, {{"k", {WriteKind::kPut, "1"}}});
  const absl::StatusOr<Timestamp> ts = writer().Hold(large);
  ASSERT_TRUE(ts.ok());
  ASSERT_TRUE(writer().EndHold(large, *ts, nullptr).ok());
  EXPECT_GE(store_->Resolved(*keyspace), *ts);
  EXPECT_EQ(Get(keyspace, "k"), "0");
  CommitPut(keyspace, "k", "2");
  EXPECT_EQ(Get(keyspace, "k"), "2");
}

// Checks that no commit comes at or below what was told to be resolved in its keyspace.
class ResolvedIsFinal : public CommitObserver {
 public:
  void OnPublished(const std::vector<PublishedCommit>& commits, Timestamp resolved, const HeldKeyspaces& held) override {
    for (const PublishedCommit& commit : commits) {
      EXPECT_GT(commit.timestamp, Told(commit.incarnation));
      EXPECT_LE(commit.timestamp, resolved);
    }
    EXPECT_GE(resolved, resolved_);
    held_anything_ |= !held.empty();
    resolved_ = resolved;
    held_ = held;
  }
  bool held_anything() const { return held_anything_; }

 private:
  Timestamp Told(const IncarnationId& incarnation) const {
    const auto held = held_.find(incarnation);
    return held == held_.end() ? resolved_ : std::min(resolved_, held->second);
  }

  Timestamp resolved_;
  HeldKeyspaces held_;
  bool held_anything_ = false;
};

TEST_F(LargeCommitTest, ManyOfSeveralKeyspacesWithUpdatesInBetweenAllEnd) {
  ResolvedIsFinal observer;
  store_->SetObserver(&observer);
  constexpr int kThreads = 4;
  constexpr int kRounds = 5;
  std::vector<KeyspaceRef> keyspaces;
  for (int i = 0; i < kThreads; ++i) keyspaces.push_back(NewKeyspace());
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        CommitWrites(keyspaces[i], Rows(std::to_string(round)));
        CommitPut(keyspaces[(i + 1) % kThreads], "small", "v");
        Update([&](MetaUpdate& update) { update.Put("test/record", "v"); });
      }
    });
  }
  threads.clear();
  store_->SetObserver(nullptr);
  EXPECT_TRUE(observer.held_anything());
  for (const KeyspaceRef& keyspace : keyspaces) {
    EXPECT_EQ(Get(keyspace, "row000000"), std::to_string(kRounds - 1));
    EXPECT_EQ(Get(keyspace, "small"), "v");
  }
}

TEST_F(LargeCommitTest, ALargeIngestionIsDividedAndItsFrontierComesLast) {
  const KeyspaceRef standby = NewStandby();
  std::vector<Version> versions;
  for (int i = 0; i < 50; ++i) versions.push_back(PutAt(fmt::format("k{:02}", i), 100, std::string(100'000, 'v')));
  Ingest(standby, versions, 100);
  EXPECT_EQ(standby->state()->frontier, Timestamp{100});
  const std::unique_ptr<MvccScan> scan = ReaderAt(standby, Timestamp{100})->Scan({});
  for (int i = 0; i < 50; ++i) {
    const auto found = scan->Next();
    ASSERT_TRUE(found.ok() && *found);
    EXPECT_EQ(scan->key(), fmt::format("k{:02}", i));
  }
}

}  // namespace
}  // namespace anabranch
