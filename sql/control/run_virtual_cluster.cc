// CREATE, ALTER and DROP VIRTUAL CLUSTER.
#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/run.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {
namespace {

struct NamedSource {
  std::string virtual_cluster;
  std::string uri;
};

// The source as this version can have it.
absl::StatusOr<NamedSource> Resolve(const ReplicationSource& source) {
  const auto* const name = std::get_if<std::string>(&source.virtual_cluster);
  if (name == nullptr) return NotSupportedYet("naming the source's virtual cluster by [id]", "Give its name.");
  const std::string& uri = source.uri;
  if (!uri.starts_with("postgresql://") && !uri.starts_with("postgres://")) {
    if (uri.starts_with("external://") || uri.find("://") == std::string::npos) {
      return NotSupportedYet("an external connection after ON",
                             "Give the source as 'postgresql://root@HOST:PORT?options=-ccluster=system'.");
    }
    return SqlError(sqlstate::kInvalidParameterValue, "the URI after ON must begin with postgresql://");
  }
  return NamedSource{*name, uri};
}

absl::Status CheckOptions(const ReplicationOptions& options) {
  if (options.expiration_window_ns) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    "cannot specify EXPIRATION WINDOW option while starting a physical replication stream",
                    "Set it at the source: ALTER VIRTUAL CLUSTER ... SET REPLICATION SOURCE EXPIRATION WINDOW = '24h'.");
  }
  return absl::OkStatus();
}

absl::Status CreateFrom(const CreateVirtualCluster& create, const FromNothing&, const Running& running) {
  return running.clusters.Create(create.name, CreateOptions{create.if_not_exists});
}

absl::Status CreateFrom(const CreateVirtualCluster& create, const FromReplication& from, const Running& running) {
  ASSIGN_OR_RETURN(const NamedSource source, Resolve(from.source));
  RETURN_IF_ERROR(CheckOptions(from.options));
  return running.clusters.CreateFromReplication(create.name, CreateOptions{create.if_not_exists}, source.virtual_cluster,
                                                source.uri, from.options, running.stop);
}

absl::Status CreateFrom(const CreateVirtualCluster&, const FromClone&, const Running& running) {
  return NotSupportedYet(InfoOf(running.statement).name);
}

}  // namespace

CommandTag RunStatement(const CreateVirtualCluster& create, const Running& running) {
  if (create.like) return NotSupportedYet("CREATE VIRTUAL CLUSTER ... LIKE");
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
  ASSIGN_OR_RETURN(const Timestamp at,
                   running.clusters.CompleteReplication(target, complete.to, running.session.user, running.stop));
  RETURN_IF_ERROR(running.sink.Columns(Describe(running.statement)));
  return running.sink.AddRow({HlcNumeric(at)});
}

absl::Status RunAction(const VirtualClusterSpec& target, const StartReplication& start, const Running& running) {
  ASSIGN_OR_RETURN(const NamedSource source, Resolve(start.source));
  RETURN_IF_ERROR(CheckOptions(start.options));
  return running.clusters.StartReplication(target, source.virtual_cluster, source.uri, start.options, running.stop);
}

absl::Status RunAction(const VirtualClusterSpec& target, const SetReplication& set, const Running& running) {
  // Before the first change: a statement does all of what it says.
  if (set.retention_ns) return NotSupportedYet("SET REPLICATION RETENTION");
  if (set.expiration_window_ns) return NotSupportedYet("SET REPLICATION SOURCE EXPIRATION WINDOW");
  if (set.source_uri) return NotSupportedYet("SET REPLICATION SOURCE");
  return running.clusters.AddReadVirtualCluster(target);
}

absl::StatusOr<VirtualClusters::Explanation> ExplainAction(const VirtualClusterSpec& target, const StartReplication& start,
                                                           const Running& running) {
  ASSIGN_OR_RETURN(const NamedSource source, Resolve(start.source));
  RETURN_IF_ERROR(CheckOptions(start.options));
  return running.clusters.ExplainStartReplication(target, source.virtual_cluster, source.uri, start.options, running.stop);
}

absl::Status RunAction(const VirtualClusterSpec& target, const StartService&, const Running& running) {
  return running.clusters.StartService(target);
}

absl::Status RunAction(const VirtualClusterSpec& target, const StopService&, const Running& running) {
  return running.clusters.StopService(target);
}

absl::Status RunAction(const VirtualClusterSpec& target, const SetVirtualClusterSetting& set, const Running& running) {
  return running.clusters.SetSetting(target, set.setting, set.value);
}

}  // namespace anabranch
