// GRANT and REVOKE of capabilities, and what they allow.
#include <map>
#include <optional>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/executor.h"
#include "sql/control/run.h"
#include "sql/stored/privilege.h"
#include "tenant/catalog/cluster_settings.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {
namespace {

// Those for which this version has an operation: the others are kept and shown, and allow nothing yet.
bool GatesSomething(Capability capability) {
  return capability == Capability::kCheckConsistency || capability == Capability::kViewNodeInfo ||
         capability == Capability::kViewAllMetrics || capability == Capability::kDebugProcess;
}

// What a guest needs for a statement, and the virtual cluster that it names; null: none.
struct GuestRight {
  Capability capability;
  VirtualClusterSpec* target = nullptr;
};

VirtualClusterSpec* TargetOf(std::optional<VirtualClusterSpec>& target) { return target ? &*target : nullptr; }

// nullopt: it is for `system` alone.
std::optional<GuestRight> RightFor(SystemStatement& statement) {
  if (auto* const show = std::get_if<ShowFingerprints>(&statement)) {
    return GuestRight{Capability::kCheckConsistency, &show->target};
  }
  if (auto* const show = std::get_if<ShowVirtualClusters>(&statement); show != nullptr && show->target) {
    return GuestRight{Capability::kViewNodeInfo, TargetOf(show->target)};
  }
  if (auto* const show = std::get_if<ShowClusterSetting>(&statement)) {
    const bool names_another = show->setting == DefinitionOf(ClusterSetting::kDefaultTarget).name;
    if (!names_another) return GuestRight{Capability::kViewNodeInfo, TargetOf(show->target)};
  }
  if (auto* const show = std::get_if<ShowClusterSettings>(&statement)) {
    return GuestRight{Capability::kViewNodeInfo, TargetOf(show->target)};
  }
  if (std::holds_alternative<ShowReplicationStreams>(statement)) return GuestRight{Capability::kViewAllMetrics};
  if (const auto* const show = std::get_if<ShowJobs>(&statement); show != nullptr && show->ids.empty()) {
    return GuestRight{Capability::kDebugProcess};
  }
  return std::nullopt;
}

absl::StatusOr<std::map<Capability, std::string>> ValuesOf(const ChangeCapabilities& change) {
  std::map<Capability, std::string> values;
  for (const CapabilityInfo& info : kCapabilities) {
    if (change.all && info.is_bool) values[info.capability] = change.grant ? "true" : "false";
  }
  for (const CapabilityValue& given : change.capabilities) {
    const CapabilityInfo& info = InfoOf(given.capability);
    if (change.grant) {
      ASSIGN_OR_RETURN(values[given.capability], CapabilityText(given.capability, given.value));
    } else if (info.is_bool) {
      values[given.capability] = "false";
    } else {
      return SqlError(sqlstate::kInvalidParameterValue, fmt::format("cannot REVOKE CAPABILITY \"{}\"", info.name),
                      fmt::format("Use GRANT CAPABILITY {} = '...' with other bounds.", info.name));
    }
  }
  return values;
}

}  // namespace

absl::StatusOr<SystemStatement> AsGuest(SystemStatement statement, const SessionContext& session,
                                        VirtualClusters& clusters) {
  const std::optional<GuestRight> right = RightFor(statement);
  if (!right) return NotInSystem();
  if (right->target != nullptr) {
    const absl::StatusOr<VirtualClusterInfo> info = clusters.Show(*right->target);
    if (!info.ok() || info->id != session.tenant) return NotInSystem();  // nor whether there is such a one
    *right->target = session.tenant;
  }
  ASSIGN_OR_RETURN(const bool admin, IsAdmin(session.transaction, session.user));
  if (!admin) {
    return SqlError(sqlstate::kInsufficientPrivilege,
                    fmt::format("{}: only users with the admin role may run it", InfoOf(statement).name));
  }
  RETURN_IF_ERROR(clusters.CheckCapability(session.tenant, right->capability));
  return statement;
}

absl::Status RunAction(const VirtualClusterSpec& target, const ChangeCapabilities& change, const Running& running) {
  ASSIGN_OR_RETURN(const auto values, ValuesOf(change));
  RETURN_IF_ERROR(running.clusters.SetCapabilities(target, values));
  std::string idle;
  for (const CapabilityValue& given : change.capabilities) {
    if (GatesSomething(given.capability)) continue;
    idle += fmt::format("{}{}", idle.empty() ? "" : ", ", InfoOf(given.capability).name);
  }
  if (!idle.empty()) {
    running.sink.Notice("00000", fmt::format("kept and shown, but nothing in this version asks for it: {}", idle));
  }
  return absl::OkStatus();
}

}  // namespace anabranch
