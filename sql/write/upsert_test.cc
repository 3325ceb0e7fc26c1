// INSERT ... ON CONFLICT and UPSERT.
#include <gtest/gtest.h>

#include <thread>

#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class UpsertTest : public SessionFixture {
 protected:
  UpsertTest() {
    session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE, b text DEFAULT 'd')");
    session_->Run("INSERT INTO t VALUES (1, 10, 'one'), (2, 20, 'two')");
  }
  std::string Rows() { return session_->Run("SELECT * FROM t ORDER BY id"); }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(UpsertTest, DoNothingLeavesOutWhatIsTaken) {
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (1, 11), (3, 20), (4, 40) ON CONFLICT DO NOTHING"), "INSERT 0 1");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (1, 50), (5, 50) ON CONFLICT (id) DO NOTHING RETURNING id"), "5");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (6, 20) ON CONFLICT (id) DO NOTHING"),
            "23505: duplicate key value violates unique constraint \"t_a_key\"");
  EXPECT_EQ(Rows(), "1|10|one\n2|20|two\n4|40|d\n5|50|d");
}

TEST_F(UpsertTest, DoUpdateSeesBothRows) {
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (1, 15, 'x'), (3, 30, 'y') ON CONFLICT (id) DO UPDATE "
                          "SET a = t.a + excluded.a, b = excluded.b || t.b RETURNING *"),
            "1|25|xone\n3|30|y");
  EXPECT_EQ(
      session_->Run("INSERT INTO t AS u VALUES (9, 20) ON CONFLICT ON CONSTRAINT t_a_key DO UPDATE SET b = u.b || '!'"),
      "INSERT 0 1");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (2, 0) ON CONFLICT (id) DO UPDATE SET a = 99 WHERE t.a > 1000"),
            "INSERT 0 0");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (2, 0) ON CONFLICT (id) DO UPDATE SET b = DEFAULT"), "INSERT 0 1");
  EXPECT_EQ(Rows(), "1|25|xone\n2|20|d\n3|30|y");
}

TEST_F(UpsertTest, OneStatementCannotWriteARowTwice) {
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (7, 70), (7, 71) ON CONFLICT (id) DO UPDATE SET a = excluded.a"),
            "21000: ON CONFLICT DO UPDATE command cannot affect row a second time");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (7, 70), (7, 71) ON CONFLICT (id) DO NOTHING"), "INSERT 0 1");
}

TEST_F(UpsertTest, WhatNamesNoKeyIsRefused) {
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (1, 1) ON CONFLICT (b) DO NOTHING"),
            "42P10: there is no unique or exclusion constraint matching the ON CONFLICT specification");
  EXPECT_TRUE(session_->Run("INSERT INTO t VALUES (1, 1) ON CONFLICT DO UPDATE SET a = 1").starts_with("42601"));
  EXPECT_TRUE(session_->Run("INSERT INTO t VALUES (1, 1) ON CONFLICT ON CONSTRAINT x DO NOTHING").starts_with("42704"));
}

TEST_F(UpsertTest, UpsertReplacesTheColumnsGiven) {
  EXPECT_EQ(session_->Run("UPSERT INTO t (id, a) VALUES (1, 11), (3, 33)"), "INSERT 0 2");
  EXPECT_EQ(session_->Run("upsert into t values (2, 22, 'new')"), "INSERT 0 1");
  EXPECT_EQ(Rows(), "1|11|one\n2|22|new\n3|33|d");
}

TEST_F(UpsertTest, ConcurrentUpsertsOfOneKeyBothCount) {
  session_->Run("BEGIN; INSERT INTO t VALUES (5, 1) ON CONFLICT (id) DO UPDATE SET a = t.a + 1");
  const auto other = NewSession();
  std::string result;
  std::thread waiting(
      [&] { result = other->Run("INSERT INTO t VALUES (5, 1) ON CONFLICT (id) DO UPDATE SET a = t.a + 1"); });
  while (locks_->waiting_count() == 0) std::this_thread::yield();
  session_->Run("COMMIT");
  waiting.join();
  EXPECT_EQ(result, "INSERT 0 1");
  EXPECT_EQ(session_->Run("SELECT a FROM t WHERE id = 5"), "2");
}

}  // namespace
}  // namespace anabranch
