#include "sql/value/datum.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

std::string RoundTrip(SqlType type, std::string_view text) {
  const absl::StatusOr<Datum> datum = FromText(type, text);
  return datum.ok() ? ToText(*datum) : SqlStateOf(datum.status());
}

TEST(Datum, Booleans) {
  for (const char* text : {"t", "TRUE", " yes ", "y", "on", "1", "tr"})
    EXPECT_EQ(RoundTrip(SqlType::kBool, text), "t") << text;
  for (const char* text : {"f", "False", "no", "n", "off", "0"}) EXPECT_EQ(RoundTrip(SqlType::kBool, text), "f") << text;
  for (const char* text : {"", "o", "2", "truth"}) EXPECT_EQ(RoundTrip(SqlType::kBool, text), "22P02") << text;
}

TEST(Datum, Integers) {
  EXPECT_EQ(RoundTrip(SqlType::kInt4, " -2147483648 "), "-2147483648");
  EXPECT_EQ(RoundTrip(SqlType::kInt4, "+7"), "7");
  EXPECT_EQ(RoundTrip(SqlType::kInt4, "2147483648"), "22003");
  EXPECT_EQ(RoundTrip(SqlType::kInt8, "2147483648"), "2147483648");
  EXPECT_EQ(RoundTrip(SqlType::kInt8, "9223372036854775808"), "22003");
  for (const char* text : {"", "x", "1.5", "1x", "+-1", "+"}) EXPECT_EQ(RoundTrip(SqlType::kInt8, text), "22P02") << text;
  EXPECT_EQ(MessageOf(FromText(SqlType::kInt4, "abc").status()), "invalid input syntax for type integer: \"abc\"");
  EXPECT_EQ(MessageOf(FromText(SqlType::kInt4, "3000000000").status()),
            "value \"3000000000\" is out of range for type integer");
}

TEST(Datum, TextMustBeUtf8) {
  EXPECT_EQ(RoundTrip(SqlType::kText, "h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x98"),
            "h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x90\x98");
  for (const char* text : {"\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_EQ(RoundTrip(SqlType::kText, text), "22021");
  }
  EXPECT_EQ(RoundTrip(SqlType::kText, std::string_view("a\0b", 3)), "22021");
}

TEST(Datum, TimestampsPrintAsPostgres) {
  EXPECT_EQ(RoundTrip(SqlType::kTimestampTz, "2026-11-23 09:46:00"), "2026-11-23 09:46:00+00");
  EXPECT_EQ(RoundTrip(SqlType::kTimestampTz, "2026-11-23 09:46:00.120+02"), "2026-11-23 07:46:00.12+00");
  EXPECT_EQ(RoundTrip(SqlType::kTimestampTz, "2024-02-29"), "2024-02-29 00:00:00+00");
  EXPECT_EQ(RoundTrip(SqlType::kTimestampTz, "1969-12-31 23:59:59.999999"), "1969-12-31 23:59:59.999999+00");
  EXPECT_EQ(RoundTrip(SqlType::kTimestampTz, "1900-03-01"), "1900-03-01 00:00:00+00");
  EXPECT_EQ(RoundTrip(SqlType::kTimestampTz, "soon"), "22007");
}

TEST(Datum, IntervalsPrintAsTime) {
  EXPECT_EQ(ToText(Datum(Interval{1'500'000})), "00:00:01.5");
  EXPECT_EQ(ToText(Datum(Interval{-90'000'000})), "-00:01:30");
}

TEST(Datum, NullsSortLast) {
  EXPECT_TRUE(Compare(Datum(Null{}), Datum(int64_t{5})) > 0);
  EXPECT_TRUE(Compare(Datum(int64_t{5}), Datum(Null{})) < 0);
  EXPECT_TRUE(Compare(Datum(Null{}), Datum(Null{})) == 0);
  EXPECT_TRUE(Compare(Datum(std::string("a")), Datum(std::string("b"))) < 0);
}

}  // namespace
}  // namespace anabranch
