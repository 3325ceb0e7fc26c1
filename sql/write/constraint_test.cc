// NOT NULL, CHECK, DEFAULT, and what RETURNING says of the rows that pass.
#include <gtest/gtest.h>

#include "sql/testing/test_session.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

class ConstraintTest : public SessionFixture {
 protected:
  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(ConstraintTest, CheckRefusesWhatIsFalseAndTakesUnknown) {
  session_->Run("CREATE TABLE t (a int CHECK (a > 0), b int, CHECK (a < b), CONSTRAINT small CHECK (b < 100))");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (1, 2), (NULL, 5), (1, NULL)"), "INSERT 0 3");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (0, 2)"),
            "23514: new row for relation \"t\" violates check constraint \"t_a_check\"");
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (3, 2)"),
            "23514: new row for relation \"t\" violates check constraint \"t_check\"");
  EXPECT_EQ(session_->Run("UPDATE t SET b = 100 WHERE a = 1"),
            "23514: new row for relation \"t\" violates check constraint \"small\"");
  EXPECT_EQ(session_->Run("CREATE TABLE u (a int CHECK (nothing > 0))"), "42703: column \"nothing\" does not exist");
}

TEST_F(ConstraintTest, DefaultsAreConstantsOrExpressions) {
  session_->Run(
      "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1 + 2, b text DEFAULT 'x' || 'y', c timestamptz DEFAULT now(), "
      "d int DEFAULT length('abc') * 2)");
  session_->Run("INSERT INTO t (id) VALUES (1)");
  session_->Run("INSERT INTO t VALUES (2, DEFAULT, 'z', NULL, 0)");
  EXPECT_EQ(session_->Run("SELECT id, a, b, c IS NULL, d FROM t ORDER BY id"), "1|3|xy|f|6\n2|3|z|t|0");
  EXPECT_EQ(session_->Run("UPDATE t SET b = DEFAULT WHERE id = 2; SELECT b FROM t WHERE id = 2"), "xy");
  EXPECT_TRUE(session_->Run("CREATE TABLE u (a int DEFAULT b)").starts_with("42703"));
  EXPECT_TRUE(session_->Run("CREATE TABLE u (a int DEFAULT 'x')").starts_with("22P02"));
}

TEST_F(ConstraintTest, ReturningGivesTheRowsAsTheyAre) {
  session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 7)");
  EXPECT_EQ(session_->Run("INSERT INTO t (id) VALUES (1), (2) RETURNING *"), "1|7\n2|7");
  EXPECT_EQ(session_->Run("UPDATE t SET a = a + id RETURNING id AS k, a * 2"), "1|16\n2|18");
  EXPECT_EQ(session_->last().columns, "k,?column?");
  EXPECT_EQ(session_->Run("DELETE FROM t WHERE id = 1 RETURNING a"), "8");
  EXPECT_EQ(session_->Run("SELECT id FROM t"), "2");
}

TEST_F(ConstraintTest, ErrorsCarryPostgresFields) {
  absl::Status status = WithDetail(SqlError("23505", "m"), "Key (a)=(1) already exists.");
  status = WithField(std::move(status), ErrorField::kConstraint, "t_pkey");
  EXPECT_EQ(FieldOf(status, ErrorField::kDetail), "Key (a)=(1) already exists.");
  EXPECT_EQ(FieldOf(WithContext(status, "COPY t, line 1"), ErrorField::kConstraint), "t_pkey");
  EXPECT_EQ(FieldOf(status, ErrorField::kTable), "");
}

TEST_F(ConstraintTest, ForeignKeysAreRefusedByName) {
  session_->Run("CREATE TABLE t (id int PRIMARY KEY)");
  EXPECT_EQ(session_->Run("CREATE TABLE u (a int REFERENCES t)"), "0A000: FOREIGN KEY is not supported");
  EXPECT_EQ(session_->Run("ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES t (id)"), "0A000: FOREIGN KEY is not supported");
}

}  // namespace
}  // namespace anabranch
