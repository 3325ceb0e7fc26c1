// The laws of cost: promote, undo, catch-up, garbage collection, clone and drop do the same work for the same change, whatever
// lies under it, and whether it was compacted or not. Judged on operations and bytes, never on time.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "rocksdb/perf_context.h"
#include "rocksdb/perf_level.h"
#include "storage/gc.h"
#include "storage/mvcc/change_index.h"
#include "storage/revert.h"
#include "storage/rocks/meta_format.h"
#include "storage/testing/fault_store.h"
#include "storage/testing/test_store.h"
#include "storage/transfer.h"

namespace anabranch {
namespace {

constexpr uint64_t kVersionsAtOne = 100'000;
constexpr uint64_t kChangedVersions = 10'000;
constexpr uint64_t kVersionsPerTimestamp = 10;
constexpr uint64_t kVersionsPerRequest = 10'000;
constexpr double kTolerance = 0.1;

struct Work {
  OperationCounts counts;
  uint64_t log_bytes = 0;       // bytes written to the log
  uint64_t read_bytes = 0;      // of keys and values that seeks and gets found
  uint64_t skipped_inside = 0;  // overwritten and deleted entries that RocksDB stepped over

  std::vector<std::pair<const char*, uint64_t>> Parts() const {
    return {{"iterator steps", counts.iterator_steps},
            {"gets", counts.gets},
            {"puts", counts.puts},
            {"deletes", counts.deletes},
            {"syncs", counts.syncs},
            {"bytes written", log_bytes},
            {"bytes sought and got", read_bytes},
            {"skipped inside", skipped_inside}};
  }
};

enum class Law { kPromote, kUndo, kCatchUp, kCollect, kClone, kDrop };
constexpr std::pair<Law, const char*> kLaws[] = {{Law::kPromote, "promote"},  {Law::kUndo, "undo"},
                                                 {Law::kCatchUp, "catch-up"}, {Law::kCollect, "garbage collection"},
                                                 {Law::kClone, "clone"},      {Law::kDrop, "drop"}};

// A standby with `scale` times the data and, above it, the change.
class Subject {
 public:
  explicit Subject(uint64_t scale) : keys_(kVersionsAtOne * scale), store_(17) {
    Must(store_.Open());
    const auto keyspace = store_.Create("standby");
    Must(keyspace.status());
    Must(store_.Update([&](MetaUpdate& update) { update.Stage(*keyspace).SetIngesting(true, kTimestampZero); }));
    // An odd multiplier that shares no factor with the number of keys: each is written once, in no order.
    for (uint64_t i = 0; i < keys_; ++i) Add(KeyOf(i * 7'919 % keys_), 1 + i / kVersionsPerTimestamp);
    before_ = Timestamp{1 + keys_ / kVersionsPerTimestamp};
    Send();
    for (uint64_t i = 0; i < kChangedVersions; ++i) {
      Add(KeyOf(i * 7'919 % kChangedVersions * (keys_ / kChangedVersions)), before_.ns + 1 + i / kVersionsPerTimestamp);
    }
    after_ = Timestamp{before_.ns + 1 + kChangedVersions / kVersionsPerTimestamp};
    Send();
    Must(store_.Ingest("standby", {}, after_));
    Must(store_.Flush());
  }

  void Compact() { Must(store_.Compact()); }

  // On a clone, which has the same files.
  Work Measure(Law law) {
    const auto clone = CloneKeyspace(store_.store(), store_.Find("standby"));
    Must(clone.status());
    Must(store_.Publish(*clone, "subject", [&](MetaUpdate& update) { update.Stage(*clone).SetIngesting(true, after_); }));
    if (law == Law::kCollect) {
      Must(store_.Update([&](MetaUpdate& update) {  // the keyspace as the last run left it
        update.Put(MetaCollectedKey((*clone)->incarnation()), EncodeTimestamp(before_) + std::string(16, '\xff'));
      }));
    }
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);
    rocksdb::get_perf_context()->Reset();
    store_.disk().ResetCounts();
    const OperationCounts before = store_.store()->counts();
    Run(law, *clone);
    const rocksdb::PerfContext& inside = *rocksdb::get_perf_context();
    Work work{.counts = store_.store()->counts() - before,
              .log_bytes = store_.disk().log_bytes(),
              .read_bytes = inside.iter_read_bytes + inside.get_read_bytes + inside.multiget_read_bytes,
              .skipped_inside = inside.internal_key_skipped_count + inside.internal_delete_skipped_count};
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
    if (law != Law::kDrop) Drop(*clone);
    return work;
  }

 private:
  static void Must(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }
  static std::string KeyOf(uint64_t i) { return fmt::format("row{:010}", i); }

  void Add(std::string key, uint64_t ts) {
    request_.push_back(PutAt(std::move(key), ts, "some value"));
    if (request_.size() == kVersionsPerRequest) Send();
  }
  void Send() {
    Must(store_.Ingest("standby", std::move(request_), std::nullopt));
    request_.clear();
  }

  void Run(Law law, const KeyspaceRef& keyspace) {
    Store* const store = store_.store();
    const Epoch epoch = keyspace->state()->epoch;
    switch (law) {
      case Law::kPromote:
        return Must(store_.Update([&](MetaUpdate& update) {
          update.Stage(keyspace).BumpEpoch();
          EXPECT_GT(update.Stage(keyspace).Hide(before_), before_);
          update.Stage(keyspace).SetIngesting(false, before_);
        }));
      case Law::kUndo: {
        const auto undone = EraseRange(store, keyspace, epoch, before_, after_, {}, nullptr);
        Must(undone.status());
        EXPECT_EQ(undone->versions, kChangedVersions);
        return;
      }
      case Law::kCatchUp: {
        auto cursor = ChangeCursor::Open(store, keyspace, before_, after_, ChangeFilter::kVisible);
        Must(cursor.status());
        ChangeEntry entry;
        uint64_t versions = 0;
        while (*(*cursor)->Next(&entry)) versions += ReadVersions(store, keyspace, entry)->size();
        EXPECT_EQ(versions, kChangedVersions);
        return;
      }
      case Law::kCollect: {
        const auto collected = CollectGarbage(store, keyspace, epoch, /*ttl_ns=*/0, Pacing::kFull, {}, nullptr);
        Must(collected.status());
        EXPECT_EQ(collected->versions, kChangedVersions);  // what the change superseded
        return;
      }
      case Law::kClone: {
        const auto clone = CloneKeyspace(store, keyspace, before_);
        Must(clone.status());
        EXPECT_EQ((*clone)->state()->hidden.size(), 1u);
        return Must(store->DropKeyspace(*clone));
      }
      case Law::kDrop:
        return Drop(keyspace);
    }
  }
  void Drop(const KeyspaceRef& keyspace) {
    Must(store_.MarkDropping("subject"));
    Must(store_.store()->DropKeyspace(keyspace));
  }

  const uint64_t keys_;
  FaultStore store_;
  std::vector<Version> request_;
  Timestamp before_;  // when the change began
  Timestamp after_;
};

void ExpectSameWork(const char* law, const std::string& how, const Work& expected, const Work& work) {
  const auto expected_parts = expected.Parts();
  const auto parts = work.Parts();
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto [name, count] = parts[i];
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", count, name);
    const double allowed = kTolerance * static_cast<double>(expected_parts[i].second) + 2;
    EXPECT_LE(std::abs(static_cast<double>(count) - static_cast<double>(expected_parts[i].second)), allowed)
        << law << ", " << how << ": " << name << ": " << count << ", at 1x as it was written " << expected_parts[i].second;
  }
  fmt::print("[     WORK ] {:<18} {:>18}: {}\n", law, how, text);
}

void HoldAt(const std::vector<uint64_t>& scales) {
  std::array<Work, std::size(kLaws)> at_one;
  for (const uint64_t scale : scales) {
    Subject subject(scale);
    for (const bool compacted : {false, true}) {
      if (compacted) subject.Compact();
      const std::string how = fmt::format("{}x {}", scale, compacted ? "compacted" : "as written");
      for (size_t i = 0; i < std::size(kLaws); ++i) {
        const Work work = subject.Measure(kLaws[i].first);
        if (scale == scales.front() && !compacted) at_one[i] = work;
        ExpectSameWork(kLaws[i].second, how, at_one[i], work);
      }
    }
  }
}

TEST(LawsTest, SameChangeIsSameWorkAtTenTimesTheData) { HoldAt({1, 10}); }

TEST(LawsTest, DISABLED_SameChangeIsSameWorkAtAHundredTimesTheData) { HoldAt({1, 10, 100}); }

// Flushes follow bytes: hundreds of keyspaces with a row each do not use up the budget of all.
TEST(LawsTest, ManyKeyspacesThatAreWrittenInTurnAreFlushedByTheirBytes) {
  constexpr int kKeyspaces = 64;
  constexpr int kRounds = 40;
  constexpr size_t kRowBytes = 4 << 10;
  FaultStore store(1);
  ASSERT_TRUE(store.Open().ok());
  for (int i = 0; i < kKeyspaces; ++i) ASSERT_TRUE(store.Create(fmt::format("k{:03}", i)).ok());
  const auto tables = [&] {
    const std::vector<std::string> files = store.disk().Files();
    return std::count_if(files.begin(), files.end(), [](const std::string& file) { return file.ends_with(".sst"); });
  };
  const auto before = tables();
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kKeyspaces; ++i) {
      const WriteSet row = {{fmt::format("{}", round), {WriteKind::kPut, std::string(kRowBytes, 'v')}}};
      ASSERT_TRUE(store.Commit(fmt::format("k{:03}", i), row).ok());
    }
  }
  EXPECT_EQ(tables(), before) << kKeyspaces * kRounds * kRowBytes << " bytes are much less than the budget";
}

}  // namespace
}  // namespace anabranch
