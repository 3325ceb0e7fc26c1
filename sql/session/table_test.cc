// Tables, rows, queries and keys, as one session sees them.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/testing/session_fixture.h"

namespace anabranch {
namespace {

// --- Tables ---

TEST_F(SessionTest, CreateInsertSelect) {
  Seed();
  EXPECT_EQ(Run("SELECT * FROM t"), "1|one|1.50\n2|two|~\n3|~|3.00");
  EXPECT_EQ(session_->last().columns, "k,v,n");
  EXPECT_EQ(Run("SELECT v AS name, t.k + 1, t.* FROM t WHERE k = 2"), "two|3|2|two|~");
  EXPECT_EQ(Run("SELECT x.k FROM public.t AS x WHERE x.v IS NULL"), "3");
}

TEST_F(SessionTest, CreateTableTwice) {
  Seed();
  EXPECT_EQ(Run("CREATE TABLE t (a INT)"), "42P07: relation \"t\" already exists");
  EXPECT_EQ(Run("CREATE TABLE IF NOT EXISTS t (a INT)"), "CREATE TABLE");
  EXPECT_EQ(session_->last().notices, "42P07 relation \"t\" already exists, skipping\n");
}

TEST_F(SessionTest, DropTable) {
  Seed();
  EXPECT_EQ(Run("DROP TABLE t"), "DROP TABLE");
  EXPECT_EQ(Run("SELECT * FROM t"), "42P01: relation \"t\" does not exist");
  EXPECT_EQ(Run("DROP TABLE t"), "42P01: table \"t\" does not exist");
  EXPECT_EQ(Run("DROP TABLE IF EXISTS t"), "DROP TABLE");
  EXPECT_EQ(Run("CREATE TABLE t (a INT PRIMARY KEY)"), "CREATE TABLE");
  EXPECT_EQ(Run("SELECT * FROM t"), "");
}

TEST_F(SessionTest, TruncateLeavesAnEmptyTable) {
  Seed();
  EXPECT_EQ(Run("BEGIN; TRUNCATE t; SELECT count(*) FROM t"), "0");
  EXPECT_EQ(Run("ROLLBACK"), "ROLLBACK");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(Run("TRUNCATE TABLE t"), "TRUNCATE TABLE");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(Run("INSERT INTO t (k) VALUES (1)"), "INSERT 0 1");
}

TEST_F(SessionTest, EveryTypeAndDefault) {
  EXPECT_EQ(Run("CREATE TABLE d (b BOOL DEFAULT true, i INTEGER DEFAULT 1 + 1, l BIGINT, s VARCHAR DEFAULT 'x', "
                "n NUMERIC(5,1) DEFAULT 2.55, ts TIMESTAMPTZ DEFAULT '2026-11-23 10:00', at TIMESTAMP WITH TIME ZONE "
                "DEFAULT now(), nn TEXT NOT NULL DEFAULT '', PRIMARY KEY (l))"),
            "CREATE TABLE");
  EXPECT_EQ(Run("INSERT INTO d (l) VALUES (1)"), "INSERT 0 1");
  EXPECT_EQ(Run("SELECT b, i, l, s, n, ts, nn FROM d"), "t|2|1|x|2.6|2026-11-23 10:00:00+00|");
  EXPECT_EQ(Run("BEGIN; INSERT INTO d (l) VALUES (2); SELECT at = now() FROM d WHERE l = 2"), "t");
  EXPECT_EQ(Run("COMMIT"), "COMMIT");
  EXPECT_EQ(Run("INSERT INTO d (l, i, s) VALUES (3, DEFAULT, NULL)"), "INSERT 0 1");
  EXPECT_EQ(Run("UPDATE d SET i = 9, s = DEFAULT WHERE l = 3"), "UPDATE 1");
  EXPECT_EQ(Run("UPDATE d SET i = DEFAULT WHERE l = 3"), "UPDATE 1");
  EXPECT_EQ(Run("SELECT i, s FROM d WHERE l = 3"), "2|x");
  EXPECT_EQ(Run("CREATE TABLE bad (a INT DEFAULT 'x')"), "22P02: invalid input syntax for type integer: \"x\"");
}

TEST_F(SessionTest, DescriptionMistakes) {
  EXPECT_EQ(State("CREATE TABLE b (a INT, a INT)"), "42701");
  EXPECT_EQ(State("CREATE TABLE b (a INT PRIMARY KEY, b INT PRIMARY KEY)"), "42P16");
  EXPECT_EQ(State("CREATE TABLE b (a INT, PRIMARY KEY (x))"), "42703");
  EXPECT_EQ(State("CREATE TABLE b (a INT, PRIMARY KEY (a, a))"), "42701");
  EXPECT_EQ(State("CREATE TABLE b (a nothing)"), "42704");
  EXPECT_EQ(State("CREATE TABLE b (a INT NULL NOT NULL)"), "42601");
  EXPECT_EQ(State("CREATE TABLE other.b (a INT)"), "3F000");
  EXPECT_EQ(State("SELECT * FROM b"), "42P01");
}

TEST_F(SessionTest, ATableWithoutAKeyKeepsDuplicates) {
  EXPECT_EQ(Run("CREATE TABLE h (a INT, b TEXT)"), "CREATE TABLE");
  EXPECT_EQ(Run("INSERT INTO h VALUES (1, 'x'), (1, 'x')"), "INSERT 0 2");
  EXPECT_EQ(Run("SELECT * FROM h"), "1|x\n1|x");
  EXPECT_EQ(Run("UPDATE h SET a = a + 1"), "UPDATE 2");
  EXPECT_EQ(Run("DELETE FROM h WHERE a = 2"), "DELETE 2");
}

// --- Constraints ---

TEST_F(SessionTest, UniqueAndNotNull) {
  Seed();
  EXPECT_EQ(Run("INSERT INTO t VALUES (4, 'a', 0), (1, 'b', 0)"),
            "23505: duplicate key value violates unique constraint \"t_pkey\"");
  EXPECT_EQ(Run("INSERT INTO t VALUES (9, 'a', 0), (9, 'b', 0)"),
            "23505: duplicate key value violates unique constraint \"t_pkey\"");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(Run("INSERT INTO t (v) VALUES ('x')"),
            "23502: null value in column \"k\" of relation \"t\" violates not-null constraint");
  EXPECT_EQ(State("UPDATE t SET k = NULL WHERE k = 1"), "23502");
  EXPECT_EQ(State("INSERT INTO t VALUES (4, 'x', 123456789.99)"), "22003");
}

TEST_F(SessionTest, InsertMistakes) {
  Seed();
  EXPECT_EQ(Run("INSERT INTO t (k, nope) VALUES (1, 2)"), "42703: column \"nope\" of relation \"t\" does not exist");
  EXPECT_EQ(State("INSERT INTO t (k, k) VALUES (1, 2)"), "42701");
  EXPECT_EQ(State("INSERT INTO t VALUES (1, 2, 3, 4)"), "42601");
  EXPECT_EQ(State("INSERT INTO t (k, v) VALUES (1)"), "42601");
  EXPECT_EQ(State("INSERT INTO t VALUES (5), (6, 'x')"), "42601");
  EXPECT_EQ(Run("INSERT INTO t (k) VALUES (true)"),
            "42804: column \"k\" is of type integer but expression is of type boolean");
  EXPECT_EQ(Run("INSERT INTO t (k) VALUES ('x')"), "22P02: invalid input syntax for type integer: \"x\"");
  EXPECT_EQ(Run("INSERT INTO t (k) VALUES (3000000000)"), "22003: integer out of range");
  EXPECT_EQ(Run("INSERT INTO t (k, v) VALUES (10, 5), ('11', true)"), "INSERT 0 2");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k >= 10"), "5\ntrue");
}

TEST_F(SessionTest, InsertFromSelect) {
  Seed();
  EXPECT_EQ(Run("INSERT INTO t (k, v) SELECT i, 'row ' || i FROM generate_series(10, 14) AS g(i)"), "INSERT 0 5");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k > 12 ORDER BY k DESC"), "row 14\nrow 13");
  EXPECT_EQ(Run("INSERT INTO t SELECT k + 100, v, n FROM t"), "INSERT 0 8");
  EXPECT_EQ(Run("INSERT INTO t SELECT k + 200 FROM t WHERE k IN (1, 201)"), "INSERT 0 1");
  EXPECT_EQ(Run("CREATE TABLE ts (k INT PRIMARY KEY, at TIMESTAMPTZ)"), "CREATE TABLE");
  EXPECT_EQ(Run("INSERT INTO ts SELECT 1, '2026-01-01'"), "INSERT 0 1");
  EXPECT_EQ(State("INSERT INTO t SELECT 1, 2, 3, 4"), "42601");
}

TEST_F(SessionTest, ManyRowsInOneStatement) {
  Run("CREATE TABLE m (k INT PRIMARY KEY, v TEXT)");
  std::string text = "INSERT INTO m VALUES (0, 'x')";
  for (int i = 1; i < 5000; ++i) text += fmt::format(", ({}, 'value {}')", i, i);
  EXPECT_EQ(Run(text), "INSERT 0 5000");
  EXPECT_EQ(Run("SELECT count(*), sum(k) FROM m"), "5000|12497500");
}

// --- SELECT ---

TEST_F(SessionTest, OrderLimitOffset) {
  Seed();
  EXPECT_EQ(Run("SELECT k FROM t ORDER BY v"), "1\n2\n3");
  EXPECT_EQ(Run("SELECT k FROM t ORDER BY v DESC"), "3\n2\n1");
  EXPECT_EQ(Run("SELECT k FROM t ORDER BY v DESC NULLS LAST, k"), "2\n1\n3");
  EXPECT_EQ(Run("SELECT k FROM t ORDER BY v NULLS FIRST LIMIT 2"), "3\n1");
  EXPECT_EQ(Run("SELECT k AS z, -k FROM t ORDER BY 2 LIMIT 1 OFFSET 1"), "2|-2");
  EXPECT_EQ(Run("SELECT k AS z FROM t ORDER BY z DESC"), "3\n2\n1");
  EXPECT_EQ(Run("SELECT k FROM t ORDER BY -k"), "3\n2\n1");
  EXPECT_EQ(Run("SELECT k FROM t LIMIT 0"), "");
  EXPECT_EQ(Run("SELECT k FROM t LIMIT ALL OFFSET 2"), "3");
  EXPECT_EQ(State("SELECT k FROM t LIMIT -1"), "2201W");
  EXPECT_EQ(State("SELECT k FROM t ORDER BY 2"), "42P10");
}

TEST_F(SessionTest, Aggregates) {
  Seed();
  EXPECT_EQ(Run("SELECT count(*), count(v), sum(k), min(v), max(k), avg(k), sum(n), avg(n) FROM t"),
            "3|2|6|one|3|2.0000000000000000|4.50|2.2500000000000000");
  EXPECT_EQ(session_->last().columns, "count,count,sum,min,max,avg,sum,avg");
  EXPECT_EQ(Run("SELECT count(*), sum(k), max(k), avg(k) FROM t WHERE k > 99"), "0|~|~|~");
  EXPECT_EQ(Run("SELECT count(*) + 1, sum(k * 2) / 2 FROM t"), "4|6");
  EXPECT_EQ(Run("SELECT count(*) FROM t HAVING count(*) > 5"), "");
  EXPECT_EQ(State("SELECT k, count(*) FROM t"), "42803");
  EXPECT_EQ(State("SELECT k FROM t WHERE count(*) > 1"), "42803");
  EXPECT_EQ(State("SELECT sum(count(*)) FROM t"), "42803");
  EXPECT_EQ(State("SELECT sum(v) FROM t"), "42883");
  EXPECT_EQ(Run("SELECT bool_or(NULL), min(NULL), count(NULL) FROM t"), "~|~|0");
  EXPECT_EQ(Run("SELECT sum(NULL) FROM t"), "42725: function sum(unknown) is not unique");
  EXPECT_EQ(Run("SELECT sum(g::bigint) FROM generate_series(9223372036854775806, 9223372036854775807) g"),
            "18446744073709551613");
}

TEST_F(SessionTest, RowsMayHaveNoColumns) {
  Seed();
  EXPECT_EQ(Run("SELECT FROM t"), "SELECT 3");
  EXPECT_TRUE(session_->last().described_rows);
}

TEST_F(SessionTest, GroupBy) {
  Run("CREATE TABLE g (k INT PRIMARY KEY, c TEXT, n INT)");
  Run("INSERT INTO g VALUES (1, 'a', 1), (2, 'b', 2), (3, 'a', 3), (4, NULL, 4)");
  EXPECT_EQ(Run("SELECT c, count(*), sum(n) FROM g GROUP BY c ORDER BY c"), "a|2|4\nb|1|2\n~|1|4");
  EXPECT_EQ(Run("SELECT upper(c) AS u, count(*) FROM g GROUP BY u HAVING count(*) > 1"), "A|2");
  EXPECT_EQ(Run("SELECT n % 2, max(k) FROM g GROUP BY 1 ORDER BY max(k) DESC"), "0|4\n1|3");
  EXPECT_EQ(Run("SELECT upper(c) || '!' FROM g GROUP BY upper(c) ORDER BY 1 LIMIT 1"), "A!");
  EXPECT_EQ(State("SELECT n FROM g GROUP BY c"), "42803");
}

TEST_F(SessionTest, NameMistakes) {
  Seed();
  EXPECT_EQ(Run("SELECT nope FROM t"), "42703: column \"nope\" does not exist");
  EXPECT_EQ(Run("SELECT t.nope FROM t"), "42703: column t.nope does not exist");
  EXPECT_EQ(Run("SELECT x.k FROM t"), "42P01: missing FROM-clause entry for table \"x\"");
  EXPECT_EQ(Run("SELECT k"), "42703: column \"k\" does not exist");
  EXPECT_EQ(State("SELECT *"), "42601");
  EXPECT_EQ(State("SELECT k FROM t WHERE k"), "42804");
}

TEST_F(SessionTest, GenerateSeries) {
  EXPECT_EQ(Run("SELECT * FROM generate_series(1, 3)"), "1\n2\n3");
  EXPECT_EQ(Run("SELECT g, g * 2 AS d FROM generate_series(5, 1, -2) g ORDER BY d"), "1|2\n3|6\n5|10");
  EXPECT_EQ(Run("SELECT count(*) FROM generate_series(1, 100000)"), "100000");
  EXPECT_EQ(Run("SELECT * FROM generate_series(9223372036854775806, 9223372036854775807)"),
            "9223372036854775806\n9223372036854775807");
  EXPECT_EQ(State("SELECT * FROM generate_series(1, 2, 0)"), "22023");
}

TEST_F(SessionTest, ASortBeyondItsMemoryIsRefusedAndTheFirstOfMillionsIsNot) {
  EXPECT_EQ(State("SELECT i, repeat('x', 1000) FROM generate_series(1, 100000) g(i) ORDER BY -i"), "53200");
  EXPECT_EQ(Run("SELECT i FROM generate_series(1, 300000) g(i) ORDER BY -i LIMIT 2"), "300000\n299999");
}

// --- Keys as spans ---

TEST_F(SessionTest, PointsAndRangesReadOnlyTheirRows) {
  Run("CREATE TABLE s (a INT, b TEXT, c INT, PRIMARY KEY (a, b))");
  Run("INSERT INTO s SELECT i / 100, 'b' || (i % 100), i FROM generate_series(0, 1999) g(i)");
  EXPECT_EQ(Run("SELECT c FROM s WHERE a = 7 AND b = 'b42'"), "742");
  EXPECT_EQ(Run("SELECT count(*) FROM s WHERE a BETWEEN 3 AND 4"), "200");
  EXPECT_EQ(Run("SELECT count(*) FROM s WHERE a > 3 AND a <= 5 AND c < 450"), "50");
  EXPECT_EQ(Run("SELECT c FROM s WHERE a IN (2, 1) AND b IN ('b1', 'b0', 'nope') ORDER BY a, b"), "100\n101\n200\n201");
  EXPECT_EQ(Run("SELECT count(*) FROM s WHERE a = 3 AND b >= 'b9'"), "11");
  EXPECT_EQ(Run("SELECT count(*) FROM s WHERE 3 > a AND b < 'b1'"), "3");
  EXPECT_EQ(Run("SELECT count(*) FROM s WHERE a = NULL"), "0");
  EXPECT_EQ(Run("SELECT count(*) FROM s WHERE a = 1 AND a = 2"), "0");
  EXPECT_EQ(Run("SELECT count(*) FROM s WHERE a > 5 AND a < 5"), "0");
  EXPECT_EQ(Run("SELECT count(*) FROM s WHERE a >= 19.5"), "0");
  const uint64_t whole = Steps("SELECT c FROM s");
  EXPECT_LT(Steps("SELECT c FROM s WHERE a = 7 AND b = 'b42'"), 20u);
  EXPECT_LT(Steps("SELECT count(*) FROM s WHERE a = 7"), whole / 10);
  EXPECT_LT(Steps("SELECT count(*) FROM s WHERE a BETWEEN 7 AND 8"), whole / 5);
  EXPECT_LT(Steps("UPDATE s SET c = 0 WHERE a = 7 AND b = 'b42'"), 30u);
  // Ordered by the key, a LIMIT stops the scan.
  EXPECT_LT(Steps("SELECT c FROM s ORDER BY a, b LIMIT 3"), 30u);
  EXPECT_LT(Steps("SELECT c FROM s WHERE a = 9 ORDER BY b LIMIT 3"), 30u);
  EXPECT_GT(Steps("SELECT c FROM s ORDER BY b LIMIT 3"), whole / 2);
}

TEST_F(SessionTest, EveryTypeAsAKey) {
  Run("CREATE TABLE ks (b BOOL, n NUMERIC, ts TIMESTAMPTZ, l BIGINT, PRIMARY KEY (b, n, ts, l))");
  Run("INSERT INTO ks VALUES (true, 1.50, '2026-01-01', -5), (true, -2, '2026-01-01', 5), (false, 100, '1960-01-01', 0)");
  EXPECT_EQ(Run("SELECT * FROM ks"),
            "f|100|1960-01-01 00:00:00+00|0\nt|-2|2026-01-01 00:00:00+00|5\n"
            "t|1.50|2026-01-01 00:00:00+00|-5");
  EXPECT_EQ(Run("SELECT l FROM ks WHERE b = true AND n = 1.5"), "-5");
  EXPECT_EQ(Run("SELECT l FROM ks WHERE b AND n < 0"), "5");
  EXPECT_EQ(Run("SELECT l FROM ks WHERE b = false AND n = 100 AND ts < '1970-01-01' AND l = 0"), "0");
  EXPECT_EQ(State("INSERT INTO ks VALUES (true, 1.500, '2026-01-01 00:00+00', -5)"), "23505");
}

// --- UPDATE, DELETE ---

TEST_F(SessionTest, UpdateAndDelete) {
  Seed();
  EXPECT_EQ(Run("UPDATE t SET v = v || '!', n = k * 2 WHERE k < 3"), "UPDATE 2");
  EXPECT_EQ(Run("SELECT * FROM t"), "1|one!|2.00\n2|two!|4.00\n3|~|3.00");
  EXPECT_EQ(Run("UPDATE t SET v = 'none' WHERE v = 'absent'"), "UPDATE 0");
  EXPECT_EQ(Run("DELETE FROM t AS x WHERE x.k = 2"), "DELETE 1");
  EXPECT_EQ(Run("DELETE FROM t"), "DELETE 2");
  EXPECT_EQ(State("UPDATE t SET nope = 1"), "42703");
  EXPECT_EQ(State("UPDATE t SET v = 'a', v = 'b'"), "42601");
}

TEST_F(SessionTest, UpdateOfTheKeyMovesTheRow) {
  Seed();
  EXPECT_EQ(Run("UPDATE t SET k = k + 10 WHERE k = 1"), "UPDATE 1");
  EXPECT_EQ(Run("SELECT k, v FROM t"), "2|two\n3|~\n11|one");
  EXPECT_EQ(State("UPDATE t SET k = 3 WHERE k = 2"), "23505");
  // What moved to a key that is still to be visited is not moved again.
  EXPECT_EQ(Run("UPDATE t SET k = k + 10 WHERE k IN (2, 12)"), "UPDATE 1");
  EXPECT_EQ(Run("SELECT k FROM t"), "3\n11\n12");
  EXPECT_EQ(Run("UPDATE t SET k = k + 100"), "UPDATE 3");
  EXPECT_EQ(Run("SELECT k FROM t"), "103\n111\n112");
}

}  // namespace
}  // namespace anabranch
