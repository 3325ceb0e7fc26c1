// What this version does not do is refused by its name, and changes nothing.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class RefusalTest : public SessionFixture {
 protected:
  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(RefusalTest, NamesTheThing) {
  ASSERT_EQ(session_->Run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT, n NUMERIC(10,2))"), "CREATE TABLE");
  ASSERT_EQ(session_->Run("INSERT INTO t VALUES (1, 'one', 1.5), (2, 'two', NULL), (3, NULL, 3)"), "INSERT 0 3");
  const std::pair<const char*, const char*> kRefusals[] = {
      {"CREATE INDEX i ON t (v) WHERE k > 0", "a partial index"},
      {"CREATE INDEX i ON t (lower(v))", "an index on an expression"},
      {"CREATE INDEX i ON t USING gin (v)", "access method gin"},
      {"CREATE INDEX i ON t (v) INCLUDE (k)", "INCLUDE"},
      {"CREATE INDEX i ON t (v DESC)", "DESC in an index"},
      {"ALTER TABLE t ALTER v TYPE INT", "changing the type of column \"v\""},
      {"ALTER TABLE t ADD CHECK (k > 0) NOT VALID", "NOT VALID"},
      {"ALTER TABLE t ENABLE ROW LEVEL SECURITY", "this form of ALTER TABLE"},
      {"CREATE TEMP SEQUENCE s", "CREATE TEMPORARY SEQUENCE"},
      {"INSERT INTO t (k) OVERRIDING USER VALUE VALUES (9)", "OVERRIDING"},
      {"INSERT INTO t (k) VALUES (1) ON CONFLICT (k) WHERE k > 0 DO NOTHING", "ON CONFLICT (...) WHERE"},
      {"COPY (DELETE FROM t RETURNING k) TO STDOUT", "COPY of a statement other than a query"},
      {"CREATE VIEW x AS SELECT 1", "CREATE VIEW"},
      {"CREATE DATABASE d", "CREATE DATABASE"},
      {"EXPLAIN EXECUTE p", "EXPLAIN"},
      {"EXPLAIN (FORMAT JSON) SELECT 1", "EXPLAIN (FORMAT json)"},
      {"LOCK TABLE t", "LOCK TABLE"},
      {"DECLARE c CURSOR FOR SELECT 1", "DECLARE"},
      {"FETCH ALL FROM c", "FETCH"},
      {"MOVE NEXT FROM c", "MOVE"},
      {"CLOSE c", "CLOSE"},
      {"LISTEN c", "LISTEN"},
      {"NOTIFY c, 'hello'", "NOTIFY"},
      {"UNLISTEN c", "UNLISTEN"},
      {"PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"},
      {"COMMIT PREPARED 'x'", "COMMIT PREPARED"},
      {"ROLLBACK PREPARED 'x'", "ROLLBACK PREPARED"},
      {"ALTER ROLE root SET statement_timeout = 5", "ALTER ROLE ... SET"},
      {"ALTER USER root RESET ALL", "ALTER ROLE ... SET"},
      {"SELECT sum(k) OVER () FROM t", "a window function"},
      {"SELECT k INTO x FROM t", "SELECT INTO"},
      {"SELECT k FROM t ORDER BY k FETCH FIRST 1 ROW WITH TIES", "WITH TIES"},
      {"SELECT ARRAY[ARRAY[1]]", "an array of more than one dimension"},
      {"SELECT ROW(1, 2)", "a row constructor"},
      {"SELECT v FROM t WHERE v ~~ ANY('{a}')", "~~ ANY"},
      {"SELECT 'a' SIMILAR TO 'b'", "SIMILAR TO"},
      {"SELECT 'a' COLLATE \"de_DE\"", "collation \"de_DE\""},
      {"WITH RECURSIVE x AS (SELECT 1) SELECT * FROM x", "WITH RECURSIVE"},
      {"SELECT (1, 2) IN (SELECT 1, 2)", "a subquery compared with a row"},
      {"SELECT CURRENT_TIME", "CURRENT_TIME"},
      {"SELECT 'NaN'::numeric", "numeric NaN"},
      {"SELECT 'today'::date", "date/time value \"today\""},
      {"SELECT B'101'", "a bit string"},
      {"SELECT time '10:00'", "type time"},
      {"SELECT rank() OVER (ORDER BY k) FROM t", "a window function"},
      {"SELECT k FROM t WHERE k = row_number() OVER (ORDER BY k)", "a window function"},
      {"SELECT k FROM t WHERE k = generate_series(1, 2)", "set-returning functions"},
      {"SELECT CASE WHEN true THEN generate_series(1, 2) END", "set-returning functions"},
      {"SELECT count(*) FROM t GROUP BY generate_series(1, 2)", "set-returning functions"},
      {"SELECT generate_series(1, 2) FROM t GROUP BY 1", "GROUP BY of a set"},
      {"SELECT * FROM unnest(ARRAY[1], ARRAY[2])", "unnest of several arrays"},
      {"SELECT (ARRAY[1, 2])[1:2]", "a slice of an array"},
      {"SELECT information_schema._pg_expandarray(ARRAY['a'])", "_pg_expandarray of text[]"},
      {"SELECT * FROM ONLY t", "ONLY"},
      {"SELECT * FROM t TABLESAMPLE SYSTEM (1)", "TABLESAMPLE"},
      {"SELECT * FROM ROWS FROM (generate_series(1, 2))", "ROWS FROM"},
      {"UPDATE t SET (k, v) = (1, 'a')", "assigning several columns at once"},
      {"CREATE TEMP TABLE x (a INT)", "CREATE TEMPORARY TABLE"},
      {"CREATE UNLOGGED TABLE x (a INT)", "CREATE UNLOGGED TABLE"},
      {"CREATE TABLE x (a INT REFERENCES t)", "FOREIGN KEY"},
      {"CREATE TABLE x (a INT, b INT GENERATED ALWAYS AS (a) STORED)", "GENERATED"},
      {"CREATE TABLE x (a INT PRIMARY KEY DEFERRABLE)", "DEFERRABLE"},
      {"CREATE TABLE x (a POINT)", "type point"},
      {"CREATE TABLE x (a INTERVAL(3))", "type interval with a modifier"},
      {"CREATE TABLE x (a VARCHAR(3)[])", "type varchar[] with a length or precision"},
      {"CREATE TABLE x (a JSONB PRIMARY KEY)", "a key or index column of type jsonb"},
      {"CREATE TABLE x (a TEXT COLLATE \"C\")", "COLLATE"},
      {"CREATE TABLE x (LIKE t)", "LIKE in CREATE TABLE"},
      {"CREATE TABLE x () INHERITS (t)", "INHERITS"},
      {"CREATE TABLE x (a INT) PARTITION BY RANGE (a)", "PARTITION BY"},
      {"CREATE TABLE x (a INT) TABLESPACE y", "TABLESPACE"},
      {"COPY t FROM '/tmp/file'", "COPY with a file"},
      {"COPY (DELETE FROM t RETURNING k) TO STDOUT", "COPY of a statement other than a query"},
  };
  for (const auto& [text, thing] : kRefusals) {
    const std::string result = session_->Run(text);
    EXPECT_THAT(result, StartsWith("0A000: ")) << text;
    EXPECT_THAT(result, HasSubstr(thing)) << text;
  }
  EXPECT_EQ(session_->Run("SELECT count(*) FROM t"), "3");
}

}  // namespace
}  // namespace anabranch
