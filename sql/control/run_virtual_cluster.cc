// CREATE, ALTER and DROP VIRTUAL CLUSTER.
#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/run.h"
#include "sql/stored/privilege.h"
#include "stream/source_client.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {
namespace {

// A path in a connection string has the node prove with a key of its own whatever the one who wrote it wants.
absl::Status CheckFilesOf(const std::string& address, const Running& running) {
  const std::optional<std::string> file = FileParameterOf(address);
  if (!file) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool admin, IsAdmin(running.session.transaction, running.session.user));
  if (admin) return absl::OkStatus();
  return SqlError(sqlstate::kInsufficientPrivilege,
                  fmt::format("user {} does not have the admin role, which a connection string with the path of a file "
                              "of the node as {} requires",
                              running.session.user, *file),
                  "Give PEM texts with sslinline=true, or the name of an external connection.");
}

CreateOptions OptionsOf(const CreateVirtualCluster& create) { return {create.if_not_exists, create.like}; }

absl::Status CreateFrom(const CreateVirtualCluster& create, const FromNothing&, const Running& running) {
  return running.clusters.Create(create.name, OptionsOf(create));
}

absl::Status CreateFrom(const CreateVirtualCluster& create, const FromReplication& from, const Running& running) {
  RETURN_IF_ERROR(CheckFilesOf(from.source.uri, running));
  ReplicationOptions options = from.options;
  options.user = running.session.user;
  return running.clusters.CreateFromReplication(create.name, OptionsOf(create), from.source.virtual_cluster,
                                                from.source.uri, options, running.stop);
}

absl::Status CreateFrom(const CreateVirtualCluster& create, const FromClone& from, const Running& running) {
  return running.clusters.CreateFromClone(create.name, CreateOptions{create.if_not_exists}, from.source, from.as_of,
                                          running.stop);
}

}  // namespace

CommandTag RunStatement(const CreateVirtualCluster& create, const Running& running) {
  RETURN_IF_ERROR(std::visit([&](const auto& from) { return CreateFrom(create, from, running); }, create.from));
  return std::string(InfoOf(running.statement).command);
}

CommandTag RunStatement(const AlterVirtualCluster& alter, const Running& running) {
  RETURN_IF_ERROR(std::visit([&](const auto& action) { return RunAction(alter.target, action, running); }, alter.action));
  return std::string(InfoOf(running.statement).command);
}

Columns ColumnsOf(const AlterVirtualCluster& alter) {
  if (std::holds_alternative<CompleteReplication>(alter.action)) return {{"failover_time", SqlType::kNumeric}};
  return {};
}

CommandTag RunStatement(const DropVirtualCluster& drop, const Running& running) {
  RETURN_IF_ERROR(running.clusters.Drop(drop.target, drop.if_exists));  // a drop always is immediate
  return std::string(InfoOf(running.statement).command);
}

absl::Status RunAction(const VirtualClusterSpec& target, const PauseReplication&, const Running& running) {
  return running.clusters.PauseReplication(target);
}

absl::Status RunAction(const VirtualClusterSpec& target, const ResumeReplication&, const Running& running) {
  return running.clusters.ResumeReplication(target);
}

absl::Status RunAction(const VirtualClusterSpec& target, const CancelReplication&, const Running& running) {
  return running.clusters.CancelReplication(target, running.session.user);
}

absl::Status RunAction(const VirtualClusterSpec& target, const CompleteReplication& complete, const Running& running) {
  if (complete.with_fence) return NotSupportedYet("COMPLETE REPLICATION ... WITH FENCE");
  ASSIGN_OR_RETURN(
      const Timestamp at,
      running.clusters.CompleteReplication(
          target, complete.to, {.user = running.session.user, .fingerprint = complete.with_fingerprint}, running.stop));
  RETURN_IF_ERROR(running.sink.Columns(Describe(running.statement)));
  return running.sink.AddRow({HlcNumeric(at)});
}

absl::Status RunAction(const VirtualClusterSpec& target, const StartReplication& start, const Running& running) {
  RETURN_IF_ERROR(CheckFilesOf(start.source.uri, running));
  ReplicationOptions options = start.options;
  options.user = running.session.user;
  return running.clusters.StartReplication(target, start.source.virtual_cluster, start.source.uri, options, running.stop);
}

absl::Status RunAction(const VirtualClusterSpec& target, const ResetData& reset, const Running& running) {
  return running.clusters.ResetData(target, reset.to, running.session.user, running.stop).status();
}

absl::Status RunAction(const VirtualClusterSpec& target, const SetReplication& set, const Running& running) {
  if (set.source_uri) RETURN_IF_ERROR(CheckFilesOf(*set.source_uri, running));
  const ReplicationChange change{set.retention_ns, set.expiration_window_ns, set.source_uri};
  const bool changes = change.retention_ns || change.expiration_window_ns || change.address;
  if (!set.read_virtual_cluster) return running.clusters.ChangeReplication(target, change, running.stop);
  // A statement does all of what it says, or nothing.
  if (changes) return NotSupportedYet("SET REPLICATION READ VIRTUAL CLUSTER together with another change");
  return running.clusters.AddReadVirtualCluster(target);
}

absl::StatusOr<VirtualClusters::Explanation> ExplainAction(const VirtualClusterSpec& target, const StartReplication& start,
                                                           const Running& running) {
  RETURN_IF_ERROR(CheckFilesOf(start.source.uri, running));
  return running.clusters.ExplainStartReplication(target, start.source.virtual_cluster, start.source.uri, start.options,
                                                  running.stop);
}

absl::Status RunAction(const VirtualClusterSpec& target, const StartService&, const Running& running) {
  return running.clusters.StartService(target);
}

absl::Status RunAction(const VirtualClusterSpec& target, const StopService&, const Running& running) {
  return running.clusters.StopService(target);
}

absl::Status RunAction(const VirtualClusterSpec& target, const RenameVirtualCluster& rename, const Running& running) {
  return running.clusters.Rename(target, rename.name);
}

}  // namespace anabranch
