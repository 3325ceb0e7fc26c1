// Statements that are planned once, PREPARE and EXECUTE, and cursors.
#include "sql/session/prepared_statement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class PreparedStatementTest : public SessionFixture {
 protected:
  PreparedStatementTest() {
    session_ = NewSession();
    Run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT)");
    Run("INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')");
  }

  std::string Run(std::string_view text) { return session_->Run(text); }
  PreparedRef Prepare(std::string_view text) {
    auto prepared = session_->session().Prepare(text, {});
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    return *prepared;
  }
  std::unique_ptr<Cursor> Open(std::string_view text) {
    const PreparedRef prepared = Prepare(text);
    auto cursor = session_->session().OpenCursor({prepared->statement(), prepared}, {});
    EXPECT_TRUE(cursor.ok()) << cursor.status();
    return *std::move(cursor);
  }
  // The rows, and the tag if these were all, or the error.
  static std::string Fetch(Cursor& cursor, size_t rows_max) {
    TextSink sink;
    const auto tag = cursor.Fetch(rows_max, sink, {});
    if (!tag.ok()) return std::string(SqlStateOf(tag.status()));
    return sink.rows + (*tag ? " " + **tag : "");
  }

  std::unique_ptr<TestSession> session_;
};

TEST_F(PreparedStatementTest, ItsPlanIsMadeOnce) {
  const PreparedRef prepared = Prepare("SELECT v FROM t WHERE k = $1");
  const BoundStatementRef plan = prepared->plan();
  EXPECT_EQ(session_->RunPrepared(prepared, {"1"}), "one");
  NewSession()->Run("UPDATE t SET v = 'eins' WHERE k = 1");
  // A commit so large that nothing older is at hand: every look at a row or a descriptor counts.
  NewSession()->Run("INSERT INTO t SELECT g, 'more' FROM generate_series(10, 2000) g");
  const OperationCounts before = store_->counts();
  EXPECT_EQ(session_->RunPrepared(prepared, {"1"}), "eins");
  EXPECT_EQ((store_->counts() - before).iterator_steps, 1);  // the row, and no descriptor
  EXPECT_EQ(prepared->plan(), plan);
}

TEST_F(PreparedStatementTest, AnotherTableChangedAndThePlanStays) {
  const PreparedRef prepared = Prepare("SELECT v FROM t WHERE k = $1");
  const BoundStatementRef plan = prepared->plan();
  NewSession()->Run("CREATE TABLE other (k INT)");
  EXPECT_EQ(session_->RunPrepared(prepared, {"1"}), "one");
  EXPECT_EQ(prepared->plan(), plan);
}

TEST_F(PreparedStatementTest, ItsTableChangedAndItIsPlannedAgain) {
  const PreparedRef prepared = Prepare("SELECT v FROM t WHERE k = $1");
  NewSession()->Run("ALTER TABLE t ADD COLUMN more INT");
  EXPECT_EQ(session_->RunPrepared(prepared, {"1"}), "one");
  Run("BEGIN");
  Run("DROP TABLE t");
  EXPECT_EQ(session_->RunPrepared(prepared, {"1"}), "42P01: relation \"t\" does not exist");
  Run("ROLLBACK");
  EXPECT_EQ(session_->RunPrepared(prepared, {"1"}), "one");
  Run("DROP TABLE t; CREATE TABLE t (k INT PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'again')");
  EXPECT_EQ(session_->RunPrepared(prepared, {"1"}), "again");
}

TEST_F(PreparedStatementTest, ItsColumnsKeepTheTypesThatWereTold) {
  const PreparedRef prepared = Prepare("SELECT * FROM t WHERE k = $1");
  Run("ALTER TABLE t ADD COLUMN more INT");
  EXPECT_EQ(session_->RunPrepared(prepared, {"1"}), "0A000: cached plan must not change result type");
}

TEST_F(PreparedStatementTest, AnOldSnapshotIsReadByAnOldPlan) {
  const PreparedRef prepared = Prepare("SELECT v FROM t WHERE k = $1");
  Run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  EXPECT_EQ(session_->RunPrepared(prepared, {"2"}), "two");
  NewSession()->Run("ALTER TABLE t DROP COLUMN v");
  EXPECT_EQ(session_->RunPrepared(prepared, {"1"}), "one");
  Run("COMMIT");
  EXPECT_EQ(session_->RunPrepared(prepared, {"1"}).substr(0, 5), "42703");
}

TEST_F(PreparedStatementTest, PrepareExecuteDeallocate) {
  EXPECT_EQ(Run("PREPARE p (int) AS SELECT v FROM t WHERE k = $1"), "PREPARE");
  EXPECT_EQ(Run("EXECUTE p (2)"), "two");
  EXPECT_EQ(Run("EXECUTE p ('3')"), "three");
  EXPECT_EQ(Run("EXECUTE p (1 + 1)"), "two");
  EXPECT_EQ(Run("PREPARE p AS SELECT 1"), "42P05: prepared statement \"p\" already exists");
  EXPECT_EQ(Run("EXECUTE p"), "42601: wrong number of parameters for prepared statement \"p\"");
  EXPECT_EQ(Run("EXECUTE p (true)"), "42804: parameter $1 of type boolean cannot be coerced to the expected type integer");
  EXPECT_EQ(Run("EXECUTE p ('x')"), "22P02: invalid input syntax for type integer: \"x\"");
  EXPECT_EQ(Run("PREPARE w AS INSERT INTO t VALUES ($1, $2) RETURNING k"), "PREPARE");
  EXPECT_EQ(Run("EXECUTE w (4, 'four')"), "4");
  EXPECT_EQ(Run("EXECUTE w (4, 'four')").substr(0, 5), "23505");
  EXPECT_EQ(Run("DEALLOCATE p"), "DEALLOCATE");
  EXPECT_EQ(Run("EXECUTE p (1)"), "26000: prepared statement \"p\" does not exist");
  EXPECT_EQ(Run("DEALLOCATE p"), "26000: prepared statement \"p\" does not exist");
  EXPECT_EQ(Run("DEALLOCATE ALL"), "DEALLOCATE ALL");
  EXPECT_EQ(Run("EXECUTE w (5, 'five')").substr(0, 5), "26000");
}

TEST_F(PreparedStatementTest, PrepareIsRefusedInTimeAndFailsItsBlock) {
  EXPECT_EQ(Run("PREPARE p AS SELECT * FROM missing").substr(0, 5), "42P01");
  EXPECT_EQ(Run("PREPARE p AS CREATE TABLE x (k INT)").substr(0, 5), "42601");
  Run("BEGIN");
  EXPECT_EQ(Run("EXECUTE missing").substr(0, 5), "26000");
  EXPECT_EQ(Run("SELECT 1").substr(0, 5), "25P02");
  Run("ROLLBACK");
}

TEST_F(PreparedStatementTest, ExecuteInAReadOnlyTransactionMayOnlyRead) {
  Run("PREPARE w AS UPDATE t SET v = $1");
  Run("PREPARE r AS SELECT count(*) FROM t");
  Run("BEGIN READ ONLY");
  EXPECT_EQ(Run("EXECUTE r"), "3");
  EXPECT_EQ(Run("EXECUTE w ('x')"), "25006: cannot execute UPDATE in a read-only transaction");
  Run("ROLLBACK");
}

TEST_F(PreparedStatementTest, ExecuteIsDescribedAsWhatItRuns) {
  Run("PREPARE p (int) AS SELECT k, v FROM t WHERE k = $1");
  EXPECT_EQ(session_->Describe("EXECUTE p (1)"), "-> k:integer v:text");
}

TEST_F(PreparedStatementTest, TheirNumberIsBounded) {
  PreparedStatements statements;
  const PreparedRef prepared = Prepare("SELECT 1");
  for (size_t i = 0; i < kPreparedStatementsMax; ++i) ASSERT_TRUE(statements.Add(std::to_string(i), prepared).ok());
  EXPECT_EQ(SqlStateOf(statements.Add("more", prepared)), "54000");
  statements.Remove("7");
  EXPECT_TRUE(statements.Add("more", prepared).ok());
}

TEST_F(PreparedStatementTest, ACursorMakesRowsAsTheyAreAskedFor) {
  Run("BEGIN");
  const auto cursor = Open("SELECT n FROM generate_series(1, 1000000000000) AS n");
  EXPECT_EQ(Fetch(*cursor, 2), "1\n2");
  EXPECT_EQ(Fetch(*cursor, 1), "3");
}

TEST_F(PreparedStatementTest, ACursorEndsOnceItGaveFewerThanAskedFor) {
  Run("BEGIN");
  const auto cursor = Open("SELECT k FROM t ORDER BY k");
  EXPECT_EQ(Fetch(*cursor, 3), "1\n2\n3");
  EXPECT_EQ(Fetch(*cursor, 3), " SELECT 0");
  EXPECT_EQ(Fetch(*cursor, 3), " SELECT 0");
}

TEST_F(PreparedStatementTest, ACursorKeepsItsSnapshotBesideOtherStatements) {
  Run("CREATE INDEX by_v ON t (v)");
  Run("BEGIN");
  const auto cursor = Open("SELECT k, v FROM t WHERE v > 'a' ORDER BY v");
  EXPECT_EQ(Fetch(*cursor, 1), "1|one");
  NewSession()->Run("UPDATE t SET v = 'zero'");
  EXPECT_EQ(Run("SELECT count(*) FROM t WHERE v = 'zero'"), "3");
  EXPECT_EQ(Fetch(*cursor, 9), "3|three\n2|two SELECT 2");
}

TEST_F(PreparedStatementTest, WhatACursorHoldsBesideOtherStatementsIsBounded) {
  Run("BEGIN");
  const auto cursor = Open("SELECT n FROM generate_series(1, 1000000000000) AS n");
  EXPECT_EQ(Fetch(*cursor, 1), "1");
  EXPECT_EQ(Run("SELECT 1").substr(0, 5), "53200");
  EXPECT_EQ(session_->status(), 'E');
}

TEST_F(PreparedStatementTest, ACursorEndsWithItsTransaction) {
  Run("BEGIN");
  const auto cursor = Open("SELECT k FROM t ORDER BY k");
  EXPECT_EQ(Fetch(*cursor, 1), "1");
  Run("COMMIT");
  EXPECT_EQ(Fetch(*cursor, 1), " SELECT 0");
}

TEST_F(PreparedStatementTest, AFailedFetchFailsTheBlock) {
  Run("BEGIN");
  const auto cursor = Open("SELECT 1 / (2 - k) FROM t ORDER BY k");
  EXPECT_EQ(Fetch(*cursor, 1), "1");
  EXPECT_EQ(Fetch(*cursor, 1), "22012");
  EXPECT_EQ(session_->status(), 'E');
}

TEST_F(PreparedStatementTest, AFetchIsCancelled) {
  Run("BEGIN");
  const auto cursor = Open("SELECT count(*) FROM generate_series(1, 1000000000000)");
  std::stop_source source;
  source.request_stop();
  TextSink sink;
  EXPECT_EQ(SqlStateOf(cursor->Fetch(1, sink, source.get_token()).status()), "57014");
}

}  // namespace
}  // namespace anabranch
