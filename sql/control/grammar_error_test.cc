#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/status.h"
#include "sql/control/scanner.h"
#include "sql/control/statement.h"
#include "sql/control/statement_info.h"
#include "sql/value/error_field.h"

namespace anabranch {
namespace {

// "<SQLSTATE> <message>", the name of one of ours, "-" for PostgreSQL's.
std::string Outcome(const std::string& text) {
  absl::StatusOr<SystemStatementRef> statement = ParseSystemStatement(text);
  if (!statement.ok()) return SqlStateOf(statement.status()) + " " + MessageOf(statement.status());
  return *statement != nullptr ? std::string(InfoOf(**statement).name) : "-";
}

constexpr char kFrom[] =
    "CREATE VIRTUAL CLUSTER b FROM REPLICATION OF main ON 'postgresql://root@127.0.0.1:26257?options=-ccluster%3Dsystem'";

struct Mistake {
  std::string text;  // with a ^ before the place that the error is at
  std::string message;
  std::string detail;
};

// The text without the mark, and where it was.
std::pair<std::string, int> Unmarked(std::string text) {
  const size_t mark = text.find('^');
  text.erase(mark, 1);
  return {text, static_cast<int>(mark)};
}

void ExpectMistake(const Mistake& mistake) {
  const auto [text, location] = Unmarked(mistake.text);
  const absl::Status status = ParseSystemStatement(text).status();
  EXPECT_EQ(SqlStateOf(status) + " " + MessageOf(status), mistake.message) << text;
  EXPECT_EQ(LocationOf(status), location) << text;
  if (mistake.detail.empty()) return;
  EXPECT_EQ(FieldOf(status, ErrorField::kDetail), "Expected " + mistake.detail + ".") << text;
}

TEST(GrammarErrorTest, SyntaxErrorsSayWhereAndWhatIsExpected) {
  const std::string end = "42601 syntax error at end of input";
  const auto near = [](const std::string& token) { return "42601 syntax error at or near \"" + token + "\""; };
  const std::string from(kFrom);
  const Mistake mistakes[] = {
      {"CREATE VIRTUAL CLUSTER^", end, "IF or a name"},
      {"CREATE VIRTUAL CLUSTER a ^b", near("b"), "FROM, LIKE or the end of the statement"},
      {"CREATE VIRTUAL CLUSTER ^user", near("user"), "IF or a name"},
      {"CREATE VIRTUAL CLUSTER a; ^DROP VIRTUAL CLUSTER a", near("DROP"), "the end of the statement"},
      {"CREATE VIRTUAL CLUSTER a FROM ^b", near("b"), "CLONE or REPLICATION"},
      {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b^", end, "ON"},
      {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON ^uri", near("uri"), "a connection string between quotes"},
      {"CREATE VIRTUAL CLUSTER a LIKE b FROM ^CLONE OF c", near("CLONE"), "REPLICATION"},
      {from + " WITH^", end, "EXPIRATION, OPTIONS, READ or RETENTION"},
      {from + " WITH OPTIONS (RETENTION = '4h'^", end, "\")\" or \",\""},
      {from + " WITH RETENTION ^4", near("4"), "\"=\" or an interval between quotes"},
      {"ALTER VIRTUAL CLUSTER^", end, "a virtual cluster"},
      {"ALTER VIRTUAL CLUSTER main^", end,
       "CANCEL, COMPLETE, GRANT, PAUSE, RENAME, RESET, RESUME, REVOKE, SET, START, STOP, SWITCHOVER, UNDO or VERIFY"},
      {"ALTER VIRTUAL CLUSTER main PAUSE^", end, "REPLICATION"},
      {"ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION^", end, "TO"},
      {"ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO ^NEWEST", near("NEWEST"), "LATEST or SYSTEM"},
      {"ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO SYSTEM TIME^", end, "a time"},
      {"ALTER VIRTUAL CLUSTER main START SERVICE^", end, "SHARED"},
      {"ALTER VIRTUAL CLUSTER [^] STOP SERVICE", near("]"), "a whole number"},
      {"ALTER VIRTUAL CLUSTER [^1.5] STOP SERVICE", near("1.5"), "a whole number"},
      {"ALTER VIRTUAL CLUSTER main SET ^x", near("x"), "CLUSTER or REPLICATION"},
      {"ALTER VIRTUAL CLUSTER main SET REPLICATION SOURCE^", end,
       "\"=\", EXPIRATION or a connection string between quotes"},
      {"ALTER VIRTUAL CLUSTER main SET CLUSTER SETTING^", end, "a cluster setting"},
      {"ALTER VIRTUAL CLUSTER main SET CLUSTER SETTING gc.ttlseconds^", end, "\".\", \"=\" or TO"},
      {"ALTER VIRTUAL CLUSTER main SET CLUSTER SETTING gc.ttlseconds =^", end, "DEFAULT or a value"},
      {"ALTER VIRTUAL CLUSTER main RESET CLUSTER SETTING a ^= 1", near("="), "\".\" or the end of the statement"},
      {"ALTER VIRTUAL CLUSTER main GRANT CAPABILITY^", end, "a capability"},
      {"ALTER VIRTUAL CLUSTER main GRANT CAPABILITY can_admin_split =^", end, "a value"},
      {"ALTER VIRTUAL CLUSTER main GRANT ^admin", near("admin"), "ALL or CAPABILITY"},
      {"ALTER VIRTUAL CLUSTER main SWITCHOVER WITH PAUSE ^'1s'", near("'1s'"), "BUDGET"},
      {"EXPLAIN ALTER VIRTUAL CLUSTER main ^PAUSE REPLICATION", near("PAUSE"), "COMPLETE, RESET, START or SWITCHOVER"},
      {"EXPLAIN LAG^", end, "FOR"},
      {"SHOW CLUSTER SETTING a FOR ^main", near("main"), "VIRTUAL"},
      {"SHOW VIRTUAL CLUSTER^", end, "a virtual cluster"},
      {"SHOW VIRTUAL CLUSTERS ^main", near("main"), "WITH or the end of the statement"},
      {"SHOW VIRTUAL CLUSTERS WITH^", end, "CAPABILITIES, PRIOR or REPLICATION"},
      {"SHOW EXPERIMENTAL_FINGERPRINTS^", end, "FROM"},
      {"SHOW LOST WRITES^", end, "FROM"},
      {"DROP VIRTUAL CLUSTER main ^CASCADE", near("CASCADE"), "IMMEDIATE or the end of the statement"},
      {"CREATE EXTERNAL CONNECTION c^", end, "AS"},
      {"GRANT SYSTEM MANAGEVIRTUALCLUSTER ^FROM user", near("FROM"), "\",\" or TO"},
      {"GRANT SYSTEM MANAGEVIRTUALCLUSTER TO^", end, "a user"},
      {"CANCEL JOB ^x", near("x"), "the ID of a job"},
      {"SHOW JOB^", end, "WHEN or the ID of a job"},
  };
  for (const Mistake& mistake : mistakes) ExpectMistake(mistake);
}

TEST(GrammarErrorTest, SyntaxErrorsNameTheirPage) {
  EXPECT_EQ(HintOf(ParseSystemStatement("ALTER VIRTUAL CLUSTER a PAUSE").status()),
            "See docs/statements/alter-virtual-cluster.md.");
  EXPECT_EQ(HintOf(ParseSystemStatement("EXPLAIN DROP VIRTUAL CLUSTER").status()),
            "See docs/statements/drop-virtual-cluster.md.");
}

TEST(GrammarErrorTest, OperandsThatCannotBeMeant) {
  const std::string from(kFrom);
  const std::string seconds = " should result in a number of seconds between 0 and 2147483647";
  const std::string alter = "ALTER VIRTUAL CLUSTER main ";
  const Mistake mistakes[] = {
      {"CREATE VIRTUAL CLUSTER ^''", "42601 the name of a virtual cluster must not be empty", ""},
      {"CREATE VIRTUAL CLUSTER a LIKE ^''", "42601 the name of a virtual cluster must not be empty", ""},
      {"CREATE EXTERNAL CONNECTION ^'' AS 'uri'", "42601 the name of an external connection must not be empty", ""},
      {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON ^''", "22023 the connection string is empty", ""},
      {from + " WITH RETENTION = '1h', ^RETENTION = '2h'", "42601 RETENTION option specified multiple times", ""},
      {from + " WITH RETENTION = ^'-1h'", "22023 retention" + seconds, ""},
      {from + " WITH RETENTION = ^'900000h'", "22023 retention" + seconds, ""},
      {from + " WITH RETENTION = ^'soon'", "22007 invalid input syntax for type interval: \"soon\"", ""},
      {from + " WITH READ VIRTUAL CLUSTER, ^READ VIRTUAL CLUSTER",
       "42601 READ VIRTUAL CLUSTER option specified multiple times", ""},
      {alter + "SET REPLICATION SOURCE = 'a', SOURCE = ^'b'", "42601 SOURCE option specified multiple times", ""},
      {alter + "SWITCHOVER WITH PAUSE BUDGET = ^'-1s'", "22023 pause budget" + seconds, ""},
      {"ALTER VIRTUAL CLUSTER [^99999999999] STOP SERVICE", "54000 virtual cluster ID 99999999999 is out of range", ""},
      {"PAUSE JOB ^18446744073709551616", "54000 job ID 18446744073709551616 is out of range", ""},
      {alter + "GRANT CAPABILITY ^can_fly", "42601 unknown capability: \"can_fly\"", ""},
      {alter + "GRANT CAPABILITY ^span_config_bounds", "42601 value required for capability: \"span_config_bounds\"", ""},
      {alter + "REVOKE CAPABILITY ^can_admin_split = true", "42601 no value allowed in revoke: \"can_admin_split\"", ""},
      {alter + "REVOKE CAPABILITY ^span_config_bounds", "22023 cannot REVOKE CAPABILITY \"span_config_bounds\"", ""},
      {alter + "GRANT CAPABILITY can_admin_split, ^can_admin_split",
       "42601 capability \"can_admin_split\" specified multiple times", ""},
      {"SHOW VIRTUAL CLUSTERS WITH CAPABILITIES, ^CAPABILITIES", "42601 CAPABILITIES option specified multiple times", ""},
  };
  for (const Mistake& mistake : mistakes) ExpectMistake(mistake);
}

TEST(GrammarErrorTest, WhatWeDoNotHaveIsNamed) {
  const std::string alter = "ALTER VIRTUAL CLUSTER main ";
  const std::pair<std::string, std::string> cases[] = {
      {"CREATE VIRTUAL CLUSTER [7]", "choosing the ID of a new virtual cluster"},
      {alter + "START SERVICE EXTERNAL", "START SERVICE EXTERNAL"},
      {alter + "COMPLETE REPLICATION TO SYSTEM TIME now()", "\"now\" in a SYSTEM TIME expression"},
      {alter + "COMPLETE REPLICATION TO SYSTEM TIME (SELECT 1)", "\"(\" in a SYSTEM TIME expression"},
      {alter + "COMPLETE REPLICATION TO SYSTEM TIME 'x'::uuid", "a cast to uuid in a SYSTEM TIME expression"},
      {alter + "COMPLETE REPLICATION TO SYSTEM TIME '17'::decimal - 1", "arithmetic in a SYSTEM TIME expression"},
      {alter + "COMPLETE REPLICATION TO SYSTEM TIME $1", "a parameter ($1) in ALTER VIRTUAL CLUSTER"},
      {"CREATE VIRTUAL CLUSTER $1", "a parameter ($1) in CREATE VIRTUAL CLUSTER"},
      {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON U&'x'",
       "a string with Unicode escapes in CREATE VIRTUAL CLUSTER"},
      {"SHOW EXPERIMENTAL_FINGERPRINTS FROM TABLE t", "SHOW EXPERIMENTAL_FINGERPRINTS FROM TABLE"},
      {"GRANT SYSTEM MANAGEVIRTUALCLUSTER TO a WITH GRANT OPTION", "GRANT SYSTEM ... WITH GRANT OPTION"},
      {"CANCEL QUERY 'x'", "CANCEL QUERY"},
      {"CANCEL SESSIONS (SELECT 1)", "CANCEL SESSION"},
      {"SHOW CLUSTER QUERIES", "SHOW QUERIES"},
      {"SHOW SESSIONS", "SHOW SESSIONS"},
      {"SHOW ZONE CONFIGURATIONS", "SHOW ZONE CONFIGURATIONS"},
      {"ALTER RANGE default CONFIGURE ZONE USING num_replicas = 3", "CONFIGURE ZONE"},
      {"ALTER TABLE t CONFIGURE ZONE DISCARD", "CONFIGURE ZONE"},
  };
  for (const auto& [text, name] : cases) {
    EXPECT_EQ(Outcome(text), "0A000 " + name + " is not supported in this version") << text;
  }
}

TEST(GrammarErrorTest, CastsAreChecked) {
  const std::string complete = "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO SYSTEM TIME ";
  EXPECT_EQ(Outcome(complete + "'soon'::interval").substr(0, 5), "22007");
  EXPECT_EQ(Outcome(complete + "'-10s'::timestamptz").substr(0, 5), "22007");
  EXPECT_EQ(Outcome(complete + "'x'::decimal").substr(0, 2), "22");
}

// Statements of every kind, with tokens taken out, doubled or brought in from another: whatever comes out is a statement, or
// an error with a place in the text.
TEST(GrammarErrorTest, DamagedStatementsAreStatementsOrErrorsWithAPlace) {
  const std::vector<std::string> whole = {
      "CREATE VIRTUAL CLUSTER IF NOT EXISTS a LIKE b FROM REPLICATION OF [3] ON E'x\\n' WITH OPTIONS (RETENTION = '1h', "
      "READ VIRTUAL CLUSTER, EXPIRATION WINDOW '2h') ;",
      "CREATE VIRTUAL CLUSTER a FROM CLONE OF \"b\" AS OF SYSTEM TIME INTERVAL '-1h'::interval::string",
      "ALTER VIRTUAL CLUSTER [7] COMPLETE REPLICATION TO SYSTEM TIME -17.5::decimal WITH FENCE",
      "EXPLAIN ALTER VIRTUAL CLUSTER 'a' START REPLICATION OF b ON $$x$$ WITH RETENTION '1h'",
      "ALTER TENANT a SET REPLICATION RETENTION = '1h', SOURCE EXPIRATION WINDOW = '2h', SOURCE = 'u'",
      "ALTER VIRTUAL CLUSTER a GRANT CAPABILITY can_admin_split = true, span_config_bounds = 'x'",
      "ALTER VIRTUAL CLUSTER a SWITCHOVER WITH PAUSE BUDGET = '1s'",
      "SHOW VIRTUAL CLUSTER a WITH REPLICATION STATUS, CAPABILITIES, PRIOR REPLICATION DETAILS",
      "SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER a WITH START TIMESTAMP = 17 AS OF SYSTEM TIME +18",
      "GRANT SYSTEM MANAGEVIRTUALCLUSTER, ALL PRIVILEGES TO user, \"Ann\"",
      "ALTER VIRTUAL CLUSTER a SET CLUSTER SETTING b.c.d = -1",
      "SHOW ALL CLUSTER SETTINGS FOR VIRTUAL CLUSTER [99999999999]",
      "SHOW JOBS WHEN COMPLETE 1, 99999999999999999999",
      "CREATE EXTERNAL CONNECTION IF NOT EXISTS c AS 'u' $1 ( ] U&'x'",
  };
  std::vector<std::vector<std::string>> split;
  for (const std::string& text : whole) {
    const std::optional<std::vector<SystemToken>> tokens = TokenizeSystemStatement(text);
    ASSERT_TRUE(tokens.has_value()) << text;
    std::vector<std::string>& words = split.emplace_back();
    for (const SystemToken& token : *tokens) words.emplace_back(token.text);
  }
  std::mt19937 random(20261129);
  const auto below = [&](size_t bound) { return random() % bound; };
  std::map<std::string, int> outcomes;
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::string> words = split[below(split.size())];
    for (size_t damage = 1 + below(3); damage > 0; --damage) {
      const std::vector<std::string>& other = split[below(split.size())];
      const auto at = words.begin() + static_cast<std::ptrdiff_t>(3 + below(words.size() - 3));
      if (below(2) == 0 && words.size() > 5) {
        words.erase(at);
      } else {
        words.insert(at, other[below(other.size())]);
      }
    }
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    const absl::StatusOr<SystemStatementRef> statement = ParseSystemStatement(text);
    if (statement.ok()) {
      ++outcomes[*statement == nullptr ? "-" : "OK"];
      continue;
    }
    const std::string sqlstate = SqlStateOf(statement.status());
    ++outcomes[sqlstate];
    EXPECT_TRUE(sqlstate == "42601" || sqlstate == "0A000" || sqlstate == "54000" || sqlstate.substr(0, 3) == "220")
        << text << ": " << statement.status();
    const std::optional<int> location = LocationOf(statement.status());
    ASSERT_TRUE(location.has_value()) << text << ": " << statement.status();
    EXPECT_LE(static_cast<size_t>(*location), text.size()) << text;
  }
  for (const char* outcome : {"OK", "42601", "0A000", "54000"}) EXPECT_GT(outcomes[outcome], 20) << outcome;
}

}  // namespace
}  // namespace anabranch
