#include "sql/session/session.h"

#include <future>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

using testing::StartsWith;

class SessionTest : public SessionFixture {
 protected:
  std::string Run(std::string_view text) { return session_->Run(text); }
  std::string State(std::string_view text) { return session_->Run(text).substr(0, 5); }
  void Seed() {
    ASSERT_EQ(Run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT, n NUMERIC(10,2))"), "CREATE TABLE");
    ASSERT_EQ(Run("INSERT INTO t VALUES (1, 'one', 1.5), (2, 'two', NULL), (3, NULL, 3)"), "INSERT 0 3");
  }
  // The number of storage reads a statement takes.
  uint64_t Steps(std::string_view text) {
    const OperationCounts before = store_->counts();
    Run(text);
    const OperationCounts after = store_->counts() - before;
    return after.iterator_steps + after.gets;
  }

  std::unique_ptr<TestSession> session_ = NewSession();
};

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

// --- Transactions ---

TEST_F(SessionTest, BlocksCommitAndRollBack) {
  Seed();
  EXPECT_EQ(session_->status(), 'I');
  EXPECT_EQ(Run("BEGIN"), "BEGIN");
  EXPECT_EQ(session_->status(), 'T');
  EXPECT_EQ(Run("INSERT INTO t (k) VALUES (4)"), "INSERT 0 1");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "4");
  EXPECT_EQ(NewSession()->Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(Run("ROLLBACK"), "ROLLBACK");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(Run("START TRANSACTION"), "START TRANSACTION");
  Run("DELETE FROM t WHERE k = 1");
  EXPECT_EQ(Run("END"), "COMMIT");
  EXPECT_EQ(NewSession()->Run("SELECT count(*) FROM t"), "2");
  EXPECT_EQ(locks_->held_count(), 0u);
}

TEST_F(SessionTest, AnErrorAbortsTheBlock) {
  Seed();
  Run("BEGIN");
  Run("INSERT INTO t (k) VALUES (4)");
  EXPECT_EQ(State("SELECT 1 / 0"), "22012");
  EXPECT_EQ(session_->status(), 'E');
  EXPECT_EQ(Run("SELECT 1"), "25P02: current transaction is aborted, commands ignored until end of transaction block");
  EXPECT_EQ(Run("SET application_name = 'x'"),
            "25P02: current transaction is aborted, commands ignored until end of transaction block");
  EXPECT_EQ(session_->Describe("SELECT 1").substr(0, 5), "25P02");
  EXPECT_EQ(locks_->held_count(), 0u);
  EXPECT_EQ(Run("COMMIT"), "ROLLBACK");
  EXPECT_EQ(session_->status(), 'I');
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  Run("BEGIN");
  EXPECT_EQ(State("SELEC"), "42601");
  EXPECT_EQ(session_->status(), 'E');
  EXPECT_EQ(Run("ROLLBACK"), "ROLLBACK");
}

TEST_F(SessionTest, WarningsAboutBlocks) {
  EXPECT_EQ(Run("COMMIT"), "COMMIT");
  EXPECT_EQ(session_->last().notices, "25P01 there is no transaction in progress\n");
  EXPECT_EQ(Run("ROLLBACK"), "ROLLBACK");
  EXPECT_EQ(session_->last().notices, "25P01 there is no transaction in progress\n");
  Run("BEGIN");
  EXPECT_EQ(Run("BEGIN"), "BEGIN");
  EXPECT_EQ(session_->last().notices, "25001 there is already a transaction in progress\n");
}

TEST_F(SessionTest, AQueryStringIsOneTransaction) {
  Seed();
  EXPECT_EQ(State("INSERT INTO t (k) VALUES (4); INSERT INTO t (k) VALUES (1)"), "23505");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(Run("INSERT INTO t (k) VALUES (4); BEGIN; INSERT INTO t (k) VALUES (5)"), "INSERT 0 1");
  EXPECT_EQ(session_->status(), 'T');
  EXPECT_EQ(Run("ROLLBACK"), "ROLLBACK");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(Run("INSERT INTO t (k) VALUES (4); INSERT INTO t (k) VALUES (5)"), "INSERT 0 1");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "5");
}

TEST_F(SessionTest, ReadOnlyBlocks) {
  Seed();
  Run("BEGIN READ ONLY");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(Run("INSERT INTO t (k) VALUES (4)"), "25006: cannot execute INSERT in a read-only transaction");
  Run("ROLLBACK");
  Run("SET default_transaction_read_only = on");
  EXPECT_EQ(Run("DROP TABLE t"), "25006: cannot execute DROP TABLE in a read-only transaction");
  EXPECT_EQ(Run("SHOW transaction_read_only"), "on");
  Run("BEGIN READ WRITE");
  EXPECT_EQ(Run("DELETE FROM t"), "DELETE 3");
  Run("ROLLBACK");
}

TEST_F(SessionTest, CommitTimestampIsTheRowsVersion) {
  EXPECT_EQ(State("SHOW COMMIT TIMESTAMP"), "25P01");
  Seed();
  Run("BEGIN");
  Run("INSERT INTO t (k) VALUES (4)");
  EXPECT_EQ(Run("SELECT crdb_internal_mvcc_timestamp IS NULL FROM t WHERE k = 4"), "t");
  const std::string snapshot = Run("SELECT cluster_logical_timestamp()");
  Run("COMMIT");
  const std::string committed = Run("SHOW COMMIT TIMESTAMP");
  EXPECT_THAT(committed, testing::EndsWith(".0000000000"));
  EXPECT_EQ(Run("SELECT crdb_internal_mvcc_timestamp FROM t WHERE k = 4"), committed);
  EXPECT_GT(committed, snapshot);
  EXPECT_EQ(Run(fmt::format("SELECT count(*) FROM t WHERE crdb_internal_mvcc_timestamp < {}", committed)), "3");
  EXPECT_EQ(Run("SELECT * FROM t WHERE k = 4"), "4|~|~");
}

// --- Isolation, with two sessions ---

TEST_F(SessionTest, AWriterWaitsAndSeesTheNewRow) {
  Seed();
  Run("UPDATE t SET n = 100 WHERE k = 1");
  Run("BEGIN");
  Run("UPDATE t SET n = n + 1 WHERE k = 1");
  auto other = NewSession();
  auto waiter = std::async(std::launch::async, [&] { return other->Run("UPDATE t SET n = n + 10 WHERE k = 1"); });
  EXPECT_EQ(waiter.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  EXPECT_EQ(NewSession()->Run("SELECT n FROM t WHERE k = 1"), "100.00");  // readers do not wait
  Run("COMMIT");
  EXPECT_EQ(waiter.get(), "UPDATE 1");
  EXPECT_EQ(Run("SELECT n FROM t WHERE k = 1"), "111.00");
}

TEST_F(SessionTest, AWriterThatWaitedJudgesTheConditionAgain) {
  Seed();
  Run("BEGIN");
  Run("UPDATE t SET v = 'gone' WHERE k = 1");
  Run("DELETE FROM t WHERE k = 2");
  auto other = NewSession();
  auto waiter = std::async(std::launch::async, [&] { return other->Run("DELETE FROM t WHERE v IN ('one', 'two')"); });
  EXPECT_EQ(waiter.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  Run("COMMIT");
  EXPECT_EQ(waiter.get(), "DELETE 0");
  EXPECT_EQ(Run("SELECT k FROM t"), "1\n3");
}

TEST_F(SessionTest, AnInsertWaitsForTheOtherAndIsRefused) {
  Seed();
  Run("BEGIN");
  Run("INSERT INTO t (k) VALUES (7)");
  auto other = NewSession();
  auto waiter = std::async(std::launch::async, [&] { return other->Run("INSERT INTO t (k) VALUES (7)"); });
  EXPECT_EQ(waiter.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  Run("COMMIT");
  EXPECT_THAT(waiter.get(), StartsWith("23505"));
}

TEST_F(SessionTest, ReadCommittedSeesEachCommitAndRepeatableReadNone) {
  Seed();
  Run("BEGIN");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  auto repeatable = NewSession();
  repeatable->Run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  EXPECT_EQ(repeatable->Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(NewSession()->Run("DELETE FROM t WHERE k = 3"), "DELETE 1");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "2");
  EXPECT_EQ(repeatable->Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(repeatable->Run("UPDATE t SET v = 'x' WHERE k = 3"),
            "40001: could not serialize access due to concurrent delete");
}

TEST_F(SessionTest, SerializableRefusesWriteSkew) {
  Seed();
  auto other = NewSession();
  Run("BEGIN ISOLATION LEVEL SERIALIZABLE");
  other->Run("BEGIN ISOLATION LEVEL SERIALIZABLE");
  EXPECT_EQ(Run("SELECT sum(k) FROM t"), "6");
  EXPECT_EQ(other->Run("SELECT sum(k) FROM t"), "6");
  EXPECT_EQ(Run("UPDATE t SET v = 'a' WHERE k = 1"), "UPDATE 1");
  EXPECT_EQ(other->Run("UPDATE t SET v = 'b' WHERE k = 2"), "UPDATE 1");
  EXPECT_EQ(Run("COMMIT"), "COMMIT");
  EXPECT_THAT(other->Run("COMMIT"), StartsWith("40001"));
  EXPECT_EQ(other->status(), 'I');
}

TEST_F(SessionTest, ADeadlockEndsOneOfThem) {
  Seed();
  auto other = NewSession();
  Run("BEGIN");
  other->Run("BEGIN");
  Run("UPDATE t SET v = 'a' WHERE k = 1");
  other->Run("UPDATE t SET v = 'b' WHERE k = 2");
  auto waiter = std::async(std::launch::async, [&] { return other->Run("UPDATE t SET v = 'b' WHERE k = 1"); });
  const std::string mine = Run("UPDATE t SET v = 'a' WHERE k = 2");
  if (mine == "UPDATE 1") {
    EXPECT_THAT(waiter.get(), StartsWith("40P01"));
    EXPECT_EQ(Run("COMMIT"), "COMMIT");
  } else {
    EXPECT_THAT(mine, StartsWith("40P01"));
    EXPECT_EQ(waiter.get(), "UPDATE 1");
  }
}

TEST_F(SessionTest, DdlWaitsForWriters) {
  Seed();
  Run("BEGIN");
  Run("INSERT INTO t (k) VALUES (4)");
  auto other = NewSession();
  auto waiter = std::async(std::launch::async, [&] { return other->Run("DROP TABLE t"); });
  EXPECT_EQ(waiter.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  Run("COMMIT");
  EXPECT_EQ(waiter.get(), "DROP TABLE");
  EXPECT_EQ(State("INSERT INTO t (k) VALUES (5)"), "42P01");
}

TEST_F(SessionTest, ATransactionOlderThanATableChangeCannotWriteIt) {
  Seed();
  Run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  NewSession()->Run("TRUNCATE t");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(State("INSERT INTO t (k) VALUES (4)"), "40001");
}

TEST_F(SessionTest, CancelEndsAScanAndAWaitForALock) {
  Seed();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(session_->Run("SELECT count(*) FROM generate_series(1, 1000000000)", stop.get_token()),
            "57014: canceling statement due to user request");
  Run("BEGIN");
  Run("UPDATE t SET v = 'x' WHERE k = 1");
  auto other = NewSession();
  std::stop_source cancel;
  auto waiter = std::async(std::launch::async, [&] { return other->Run("DELETE FROM t", cancel.get_token()); });
  EXPECT_EQ(waiter.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  cancel.request_stop();
  EXPECT_THAT(waiter.get(), StartsWith("57014"));
}

TEST_F(SessionTest, AServiceThatEndedRefusesCommits) {
  Seed();
  Run("BEGIN");
  Run("INSERT INTO t (k) VALUES (4)");
  Update([&](MetaUpdate& update) { update.Stage(keyspace_).BumpEpoch(); });
  EXPECT_THAT(Run("COMMIT"), StartsWith("57P01"));
}

// --- The past ---

TEST_F(SessionTest, AsOfSystemTime) {
  Seed();
  const std::string before = Run("SELECT cluster_logical_timestamp()");
  Run("UPDATE t SET v = 'new' WHERE k = 1");
  EXPECT_EQ(Run(fmt::format("SELECT v FROM t AS OF SYSTEM TIME '{}' WHERE k = 1", before)), "one");
  EXPECT_EQ(Run(fmt::format("SELECT v FROM t AS OF SYSTEM TIME {} WHERE k = 1", before)), "one");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 1"), "new");
  EXPECT_EQ(session_->Describe(fmt::format("SELECT v FROM t AS OF SYSTEM TIME {}", before)), "-> v:text");
  EXPECT_EQ(Run("SELECT v FROM t AS OF SYSTEM TIME '-1h'"), "42P01: relation \"t\" does not exist");
  EXPECT_EQ(State("SELECT v FROM t AS OF SYSTEM TIME 'soon'"), "22023");
  EXPECT_EQ(State("SELECT v FROM t AS OF SYSTEM TIME '+1h'"), "22023");
  EXPECT_EQ(State("DELETE FROM t AS OF SYSTEM TIME '-1s'"), "0A000");
  EXPECT_EQ(Run(fmt::format("BEGIN AS OF SYSTEM TIME '{}'", before)), "BEGIN");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 1"), "one");
  EXPECT_EQ(Run("SELECT cluster_logical_timestamp()"), before);
  EXPECT_EQ(State("SELECT v FROM t AS OF SYSTEM TIME '-1s'"), "0A000");
  Run("ROLLBACK");
  Run(fmt::format("BEGIN AS OF SYSTEM TIME '{}'", before));
  EXPECT_EQ(State("DELETE FROM t"), "25006");
  Run("ROLLBACK");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 1"), "new");
}

TEST_F(SessionTest, ADroppedTableIsStillThereInThePast) {
  Seed();
  const std::string before = Run("SELECT cluster_logical_timestamp()");
  Run("DROP TABLE t; CREATE TABLE t (other TEXT)");
  EXPECT_EQ(Run(fmt::format("SELECT count(*), max(k) FROM t AS OF SYSTEM TIME {}", before)), "3|3");
}

// --- Parameters ---

TEST_F(SessionTest, ParametersOfTables) {
  Seed();
  EXPECT_EQ(session_->Describe("INSERT INTO t VALUES ($1, $2, $3)"), "integer text numeric ->");
  EXPECT_EQ(session_->Describe("SELECT v, n FROM t WHERE k = $1 AND n > $2 LIMIT $3"),
            "integer numeric bigint -> v:text n:numeric");
  EXPECT_EQ(session_->Describe("UPDATE t SET v = $1 WHERE k IN ($2, $3)"), "text integer integer ->");
  EXPECT_EQ(session_->RunWith("INSERT INTO t VALUES ($1, $2, $3)", {"4", "four", "4.444"}), "INSERT 0 1");
  EXPECT_EQ(session_->RunWith("SELECT * FROM t WHERE k = $1", {"4"}), "4|four|4.44");
  EXPECT_EQ(session_->RunWith("SELECT * FROM t WHERE k = $1", {"4"}, {SqlType::kInt8}), "4|four|4.44");
  EXPECT_EQ(session_->RunWith("SELECT k FROM t WHERE k >= $1 ORDER BY k LIMIT $2", {"2", "2"}), "2\n3");
  EXPECT_EQ(session_->RunWith("UPDATE t SET v = $2 WHERE k = $1", {"4", std::nullopt}), "UPDATE 1");
  EXPECT_EQ(session_->RunWith("SELECT v IS NULL FROM t WHERE k = $1", {"4"}), "t");
  EXPECT_EQ(session_->RunWith("DELETE FROM t WHERE k = $1", {std::nullopt}), "DELETE 0");
}

// --- COPY ---

TEST_F(SessionTest, CopyInPieces) {
  Seed();
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN",
                           {"10\tte", "n\t1.5\n11\t\\N\t\\N", "\n12\ta\\tb\\\\c\\n\\x41\\101\t2\n\\.\nrubbish"}),
            "COPY 3");
  EXPECT_EQ(Run("SELECT * FROM t WHERE k >= 10"), "10|ten|1.50\n11|~|~\n12|a\tb\\c\nAA|2.00");
  EXPECT_EQ(session_->Copy("COPY t (v, k) FROM STDIN WITH (FORMAT text)", {"x\t20\r\ny\t21"}), "COPY 2");
  EXPECT_EQ(Run("SELECT k, v FROM t WHERE k >= 20"), "20|x\n21|y");
}

TEST_F(SessionTest, CopyMistakesLeaveNothing) {
  Seed();
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"10\ta\t1\n11\tb\n"}),
            "22P04: COPY t, line 2: missing data for column \"n\"");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"10\ta\t1\t5\n"}),
            "22P04: COPY t, line 1: extra data after last expected column");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"x\ta\t1\n"}),
            "22P02: COPY t, line 1: invalid input syntax for type integer: \"x\"");
  EXPECT_THAT(session_->Copy("COPY t FROM STDIN", {"10\ta\t1\n1\tb\t1\n"}),
              StartsWith("23505: COPY t, line 2: duplicate key"));
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"10\ta\\\n"}).substr(0, 5), "22P04");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  {  // A client that goes away in the middle.
    auto copy = session_->session().BeginCopy(session_->session().Parse("COPY t FROM STDIN")->front(), {});
    ASSERT_TRUE(copy.ok()) << copy.status();
    EXPECT_EQ((*copy)->column_count(), 3u);
    ASSERT_TRUE((*copy)->Data("10\ta\t1\n", {}).ok());
  }
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(locks_->held_count(), 0u);
  EXPECT_EQ(session_->Copy("COPY nope FROM STDIN", {}), "42P01: relation \"nope\" does not exist");
}

TEST_F(SessionTest, CopyInsideABlock) {
  Seed();
  Run("BEGIN");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"10\ta\t1\n"}), "COPY 1");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "4");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {"10\ta\t1\n"}).substr(0, 5), "23505");
  EXPECT_EQ(session_->status(), 'E');
  Run("ROLLBACK");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
}

// --- Settings ---

TEST_F(SessionTest, SetShowReset) {
  EXPECT_EQ(Run("SHOW server_version"), "15.0 (Anabranch)");
  EXPECT_EQ(Run("SET application_name TO 'me'"), "SET");
  EXPECT_EQ(Run("SHOW Application_Name"), "me");
  EXPECT_EQ(session_->last().columns, "application_name");
  EXPECT_EQ(Run("RESET application_name"), "RESET");
  EXPECT_EQ(Run("SHOW application_name"), "");
  EXPECT_EQ(Run("SHOW TIME ZONE"), "UTC");
  EXPECT_EQ(session_->last().columns, "TimeZone");
  EXPECT_EQ(Run("SET TIME ZONE 'utc'"), "SET");
  EXPECT_EQ(Run("SET TimeZone = 'europe/berlin'"), "SET");
  EXPECT_EQ(Run("SHOW TIME ZONE"), "Europe/Berlin");
  EXPECT_EQ(Run("SET search_path = a, public"), "SET");
  EXPECT_EQ(Run("SHOW search_path"), "a, public");
  EXPECT_EQ(Run("SHOW nope"), "42704: unrecognized configuration parameter \"nope\"");
  EXPECT_EQ(State("SET nope = 1"), "42704");
  EXPECT_EQ(State("SET server_version = '16'"), "55P02");
  EXPECT_EQ(State("SET default_transaction_isolation = 'chaos'"), "22023");
  EXPECT_EQ(Run("SET statement_timeout = '5s'"), "SET");
  EXPECT_THAT(Run("SHOW ALL"),
              testing::AllOf(StartsWith("application_name|"), testing::HasSubstr("\nstatement_timeout|5s|")));
  EXPECT_EQ(session_->last().columns, "name,setting,description");
  EXPECT_EQ(*session_->session().Setting("is_superuser"), "on");
}

TEST_F(SessionTest, ASessionStaysTheUserItLoggedInAs) {
  EXPECT_EQ(Run("SET ROLE root"), "SET");
  EXPECT_EQ(Run("SET ROLE NONE"), "SET");
  EXPECT_EQ(Run("RESET ROLE"), "RESET");
  EXPECT_EQ(Run("SHOW role"), "none");
  EXPECT_EQ(Run("SET SESSION AUTHORIZATION DEFAULT"), "SET");
  EXPECT_EQ(Run("RESET SESSION AUTHORIZATION"), "RESET");
  EXPECT_EQ(Run("SET ROLE other"), "0A000: SET ROLE to another user is not supported");
  EXPECT_EQ(Run("SET SESSION AUTHORIZATION other"), "0A000: SET SESSION AUTHORIZATION to another user is not supported");
}

TEST_F(SessionTest, SettingsFollowTheirTransaction) {
  Run("BEGIN; SET application_name = 'a'; ROLLBACK");
  EXPECT_EQ(Run("SHOW application_name"), "");
  Run("BEGIN");
  Run("SET LOCAL application_name = 'local'");
  EXPECT_EQ(Run("SHOW application_name"), "local");
  Run("SET extra_float_digits = 3");
  Run("COMMIT");
  EXPECT_EQ(Run("SHOW application_name"), "");
  EXPECT_EQ(Run("SHOW extra_float_digits"), "3");
}

TEST_F(SessionTest, TransactionModes) {
  Run("BEGIN");
  EXPECT_EQ(Run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"), "SET");
  EXPECT_EQ(Run("SHOW TRANSACTION ISOLATION LEVEL"), "serializable");
  Run("SELECT 1");
  EXPECT_EQ(State("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"), "25001");
  Run("ROLLBACK");
  EXPECT_EQ(Run("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ"), "SET");
  EXPECT_EQ(Run("SHOW transaction_isolation"), "repeatable read");
}

TEST_F(SessionTest, ClientsAreToldOfSettings) {
  EXPECT_THAT(session_->session().TakeReportedSettings(),
              testing::IsSupersetOf({testing::Pair("server_version", "15.0 (Anabranch)"), testing::Pair("TimeZone", "UTC"),
                                     testing::Pair("session_authorization", "root")}));
  EXPECT_THAT(session_->session().TakeReportedSettings(), testing::IsEmpty());
  Run("SET application_name = 'x'");
  EXPECT_THAT(session_->session().TakeReportedSettings(), testing::ElementsAre(testing::Pair("application_name", "x")));
}

// --- Statements of ours ---

TEST_F(SessionTest, SystemStatementsRunInSystemOnly) {
  EXPECT_EQ(State("SHOW VIRTUAL CLUSTERS"), "42501");
  EXPECT_EQ(State("SELECT * FROM [SHOW VIRTUAL CLUSTERS]"), "42501");
  FakeSystemStatements system;
  SessionContext context = Context();
  context.system = &system;
  TestSession session(context);
  EXPECT_EQ(session.Run("SHOW VIRTUAL CLUSTERS"), "1|system|~\n3|main|00:00:02");
  EXPECT_EQ(session.Run("CREATE VIRTUAL CLUSTER x"), "DONE");
  EXPECT_EQ(session.Run("SELECT 1; SHOW VIRTUAL CLUSTERS"), "1|system|~\n3|main|00:00:02");
  session.Run("BEGIN");
  EXPECT_EQ(session.Run("DROP VIRTUAL CLUSTER x").substr(0, 5), "25001");
  EXPECT_EQ(session.status(), 'E');
}

TEST_F(SessionTest, SelectFromShow) {
  FakeSystemStatements system;
  SessionContext context = Context();
  context.system = &system;
  TestSession session(context);
  EXPECT_EQ(session.Run("SELECT name FROM [SHOW VIRTUAL CLUSTERS] WHERE id > 1"), "main");
  EXPECT_EQ(session.Run("SELECT count(*), max(x.id) FROM [SHOW VIRTUAL CLUSTERS] AS x"), "2|3");
  EXPECT_EQ(session.Run("SELECT name FROM [ SHOW VIRTUAL CLUSTER [3] ] ORDER BY id DESC LIMIT 1"), "main");
  EXPECT_EQ(session.Run("SELECT name FROM [SHOW VIRTUAL CLUSTERS] WHERE replication_lag < '5s'"), "main");
  EXPECT_EQ(session.Describe("SELECT * FROM [SHOW VIRTUAL CLUSTERS]"), "-> id:bigint name:text replication_lag:interval");
  EXPECT_EQ(session.Run("SELECT * FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main] AS OF SYSTEM TIME '-1s'")
                .substr(0, 1),
            "1");
  EXPECT_EQ(system.as_of, "-1s");
  EXPECT_EQ(session.Run("SELECT * FROM [SHOW VIRTUAL CLUSTERS] AS OF SYSTEM TIME '-1s'").substr(0, 5), "0A000");
  EXPECT_EQ(session.Run("SELECT * FROM [SHOW server_version]").substr(0, 5), "0A000");
  EXPECT_EQ(session.Run("SELECT * FROM [SHOW VIRTUAL CLUSTERS").substr(0, 5), "42601");
}

}  // namespace
}  // namespace anabranch
