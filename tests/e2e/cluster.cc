#include "tests/e2e/cluster.h"

#include <sys/wait.h>

#include <cstdio>

#include "base/system_time.h"

namespace anabranch {
namespace {

uint64_t NanosecondsOf(const std::string& timestamptz) {
  if (timestamptz.empty() || timestamptz == "NULL") return 0;
  const auto ns = ParseTimestampTzNs(timestamptz);
  EXPECT_TRUE(ns.ok()) << timestamptz << ": " << MessageOf(ns.status());
  return ns.ok() ? static_cast<uint64_t>(*ns) : 0;
}

void ExpectError(const absl::Status& status, const std::string& sqlstate, const std::string& text) {
  ASSERT_FALSE(status.ok()) << "was not refused";
  EXPECT_EQ(SqlStateOf(status), sqlstate) << MessageOf(status);
  EXPECT_NE((MessageOf(status) + " " + HintOf(status)).find(text), std::string::npos)
      << "'" << text << "' is in neither message nor hint:\n"
      << MessageOf(status) << "\n"
      << HintOf(status);
}

}  // namespace

std::string Ask(const std::string& uri, const std::string& query) {
  const auto rows = QueryOnce(uri, query);
  EXPECT_TRUE(rows.ok()) << query << "\n" << SqlStateOf(rows.status()) << " " << MessageOf(rows.status());
  return rows.ok() ? rows->ToText() : "";
}

std::string AskValue(const std::string& uri, const std::string& query) {
  const auto rows = QueryOnce(uri, query);
  EXPECT_TRUE(rows.ok()) << query << "\n" << SqlStateOf(rows.status()) << " " << MessageOf(rows.status());
  if (!rows.ok() || rows->rows.empty()) {
    ADD_FAILURE() << query << " gave no row";
    return "";
  }
  return rows->rows[0][0].value_or("NULL");
}

Timestamp AskTimestamp(const std::string& uri, const std::string& query) {
  const std::string text = AskValue(uri, query);
  const auto at = ParseHlc(text);
  EXPECT_TRUE(at.ok()) << query << " gave '" << text << "'";
  return at.ok() ? *at : kTimestampZero;
}

void ExpectRefused(const std::string& uri, const std::string& query, const std::string& sqlstate, const std::string& text) {
  SCOPED_TRACE(query);
  ExpectError(QueryOnce(uri, query).status(), sqlstate, text);
}

void ExpectConnectRefused(const std::string& uri, const std::string& sqlstate, const std::string& text) {
  SCOPED_TRACE("connecting to " + uri);
  ExpectError(SqlClient::Connect(uri).status(), sqlstate, text);
}

std::optional<StandbyRow> ReadStandby(const ClusterProcess& cluster) {
  const auto rows = QueryOnce(cluster.Uri("system"), "SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS", 5000);
  if (!rows.ok() || rows->rows.empty()) return std::nullopt;
  return StandbyRow{.status = rows->Value(0, "status"),
                    .initial_copies = rows->Value(0, "initial_copies"),
                    .failover_time = rows->Value(0, "failover_time"),
                    .last_error = rows->Value(0, "last_error"),
                    .replicated_ns = NanosecondsOf(rows->Value(0, "replicated_time")),
                    .retained_ns = NanosecondsOf(rows->Value(0, "retained_time"))};
}

CommandResult RunCommand(const std::string& command) {
  CommandResult result;
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  char buffer[4096];
  while (const size_t got = std::fread(buffer, 1, sizeof(buffer), pipe)) result.output.append(buffer, got);
  const int status = pclose(pipe);
  result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

TwoClusters::TwoClusters()
    : a_({.program = Program(), .directory = folder_.path(), .name = "a", .flags = {"--virtualized"}}),
      b_({.program = Program(), .directory = folder_.path(), .name = "b", .flags = {"--virtualized-empty"}}) {}

TwoClusters::~TwoClusters() {
  if (HasFailure()) {
    folder_.Keep();
    std::printf("stores and logs are kept: %s\n", folder_.path().c_str());
  }
}

std::string TwoClusters::Program() { return ANABRANCH_PROGRAM; }

void TwoClusters::SetUp() {
  for (ClusterProcess* cluster : {&a_, &b_}) {
    const absl::Status started = cluster->Start();
    ASSERT_TRUE(started.ok()) << MessageOf(started);
  }
}

void TwoClusters::CreateStandby(const ClusterProcess& standby, const ClusterProcess& source) {
  Ask(standby.Uri("system"), "CREATE VIRTUAL CLUSTER main FROM " + ReplicationOf(source));
}

void TwoClusters::FailBack(const ClusterProcess& standby, const ClusterProcess& source) {
  Ask(standby.Uri("system"), "ALTER VIRTUAL CLUSTER main STOP SERVICE");
  Ask(standby.Uri("system"), "ALTER VIRTUAL CLUSTER main START " + ReplicationOf(source));
}

Timestamp TwoClusters::FailOver(const ClusterProcess& standby, const std::string& target) {
  const Timestamp at = AskTimestamp(standby.Uri("system"), "ALTER VIRTUAL CLUSTER main COMPLETE REPLICATION TO " + target);
  Ask(standby.Uri("system"), "ALTER VIRTUAL CLUSTER main START SERVICE SHARED");
  return at;
}

void TwoClusters::WaitReplicated(const ClusterProcess& standby, const ClusterProcess& source) {
  WaitReplicatedTo(standby, AskTimestamp(source.Uri("main"), "SELECT cluster_logical_timestamp()"));
}

void TwoClusters::WaitReplicatedTo(const ClusterProcess& standby, Timestamp at) {
  std::optional<StandbyRow> row;
  const bool reached = WaitUntil(kEventTimeoutMs, [&] {
    row = ReadStandby(standby);
    return row.has_value() && row->status == "replicating" && row->replicated_ns >= at.ns;
  });
  EXPECT_TRUE(reached) << standby.name() << " did not reach " << FormatHlc(at) << ": "
                       << (row.has_value() ? row->status + ", " + FormatHlc({row->replicated_ns}) + ", " + row->last_error
                                           : "no answer");
}

void TwoClusters::WaitForStatus(const ClusterProcess& standby, const std::string& status) {
  std::optional<StandbyRow> row;
  const bool reached = WaitUntil(kEventTimeoutMs, [&] {
    row = ReadStandby(standby);
    return row.has_value() && row->status == status;
  });
  EXPECT_TRUE(reached) << standby.name() << " did not become " << status << ": "
                       << (row.has_value() ? row->status + ", " + row->last_error : "no answer");
}

void TwoClusters::ExpectEqualAt(Timestamp at) {
  const std::string query =
      "SELECT fingerprint FROM [SHOW EXPERIMENTAL_FINGERPRINTS FROM VIRTUAL CLUSTER main] AS OF SYSTEM TIME " +
      FormatHlc(at);
  const std::string on_a = AskValue(a_.Uri("system"), query);
  EXPECT_FALSE(on_a.empty());
  EXPECT_EQ(on_a, AskValue(b_.Uri("system"), query)) << "at " << FormatHlc(at);
}

}  // namespace anabranch
