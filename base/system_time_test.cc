#include "base/system_time.h"

#include "base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(Interval, EveryWayToWriteOne) {
  EXPECT_EQ(*ParseIntervalNs("-10s"), -10 * kSecond);
  EXPECT_EQ(*ParseIntervalNs("+5h"), 5 * 3600 * kSecond);
  EXPECT_EQ(*ParseIntervalNs("5m30s"), 330 * kSecond);
  EXPECT_EQ(*ParseIntervalNs("-5m30s"), -330 * kSecond);
  EXPECT_EQ(*ParseIntervalNs("1.5h"), 5400 * kSecond);
  EXPECT_EQ(*ParseIntervalNs("250ms"), kSecond / 4);
  EXPECT_EQ(*ParseIntervalNs("10 seconds"), 10 * kSecond);
  EXPECT_EQ(*ParseIntervalNs("1 hour 30 minutes"), 5400 * kSecond);
  EXPECT_EQ(*ParseIntervalNs(" 1 DAY "), 86400 * kSecond);
  EXPECT_EQ(*ParseIntervalNs("2 months"), 60 * 86400 * kSecond);
  EXPECT_EQ(*ParseIntervalNs("+1 year"), 31'557'600 * kSecond);
  EXPECT_EQ(*ParseIntervalNs("-1y 1 mon"), -(31'557'600 + 30 * 86400) * kSecond);
  EXPECT_EQ(*ParseIntervalNs("00:05:00"), 300 * kSecond);
  EXPECT_EQ(*ParseIntervalNs("1 day 02:03:04.5"), (86400 + 7384) * kSecond + kSecond / 2);
  EXPECT_EQ(*ParseIntervalNs("3us"), 3000);
}

TEST(Interval, WhatIsNone) {
  for (const char* text :
       {"", "300 years", "10", "s", "10 parsecs", "1.h", "5m 30", "10:99", "999999999999999999h", "--5s"}) {
    EXPECT_EQ(SqlStateOf(ParseIntervalNs(text).status()), "22007") << text;
  }
}

TEST(TimestampTz, EveryWayToWriteOne) {
  constexpr int64_t kMidnight = 1795392000 * kSecond;  // 2026-11-23 00:00:00 UTC
  EXPECT_EQ(*ParseTimestampTzNs("1970-01-01"), 0);
  EXPECT_EQ(*ParseTimestampTzNs("2026-11-23"), kMidnight);
  EXPECT_EQ(*ParseTimestampTzNs("2026-11-23T09:46:00Z"), kMidnight + (9 * 3600 + 46 * 60) * kSecond);
  EXPECT_EQ(*ParseTimestampTzNs("2026-11-23 09:46:00.5+02"), kMidnight + (7 * 3600 + 46 * 60) * kSecond + kSecond / 2);
  EXPECT_EQ(*ParseTimestampTzNs("2026-11-23 09:46-05:30"), kMidnight + (15 * 3600 + 16 * 60) * kSecond);
  EXPECT_EQ(*ParseTimestampTzNs("2026-11-23 09:46:00 +0530"), kMidnight + (4 * 3600 + 16 * 60) * kSecond);
  EXPECT_EQ(*ParseTimestampTzNs("1969-12-31 23:59:59"), -kSecond);
  EXPECT_EQ(*ParseTimestampTzNs("2024-02-29 24:00:00"), *ParseTimestampTzNs("2024-03-01"));
}

TEST(TimestampTz, WhatIsNone) {
  for (const char* text : {"", "soon", "2026-13-01", "2026-02-29", "2026-11-23 25:00", "2026-11-23x",
                           "2026-11-23 10:00 Mars", "2026-11-23 10:00:61", "9999-01-01"}) {
    EXPECT_EQ(SqlStateOf(ParseTimestampTzNs(text).status()), "22007") << text;
  }
}

TEST(SystemTime, RelativeAndAbsolute) {
  const Timestamp now{1'700'000'000'000'000'000};
  EXPECT_EQ(*ResolveSystemTime("-10s", now), Timestamp{now.ns - 10 * kSecond});
  EXPECT_EQ(*ResolveSystemTime("+1h", now), Timestamp{now.ns + 3600 * kSecond});
  EXPECT_EQ(*ResolveSystemTime("+1 year", now), Timestamp{now.ns + 31'557'600 * kSecond});
  EXPECT_EQ(*ResolveSystemTime("1695922878030920020.0000000000", now), Timestamp{1695922878030920020});
  EXPECT_EQ(*ResolveSystemTime("1695922878030920020", now), Timestamp{1695922878030920020});
  EXPECT_EQ(*ResolveSystemTime("1970-01-01 00:00:01", now), Timestamp{kSecond});
}

TEST(SystemTime, RefusalsSayWhich) {
  using testing::HasSubstr;
  const Timestamp now{1'700'000'000'000'000'000};
  const auto message = [&](std::string_view text) {
    const absl::Status status = ResolveSystemTime(text, now).status();
    EXPECT_EQ(SqlStateOf(status), "22023") << text;
    return MessageOf(status);
  };
  EXPECT_THAT(message("yesterday"), HasSubstr("value is neither timestamp, decimal, nor interval"));
  EXPECT_THAT(message(""), HasSubstr("neither"));
  EXPECT_THAT(message("0"), HasSubstr("zero timestamp is invalid"));
  EXPECT_THAT(message("1970-01-01"), HasSubstr("zero timestamp is invalid"));
  EXPECT_THAT(message("1969-01-01"), HasSubstr("before 1970"));
  EXPECT_THAT(message("-5"), HasSubstr("before 1970"));
  EXPECT_THAT(message("-100 weeks -5000 weeks"), HasSubstr("before 1970"));
  EXPECT_THAT(message("999ns"), HasSubstr("too small"));
  EXPECT_THAT(message("1695922878030920020.0000000001"), HasSubstr("logical part"));
}

}  // namespace
}  // namespace anabranch
