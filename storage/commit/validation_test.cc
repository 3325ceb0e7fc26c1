#include "storage/commit/validation.h"

#include <atomic>
#include <functional>
#include <stop_token>
#include <thread>

#include "rocksdb/perf_context.h"
#include "rocksdb/perf_level.h"
#include "storage/commit/write_group.h"
#include "storage/store_impl.h"
#include "storage/testing/test_store.h"

namespace anabranch {
namespace {

std::shared_ptr<const WriteList> OnePut(const std::string& key, const std::string& value) {
  return std::make_shared<const WriteList>(WriteSet{{key, {WriteKind::kPut, value}}});
}

class ValidationTest : public StoreFixture {
 protected:
  std::string GetValue(const KeyspaceRef& keyspace, Timestamp at, const std::string& key) {
    auto value = ReaderAt(keyspace, at)->Get(key);
    CHECK(value.ok() && *value, "the row is there");
    return (*value)->value;
  }
};

TEST_F(ValidationTest, SerializableFailsOnlyIfSomethingReadHasChanged) {
  const KeyspaceRef keyspace = NewKeyspace();
  CommitPut(keyspace, "b", "old");
  const Timestamp read_at = store_->visible();
  CommitPut(keyspace, "b", "new");
  const auto commit_having_read = [&](std::vector<Span> spans) {
    return store_->Commit({.keyspace = keyspace,
                           .epoch = keyspace->state()->epoch,
                           .writes = OnePut("z", ""),
                           .validate_spans = std::move(spans),
                           .validate_after = read_at});
  };
  EXPECT_EQ(SqlStateOf(commit_having_read({{"a", "c"}}).status()), "40001");
  EXPECT_EQ(SqlStateOf(commit_having_read({{"b", ""}}).status()), "40001");
  EXPECT_EQ(SqlStateOf(commit_having_read({{"a", "y"}, {"aa", "ab"}}).status()), "40001");  // the longer span begins first
  EXPECT_TRUE(commit_having_read({{"a", "b"}, {"c", "z"}}).ok());
}

// One with more below its reads than the writer thread may look at (R18): the committer does.
TEST_F(ValidationTest, SerializableCommitsAfterAnHourOfOthersWork) {
  const KeyspaceRef keyspace = NewKeyspace();
  CommitPut(keyspace, "read", "v");
  const Timestamp read_at = store_->visible();
  WriteSet others;
  for (int i = 0; i < 1000; ++i) others[fmt::format("other {:0100}", i)] = {WriteKind::kPut, ""};
  for (size_t bytes = 0; bytes < 3 * kValidatedByWriterBytesMax; bytes += 1000 * 100) CommitWrites(keyspace, others);
  const auto commit_having_read = [&](std::vector<Span> spans, std::function<void()> on_writer) {
    const auto committed = store_->Commit({.keyspace = keyspace,
                                           .epoch = keyspace->state()->epoch,
                                           .writes = OnePut("z", ""),
                                           .validate_spans = std::move(spans),
                                           .validate_after = read_at,
                                           .published = std::move(on_writer)});
    return committed.ok() ? "ok" : SqlStateOf(committed.status());
  };
  // What the writer thread reads is counted by RocksDB, for each thread.
  const auto begin = [] {
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);
    rocksdb::get_perf_context()->Reset();
  };
  uint64_t read_bytes = 0;
  const auto end = [&] {
    read_bytes = rocksdb::get_perf_context()->iter_read_bytes;
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
  };
  EXPECT_EQ(commit_having_read({}, begin), "ok");
  EXPECT_EQ(commit_having_read({{"read", "read0"}}, end), "ok");
  EXPECT_LT(read_bytes, 1000u);
  EXPECT_EQ(commit_having_read({{"other", "other1"}}, nullptr), "40001");
}

// What the writer thread looks at are keys: a large value ahead in the same group is none of its work.
TEST_F(ValidationTest, ALargeValueAheadInTheGroupIsNotTooMuch) {
  const KeyspaceRef keyspace = NewKeyspace();
  const auto request = [&](std::string key, size_t value_bytes, std::vector<Span> read) {
    return CommitRequest{.keyspace = keyspace,
                         .epoch = keyspace->state()->epoch,
                         .writes = OnePut(key, std::string(value_bytes, 'v')),
                         .validate_spans = std::move(read),
                         .validate_after = store_->visible()};
  };
  const CommitRequest large = request("large", 300 << 10, {});
  const CommitRequest reads_other = request("a", 1, {{"other", "other0"}});
  const CommitRequest reads_large = request("b", 1, {{"large", "large0"}});
  Update([&](MetaUpdate&) {  // on the writer thread
    HybridClock clock(store_->clock(), store_->visible());
    clock.SetCeiling(clock.NextCeiling(kTimestampZero));
    WriteGroup group(&static_cast<RocksStore&>(*store_).engine(), &clock);
    EXPECT_TRUE(group.AddCommit(large).ok());
    const absl::Status validated = group.AddCommit(reads_other).status();
    EXPECT_TRUE(validated.ok()) << validated;
    const absl::Status failed = group.AddCommit(reads_large).status();
    EXPECT_EQ(SqlStateOf(failed), "40001");
    EXPECT_FALSE(IsTooMuchToValidate(failed));
  });
}

// More keys than the writer thread looks at for a first look are not too many for a later one.
TEST_F(ValidationTest, TheLimitGrowsWithTheLooks) {
  const KeyspaceRef keyspace = NewKeyspace();
  WriteSet many;
  for (size_t bytes = 0; bytes < 2 * kValidatedByWriterBytesMax; bytes += 1000) {
    many[fmt::format("{:01000}", bytes)] = {WriteKind::kPut, ""};
  }
  const CommitRequest ahead{.keyspace = keyspace,
                            .epoch = keyspace->state()->epoch,
                            .writes = std::make_shared<const WriteList>(many),
                            .validate_spans = {},
                            .validate_after = {}};
  CommitRequest reads{.keyspace = keyspace,
                      .epoch = keyspace->state()->epoch,
                      .writes = OnePut("a", ""),
                      .validate_spans = {{"other", "other0"}},
                      .validate_after = store_->visible()};
  Update([&](MetaUpdate&) {
    HybridClock clock(store_->clock(), store_->visible());
    clock.SetCeiling(clock.NextCeiling(kTimestampZero));
    WriteGroup group(&static_cast<RocksStore&>(*store_).engine(), &clock);
    EXPECT_TRUE(group.AddCommit(ahead).ok());
    reads.validations = 1;
    EXPECT_TRUE(IsTooMuchToValidate(group.AddCommit(reads).status()));
    reads.validations = 3;
    EXPECT_TRUE(group.AddCommit(reads).ok());
  });
}

TEST_F(ValidationTest, AStopEndsTheLookAtOthersWork) {
  const KeyspaceRef keyspace = NewKeyspace();
  const Timestamp read_at = store_->visible();
  CommitPut(keyspace, "other", "v");
  std::stop_source stop;
  CommitRequest request{.keyspace = keyspace,
                        .epoch = keyspace->state()->epoch,
                        .writes = OnePut("z", ""),
                        .validate_spans = {{"read", "read0"}},
                        .validate_after = read_at,
                        .stop = stop.get_token()};
  stop.request_stop();
  EXPECT_EQ(SqlStateOf(store_->Commit(request).status()), sqlstate::kQueryCanceled);
  request.stop = {};
  EXPECT_TRUE(store_->Commit(request).ok());
}

// Members of one group see each other: without that, two increments that were read at one moment would both pass.
TEST_F(ValidationTest, SerializableIncrementsAreNotLostWithinAGroup) {
  const KeyspaceRef keyspace = NewKeyspace();
  CommitPut(keyspace, "n", "0");
  constexpr int kThreads = 8;
  constexpr int kIncrements = 25;
  std::atomic<int> conflicts{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int done = 0; done < kIncrements;) {
        const Timestamp at = store_->visible();
        const int value = std::stoi(GetValue(keyspace, at, "n"));
        const auto ts = store_->Commit({.keyspace = keyspace,
                                        .epoch = keyspace->state()->epoch,
                                        .writes = OnePut("n", std::to_string(value + 1)),
                                        .validate_spans = {{"n", "o"}},
                                        .validate_after = at});
        if (ts.ok()) {
          ++done;
        } else {
          EXPECT_EQ(SqlStateOf(ts.status()), "40001");
          ++conflicts;
        }
      }
    });
  }
  threads.clear();
  EXPECT_EQ(GetValue(keyspace, store_->visible(), "n"), std::to_string(kThreads * kIncrements));
  EXPECT_GT(conflicts.load(), 0);
}

}  // namespace
}  // namespace anabranch
