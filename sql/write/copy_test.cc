// COPY in both formats, both ways.
#include <gtest/gtest.h>

#include "sql/testing/test_session.h"

namespace anabranch {
namespace {

class CopyTest : public SessionFixture {
 protected:
  CopyTest() { session_->Run("CREATE TABLE t (a int PRIMARY KEY, b text, c numeric(6,2))"); }
  std::string Out(std::string_view text) {
    const std::string result = session_->Run(text);
    return session_->last().copied.empty() ? result : session_->last().copied;
  }

  std::unique_ptr<TestSession> session_ = NewSession();
};

TEST_F(CopyTest, CsvWithQuotesNullsAndHeader) {
  EXPECT_EQ(
      session_->Copy("COPY t FROM STDIN (FORMAT csv, HEADER)", {"a,b,c\n1,\"x,\"\"y\"\"\n", "z\",1.5\n2,,\n3,\"\",7\r\n"}),
      "COPY 3");
  EXPECT_EQ(session_->Run("SELECT a, b, c FROM t ORDER BY a"), "1|x,\"y\"\nz|1.50\n2|~|~\n3||7.00");
  EXPECT_EQ(Out("COPY t TO STDOUT WITH CSV HEADER"), "a,b,c\n1,\"x,\"\"y\"\"\nz\",1.50\n2,,\n3,\"\",7.00\n");
}

TEST_F(CopyTest, TextComesBackAsItWent) {
  const std::string lines = "1\ta\\tb\\\\c\\n\t1.25\n2\t\\N\t\\N\n3\t\t-0.10\n";
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN", {lines}), "COPY 3");
  EXPECT_EQ(Out("COPY t TO STDOUT"), lines);
  EXPECT_EQ(Out("COPY t (c, a) TO STDOUT"), "1.25\t1\n\\N\t2\n-0.10\t3\n");
  EXPECT_EQ(Out("COPY (SELECT a * 2 FROM t WHERE a > 1 ORDER BY a) TO STDOUT"), "4\n6\n");
}

TEST_F(CopyTest, DelimitersAndNullsOfOnesOwn) {
  EXPECT_EQ(session_->Copy("COPY t (b, a) FROM STDIN (DELIMITER '|', NULL 'none')", {"x|1\nnone|2\n\\||3\n"}), "COPY 3");
  EXPECT_EQ(session_->Run("SELECT a, b FROM t ORDER BY a"), "1|x\n2|~\n3||");
  EXPECT_EQ(Out("COPY t (a, b) TO STDOUT (DELIMITER '|', NULL 'none')"), "1|x\n2|none\n3|\\|\n");
}

TEST_F(CopyTest, MistakesNameTheLine) {
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN CSV", {"1,x,1\n2,\"x\n"}),
            "22P04: COPY t, line 2: unterminated CSV quoted field");
  EXPECT_EQ(session_->Copy("COPY t FROM STDIN CSV", {"1,x\n"}), "22P04: COPY t, line 1: missing data for column \"c\"");
  EXPECT_TRUE(session_->Copy("COPY t FROM STDIN (FORMAT binary)", {}).starts_with("0A000: COPY format binary"));
  EXPECT_TRUE(session_->Copy("COPY t FROM STDIN (FORCE_NULL (a))", {}).starts_with("0A000: COPY option force_null"));
  EXPECT_EQ(session_->Run("SELECT count(*) FROM t"), "0");
}

}  // namespace
}  // namespace anabranch
