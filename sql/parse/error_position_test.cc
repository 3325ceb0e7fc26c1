// What an error points at in the query string.
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"
#include "sql/value/error_field.h"
#include "sql/value/utf8.h"

namespace anabranch {
namespace {

class ErrorPositionTest : public SessionFixture {
 protected:
  ErrorPositionTest() { EXPECT_EQ(session_->Run("CREATE TABLE t (k INT PRIMARY KEY, v TEXT, n NUMERIC)"), "CREATE TABLE"); }

  // The rest of the text from there on; "nowhere" if the error has no position.
  std::string At(const std::string& text) {
    const std::string result = session_->Run(text);
    const std::string position = FieldOf(session_->error(), ErrorField::kPosition);
    if (position.empty()) return "nowhere: " + result;
    size_t at = 0;
    for (int character = 1; character < std::stoi(position); ++character) at += CharacterBytes(text, at);
    return text.substr(at);
  }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(ErrorPositionTest, Syntax) {
  EXPECT_EQ(At("SELEC 1"), "SELEC 1");
  EXPECT_EQ(At("SELECT 'ü', k FROM t WHERE )"), ")");
  EXPECT_EQ(At("SELECT 1; SELECT 'ü'; SELECT (2"), "");
  EXPECT_EQ(At("SELECT 'ü', 'never ends"), "'never ends");
  EXPECT_EQ(At("SELECT k, sum(k) OVER () FROM t"), "sum(k) OVER () FROM t");
}

TEST_F(ErrorPositionTest, StatementsOfOurs) {
  EXPECT_EQ(At("ALTER VIRTUAL CLUSTER main PAUSE it"), "it");
  EXPECT_EQ(At("SELECT 'ü'; /* ü */ ALTER VIRTUAL CLUSTER 'ü' STOP"), "");
  EXPECT_EQ(At("ALTER VIRTUAL CLUSTER 'ü' GRANT CAPABILITY can_fly"), "can_fly");
  EXPECT_EQ(At("SELECT 'ü', name FROM [SHOW VIRTUAL CLUSTERS WITH STATUS] WHERE true"), "STATUS] WHERE true");
  EXPECT_EQ(At("SELECT 'ü', name FROM [SHOW VIRTUAL CLUSTER] WHERE true"), "] WHERE true");
}

TEST_F(ErrorPositionTest, Names) {
  EXPECT_EQ(At("SELECT k, nope FROM t"), "nope FROM t");
  EXPECT_EQ(At("SELECT 'ü' || v, t.nope FROM t"), "t.nope FROM t");
  EXPECT_EQ(At("SELECT x.k FROM t"), "x.k FROM t");
  EXPECT_EQ(At("SELECT x.* FROM t"), "x.* FROM t");
  EXPECT_EQ(At("SELECT * FROM t JOIN nope ON true"), "nope ON true");
  EXPECT_EQ(At("SELECT 1 + nope(k) FROM t"), "nope(k) FROM t");
  EXPECT_EQ(At("SELECT k::nope FROM t"), "nope FROM t");
  EXPECT_EQ(At("SELECT k FROM t WHERE EXISTS (SELECT 1 FROM t s WHERE s.nope = 1)"), "s.nope = 1)");
  EXPECT_EQ(At("SELECT k FROM t ORDER BY nope"), "nope");
  EXPECT_EQ(At("SELECT k FROM t ORDER BY 3"), "3");
  EXPECT_EQ(At("INSERT INTO t (k, nope) VALUES (1, 2)"), "nope) VALUES (1, 2)");
  EXPECT_EQ(At("UPDATE t SET v = 'a', nope = 1"), "nope = 1");
  EXPECT_EQ(At("DELETE FROM nope"), "nope");
  EXPECT_EQ(At("CREATE TABLE x (a INT, b nope)"), "nope)");
  EXPECT_EQ(At("CREATE TABLE x (a INT CHECK (a > nope))"), "nope))");
  EXPECT_EQ(At("SELECT k FROM t FOR UPDATE OF nope"), "nope");
  EXPECT_EQ(At("SELECT $1"), "$1");
}

TEST_F(ErrorPositionTest, Types) {
  EXPECT_EQ(At("SELECT k FROM t WHERE v + k = 1"), "+ k = 1");
  EXPECT_EQ(At("SELECT k FROM t WHERE k || v"), "k || v");
  EXPECT_EQ(At("SELECT k FROM t WHERE k = 'ten'"), "'ten'");
  EXPECT_EQ(At("SELECT 'ten'::int"), "'ten'::int");
  EXPECT_EQ(At("SELECT k::uuid FROM t"), "::uuid FROM t");
  EXPECT_EQ(At("SELECT CASE WHEN true THEN k ELSE v END FROM t"), "k ELSE v END FROM t");
  EXPECT_EQ(At("INSERT INTO t VALUES (1, 'a', true)"), "true)");
  EXPECT_EQ(At("UPDATE t SET n = v"), "v");
  EXPECT_EQ(At("SELECT k FROM t WHERE 1 < sum(k)"), "sum(k)");
  EXPECT_EQ(At("SELECT v, sum(k) FROM t GROUP BY n"), "v, sum(k) FROM t GROUP BY n");
}

// Positions behind text that was replaced before parsing are those of the text that the client sent.
TEST_F(ErrorPositionTest, BehindWhatIsNotPostgres) {
  EXPECT_EQ(At("SELECT k FROM t AS OF SYSTEM TIME '-1s' WHERE )"), ")");
  EXPECT_EQ(At("UPSERT INTO t (k, nope) VALUES (1, 2)"), "nope) VALUES (1, 2)");
  EXPECT_EQ(At("SELECT id FROM [SHOW VIRTUAL CLUSTERS] WHERE )"), ")");
}

TEST_F(ErrorPositionTest, ErrorsOfValuesHaveNone) {
  EXPECT_EQ(session_->Run("INSERT INTO t VALUES (1)"), "INSERT 0 1");
  EXPECT_EQ(At("SELECT k / 0 FROM t"), "nowhere: 22012: division by zero");
  EXPECT_EQ(At("INSERT INTO t VALUES (1)").substr(0, 15), "nowhere: 23505:");
}

TEST_F(ErrorPositionTest, AParameterThatNobodyGaveIsNamed) {
  EXPECT_EQ(session_->Run("SELECT $2"), "42P02: there is no parameter $2");
  EXPECT_EQ(session_->Run("CREATE TABLE x AS SELECT $1 AS a"), "42P02: there is no parameter $1");
  EXPECT_EQ(session_->Run("CREATE TABLE x (a INT DEFAULT $1)"), "42P02: there is no parameter $1");
  EXPECT_EQ(session_->RunWith("SELECT $1::int", {"4"}), "4");
}

}  // namespace
}  // namespace anabranch
