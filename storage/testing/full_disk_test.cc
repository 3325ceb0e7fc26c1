// A disk that fills up in the middle of a record of the log: what it refused is nowhere, what it acknowledged is there,
// however the store stops before or after it tries to go on.
#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/status.h"
#include "gtest/gtest.h"
#include "storage/mvcc/reader.h"
#include "storage/rocks/keyspace.h"
#include "storage/testing/fault_store.h"
#include "storage/testing/log_record.h"

namespace anabranch {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;

class FullDiskTest : public testing::Test {
 protected:
  static constexpr uint64_t kReserve = 8 << 20;  // more than a run's memtables
  static constexpr size_t kAcknowledgedBytes = 1'000'000;

  // How a run ends: a clean stop, or a crash that keeps this of what was not synced.
  using Stop = std::optional<Unsynced>;

  FullDiskTest() {
    std::mt19937_64 random(3);
    noise_.resize(4 << 20);  // does not compress: what leaves the log for a table takes as much room there
    for (char& c : noise_) c = static_cast<char>(random());
  }

  static void Must(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }
  FaultFileSystem& disk() { return store_->disk(); }
  void Begin(uint64_t seed) {
    store_.emplace(seed, kReserve);
    rows_.clear();
    refused_.clear();
    Must(store_->Open());
    Must(store_->Create("a").status());
  }
  // A new row of the size. Empty if it was taken, else the SQLSTATE.
  std::string Insert(size_t bytes) {
    const std::string key = fmt::format("row{}", rows_.size() + refused_.size());
    const size_t from = rows_.size() * 7919 % (noise_.size() - bytes);
    std::string value = noise_.substr(from, bytes);
    const absl::Status status = store_->Commit("a", {{key, {WriteKind::kPut, value}}}).status();
    if (!status.ok()) {
      refused_.push_back(key);
      return SqlStateOf(status);
    }
    rows_.emplace(key, std::move(value));
    return "";
  }
  // Rows until the disk, of which `room` was left, is full.
  void FillUp(size_t row_bytes, uint64_t room) {
    for (size_t bytes = 0; bytes < kAcknowledgedBytes; bytes += row_bytes) ASSERT_EQ(Insert(row_bytes), "");
    disk().ResetCounts();
    const uint64_t capacity = disk().Used() + room;
    disk().SetCapacity(capacity);
    std::string state;
    while (state.empty()) state = Insert(row_bytes);
    EXPECT_EQ(state, "53100");
    EXPECT_GE(disk().faults(), 1u);
    EXPECT_EQ(disk().Used(), capacity) << "nothing was written half";
  }
  void End(Stop stop, uint64_t seed) {
    if (stop) disk().StopAt(1);  // before the close can write anything
    store_->Close();
    const uint64_t used = disk().Used();
    if (stop) disk().Crash(*stop, seed);
    disk().SetCapacity(used);
  }
  void ExpectWhatWasAcknowledged(const std::string& when) {
    const auto view = ViewOf(*store_);  // checks that data and changes agree
    ASSERT_TRUE(view.ok()) << when << ": " << view.status();
    auto reader = MvccReader::Open(store_->store(), store_->Find("a"), store_->store()->visible());
    ASSERT_TRUE(reader.ok()) << reader.status();
    for (const auto& [key, value] : rows_) {
      auto row = (*reader)->Get(key);
      ASSERT_TRUE(row.ok() && row->has_value()) << when << ": " << key << " is lost";
      EXPECT_TRUE((*row)->value == value) << when << ": " << key;
    }
    for (const std::string& key : refused_) {
      auto row = (*reader)->Get(key);
      ASSERT_TRUE(row.ok()) << row.status();
      EXPECT_FALSE(row->has_value()) << when << ": " << key << " was refused and is there";
    }
  }
  // The disk has room again.
  void ExpectToTakeRows(const std::string& when) {
    constexpr int kAttemptsMax = 1000;
    disk().SetCapacity(0);
    std::string state = "not tried";
    for (int i = 0; i < kAttemptsMax && !state.empty(); ++i) {
      store_->clock().Advance(2 * kSecondNs);
      state = Insert(1000);
    }
    EXPECT_EQ(state, "") << when;
  }
  // Fills the disk, gives it `more` room while the store tries to go on, and stops it.
  void Run(size_t row_bytes, uint64_t room, uint64_t more, Stop stop, uint64_t seed) {
    const std::string when = fmt::format("rows of {}, room for {} and {} more, stop {}, seed {}", row_bytes, room, more,
                                         stop ? static_cast<int>(*stop) : -1, seed);
    Begin(seed);
    FillUp(row_bytes, room);
    disk().SetCapacity(disk().Used() + more);
    for (int attempt = 0; attempt < 3; ++attempt) {
      store_->clock().Advance(2 * kSecondNs);
      const std::string state = Insert(row_bytes);
      EXPECT_TRUE(state.empty() || state == "53100") << when << ": " << state;
    }
    End(stop, seed);
    const absl::Status opened = store_->Open();  // on the full disk
    ASSERT_TRUE(opened.ok()) << when << ": " << opened;
    ExpectWhatWasAcknowledged(when);
    EXPECT_EQ(Insert(row_bytes), "53100") << when;
    ExpectToTakeRows(when);
    End(Unsynced::kLost, seed);
    disk().SetCapacity(0);
    Must(store_->Open());
    ExpectWhatWasAcknowledged(when + ", again");
  }

  std::string noise_;
  std::optional<FaultStore> store_;
  std::map<std::string, std::string> rows_;  // acknowledged
  std::vector<std::string> refused_;
};

TEST_F(FullDiskTest, LosesNothingHoweverTheStoreStops) {
  const std::vector<Stop> stops = {std::nullopt, Unsynced::kLost, Unsynced::kKept, Unsynced::kTorn, Unsynced::kHoles};
  std::mt19937_64 random(5);
  uint64_t seed = 1;
  for (const size_t row_bytes : {500'000, 100'000, 20'000, 2'000}) {
    // For nothing, for a table of `meta`, for one of `changes`, for some rows but not for a table of `data`.
    for (const uint64_t more : {0, 4'000, 12'000, 600'000}) {
      for (const Stop& stop : stops) {
        Run(row_bytes, random() % 1'000'000, more, stop, seed++);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Also if the next write of a store that could flush everything, and whose memtables are empty, finds no room in the log.
TEST_F(FullDiskTest, GoesOnWhereverItRanOutOfRoom) {
  for (uint64_t more = 0; more < 16'000; more += 500) {
    const std::string when = fmt::format("room for {} more", more);
    Begin(1);
    ASSERT_EQ(Insert(1000), "");
    disk().SetFull(true);
    EXPECT_FALSE(store_->Flush().ok());
    EXPECT_EQ(Insert(1000), "53100");
    disk().SetFull(false);
    disk().SetCapacity(disk().Used() + more);
    store_->clock().Advance(2 * kSecondNs);
    EXPECT_EQ(Insert(500'000), "53100") << when;
    ExpectToTakeRows(when);
    End(Unsynced::kLost, 1);
    disk().SetCapacity(0);
    Must(store_->Open());
    ExpectWhatWasAcknowledged(when);
  }
}

// The reserve is for that, too: for the tables that opening writes, for the clock's ceiling.
TEST_F(FullDiskTest, OpensWhateverRoomIsLeft) {
  Begin(1);
  ASSERT_EQ(Insert(100'000), "");
  store_->Close();
  const FaultFileSystem::Names before = disk().Save();
  for (uint64_t more = 0; more < 120'000; more += more < 12'000 ? 250 : 9'000) {
    disk().Load(before);
    disk().SetCapacity(disk().Used() + more);
    const absl::Status opened = store_->Open();
    ASSERT_TRUE(opened.ok()) << "room for " << more << ": " << opened;
    ExpectWhatWasAcknowledged(fmt::format("opened with room for {}", more));
    store_->Close();
  }
}

// A flush by others, as an export begins with, changes nothing.
TEST_F(FullDiskTest, IsFlushedByOthersAndGoesOn) {
  for (const Stop& stop : {Stop(), Stop(Unsynced::kKept), Stop(Unsynced::kLost)}) {
    Begin(1);
    FillUp(100'000, 300'000);
    EXPECT_EQ(SqlStateOf(store_->Flush()), "53100");
    End(stop, 1);
    Must(store_->Open());
    ExpectWhatWasAcknowledged("flushed by others");
    ExpectToTakeRows("flushed by others");
    FillUp(100'000, 300'000);
    disk().SetCapacity(0);
    (void)store_->Flush();
    ExpectToTakeRows("flushed by others");
    ExpectWhatWasAcknowledged("flushed by others, then with room");
  }
}

// What programs before this one left behind: the log ends within a record, the next one holds none, and `changes` was
// flushed in between.
TEST_F(FullDiskTest, OpensWhereAFamilyHasPassedAnUnfinishedRecord) {
  Begin(1);
  const auto newest_log = [&] {
    std::string newest;
    for (const std::string& file : disk().Files()) {
      if (file.ends_with(".log")) newest = std::max(newest, file);
    }
    return newest;
  };
  ASSERT_EQ(Insert(100'000), "");
  const std::string log = newest_log();
  const RocksKeyspace& keyspace = AsRocks(*store_->Find("a"));
  Must(FromRocks(keyspace.db()->Flush({}, keyspace.changes()), "flush"));
  ASSERT_NE(newest_log(), log);
  End(Unsynced::kLost, 1);
  disk().SetCapacity(0);
  const FaultFileSystem::Names before = disk().Save();
  ASSERT_NE(newest_log(), log);
  ASSERT_EQ(disk().SizeOf(newest_log()), 0u);
  const std::string& bytes = before.at(log)->bytes;
  const std::string whole = bytes.substr(0, bytes.find_last_not_of('\0') + 1);
  const std::string record = LogRecord(noise_.substr(0, 300'000), whole.size());
  for (const size_t written : {size_t{0}, size_t{1}, size_t{6}, size_t{7}, size_t{70'000}, record.size() - 1}) {
    FaultFileSystem::Names torn = before;
    torn[log] = std::make_shared<FaultFileSystem::File>();
    torn[log]->bytes = whole + record.substr(0, written);
    torn[log]->changed_upto = torn[log]->bytes.size();
    disk().Load(torn);
    const absl::Status opened = store_->Open();
    ASSERT_TRUE(opened.ok()) << written << " bytes of it: " << opened;
    ExpectWhatWasAcknowledged("after an unfinished record");
    ExpectToTakeRows("after an unfinished record");
    End(Unsynced::kLost, 1);
    disk().SetCapacity(0);
    Must(store_->Open());
    ExpectWhatWasAcknowledged("after an unfinished record, again");
    store_->Close();
    while (rows_.size() > 1) rows_.erase(std::prev(rows_.end()));
  }
}

}  // namespace
}  // namespace anabranch
