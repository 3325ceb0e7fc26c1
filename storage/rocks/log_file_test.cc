// A log on a disk that fails, without a database.
#include "storage/rocks/log_file.h"

#include <atomic>
#include <cerrno>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <thread>

#include "gtest/gtest.h"
#include "storage/rocks/log_format.h"
#include "storage/testing/fault_file_system.h"
#include "storage/testing/log_record.h"

namespace anabranch {
namespace {

using rocksdb::IOOptions;
using rocksdb::IOStatus;

TEST(LogEndTest, IsWhereTheLastWholeRecordEndsWhateverThePieces) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 50; ++round) {
    LogEnd end;
    uint64_t at = 0;
    for (int i = 0; i < 40; ++i) {
      // Around the end of a block, too, where there is room for no header, or for one without a payload.
      const size_t block_left = kLogBlockBytes - at % kLogBlockBytes;
      const size_t bytes = random() % 3 == 0 ? random() % 100'000 : block_left - std::min(block_left, random() % 20);
      const std::string record = LogRecord(std::string(bytes, static_cast<char>(random())), at);
      for (size_t from = 0; from < record.size();) {
        ASSERT_EQ(end.value(), at) << "within a record, after " << from << " bytes of " << record.size();
        const size_t piece = std::min<size_t>(record.size() - from, 1 + random() % 70'000);
        end.Append(std::string_view(record).substr(from, piece));
        from += piece;
      }
      at += record.size();
      ASSERT_EQ(end.value(), at);
    }
  }
}

// As RocksDB tells it.
IOStatus QuotaUsedUp() { return IOStatus::IOError("While pwrite to file", std::generic_category().message(EDQUOT)); }

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() {
    EXPECT_TRUE(NewLogFile(&disk_, kPath, {}, &last_written_, &log_, nullptr).ok());
    EXPECT_TRUE(Append(record_).ok() && log_->Sync({}, nullptr).ok() && disk_.SyncFolder("/").ok());
  }
  IOStatus Append(std::string_view bytes) { return log_->Append(rocksdb::Slice(bytes), {}, nullptr); }
  std::string Bytes() { return disk_.Save().at(kPath)->bytes; }

  static constexpr char kPath[] = "/1.log";
  FaultFileSystem disk_;
  std::atomic<uint64_t> last_written_ = 0;
  std::unique_ptr<rocksdb::FSWritableFile> log_;
  const std::string record_ = LogRecord(std::string(10'000, 'r'), 0);
};

TEST_F(LogFileTest, ARefusedRecordIsCutOffBeforeASync) {
  disk_.SetCapacity(disk_.Used() + 5'000);
  const std::string record = LogRecord(std::string(2 * kLogAheadBytes, 'x'), record_.size());
  ASSERT_TRUE(Append(std::string_view(record).substr(0, 65'536)).ok());
  EXPECT_TRUE(Append(std::string_view(record).substr(65'536)).IsBusy());
  EXPECT_EQ(disk_.faults(), 1u);
  EXPECT_EQ(disk_.Used(), record_.size() + kLogAheadBytes + 5'000) << "it was to write what there is room for";
  disk_.SetCapacity(0);
  EXPECT_TRUE(Append(record_).IsBusy()) << "what comes after it would be lost with it";
  EXPECT_TRUE(log_->Sync({}, nullptr).ok());
  EXPECT_EQ(Bytes(), record_);
  EXPECT_TRUE(Append(record_).IsBusy());
  disk_.Crash(Unsynced::kLost, 1);
  EXPECT_EQ(Bytes(), record_);
}

TEST_F(LogFileTest, IsNotSyncedWhileTheRefusedRecordCannotBeCutOff) {
  disk_.SetCapacity(disk_.Used());
  ASSERT_TRUE(Append(LogRecord(std::string(2 * kLogAheadBytes, 'x'), record_.size())).IsBusy());
  for (int i = 0; i < 2; ++i) {
    disk_.ResetCounts();
    disk_.FailAt(FaultFileSystem::PointKind::kWrite, ".log", 1, IOStatus::NoSpace("injected"));
    EXPECT_TRUE(log_->Sync({}, nullptr).IsNoSpace());
    EXPECT_EQ(disk_.faults(), 1u);
  }
  EXPECT_TRUE(log_->Sync({}, nullptr).ok());
  EXPECT_EQ(Bytes(), record_);
}

TEST_F(LogFileTest, ANameThatIsMadeLateIsOnDiskBeforeARecordIs) {
  constexpr char kLate[] = "/2.log";
  disk_.SetFull(true);
  ASSERT_TRUE(NewLogFile(&disk_, kLate, {}, &last_written_, &log_, nullptr).ok());
  EXPECT_FALSE(disk_.Save().contains(kLate));
  // RocksDB syncs the folder of a new log with its first sync, and then no more.
  ASSERT_TRUE(log_->Sync({}, nullptr).ok() && disk_.SyncFolder("/").ok());
  disk_.SetFull(false);
  ASSERT_TRUE(Append(record_).ok() && log_->Sync({}, nullptr).ok());
  disk_.Crash(Unsynced::kLost, 1);
  ASSERT_TRUE(disk_.Save().contains(kLate));
  EXPECT_EQ(disk_.Save().at(kLate)->bytes.substr(0, record_.size()), record_);
}

TEST_F(LogFileTest, LeavesADiskThatIsNearlyFullWhatThereIs) {
  const auto append_to_new = [&] {
    ASSERT_TRUE(NewLogFile(&disk_, "/2.log", {}, &last_written_, &log_, nullptr).ok());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(Append(record_).ok());
    EXPECT_EQ(disk_.SizeOf("/2.log"), 3 * record_.size());
  };
  disk_.SetCapacity(disk_.Used() + kLogAheadBytes);
  append_to_new();
  EXPECT_EQ(disk_.faults(), 0u) << "it was not tried";
  // What the file system does not say: a quota.
  disk_.SetCapacity(0);
  disk_.FailAt(FaultFileSystem::PointKind::kWrite, "/2.log", 2, QuotaUsedUp());
  append_to_new();
  EXPECT_EQ(disk_.faults(), 1u) << "it was tried once";
}

TEST_F(LogFileTest, AQuotaThatIsUsedUpIsAFullDisk) {
  disk_.FailAt(FaultFileSystem::PointKind::kWrite, ".log", 1, QuotaUsedUp());
  EXPECT_TRUE(Append(record_).IsBusy());
  EXPECT_TRUE(log_->Sync({}, nullptr).ok());
  EXPECT_EQ(Bytes(), record_);
}

// A flush on another thread.
TEST_F(LogFileTest, IsSyncedWhileItIsWrittenTo) {
  constexpr int kRecords = 200;
  std::string written = record_;
  std::atomic<bool> done = false;
  const auto sync = [&] {
    while (!done) ASSERT_TRUE(log_->Sync({}, nullptr).ok());
  };
  {
    const std::jthread syncs(sync);
    for (int i = 0; i < kRecords; ++i) {
      const std::string record = LogRecord(std::string(100 * i, 'x'), written.size());
      ASSERT_TRUE(Append(record).ok());
      written += record;
    }
    done = true;
  }
  EXPECT_EQ(Bytes().substr(0, written.size()), written);
}

TEST_F(LogFileTest, AFailedSyncIsFinalAndNoMatterOfSpace) {
  for (const IOStatus& error : {IOStatus::NoSpace("injected"), IOStatus::IOError("injected")}) {
    ASSERT_TRUE(NewLogFile(&disk_, kPath, {}, &last_written_, &log_, nullptr).ok());
    ASSERT_TRUE(Append(record_).ok());
    disk_.ResetCounts();
    disk_.FailAt(FaultFileSystem::PointKind::kSync, ".log", 1, error);
    for (int i = 0; i < 3; ++i) {
      const IOStatus synced = log_->Sync({}, nullptr);
      EXPECT_TRUE(synced.IsIOError() && !synced.IsNoSpace()) << synced.ToString();
    }
    EXPECT_EQ(disk_.faults(), 1u);
  }
}

}  // namespace
}  // namespace anabranch
