// Which index a query goes by, and that it finds the same rows.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class IndexScanTest : public SessionFixture {
 protected:
  void SetUp() override {
    ASSERT_EQ(Run("CREATE TABLE t (k INT PRIMARY KEY, a INT, b INT, u INT)"), "CREATE TABLE");
    ASSERT_EQ(Run("CREATE INDEX t_a_b ON t (a, b)"), "CREATE INDEX");
    ASSERT_EQ(Run("CREATE UNIQUE INDEX t_u ON t (u)"), "CREATE INDEX");
    ASSERT_EQ(Run("INSERT INTO t SELECT g, g % 3, g % 5, g * 10 FROM generate_series(1, 30) AS g"), "INSERT 0 30");
    ASSERT_EQ(Run("INSERT INTO t VALUES (31, NULL, 1, NULL), (32, 1, NULL, NULL)"), "INSERT 0 2");
  }
  std::string Run(const std::string& text) { return session_->Run(text); }
  std::string Plan(const std::string& text) { return Run("EXPLAIN " + text); }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(IndexScanTest, GoesByTheKeyThatIsRestrictedMost) {
  EXPECT_EQ(Plan("SELECT k FROM t WHERE u = 50"), "Index Scan using t_u on t\n  Index Cond: (u = 50)");
  EXPECT_EQ(Plan("SELECT k FROM t WHERE a = 1"), "Index Scan using t_a_b on t\n  Index Cond: (a = 1)");
  EXPECT_EQ(Plan("SELECT k FROM t WHERE a = 1 AND b > 2 AND u > 3"),
            "Index Scan using t_a_b on t\n  Index Cond: ((a = 1) AND (b > 2))\n  Filter: (u > 3)");
  EXPECT_THAT(Plan("SELECT k FROM t WHERE k = 5 AND u = 50"), StartsWith("Index Scan using t_pkey on t"));
  EXPECT_THAT(Plan("SELECT k FROM t WHERE b = 1"), StartsWith("Seq Scan on t"));
}

TEST_F(IndexScanTest, FindsWhatIsThere) {
  EXPECT_EQ(Run("SELECT k FROM t WHERE u = 50"), "5");
  EXPECT_EQ(Run("SELECT k FROM t WHERE u IN (50, 70, 55) ORDER BY k"), "5\n7");
  EXPECT_EQ(Run("SELECT k FROM t WHERE a = 1 AND b = 2 ORDER BY k"), "7\n22");
  EXPECT_EQ(Run("SELECT count(*) FROM t WHERE a = 1"), "11");
  EXPECT_EQ(Run("SELECT count(*) FROM t WHERE a = 1 AND b >= 0"), "10");
  EXPECT_EQ(Run("SELECT count(*) FROM t WHERE a > 0"), "21");
  EXPECT_EQ(Run("SELECT count(*) FROM t WHERE u > 200 AND u <= 250"), "5");
  EXPECT_EQ(Run("SELECT x.k, y.k FROM t AS x JOIN t AS y ON y.u = x.k * 10 AND x.k < 3 ORDER BY 1"), "1|1\n2|2");
}

TEST_F(IndexScanTest, SeesOwnChanges) {
  Run("BEGIN");
  EXPECT_EQ(Run("UPDATE t SET u = 51 WHERE u = 50"), "UPDATE 1");
  EXPECT_EQ(Run("SELECT k FROM t WHERE u = 50"), "");
  EXPECT_EQ(Run("SELECT k FROM t WHERE u = 51"), "5");
  EXPECT_EQ(Run("DELETE FROM t WHERE u = 51"), "DELETE 1");
  EXPECT_EQ(Run("SELECT k FROM t WHERE u = 51"), "");
  EXPECT_EQ(Run("UPDATE t SET a = a + 1 WHERE a IN (1, 2)"), "UPDATE 20");
  EXPECT_EQ(Run("SELECT a, count(*) FROM t GROUP BY a ORDER BY a"), "0|10\n2|11\n3|9\n~|1");
  Run("ROLLBACK");
  EXPECT_EQ(Run("SELECT k FROM t WHERE u = 50"), "5");
}

TEST_F(IndexScanTest, GivesItsOrder) {
  EXPECT_EQ(Plan("SELECT k FROM t WHERE a = 1 ORDER BY b"), "Index Scan using t_a_b on t\n  Index Cond: (a = 1)");
  EXPECT_EQ(Plan("SELECT u FROM t ORDER BY u LIMIT 2"), "Limit\n  ->  Index Scan using t_u on t");
  EXPECT_EQ(Run("SELECT u FROM t ORDER BY u LIMIT 2"), "10\n20");
  EXPECT_EQ(Run("SELECT a, b FROM t ORDER BY a, b OFFSET 29"), "2|4\n2|4\n~|1");
  EXPECT_THAT(Plan("SELECT k FROM t WHERE a IN (0, 1) ORDER BY b"), HasSubstr("Sort"));
  EXPECT_THAT(Plan("SELECT k FROM t WHERE a = 1 ORDER BY b DESC"), HasSubstr("Sort"));
}

}  // namespace
}  // namespace anabranch
