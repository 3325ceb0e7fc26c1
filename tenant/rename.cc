// ALTER VIRTUAL CLUSTER ... RENAME TO. A name is a way to find a virtual cluster and nothing else: sessions, streams,
// lineage and history follow its id, so all of them go on.
#include "base/log.h"
#include "base/status.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {

absl::Status VirtualClustersImpl::Rename(const VirtualClusterSpec& spec, const std::string& name) {
  RETURN_IF_ERROR(CheckName(name));
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "rename"));
  RETURN_IF_ERROR(
      UpdateTenant(store_, statement.runtime->id, [&](MetaUpdate& update, catalog::TenantRecord& record) -> absl::Status {
        RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kRename, record.name(), StateOf(record), ModeOf(record)));
        if (record.name() == name) return absl::OkStatus();
        ASSIGN_OR_RETURN(const std::optional<std::string> taken, update.GetBefore(TenantNameKey(name)));
        if (taken) {
          return SqlError(sqlstate::kDuplicateObject, fmt::format("name \"{}\" is already taken", name),
                          "SHOW VIRTUAL CLUSTERS lists the names that are.");
        }
        update.Delete(TenantNameKey(record.name()));
        update.Put(TenantNameKey(name), fmt::format("{}", record.id()));
        RETURN_IF_ERROR(RenameDefaultTarget(update, record.name(), name));
        record.set_name(name);
        return absl::OkStatus();
      }));
  Log(LogLevel::kInfo, "catalog.renamed", "id={} from={} to={}", statement.record.id(), statement.record.name(), name);
  std::lock_guard lock(statement.runtime->mutex);
  if (statement.runtime->service) statement.runtime->service->name = name;  // for the sessions that are to come
  return absl::OkStatus();
}

}  // namespace anabranch
