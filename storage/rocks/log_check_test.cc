// What a power failure, or a disk that rots, leaves of logs, by seed: RocksDB itself replays what CheckLogs let stand, and
// that is compared with what was written.
#include "storage/rocks/log_check.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/random.h"
#include "base/status.h"
#include "gtest/gtest.h"
#include "rocksdb/db.h"
#include "storage/rocks/keyspace.h"
#include "storage/rocks/log_format.h"
#include "storage/rocks/log_key.h"
#include "storage/testing/fault_file_system.h"
#include "storage/testing/log_record.h"

namespace anabranch {
namespace {

constexpr char kDir[] = "/db";
constexpr uint64_t kFirstLog = 100;
constexpr size_t kPageBytes = 4096;
constexpr size_t kRoomBytes = 16 << 10;  // of zeros behind the records, where there are any
constexpr size_t kHeadBytes = 62;        // of a record, with which its mark is whole
constexpr uint64_t kLayouts = 2'000;
constexpr char kAllLayouts[] = "ANABRANCH_LOG_LAYOUTS";  // how many, instead

// Of the store whose logs are written here.
const LogKey& Key() {
  static const LogKey key = [] {
    const std::unique_ptr<rocksdb::Env> env(rocksdb::NewCompositeEnv(std::make_shared<FaultFileSystem>()));
    CHECK(env->CreateDir(kDir).ok(), "a folder");
    Random random(1);
    return *LogKey::Make(env.get(), kDir, &random);
  }();
  return key;
}

std::string KeyOf(size_t index) { return fmt::format("k{:04}", index); }

// Logs as a store writes them.
class WrittenLogs {
 public:
  struct Record {
    uint64_t log = 0;
    size_t begin = 0;  // of its first fragment
    size_t head_end = 0;
    size_t end = 0;
    std::optional<size_t> synced;  // the record that it names
  };

  void BeginLog(uint64_t number) { logs_[number]; }
  void Write(size_t payload_bytes) {
    const uint64_t log = logs_.rbegin()->first;
    std::string& bytes = logs_[log];
    const std::string payload = Payload(payload_bytes);
    const std::string record = LogRecord(payload, bytes.size());
    const size_t block_left = kLogBlockBytes - bytes.size() % kLogBlockBytes;
    Record written{.log = log,
                   .begin = bytes.size() + (block_left < kFragmentHeaderBytes ? block_left : 0),
                   .head_end = 0,
                   .end = bytes.size() + record.size(),
                   .synced = synced_};
    written.head_end = HeadEnd(written.begin, payload.size());
    bytes += record;
    records_.push_back(written);
    mark_.before = {log, sequence_};
  }
  void Sync() {
    mark_.synced = mark_.before;
    if (!records_.empty()) synced_ = records_.size() - 1;
  }

  const std::vector<Record>& records() const { return records_; }
  const std::map<uint64_t, std::string>& logs() const { return logs_; }
  std::optional<size_t> synced() const { return synced_; }
  size_t size() const { return logs_.rbegin()->second.size(); }

 private:
  std::string Payload(size_t bytes) {
    std::string value;
    while (true) {
      rocksdb::WriteBatch batch;
      PutLogMark(&batch, mark_, Key());
      batch.Put(KeyOf(records_.size()), value);
      std::string payload = batch.Data();
      if (value.empty() && payload.size() < bytes) {
        value.assign(bytes - payload.size(), 'v');
        continue;
      }
      if (payload.size() > bytes && value.size() > 2) {  // the length of the value takes more
        value.resize(value.size() - std::min<size_t>(value.size() - 1, payload.size() - bytes));
        continue;
      }
      for (int i = 0; i < 8; ++i) payload[i] = static_cast<char>(sequence_ >> (8 * i));
      ++sequence_;
      return payload;
    }
  }
  static size_t HeadEnd(size_t at, size_t payload_bytes) {
    for (size_t taken = 0; taken < kHeadBytes;) {
      const size_t length = std::min(payload_bytes - taken, kLogBlockBytes - at % kLogBlockBytes - kFragmentHeaderBytes);
      taken += length;
      at += kFragmentHeaderBytes + length;
    }
    return at;
  }

  std::map<uint64_t, std::string> logs_;
  std::vector<Record> records_;
  std::optional<size_t> synced_;
  LogMark mark_ = {.first_log = kFirstLog, .before = {}, .synced = {}};
  uint64_t sequence_ = 1;
};

class LogCheckTest : public testing::Test {
 protected:
  LogCheckTest() : disk_(std::make_shared<FaultFileSystem>()), env_(rocksdb::NewCompositeEnv(disk_)) {
    options_.env = env_.get();
    options_.create_if_missing = true;
    options_.max_file_opening_threads = 1;
    rocksdb::DB* db = nullptr;
    EXPECT_TRUE(rocksdb::DB::Open(options_, kDir, &db).ok());
    delete db;
    for (const auto& [path, file] : disk_->Save()) {
      if (!path.ends_with(".log")) empty_.emplace(path, file);
    }
  }

  void Load(const std::map<uint64_t, std::string>& logs) {
    FaultFileSystem::Names names = empty_;
    for (const auto& [number, bytes] : logs) {
      const auto file = std::make_shared<FaultFileSystem::File>();
      file->bytes = bytes;
      file->changed_upto = bytes.size();
      names.emplace(fmt::format("{}/{:06}.log", kDir, number), file);
    }
    disk_->Load(names);
  }

  // The records that RocksDB replays, or the error.
  absl::StatusOr<std::vector<std::string>> Replay() {
    rocksdb::DB* raw = nullptr;
    RETURN_IF_ERROR(FromRocks(rocksdb::DB::OpenForReadOnly(options_, kDir, &raw), "open"));
    const std::unique_ptr<rocksdb::DB> db(raw);
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}));
    std::vector<std::string> keys;
    for (it->SeekToFirst(); it->Valid(); it->Next()) keys.push_back(it->key().ToString());
    return keys;
  }

  const std::shared_ptr<FaultFileSystem> disk_;
  const std::unique_ptr<rocksdb::Env> env_;
  rocksdb::Options options_;
  FaultFileSystem::Names empty_;  // a database without logs
};

// One layout: what was written, and what is left of it.
class Layout {
 public:
  explicit Layout(uint64_t seed) : random_(seed) {
    WriteLogs();
    left_ = written_.logs();
    for (auto& [number, bytes] : left_) LosePages(number, &bytes);
    if (Chance(3)) Rot();
    if (Chance(4)) RemoveObsolete();
    if (Chance(4)) LeaveRefusedRecord();
  }

  const std::map<uint64_t, std::string>& left() const { return left_; }
  bool rots() const { return rots_; }

  // The first record that is there, as many as are whole from there on, and whether one behind them proves a loss.
  struct Expected {
    size_t first = 0;
    size_t count = 0;
    bool proves_loss = false;
  };
  Expected Expect() const {
    const auto& records = written_.records();
    Expected expected;
    while (expected.first < records.size() && !left_.contains(records[expected.first].log)) ++expected.first;
    size_t lost = expected.first;
    while (lost < records.size() && IsLeft(records[lost], records[lost].end)) ++lost;
    expected.count = lost - expected.first;
    for (size_t i = lost + 1; i < records.size(); ++i) {
      expected.proves_loss |= IsLeft(records[i], records[i].head_end) && records[i].synced >= lost;
    }
    return expected;
  }
  bool IsSynced(size_t index) const { return written_.synced() && index <= *written_.synced(); }

 private:
  bool Chance(uint64_t of) { return random_() % of == 0; }

  void WriteLogs() {
    uint64_t log = kFirstLog;
    written_.BeginLog(log);
    const size_t count = 2 + random_() % 9;
    for (size_t i = 0; i < count; ++i) {
      if (i > 0 && Chance(4)) written_.BeginLog(log += 1 + random_() % 3);
      written_.Write(PayloadBytes());
      if (Chance(2)) written_.Sync();
    }
  }
  // Often to the end of a block, or to where no header fits before it.
  size_t PayloadBytes() {
    if (Chance(2)) return 80 + random_() % (Chance(3) ? 40'000 : 6'000);
    const size_t at = written_.size();
    size_t block_left = kLogBlockBytes - at % kLogBlockBytes;
    if (block_left < kFragmentHeaderBytes) block_left = kLogBlockBytes;
    const size_t wanted = kFragmentHeaderBytes + random_() % 9;
    size_t payload = block_left > wanted ? block_left - wanted : 0;
    while (payload < 80) payload += kLogBlockBytes - kFragmentHeaderBytes;
    return payload;
  }

  void LosePages(uint64_t number, std::string* bytes) {
    size_t durable = 0;
    for (size_t i = 0; i < written_.records().size(); ++i) {
      if (IsSynced(i) && written_.records()[i].log == number) durable = written_.records()[i].end;
    }
    const size_t size = bytes->size();
    if (Chance(2)) bytes->resize(size + kRoomBytes, '\0');
    if (durable == size) return;
    const uint64_t odds = 2 + random_() % 4;
    for (size_t page = durable / kPageBytes * kPageBytes; page < size; page += kPageBytes) {
      if (!Chance(odds)) continue;
      for (size_t at = std::max(page, durable); at < std::min(page + kPageBytes, size); ++at) (*bytes)[at] = '\0';
    }
    if (Chance(4)) bytes->resize(durable + random_() % (bytes->size() - durable));
  }
  void Rot() {
    const auto file = std::next(left_.begin(), static_cast<std::ptrdiff_t>(random_() % left_.size()));
    std::string& bytes = file->second;
    if (bytes.empty()) return;
    rots_ = true;
    if (Chance(2)) {
      char& byte = bytes[random_() % bytes.size()];
      byte = static_cast<char>(byte ^ (1 << random_() % 8));
    } else {
      const size_t page = random_() % bytes.size() / kPageBytes * kPageBytes;
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(page),
                bytes.begin() + static_cast<std::ptrdiff_t>(std::min(page + kPageBytes, bytes.size())), '\0');
    }
  }
  void RemoveObsolete() {
    for (size_t count = random_() % left_.size(); count > 0; --count) left_.erase(left_.begin());
  }
  // A full disk's, that was not cut off: at the end of a log after which there is another, whole as it is.
  void LeaveRefusedRecord() {
    const uint64_t number = left_.begin()->first;
    std::string& bytes = left_.begin()->second;
    if (left_.size() == 1 || bytes != written_.logs().at(number)) return;
    const std::string record = LogRecord(std::string(5'000, 'r'), bytes.size());
    bytes += record.substr(0, 1 + random_() % (record.size() - 1));
  }

  bool IsLeft(const WrittenLogs::Record& record, size_t end) const {
    const auto left = left_.find(record.log);
    if (left == left_.end() || left->second.size() < end) return false;
    const size_t bytes = end - record.begin;
    return left->second.compare(record.begin, bytes, written_.logs().at(record.log), record.begin, bytes) == 0;
  }

  std::mt19937_64 random_;
  WrittenLogs written_;
  std::map<uint64_t, std::string> left_;
  bool rots_ = false;
};

TEST_F(LogCheckTest, WhatIsReplayedIsWholeUpToTheFirstThatIsNot) {
  const char* const all = std::getenv(kAllLayouts);
  const uint64_t layouts = all == nullptr ? kLayouts : std::strtoull(all, nullptr, 10);
  uint64_t reported = 0;
  uint64_t cut = 0;
  for (uint64_t seed = 1; seed <= layouts; ++seed) {
    const Layout layout(seed);
    const Layout::Expected expected = layout.Expect();
    Load(layout.left());
    const uint64_t before = disk_->Used();
    const absl::Status checked = CheckLogs(env_.get(), kDir, Key()).status();
    if (expected.proves_loss) {
      ASSERT_EQ(SqlStateOf(checked), sqlstate::kDataCorrupted) << "seed " << seed;
      ASSERT_TRUE(layout.rots()) << "seed " << seed << ": a power failure takes nothing that was synced";
      ++reported;
      continue;
    }
    ASSERT_TRUE(checked.ok()) << "seed " << seed << ": " << checked;
    cut += disk_->Used() < before;
    std::vector<std::string> whole;
    for (size_t i = 0; i < expected.count; ++i) whole.push_back(KeyOf(expected.first + i));
    for (int round = 0; round < 2; ++round) {
      const auto replayed = Replay();
      ASSERT_TRUE(replayed.ok()) << "seed " << seed << ": " << replayed.status();
      ASSERT_EQ(*replayed, whole) << "seed " << seed;
      ASSERT_TRUE(CheckLogs(env_.get(), kDir, Key()).ok()) << "seed " << seed << ", again";
    }
    if (!layout.rots()) {
      ASSERT_FALSE(layout.IsSynced(expected.first + expected.count)) << "seed " << seed;
    }
  }
  fmt::print("[  LAYOUTS ] {}: {} reported, {} cut off\n", layouts, reported, cut);
  EXPECT_GT(reported, layouts / 100);
  EXPECT_GT(cut, layouts / 10);
}

// It ends with a block, and the disk has its last pages but not its first one: RocksDB would pass over it.
TEST_F(LogCheckTest, AHoleBeforeARecordThatNobodyWasToldOfIsCutOffWithIt) {
  WrittenLogs written;
  written.BeginLog(kFirstLog);
  written.Write(kPageBytes - kFragmentHeaderBytes);
  written.Sync();
  written.Write(kLogBlockBytes - kPageBytes - kFragmentHeaderBytes);
  written.Write(1000);
  std::map<uint64_t, std::string> left = written.logs();
  std::fill_n(left[kFirstLog].begin() + kPageBytes, kPageBytes, '\0');
  Load(left);
  EXPECT_EQ(*Replay(), (std::vector<std::string>{KeyOf(0), KeyOf(2)})) << "as RocksDB takes it";
  ASSERT_TRUE(CheckLogs(env_.get(), kDir, Key()).ok());
  EXPECT_EQ(*Replay(), (std::vector<std::string>{KeyOf(0)}));
}

TEST_F(LogCheckTest, AnEndThatIsMissingBeforeAnotherLogIsReportedOrCutOffWithIt) {
  for (const bool synced : {false, true}) {
    WrittenLogs written;
    written.BeginLog(kFirstLog);
    written.Write(1000);
    written.Sync();
    written.Write(1000);
    if (synced) written.Sync();
    written.BeginLog(kFirstLog + 1);
    written.Write(1000);
    std::map<uint64_t, std::string> left = written.logs();
    left[kFirstLog].resize(written.records()[0].end);
    Load(left);
    const absl::Status checked = CheckLogs(env_.get(), kDir, Key()).status();
    EXPECT_EQ(checked.ok(), !synced) << checked;
    if (synced) continue;
    EXPECT_EQ(*Replay(), (std::vector<std::string>{KeyOf(0)}));
  }
}

// The bytes of a record as a user might store them in a row: its mark would prove a loss, if it were the store's.
std::string ForgedRecord(const LogKey& key) {
  rocksdb::WriteBatch batch;
  const LogPlace synced = {.log = kFirstLog, .upto = 1'000'000};
  PutLogMark(&batch, {.first_log = kFirstLog, .before = {}, .synced = synced}, key);
  batch.Put("forged", "");
  return LogRecord(batch.Data(), 0);
}

TEST_F(LogCheckTest, ARowInATornRecordProvesNothing) {
  const auto check = [&](const std::string& row) {
    WrittenLogs written;
    written.BeginLog(kFirstLog);
    written.Write(1000);
    written.Sync();
    std::map<uint64_t, std::string> left = written.logs();
    std::string& bytes = left[kFirstLog];
    rocksdb::WriteBatch torn;
    torn.Put("row", row);
    std::string record = LogRecord(torn.Data(), bytes.size());
    record[0] ^= 1;
    bytes += record;
    Load(left);
    const absl::Status checked = CheckLogs(env_.get(), kDir, Key()).status();
    return checked.ok() ? absl::StrJoin(*Replay(), " ") : SqlStateOf(checked);
  };
  Random random(2);
  const absl::StatusOr<LogKey> guessed = LogKey::Make(env_.get(), kDir, &random);
  ASSERT_TRUE(guessed.ok()) << guessed.status();
  EXPECT_EQ(check(ForgedRecord(*guessed)), "k0000");
  EXPECT_EQ(check(std::string(100, '\0') + ForgedRecord(LogKey())), "k0000");
  EXPECT_EQ(check(ForgedRecord(Key())), "XX001") << "with the store's own signature it would be believed";
}

TEST_F(LogCheckTest, TheKeyIsFoundAgainAndAHalfOneIsReported) {
  disk_->Load(disk_->Save());  // the folder is on disk
  const auto none = LogKey::Read(env_.get(), kDir);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->has_value());
  Random random(3);
  const auto made = LogKey::Make(env_.get(), kDir, &random);
  ASSERT_TRUE(made.ok()) << made.status();
  disk_->Crash(Unsynced::kLost, 1);
  const auto found = LogKey::Read(env_.get(), kDir);
  ASSERT_TRUE(found.ok() && *found) << found.status();
  EXPECT_EQ((*found)->Sign("m"), made->Sign("m"));
  EXPECT_NE(made->Sign("m"), made->Sign("n"));
  ASSERT_TRUE(rocksdb::WriteStringToFile(env_.get(), "half", std::string(kDir) + "/log_key").ok());
  EXPECT_EQ(SqlStateOf(LogKey::Read(env_.get(), kDir).status()), sqlstate::kDataCorrupted);
}

// Theirs name the first log of their opening, and the sequence that was synced last.
TEST_F(LogCheckTest, MarksOfEarlierProgramsCountUntilTheStoreSigns) {
  struct Written {
    uint64_t first_log;
    uint64_t sequence;
    uint64_t synced;
  };
  const auto record = [](const Written& written, size_t index) {
    std::string mark;
    PutFixed64BigEndian(&mark, written.first_log);
    PutFixed64BigEndian(&mark, written.synced);
    rocksdb::WriteBatch batch;
    batch.PutLogData(mark);
    batch.Put(KeyOf(index), std::string(1000, 'v'));
    std::string payload = batch.Data();
    for (int i = 0; i < 8; ++i) payload[i] = static_cast<char>(written.sequence >> (8 * i));
    return payload;
  };
  const auto check = [&](const Written& last, const std::optional<LogKey>& key = std::nullopt) {
    const std::string whole = LogRecord(record({kFirstLog, 1, 0}, 0), 0);
    const std::string torn = LogRecord(record({kFirstLog, 2, 0}, 1), whole.size());
    Load({{kFirstLog, whole + torn.substr(0, 500)}, {kFirstLog + 1, LogRecord(record(last, 2), 0)}});
    const absl::Status checked = CheckLogs(env_.get(), kDir, key).status();
    return checked.ok() ? absl::StrJoin(*Replay(), " ") : SqlStateOf(checked);
  };
  EXPECT_EQ(check({kFirstLog, 3, 1}), "k0000") << "a hole, which nobody was told of";
  EXPECT_EQ(check({kFirstLog, 3, 2}), "XX001");
  EXPECT_EQ(check({kFirstLog, 2, 1}), "k0000 k0002") << "it goes on with the very next operation";
  EXPECT_EQ(check({kFirstLog + 1, 9, 8}), "k0000 k0002") << "of an opening that has dealt with it";
  EXPECT_EQ(check({kFirstLog, 3, 2}, Key()), "k0000") << "in a store that signs, they are what a user may have stored";
}

// RocksDB removes logs that it does not need in any order.
TEST_F(LogCheckTest, WhatIsLeftOfLogsThatAreNotNeededProvesNothing) {
  WrittenLogs written;
  for (uint64_t log = 0; log < 3; ++log) {
    written.BeginLog(kFirstLog + log);
    written.Write(1000);
    written.Sync();
    written.Write(1000);
    written.Sync();
  }
  std::map<uint64_t, std::string> left = written.logs();
  left.erase(kFirstLog + 1);
  left[kFirstLog].resize(written.records()[1].end - 1);
  Load(left);
  const absl::Status checked = CheckLogs(env_.get(), kDir, Key()).status();
  ASSERT_TRUE(checked.ok()) << checked;
  EXPECT_EQ(*Replay(), (std::vector<std::string>{KeyOf(0), KeyOf(4), KeyOf(5)}));
}

}  // namespace
}  // namespace anabranch
