#include "sql/parse/literal.h"

#include <gtest/gtest.h>

namespace anabranch {
namespace {

// The literals as written with their types, or "-" if the text is none of its business.
std::string Found(std::string_view text) {
  TextShape shape;
  if (!FindLiterals(text, &shape)) return "-";
  std::string found;
  for (const Literal& literal : shape.literals) {
    found += fmt::format("{}[{} {}]", found.empty() ? "" : " ", text.substr(literal.begin, literal.end - literal.begin),
                         TypeName(literal.type));
  }
  return found;
}

std::string Pattern(std::string_view text) {
  TextShape shape;
  return FindLiterals(text, &shape) ? shape.pattern : "-";
}

TEST(LiteralTest, NumbersByTheTypeTheyHave) {
  EXPECT_EQ(Found("a = 1 AND b > 999999999"), "[1 integer] [999999999 integer]");
  EXPECT_EQ(Found("a = 12345678901"), "[12345678901 bigint]");
  EXPECT_EQ(Found("a = 1.50"), "[1.50 numeric]");
  EXPECT_EQ(Found("t1.c2 = x9"), "");
}

TEST(LiteralTest, ASignBelongsToANumberOnlyWhereItCannotBeAnOperator) {
  EXPECT_EQ(Found("SET a = a + -3423"), "[-3423 integer]");
  EXPECT_EQ(Found("VALUES (-1, -2.5)"), "[-1 integer] [-2.5 numeric]");
  EXPECT_EQ(Found("a -1"), "[1 integer]");
  EXPECT_EQ(Found("a-1"), "[1 integer]");
  EXPECT_EQ(Found("a @-1"), "[1 integer]");
  EXPECT_EQ(Found("2 -1"), "[2 integer] [1 integer]");
  EXPECT_EQ(Found("BETWEEN -1 AND 1"), "[1 integer] [1 integer]");
}

TEST(LiteralTest, StringsWithQuotesInThem) {
  EXPECT_EQ(Found("a = 'it''s' AND b = ''"), "['it''s' unknown] ['' unknown]");
  EXPECT_EQ(LiteralValue("'it''s'", {0, 7, SqlType::kUnknown}), "it's");
  EXPECT_EQ(Found("\"a'1\" = 'b\\'"), "['b\\' unknown]");
}

TEST(LiteralTest, WhatIsNotPlainIsLeftAlone) {
  for (const char* text : {"SELECT 1 -- 2",
                           "SELECT /* 1 */ 2",
                           "SELECT $1",
                           "SELECT $$a$$",
                           "SELECT E'a'",
                           "SELECT U&'a'",
                           "SELECT 1; SELECT 2",
                           "SELECT a[1]",
                           "SELECT 'open",
                           "SELECT \"open",
                           "SELECT 1e5",
                           "SELECT 1.",
                           "SELECT .5",
                           "SELECT 1a",
                           "SELECT 007",
                           "SELECT 2147483648",
                           "SELECT 12345678901234567890",
                           "SELECT \xc3\xa9",
                           "SELECT a\\b",
                           "SELECT a\1"}) {
    EXPECT_EQ(Found(text), "-") << text;
  }
  EXPECT_EQ(Found("SELECT 1 ;\n"), "[1 integer]");
}

TEST(LiteralTest, ThePatternTellsTheTypesAndNothingElseOfTheLiterals) {
  EXPECT_EQ(Pattern("a = 1"), Pattern("a = 20"));
  EXPECT_NE(Pattern("a = 1"), Pattern("a = 1.0"));
  EXPECT_NE(Pattern("a = 1"), Pattern("a = '1'"));
  EXPECT_NE(Pattern("a = 1"), Pattern("a = 12345678901"));
  EXPECT_NE(Pattern("a = 1"), Pattern("b = 1"));
}

}  // namespace
}  // namespace anabranch
