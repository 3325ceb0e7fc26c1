// Two physical clusters as real processes, and what the end-to-end tests say to them. Nothing but SQL, signals and the log
// is used.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "gtest/gtest.h"
#include "node/demo/cluster_process.h"
#include "node/demo/sql_client.h"
#include "node/demo/wait.h"
#include "node/demo/workload.h"

namespace anabranch {

inline constexpr uint64_t kEventTimeoutMs = 30'000;

// The rows of a query run in a connection of its own, as text ("1,a;2,b"); a failure is a test failure.
std::string Ask(const std::string& uri, const std::string& query);
// Its first value.
std::string AskValue(const std::string& uri, const std::string& query);
Timestamp AskTimestamp(const std::string& uri, const std::string& query);
// The query must be refused with this SQLSTATE, and message or hint must contain `text`.
void ExpectRefused(const std::string& uri, const std::string& query, const std::string& sqlstate, const std::string& text);
// So must the connection.
void ExpectConnectRefused(const std::string& uri, const std::string& sqlstate, const std::string& text);

// A row of SHOW VIRTUAL CLUSTER main WITH REPLICATION STATUS.
struct StandbyRow {
  std::string status;
  std::string initial_copies;
  std::string failover_time;
  std::string last_error;
  uint64_t replicated_ns = 0;  // 0: NULL
  uint64_t retained_ns = 0;
};
// nullopt while the cluster does not answer.
std::optional<StandbyRow> ReadStandby(const ClusterProcess& cluster);

// Output (stdout and stderr together) and exit status of a shell command.
struct CommandResult {
  std::string output;
  int exit_status = -1;
};
CommandResult RunCommand(const std::string& command);

// Two clusters: A with `main`, B with `system` only. Started in SetUp; each in a fresh folder that a failed test keeps.
class TwoClusters : public ::testing::Test {
 protected:
  TwoClusters();
  ~TwoClusters() override;
  void SetUp() override;

  static std::string Program();
  static std::string ReplicationOf(const ClusterProcess& source) {
    return "REPLICATION OF main ON '" + source.Uri("system") + "'";
  }

  // CREATE VIRTUAL CLUSTER main FROM REPLICATION OF main, on `standby`.
  void CreateStandby(const ClusterProcess& standby, const ClusterProcess& source);
  // STOP SERVICE and START REPLICATION OF, on `standby`.
  void FailBack(const ClusterProcess& standby, const ClusterProcess& source);
  // COMPLETE REPLICATION TO <target> and START SERVICE; the failover time.
  Timestamp FailOver(const ClusterProcess& standby, const std::string& target = "LATEST");
  // Waits until `standby` replicates and has everything up to `at`, by default up to now.
  void WaitReplicated(const ClusterProcess& standby, const ClusterProcess& source);
  void WaitReplicatedTo(const ClusterProcess& standby, Timestamp at);
  void WaitForStatus(const ClusterProcess& standby, const std::string& status);
  // Both must have the same fingerprint at `at`.
  void ExpectEqualAt(Timestamp at);

  TemporaryFolder folder_{"anabranch-e2e"};
  ClusterProcess a_;
  ClusterProcess b_;
};

}  // namespace anabranch
