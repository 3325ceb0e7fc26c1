// Queries inside expressions, WITH, DISTINCT and set operations.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

using testing::StartsWith;

class SubqueryTest : public SessionFixture {
 protected:
  void SetUp() override {
    ASSERT_EQ(Run("CREATE TABLE t (k INT PRIMARY KEY, g INT, v INT)"), "CREATE TABLE");
    ASSERT_EQ(Run("INSERT INTO t VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30), (4, 2, NULL), (5, NULL, 50)"), "INSERT 0 5");
  }
  std::string Run(const std::string& text) { return session_->Run(text); }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(SubqueryTest, ScalarsAreOneValue) {
  EXPECT_EQ(Run("SELECT (SELECT max(v) FROM t)"), "50");
  EXPECT_EQ(Run("SELECT (SELECT v FROM t WHERE k = 77)"), "~");
  EXPECT_EQ(Run("SELECT k, (SELECT count(*) FROM t AS u WHERE u.g = t.g) FROM t ORDER BY k"), "1|2\n2|2\n3|2\n4|2\n5|0");
  EXPECT_EQ(Run("SELECT k FROM t WHERE k = (SELECT min(k) FROM t WHERE v > 10)"), "2");
  EXPECT_EQ(Run("SELECT (SELECT k FROM t)"), "21000: more than one row returned by a subquery used as an expression");
  EXPECT_EQ(Run("SELECT (SELECT k, v FROM t)"), "42601: subquery must return only one column");
  EXPECT_EQ(Run("SELECT g, (SELECT max(v) FROM t AS u WHERE u.g = t.g) FROM t GROUP BY g ORDER BY g"), "1|20\n2|30\n~|~");
  EXPECT_EQ(session_->RunWith("SELECT (SELECT v FROM t WHERE k = $1)", {"3"}), "30");
}

TEST_F(SubqueryTest, NullsInSetsAreUnknown) {
  EXPECT_EQ(Run("SELECT k FROM t WHERE k IN (SELECT g FROM t) ORDER BY k"), "1\n2");
  EXPECT_EQ(Run("SELECT k FROM t WHERE k NOT IN (SELECT g FROM t)"), "");
  EXPECT_EQ(Run("SELECT k FROM t WHERE k NOT IN (SELECT g FROM t WHERE g IS NOT NULL) ORDER BY k"), "3\n4\n5");
  EXPECT_EQ(Run("SELECT NULL IN (SELECT 1 WHERE false)"), "f");
  EXPECT_EQ(Run("SELECT NULL IN (SELECT 1), 1 IN (SELECT NULL::int)"), "~|~");
  EXPECT_EQ(Run("SELECT k FROM t WHERE v >= ALL (SELECT v FROM t WHERE v IS NOT NULL)"), "5");
  EXPECT_EQ(Run("SELECT k FROM t WHERE v < ANY (SELECT v FROM t) ORDER BY k"), "1\n2\n3");
  EXPECT_EQ(Run("SELECT k FROM t WHERE k IN (SELECT u.k + 1 FROM t AS u WHERE u.g = t.g) ORDER BY k"), "2\n4");
  EXPECT_EQ(Run("SELECT 1 IN (SELECT 1, 2)"), "42601: subquery has too many columns");
}

TEST_F(SubqueryTest, ExistsLooksForOneRow) {
  EXPECT_EQ(Run("SELECT k FROM t WHERE EXISTS (SELECT 1 FROM t AS u WHERE u.g = t.g AND u.k > t.k) ORDER BY k"), "1\n3");
  EXPECT_EQ(Run("SELECT k FROM t WHERE NOT EXISTS (SELECT 1 FROM t AS u WHERE u.g = t.g AND u.k > t.k) ORDER BY k"),
            "2\n4\n5");
  EXPECT_EQ(Run("SELECT EXISTS (SELECT 1 FROM t WHERE k > 99)"), "f");
  EXPECT_EQ(session_->last().columns, "exists");
  // Two levels up.
  EXPECT_EQ(Run("SELECT k FROM t WHERE EXISTS (SELECT 1 FROM t AS u WHERE u.g = t.g AND EXISTS "
                "(SELECT 1 FROM t AS w WHERE w.k = u.k + 1 AND w.v = t.v + 10)) ORDER BY k"),
            "1\n2");
}

TEST_F(SubqueryTest, StatementsThatChangeRowsMayAsk) {
  EXPECT_EQ(Run("DELETE FROM t WHERE EXISTS (SELECT 1 FROM t AS u WHERE u.g = t.g AND u.k < t.k)"), "DELETE 2");
  EXPECT_EQ(Run("SELECT k FROM t ORDER BY k"), "1\n3\n5");
  EXPECT_EQ(Run("UPDATE t SET v = (SELECT sum(v) FROM t) WHERE k = 1"), "UPDATE 1");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 1"), "90");
  EXPECT_EQ(Run("INSERT INTO t SELECT k + 10, g, v FROM t"), "INSERT 0 3");
  EXPECT_EQ(Run("INSERT INTO t VALUES (100, (SELECT count(*) FROM t), NULL)"), "INSERT 0 1");
  EXPECT_EQ(Run("SELECT g FROM t WHERE k = 100"), "6");
}

TEST_F(SubqueryTest, WithNamesAQuery) {
  EXPECT_EQ(Run("WITH s AS (SELECT g, sum(v) AS total FROM t GROUP BY g) SELECT a.g, b.total FROM s AS a JOIN s AS b "
                "ON a.g = b.g ORDER BY 1"),
            "1|30\n2|30");
  EXPECT_EQ(Run("WITH s (p) AS (SELECT k FROM t), u AS (SELECT p FROM s WHERE p > 3) SELECT * FROM u ORDER BY 1"), "4\n5");
  EXPECT_EQ(Run("SELECT (WITH s AS (SELECT t.k + 1 AS p) SELECT p FROM s) FROM t WHERE k = 3"), "4");
  EXPECT_EQ(Run("WITH t AS (SELECT 42 AS k) SELECT k FROM t"), "42");
  // One evaluation for both.
  EXPECT_EQ(Run("WITH r AS (SELECT random() AS x) SELECT a.x = b.x FROM r AS a, r AS b"), "t");
}

TEST_F(SubqueryTest, SetOperationsCompareWholeRows) {
  EXPECT_EQ(Run("SELECT g FROM t UNION SELECT 7 ORDER BY 1"), "1\n2\n7\n~");
  EXPECT_EQ(Run("SELECT count(*) FROM (SELECT g FROM t UNION ALL SELECT g FROM t) AS u"), "10");
  EXPECT_EQ(Run("SELECT k FROM t INTERSECT SELECT g FROM t ORDER BY k"), "1\n2");
  EXPECT_EQ(Run("SELECT g FROM t INTERSECT ALL SELECT g FROM t WHERE k <> 1 ORDER BY g"), "1\n2\n2\n~");
  EXPECT_EQ(Run("SELECT g FROM t EXCEPT ALL SELECT 1 ORDER BY g"), "1\n2\n2\n~");
  EXPECT_EQ(Run("SELECT g FROM t EXCEPT SELECT 1 ORDER BY g DESC LIMIT 1"), "~");
  EXPECT_EQ(Run("SELECT NULL UNION SELECT 1 ORDER BY 1"), "1\n~");
  EXPECT_EQ(Run("SELECT 1 UNION SELECT 2.5 ORDER BY 1"), "1\n2.5");
  EXPECT_EQ(Run("SELECT 1 UNION SELECT 1, 2"), "42601: each UNION query must have the same number of columns");
  EXPECT_EQ(Run("SELECT 1 UNION SELECT true"), "42804: UNION types integer and boolean cannot be matched");
  EXPECT_EQ(Run("(SELECT k FROM t ORDER BY k DESC LIMIT 1) UNION ALL (SELECT k FROM t ORDER BY k LIMIT 1)"), "5\n1");
}

TEST_F(SubqueryTest, AParameterInASetOperationIsOfTheOtherSidesType) {
  EXPECT_EQ(session_->Describe("SELECT 1 UNION SELECT $1"), "integer -> ?column?:integer");
  EXPECT_EQ(session_->Describe("SELECT $1 AS x UNION ALL SELECT now()"),
            "timestamp with time zone -> x:timestamp with time zone");
  EXPECT_EQ(session_->Describe("SELECT $1 UNION SELECT $2"), "text text -> ?column?:text");
  EXPECT_EQ(session_->RunWith("SELECT $1 UNION ALL SELECT k + 1 FROM t WHERE k = 1", {"7"}), "7\n2");
  EXPECT_EQ(Run("SELECT NULL UNION SELECT NULL UNION SELECT 1"), "42804: UNION types text and integer cannot be matched");
}

TEST_F(SubqueryTest, DistinctLeavesOneOfEach) {
  EXPECT_EQ(Run("SELECT DISTINCT g FROM t ORDER BY g"), "1\n2\n~");
  EXPECT_EQ(Run("SELECT DISTINCT ON (g) g, k FROM t ORDER BY g, k DESC"), "1|2\n2|4\n~|5");
  EXPECT_EQ(Run("SELECT DISTINCT g FROM t ORDER BY k"),
            "42P10: for SELECT DISTINCT, ORDER BY expressions must appear in select list");
  EXPECT_EQ(Run("SELECT count(DISTINCT g), count(g), count(*) FILTER (WHERE v > 10) FROM t"), "2|4|3");
  EXPECT_EQ(Run("SELECT bool_and(v > 0), bool_or(v > 40), string_agg(k::text, ',') FROM t"), "t|t|1,2,3,4,5");
}

}  // namespace
}  // namespace anabranch
