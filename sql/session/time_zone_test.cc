// The time zone of a session: when it changes, and what was planned, stored or written in another one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sql/testing/time_zone_fixture.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

TEST_F(TimeZoneTest, ChangesEndWithTheirTransactions) {
  SetZone("Europe/Zurich");
  const std::string moment = "SELECT '2024-01-01 12:00+00'::timestamptz";
  Run("BEGIN");
  Run("SET LOCAL TimeZone = 'Asia/Tokyo'");
  EXPECT_EQ(Run(moment), "2024-01-01 21:00:00+09");
  Run("COMMIT");
  EXPECT_EQ(Run(moment), "2024-01-01 13:00:00+01");
  Run("BEGIN");
  SetZone("Asia/Tokyo");
  Run("SAVEPOINT s");
  SetZone("Asia/Kolkata");
  EXPECT_EQ(Run(moment), "2024-01-01 17:30:00+05:30");
  Run("ROLLBACK TO s");
  EXPECT_EQ(Run(moment), "2024-01-01 21:00:00+09");
  Run("ROLLBACK");
  EXPECT_EQ(Run(moment), "2024-01-01 13:00:00+01");
}

TEST_F(TimeZoneTest, SetConfig) {
  EXPECT_EQ(Run("SELECT set_config('TimeZone', 'asia/tokyo', false), current_setting('timezone')"),
            "Asia/Tokyo|Asia/Tokyo");
  EXPECT_EQ(Run("SHOW TimeZone"), "Asia/Tokyo");
  EXPECT_EQ(State("SELECT set_config('TimeZone', 'nonsense', false)"), "22023");
  EXPECT_EQ(State("SELECT set_config('nope', 'x', false)"), "42704");
  EXPECT_EQ(Run("SELECT set_config('TimeZone', 'Asia/Kolkata', true)"), "Asia/Kolkata");
  EXPECT_EQ(Run("SHOW TimeZone"), "Asia/Tokyo");
  Run("BEGIN");
  EXPECT_EQ(Run("SELECT set_config('TimeZone', 'Asia/Kolkata', true)"), "Asia/Kolkata");
  EXPECT_EQ(Run("SHOW TimeZone"), "Asia/Kolkata");
  Run("COMMIT");
  EXPECT_EQ(Run("SHOW TimeZone"), "Asia/Tokyo");
  Run("BEGIN");
  EXPECT_EQ(Run("SELECT set_config('TimeZone', 'Asia/Kolkata', false)"), "Asia/Kolkata");
  Run("ROLLBACK");
  EXPECT_EQ(Run("SHOW TimeZone"), "Asia/Tokyo");
  EXPECT_EQ(State("SELECT set_config('TimeZone', 'Asia/Kolkata', false), 1 / (SELECT 0)"), "22012");
  EXPECT_EQ(Run("SHOW TimeZone"), "Asia/Tokyo");
  EXPECT_EQ(Run("SELECT set_config('TimeZone', NULL, false)"), "UTC");
}

// A literal means what it meant when the statement was prepared; everything else follows the session.
TEST_F(TimeZoneTest, APreparedStatementIsRunInTwoZones) {
  SetZone("Europe/Zurich");
  Run("PREPARE p AS SELECT '2024-01-01 00:00'::timestamptz, '2024-01-01 00:00+00'::timestamptz::text, "
      "'2024-01-01'::date::timestamptz, $1::timestamptz, date_trunc('day', '2024-01-01 20:00+00'::timestamptz)");
  EXPECT_EQ(Run("EXECUTE p('2024-01-01')"),
            "2024-01-01 00:00:00+01|2024-01-01 01:00:00+01|2024-01-01 00:00:00+01|2024-01-01 00:00:00+01|"
            "2024-01-01 00:00:00+01");
  SetZone("Asia/Tokyo");
  const std::string in_tokyo =
      "2024-01-01 08:00:00+09|2024-01-01 09:00:00+09|2024-01-01 00:00:00+09|2024-01-01 00:00:00+09|2024-01-02 00:00:00+09";
  EXPECT_EQ(Run("EXECUTE p('2024-01-01')"), in_tokyo);
  EXPECT_EQ(Run("EXECUTE p('2024-01-01'::date)"), in_tokyo);
}

TEST_F(TimeZoneTest, AQueryThatIsKeptIsRunInTwoZones) {
  Run("CREATE TABLE t (k INT PRIMARY KEY, at TIMESTAMPTZ)");
  Run("INSERT INTO t VALUES (1, '2024-07-01 12:00+00')");
  // A literal that is a parameter of the plan, one that belongs to it, one that is converted when the query runs.
  const std::vector<std::string> queries = {"SELECT k, at FROM t WHERE at = '2024-07-01 14:00' AND k = 1",
                                            "SELECT k, at FROM t WHERE at = timestamptz '2024-07-01 14:00' AND k = 1",
                                            "SELECT k, at FROM t WHERE at = '2024-07-01 14:00'::timestamp AND k = 1"};
  for (const std::string& query : queries) {
    for (int round = 0; round < 2; ++round) {
      SetZone("Europe/Zurich");
      for (int i = 0; i < 3; ++i) EXPECT_EQ(Run(query), "1|2024-07-01 14:00:00+02") << query;
      SetZone("Asia/Tokyo");
      for (int i = 0; i < 3; ++i) EXPECT_EQ(Run(query), "") << query;
    }
  }
}

TEST_F(TimeZoneTest, SpansOfAnIndexFollowTheZone) {
  Run("CREATE TABLE t (at TIMESTAMPTZ PRIMARY KEY)");
  Run("INSERT INTO t SELECT generate_series('2024-06-30 22:00+00'::timestamptz, '2024-07-01 22:00+00', '6 hours')");
  SetZone("Europe/Zurich");
  Run("PREPARE day AS SELECT count(*) FROM t WHERE at >= '2024-07-01'::date AND at < '2024-07-02'::timestamp");
  EXPECT_EQ(Run("EXECUTE day"), "4");
  SetZone("Asia/Tokyo");
  EXPECT_EQ(Run("EXECUTE day"), "3");
  EXPECT_EQ(Run("SELECT count(*) FROM t WHERE at BETWEEN '2024-07-01 19:00' AND '2024-07-01 19:00'"), "1");
  EXPECT_EQ(Run("SELECT min(at) FROM t WHERE at::date = '2024-07-02'"), "2024-07-02 01:00:00+09");
}

TEST_F(TimeZoneTest, DefaultsAndChecksMeanWhatTheyMeantWhenTheyWereWritten) {
  SetZone("Europe/Zurich");
  EXPECT_EQ(Run("CREATE TABLE d (id INT PRIMARY KEY, a TIMESTAMPTZ DEFAULT '2024-01-01 00:00', "
                "b TIMESTAMPTZ DEFAULT '2024-01-01'::date, e TIMESTAMPTZ DEFAULT timestamptz '2024-07-01 12:00' + interval "
                "'1 day', f TIMESTAMPTZ[] DEFAULT '{2024-01-01 00:00}', CHECK (a > '2023-06-01 00:00'), "
                "CHECK (a < CAST('2030-01-01 00:00' AS timestamptz) + interval '1 day'), CHECK (b::date >= '2024-01-01'))"),
            "CREATE TABLE");
  SetZone("Asia/Tokyo");
  EXPECT_EQ(Run("INSERT INTO d(id) VALUES (1) RETURNING a, b, e, f"),
            "2024-01-01 08:00:00+09|2024-01-01 00:00:00+09|2024-07-02 19:00:00+09|{\"2024-01-01 08:00:00+09\"}");
  EXPECT_EQ(Run("SELECT column_default FROM information_schema.columns WHERE table_name = 'd' AND column_name = 'a'"),
            "'2024-01-01 08:00:00+09'::timestamp with time zone");
  EXPECT_EQ(State("INSERT INTO d(id, a) VALUES (2, '2023-06-01 07:00')"), "23514");  // midnight in Zurich
  EXPECT_EQ(Run("INSERT INTO d(id, a) VALUES (2, '2023-06-01 07:01')"), "INSERT 0 1");
  EXPECT_EQ(State("INSERT INTO d(id, a) VALUES (3, '2030-01-02 08:00')"), "23514");
  EXPECT_EQ(Run("INSERT INTO d(id, a) VALUES (3, '2030-01-02 07:59')"), "INSERT 0 1");
  EXPECT_EQ(State("INSERT INTO d(id, b) VALUES (4, '2023-12-31 23:59')"), "23514");
  EXPECT_EQ(Run("INSERT INTO d(id, b) VALUES (4, '2024-01-01 00:00')"), "INSERT 0 1");
  EXPECT_EQ(Run("ALTER TABLE d ADD g TIMESTAMPTZ DEFAULT '2024-02-01 00:00'"), "ALTER TABLE");
  EXPECT_EQ(Run("ALTER TABLE d RENAME a TO aa"), "ALTER TABLE");  // writes the checks anew
  SetZone("UTC");
  EXPECT_EQ(Run("SELECT aa, g FROM d WHERE id = 1"), "2023-12-31 23:00:00+00|2024-01-31 15:00:00+00");
  EXPECT_EQ(State("INSERT INTO d(id, aa) VALUES (5, '2023-05-31 22:00')"), "23514");
  EXPECT_EQ(Run("INSERT INTO d(id, aa) VALUES (5, '2023-05-31 22:01')"), "INSERT 0 1");
}

TEST_F(TimeZoneTest, CopyOutAndInAgainInAnotherZone) {
  Run("CREATE TABLE t (k INT PRIMARY KEY, at TIMESTAMPTZ, many TIMESTAMPTZ[])");
  Run("CREATE TABLE back (k INT PRIMARY KEY, at TIMESTAMPTZ, many TIMESTAMPTZ[])");
  SetZone("Europe/Zurich");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"1\t2024-03-31 02:30\t{2024-07-01 12:00,NULL}\n", "2\t1800-01-01\t{}\n",
                                                 "3\tinfinity\t\\N\n", "4\t2024-10-27 02:30 CEST\t{}\n"}),
            "COPY 4");
  Run("COPY t TO STDOUT");
  EXPECT_EQ(session_->last().copied,
            "1\t2024-03-31 03:30:00+02\t{\"2024-07-01 12:00:00+02\",NULL}\n2\t1800-01-01 00:00:00+00:34:08\t{}\n"
            "3\tinfinity\t\\N\n4\t2024-10-27 02:30:00+02\t{}\n");
  const std::string copied = session_->last().copied;
  SetZone("America/St_Johns");
  EXPECT_EQ(session_->Copy("COPY back FROM STDIN", {copied}), "COPY 4");
  Run("COPY (SELECT at FROM back WHERE k < 3) TO STDOUT (FORMAT csv)");
  EXPECT_EQ(session_->last().copied, "2024-03-30 23:00:00-02:30\n1799-12-31 19:55:00-03:30:52\n");
  EXPECT_EQ(Run("SELECT count(*) FROM t JOIN back USING (k) WHERE t.at = back.at"), "4");
}

TEST_F(TimeZoneTest, ErrorsShowTheZone) {
  SetZone("Asia/Tokyo");
  Run("CREATE TABLE t (at TIMESTAMPTZ PRIMARY KEY, n INT NOT NULL)");
  Run("INSERT INTO t VALUES ('2024-07-01 12:00', 1)");
  Run("INSERT INTO t VALUES ('2024-07-01 03:00+00', 1)");
  EXPECT_EQ(FieldOf(session_->error(), ErrorField::kDetail), "Key (at)=(2024-07-01 12:00:00+09) already exists.");
  Run("INSERT INTO t VALUES ('2024-07-02', NULL)");
  EXPECT_EQ(FieldOf(session_->error(), ErrorField::kDetail), "Failing row contains (2024-07-02 00:00:00+09, null).");
}

// What was written before sessions had zones.
TEST_F(TimeZoneTest, WithoutAZoneStoredTextIsUtc) {
  EXPECT_EQ(ToText(*FromText(SqlType::kTimestampTz, "2024-07-01 12:00")), "2024-07-01 12:00:00+00");
  EXPECT_EQ(ToText(*FromText(SqlType::kTimestampTzArray, "{2024-07-01 12:00}")), "{\"2024-07-01 12:00:00+00\"}");
}

}  // namespace
}  // namespace anabranch
