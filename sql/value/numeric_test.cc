#include "sql/value/numeric.h"

#include "base/status.h"
#include "gtest/gtest.h"

namespace anabranch {
namespace {

Numeric N(std::string_view text) { return *ParseNumeric(text); }
std::string Show(absl::StatusOr<Numeric> value) { return value.ok() ? ToText(*value) : SqlStateOf(value.status()); }

TEST(Numeric, TextKeepsItsScale) {
  for (const char* text : {"0", "1.50", "-1.5", "0.001", "-0.10", "123456789012345678901234567890.123"}) {
    EXPECT_EQ(ToText(N(text)), text);
  }
  EXPECT_EQ(ToText(N("+.5")), "0.5");
  EXPECT_EQ(ToText(N(" 007 ")), "7");
  EXPECT_EQ(ToText(N("1.5e3")), "1500");
  EXPECT_EQ(ToText(N("15e-3")), "0.015");
  EXPECT_EQ(ToText(N("0e50")), "0");
  EXPECT_EQ(ToText(N("-0")), "0");
}

TEST(Numeric, WhatIsNone) {
  for (const char* text : {"", ".", "-", "1.2.3", "1e", "abc", "1 2", "0x10"}) {
    EXPECT_EQ(Show(ParseNumeric(text)), "22P02") << text;
  }
}

TEST(Numeric, TheLimitOfDigits) {
  EXPECT_TRUE(ParseNumeric(std::string(kNumericDigitsMax, '9')).ok());
  EXPECT_EQ(Show(ParseNumeric(std::string(kNumericDigitsMax + 1, '9'))), "22003");
  EXPECT_EQ(Show(ParseNumeric("1e1000")), "22003");
  EXPECT_EQ(Show(ParseNumeric("1e-1001")), "22003");
  EXPECT_EQ(Show(ParseNumeric("1e99999999999")), "22003");
  EXPECT_EQ(Show(Multiply(N("1e600"), N("1e600"))), "22003");
}

TEST(Numeric, EqualAcrossScales) {
  EXPECT_EQ(N("1.50"), N("1.5"));
  EXPECT_LT(N("-2"), N("-1.99"));
  EXPECT_GT(N("10"), N("9.999999999999999999999"));
}

// Expected values printed by PostgreSQL 15.
TEST(Numeric, ArithmeticScalesAsPostgres) {
  EXPECT_EQ(Show(Add(N("1.5"), N("2.25"))), "3.75");
  EXPECT_EQ(Show(Subtract(N("1.50"), N("1.5"))), "0.00");
  EXPECT_EQ(Show(Multiply(N("1.5"), N("2.25"))), "3.375");
  EXPECT_EQ(Show(Divide(N("5"), N("2"))), "2.5000000000000000");
  EXPECT_EQ(Show(Divide(N("1"), N("3"))), "0.33333333333333333333");
  EXPECT_EQ(Show(Divide(N("-2"), N("3"))), "-0.66666666666666666667");
  EXPECT_EQ(Show(Divide(N("10"), N("3"))), "3.3333333333333333");
  EXPECT_EQ(Show(Divide(N("1000000000000"), N("7"))), "142857142857.14285714");
  EXPECT_EQ(Show(Divide(N("1"), N("-0.0007"))), "-1428.5714285714285714");
  EXPECT_EQ(Show(Divide(N("1"), N("0.00"))), "22012");
  EXPECT_EQ(Show(Modulo(N("-7.5"), N("2"))), "-1.5");
  EXPECT_EQ(Show(Modulo(N("7"), N("0"))), "22012");
}

TEST(Numeric, RoundsHalfAwayFromZero) {
  EXPECT_EQ(Show(Round(N("2.5"), 0)), "3");
  EXPECT_EQ(Show(Round(N("-2.5"), 0)), "-3");
  EXPECT_EQ(Show(Round(N("2.449"), 1)), "2.4");
  EXPECT_EQ(Show(Round(N("1"), 2)), "1.00");
  EXPECT_EQ(Show(Round(N("1250"), -2)), "1300");
  EXPECT_EQ(*ToInt64(N("-0.5")), -1);
  EXPECT_EQ(*ToInt64(N("9223372036854775807.4")), INT64_MAX);
  EXPECT_EQ(SqlStateOf(ToInt64(N("9223372036854775807.5")).status()), "22003");
}

}  // namespace
}  // namespace anabranch
