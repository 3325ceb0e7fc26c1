// SAVEPOINT, RELEASE, ROLLBACK TO and AND CHAIN, as PostgreSQL 15 has them.
#include "sql/session/savepoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class SavepointTest : public SessionFixture {
 protected:
  SavepointTest() { Run("CREATE TABLE t (k INT PRIMARY KEY, v INT)"); }

  std::string Run(std::string_view text) { return session_->Run(text); }
  std::string State(std::string_view text) { return Run(text).substr(0, 5); }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(SavepointTest, RollbackToUndoesAndTheBlockGoesOn) {
  Run("BEGIN; INSERT INTO t VALUES (1, 1)");
  EXPECT_EQ(Run("SAVEPOINT a"), "SAVEPOINT");
  Run("INSERT INTO t VALUES (2, 2); UPDATE t SET v = 9 WHERE k = 1; DELETE FROM t WHERE k = 2");
  EXPECT_EQ(Run("ROLLBACK TO a"), "ROLLBACK");
  EXPECT_EQ(Run("SELECT * FROM t"), "1|1");
  Run("INSERT INTO t VALUES (3, 3)");
  EXPECT_EQ(Run("ROLLBACK TO SAVEPOINT a"), "ROLLBACK");  // it is still there
  Run("INSERT INTO t VALUES (4, 4)");
  EXPECT_EQ(Run("RELEASE a"), "RELEASE");
  EXPECT_EQ(Run("COMMIT"), "COMMIT");
  EXPECT_EQ(Run("SELECT * FROM t"), "1|1\n4|4");
}

TEST_F(SavepointTest, NestedOnesGoWithTheOuter) {
  Run("BEGIN; SAVEPOINT a; INSERT INTO t VALUES (1, 1); SAVEPOINT b; INSERT INTO t VALUES (2, 2); SAVEPOINT c");
  EXPECT_EQ(Run("RELEASE SAVEPOINT b"), "RELEASE");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "2");
  EXPECT_EQ(Run("ROLLBACK TO a"), "ROLLBACK");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(Run("RELEASE b"), "3B001: savepoint \"b\" does not exist");
  EXPECT_EQ(session_->status(), 'E');
  EXPECT_EQ(Run("ROLLBACK TO c"), "3B001: savepoint \"c\" does not exist");
  EXPECT_EQ(session_->status(), 'E');
  EXPECT_EQ(Run("ROLLBACK TO a"), "ROLLBACK");
  EXPECT_EQ(session_->status(), 'T');
}

TEST_F(SavepointTest, TheNewestOfAName) {
  Run("BEGIN; SAVEPOINT s; INSERT INTO t VALUES (1, 1); SAVEPOINT s; INSERT INTO t VALUES (2, 2)");
  Run("ROLLBACK TO s");
  EXPECT_EQ(Run("SELECT * FROM t"), "1|1");
  Run("RELEASE s; ROLLBACK TO s");
  EXPECT_EQ(Run("SELECT * FROM t"), "");
  EXPECT_EQ(Run("RELEASE s"), "RELEASE");
  EXPECT_EQ(State("RELEASE s"), "3B001");
}

TEST_F(SavepointTest, AFailedBlockIsRevived) {
  Run("BEGIN; INSERT INTO t VALUES (1, 1); SAVEPOINT s");
  EXPECT_EQ(State("INSERT INTO t VALUES (2, 2), (1, 1)"), "23505");
  EXPECT_EQ(session_->status(), 'E');
  EXPECT_EQ(State("SELECT 1"), "25P02");
  EXPECT_EQ(State("SAVEPOINT x"), "25P02");
  EXPECT_EQ(State("RELEASE s"), "25P02");
  EXPECT_EQ(Run("ROLLBACK TO s"), "ROLLBACK");
  EXPECT_EQ(Run("SELECT * FROM t"), "1|1");
  EXPECT_EQ(State("SELEC"), "42601");
  EXPECT_EQ(Run("ROLLBACK TO s"), "ROLLBACK");
  EXPECT_EQ(Run("INSERT INTO t VALUES (3, 3)"), "INSERT 0 1");
  EXPECT_EQ(Run("COMMIT"), "COMMIT");
  EXPECT_EQ(Run("SELECT * FROM t"), "1|1\n3|3");
  EXPECT_EQ(locks_->held_count(), 0u);
}

TEST_F(SavepointTest, AFailedBlockEndsWithoutTrace) {
  Run("BEGIN; INSERT INTO t VALUES (1, 1); SAVEPOINT s");
  EXPECT_EQ(State("SELECT 1 / 0"), "22012");
  EXPECT_EQ(Run("COMMIT"), "ROLLBACK");
  EXPECT_EQ(locks_->held_count(), 0u);
  EXPECT_EQ(Run("SELECT * FROM t"), "");
  EXPECT_EQ(State("ROLLBACK TO s"), "25P01");
}

TEST_F(SavepointTest, OnlyInABlock) {
  EXPECT_EQ(Run("SAVEPOINT s"), "25P01: SAVEPOINT can only be used in transaction blocks");
  EXPECT_EQ(Run("RELEASE s"), "25P01: RELEASE SAVEPOINT can only be used in transaction blocks");
  EXPECT_EQ(Run("ROLLBACK TO s"), "25P01: ROLLBACK TO SAVEPOINT can only be used in transaction blocks");
  EXPECT_EQ(Run("INSERT INTO t VALUES (1, 1); SAVEPOINT s"), "25P01: SAVEPOINT can only be used in transaction blocks");
  EXPECT_EQ(Run("SELECT * FROM t"), "");
}

TEST_F(SavepointTest, SettingsGoBack) {
  Run("BEGIN; SET application_name = 'before'; SAVEPOINT a; SET application_name = 'after'; SET LOCAL lock_timeout = 5");
  Run("SAVEPOINT b; SET application_name = 'later'; ROLLBACK TO b");
  EXPECT_EQ(Run("SHOW application_name"), "after");
  Run("RELEASE b; ROLLBACK TO a");
  EXPECT_EQ(Run("SHOW application_name"), "before");
  EXPECT_EQ(Run("SHOW lock_timeout"), "0");
  Run("SET application_name = 'kept'; RELEASE a; COMMIT");
  EXPECT_EQ(Run("SHOW application_name"), "kept");
}

TEST_F(SavepointTest, SequencesDoNotGoBack) {
  Run("CREATE SEQUENCE q; BEGIN; SELECT nextval('q'); SAVEPOINT s; SELECT nextval('q'); ROLLBACK TO s");
  EXPECT_EQ(Run("SELECT nextval('q')"), "3");
}

TEST_F(SavepointTest, TablesGoBack) {
  Run("BEGIN; SAVEPOINT s; CREATE TABLE other (a INT); INSERT INTO other VALUES (1); ALTER TABLE t ADD COLUMN w INT");
  EXPECT_EQ(Run("SELECT a FROM other"), "1");
  Run("ROLLBACK TO s");
  EXPECT_EQ(State("SELECT a FROM other"), "42P01");
  Run("ROLLBACK TO s; INSERT INTO t VALUES (1, 1)");
  EXPECT_EQ(Run("SELECT * FROM t"), "1|1");
  Run("TRUNCATE t");
  Run("ROLLBACK TO s; COMMIT");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(locks_->held_count(), 0u);
}

// A load writes under ids that nobody sees yet without waiting for the commit: only if no rollback could leave the ids.
TEST_F(SavepointTest, ALoadIntoATableOlderThanTheSavepointGoesBack) {
  Run("BEGIN; CREATE TABLE fresh (a INT)");
  EXPECT_EQ(session_->Copy("COPY fresh FROM STDIN", {"1\n"}), "COPY 1");
  Run("SAVEPOINT s");
  EXPECT_EQ(session_->Copy("COPY fresh FROM STDIN", {"2\n3\n"}), "COPY 2");
  EXPECT_EQ(Run("SELECT a FROM fresh ORDER BY a"), "1\n2\n3");
  Run("ROLLBACK TO s");
  EXPECT_EQ(Run("SELECT a FROM fresh"), "1");
  Run("RELEASE s");
  EXPECT_EQ(session_->Copy("COPY fresh FROM STDIN", {"4\n"}), "COPY 1");
  EXPECT_EQ(Run("COMMIT"), "COMMIT");
  EXPECT_EQ(NewSession()->Run("SELECT a FROM fresh ORDER BY a"), "1\n4");
}

TEST_F(SavepointTest, ALoadIntoATableYoungerThanTheSavepointGoesWithIt) {
  Run("BEGIN; SAVEPOINT s; CREATE TABLE fresh (a INT)");
  EXPECT_EQ(session_->Copy("COPY fresh FROM STDIN", {"1\n"}), "COPY 1");
  Run("ROLLBACK TO s");
  EXPECT_EQ(Run("CREATE TABLE fresh (a INT)"), "CREATE TABLE");
  Run("SAVEPOINT nested");
  EXPECT_EQ(session_->Copy("COPY fresh FROM STDIN", {"2\n"}), "COPY 1");
  Run("RELEASE nested; COMMIT");
  EXPECT_EQ(NewSession()->Run("SELECT a FROM fresh"), "2");
}

TEST_F(SavepointTest, TooManyAreRefused) {
  Run("BEGIN");
  for (size_t i = 0; i < kSavepointsMax; ++i) ASSERT_EQ(Run("SAVEPOINT s"), "SAVEPOINT") << i;
  EXPECT_EQ(Run("SAVEPOINT s"), "54000: more than 100000 savepoints in one transaction");
  EXPECT_EQ(Run("ROLLBACK TO s"), "ROLLBACK");
  EXPECT_EQ(Run("COMMIT"), "COMMIT");
}

TEST_F(SavepointTest, AndChainBeginsTheNextBlockLikeTheOne) {
  Run("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY");
  EXPECT_EQ(Run("COMMIT AND CHAIN"), "COMMIT");
  EXPECT_EQ(session_->status(), 'T');
  EXPECT_EQ(Run("SHOW transaction_isolation"), "serializable");
  EXPECT_EQ(State("INSERT INTO t VALUES (1, 1)"), "25006");
  EXPECT_EQ(Run("COMMIT AND CHAIN"), "ROLLBACK");
  EXPECT_EQ(session_->status(), 'T');
  EXPECT_EQ(Run("ROLLBACK AND CHAIN"), "ROLLBACK");
  EXPECT_EQ(Run("SHOW transaction_isolation"), "serializable");
  EXPECT_EQ(Run("COMMIT AND NO CHAIN"), "COMMIT");
  EXPECT_EQ(session_->status(), 'I');
  EXPECT_EQ(Run("COMMIT AND CHAIN"), "25P01: COMMIT AND CHAIN can only be used in transaction blocks");
  EXPECT_EQ(Run("ROLLBACK AND CHAIN"), "25P01: ROLLBACK AND CHAIN can only be used in transaction blocks");
  Run("BEGIN; SET LOCAL application_name = 'local'; COMMIT AND CHAIN");
  EXPECT_EQ(Run("SHOW application_name"), "");
}

}  // namespace
}  // namespace anabranch
