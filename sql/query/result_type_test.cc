// What the columns of results are told to be: types with their modifiers, as PostgreSQL 15 tells them.
#include "gtest/gtest.h"
#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class ResultTypeTest : public SessionFixture {
 protected:
  ResultTypeTest() {
    EXPECT_EQ(session_->Run("CREATE TABLE m (a varchar(10), b numeric(10,2), c char(3), d timestamp(3), e text)"),
              "CREATE TABLE");
  }
  std::string TypesOf(std::string_view text) {
    const auto prepared = session_->session().Prepare(text, {});
    if (!prepared.ok()) return SqlStateOf(prepared.status());
    std::string types;
    for (const ColumnDescription& column : (*prepared)->description().columns) {
      types += (types.empty() ? "" : "|") + FormatType({column.type, column.modifier});
    }
    return types;
  }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(ResultTypeTest, OfColumns) {
  EXPECT_EQ(TypesOf("SELECT * FROM m"),
            "character varying(10)|numeric(10,2)|character(3)|timestamp(3) without time zone|text");
  EXPECT_EQ(TypesOf("SELECT x.a, b FROM (SELECT * FROM m) x JOIN m USING (b)"), "character varying(10)|numeric(10,2)");
  EXPECT_EQ(TypesOf("WITH w AS (SELECT b FROM m) SELECT b, (SELECT max(c) FROM m), (SELECT a FROM m) FROM w"),
            "numeric(10,2)|bpchar|character varying(10)");
  EXPECT_EQ(TypesOf("SELECT a FROM m GROUP BY a"), "character varying(10)");
  EXPECT_EQ(TypesOf("INSERT INTO m (a) VALUES ('x') RETURNING a, b"), "character varying(10)|numeric(10,2)");
}

TEST_F(ResultTypeTest, OfExpressions) {
  EXPECT_EQ(TypesOf("SELECT a || 'x', b + 1, max(b) FROM m GROUP BY a, b"), "text|numeric|numeric");
  EXPECT_EQ(TypesOf("SELECT '1'::numeric(5,1), a::varchar(4), a::text FROM m"), "numeric(5,1)|character varying(4)|text");
  EXPECT_EQ(TypesOf("SELECT coalesce(a, a), greatest(b, b), CASE WHEN true THEN b ELSE b END FROM m"),
            "character varying(10)|numeric(10,2)|numeric(10,2)");
  EXPECT_EQ(TypesOf("SELECT coalesce(a, e), CASE WHEN true THEN b ELSE 1 END FROM m"), "character varying|numeric");
}

TEST_F(ResultTypeTest, OfUnions) {
  EXPECT_EQ(TypesOf("SELECT a FROM m UNION SELECT a FROM m"), "character varying(10)");
  EXPECT_EQ(TypesOf("SELECT a FROM m UNION SELECT 'x'"), "character varying");
}

}  // namespace
}  // namespace anabranch
