// Time zones of sessions. Answers to what PostgreSQL answers too are those of PostgreSQL 15.
#include "sql/value/time_zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sql/testing/time_zone_fixture.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

TEST_F(TimeZoneTest, NamesAndWhatShowCallsThem) {
  const std::vector<std::pair<std::string, std::string>> spellings = {
      {"SET TimeZone = 'europe/ZURICH'", "Europe/Zurich"},
      {"SET TIME ZONE 'america/argentina/buenos_aires'", "America/Argentina/Buenos_Aires"},
      {"SET TimeZone = 'posix/europe/zurich'", "posix/Europe/Zurich"},
      {"SET TimeZone = 'utc'", "UTC"},
      {"SET TimeZone = 'gmt'", "GMT"},
      {"SET TimeZone = 'etc/utc'", "Etc/UTC"},
      {"SET TimeZone = 'est5edt'", "EST5EDT"},
      {"SET TimeZone = 'foo5bar'", "FOO5BAR"},
      {"SET TimeZone = 'utc+3'", "UTC+3"},
      {"SET TimeZone = '<+02>-2'", "<+02>-2"},
      {"SET TimeZone = 'Fixed/UTC+01:00:00'", "FIXED/UTC+01:00:00"},
      {"SET TimeZone = '+02:30'", "+02:30"},
      {"SET TimeZone = 'cet-1cest,m3.5.0,m10.5.0/3'", "CET-1CEST,M3.5.0,M10.5.0/3"},
      {"SET TIME ZONE 2", "<+02>-02"},
      {"SET TIME ZONE -7.5", "<-07:30>+07:30"},
      {"SET TIME ZONE 0", "<+00>-00"},
      {"SET TimeZone = '0x5'", "<+05>-05"},
      {"SET TIME ZONE 167", "<+167>-167"},
      {"SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", "<-08>+08"},
      {"SET TIME ZONE INTERVAL '2' HOUR TO MINUTE", "<+00:02>-00:02"},
      {"SET TIME ZONE INTERVAL '2:30' HOUR", "<+02>-02"},
      {"SET TIME ZONE INTERVAL '5:30:15'", "<+05:30:15>-05:30:15"},
      {"SET TimeZone = 'interval ''-3:30'''", "<-03:30>+03:30"},
  };
  for (const auto& [statement, shown] : spellings) {
    EXPECT_EQ(Run(statement), "SET") << statement;
    EXPECT_EQ(Run("SHOW TimeZone"), shown) << statement;
  }
  EXPECT_EQ(Run("SELECT setting, current_setting('timezone') FROM pg_settings WHERE name = 'TimeZone'"),
            "<-03:30>+03:30|<-03:30>+03:30");
  for (const std::string_view back : {"SET TIME ZONE LOCAL", "SET TIME ZONE DEFAULT", "RESET TimeZone", "DISCARD ALL"}) {
    SetZone("Asia/Tokyo");
    Run(back);
    EXPECT_EQ(Run("SHOW TimeZone"), "UTC") << back;
  }
}

TEST_F(TimeZoneTest, WhatIsNoZone) {
  SetZone("Asia/Tokyo");
  for (const std::string_view text : {"nonsense",
                                      "z",
                                      "",
                                      "CEST",
                                      "MSK",
                                      "Europe",
                                      "Etc/Nowhere",
                                      "Europe//Zurich",
                                      "../zoneinfo/Europe/Zurich",
                                      "/etc/localtime",
                                      "zone.tab",
                                      "tzdata.zi",
                                      "leapseconds",
                                      "right/Europe/Zurich",
                                      "nan",
                                      "1e3",
                                      "168",
                                      "-168",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "<+02-2",
                                      "libc:localtime",
                                      "file:UTC"}) {
    const std::string error = Run(fmt::format("SET TimeZone = '{}'", text));
    EXPECT_TRUE(error.starts_with("22023: ")) << text << " " << error;
    EXPECT_THAT(error, HasSubstr(fmt::format("\"{}\"", text)));
  }
  EXPECT_EQ(Run("SET TimeZone = 'nonsense'"), "22023: invalid value for parameter \"TimeZone\": \"nonsense\"");
  EXPECT_EQ(Run("SET TIME ZONE INTERVAL '1 day'"), "22023: invalid value for parameter \"TimeZone\": \"INTERVAL '1 day'\"");
  EXPECT_EQ(State("SET TIME ZONE INTERVAL 'x'"), "22007");
  EXPECT_EQ(Run("SHOW TimeZone"), "Asia/Tokyo");
  EXPECT_EQ(Run("SELECT '2024-01-01 12:00 Nowhere/Land'::timestamptz"), "22023: time zone \"nowhere/land\" not recognized");
  EXPECT_EQ(State("SELECT '2024-01-01 12:00 nowhere'::timestamptz"), "22007");
  EXPECT_EQ(State("SELECT '2024-01-01 12:00 EST EDT'::timestamptz"), "22007");
  EXPECT_EQ(Run("SELECT now() AT TIME ZONE '+0530'"), "22023: time zone \"+0530\" not recognized");
  EXPECT_EQ(Run("SELECT now() AT TIME ZONE interval '1 day'"),
            "22023: interval time zone \"1 day\" must not include months or days");
  EXPECT_EQ(Run("SELECT make_timestamptz(2024, 7, 15, 10, 0, 0, '2')"),
            "22023: invalid input syntax for type numeric time zone: \"2\"");
}

TEST_F(TimeZoneTest, TextIsReadAndShownInTheZone) {
  ExpectAnswers({
      {"Europe/Zurich",
       "SELECT '2024-01-15 12:00'::timestamptz, '2024-07-15 12:00:00.5'::timestamptz, '2024-07-15 "
       "12:00+05:30'::timestamptz",
       "2024-01-15 12:00:00+01|2024-07-15 12:00:00.5+02|2024-07-15 08:30:00+02"},
      {"America/St_Johns", "SELECT '2024-01-15 12:00'::timestamptz, '2024-07-15 12:00'::timestamptz",
       "2024-01-15 12:00:00-03:30|2024-07-15 12:00:00-02:30"},
      {"Asia/Kolkata", "SELECT '2024-07-15 12:00'::timestamptz, '2024-07-15'::date::timestamptz",
       "2024-07-15 12:00:00+05:30|2024-07-15 00:00:00+05:30"},
      {"Europe/Zurich",
       "SELECT 'infinity'::timestamptz, '-infinity'::timestamptz, 'epoch'::timestamptz, 'infinity'::timestamptz::timestamp",
       "infinity|-infinity|1970-01-01 01:00:00+01|infinity"},
      {"Europe/Zurich",
       "SELECT 'infinity'::timestamp::timestamptz, '-infinity'::timestamptz::date, '-infinity'::date::timestamptz",
       "infinity|-infinity|-infinity"},
      {"Europe/Zurich",
       "SELECT '2024-07-01 12:00 America/New_York'::timestamptz, '2024-07-01 12:00 EST'::timestamptz, '2024-07-01 12:00 "
       "Japan'::timestamptz",
       "2024-07-01 18:00:00+02|2024-07-01 19:00:00+02|2024-07-01 05:00:00+02"},
      {"Europe/Zurich",
       "SELECT '2024-07-01 12:00 UTC+3'::timestamptz, '2024-07-01 12:00 Etc/GMT-5'::timestamptz, '2024-07-01 12:00 "
       "EST5EDT'::timestamptz",
       "2024-07-01 17:00:00+02|2024-07-01 09:00:00+02|2024-07-01 18:00:00+02"},
      {"Europe/Zurich",
       "SELECT '2012-01-01 12:00 MSK'::timestamptz, '2024-01-01 12:00 MSK'::timestamptz, '1990-07-01 12:00 "
       "MSD'::timestamptz",
       "2012-01-01 09:00:00+01|2024-01-01 10:00:00+01|1990-07-01 10:00:00+02"},
      {"Europe/Zurich", "SELECT '2024-10-27 02:30:00 CEST'::timestamptz, '2024-10-27 02:30:00 CET'::timestamptz",
       "2024-10-27 02:30:00+02|2024-10-27 02:30:00+01"},
      {"Europe/Zurich", "SELECT '2024-01-01 12:00 EST'::timestamp, '2024-01-01 23:00 Asia/Tokyo'::date",
       "2024-01-01 12:00:00|2024-01-01"},
  });
}

TEST_F(TimeZoneTest, YearsFarFromOurs) {
  ExpectAnswers({
      {"Europe/Zurich",
       "SELECT '1850-06-01 12:00'::timestamptz, '1853-07-16 00:00'::timestamptz, '1894-06-01 00:00'::timestamptz",
       "1850-06-01 12:00:00+00:34:08|1853-07-16 00:00:00+00:29:46|1894-06-01 00:30:14+01"},
      {"Europe/Zurich",
       "SELECT '1800-01-01 00:00'::timestamptz, '0001-01-01'::timestamptz, '0044-03-15 12:00 BC'::timestamptz",
       "1800-01-01 00:00:00+00:34:08|0001-01-01 00:00:00+00:34:08|0044-03-15 12:00:00+00:34:08 BC"},
      {"Europe/Zurich",
       "SELECT '2038-07-01'::timestamptz, '2500-01-01'::timestamptz, '2500-07-01'::timestamptz, "
       "'200000-07-01'::timestamptz",
       "2038-07-01 00:00:00+02|2500-01-01 00:00:00+01|2500-07-01 00:00:00+02|200000-07-01 00:00:00+02"},
      {"Europe/Zurich", "SELECT '2500-03-28 02:30'::timestamptz, '2500-10-31 02:30'::timestamptz",
       "2500-03-28 03:30:00+02|2500-10-31 02:30:00+01"},
      {"Africa/Monrovia", "SELECT '1960-01-01'::timestamptz, '1972-01-07 00:30'::timestamptz, '1800-01-01'::timestamptz",
       "1960-01-01 00:00:00-00:44:30|1972-01-07 01:14:30+00|1800-01-01 00:00:00-00:43:08"},
      {"America/St_Johns",
       "SELECT '1900-01-01'::timestamptz, extract(timezone from '1900-01-01'::timestamptz), "
       "to_char('1900-01-01'::timestamptz, 'TZ OF TZH TZM')",
       "1900-01-01 00:00:00-03:30:52|-12652|NST -03:30 -03 30"},
  });
}

TEST_F(TimeZoneTest, SkippedAndRepeatedHours) {
  ExpectAnswers({
      {"Europe/Zurich",
       "SELECT '2024-03-31 01:59:59'::timestamptz, '2024-03-31 02:00'::timestamptz, '2024-03-31 02:30'::timestamptz, "
       "'2024-03-31 03:00'::timestamptz",
       "2024-03-31 01:59:59+01|2024-03-31 03:00:00+02|2024-03-31 03:30:00+02|2024-03-31 03:00:00+02"},
      {"Europe/Zurich",
       "SELECT '2024-10-27 01:59'::timestamptz, '2024-10-27 02:00'::timestamptz, '2024-10-27 02:30'::timestamptz, "
       "'2024-10-27 03:00'::timestamptz",
       "2024-10-27 01:59:00+02|2024-10-27 02:00:00+01|2024-10-27 02:30:00+01|2024-10-27 03:00:00+01"},
      {"Europe/Zurich",
       "SELECT '2024-10-27 00:30+00'::timestamptz, '2024-10-27 00:59:59.999999+00'::timestamptz, '2024-10-27 "
       "01:30+00'::timestamptz",
       "2024-10-27 02:30:00+02|2024-10-27 02:59:59.999999+02|2024-10-27 02:30:00+01"},
      {"America/New_York", "SELECT '2024-03-10 02:30'::timestamptz, '2024-11-03 01:30'::timestamptz",
       "2024-03-10 03:30:00-04|2024-11-03 01:30:00-05"},
      {"Australia/Lord_Howe", "SELECT '2024-10-06 02:15'::timestamptz, '2024-04-07 01:45'::timestamptz",
       "2024-10-06 02:45:00+11|2024-04-07 01:45:00+10:30"},
      {"Europe/Dublin",
       "SELECT '2024-03-31 01:30'::timestamptz, '2024-10-27 01:30'::timestamptz, to_char('2024-10-27 01:30'::timestamptz, "
       "'TZ')",
       "2024-03-31 02:30:00+01|2024-10-27 01:30:00+00|GMT"},
      {"Europe/Moscow", "SELECT '2011-03-27 02:30'::timestamptz, '2014-10-26 01:30'::timestamptz",
       "2011-03-27 03:30:00+04|2014-10-26 01:30:00+03"},
      {"Pacific/Apia", "SELECT '2011-12-30 12:00'::timestamptz, '2011-12-29 12:00'::timestamptz + '1 day'::interval",
       "2011-12-31 12:00:00+14|2011-12-31 12:00:00+14"},
  });
}

TEST_F(TimeZoneTest, CastsAndComparisons) {
  ExpectAnswers({
      {"Europe/Zurich",
       "SELECT '2024-07-15 22:30+00'::timestamptz::date, '2024-07-15 22:30+00'::timestamptz::timestamp, '2024-07-15 "
       "10:00'::timestamp::timestamptz, '2024-07-15 22:30+00'::timestamptz::text",
       "2024-07-16|2024-07-16 00:30:00|2024-07-15 10:00:00+02|2024-07-16 00:30:00+02"},
      {"Europe/Zurich",
       "SELECT '2024-07-15'::date = '2024-07-14 22:00+00'::timestamptz, '2024-07-15 10:00'::timestamp = '2024-07-15 "
       "08:00+00'::timestamptz, '2024-07-15'::timestamptz BETWEEN '2024-07-15'::date AND '2024-07-15'::timestamp",
       "t|t|t"},
      {"Europe/Zurich",
       "SELECT greatest('2024-07-15 12:00'::timestamptz, '2024-07-15 12:30'::timestamp), coalesce(NULL::timestamptz, "
       "'2024-07-15'::date), '2024-07-15 12:34:56.789'::timestamptz(0)",
       "2024-07-15 12:30:00+02|2024-07-15 00:00:00+02|2024-07-15 12:34:57+02"},
      {"Europe/Zurich",
       "SELECT now()::date = current_date, now()::timestamp = localtimestamp, now()::timestamp::timestamptz = now(), "
       "current_date = (now() AT TIME ZONE 'Europe/Zurich')::date",
       "t|t|t|t"},
      {"Europe/Zurich",
       "SELECT ARRAY['2024-07-15 12:00'::timestamptz, NULL, '2024-01-15 12:00'], '{2024-07-15 12:00,\"2024-01-15 12:00 "
       "UTC\"}'::timestamptz[]",
       "{\"2024-07-15 12:00:00+02\",NULL,\"2024-01-15 12:00:00+01\"}|{\"2024-07-15 12:00:00+02\",\"2024-01-15 "
       "13:00:00+01\"}"},
      {"Europe/Zurich",
       "SELECT ARRAY['2024-07-15 12:00'::timestamptz]::text[], ARRAY['2024-07-15 12:00'::timestamp]::timestamptz[], "
       "ARRAY['2024-07-15 23:00+00'::timestamptz]::date[], array_to_string(ARRAY['2024-07-15 12:00'::timestamptz], ',')",
       "{\"2024-07-15 12:00:00+02\"}|{\"2024-07-15 12:00:00+02\"}|{2024-07-16}|2024-07-15 12:00:00+02"},
      {"Europe/Zurich",
       "SELECT concat('a', '2024-07-15 12:00'::timestamptz), concat_ws(',', '2024-07-15 12:00'::timestamptz, 1), "
       "format('%s|%L', '2024-07-15 12:00'::timestamptz, '2024-01-15 12:00'::timestamptz)",
       "a2024-07-15 12:00:00+02|2024-07-15 12:00:00+02,1|2024-07-15 12:00:00+02|'2024-01-15 12:00:00+01'"},
      {"Europe/Zurich",
       "SELECT 'x' || '2024-07-15 12:00'::timestamptz, quote_literal('2024-07-15 12:00'::timestamptz), "
       "quote_nullable('2024-07-15 12:00'::timestamptz)",
       "x2024-07-15 12:00:00+02|'2024-07-15 12:00:00+02'|'2024-07-15 12:00:00+02'"},
  });
}

TEST_F(TimeZoneTest, Fields) {
  ExpectAnswers({
      {"Europe/Zurich",
       "SELECT date_trunc('day', '2024-07-15 22:30+00'::timestamptz), date_trunc('month', '2024-03-31 "
       "12:00'::timestamptz), date_trunc('week', '2024-04-03 12:00'::timestamptz), date_trunc('year', '2024-12-31 "
       "23:30+00'::timestamptz)",
       "2024-07-16 00:00:00+02|2024-03-01 00:00:00+01|2024-04-01 00:00:00+02|2025-01-01 00:00:00+01"},
      {"Europe/Zurich",
       "SELECT date_trunc('hour', '2024-10-27 00:30+00'::timestamptz), date_trunc('hour', '2024-10-27 "
       "01:30+00'::timestamptz), date_trunc('minute', '1800-01-01 12:00:10+00'::timestamptz)",
       "2024-10-27 02:00:00+02|2024-10-27 02:00:00+01|1800-01-01 12:34:00+00:34:08"},
      {"Europe/Zurich",
       "SELECT date_trunc('day', '2024-07-15 22:30+00'::timestamptz, 'Australia/Sydney'), date_trunc('day', '2024-07-15 "
       "22:30+00'::timestamptz, 'EST')",
       "2024-07-15 16:00:00+02|2024-07-15 07:00:00+02"},
      {"Europe/Zurich",
       "SELECT extract(day from '2024-07-15 22:30+00'::timestamptz), extract(hour from '2024-07-15 "
       "22:30+00'::timestamptz), extract(epoch from '2024-07-15 22:30+00'::timestamptz), extract(julian from '2024-07-15 "
       "22:00+00'::timestamptz), date_part('dow', '2024-07-15 22:30+00'::timestamptz), extract(isoyear from '2024-12-29 "
       "23:30+00'::timestamptz)",
       "16|0|1721082600.000000|2460508.0000000000000000000000000000|2|2025"},
      {"America/St_Johns",
       "SELECT extract(timezone from '2024-07-15'::timestamptz), extract(timezone_hour from '2024-07-15'::timestamptz), "
       "extract(timezone_minute from '2024-07-15'::timestamptz)",
       "-9000|-2|-30"},
      {"Europe/Zurich",
       "SELECT to_char('2024-07-15 22:30+00'::timestamptz, 'YYYY-MM-DD HH24:MI TZ tz OF TZH:TZM'), to_char('2024-01-15 "
       "22:30+00'::timestamptz, 'DDD TZ FMOF')",
       "2024-07-16 00:30 CEST cest +02 +02:00|015 CET +1"},
      {"<+05:30>-5:30",
       "SELECT to_char('2024-07-15 22:30+00'::timestamptz, 'YYYY-MM-DD HH24:MI TZ OF FMOF'), to_char('2024-07-15 "
       "22:30'::timestamp, 'HH24 TZ OF')",
       "2024-07-16 04:00 +05:30 +05:30 +5:30|22  +00"},
      {"Europe/Zurich",
       "SELECT to_timestamp(1721082600), to_timestamp('2024-03-31 02:30', 'YYYY-MM-DD HH24:MI'), to_timestamp('2024-07-15 "
       "10:00 -03:30', 'YYYY-MM-DD HH24:MI TZH:TZM')",
       "2024-07-16 00:30:00+02|2024-03-31 03:30:00+02|2024-07-15 15:30:00+02"},
      {"Europe/Zurich",
       "SELECT make_timestamptz(2024, 3, 31, 2, 30, 0), make_timestamptz(2024, 7, 15, 10, 0, 0, 'Asia/Kolkata'), "
       "make_timestamptz(2024, 7, 15, 10, 0, 0, '+2'), make_timestamptz(2024, 7, 15, 10, 0, 0, 'EST')",
       "2024-03-31 03:30:00+02|2024-07-15 06:30:00+02|2024-07-15 10:00:00+02|2024-07-15 17:00:00+02"},
  });
}

TEST_F(TimeZoneTest, DaysAreLocalAndHoursAreNot) {
  ExpectAnswers({
      {"Europe/Zurich",
       "SELECT '2024-03-30 12:00'::timestamptz + '1 day'::interval, '2024-03-30 12:00'::timestamptz + '24 "
       "hours'::interval, '2024-03-30 02:30'::timestamptz + '1 day'::interval, '2024-10-26 02:30'::timestamptz + '1 "
       "day'::interval",
       "2024-03-31 12:00:00+02|2024-03-31 13:00:00+02|2024-03-31 03:30:00+02|2024-10-27 02:30:00+01"},
      {"Europe/Zurich",
       "SELECT '2024-02-29 02:30'::timestamptz + '1 mon 2 days 1 hour'::interval, '2024-04-30 02:30'::timestamptz - '1 mon "
       "-1 days'::interval, '1 day'::interval + '2024-10-26 12:00'::timestamptz, 'infinity'::timestamptz + '1 "
       "day'::interval",
       "2024-03-31 04:30:00+02|2024-03-31 03:30:00+02|2024-10-27 12:00:00+01|infinity"},
      {"Europe/Zurich",
       "SELECT '2024-03-31 12:00'::timestamptz - '2024-03-30 12:00'::timestamptz, '2024-10-27 12:00'::timestamptz - "
       "'2024-10-26 12:00'::timestamptz",
       "23:00:00|1 day 01:00:00"},
      {"Europe/Zurich",
       "SELECT age('2024-03-31 12:00'::timestamptz, '2024-03-30 12:00'::timestamptz), age('2024-10-27 "
       "01:15+00'::timestamptz, '2024-10-27 00:45+00'::timestamptz), age('2024-10-27 00:45+00'::timestamptz, '2024-10-27 "
       "01:15+00'::timestamptz), age('2024-01-01'::timestamptz, '2024-05-31 12:00'::timestamptz)",
       "1 day|-1 mons +30 days 23:30:00|1 mon -30 days -23:30:00|-4 mons -30 days -12:00:00"},
      {"Europe/Zurich", "SELECT g FROM generate_series('2024-03-29 02:30'::timestamptz, '2024-04-02 02:30', '1 day') g",
       "2024-03-29 02:30:00+01\n2024-03-30 02:30:00+01\n2024-03-31 03:30:00+02\n2024-04-01 03:30:00+02"},
      {"Europe/Zurich", "SELECT g FROM generate_series('2024-10-26 12:00'::timestamptz, '2024-10-27 12:00', '12 hours') g",
       "2024-10-26 12:00:00+02\n2024-10-27 00:00:00+02\n2024-10-27 11:00:00+01"},
      {"Europe/Zurich", "SELECT g FROM generate_series('2024-05-31'::timestamptz, '2024-02-01', '-1 month') g",
       "2024-05-31 00:00:00+02\n2024-04-30 00:00:00+02\n2024-03-30 00:00:00+01\n2024-02-29 00:00:00+01"},
      {"Europe/Zurich", "SELECT g FROM generate_series('2024-05-31'::timestamp, '2024-06-01', '12:00') g",
       "2024-05-31 00:00:00\n2024-05-31 12:00:00\n2024-06-01 00:00:00"},
      {"Europe/Zurich", "SELECT g FROM generate_series('2024-05-31'::date, '2024-06-01', '1 day') g",
       "2024-05-31 00:00:00+02\n2024-06-01 00:00:00+02"},
      {"Europe/Zurich",
       "SELECT x::date, count(*) FROM generate_series('2024-10-26 22:00+00'::timestamptz, '2024-10-28 00:00+00', '6 "
       "hours') x GROUP BY 1 ORDER BY 1",
       "2024-10-27|5"},
  });
}

TEST_F(TimeZoneTest, AtTimeZone) {
  ExpectAnswers({
      {"Europe/Zurich",
       "SELECT '2024-07-15 12:00'::timestamptz AT TIME ZONE 'America/New_York', '2024-07-15 12:00'::timestamp AT TIME ZONE "
       "'america/new_york', '2024-07-15 12:00'::timestamptz AT TIME ZONE 'EST'",
       "2024-07-15 06:00:00|2024-07-15 18:00:00+02|2024-07-15 05:00:00"},
      {"Europe/Zurich",
       "SELECT '2024-07-15 12:00'::timestamptz AT TIME ZONE '+02', '2024-07-15 12:00'::timestamptz AT TIME ZONE "
       "'UTC-5:30', '2012-07-15 12:00'::timestamptz AT TIME ZONE 'MSK', '2024-07-15 12:00'::timestamptz AT TIME ZONE 'MSK'",
       "2024-07-15 08:00:00|2024-07-15 15:30:00|2012-07-15 14:00:00|2024-07-15 13:00:00"},
      {"Europe/Zurich",
       "SELECT '2024-07-15 12:00'::timestamptz AT TIME ZONE interval '-03:30', '2024-07-15 12:00'::timestamp AT TIME ZONE "
       "interval '2 hours', 'infinity'::timestamptz AT TIME ZONE 'Europe/Zurich'",
       "2024-07-15 06:30:00|2024-07-15 12:00:00+02|infinity"},
  });
}

TEST_F(TimeZoneTest, PosixRules) {
  ExpectAnswers({
      {"CET-1CEST,M3.5.0,M10.5.0/3",
       "SELECT '2024-03-31 02:30'::timestamptz, '2024-10-27 02:30'::timestamptz, '2500-07-01'::timestamptz, "
       "to_char('2024-07-01'::timestamptz, 'TZ')",
       "2024-03-31 03:30:00+02|2024-10-27 02:30:00+01|2500-07-01 00:00:00+02|CEST"},
      {"AAA-10BBB,M10.1.0,M4.1.0/3",
       "SELECT '2024-12-31 12:00'::timestamptz, '2024-06-30 12:00'::timestamptz, '2024-04-07 02:30'::timestamptz",
       "2024-12-31 12:00:00+11|2024-06-30 12:00:00+10|2024-04-07 02:30:00+10"},
      {"AAA0BBB,J60/0,J300",
       "SELECT '2024-02-29 23:30'::timestamptz, '2024-03-01 01:30'::timestamptz, '2023-03-01 01:30'::timestamptz, "
       "'2024-12-31'::timestamptz",
       "2024-02-29 23:30:00+00|2024-03-01 01:30:00+01|2023-03-01 01:30:00+01|2024-12-31 00:00:00+00"},
      {"AAA0BBB,59/0,300",
       "SELECT '2024-02-29 01:30'::timestamptz, '2023-03-01 01:30'::timestamptz, '2024-10-27 00:30'::timestamptz",
       "2024-02-29 01:30:00+01|2023-03-01 01:30:00+01|2024-10-27 00:30:00+01"},
      {"FOO5BAR", "SELECT '2024-03-10 02:30'::timestamptz, '2024-11-03 01:30'::timestamptz, '2024-07-01'::timestamptz",
       "2024-03-10 03:30:00-04|2024-11-03 01:30:00-05|2024-07-01 00:00:00-04"},
  });
}
TEST_F(TimeZoneTest, RefusedSeries) {
  EXPECT_EQ(Run("SELECT * FROM generate_series('2024-05-31'::timestamptz, '2024-06-02', '0')"),
            "22023: step size cannot equal zero");
  EXPECT_EQ(State("SELECT * FROM generate_series('2024-05-31'::timestamptz, '2024-06-02')"), "42883");
  EXPECT_EQ(State("SELECT * FROM generate_series('294246-12-31'::timestamptz, 'infinity', '1 year')"), "22008");
}

}  // namespace
}  // namespace anabranch
