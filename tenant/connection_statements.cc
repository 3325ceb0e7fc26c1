// CREATE, ALTER, DROP and SHOW EXTERNAL CONNECTION.
#include "base/log.h"
#include "base/quote.h"
#include "base/status.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {

absl::Status VirtualClustersImpl::CreateExternalConnection(const std::string& name, const std::string& uri,
                                                           bool if_not_exists) {
  RETURN_IF_ERROR(connections_.Create(name, uri, if_not_exists));
  Log(LogLevel::kInfo, "connection.created", "name={}", name);
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::AlterExternalConnection(const std::string& name, const std::string& uri, bool if_exists) {
  RETURN_IF_ERROR(connections_.Alter(name, uri, if_exists));
  Log(LogLevel::kInfo, "connection.changed", "name={}", name);
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::DropExternalConnection(const std::string& name, bool if_exists) {
  const auto check_unused = [&](const std::string& address) -> absl::Status {
    ASSIGN_OR_RETURN(const std::vector<catalog::TenantRecord> records, LoadTenants(store_));
    for (const catalog::TenantRecord& record : records) {
      const bool used = IsReplicating(StateOf(record)) && record.replication().uri() == address;
      if (!used) continue;
      return SqlError(sqlstate::kDependentObjectsStillExist,
                      fmt::format("cannot drop external connection \"{}\": virtual cluster \"{}\" replicates through it",
                                  name, record.name()),
                      fmt::format("Give that stream another one first: ALTER VIRTUAL CLUSTER {} SET REPLICATION SOURCE = "
                                  "'...'.",
                                  QuotedIdentifier(record.name())));
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(connections_.Drop(name, if_exists, check_unused));
  Log(LogLevel::kInfo, "connection.dropped", "name={}", name);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ExternalConnectionInfo>> VirtualClustersImpl::ShowExternalConnections(
    const std::optional<std::string>& name) {
  if (!name) return connections_.Show();
  ASSIGN_OR_RETURN(ExternalConnectionInfo info, connections_.Show(*name));
  return std::vector<ExternalConnectionInfo>{std::move(info)};
}

}  // namespace anabranch
