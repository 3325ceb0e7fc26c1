// UPDATE ... FROM and DELETE ... USING.
#include <gtest/gtest.h>

#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class UpdateFromTest : public SessionFixture {
 protected:
  UpdateFromTest() {
    session_->Run("CREATE TABLE t (id int PRIMARY KEY, a int, b text); CREATE INDEX ON t (a)");
    session_->Run("INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y'), (3, 30, 'z')");
    session_->Run("CREATE TABLE u (id int PRIMARY KEY, t_id int, v int)");
    session_->Run("INSERT INTO u VALUES (1, 1, 100), (2, 3, 300), (3, 3, 301), (4, 9, 900)");
  }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(UpdateFromTest, TakesValuesFromTheRowsJoined) {
  EXPECT_EQ(
      session_->Run("UPDATE t SET a = u.v, b = b || u.id FROM u WHERE t.id = u.t_id AND u.v < 301 RETURNING t.id, a, v"),
      "1|100|100\n3|300|300");
  EXPECT_EQ(session_->Run("SELECT * FROM t ORDER BY id"), "1|100|x1\n2|20|y\n3|300|z2");
  EXPECT_EQ(session_->Run("SELECT id FROM t WHERE a = 300"), "3");
}

TEST_F(UpdateFromTest, ARowFoundTwiceIsChangedOnce) {
  EXPECT_EQ(session_->Run("UPDATE t SET a = a + 1 FROM u WHERE t.id = u.t_id"), "UPDATE 2");
  EXPECT_EQ(session_->Run("SELECT a FROM t ORDER BY id"), "11\n20\n31");
}

TEST_F(UpdateFromTest, DeleteUsing) {
  EXPECT_EQ(session_->Run("DELETE FROM t USING u, u AS w WHERE t.id = u.t_id AND u.id = w.id AND w.v >= 300 RETURNING t.b"),
            "z");
  EXPECT_EQ(session_->Run("DELETE FROM t WHERE id IN (SELECT t_id FROM u)"), "DELETE 1");
  EXPECT_EQ(session_->Run("SELECT id FROM t"), "2");
}

TEST_F(UpdateFromTest, ATableJoinedWithItself) {
  EXPECT_EQ(session_->Run("UPDATE t SET a = o.a FROM t AS o WHERE o.id = t.id + 1"), "UPDATE 2");
  EXPECT_EQ(session_->Run("SELECT a FROM t ORDER BY id"), "20\n30\n30");
}

}  // namespace
}  // namespace anabranch
