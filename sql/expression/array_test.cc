// Arrays and sets: subscripts, ARRAY(SELECT ...), array_agg, unnest and its kind in FROM and in the target list. The
// results are PostgreSQL 15's.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

using testing::HasSubstr;

class ArrayTest : public SessionFixture {
 protected:
  std::string Run(std::string_view text) { return session_->Run(text); }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(ArrayTest, Subscripts) {
  EXPECT_EQ(Run("SELECT (ARRAY[1,2,3])[2], ('{a,b}'::text[])[3], ('{a,NULL}'::text[])[2], (ARRAY[1])[NULL]"), "2|~|~|~");
  EXPECT_EQ(session_->Describe("SELECT (ARRAY[1,2,3])[2], ('{a,b}'::text[])[3]"), "-> array:integer text:text");
  EXPECT_EQ(Run("SELECT (1)[1]"), "42804: cannot subscript type integer because it does not support subscripting");
}

// Their first index is 0, and stays so when they become arrays.
TEST_F(ArrayTest, Vectors) {
  EXPECT_EQ(Run("SELECT '1 2'::int2vector, ('1 2'::int2vector)[0], '1 2'::int2vector::int2[]"), "1 2|1|[0:1]={1,2}");
  EXPECT_EQ(Run("SELECT '1 2'::int2vector::int2[] || 3::int2"), "[0:2]={1,2,3}");
  EXPECT_EQ(Run("SELECT array_lower('1 2'::int2vector, 1), array_upper('1 2'::int2vector, 1)"), "0|1");
  EXPECT_EQ(Run("SELECT s FROM generate_subscripts('7 8'::int2vector, 1) s"), "0\n1");
}

TEST_F(ArrayTest, Concatenation) {
  EXPECT_EQ(Run("SELECT ARRAY[1] || 2, 0 || ARRAY[1], ARRAY[1] || ARRAY[2]"), "{1,2}|{0,1}|{1,2}");
  EXPECT_EQ(Run("SELECT ARRAY['a'] || '{b}', ARRAY['a'] || NULL::text, NULL::text[] || ARRAY['a']"), "{a,b}|{a,NULL}|{a}");
  EXPECT_EQ(Run("SELECT ARRAY[1] || true"), "42883: operator does not exist: integer[] || boolean");
}

TEST_F(ArrayTest, OfASubquery) {
  EXPECT_EQ(Run("SELECT ARRAY(SELECT 1 WHERE false), ARRAY(SELECT g FROM generate_series(3, 1, -1) g), "
                "ARRAY(SELECT NULL::text)"),
            "{}|{3,2,1}|{NULL}");
  EXPECT_EQ(Run("SELECT g, ARRAY(SELECT h FROM generate_series(1, g) h) FROM generate_series(1, 2) g"), "1|{1}\n2|{1,2}");
  EXPECT_EQ(Run("SELECT ARRAY(SELECT 1, 2)"), "42601: subquery must return only one column");
  EXPECT_EQ(Run("SELECT length(array_to_string(ARRAY(SELECT repeat('x', 1000000) FROM generate_series(1, 100)), ''))")
                .substr(0, 5),
            "53200");
}

TEST_F(ArrayTest, Aggregates) {
  const std::string from = " FROM (VALUES (2),(1),(2),(NULL)) v(x)";
  EXPECT_EQ(Run("SELECT array_agg(x), array_agg(x ORDER BY x DESC), array_agg(DISTINCT x)" + from),
            "{2,1,2,NULL}|{NULL,2,2,1}|{1,2,NULL}");
  EXPECT_EQ(Run("SELECT string_agg(x::text, ',' ORDER BY x), array_agg(x) FILTER (WHERE x > 1), sum(x ORDER BY x)" + from),
            "1,2,2|{2,2}|5");
  EXPECT_EQ(Run("SELECT array_agg(x ORDER BY x DESC NULLS LAST) FROM (VALUES (NULL),(1)) v(x)"), "{1,NULL}");
  EXPECT_EQ(Run("SELECT array_agg(x) FROM (VALUES (1)) v(x) WHERE false"), "~");
  EXPECT_EQ(Run("SELECT array_agg(DISTINCT x ORDER BY -x)" + from),
            "42P10: in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list");
  EXPECT_EQ(session_->Describe("SELECT array_agg(relname), array_agg(oid) FROM pg_class"),
            "-> array_agg:name[] array_agg:oid[]");
  EXPECT_EQ(Run("SELECT string_agg(nspname, ',' ORDER BY nspname) FROM pg_namespace WHERE nspname LIKE 'p%'"),
            "pg_catalog,public");
}

TEST_F(ArrayTest, SetsInFrom) {
  EXPECT_EQ(Run("SELECT * FROM unnest(ARRAY['a','b']) WITH ORDINALITY"), "a|1\nb|2");
  EXPECT_EQ(session_->last().columns, "unnest,ordinality");
  EXPECT_EQ(Run("SELECT n, x FROM unnest(ARRAY['a','b']) WITH ORDINALITY AS t(x, n)"), "1|a\n2|b");
  EXPECT_EQ(Run("SELECT * FROM generate_subscripts(ARRAY[7,8], 1, true) s"), "2\n1");
  EXPECT_EQ(Run("SELECT v.a, i FROM (VALUES (ARRAY[1,2]), (NULL)) v(a), unnest(v.a) i"), "{1,2}|1\n{1,2}|2");
  EXPECT_EQ(Run("SELECT x, n FROM information_schema._pg_expandarray('7 8'::int2vector)"), "7|1\n8|2");
  EXPECT_EQ(Run("SELECT * FROM current_schema()"), "public");
  EXPECT_EQ(Run("SELECT * FROM unnest(1)"), "42883: function unnest(integer) does not exist");
  EXPECT_EQ(Run("SELECT * FROM nope(1)"), "42883: function nope(integer) does not exist");
  EXPECT_EQ(Run("SELECT * FROM count(1)"), "42803: aggregate functions are not allowed in functions in FROM");
}

TEST_F(ArrayTest, SetsInTheTargetList) {
  EXPECT_EQ(Run("SELECT unnest(ARRAY[1,2]), generate_series(1, 3), 'x'"), "1|1|x\n2|2|x\n~|3|x");
  EXPECT_EQ(Run("SELECT count(*) FROM (SELECT unnest('{}'::int[]), 1) s"), "0");
  EXPECT_EQ(Run("SELECT DISTINCT unnest(ARRAY[2,1,2]) AS u ORDER BY u DESC"), "2\n1");
  EXPECT_EQ(Run("SELECT unnest(ARRAY[2,1]) * 10 AS u ORDER BY 1 LIMIT 1"), "10");
  EXPECT_EQ(Run("SELECT 1 ORDER BY generate_series(1, 2)"), "1\n1");
  EXPECT_EQ(Run("SELECT g, unnest(ARRAY[g, -g]) FROM generate_series(1, 2) g ORDER BY 1, 2"), "1|-1\n1|1\n2|-2\n2|2");
  EXPECT_EQ(Run("SELECT count(*), unnest(ARRAY[1,2]) FROM generate_series(1, 5)"), "5|1\n5|2");
  EXPECT_EQ(Run("SELECT (information_schema._pg_expandarray('7 8'::int2vector)).n"), "1\n2");
  EXPECT_EQ(Run("SELECT information_schema._pg_expandarray('7 8'::int2vector)"), "(7,1)\n(8,2)");
  EXPECT_EQ(Run("SELECT (k.r).x FROM (SELECT information_schema._pg_expandarray('7 8'::int2vector) AS r) k"), "7\n8");
  EXPECT_EQ(Run("CREATE TABLE t (a int); INSERT INTO t SELECT unnest(ARRAY[1,2,3]); SELECT sum(a) FROM t"), "6");
  EXPECT_THAT(Run("EXPLAIN SELECT unnest(ARRAY[1,2])"), HasSubstr("ProjectSet"));
}

TEST_F(ArrayTest, RowNumbers) {
  const std::string from = " FROM (VALUES ('a', 3), ('b', 1), ('a', 1), ('a', 2)) v(k, n)";
  EXPECT_EQ(Run("SELECT k, n, row_number() OVER (PARTITION BY k ORDER BY n DESC) AS r" + from + " ORDER BY 1, 3"),
            "a|3|1\na|2|2\na|1|3\nb|1|1");
  EXPECT_EQ(Run("SELECT k FROM (SELECT k, row_number() OVER (ORDER BY n, k) AS r" + from + ") s WHERE r <= 2 ORDER BY r"),
            "a\nb");
  EXPECT_EQ(Run("SELECT row_number() OVER () FROM generate_series(5, 6)"), "1\n2");
  EXPECT_EQ(Run("SELECT k, count(*), row_number() OVER (ORDER BY count(*)) + 10" + from + " GROUP BY k ORDER BY 2"),
            "b|1|11\na|3|12");
}

}  // namespace
}  // namespace anabranch
