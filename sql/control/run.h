// What the files that run the statements of ours share: RunStatement and ColumnsOf for each shape, RunAction for each
// action of ALTER VIRTUAL CLUSTER. A shape without one answers 0A000 with its name. Internal to sql/control/.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sql/control/statement.h"
#include "sql/control/statement_info.h"
#include "sql/stored/session_context.h"
#include "sql/value/result.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {

// A statement on its way. Alive while it runs.
struct Running {
  const SystemStatement& statement;
  const SessionContext& session;  // who runs it
  VirtualClusters& clusters;
  ResultSink& sink;
  std::stop_token stop;
  bool guest = false;  // it runs in another virtual cluster than `system`, and sees nothing but that one
};

using CommandTag = absl::StatusOr<std::string>;
using Columns = std::vector<ColumnDescription>;

// Before anything else of a statement: 42501 names the user and what it lacks at this moment, as the keyspace of `system`
// says. In run_grant.cc.
absl::Status CheckMayRun(const StatementInfo& info, const SessionContext& session);
// run_capability.cc. For a session of another virtual cluster than `system`: what it may see of itself and of the cluster that
// it lives in. The statement as it is to be run, about that virtual cluster by its id, whatever is called so meanwhile.
absl::StatusOr<SystemStatement> AsGuest(SystemStatement statement, const SessionContext& session,
                                        VirtualClusters& clusters);

absl::Status NotSupportedYet(std::string_view what, std::string hint = "");
// The columns of the statement's rows, without running it.
Columns Describe(const SystemStatement& statement);

// --- What each statement does, and the columns of those that return rows ---
template <typename Shape>
CommandTag RunStatement(const Shape&, const Running& running) {
  return NotSupportedYet(InfoOf(running.statement).name);
}
template <typename Shape>
Columns ColumnsOf(const Shape&) {
  return {};
}

// run_virtual_cluster.cc
CommandTag RunStatement(const CreateVirtualCluster& create, const Running& running);
CommandTag RunStatement(const AlterVirtualCluster& alter, const Running& running);
CommandTag RunStatement(const DropVirtualCluster& drop, const Running& running);
Columns ColumnsOf(const AlterVirtualCluster& alter);

// run_jobs.cc
CommandTag RunStatement(const ShowJobs& show, const Running& running);
CommandTag RunStatement(const ControlJobs& control, const Running& running);
CommandTag RunStatement(const ShowReplicationStreams& show, const Running& running);
Columns ColumnsOf(const ShowJobs& show);
Columns ColumnsOf(const ShowReplicationStreams& show);
// run_connection.cc
CommandTag RunStatement(const CreateExternalConnection& create, const Running& running);
CommandTag RunStatement(const AlterExternalConnection& alter, const Running& running);
CommandTag RunStatement(const DropExternalConnection& drop, const Running& running);
CommandTag RunStatement(const ShowExternalConnections& show, const Running& running);
Columns ColumnsOf(const ShowExternalConnections& show);

// run_setting.cc
CommandTag RunStatement(const SetClusterSetting& set, const Running& running);
CommandTag RunStatement(const ShowClusterSetting& show, const Running& running);
CommandTag RunStatement(const ShowClusterSettings& show, const Running& running);
Columns ColumnsOf(const ShowClusterSetting& show);
Columns ColumnsOf(const ShowClusterSettings& show);

// run_show.cc
CommandTag RunStatement(const ShowVirtualClusters& show, const Running& running);
CommandTag RunStatement(const ShowFingerprints& show, const Running& running);
Columns ColumnsOf(const ShowVirtualClusters& show);
Columns ColumnsOf(const ShowFingerprints& show);

// run_failover.cc
CommandTag RunStatement(const ShowFailovers& show, const Running& running);
Columns ColumnsOf(const ShowFailovers& show);

// run_explain.cc
CommandTag RunStatement(const ExplainSystemStatement& explain, const Running& running);
Columns ColumnsOf(const ExplainSystemStatement& explain);

// run_lost_writes.cc
CommandTag RunStatement(const ShowLostWrites& show, const Running& running);
Columns ColumnsOf(const ShowLostWrites& show);

// run_grant.cc
CommandTag RunStatement(const ChangeSystemGrants& change, const Running& running);
CommandTag RunStatement(const ShowSystemGrants& show, const Running& running);
Columns ColumnsOf(const ShowSystemGrants& show);

// --- The actions of ALTER VIRTUAL CLUSTER ---
template <typename Action>
absl::Status RunAction(const VirtualClusterSpec&, const Action&, const Running& running) {
  return NotSupportedYet(InfoOf(running.statement).name);
}

// run_capability.cc
absl::Status RunAction(const VirtualClusterSpec& target, const ChangeCapabilities& change, const Running& running);

// run_setting.cc
absl::Status RunAction(const VirtualClusterSpec& target, const SetVirtualClusterSetting& set, const Running& running);

// run_virtual_cluster.cc
absl::Status RunAction(const VirtualClusterSpec& target, const RenameVirtualCluster& rename, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const PauseReplication& pause, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const ResumeReplication& resume, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const CancelReplication& cancel, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const CompleteReplication& complete, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const StartReplication& start, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const ResetData& reset, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const SetReplication& set, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const StartService& start, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const StopService& stop, const Running& running);

// run_failover.cc
absl::Status RunAction(const VirtualClusterSpec& target, const UndoCompleteReplication& undo, const Running& running);

// --- The same, explained ---
template <typename Action>
absl::StatusOr<VirtualClusters::Explanation> ExplainAction(const VirtualClusterSpec&, const Action&,
                                                           const Running& running) {
  return NotSupportedYet(InfoOf(running.statement).name);
}

// run_explain.cc
absl::StatusOr<VirtualClusters::Explanation> ExplainAction(const VirtualClusterSpec& target,
                                                           const CompleteReplication& complete, const Running& running);
absl::StatusOr<VirtualClusters::Explanation> ExplainAction(const VirtualClusterSpec& target, const ResetData& reset,
                                                           const Running& running);

// run_virtual_cluster.cc
absl::StatusOr<VirtualClusters::Explanation> ExplainAction(const VirtualClusterSpec& target, const StartReplication& start,
                                                           const Running& running);

}  // namespace anabranch
