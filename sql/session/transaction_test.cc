// Transactions of one session and of two that meet; the past.
#include <future>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/testing/session_fixture.h"

namespace anabranch {
namespace {

using testing::StartsWith;

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
  EXPECT_EQ(session_->Run("SELECT count(*) FROM generate_series(1, 1000000000)", stop.get_token()), "57014: stopped");
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

}  // namespace
}  // namespace anabranch
