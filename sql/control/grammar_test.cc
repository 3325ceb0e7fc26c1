#include <gtest/gtest.h>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/statement.h"
#include "sql/control/statement_info.h"

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

// The action of ALTER VIRTUAL CLUSTER main <rest>.
template <typename Action>
Action Altered(const std::string& rest) {
  const auto alter = Parsed<AlterVirtualCluster>("ALTER VIRTUAL CLUSTER main " + rest);
  if (!std::holds_alternative<Action>(alter.action)) {
    ADD_FAILURE() << "not the expected action: " << rest;
    return Action();
  }
  return std::get<Action>(alter.action);
}

// "<SQLSTATE> <message>", the name of one of ours, "-" for PostgreSQL's.
std::string Outcome(const std::string& text) {
  absl::StatusOr<SystemStatementRef> statement = ParseSystemStatement(text);
  if (!statement.ok()) return SqlStateOf(statement.status()) + " " + MessageOf(statement.status());
  return *statement != nullptr ? std::string(InfoOf(**statement).name) : "-";
}

std::string Name(const VirtualClusterSpec& spec) {
  const auto* name = std::get_if<std::string>(&spec);
  return name != nullptr ? *name : fmt::format("[{}]", std::get<TenantId>(spec).value());
}

constexpr uint64_t kHourNs = 3600ull * 1'000'000'000;

constexpr char kFrom[] =
    "CREATE VIRTUAL CLUSTER b FROM REPLICATION OF main ON 'postgresql://root@127.0.0.1:26257?options=-ccluster%3Dsystem'";

TEST(GrammarTest, OtherStatementsArePostgreSqls) {
  for (const char* text : {"",
                           "SELECT 1",
                           "SELECT 'create virtual cluster'",
                           "CREATE TABLE t (k INT)",
                           "ALTER TABLE t ADD c INT",
                           "DROP TABLE t",
                           "SHOW server_version",
                           "SHOW ALL",
                           "SET a = 1",
                           "RESET ALL",
                           "EXPLAIN SELECT 1",
                           "-- nothing",
                           "CREATE USER u",
                           "SHOW TABLES",
                           "create 'open",
                           "/* x */ SELECT 1",
                           "GRANT admin TO u",
                           "SHOW cluster.name",
                           "CREATE TABLE t (k TEXT DEFAULT E'\\uD83D\\uDE00')",
                           "CREATE VIRTUAL TABLE t"}) {
    EXPECT_EQ(Outcome(text), "-") << text;
  }
}

// Each form that the grammar has, and the name that messages call it by.
TEST(GrammarTest, EveryForm) {
  const std::string from(kFrom);
  const std::string on = " ON 'postgres://h'";
  const std::pair<std::string, std::string> cases[] = {
      {"CREATE VIRTUAL CLUSTER a", "CREATE VIRTUAL CLUSTER"},
      {"CREATE VIRTUAL CLUSTER IF NOT EXISTS a LIKE b;", "CREATE VIRTUAL CLUSTER"},
      {from, "CREATE VIRTUAL CLUSTER ... FROM REPLICATION"},
      {from + " WITH RETENTION = '4h', READ VIRTUAL CLUSTER", "CREATE VIRTUAL CLUSTER ... FROM REPLICATION"},
      {from + " WITH OPTIONS (RETENTION '4h', READ VIRTUAL CLUSTER)", "CREATE VIRTUAL CLUSTER ... FROM REPLICATION"},
      {"CREATE VIRTUAL CLUSTER a LIKE [3] FROM REPLICATION OF [4]" + on, "CREATE VIRTUAL CLUSTER ... FROM REPLICATION"},
      {"CREATE VIRTUAL CLUSTER a FROM CLONE OF b", "CREATE VIRTUAL CLUSTER ... FROM CLONE"},
      {"CREATE VIRTUAL CLUSTER a FROM CLONE OF b AS OF SYSTEM TIME '-1h'", "CREATE VIRTUAL CLUSTER ... FROM CLONE"},
      {"ALTER VIRTUAL CLUSTER a PAUSE REPLICATION", "ALTER VIRTUAL CLUSTER ... PAUSE REPLICATION"},
      {"ALTER VIRTUAL CLUSTER a RESUME REPLICATION", "ALTER VIRTUAL CLUSTER ... RESUME REPLICATION"},
      {"ALTER VIRTUAL CLUSTER a CANCEL REPLICATION", "ALTER VIRTUAL CLUSTER ... CANCEL REPLICATION"},
      {"ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO LATEST", "ALTER VIRTUAL CLUSTER ... COMPLETE REPLICATION"},
      {"ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO SYSTEM TIME '-1s' WITH FENCE",
       "ALTER VIRTUAL CLUSTER ... COMPLETE REPLICATION"},
      {"ALTER VIRTUAL CLUSTER a UNDO COMPLETE REPLICATION", "ALTER VIRTUAL CLUSTER ... UNDO COMPLETE REPLICATION"},
      {"ALTER VIRTUAL CLUSTER a START REPLICATION OF b" + on, "ALTER VIRTUAL CLUSTER ... START REPLICATION"},
      {"ALTER VIRTUAL CLUSTER a START REPLICATION OF [2]" + on + " WITH READ VIRTUAL CLUSTER",
       "ALTER VIRTUAL CLUSTER ... START REPLICATION"},
      {"ALTER VIRTUAL CLUSTER a SET REPLICATION RETENTION = '1h'", "ALTER VIRTUAL CLUSTER ... SET REPLICATION"},
      {"ALTER VIRTUAL CLUSTER a SET REPLICATION SOURCE EXPIRATION WINDOW = '1h'",
       "ALTER VIRTUAL CLUSTER ... SET REPLICATION"},
      {"ALTER VIRTUAL CLUSTER a SET REPLICATION SOURCE = 'uri'", "ALTER VIRTUAL CLUSTER ... SET REPLICATION"},
      {"ALTER VIRTUAL CLUSTER a SWITCHOVER", "ALTER VIRTUAL CLUSTER ... SWITCHOVER"},
      {"ALTER VIRTUAL CLUSTER a SWITCHOVER WITH PAUSE BUDGET = '2s'", "ALTER VIRTUAL CLUSTER ... SWITCHOVER"},
      {"ALTER VIRTUAL CLUSTER a VERIFY", "ALTER VIRTUAL CLUSTER ... VERIFY"},
      {"ALTER VIRTUAL CLUSTER a RESET DATA TO SYSTEM TIME 17", "ALTER VIRTUAL CLUSTER ... RESET DATA"},
      {"ALTER VIRTUAL CLUSTER a START SERVICE SHARED", "ALTER VIRTUAL CLUSTER ... START SERVICE"},
      {"ALTER VIRTUAL CLUSTER a STOP SERVICE", "ALTER VIRTUAL CLUSTER ... STOP SERVICE"},
      {"ALTER VIRTUAL CLUSTER a RENAME TO b", "ALTER VIRTUAL CLUSTER ... RENAME TO"},
      {"ALTER VIRTUAL CLUSTER a GRANT ALL CAPABILITIES", "ALTER VIRTUAL CLUSTER ... GRANT ALL CAPABILITIES"},
      {"ALTER VIRTUAL CLUSTER a REVOKE ALL CAPABILITIES", "ALTER VIRTUAL CLUSTER ... REVOKE ALL CAPABILITIES"},
      {"ALTER VIRTUAL CLUSTER a GRANT CAPABILITY can_admin_split = true, can_view_node_info",
       "ALTER VIRTUAL CLUSTER ... GRANT CAPABILITY"},
      {"ALTER VIRTUAL CLUSTER a REVOKE CAPABILITY can_admin_split", "ALTER VIRTUAL CLUSTER ... REVOKE CAPABILITY"},
      {"ALTER VIRTUAL CLUSTER a SET CLUSTER SETTING b = 1", "ALTER VIRTUAL CLUSTER ... SET CLUSTER SETTING"},
      {"ALTER VIRTUAL CLUSTER a RESET CLUSTER SETTING b", "ALTER VIRTUAL CLUSTER ... RESET CLUSTER SETTING"},
      {"DROP VIRTUAL CLUSTER IF EXISTS a IMMEDIATE", "DROP VIRTUAL CLUSTER"},
      {"SHOW VIRTUAL CLUSTERS", "SHOW VIRTUAL CLUSTER"},
      {"SHOW VIRTUAL CLUSTER a WITH REPLICATION STATUS, CAPABILITIES, PRIOR REPLICATION DETAILS", "SHOW VIRTUAL CLUSTER"},
      {"SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER a", "SHOW EXPERIMENTAL_FINGERPRINTS"},
      {"SHOW LOST WRITES FROM VIRTUAL CLUSTER a", "SHOW LOST WRITES"},
      {"SHOW FAILOVERS", "SHOW FAILOVERS"},
      {"SHOW REPLICATION STREAMS", "SHOW REPLICATION STREAMS"},
      {"EXPLAIN ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO LATEST", "EXPLAIN"},
      {"EXPLAIN ALTER VIRTUAL CLUSTER a START REPLICATION OF b" + on, "EXPLAIN"},
      {"EXPLAIN ALTER VIRTUAL CLUSTER a RESET DATA TO SYSTEM TIME '-1h'", "EXPLAIN"},
      {"EXPLAIN ALTER VIRTUAL CLUSTER a SWITCHOVER", "EXPLAIN"},
      {"EXPLAIN DROP VIRTUAL CLUSTER a", "EXPLAIN"},
      {"EXPLAIN LAG FOR VIRTUAL CLUSTER a", "EXPLAIN LAG"},
      {"CREATE EXTERNAL CONNECTION IF NOT EXISTS c AS 'uri'", "CREATE EXTERNAL CONNECTION"},
      {"ALTER EXTERNAL CONNECTION IF EXISTS c AS 'uri'", "ALTER EXTERNAL CONNECTION"},
      {"DROP EXTERNAL CONNECTION IF EXISTS c", "DROP EXTERNAL CONNECTION"},
      {"SHOW EXTERNAL CONNECTIONS", "SHOW EXTERNAL CONNECTIONS"},
      {"SHOW EXTERNAL CONNECTION c", "SHOW EXTERNAL CONNECTIONS"},
      {"GRANT SYSTEM MANAGEVIRTUALCLUSTER, REPLICATIONDEST TO user, \"Ann\"", "GRANT SYSTEM"},
      {"GRANT SYSTEM ALL PRIVILEGES TO ann", "GRANT SYSTEM"},
      {"REVOKE SYSTEM REPLICATIONSOURCE FROM user", "REVOKE SYSTEM"},
      {"SHOW SYSTEM GRANTS", "SHOW SYSTEM GRANTS"},
      {"SHOW SYSTEM GRANTS FOR ann, user", "SHOW SYSTEM GRANTS"},
      {"SET CLUSTER SETTING a.b = 1", "SET CLUSTER SETTING"},
      {"SET CLUSTER SETTING a.b TO DEFAULT", "RESET CLUSTER SETTING"},
      {"RESET CLUSTER SETTING a.b", "RESET CLUSTER SETTING"},
      {"SHOW CLUSTER SETTING a.b", "SHOW CLUSTER SETTING"},
      {"SHOW CLUSTER SETTING a.b FOR VIRTUAL CLUSTER c", "SHOW CLUSTER SETTING"},
      {"SHOW CLUSTER SETTINGS", "SHOW CLUSTER SETTINGS"},
      {"SHOW ALL CLUSTER SETTINGS", "SHOW CLUSTER SETTINGS"},
      {"SHOW PUBLIC CLUSTER SETTINGS FOR VIRTUAL CLUSTER c", "SHOW CLUSTER SETTINGS"},
      {"SHOW JOBS", "SHOW JOBS"},
      {"SHOW JOB 1", "SHOW JOB"},
      {"SHOW JOB WHEN COMPLETE 1", "SHOW JOB"},
      {"SHOW JOBS WHEN COMPLETE 1, 2", "SHOW JOB"},
      {"CANCEL JOB 1", "CANCEL JOB"},
      {"PAUSE JOBS 1, 2", "PAUSE JOB"},
      {"RESUME JOB 18446744073709551615", "RESUME JOB"},
      {"CREATE TENANT a", "CREATE VIRTUAL CLUSTER"},
      {"ALTER TENANT a STOP SERVICE", "ALTER VIRTUAL CLUSTER ... STOP SERVICE"},
      {"DROP TENANT a", "DROP VIRTUAL CLUSTER"},
      {"SHOW TENANTS", "SHOW VIRTUAL CLUSTER"},
      {"SHOW TENANT a WITH REPLICATION STATUS", "SHOW VIRTUAL CLUSTER"},
      {"SHOW EXPERIMENTAL_FINGERPRINTS FROM TENANT a", "SHOW EXPERIMENTAL_FINGERPRINTS"},
  };
  for (const auto& [text, name] : cases) EXPECT_EQ(Outcome(text), name) << text;
}

TEST(GrammarTest, Create) {
  EXPECT_EQ(Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER main").name, "main");
  EXPECT_EQ(Parsed<CreateVirtualCluster>("  create /* a */ virtual -- b\n cluster MaiN ;").name, "main");
  EXPECT_EQ(Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER \"Ma\"\"in\"").name, "Ma\"in");
  EXPECT_EQ(Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER 'it''s'").name, "it's");
  EXPECT_TRUE(Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER IF NOT EXISTS main").if_not_exists);
  const auto plain = Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER main");
  EXPECT_TRUE(std::holds_alternative<FromNothing>(plain.from));
  EXPECT_EQ(plain.like, std::nullopt);
  EXPECT_EQ(Name(*Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER a LIKE [7]").like), "[7]");
}

TEST(GrammarTest, CreateFromReplication) {
  const auto create = Parsed<CreateVirtualCluster>(kFrom);
  EXPECT_EQ(create.name, "b");
  const auto from = std::get<FromReplication>(create.from);
  EXPECT_EQ(Name(from.source.virtual_cluster), "main");
  EXPECT_EQ(from.source.uri, "postgresql://root@127.0.0.1:26257?options=-ccluster%3Dsystem");
  EXPECT_EQ(from.options.retention_ns, std::nullopt);
  EXPECT_FALSE(from.options.read_virtual_cluster);
  for (const char* options : {" WITH RETENTION = '4h'", " WITH RETENTION '4h'", " WITH OPTIONS (RETENTION = '4h')",
                              " WITH RETENTION = INTERVAL '4h'", " WITH READ VIRTUAL CLUSTER, RETENTION = '4 hours'"}) {
    const auto with = std::get<FromReplication>(Parsed<CreateVirtualCluster>(kFrom + std::string(options)).from);
    EXPECT_EQ(with.options.retention_ns, 4 * kHourNs) << options;
    EXPECT_EQ(with.options.read_virtual_cluster, std::string_view(options).find("READ") != std::string_view::npos);
  }
}

TEST(GrammarTest, CreateFromClone) {
  const auto clone = std::get<FromClone>(
      Parsed<CreateVirtualCluster>("CREATE VIRTUAL CLUSTER a FROM CLONE OF 'b' AS OF SYSTEM TIME '-1h'").from);
  EXPECT_EQ(Name(clone.source), "b");
  EXPECT_EQ(clone.as_of, "-1h");
}

TEST(GrammarTest, VirtualClustersByNameStringOrId) {
  EXPECT_EQ(Name(Parsed<AlterVirtualCluster>("ALTER VIRTUAL CLUSTER Main STOP SERVICE").target), "main");
  EXPECT_EQ(Name(Parsed<AlterVirtualCluster>("ALTER VIRTUAL CLUSTER 'Main' STOP SERVICE").target), "Main");
  EXPECT_EQ(Name(Parsed<AlterVirtualCluster>("ALTER VIRTUAL CLUSTER [3] STOP SERVICE").target), "[3]");
  EXPECT_EQ(Name(Parsed<DropVirtualCluster>("DROP VIRTUAL CLUSTER [ 12 ]").target), "[12]");
  EXPECT_EQ(Name(Altered<StartReplication>("START REPLICATION OF [4] ON 'uri'").source.virtual_cluster), "[4]");
}

TEST(GrammarTest, EveryKindOfString) {
  const auto uri = [](const std::string& quoted) {
    return Altered<StartReplication>("START REPLICATION OF b ON " + quoted).source.uri;
  };
  EXPECT_EQ(uri("'a''b'"), "a'b");
  EXPECT_EQ(uri("'a'\n'b'"), "ab");
  EXPECT_EQ(uri("$$a'b$$"), "a'b");
  EXPECT_EQ(uri("$x$a$$b$x$"), "a$$b");
  EXPECT_EQ(uri("E'a\\'b\\\\c''d'"), "a'b\\c'd");
  EXPECT_EQ(uri("e'\\n\\t\\x41\\101\\u00e9\\U0001F600'"), "\n\tAA\u00e9\U0001F600");
  EXPECT_EQ(uri("E'a'\n'\\x62'"), "ab");
}

TEST(GrammarTest, SetReplication) {
  const auto all = Altered<SetReplication>(
      "SET REPLICATION RETENTION = '1h', EXPIRATION WINDOW = '2h', READ VIRTUAL CLUSTER, SOURCE = 'uri'");
  EXPECT_EQ(all.retention_ns, kHourNs);
  EXPECT_EQ(all.expiration_window_ns, 2 * kHourNs);
  EXPECT_TRUE(all.read_virtual_cluster);
  EXPECT_EQ(all.source_uri, "uri");
  const auto window = Altered<SetReplication>("SET REPLICATION SOURCE EXPIRATION WINDOW '3h'");
  EXPECT_EQ(window.expiration_window_ns, 3 * kHourNs);
  EXPECT_EQ(window.source_uri, std::nullopt);
  EXPECT_EQ(window.retention_ns, std::nullopt);
}

TEST(GrammarTest, Capabilities) {
  const auto grant = Altered<ChangeCapabilities>("GRANT CAPABILITY can_admin_split = false, \"can_view_node_info\"");
  EXPECT_TRUE(grant.grant);
  EXPECT_FALSE(grant.all);
  ASSERT_EQ(grant.capabilities.size(), 2u);
  EXPECT_EQ(grant.capabilities[0].capability, Capability::kAdminSplit);
  EXPECT_EQ(grant.capabilities[0].value, "false");
  EXPECT_EQ(grant.capabilities[1].capability, Capability::kViewNodeInfo);
  EXPECT_EQ(grant.capabilities[1].value, std::nullopt);
  const auto revoke = Altered<ChangeCapabilities>("REVOKE ALL CAPABILITIES");
  EXPECT_FALSE(revoke.grant);
  EXPECT_TRUE(revoke.all);
  EXPECT_TRUE(revoke.capabilities.empty());
}

TEST(GrammarTest, Settings) {
  const auto set = [](const std::string& rest) {
    const auto of_virtual_cluster = Altered<SetVirtualClusterSetting>(rest);
    const auto of_cluster = Parsed<SetClusterSetting>(rest);
    EXPECT_EQ(of_virtual_cluster.setting, of_cluster.setting);
    EXPECT_EQ(of_virtual_cluster.value, of_cluster.value);
    return of_cluster.setting + " " + of_cluster.value.value_or("(default)");
  };
  EXPECT_EQ(set("SET CLUSTER SETTING gc.ttlseconds = 600"), "gc.ttlseconds 600");
  EXPECT_EQ(set("SET CLUSTER SETTING GC.TTLSeconds TO '600'"), "gc.ttlseconds 600");
  EXPECT_EQ(set("SET CLUSTER SETTING gc.ttlseconds = -1"), "gc.ttlseconds -1");
  EXPECT_EQ(set("SET CLUSTER SETTING a.default.c = on"), "a.default.c on");
  EXPECT_EQ(set("SET CLUSTER SETTING gc.ttlseconds = DEFAULT"), "gc.ttlseconds (default)");
  EXPECT_EQ(set("RESET CLUSTER SETTING gc.ttlseconds"), "gc.ttlseconds (default)");
  const auto show = Parsed<ShowClusterSetting>("SHOW CLUSTER SETTING gc.ttlseconds FOR VIRTUAL CLUSTER [2];");
  EXPECT_EQ(show.setting, "gc.ttlseconds");
  EXPECT_EQ(Name(*show.target), "[2]");
  EXPECT_TRUE(Parsed<ShowClusterSettings>("SHOW CLUSTER SETTINGS").only_public);
  EXPECT_FALSE(Parsed<ShowClusterSettings>("SHOW ALL CLUSTER SETTINGS").only_public);
}

TEST(GrammarTest, SystemGrants) {
  const auto grant = Parsed<ChangeSystemGrants>("GRANT SYSTEM managevirtualcluster, REPLICATIONDEST TO user, \"Ann\"");
  EXPECT_TRUE(grant.grant);
  EXPECT_EQ(grant.privileges, (std::vector<std::string>{"MANAGEVIRTUALCLUSTER", "REPLICATIONDEST"}));
  EXPECT_EQ(grant.users, (std::vector<std::string>{"user", "Ann"}));
  const auto revoke = Parsed<ChangeSystemGrants>("REVOKE SYSTEM ALL FROM ann");
  EXPECT_FALSE(revoke.grant);
  EXPECT_TRUE(revoke.all);
}

TEST(GrammarTest, Jobs) {
  EXPECT_EQ(Parsed<ShowJobs>("SHOW JOBS WHEN COMPLETE 1, 2").ids, (std::vector<uint64_t>{1, 2}));
  EXPECT_TRUE(Parsed<ShowJobs>("SHOW JOB WHEN COMPLETE 1").when_complete);
  EXPECT_FALSE(Parsed<ShowJobs>("SHOW JOB 1").when_complete);
  EXPECT_EQ(Parsed<ControlJobs>("PAUSE JOB 18446744073709551615").ids, std::vector<uint64_t>{UINT64_MAX});
  EXPECT_EQ(Parsed<ControlJobs>("PAUSE JOB 1").verb, ControlJobs::Verb::kPause);
  EXPECT_EQ(Parsed<ControlJobs>("CANCEL JOBS 1").verb, ControlJobs::Verb::kCancel);
  EXPECT_EQ(Parsed<ControlJobs>("RESUME JOB 1").verb, ControlJobs::Verb::kResume);
}

TEST(GrammarTest, FailoverTargets) {
  EXPECT_TRUE(std::holds_alternative<ToLatest>(Altered<CompleteReplication>("COMPLETE REPLICATION TO LATEST").to));
  EXPECT_TRUE(Altered<CompleteReplication>("COMPLETE REPLICATION TO LATEST WITH FENCE").with_fence);
  EXPECT_TRUE(Altered<CompleteReplication>("COMPLETE REPLICATION TO LATEST WITH FINGERPRINT").with_fingerprint);
  const auto time = [](const std::string& expression) {
    const FailoverTarget target = Altered<CompleteReplication>("COMPLETE REPLICATION TO SYSTEM TIME " + expression).to;
    return std::holds_alternative<ToSystemTime>(target) ? std::get<ToSystemTime>(target).expression : "LATEST";
  };
  EXPECT_EQ(time("'-10s'"), "-10s");
  EXPECT_EQ(time("E'-10s'"), "-10s");
  EXPECT_EQ(time("'2026-11-23 09:46:00+02'"), "2026-11-23 09:46:00+02");
  EXPECT_EQ(time("1695922878030920020.0000000000"), "1695922878030920020.0000000000");
  EXPECT_EQ(time("1695922878030920020"), "1695922878030920020");
  EXPECT_EQ(time("-5"), "-5");
  EXPECT_EQ(time("'2026-11-23'::timestamptz"), "2026-11-23");
  EXPECT_EQ(time("TIMESTAMPTZ '2026-11-23'"), "2026-11-23");
  EXPECT_EQ(time("'2026-11-23'::timestamp with time zone"), "2026-11-23");
  EXPECT_EQ(time("'-1h'::interval"), "-3600.000000000s");
  EXPECT_EQ(time("INTERVAL '-1500ms'"), "-1.500000000s");
  EXPECT_EQ(time("'17'::decimal"), "17");
  EXPECT_EQ(time("'-10s'::string"), "-10s");
}

TEST(GrammarTest, DropAndShow) {
  const auto drop = Parsed<DropVirtualCluster>("DROP VIRTUAL CLUSTER IF EXISTS main IMMEDIATE");
  EXPECT_TRUE(drop.if_exists);
  EXPECT_TRUE(drop.immediate);
  EXPECT_FALSE(Parsed<DropVirtualCluster>("DROP VIRTUAL CLUSTER main").if_exists);
  EXPECT_FALSE(Parsed<ShowVirtualClusters>("SHOW VIRTUAL CLUSTERS").target.has_value());
  const auto show = Parsed<ShowVirtualClusters>("SHOW VIRTUAL CLUSTER main WITH CAPABILITIES, REPLICATION STATUS;");
  EXPECT_EQ(Name(*show.target), "main");
  EXPECT_TRUE(show.with_replication_status);
  EXPECT_TRUE(show.with_capabilities);
  EXPECT_FALSE(show.with_prior_replication_details);
}

TEST(GrammarTest, Fingerprints) {
  const auto plain = Parsed<ShowFingerprints>("SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main");
  EXPECT_EQ(plain.start_timestamp, std::nullopt);
  EXPECT_EQ(plain.as_of, std::nullopt);
  const auto full = Parsed<ShowFingerprints>(
      "SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main WITH START TIMESTAMP = '17.0000000000' AS OF SYSTEM TIME "
      "18.0000000000");
  EXPECT_EQ(full.start_timestamp, "17.0000000000");
  EXPECT_EQ(full.as_of, "18.0000000000");
}

TEST(GrammarTest, ExplainHoldsWhatItExplains) {
  const auto explain = Parsed<ExplainSystemStatement>("EXPLAIN ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO LATEST");
  ASSERT_TRUE(std::holds_alternative<AlterVirtualCluster>(*explain.statement));
  EXPECT_EQ(InfoOf(*explain.statement).name, "ALTER VIRTUAL CLUSTER ... COMPLETE REPLICATION");
}

TEST(GrammarTest, OnlyShowAndExplainReturnRowsToSelectFrom) {
  for (const char* text : {"SHOW VIRTUAL CLUSTERS", "SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main",
                           "SHOW CLUSTER SETTING a FOR VIRTUAL CLUSTER main", "EXPLAIN DROP VIRTUAL CLUSTER main"}) {
    EXPECT_TRUE(ReturnsRows(**ParseSystemStatement(text))) << text;
  }
  for (const char* text : {"DROP VIRTUAL CLUSTER main", "ALTER VIRTUAL CLUSTER a COMPLETE REPLICATION TO LATEST"}) {
    EXPECT_FALSE(ReturnsRows(**ParseSystemStatement(text))) << text;
  }
}

TEST(GrammarTest, Privileges) {
  const auto privilege = [](const std::string& text) { return InfoOf(**ParseSystemStatement(text)).privilege; };
  EXPECT_EQ(privilege("CREATE VIRTUAL CLUSTER a"), StatementPrivilege::kManageVirtualCluster);
  EXPECT_EQ(privilege(kFrom), StatementPrivilege::kManageVirtualClusterAndReplicationDest);
  EXPECT_EQ(privilege("ALTER VIRTUAL CLUSTER a START REPLICATION OF b ON 'uri'"),
            StatementPrivilege::kManageVirtualClusterAndReplicationDest);
  EXPECT_EQ(privilege("EXPLAIN ALTER VIRTUAL CLUSTER a START REPLICATION OF b ON 'uri'"),
            StatementPrivilege::kManageVirtualCluster);
  EXPECT_EQ(privilege("SHOW LOST WRITES FROM VIRTUAL CLUSTER a"), StatementPrivilege::kAdmin);
  EXPECT_EQ(privilege("SET CLUSTER SETTING a = 1"), StatementPrivilege::kAdmin);
  EXPECT_EQ(privilege("GRANT SYSTEM MANAGEVIRTUALCLUSTER TO a"), StatementPrivilege::kAdmin);
}

}  // namespace
}  // namespace anabranch
