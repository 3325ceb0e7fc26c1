// Settings: of one virtual cluster (ALTER VIRTUAL CLUSTER ... SET | RESET CLUSTER SETTING, SHOW CLUSTER SETTING ... FOR
// VIRTUAL CLUSTER) and of this cluster (SET, RESET and SHOW CLUSTER SETTING).
#include <charconv>

#include "base/log.h"
#include "base/status.h"
#include "tenant/catalog/limits.h"
#include "tenant/virtual_clusters_impl.h"

namespace anabranch {
namespace {

absl::Status CheckKnown(std::string_view setting) {
  if (setting == kGcTtlSetting) return absl::OkStatus();
  return SqlError(sqlstate::kUndefinedObject, fmt::format("unknown cluster setting \"{}\"", setting),
                  fmt::format("A virtual cluster has the setting {}.", kGcTtlSetting));
}

absl::StatusOr<uint64_t> ParseGcTtl(const std::string& value) {
  uint64_t seconds = 0;
  const char* const end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, seconds);
  const bool in_range = seconds >= kGcTtlSecondsMin && seconds <= kGcTtlSecondsMax;
  if (error == std::errc() && rest == end && in_range) return seconds;
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("invalid value for cluster setting \"{}\": \"{}\"", kGcTtlSetting, value),
                  fmt::format("Give a whole number of seconds between {} and {}.", kGcTtlSecondsMin, kGcTtlSecondsMax));
}

}  // namespace

absl::Status VirtualClustersImpl::SetClusterSetting(const std::string& name, const std::optional<std::string>& value) {
  ASSIGN_OR_RETURN(const ClusterSetting setting, FindClusterSetting(name));
  ASSIGN_OR_RETURN(const bool changed, WriteSetting(store_, setting, value));
  if (!changed) return absl::OkStatus();
  Log(LogLevel::kInfo, "setting.changed", "setting={} value={}", name, value.value_or("default"));
  if (setting == ClusterSetting::kLiveFeedBytes) RETURN_IF_ERROR(SetLiveFeedBytes());
  // Both sides learn these when they connect.
  if (setting == ClusterSetting::kCheckpointInterval || setting == ClusterSetting::kExpirationWindow) source_.EndAll();
  return absl::OkStatus();
}

absl::Status VirtualClustersImpl::SetLiveFeedBytes() {
  ASSIGN_OR_RETURN(const uint64_t bytes, ReadInteger(store_, ClusterSetting::kLiveFeedBytes));
  options_.feed->SetBytesMax(bytes);
  return absl::OkStatus();
}

absl::StatusOr<SettingInfo> VirtualClustersImpl::ShowClusterSetting(const std::string& setting) {
  return DescribeSetting(store_, setting);
}

absl::StatusOr<std::vector<SettingInfo>> VirtualClustersImpl::ShowClusterSettings() { return DescribeSettings(store_); }

absl::Status VirtualClustersImpl::SetSetting(const VirtualClusterSpec& spec, const std::string& setting,
                                             const std::optional<std::string>& value) {
  RETURN_IF_ERROR(CheckKnown(setting));
  uint64_t seconds = 0;  // the default
  if (value) {
    ASSIGN_OR_RETURN(seconds, ParseGcTtl(*value));
  }
  ASSIGN_OR_RETURN(const Statement statement, Begin(spec, ""));
  RETURN_IF_ERROR(
      UpdateTenant(store_, statement.runtime->id, [&](MetaUpdate&, catalog::TenantRecord& record) -> absl::Status {
        RETURN_IF_ERROR(CheckAllowed(LifecycleAction::kSetSetting, record.name(), StateOf(record), ModeOf(record)));
        record.set_gc_ttl_seconds(seconds);
        return absl::OkStatus();
      }));
  Log(LogLevel::kInfo, "setting.changed", "vc={} setting={} value={}", statement.record.name(), setting,
      value.value_or("default"));
  return absl::OkStatus();
}

absl::StatusOr<std::string> VirtualClustersImpl::ShowSetting(const VirtualClusterSpec& spec, const std::string& setting) {
  RETURN_IF_ERROR(CheckKnown(setting));
  ASSIGN_OR_RETURN(const TenantId id, Locate(spec));
  ASSIGN_OR_RETURN(const catalog::TenantRecord record, LoadTenant(store_, id));
  return fmt::format("{}", record.gc_ttl_seconds() != 0 ? record.gc_ttl_seconds() : kGcTtlSecondsDefault);
}

absl::StatusOr<std::vector<SettingInfo>> VirtualClustersImpl::ShowSettings(const VirtualClusterSpec& spec) {
  const std::string name(kGcTtlSetting);
  ASSIGN_OR_RETURN(std::string value, ShowSetting(spec, name));
  return std::vector<SettingInfo>{{.name = name,
                                   .value = std::move(value),
                                   .type = "i",
                                   .description = "how many seconds of history are kept for reads and failbacks",
                                   .default_value = fmt::format("{}", kGcTtlSecondsDefault)}};
}

}  // namespace anabranch
