#include <gtest/gtest.h>

#include "base/status.h"
#include "sql/control/statement.h"

namespace anabranch {
namespace {

template <typename Shape>
Shape Parsed(const std::string& text) {
  absl::StatusOr<SystemStatementRef> statement = ParseSystemStatement(text);
  EXPECT_TRUE(statement.ok()) << text << ": " << MessageOf(statement.status());
  if (!statement.ok() || *statement == nullptr || !std::holds_alternative<Shape>(**statement)) {
    ADD_FAILURE() << "not the expected statement: " << text;
    return Shape();
  }
  return std::get<Shape>(**statement);
}

// "<SQLSTATE> <message>", "OK" for one of ours, "-" for PostgreSQL's.
std::string Outcome(const std::string& text) {
  absl::StatusOr<SystemStatementRef> statement = ParseSystemStatement(text);
  if (!statement.ok()) return SqlStateOf(statement.status()) + " " + MessageOf(statement.status());
  return *statement != nullptr ? "OK" : "-";
}

std::string Name(const VirtualClusterSpec& spec) {
  const auto* name = std::get_if<std::string>(&spec);
  return name != nullptr ? *name : fmt::format("[{}]", std::get<TenantId>(spec).value());
}

constexpr char kFrom[] =
    "CREATE VIRTUAL CLUSTER b FROM REPLICATION OF main ON 'postgresql://root@127.0.0.1:26257?options=-ccluster%3Dsystem'";

TEST(SystemParserTest, OtherStatementsArePostgreSqls) {
  for (const char* text :
       {"", "SELECT 1", "SELECT 'create virtual cluster'", "CREATE TABLE t (k INT)", "ALTER TABLE t ADD c INT",
        "DROP TABLE t", "SHOW server_version", "SET a = 1", "EXPLAIN SELECT 1", "-- nothing", "CREATE USER u",
        "SHOW TABLES", "create 'open", "/* x */ SELECT 1", "GRANT admin TO u"}) {
    EXPECT_EQ(Outcome(text), "-") << text;
  }
}

TEST(SystemParserTest, Create) {
  EXPECT_EQ(Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER main").name, "main");
  EXPECT_EQ(Parsed<CreateVirtualCluster>("  create /* a */ virtual -- b\n cluster MaiN ;").name, "main");
  EXPECT_EQ(Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER \"Ma\"\"in\"").name, "Ma\"in");
  EXPECT_EQ(Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER 'it''s'").name, "it's");
  EXPECT_TRUE(Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER IF NOT EXISTS main").if_not_exists);
  EXPECT_FALSE(Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER main").source_name.has_value());
}

TEST(SystemParserTest, CreateFromReplication) {
  const auto create = Parsed<CreateVirtualCluster>(kFrom);
  EXPECT_EQ(create.name, "b");
  EXPECT_EQ(create.source_name, "main");
  EXPECT_EQ(create.uri, "postgresql://root@127.0.0.1:26257?options=-ccluster%3Dsystem");
  EXPECT_EQ(create.replication.retention_ns, std::nullopt);
  const uint64_t hours_4 = 4ull * 3600 * 1'000'000'000;
  for (const char* options : {" WITH RETENTION = '4h'", " WITH RETENTION '4h'", " WITH OPTIONS (RETENTION = '4h')"}) {
    EXPECT_EQ(Parsed<CreateVirtualCluster>(kFrom + std::string(options)).replication.retention_ns, hours_4) << options;
  }
}

TEST(SystemParserTest, VirtualClustersByNameStringOrId) {
  EXPECT_EQ(Name(Parsed<AlterVirtualCluster>("ALTER VIRTUAL CLUSTER Main STOP SERVICE").target), "main");
  EXPECT_EQ(Name(Parsed<AlterVirtualCluster>("ALTER VIRTUAL CLUSTER 'Main' STOP SERVICE").target), "Main");
  EXPECT_EQ(Name(Parsed<AlterVirtualCluster>("ALTER VIRTUAL CLUSTER [3] STOP SERVICE").target), "[3]");
  EXPECT_EQ(Name(Parsed<DropVirtualCluster>("DROP VIRTUAL CLUSTER [ 12 ]").target), "[12]");
}

TEST(SystemParserTest, AlterActions) {
  using Action = AlterVirtualCluster::Action;
  const auto action = [](const std::string& rest) {
    return Parsed<AlterVirtualCluster>("ALTER VIRTUAL CLUSTER main " + rest).action;
  };
  EXPECT_EQ(action("PAUSE REPLICATION"), Action::kPause);
  EXPECT_EQ(action("RESUME REPLICATION"), Action::kResume);
  EXPECT_EQ(action("COMPLETE REPLICATION TO LATEST"), Action::kComplete);
  EXPECT_EQ(action("CANCEL REPLICATION"), Action::kCancel);
  EXPECT_EQ(action("START SERVICE SHARED"), Action::kStartService);
  EXPECT_EQ(action("STOP SERVICE"), Action::kStopService);
  EXPECT_EQ(action("SET CLUSTER SETTING gc.ttlseconds = 600"), Action::kSetSetting);
  const auto start = Parsed<AlterVirtualCluster>(
      "ALTER VIRTUAL CLUSTER main START REPLICATION OF other ON 'postgres://h' WITH RETENTION = '1m'");
  EXPECT_EQ(start.action, Action::kStartReplication);
  EXPECT_EQ(start.source_name, "other");
  EXPECT_EQ(start.uri, "postgres://h");
  EXPECT_EQ(start.replication.retention_ns, 60'000'000'000u);
}

TEST(SystemParserTest, SettingsOfAVirtualCluster) {
  const auto set = [](const std::string& rest) {
    const auto alter = Parsed<AlterVirtualCluster>("ALTER VIRTUAL CLUSTER main " + rest);
    EXPECT_EQ(alter.action, AlterVirtualCluster::Action::kSetSetting);
    return alter.setting + " " + alter.setting_value.value_or("(default)");
  };
  EXPECT_EQ(set("SET CLUSTER SETTING gc.ttlseconds = 600"), "gc.ttlseconds 600");
  EXPECT_EQ(set("SET CLUSTER SETTING GC.TTLSeconds TO '600'"), "gc.ttlseconds 600");
  EXPECT_EQ(set("SET CLUSTER SETTING gc.ttlseconds = -1"), "gc.ttlseconds -1");
  EXPECT_EQ(set("SET CLUSTER SETTING a.b.c = on"), "a.b.c on");
  EXPECT_EQ(set("SET CLUSTER SETTING gc.ttlseconds = DEFAULT"), "gc.ttlseconds (default)");
  EXPECT_EQ(set("RESET CLUSTER SETTING gc.ttlseconds"), "gc.ttlseconds (default)");
  const auto show = Parsed<ShowSetting>("SHOW CLUSTER SETTING gc.ttlseconds FOR VIRTUAL CLUSTER [2];");
  EXPECT_EQ(show.setting, "gc.ttlseconds");
  EXPECT_EQ(Name(show.target), "[2]");
}

TEST(SystemParserTest, TimeExpressionsStayAsWritten) {
  const auto time = [](const std::string& expression) {
    const auto alter =
        Parsed<AlterVirtualCluster>("ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO SYSTEM TIME " + expression);
    const auto* target = std::get_if<ToSystemTime>(&alter.failover_target);
    return target != nullptr ? target->expression : "none";
  };
  EXPECT_EQ(time("'-10s'"), "-10s");
  EXPECT_EQ(time("'+5h'"), "+5h");
  EXPECT_EQ(time("1695922878030920020.0000000000"), "1695922878030920020.0000000000");
  EXPECT_EQ(time("1695922878030920020"), "1695922878030920020");
  EXPECT_EQ(time("-5"), "-5");
  EXPECT_EQ(time("'2026-11-23 09:46:00+00'::timestamptz"), "2026-11-23 09:46:00+00");
  EXPECT_EQ(time("TIMESTAMPTZ '2026-11-23 09:46:00+00'"), "2026-11-23 09:46:00+00");
  EXPECT_EQ(time("'2026-11-23 09:46:00'::timestamp with time zone"), "2026-11-23 09:46:00");
  EXPECT_EQ(time("'-1h'::interval"), "-3600.000000000s");
  EXPECT_EQ(time("INTERVAL '-1500ms'"), "-1.500000000s");
  EXPECT_EQ(time("'17'::decimal"), "17");
  EXPECT_EQ(time("'-10s'::string"), "-10s");
}

TEST(SystemParserTest, DropAndShow) {
  EXPECT_TRUE(Parsed<DropVirtualCluster>("DROP VIRTUAL CLUSTER IF EXISTS main IMMEDIATE").if_exists);
  EXPECT_FALSE(Parsed<DropVirtualCluster>("DROP VIRTUAL CLUSTER main").if_exists);
  EXPECT_FALSE(Parsed<ShowVirtualClusters>("SHOW VIRTUAL CLUSTERS").target.has_value());
  EXPECT_TRUE(Parsed<ShowVirtualClusters>("SHOW VIRTUAL CLUSTERS WITH REPLICATION STATUS").with_replication_status);
  const auto show = Parsed<ShowVirtualClusters>("SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS;");
  EXPECT_EQ(Name(*show.target), "main");
  EXPECT_TRUE(show.with_replication_status);
  EXPECT_FALSE(Parsed<ShowVirtualClusters>("SHOW VIRTUAL CLUSTER main").with_replication_status);
}

TEST(SystemParserTest, Fingerprints) {
  const auto plain = Parsed<ShowFingerprints>("SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main");
  EXPECT_EQ(plain.start_timestamp, std::nullopt);
  EXPECT_EQ(plain.as_of, std::nullopt);
  const auto full = Parsed<ShowFingerprints>(
      "SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main WITH START TIMESTAMP = '17.0000000000' AS OF SYSTEM TIME "
      "18.0000000000");
  EXPECT_EQ(full.start_timestamp, "17.0000000000");
  EXPECT_EQ(full.as_of, "18.0000000000");
}

TEST(SystemParserTest, OnlyShowReturnsRowsToSelectFrom) {
  EXPECT_TRUE(ReturnsRows(**ParseSystemStatement("SHOW VIRTUAL CLUSTERS")));
  EXPECT_TRUE(ReturnsRows(**ParseSystemStatement("SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main")));
  EXPECT_TRUE(ReturnsRows(**ParseSystemStatement("SHOW CLUSTER SETTING a FOR VIRTUAL CLUSTER main")));
  EXPECT_FALSE(ReturnsRows(**ParseSystemStatement("DROP VIRTUAL CLUSTER main")));
}

TEST(SystemParserTest, MistakesNameTheToken) {
  const std::string from(kFrom);
  const std::pair<std::string, std::string> cases[] = {
      {"CREATE VIRTUAL CLUSTER", "42601 syntax error at end of input"},
      {"CREATE VIRTUAL CLUSTER ''", "42601 the name of a virtual cluster must not be empty"},
      {"CREATE VIRTUAL CLUSTER a b", "42601 syntax error at or near \"b\""},
      {"CREATE VIRTUAL CLUSTER user", "42601 syntax error at or near \"user\""},
      {"CREATE VIRTUAL CLUSTER a; DROP VIRTUAL CLUSTER a", "42601 syntax error at or near \"DROP\""},
      {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b", "42601 syntax error at end of input"},
      {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON uri", "42601 syntax error at or near \"uri\""},
      {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON 'http://x'",
       "22023 the URI after ON must begin with postgresql://"},
      {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON ''", "22023 the connection string after ON is empty"},
      {from + " WITH", "42601 syntax error at end of input"},
      {from + " WITH OPTIONS (RETENTION = '4h'", "42601 syntax error at end of input"},
      {from + " WITH RETENTION = '1h', RETENTION = '2h'", "42601 RETENTION option specified multiple times"},
      {from + " WITH RETENTION = '-1h'", "22023 retention should result in a number of seconds between 0 and 2147483647"},
      {from + " WITH RETENTION = '900000h'",
       "22023 retention should result in a number of seconds between 0 and 2147483647"},
      {"ALTER VIRTUAL CLUSTER main", "42601 syntax error at end of input"},
      {"ALTER VIRTUAL CLUSTER main PAUSE", "42601 syntax error at or near \"PAUSE\""},
      {"ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION", "42601 syntax error at end of input"},
      {"ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO NEWEST", "42601 syntax error at or near \"NEWEST\""},
      {"ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO SYSTEM TIME", "42601 syntax error at end of input"},
      {"ALTER VIRTUAL CLUSTER main START SERVICE", "42601 syntax error at end of input"},
      {"ALTER VIRTUAL CLUSTER [] STOP SERVICE", "42601 syntax error at or near \"]\""},
      {"ALTER VIRTUAL CLUSTER [1.5] STOP SERVICE", "42601 syntax error at or near \"1.5\""},
      {"ALTER VIRTUAL CLUSTER [99999999999] STOP SERVICE", "54000 virtual cluster ID 99999999999 is out of range"},
      {"ALTER VIRTUAL CLUSTER main SET CLUSTER SETTING", "42601 syntax error at end of input"},
      {"ALTER VIRTUAL CLUSTER main SET CLUSTER SETTING gc.ttlseconds", "42601 syntax error at end of input"},
      {"ALTER VIRTUAL CLUSTER main SET CLUSTER SETTING gc.ttlseconds =", "42601 syntax error at end of input"},
      {"ALTER VIRTUAL CLUSTER main RESET CLUSTER SETTING a = 1", "42601 syntax error at or near \"=\""},
      {"SHOW CLUSTER SETTING a FOR main", "42601 syntax error at or near \"main\""},
      {"SHOW VIRTUAL CLUSTER", "42601 syntax error at end of input"},
      {"SHOW VIRTUAL CLUSTERS main", "42601 syntax error at or near \"main\""},
      {"SHOW EXPERIMENTAL_FINGERPRINTS", "42601 syntax error at end of input"},
      {"DROP VIRTUAL CLUSTER main CASCADE", "42601 syntax error at or near \"CASCADE\""},
  };
  for (const auto& [text, outcome] : cases) EXPECT_EQ(Outcome(text), outcome) << text;
}

TEST(SystemParserTest, WhatComesLaterIsNamed) {
  const std::string alter = "ALTER VIRTUAL CLUSTER main ";
  const std::string from(kFrom);
  const std::pair<std::string, std::string> cases[] = {
      {"CREATE VIRTUAL CLUSTER a LIKE b", "CREATE VIRTUAL CLUSTER ... LIKE"},
      {"CREATE VIRTUAL CLUSTER [7]", "choosing the ID of a new virtual cluster"},
      {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON 'conn'", "an external connection after ON"},
      {"CREATE VIRTUAL CLUSTER a FROM REPLICATION OF b ON 'external://conn'", "an external connection after ON"},
      {from + " WITH READ VIRTUAL CLUSTER", "READ VIRTUAL CLUSTER"},
      {from + " WITH EXPIRATION WINDOW = '1h'", "EXPIRATION WINDOW"},
      {alter + "RENAME TO b", "ALTER VIRTUAL CLUSTER ... RENAME TO"},
      {alter + "GRANT ALL CAPABILITIES", "ALTER VIRTUAL CLUSTER ... GRANT ALL CAPABILITIES"},
      {alter + "REVOKE CAPABILITY can_admin_split", "ALTER VIRTUAL CLUSTER ... REVOKE CAPABILITY"},
      {alter + "RESET DATA TO SYSTEM TIME '-1h'", "ALTER VIRTUAL CLUSTER ... RESET DATA"},
      {alter + "SET REPLICATION RETENTION = '1h'", "ALTER VIRTUAL CLUSTER ... SET REPLICATION RETENTION"},
      {alter + "UNDO COMPLETE REPLICATION", "ALTER VIRTUAL CLUSTER ... UNDO COMPLETE REPLICATION"},
      {alter + "START SERVICE EXTERNAL", "START SERVICE EXTERNAL"},
      {alter + "COMPLETE REPLICATION TO SYSTEM TIME now()", "\"now\" in a SYSTEM TIME expression"},
      {alter + "COMPLETE REPLICATION TO SYSTEM TIME (SELECT 1)", "\"(\" in a SYSTEM TIME expression"},
      {alter + "COMPLETE REPLICATION TO SYSTEM TIME 'x'::uuid", "a cast to uuid in a SYSTEM TIME expression"},
      {alter + "COMPLETE REPLICATION TO SYSTEM TIME '17'::decimal - 1", "arithmetic in a SYSTEM TIME expression"},
      {"EXPLAIN ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO LATEST", "EXPLAIN ALTER VIRTUAL CLUSTER"},
      {"SHOW VIRTUAL CLUSTERS WITH CAPABILITIES", "SHOW VIRTUAL CLUSTER ... WITH CAPABILITIES"},
      {"SHOW VIRTUAL CLUSTER a WITH PRIOR REPLICATION DETAILS", "SHOW VIRTUAL CLUSTER ... WITH PRIOR REPLICATION DETAILS"},
      {"CREATE EXTERNAL CONNECTION c AS 'uri'", "CREATE EXTERNAL CONNECTION"},
      {"SET CLUSTER SETTING a.b = 1", "SET CLUSTER SETTING"},
      {"SHOW CLUSTER SETTING a.b", "SHOW CLUSTER SETTING"},
      {"SHOW JOBS", "SHOW JOBS"},
      {"SHOW JOB WHEN COMPLETE 1", "SHOW JOB"},
      {"GRANT SYSTEM MANAGEVIRTUALCLUSTER TO user", "GRANT SYSTEM"},
      {"SHOW LOST WRITES FROM VIRTUAL CLUSTER main", "SHOW LOST WRITES"},
  };
  for (const auto& [text, name] : cases)
    EXPECT_EQ(Outcome(text), "0A000 " + name + " is not supported in this version") << text;
}

TEST(SystemParserTest, CastsAreChecked) {
  const std::string complete = "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO SYSTEM TIME ";
  EXPECT_EQ(Outcome(complete + "'soon'::interval").substr(0, 5), "22007");
  EXPECT_EQ(Outcome(complete + "'-10s'::timestamptz").substr(0, 5), "22007");
  EXPECT_NE(Outcome(complete + "'x'::decimal"), "OK");
}

}  // namespace
}  // namespace anabranch
