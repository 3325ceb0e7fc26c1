#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/disk_error.h"
#include "base/serving_thread.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "base/wake_event.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

TEST(TimestampTest, HlcTextRoundTrips) {
  EXPECT_EQ(FormatHlc({1695922878030920020}), "1695922878030920020.0000000000");
  EXPECT_EQ(ParseHlc("1695922878030920020.0000000000")->ns, 1695922878030920020u);
  EXPECT_EQ(ParseHlc("1695922878030920020")->ns, 1695922878030920020u);
}

TEST(TimestampTest, RefusesWhatItCannotHold) {
  for (const char* text : {"", "x", "-1", "1.0000000001", "99999999999999999999", "18446744073709551615", "1 "}) {
    EXPECT_EQ(SqlStateOf(ParseHlc(text).status()), "22023") << text;
  }
}

TEST(TimestampTest, TimestampTzRoundsDownToMicroseconds) {
  EXPECT_EQ(FormatTimestampTz({1'000'000'000'000'001'999}), "2001-09-09 01:46:40.000001+00");
}

TEST(StatusTest, ContextKeepsSqlStateAndHint) {
  const absl::Status status = WithContext(SqlError("55000", "busy", "Try STOP SERVICE."), "drop main");
  EXPECT_EQ(SqlStateOf(status), "55000");
  EXPECT_EQ(HintOf(status), "Try STOP SERVICE.");
  EXPECT_EQ(MessageOf(status), "drop main: busy");
}

TEST(StatusTest, PlainCodesHaveSqlStates) {
  EXPECT_EQ(SqlStateOf(absl::DataLossError("x")), "XX001");
  EXPECT_EQ(SqlStateOf(absl::CancelledError("x")), "57014");
  EXPECT_EQ(SqlStateOf(absl::InternalError("x")), "XX000");
}

TEST(Crc32cTest, MatchesThePublishedCheckValue) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c("56789", Crc32c("1234")), 0xe3069283u);
}

TEST(CodingTest, TakesBackWhatWasPut) {
  std::string bytes;
  PutVarint(&bytes, 0);
  PutVarint(&bytes, 300);
  PutVarint(&bytes, UINT64_MAX);
  PutLengthPrefixed(&bytes, "key");
  PutFixed32(&bytes, 0xe3069283u);
  PutFixed64BigEndian(&bytes, 7);
  std::string_view in = bytes;
  uint64_t a = 1, b = 0, c = 0, d = 0;
  uint32_t e = 0;
  std::string_view key;
  ASSERT_TRUE(TakeVarint(&in, &a) && TakeVarint(&in, &b) && TakeVarint(&in, &c) && TakeLengthPrefixed(&in, &key) &&
              TakeFixed32(&in, &e) && TakeFixed64BigEndian(&in, &d));
  EXPECT_EQ(a, 0u);
  EXPECT_EQ(b, 300u);
  EXPECT_EQ(c, UINT64_MAX);
  EXPECT_EQ(key, "key");
  EXPECT_EQ(e, 0xe3069283u);
  EXPECT_EQ(d, 7u);
  EXPECT_TRUE(in.empty());
}

TEST(CodingTest, TruncatedInputIsLeftAsItWas) {
  std::string bytes;
  PutLengthPrefixed(&bytes, "truncated");
  bytes.pop_back();
  std::string_view in = bytes, out;
  EXPECT_FALSE(TakeLengthPrefixed(&in, &out));
  EXPECT_EQ(in, bytes);
  const std::string overlong(10, '\xff');
  std::string_view overlong_in = overlong;
  uint64_t value = 0;
  EXPECT_FALSE(TakeVarint(&overlong_in, &value));
}

TEST(DiskErrorTest, SaysWhatTheSystemSaidAndThatAFullDiskIsOne) {
  const absl::Status full = DiskError(ENOSPC, "writing", "/store/x");
  EXPECT_EQ(SqlStateOf(full), sqlstate::kDiskFull);
  EXPECT_EQ(MessageOf(full), "writing /store/x: No space left on device");
  EXPECT_FALSE(HintOf(full).empty());
  EXPECT_EQ(SqlStateOf(DiskError(EDQUOT, "writing", "/store/x")), sqlstate::kDiskFull);
  const absl::Status broken = DiskError(std::error_code(EIO, std::generic_category()), "linking", "y");
  EXPECT_EQ(SqlStateOf(broken), sqlstate::kIoError);
  EXPECT_EQ(MessageOf(broken), "linking y: Input/output error");
  EXPECT_TRUE(DiskError(std::error_code(), "linking", "y").ok());
}

TEST(DiskErrorTest, AFolderThatIsNotThereCannotBeSynced) {
  EXPECT_TRUE(SyncFolder(testing::TempDir()).ok());
  const absl::Status missing = SyncFolder(testing::TempDir() + "/missing");
  EXPECT_EQ(SqlStateOf(missing), sqlstate::kIoError);
  EXPECT_EQ(MessageOf(missing), "opening " + testing::TempDir() + "/missing: No such file or directory");
}

class EndEventTest : public testing::Test {
 protected:
  EndEventTest() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0); }
  ~EndEventTest() override {
    for (const int end : ends_) close(end);
  }
  // What was received, or why nothing was.
  std::string Receive() {
    char bytes[16];
    const ssize_t taken = event_.Receive(ends_[0], bytes, sizeof(bytes));
    return taken < 0 ? (errno == ECANCELED ? "ended" : "error") : std::string(bytes, static_cast<size_t>(taken));
  }
  void Send(std::string_view text) {
    ASSERT_EQ(write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  int ends_[2] = {-1, -1};
  EndEvent event_;
};

TEST_F(EndEventTest, EndsAReadThatWaitsAndEveryLaterOne) {
  Send("a");
  EXPECT_EQ(Receive(), "a");
  auto waiting = std::async(std::launch::async, [this] { return Receive(); });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  event_.Signal();
  EXPECT_EQ(waiting.get(), "ended");
  EXPECT_EQ(Receive(), "ended");
  ASSERT_EQ(write(ends_[0], "last", 4), 4);
  char words[4];
  EXPECT_EQ(read(ends_[1], words, 4), 4);
}

TEST_F(EndEventTest, ReadsFromAPeerThatAnswersAtOnceAndEndsAllTheSame) {
  auto echo = std::async(std::launch::async, [this] {
    char byte = 0;
    while (read(ends_[1], &byte, 1) == 1 && byte != 'z') EXPECT_EQ(write(ends_[1], &byte, 1), 1);
  });
  for (int i = 0; i < 2000; ++i) {
    const std::string byte(1, static_cast<char>('a' + i % 25));
    ASSERT_EQ(write(ends_[0], byte.data(), 1), 1);
    ASSERT_EQ(Receive(), byte);
  }
  ASSERT_EQ(write(ends_[0], "z", 1), 1);
  echo.get();
  event_.Signal();
  Send("a");
  EXPECT_EQ(Receive(), "ended");
}

TEST_F(EndEventTest, LeavesASocketAloneThatNobodyReads) {
  event_.Signal();
  Send("a");
  EXPECT_EQ(Receive(), "ended");
  char byte = 0;
  EXPECT_EQ(read(ends_[0], &byte, 1), 1);
}

TEST(ServingThreadTest, WaitsForItsTurnsOnceItDoesNotWaitOtherwise) {
  const sched_param none = {};
  if (sched_setscheduler(0, SCHED_OTHER, &none) != 0) GTEST_SKIP() << "the system forbids it";
  ServingThread thread;
  const auto serve = [&thread](uint32_t requests) {
    for (uint32_t i = 0; i < requests; ++i) thread.Served(false);
    return sched_getscheduler(0);
  };
  EXPECT_EQ(serve(ServingThread::kRequests - 1), SCHED_OTHER);
  thread.Served(true);
  EXPECT_EQ(serve(ServingThread::kRequests - 1), SCHED_OTHER);
  EXPECT_EQ(serve(1), SCHED_BATCH);
  EXPECT_EQ(serve(1), SCHED_BATCH);
  thread.Served(true);
  EXPECT_EQ(serve(0), SCHED_OTHER);
}

}  // namespace
}  // namespace anabranch
