// GRANT and REVOKE of capabilities, and what they allow.
#include <map>
#include <optional>

#include "base/status.h"
#include "fmt/format.h"
#include "sql/control/executor.h"
#include "sql/control/run.h"
#include "tenant/virtual_clusters.h"

namespace anabranch {
namespace {

// Those for which this version has an operation: the others are kept and shown, and allow nothing yet.
bool GatesSomething(Capability capability) {
  return capability == Capability::kCheckConsistency || capability == Capability::kViewNodeInfo;
}

struct GuestRight {
  Capability capability;
  std::optional<VirtualClusterSpec> target;  // must be the session's own
};

std::optional<GuestRight> RightFor(const SystemStatement& statement) {
  if (const auto* show = std::get_if<ShowFingerprints>(&statement)) {
    return GuestRight{Capability::kCheckConsistency, show->target};
  }
  const auto* const one = std::get_if<ShowVirtualClusters>(&statement);
  if (one != nullptr && one->target) return GuestRight{Capability::kViewNodeInfo, one->target};
  const auto* const setting = std::get_if<ShowClusterSetting>(&statement);
  if (setting != nullptr) return GuestRight{Capability::kViewNodeInfo, setting->target};
  const auto* const settings = std::get_if<ShowClusterSettings>(&statement);
  if (settings != nullptr) return GuestRight{Capability::kViewNodeInfo, settings->target};
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

absl::Status CheckGuest(const SystemStatement& statement, const SessionContext& session, VirtualClusters& clusters) {
  const std::optional<GuestRight> right = RightFor(statement);
  if (!right) return NotInSystem();
  if (right->target) {
    const absl::StatusOr<VirtualClusterInfo> info = clusters.Show(*right->target);
    if (!info.ok() || info->id != session.tenant) return NotInSystem();  // nor whether there is such a one
  }
  if (!session.admin) {
    return SqlError(sqlstate::kInsufficientPrivilege,
                    fmt::format("{}: only users with the admin role may run it", InfoOf(statement).name));
  }
  return clusters.CheckCapability(session.tenant, right->capability);
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
