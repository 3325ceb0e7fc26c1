// CREATE, ALTER, DROP and SHOW EXTERNAL CONNECTION.
#include "base/log.h"
#include "base/quote.h"
#include "base/status.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

// What replicates through it, and what a statement may put back that did.
absl::Status CheckDoesNotUse(const catalog::TenantRecord& record, const std::string& name, const std::string& address) {
  const auto in_use = [&](std::string_view by, std::string hint) {
    return SqlError(
        sqlstate::kDependentObjectsStillExist,
        fmt::format("cannot drop external connection \"{}\": virtual cluster \"{}\" {}", name, record.name(), by),
        std::move(hint));
  };
  if (IsReplicating(StateOf(record)) && record.replication().uri() == address) {
    return in_use(
        "replicates through it",
        fmt::format("Give that stream another one first: ALTER VIRTUAL CLUSTER {} SET REPLICATION SOURCE = '...'.",
                    QuotedIdentifier(record.name())));
  }
  if (record.has_before_failover() && record.before_failover().replication().uri() == address) {
    return in_use("replicated through it until its failover, which can still be undone",
                  fmt::format("ALTER VIRTUAL CLUSTER {} START SERVICE SHARED makes the failover final.",
                              QuotedIdentifier(record.name())));
  }
  const bool before_failback = record.before_failback().replication().uri() == address ||
                               record.before_failover().before_failback().replication().uri() == address;
  if (before_failback) {
    return in_use("replicated through it before its failback, which can still be cancelled",
                  "Wait until the failback has begun to undo.");
  }
  return absl::OkStatus();
}

}  // namespace

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
    for (const catalog::TenantRecord& record : records) RETURN_IF_ERROR(CheckDoesNotUse(record, name, address));
    ASSIGN_OR_RETURN(const bool farewells, farewells_.AreWaiting(address));
    if (!farewells) return absl::OkStatus();
    return SqlError(sqlstate::kDependentObjectsStillExist,
                    fmt::format("cannot drop external connection \"{}\": a source is still to be told through it that a "
                                "stream is over",
                                name),
                    "It is told once it can be reached, or not at all after the expiration window.");
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
