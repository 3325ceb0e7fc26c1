// A log on a disk that fails, without a database.
#include "storage/rocks/log_file.h"

#include <memory>
#include <random>
#include <string>

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

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() {
    EXPECT_TRUE(NewLogFile(&disk_, kPath, {}, &log_, nullptr).ok());
    EXPECT_TRUE(Append(record_).ok() && log_->Sync({}, nullptr).ok() && disk_.SyncFolder("/").ok());
  }
  IOStatus Append(std::string_view bytes) { return log_->Append(rocksdb::Slice(bytes), {}, nullptr); }
  std::string Bytes() { return disk_.Save().at(kPath)->bytes; }

  static constexpr char kPath[] = "/1.log";
  FaultFileSystem disk_;
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

TEST_F(LogFileTest, AFailedSyncIsFinalAndNoMatterOfSpace) {
  for (const IOStatus& error : {IOStatus::NoSpace("injected"), IOStatus::IOError("injected")}) {
    ASSERT_TRUE(NewLogFile(&disk_, kPath, {}, &log_, nullptr).ok());
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
