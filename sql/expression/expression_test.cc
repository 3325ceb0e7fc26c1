// Expressions through a session: SELECT without FROM. Expected results are PostgreSQL 15's where it has the function.
#include "gtest/gtest.h"
#include "sql/parse/parse.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class ExpressionTest : public SessionFixture {
 protected:
  std::string Value(std::string_view expression) { return session_->Run(fmt::format("SELECT {}", expression)); }
  std::string State(std::string_view expression) { return Value(expression).substr(0, 5); }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(ExpressionTest, Arithmetic) {
  EXPECT_EQ(Value("1 + 2 * 3 - -4"), "11");
  EXPECT_EQ(Value("7 / 2, -7 / 2, 7 % 3, -7 % 3"), "3|-3|1|-1");
  EXPECT_EQ(Value("7 / 2.0, 1.5 * 2, 10.0 % 3"), "3.5000000000000000|3.0|1.0");
  EXPECT_EQ(Value("2147483647 + 1::bigint"), "2147483648");
  EXPECT_EQ(Value("2147483648, -2147483648, 9223372036854775808"), "2147483648|-2147483648|9223372036854775808");
  EXPECT_EQ(Value("1 + '2', '3' * 4"), "3|12");
  EXPECT_EQ(Value("1 + NULL"), "~");
}

TEST_F(ExpressionTest, ArithmeticErrors) {
  EXPECT_EQ(Value("2147483647 + 1"), "22003: integer out of range");
  EXPECT_EQ(Value("9223372036854775807 + 1"), "22003: bigint out of range");
  EXPECT_EQ(Value("-(-2147483648)"), "2147483648");
  EXPECT_EQ(Value("(-2147483648) / -1"), "22003: integer out of range");
  EXPECT_EQ(Value("1 / 0"), "22012: division by zero");
  EXPECT_EQ(Value("1 % 0"), "22012: division by zero");
  EXPECT_EQ(Value("1.0 / 0"), "22012: division by zero");
  EXPECT_EQ(Value("'abc' + 1"), "22P02: invalid input syntax for type integer: \"abc\"");
  EXPECT_EQ(Value("true + 1"), "42883: operator does not exist: boolean + integer");
  EXPECT_EQ(Value("2 ^ 3"), "8");
  EXPECT_EQ(Value("now() - now()"), "00:00:00");
}

TEST_F(ExpressionTest, ThreeValuedLogic) {
  EXPECT_EQ(Value("NULL AND false, NULL AND true, NULL OR true, NULL OR false, NOT NULL"), "f|~|t|~|~");
  EXPECT_EQ(Value("NULL = NULL, NULL <> 1, 1 < NULL"), "~|~|~");
  EXPECT_EQ(Value("NULL IS NULL, 1 IS NOT NULL, NULL IS NOT NULL"), "t|t|f");
  EXPECT_EQ(Value("NULL IS TRUE, true IS TRUE, false IS NOT TRUE, NULL IS FALSE, NULL IS UNKNOWN, true IS NOT UNKNOWN"),
            "f|t|t|f|t|t");
  EXPECT_EQ(Value("1 IN (1, NULL), 2 IN (1, NULL), 2 NOT IN (1, 3), 2 NOT IN (1, NULL), NULL IN (1)"), "t|~|t|~|~");
  EXPECT_EQ(Value("2 BETWEEN 1 AND 3, 2 NOT BETWEEN 1 AND 3, 2 BETWEEN NULL AND 1"), "t|f|f");
  EXPECT_EQ(Value("NULL IS DISTINCT FROM 1, NULL IS NOT DISTINCT FROM NULL"), "t|t");
  EXPECT_EQ(Value("1 AND true"), "42804: argument of AND must be type boolean, not type integer");
}

TEST_F(ExpressionTest, Comparisons) {
  EXPECT_EQ(Value("1 < 2, 'b' > 'a', 1 = 1.0, '5' = 5, true > false, 2 <> 2, 3 >= 3, 3 <= 2"), "t|t|t|t|t|f|t|f");
  EXPECT_EQ(Value("now() = now(), now() > '2020-01-01'"), "t|t");
  EXPECT_EQ(Value("1 = 'a'"), "22P02: invalid input syntax for type integer: \"a\"");
  EXPECT_EQ(Value("1 = 'a'::text"), "42883: operator does not exist: integer = text");
}

TEST_F(ExpressionTest, Text) {
  EXPECT_EQ(Value("'a' || 'b', 'n' || 1, 1.5 || 'x', 'a' || NULL"), "ab|n1|1.5x|~");
  EXPECT_EQ(Value("length('h\xC3\xA9llo'), lower('ABC'), upper('abc'), repeat('ab', 3), repeat('x', -1)"),
            "5|abc|ABC|ababab|");
  EXPECT_EQ(Value("'abc' LIKE 'a%', 'abc' LIKE '_b_', 'abc' LIKE 'b%', 'a%c' LIKE 'a\\%c', 'abc' NOT LIKE '%c'"),
            "t|t|f|t|f");
  EXPECT_EQ(Value("'aXbXc' LIKE '%X%c', '' LIKE '%', 'abcabd' LIKE '%ab_', 'ABC' ILIKE 'abc'"), "t|t|t|t");
  EXPECT_EQ(State("'a' LIKE 'a\\'"), "22025");
  EXPECT_EQ(State("repeat('x', 2000000000)"), "54000");
}

TEST_F(ExpressionTest, CaseAndCoalesce) {
  EXPECT_EQ(Value("CASE WHEN 1 > 2 THEN 'a' WHEN 2 > 1 THEN 'b' ELSE 'c' END"), "b");
  EXPECT_EQ(Value("CASE 3 WHEN 1 THEN 'a' WHEN 3 THEN 'b' END, CASE 4 WHEN 1 THEN 'a' END"), "b|~");
  EXPECT_EQ(Value("CASE WHEN true THEN 1 ELSE 1.5 END"), "1");
  EXPECT_EQ(Value("COALESCE(NULL, 2, 1 / 0), COALESCE(NULL, NULL)"), "2|~");
  EXPECT_EQ(Value("CASE WHEN true THEN 1 ELSE true END"), "42804: CASE types boolean and integer cannot be matched");
}

TEST_F(ExpressionTest, Casts) {
  EXPECT_EQ(Value("'12'::int, 12::text, 12.5::int, -12.5::int, 1::bool, true::int, 't'::bool, true::text"),
            "12|12|13|-13|t|1|t|true");
  EXPECT_EQ(Value("CAST('1.239' AS numeric(4,2)), 1::numeric(3,1)"), "1.24|1.0");
  EXPECT_EQ(Value("'2026-11-23 10:00+02'::timestamptz::text"), "2026-11-23 08:00:00+00");
  EXPECT_EQ(Value("NULL::int IS NULL"), "t");
  EXPECT_EQ(Value("123.4::numeric(4,2)"), "22003: numeric field overflow");
  EXPECT_EQ(Value("3000000000::int"), "22003: integer out of range");
  EXPECT_EQ(Value("true::numeric"), "42846: cannot cast type boolean to numeric");
  EXPECT_EQ(Value("1::float8 / 3"), "0.3333333333333333");
  EXPECT_EQ(Value("1::nonsense"), "42704: type \"nonsense\" does not exist");
}

TEST_F(ExpressionTest, Functions) {
  EXPECT_EQ(
      Value("abs(-5), abs(-1.5), round(2.5), round(1.234, 2), floor(-1.5), ceil(1.2), ceil(-1.2), floor(2.0), mod(7, 3)"),
      "5|1.5|3|1.23|-2|2|-1|2|1");
  EXPECT_EQ(Value("current_database(), current_user, current_schema(), version()"),
            "defaultdb|root|public|PostgreSQL 15.0 (Anabranch)");
  EXPECT_EQ(Value("random() >= 0 AND random() < 1"), "t");
  EXPECT_EQ(Value("current_setting('server_version')"), "15.0 (Anabranch)");
  EXPECT_EQ(Value("nonsense(1)"), "42883: function nonsense(integer) does not exist");
  EXPECT_EQ(Value("length(1)"), "42883: function length(integer) does not exist");
}

TEST_F(ExpressionTest, ColumnNames) {
  session_->Run("SELECT 1, 'a'::text, now(), current_user, COALESCE(1, 2), CASE WHEN true THEN 1 END, 1 AS x");
  EXPECT_EQ(session_->last().columns, "?column?,text,now,current_user,coalesce,case,x");
  // The outermost of casts, unless what is cast has a name.
  session_->Run("SELECT 1::text::int8, now()::text::varchar, CASE WHEN true THEN 1 ELSE 2::int8 END");
  EXPECT_EQ(session_->last().columns, "int8,now,case");
}

TEST_F(ExpressionTest, ParametersTakeTheTypeOfTheirPlace) {
  EXPECT_EQ(session_->Describe("SELECT $1 + 1, $2 || 'x', $3::numeric, $4, $1"),
            "integer text numeric text -> ?column?:integer ?column?:text numeric:numeric ?column?:text ?column?:integer");
  EXPECT_EQ(session_->Describe("SELECT $1 + 1", {SqlType::kInt8}), "bigint -> ?column?:bigint");
  EXPECT_EQ(session_->Describe("SELECT $1", {SqlType::kVarchar}), "character varying -> ?column?:character varying");
  EXPECT_EQ(session_->RunWith("SELECT $1 + 1, $2 || 'x', $3", {"41", "y", std::nullopt}), "42|yx|~");
  EXPECT_EQ(session_->RunWith("SELECT $1 + 1", {"x"}), "22P02: invalid input syntax for type integer: \"x\"");
  EXPECT_EQ(session_->RunWith("SELECT $1 + $2::int", {"1"}).substr(0, 5), "08P01");
}

TEST_F(ExpressionTest, TheLimitsOfNesting) {
  const auto chain = [](int terms) {
    std::string text = "1";
    for (int i = 1; i < terms; ++i) text += "+1";
    return text;
  };
  EXPECT_EQ(Value(chain(700)), "700");
  EXPECT_EQ(State(chain(kNestingTokensMax)), "54000");
  const auto parentheses = [](int depth) { return std::string(depth, '(') + "1" + std::string(depth, ')'); };
  EXPECT_EQ(Value(parentheses(kParenthesisDepthMax - 1)), "1");
  EXPECT_EQ(State(parentheses(kParenthesisDepthMax + 1)), "54000");
  EXPECT_EQ(State(parentheses(100'000)), "54000");
  std::string nots = "true";
  for (int i = 0; i < 100'000; ++i) nots.insert(0, "NOT ");
  EXPECT_EQ(State(nots), "54000");
  // Members of lists and of AND do not nest.
  std::string many = "1 = 1";
  for (int i = 0; i < 5'000; ++i) many += " AND 1 = 1";
  EXPECT_EQ(Value(many), "t");
  std::string list = "1";
  for (int i = 2; i <= 5'000; ++i) list += fmt::format(", {}", i);
  EXPECT_EQ(Value(fmt::format("5000 IN ({})", list)), "t");
  std::string unions = "1";
  for (int i = 0; i <= kSetOperationsMax; ++i) unions += " UNION SELECT 1";
  EXPECT_EQ(State(unions), "54000");
}

TEST_F(ExpressionTest, BadText) {
  EXPECT_EQ(State("'\xFF'"), "22021");
  EXPECT_EQ(session_->Run("SELEC 1"), "42601: syntax error at or near \"SELEC\"");
  EXPECT_EQ(State("'open"), "42601");
  EXPECT_EQ(session_->Run(std::string(kStatementBytesMax + 1, ' ')).substr(0, 5), "54000");
  EXPECT_EQ(session_->Run(" ; /* nothing */ ; -- here\n"), "");
}

TEST_F(ExpressionTest, CasesAreThoseOfUnicode) {
  EXPECT_EQ(Value("upper('aéßñž'), lower('ÉÑŽ'), initcap('éa bé')"), "AÉßÑŽ|éñž|Éa Bé");
  EXPECT_EQ(Value("'É' ILIKE 'é', 'É' ~* 'é', 'é' ~ '^\\w$'"), "t|t|t");
}

TEST_F(ExpressionTest, NullIfHasTheTypeThatTheComparisonGivesItsLeftSide) {
  EXPECT_EQ(Value("pg_typeof(nullif(NULL, 1)), pg_typeof(nullif(1, 1.5)), pg_typeof(nullif(1::int2, 2::int8))"),
            "integer|numeric|smallint");
  EXPECT_EQ(Value("pg_typeof(nullif('a'::varchar, 'b')), pg_typeof(nullif(1::float4, 1::float8))"), "text|real");
  EXPECT_EQ(Value("nullif(1, 1.0), nullif(2, 1.0), nullif(NULL, 1)"), "~|2|~");
}

TEST_F(ExpressionTest, FloatsAsPostgresHasThem) {
  EXPECT_EQ(Value("pg_typeof(1 + 1::float4), pg_typeof(1.5 * 1::float4), pg_typeof(1::float4 - 1::float4)"),
            "double precision|double precision|real");
  EXPECT_EQ(Value("2.5::numeric - 1e10::float4, sign('NaN'::float8), sign('-0'::float8)"), "-9999999997.5|0|0");
  EXPECT_EQ(Value("123456784::float4, 9007199254740993::float8 * 4"), "1.23456784e+08|3.602879701896397e+16");
  EXPECT_EQ(Value("pg_typeof(nullif(1::float4, 1)), pg_typeof(nullif(1, 1::float4))"), "real|double precision");
}

TEST_F(ExpressionTest, AgeBorrowsTheDaysOfTheEarlierMonth) {
  EXPECT_EQ(Value("age('2000-12-31 23:59:59.999999'::timestamp, '2024-02-29 12:34:56.789'::timestamp)"),
            "-23 years -1 mons -28 days -12:34:56.789001");
  EXPECT_EQ(Value("age('2024-01-30'::timestamp, '2024-03-01'::timestamp)"), "-1 mons -2 days");
}

TEST_F(ExpressionTest, WhatCannotBeMatchedIsToldAsPostgresDoes) {
  EXPECT_EQ(Value("CASE WHEN true THEN '{}'::jsonb ELSE '\\x00'::bytea END"),
            "42846: CASE/WHEN could not convert type jsonb to bytea");
  EXPECT_EQ(Value("1.5 || '\\x00'::bytea"), "42883: operator does not exist: numeric || bytea");
  EXPECT_EQ(Value("sum(min(NULL))"), "42883: function sum(text) does not exist");
  EXPECT_EQ(Value("(1, 2) < (NULL, 3), (1, 2) < (1, 3), (2, 1) < (1, 3), (1, 2) <= (1, 2), (1, NULL) < (2, 3)"),
            "~|t|f|t|t");
  EXPECT_EQ(Value("1 ORDER BY 'x'"), "42601: non-integer constant in ORDER BY");
}

}  // namespace
}  // namespace anabranch
