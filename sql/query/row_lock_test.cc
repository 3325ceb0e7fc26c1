// SELECT ... FOR UPDATE: what it locks and what it refuses. What waits for what is in tests/isolation/row_lock.spec.
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class RowLockTest : public SessionFixture {
 protected:
  RowLockTest() {
    EXPECT_EQ(session_->Run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT)"), "CREATE TABLE");
    EXPECT_EQ(session_->Run("INSERT INTO t VALUES (1, 'c'), (2, 'b'), (3, 'a')"), "INSERT 0 3");
    EXPECT_EQ(session_->Run("CREATE TABLE u (k INT PRIMARY KEY, t INT)"), "CREATE TABLE");
    EXPECT_EQ(session_->Run("INSERT INTO u VALUES (1, 1), (2, 2)"), "INSERT 0 2");
  }

  // The keys of t that another session finds unlocked.
  std::string Free() { return other_->Run("SELECT k FROM t ORDER BY k FOR UPDATE SKIP LOCKED"); }

  std::unique_ptr<TestSession> session_ = NewSession();
  std::unique_ptr<TestSession> other_ = NewSession();
};

TEST_F(RowLockTest, LocksTheRowsItGivesAndNoOthers) {
  EXPECT_EQ(session_->Run("BEGIN"), "BEGIN");
  EXPECT_EQ(session_->Run("SELECT k FROM t ORDER BY v LIMIT 1 FOR UPDATE"), "3");
  EXPECT_EQ(Free(), "1\n2");
  EXPECT_EQ(other_->Run("SELECT k FROM t WHERE k = 3 FOR UPDATE NOWAIT"),
            "55P03: could not obtain lock on row in relation \"t\"");
  EXPECT_EQ(session_->Run("SELECT v || '!' FROM t WHERE k = 2 FOR NO KEY UPDATE"), "b!");
  EXPECT_EQ(Free(), "1");
  EXPECT_EQ(session_->Run("COMMIT"), "COMMIT");
  EXPECT_EQ(Free(), "1\n2\n3");
}

TEST_F(RowLockTest, OfNamesTheTables) {
  EXPECT_EQ(session_->Run("BEGIN"), "BEGIN");
  EXPECT_EQ(session_->Run("SELECT x.k FROM t x JOIN u ON u.t = x.k WHERE x.v = 'c' FOR UPDATE OF u"), "1");
  EXPECT_EQ(Free(), "1\n2\n3");
  EXPECT_EQ(other_->Run("SELECT k FROM u FOR SHARE SKIP LOCKED"), "2");
  EXPECT_EQ(session_->Run("SELECT x.k FROM t x LEFT JOIN u ON u.t = x.k WHERE x.v = 'c' FOR KEY SHARE OF x NOWAIT"), "1");
  EXPECT_EQ(Free(), "2\n3");
  EXPECT_EQ(session_->Run("ROLLBACK"), "ROLLBACK");
}

TEST_F(RowLockTest, AQueueIsServedByAStatementOfItsOwn) {
  EXPECT_EQ(session_->Run("BEGIN"), "BEGIN");
  const std::string take =
      "DELETE FROM t WHERE k = (SELECT k FROM t ORDER BY k LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING k";
  EXPECT_EQ(session_->Run(take), "1");
  EXPECT_EQ(other_->Run(take), "2");
  EXPECT_EQ(session_->Run("COMMIT"), "COMMIT");
  EXPECT_EQ(session_->Run("SELECT k FROM t"), "3");
}

TEST_F(RowLockTest, WhatCannotBeLockedIsRefusedAsPostgresDoes) {
  const auto refused = [&](const std::string& text) { return session_->Run(text); };
  EXPECT_EQ(refused("SELECT DISTINCT v FROM t FOR UPDATE"), "0A000: FOR UPDATE is not allowed with DISTINCT clause");
  EXPECT_EQ(refused("SELECT v FROM t GROUP BY v FOR SHARE"), "0A000: FOR SHARE is not allowed with GROUP BY clause");
  EXPECT_EQ(refused("SELECT 1 FROM t HAVING true FOR UPDATE"), "0A000: FOR UPDATE is not allowed with HAVING clause");
  EXPECT_EQ(refused("SELECT count(*) FROM t FOR UPDATE"), "0A000: FOR UPDATE is not allowed with aggregate functions");
  EXPECT_EQ(refused("SELECT k FROM t UNION SELECT k FROM u FOR UPDATE"),
            "0A000: FOR UPDATE is not allowed with UNION/INTERSECT/EXCEPT");
  EXPECT_EQ(refused("VALUES (1) FOR UPDATE"), "0A000: FOR UPDATE cannot be applied to VALUES");
  EXPECT_EQ(refused("SELECT * FROM t LEFT JOIN u ON u.t = t.k FOR UPDATE"),
            "0A000: FOR UPDATE cannot be applied to the nullable side of an outer join");
  EXPECT_EQ(refused("SELECT * FROM (SELECT k FROM t) s FOR UPDATE"), "0A000: FOR UPDATE of a subquery is not supported");
  EXPECT_EQ(refused("SELECT * FROM t FOR UPDATE OF x"),
            "42P01: relation \"x\" in FOR UPDATE clause not found in FROM clause");
  EXPECT_EQ(refused("SELECT * FROM t x FOR UPDATE OF t"),
            "42P01: relation \"t\" in FOR UPDATE clause not found in FROM clause");
  EXPECT_EQ(refused("SELECT * FROM t FOR UPDATE OF public.t"), "42601: FOR UPDATE must specify unqualified relation names");
  EXPECT_EQ(refused("CREATE TABLE n (a INT)"), "CREATE TABLE");
  EXPECT_EQ(refused("SELECT * FROM n FOR UPDATE"), "0A000: FOR UPDATE of a table without a primary key is not supported");
  EXPECT_EQ(refused("SELECT FROM generate_series(1, 2) FOR UPDATE"), "SELECT 2");
}

TEST_F(RowLockTest, ReadersOnlyMayNotLock) {
  EXPECT_EQ(session_->Run("BEGIN READ ONLY"), "BEGIN");
  EXPECT_EQ(session_->Run("SELECT k FROM t FOR UPDATE"),
            "25006: cannot execute SELECT FOR UPDATE in a read-only transaction");
  EXPECT_EQ(session_->Run("ROLLBACK"), "ROLLBACK");
  EXPECT_EQ(session_->Run("CREATE USER reader"), "CREATE ROLE");
  EXPECT_EQ(session_->Run("GRANT SELECT ON t TO reader"), "GRANT");
  SessionContext context = Context();
  context.user = "reader";
  TestSession reader(context);
  EXPECT_EQ(reader.Run("SELECT k FROM t WHERE k = 1"), "1");
  EXPECT_EQ(reader.Run("SELECT k FROM t WHERE k = 1 FOR UPDATE"), "42501: permission denied for table t");
  EXPECT_EQ(session_->Run("GRANT UPDATE ON t TO reader"), "GRANT");
  EXPECT_EQ(reader.Run("SELECT k FROM t WHERE k = 1 FOR UPDATE"), "1");
}

}  // namespace
}  // namespace anabranch
