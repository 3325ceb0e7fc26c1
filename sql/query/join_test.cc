// Several relations in FROM.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class JoinTest : public SessionFixture {
 protected:
  void SetUp() override {
    ASSERT_EQ(Run("CREATE TABLE a (id INT PRIMARY KEY, x INT, n TEXT)"), "CREATE TABLE");
    ASSERT_EQ(Run("CREATE TABLE b (id INT PRIMARY KEY, a_id INT, y INT)"), "CREATE TABLE");
    ASSERT_EQ(Run("INSERT INTO a VALUES (1, 10, 'one'), (2, 20, 'two'), (3, NULL, 'three')"), "INSERT 0 3");
    ASSERT_EQ(Run("INSERT INTO b VALUES (1, 1, 10), (2, 1, 11), (3, 2, 20), (4, NULL, 40), (5, 9, 50)"), "INSERT 0 5");
  }
  std::string Run(const std::string& text) { return session_->Run(text); }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(JoinTest, InnerJoinKeepsWhatMatches) {
  const std::string rows = "one|10\none|11\ntwo|20";
  EXPECT_EQ(Run("SELECT n, y FROM a JOIN b ON a.id = b.a_id ORDER BY y"), rows);
  EXPECT_EQ(Run("SELECT n, y FROM a, b WHERE a.id = b.a_id ORDER BY y"), rows);
  EXPECT_EQ(Run("SELECT n, y FROM b JOIN a ON b.a_id = a.id AND y > 10 ORDER BY y"), "one|11\ntwo|20");
  EXPECT_EQ(Run("SELECT count(*) FROM a CROSS JOIN b"), "15");
  EXPECT_EQ(Run("SELECT count(*) FROM a, b, a AS c"), "45");
  EXPECT_EQ(Run("SELECT a.id, b.id FROM a JOIN b ON a.x < b.y WHERE a.id = 2 ORDER BY 2"), "2|4\n2|5");
}

TEST_F(JoinTest, OuterJoinsFillWithNulls) {
  EXPECT_EQ(Run("SELECT n, y FROM a LEFT JOIN b ON a.id = b.a_id ORDER BY a.id, y"), "one|10\none|11\ntwo|20\nthree|~");
  EXPECT_EQ(Run("SELECT n, y FROM a RIGHT JOIN b ON a.id = b.a_id ORDER BY y"), "one|10\none|11\ntwo|20\n~|40\n~|50");
  EXPECT_EQ(Run("SELECT n, y FROM a FULL JOIN b ON a.id = b.a_id ORDER BY y, n"),
            "one|10\none|11\ntwo|20\n~|40\n~|50\nthree|~");
  // A condition in ON leaves the row, one in WHERE takes it away.
  EXPECT_EQ(Run("SELECT a.id, y FROM a LEFT JOIN b ON a.id = b.a_id AND y > 10 ORDER BY 1, 2"), "1|11\n2|20\n3|~");
  EXPECT_EQ(Run("SELECT a.id, y FROM a LEFT JOIN b ON a.id = b.a_id WHERE y > 10 ORDER BY 1, 2"), "1|11\n2|20");
  EXPECT_EQ(Run("SELECT a.id, y FROM a LEFT JOIN b ON a.id = b.a_id AND a.id > 1 ORDER BY 1, 2"), "1|~\n2|20\n3|~");
  EXPECT_EQ(Run("SELECT b.id, n FROM b LEFT JOIN a ON a.id = b.a_id ORDER BY 1"), "1|one\n2|one\n3|two\n4|~\n5|~");
  EXPECT_EQ(Run("SELECT b.id FROM b LEFT JOIN a ON a.id = b.a_id WHERE a.id IS NULL ORDER BY 1"), "4\n5");
  EXPECT_EQ(Run("SELECT a.id, b.id, c.id FROM a LEFT JOIN (b JOIN a AS c ON b.y = c.x) ON a.id = b.a_id ORDER BY 1, 2"),
            "1|1|1\n2|3|2\n3|~|~");
  EXPECT_EQ(Run("SELECT a.id, b.id FROM a FULL JOIN b ON false ORDER BY 1, 2"), "1|~\n2|~\n3|~\n~|1\n~|2\n~|3\n~|4\n~|5");
}

TEST_F(JoinTest, JoinOfJoinsKeepsTheColumnsOfARowThatMatchesTwice) {
  EXPECT_EQ(
      Run("SELECT a.n, b.y, c.id FROM a LEFT JOIN b ON a.x = b.a_id * 10 RIGHT JOIN a AS c ON a.x = c.x ORDER BY 3, 2"),
      "one|10|1\none|11|1\ntwo|20|2\n~|~|3");
}

TEST_F(JoinTest, UsingMakesOneColumn) {
  EXPECT_EQ(Run("SELECT * FROM a JOIN b USING (id) ORDER BY id"), "1|10|one|1|10\n2|20|two|1|11\n3|~|three|2|20");
  EXPECT_EQ(session_->last().columns, "id,x,n,a_id,y");
  EXPECT_EQ(Run("SELECT id, a.id, b.id FROM a RIGHT JOIN b USING (id) WHERE id > 2 ORDER BY id"), "3|3|3\n4|~|4\n5|~|5");
  EXPECT_EQ(Run("SELECT id FROM a FULL JOIN b USING (id) ORDER BY id"), "1\n2\n3\n4\n5");
  EXPECT_EQ(Run("SELECT count(*) FROM a NATURAL JOIN b"), "3");
  EXPECT_EQ(Run("SELECT j.id, j.y FROM (a JOIN b USING (id)) AS j WHERE j.y = 20"), "3|20");
  EXPECT_EQ(Run("SELECT * FROM a JOIN b USING (nothing)"),
            "42703: column \"nothing\" specified in USING clause does not exist in left table");
}

TEST_F(JoinTest, NamesAreTakenFromWhereTheyStand) {
  EXPECT_EQ(Run("SELECT id FROM a, b"), "42702: column reference \"id\" is ambiguous");
  EXPECT_EQ(Run("SELECT * FROM a, a"), "42712: table name \"a\" specified more than once");
  EXPECT_EQ(Run("SELECT a.* FROM a AS z"), "42P01: missing FROM-clause entry for table \"a\"");
  EXPECT_EQ(Run("SELECT z.nothing FROM a AS z"), "42703: column z.nothing does not exist");
  EXPECT_EQ(Run("SELECT b.*, z.n FROM a AS z, b WHERE z.id = b.id AND z.id = 1"), "1|1|10|one");
  EXPECT_EQ(Run("SELECT p, q, n FROM a AS z (p, q) WHERE p = 2"), "2|20|two");
  EXPECT_THAT(Run("SELECT * FROM a AS z (p, q, r, s)"), StartsWith("42P10: table \"z\" has 3 columns available but 4"));
  EXPECT_THAT(Run("SELECT a.n, sum(y) FROM a JOIN b ON a.id = b.a_id GROUP BY a.x"),
              StartsWith("42803: column \"a.n\" must appear in the GROUP BY clause"));
  // Its primary key tells the rest of the row.
  EXPECT_EQ(Run("SELECT a.n, sum(y) FROM a JOIN b ON a.id = b.a_id GROUP BY a.id ORDER BY a.id"), "one|21\ntwo|20");
}

TEST_F(JoinTest, QueriesAndValuesStandInFrom) {
  EXPECT_EQ(
      Run("SELECT s.m, n FROM (SELECT a_id, max(y) AS m FROM b GROUP BY a_id) AS s JOIN a ON a.id = s.a_id ORDER BY 1"),
      "11|one\n20|two");
  EXPECT_EQ(Run("SELECT v.k, n FROM (VALUES (1, 'x'), (2, 'y')) AS v (k, l) JOIN a ON a.id = v.k ORDER BY 1"),
            "1|one\n2|two");
  EXPECT_EQ(Run("VALUES (2, 'b'), (1, NULL) ORDER BY 1"), "1|~\n2|b");
  EXPECT_EQ(Run("SELECT n, g FROM a, generate_series(1, a.id) AS g WHERE a.id < 3 ORDER BY 1, 2"), "one|1\ntwo|1\ntwo|2");
  EXPECT_EQ(Run("SELECT a.id, t.y FROM a LEFT JOIN LATERAL (SELECT y FROM b WHERE b.a_id = a.id ORDER BY y DESC LIMIT 1) t "
                "ON true ORDER BY 1"),
            "1|11\n2|20\n3|~");
  EXPECT_EQ(Run("SELECT * FROM a, (SELECT a.id) AS s"), "42P01: missing FROM-clause entry for table \"a\"");
  EXPECT_THAT(Run("SELECT * FROM (SELECT 1)"), StartsWith("42601: subquery in FROM must have an alias"));
}

TEST_F(JoinTest, LargeJoinsStayWithinTheirMemory) {
  EXPECT_EQ(Run("SELECT count(*), sum(p.g) FROM generate_series(1, 20000) AS p (g) JOIN generate_series(1, 20000) AS q (g) "
                "ON p.g = q.g"),
            "20000|200010000");
  EXPECT_THAT(Run("SELECT count(*) FROM a JOIN generate_series(1, 100000000) AS q (g) ON a.x = q.g"), StartsWith("53200"));
}

}  // namespace
}  // namespace anabranch
