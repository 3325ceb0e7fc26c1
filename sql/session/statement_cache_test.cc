// Statements of the simple protocol that differ in their literals alone are planned once, and answer as if they were not.
#include "sql/session/statement_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class StatementCacheTest : public SessionFixture {
 protected:
  StatementCacheTest() {
    session_ = NewSession();
    Run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT, n NUMERIC(10,2), big BIGINT)");
    Run("INSERT INTO t VALUES (1, 'one', 1.5, 10), (2, 'two', 2.5, 20), (3, 'three', NULL, -30)");
  }

  std::string Run(std::string_view text) { return session_->Run(text); }
  // Whether the text is run without being parsed.
  bool IsKnown(std::string_view text) {
    const auto commands = session_->session().ParseCommands(text);
    return commands.ok() && commands->size() == 1 && commands->front().prepared != nullptr;
  }

  std::unique_ptr<TestSession> session_;
};

TEST_F(StatementCacheTest, FromTheSecondTimeOnAShapeIsKnown) {
  EXPECT_FALSE(IsKnown("SELECT v FROM t WHERE k = 1"));
  EXPECT_TRUE(IsKnown("SELECT v FROM t WHERE k = 2"));
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 1"), "one");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 2"), "two");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 9"), "");
}

TEST_F(StatementCacheTest, EveryStatementAnswersAsItWouldAlone) {
  const std::pair<const char*, const char*> statements[] = {
      {"SELECT k FROM t WHERE v = 'two'", "2"},
      {"SELECT k FROM t WHERE v = 'it''s'", ""},
      {"SELECT k FROM t WHERE n = 2.5", "2"},
      {"SELECT k FROM t WHERE n = 2.50", "2"},
      {"SELECT k FROM t WHERE big = -30", "3"},
      {"SELECT k FROM t WHERE big > 12345678901", ""},
      {"SELECT k FROM t WHERE k = '3'", "3"},
      {"SELECT k FROM t WHERE k IN (1, 3) ORDER BY 1", "1\n3"},
      {"SELECT k FROM t WHERE k IN (2, 3) ORDER BY 1", "2\n3"},
      {"SELECT k, v FROM t WHERE k < 3 ORDER BY 2 DESC", "2|two\n1|one"},
      {"SELECT k, v FROM t WHERE k < 3 ORDER BY 1 DESC", "2|two\n1|one"},
      {"SELECT k FROM t WHERE k > 0 ORDER BY k LIMIT 1", "1"},
      {"SELECT k FROM t WHERE k > 0 ORDER BY k LIMIT 2", "1\n2"},
      {"SELECT k FROM t WHERE k BETWEEN 2 AND 3 ORDER BY k", "2\n3"},
      {"SELECT 1", "1"},
      {"SELECT 2", "2"},
      {"SELECT 'a'", "a"},
      {"SELECT k + 1, count(*) FROM t WHERE k = 1 GROUP BY k + 1", "2|1"},
      {"SELECT k + 2, count(*) FROM t WHERE k = 1 GROUP BY k + 2", "3|1"},
      {"SELECT (SELECT v FROM t WHERE k = 1)", "one"},
      {"SELECT (SELECT v FROM t WHERE k = 2)", "two"},
      {"SELECT v FROM t WHERE k = 1 UNION ALL SELECT v FROM t WHERE k = 2", "one\ntwo"},
      {"SELECT v FROM t WHERE k = 2 UNION ALL SELECT v FROM t WHERE k = 2", "two\ntwo"},
  };
  for (int round = 0; round < 4; ++round) {
    for (const auto& [text, answer] : statements) EXPECT_EQ(Run(text), answer) << text << " in round " << round;
  }
}

TEST_F(StatementCacheTest, Writes) {
  for (int i = 10; i < 14; ++i) {
    EXPECT_EQ(Run(fmt::format("INSERT INTO t VALUES ({}, 'n{}', {}.25, -{})", i, i, i, i)), "INSERT 0 1");
    EXPECT_EQ(Run(fmt::format("UPDATE t SET n = n + -{}, v = 'u{}' WHERE k = {}", i, i, i)), "UPDATE 1");
    EXPECT_EQ(Run(fmt::format("SELECT v, n, big FROM t WHERE k = {}", i)), fmt::format("u{}|0.25|-{}", i, i));
  }
  for (int i = 10; i < 14; ++i) EXPECT_EQ(Run(fmt::format("DELETE FROM t WHERE k = {}", i)), "DELETE 1");
  EXPECT_TRUE(IsKnown("INSERT INTO t VALUES (50, 'x', 1.25, -5)"));
  EXPECT_TRUE(IsKnown("UPDATE t SET n = n + -5, v = 'x' WHERE k = 50"));
  EXPECT_TRUE(IsKnown("DELETE FROM t WHERE k = 50"));
}

TEST_F(StatementCacheTest, ALiteralThatIsNoValueIsRefusedAsEver) {
  Run("SELECT v FROM t WHERE k = '1'");
  Run("SELECT v FROM t WHERE k = '2'");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 'x'"), "22P02: invalid input syntax for type integer: \"x\"");
  EXPECT_EQ(Run("SELECT v FROM t WHERE v = '\xff'").substr(0, 5), "22021");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = '2'"), "two");
}

TEST_F(StatementCacheTest, AChangedTableGivesLiteralsOtherTypes) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Run("SELECT v FROM t WHERE k = '1'"), "one");
  const auto other = NewSession();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(other->Run("SELECT v FROM t WHERE k = '2'"), "two");
  Run("DROP TABLE t; CREATE TABLE t (k TEXT PRIMARY KEY, v INT); INSERT INTO t VALUES ('1', 5), ('two', 6)");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = '1'"), "5");
  // A command that was made before the change.
  const auto commands = other->session().ParseCommands("SELECT v FROM t WHERE k = '2'");
  ASSERT_TRUE(commands.ok());
  Run("INSERT INTO t VALUES ('2', 7)");
  TextSink sink;
  ASSERT_TRUE(other->session().Execute(commands->front(), sink, {}).ok());
  EXPECT_EQ(sink.rows, "7");
  EXPECT_EQ(other->Run("SELECT v FROM t WHERE k = 'two'"), "6");
}

TEST_F(StatementCacheTest, ATransactionSeesItsOwnChangeOfATable) {
  for (int i = 0; i < 3; ++i) Run("SELECT v FROM t WHERE k = 1");
  Run("BEGIN");
  Run("ALTER TABLE t RENAME COLUMN v TO w");
  EXPECT_EQ(Run("SELECT w FROM t WHERE k = 1"), "one");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 1").substr(0, 5), "42703");
  Run("ROLLBACK");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 1"), "one");
}

TEST_F(StatementCacheTest, AnOldSnapshotSeesTheOldTable) {
  for (int i = 0; i < 3; ++i) Run("SELECT v FROM t WHERE k = 1");
  Run("BEGIN ISOLATION LEVEL REPEATABLE READ");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 2"), "two");
  NewSession()->Run("ALTER TABLE t DROP COLUMN v");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 1"), "one");
  Run("COMMIT");
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 1").substr(0, 5), "42703");
}

TEST_F(StatementCacheTest, TheNumberOfShapesAndVariantsIsBounded) {
  for (size_t i = 0; i < 3 * kCachedVariantsMax; ++i) {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(Run(fmt::format("SELECT k FROM t WHERE k > 0 ORDER BY k LIMIT 1 OFFSET {}", i)),
                i < 3 ? std::to_string(i + 1) : "");
    }
  }
  EXPECT_TRUE(IsKnown("SELECT k FROM t WHERE k > 5 ORDER BY k LIMIT 1 OFFSET 1"));
  EXPECT_FALSE(IsKnown(fmt::format("SELECT k FROM t WHERE k > 5 ORDER BY k LIMIT 1 OFFSET {}", 2 * kCachedVariantsMax)));
  for (size_t i = 0; i < 2 * kCachedShapesMax; ++i) {
    for (int round = 0; round < 2; ++round) Run(fmt::format("SELECT v AS v{} FROM t WHERE k = 1", i));
  }
  EXPECT_EQ(Run("SELECT v FROM t WHERE k = 3"), "three");
}

TEST_F(StatementCacheTest, PrivilegesAreAskedForOnceTheyChange) {
  Run("CREATE USER reader");
  Run("GRANT SELECT ON t TO reader");
  SessionContext context = Context();
  context.user = "reader";
  TestSession reader(std::move(context));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(reader.Run("SELECT v FROM t WHERE k = 1"), "one");
  Run("REVOKE SELECT ON t FROM reader");
  EXPECT_EQ(reader.Run("SELECT v FROM t WHERE k = 1"), "42501: permission denied for table t");
}

class PreparedCacheTest : public StatementCacheTest {
 protected:
  PreparedRef Prepare(std::string_view text, const std::vector<SqlType>& hints = {}) {
    const auto prepared = session_->session().Prepare(text, hints);
    EXPECT_TRUE(prepared.ok()) << prepared.status();
    return prepared.ok() ? *prepared : nullptr;
  }
  // Whether preparing the text once more gives what was there already.
  bool IsKept(std::string_view text, const std::vector<SqlType>& hints = {}) {
    const PreparedRef before = Prepare(text, hints);
    return before == Prepare(text, hints);
  }
};

TEST_F(PreparedCacheTest, FromTheThirdTimeOnATextIsKnown) {
  EXPECT_FALSE(IsKept("SELECT v FROM t WHERE k = $1"));  // the second is kept
  EXPECT_TRUE(IsKept("SELECT v FROM t WHERE k = $1"));
  EXPECT_EQ(session_->RunPrepared(Prepare("SELECT v FROM t WHERE k = $1"), {"2"}), "two");
  EXPECT_FALSE(IsKept("SELECT  v FROM t WHERE k = $1"));
  EXPECT_FALSE(IsKept("BEGIN"));
  EXPECT_TRUE(IsKept("BEGIN"));
}

TEST_F(PreparedCacheTest, OtherTypesOfParametersAreAnotherStatement) {
  EXPECT_FALSE(IsKept("SELECT $1", {SqlType::kInt4}));
  EXPECT_FALSE(IsKept("SELECT $1", {SqlType::kText}));
  EXPECT_TRUE(IsKept("SELECT $1", {SqlType::kInt4}));
  EXPECT_EQ(session_->Describe("SELECT $1", {SqlType::kInt4}), "integer -> ?column?:integer");
  EXPECT_EQ(session_->Describe("SELECT $1", {SqlType::kText}), "text -> ?column?:text");
}

TEST_F(PreparedCacheTest, TypesOfParametersAreToldApartByAllOfTheirNumber) {
  // 1043 and 19: the same in their last byte.
  EXPECT_FALSE(IsKept("SELECT $1", {SqlType::kVarchar}));
  EXPECT_TRUE(IsKept("SELECT $1", {SqlType::kVarchar}));
  EXPECT_EQ(session_->Describe("SELECT $1", {SqlType::kName}), "name -> ?column?:name");
}

TEST_F(PreparedCacheTest, AChangedTableMakesItNew) {
  EXPECT_FALSE(IsKept("SELECT * FROM t WHERE k = $1"));
  EXPECT_TRUE(IsKept("SELECT * FROM t WHERE k = $1"));
  NewSession()->Run("ALTER TABLE t DROP COLUMN n");
  EXPECT_EQ(session_->Describe("SELECT * FROM t WHERE k = $1"), "integer -> k:integer v:text big:bigint");
  EXPECT_EQ(session_->RunWith("SELECT * FROM t WHERE k = $1", {"3"}), "3|three|-30");
  EXPECT_TRUE(IsKept("SELECT * FROM t WHERE k = $1"));
}

TEST_F(PreparedCacheTest, AnotherTimeZoneMakesItNew) {
  const char* const text = "SELECT extract(epoch FROM timestamptz '2026-07-01 12:00') WHERE $1";
  IsKept(text);
  EXPECT_TRUE(IsKept(text));
  EXPECT_EQ(session_->RunWith(text, {"t"}), "1782907200.000000");
  Run("SET TIME ZONE 'Europe/Zurich'");
  EXPECT_EQ(session_->RunWith(text, {"t"}), "1782900000.000000");
}

TEST_F(PreparedCacheTest, WhatDependsOnMoreIsNotKept) {
  for (const char* text : {"SHOW TimeZone", "EXPLAIN SELECT 1", "SELECT v FROM t AS OF SYSTEM TIME '-1us'", ""}) {
    IsKept(text);
    EXPECT_FALSE(IsKept(text)) << text;
  }
}

TEST_F(PreparedCacheTest, InAFailedBlockItIsRefused) {
  IsKept("SELECT v FROM t WHERE k = $1");
  Run("BEGIN");
  Run("SELECT 1/0");
  EXPECT_EQ(SqlStateOf(session_->session().Prepare("SELECT v FROM t WHERE k = $1", {}).status()), "25P02");
  EXPECT_EQ(Run("ROLLBACK"), "ROLLBACK");
  EXPECT_EQ(session_->RunWith("SELECT v FROM t WHERE k = $1", {"1"}), "one");
}

}  // namespace
}  // namespace anabranch
