// GRANT and REVOKE of capabilities, and who has one.
#include "base/log.h"
#include "base/quote.h"
#include "base/status.h"
#include "tenant/catalog/capability.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

constexpr std::string_view kTrue = "true";
constexpr std::string_view kFalse = "false";
constexpr std::string_view kNoBounds = "{}";

std::string DefaultText(const CapabilityInfo& info) {
  return std::string(!info.is_bool ? kNoBounds : info.granted_by_default ? kTrue : kFalse);
}

std::string TextOf(const catalog::TenantRecord& record, const CapabilityInfo& info) {
  // `system` is the physical cluster itself.
  if (TenantId(record.id()) == kSystemTenantId && info.is_bool) return std::string(kTrue);
  const auto found = record.capabilities().find(std::string(info.name));
  return found == record.capabilities().end() ? DefaultText(info) : found->second;
}

}  // namespace

absl::StatusOr<std::string> CapabilityText(Capability capability, const std::optional<std::string>& value) {
  const CapabilityInfo& info = anabranch::InfoOf(capability);
  if (!info.is_bool) {
    if (value) return *value;
    return SqlError(sqlstate::kSyntaxError, fmt::format("value required for capability: \"{}\"", info.name));
  }
  if (!value || *value == kTrue || *value == "on") return std::string(kTrue);
  if (*value == kFalse || *value == "off") return std::string(kFalse);
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("invalid value for capability \"{}\": \"{}\"", info.name, *value), "Give true or false.");
}

std::vector<CapabilityRow> CapabilitiesOf(const catalog::TenantRecord& record) {
  std::vector<CapabilityRow> rows;
  for (const CapabilityInfo& info : kCapabilities) rows.push_back({std::string(info.name), TextOf(record, info)});
  return rows;
}

absl::Status VirtualClustersImpl::SetCapabilities(const VirtualClusterSpec& spec,
                                                  const std::map<Capability, std::string>& values) {
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, "alter capabilities of"));
  RETURN_IF_ERROR(
      UpdateTenant(store_, statement.runtime->id, [&](MetaUpdate&, catalog::TenantRecord& record) -> absl::Status {
        RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kSetSetting, record.name(), StateOf(record), ModeOf(record)));
        for (const auto& [capability, text] : values) {
          const CapabilityInfo& info = anabranch::InfoOf(capability);
          if (text == DefaultText(info)) {
            record.mutable_capabilities()->erase(std::string(info.name));
          } else {
            (*record.mutable_capabilities())[std::string(info.name)] = text;
          }
        }
        return absl::OkStatus();
      }));
  for (const auto& [capability, text] : values) {
    Log(LogLevel::kInfo, "capability.changed", "vc={} capability={} value=\"{}\"", statement.record.name(),
        anabranch::InfoOf(capability).name, text);
  }
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::CheckCapability(TenantId id, Capability capability) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, id));
  const CapabilityInfo& info = anabranch::InfoOf(capability);
  if (TextOf(record, info) == kTrue) return absl::OkStatus();
  return SqlError(sqlstate::kInsufficientPrivilege, fmt::format("client tenant does not have capability \"{}\"", info.name),
                  fmt::format("In the system virtual cluster: ALTER VIRTUAL CLUSTER {} GRANT CAPABILITY {}.",
                              QuotedIdentifier(record.name()), info.name));
}

}  // namespace anabranch
