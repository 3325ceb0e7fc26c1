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
};

using CommandTag = absl::StatusOr<std::string>;
using Columns = std::vector<ColumnDescription>;

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

// run_show.cc
CommandTag RunStatement(const ShowVirtualClusters& show, const Running& running);
CommandTag RunStatement(const ShowFingerprints& show, const Running& running);
CommandTag RunStatement(const ShowClusterSetting& show, const Running& running);
Columns ColumnsOf(const ShowVirtualClusters& show);
Columns ColumnsOf(const ShowFingerprints& show);
Columns ColumnsOf(const ShowClusterSetting& show);

// run_failover.cc
CommandTag RunStatement(const ShowFailovers& show, const Running& running);
Columns ColumnsOf(const ShowFailovers& show);

// run_explain.cc
CommandTag RunStatement(const ExplainSystemStatement& explain, const Running& running);
Columns ColumnsOf(const ExplainSystemStatement& explain);

// run_lost_writes.cc
CommandTag RunStatement(const ShowLostWrites& show, const Running& running);
Columns ColumnsOf(const ShowLostWrites& show);

// --- The actions of ALTER VIRTUAL CLUSTER ---
template <typename Action>
absl::Status RunAction(const VirtualClusterSpec&, const Action&, const Running& running) {
  return NotSupportedYet(InfoOf(running.statement).name);
}

// run_virtual_cluster.cc
absl::Status RunAction(const VirtualClusterSpec& target, const PauseReplication& pause, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const ResumeReplication& resume, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const CancelReplication& cancel, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const CompleteReplication& complete, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const StartReplication& start, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const SetReplication& set, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const StartService& start, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const StopService& stop, const Running& running);
absl::Status RunAction(const VirtualClusterSpec& target, const SetVirtualClusterSetting& set, const Running& running);

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

// run_virtual_cluster.cc
absl::StatusOr<VirtualClusters::Explanation> ExplainAction(const VirtualClusterSpec& target, const StartReplication& start,
                                                           const Running& running);

}  // namespace anabranch
