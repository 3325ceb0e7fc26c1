// EXPLAIN, and through it what the planner chooses.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

class ExplainTest : public SessionFixture {
 protected:
  void SetUp() override {
    ASSERT_EQ(Run("CREATE TABLE t (k INT PRIMARY KEY, g INT, v INT)"), "CREATE TABLE");
    ASSERT_EQ(Run("CREATE TABLE u (k INT PRIMARY KEY, t_k INT)"), "CREATE TABLE");
  }
  std::string Run(const std::string& text) { return session_->Run(text); }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(ExplainTest, ShowsHowATableIsRead) {
  EXPECT_EQ(Run("EXPLAIN SELECT * FROM t"), "Seq Scan on t");
  EXPECT_EQ(session_->last().columns, "QUERY PLAN");
  EXPECT_EQ(Run("EXPLAIN SELECT * FROM t WHERE k = 1 AND v > 2"),
            "Index Scan using t_pkey on t\n  Index Cond: (k = 1)\n  Filter: (v > 2)");
  EXPECT_EQ(Run("EXPLAIN (COSTS OFF, VERBOSE) SELECT * FROM t WHERE v = 1 ORDER BY v LIMIT 1"),
            "Limit\n  ->  Sort\n        Sort Key: v\n        ->  Seq Scan on t\n              Filter: (v = 1)");
  EXPECT_EQ(Run("EXPLAIN SELECT * FROM t WHERE k > 5 ORDER BY k"), "Index Scan using t_pkey on t\n  Index Cond: (k > 5)");
  EXPECT_EQ(Run("EXPLAIN SELECT g, count(*) FROM t GROUP BY g HAVING count(*) > 1"),
            "GroupAggregate\n  Group Key: g\n  Filter: (count > 1)\n  ->  Seq Scan on t");
  EXPECT_EQ(Run("EXPLAIN SELECT 1"), "Result");
}

TEST_F(ExplainTest, ShowsHowTablesAreJoined) {
  EXPECT_EQ(Run("EXPLAIN SELECT * FROM u JOIN t ON t.k = u.t_k"),
            "Nested Loop\n  ->  Seq Scan on u\n  ->  Index Scan using t_pkey on t\n        Index Cond: (k = t_k)");
  // The order of FROM does not matter.
  EXPECT_EQ(Run("EXPLAIN SELECT * FROM t, u WHERE t.k = u.t_k AND u.k = 7"),
            "Nested Loop\n  ->  Index Scan using u_pkey on u\n        Index Cond: (k = 7)\n"
            "  ->  Index Scan using t_pkey on t\n        Index Cond: (k = t_k)");
  EXPECT_EQ(Run("EXPLAIN SELECT * FROM t LEFT JOIN u ON t.v = u.t_k"),
            "Hash Left Join\n  Hash Cond: (v = t_k)\n  ->  Seq Scan on t\n  ->  Seq Scan on u");
}

TEST_F(ExplainTest, ShowsSubqueries) {
  EXPECT_EQ(Run("EXPLAIN SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k)"),
            "Seq Scan on t\n  Filter: (SubPlan)\n  SubPlan 1\n    ->  Index Scan using u_pkey on u\n"
            "          Index Cond: (k = k)");
}

TEST_F(ExplainTest, ShowsWhatChangesRows) {
  EXPECT_EQ(Run("EXPLAIN UPDATE t SET v = 1 WHERE k = 1"),
            "Update on t\n  ->  Index Scan using t_pkey on t\n        Index Cond: (k = 1)");
  EXPECT_EQ(Run("EXPLAIN DELETE FROM t"), "Delete on t\n  ->  Seq Scan on t");
  EXPECT_EQ(Run("EXPLAIN INSERT INTO t VALUES (1, 1, 1)"), "Insert on t\n  ->  Result");
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "0");
}

TEST_F(ExplainTest, AnalyzeRunsTheStatement) {
  EXPECT_THAT(
      Run("EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) INSERT INTO t SELECT g, g, g FROM generate_series(1, 3) AS g"),
      HasSubstr("(actual rows=3 loops=1)"));
  EXPECT_EQ(Run("SELECT count(*) FROM t"), "3");
  EXPECT_EQ(Run("EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) SELECT * FROM t WHERE k > 1"),
            "Index Scan using t_pkey on t (actual rows=2 loops=1)\n  Index Cond: (k > 1)");
  EXPECT_THAT(Run("EXPLAIN ANALYZE SELECT 1"), HasSubstr("Execution Time: "));
  EXPECT_THAT(Run("EXPLAIN (NONSENSE) SELECT 1"), HasSubstr("42601: unrecognized EXPLAIN option \"nonsense\""));
}

}  // namespace
}  // namespace anabranch
