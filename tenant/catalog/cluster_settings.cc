#include "tenant/catalog/cluster_settings.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"
#include "base/status.h"
#include "base/system_time.h"
#include "stream/frame.h"
#include "stream/ingestion.h"
#include "stream/live_feed.h"
#include "stream/producer_session.h"
#include "tenant/catalog/authentication_rules.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/limits.h"

namespace anabranch {
namespace {

constexpr uint64_t kMsNs = 1'000'000;
constexpr uint64_t kSecondNs = 1'000 * kMsNs;
constexpr uint64_t kMinuteNs = 60 * kSecondNs;
constexpr uint64_t kHourNs = 60 * kMinuteNs;
constexpr uint64_t kDayNs = 24 * kHourNs;
constexpr uint64_t kLostWritesLimit = 1ull << 50;
constexpr uint64_t kBytesPerSecondMin = 64 << 10;  // slower, a standby would hear too little of its source
constexpr uint64_t kBytesPerSecondLimit = 1ull << 40;

constexpr std::array<SettingDefinition, kClusterSettingsCount> kDefinitions = {{
    {ClusterSetting::kDefaultTarget, "server.controller.default_target_cluster", SettingType::kString, "", 0, 0,
     "the virtual cluster that a connection reaches when it names none; empty: the only one besides system, if there is "
     "exactly one and it serves, else system"},
    {ClusterSetting::kCheckpointInterval, "physical_replication.checkpoint_interval", SettingType::kDuration, "100ms",
     kCheckpointIntervalMsMin* kMsNs, kCheckpointIntervalMsMax* kMsNs,
     "how long this cluster, as a source, waits at most before it tells its standbys up to when they are complete; a "
     "change "
     "makes running streams connect again"},
    {ClusterSetting::kDefaultRetention, "physical_replication.default_retention", SettingType::kDuration, "4h", 0,
     365 * kDayNs, "how far back a standby that is started without RETENTION can be failed over to"},
    {ClusterSetting::kExpirationWindow, "physical_replication.expiration_window", SettingType::kDuration, "24h",
     30 * kSecondNs, 365 * kDayNs,
     "how long this cluster, as a source, keeps history for a silent standby that was started without EXPIRATION WINDOW, "
     "and how long history is kept after a failover for a failback"},
    {ClusterSetting::kUndoWindow, "physical_replication.failover.undo_window", SettingType::kDuration, "10m", 0,
     365 * kDayNs,
     "how long a failover can be undone if the service was not started since; 0s: not at all, and what it hid is swept at "
     "once"},
    {ClusterSetting::kLostWritesBytesMax, kLostWritesSetting, SettingType::kInteger, "4294967296", 0, kLostWritesLimit,
     "how many bytes of what failbacks undid are kept; the oldest goes first"},
    {ClusterSetting::kCopyConnections, "physical_replication.copy_connections", SettingType::kInteger, "2", 1,
     kCopyConnectionsMax, "over how many connections at once this cluster, as a standby, fetches an initial copy"},
    {ClusterSetting::kStreamBytesPerSecond, "physical_replication.stream_bytes_per_second", SettingType::kInteger, "0",
     kBytesPerSecondMin, kBytesPerSecondLimit,
     "how many bytes a second this cluster, as a source, sends to one standby; 0: no limit", /*or_zero=*/true},
    {ClusterSetting::kNodeBytesPerSecond, "physical_replication.bytes_per_second", SettingType::kInteger, "0",
     kBytesPerSecondMin, kBytesPerSecondLimit,
     "how many bytes a second this cluster, as a source, sends to all standbys together, which share them alike; 0: no "
     "limit",
     /*or_zero=*/true},
    {ClusterSetting::kLiveFeedBytes, "physical_replication.live_feed_bytes", SettingType::kInteger, "33554432", 1 << 20,
     1 << 30,
     "how much memory this cluster, as a source, spends on the newest commits of each virtual cluster that has standbys; "
     "one "
     "that is further behind reads from the store"},
    {ClusterSetting::kSilenceWindow, "physical_replication.silence_window", SettingType::kDuration, "1m", 5 * kSecondNs,
     kHourNs,
     "how long a standby may take or acknowledge nothing before this cluster, as a source, ends its connection; counts for "
     "connections that begin"},
    {ClusterSetting::kAuthenticationRules, "server.host_based_authentication.configuration", SettingType::kString,
     kDefaultAuthenticationRules, 0, 0,
     "who may connect, from where, and how they prove who they are, one rule a line as in PostgreSQL's pg_hba.conf; no "
     "rule: the default"},
}};
static_assert(kDefinitions[1].min > kGatherNs);
static_assert(kDefinitions[3].min >= 3 * kProgressIntervalNs, "what is heard of does not expire");
static_assert(kFailoverUndoWindowNs == 10 * kMinuteNs && kLostWritesBytesMax == 4294967296);
static_assert(kCopyConnections == 2 && kLiveFeedBytesMax == 33554432 && kPeerSilentNsMax == kMinuteNs);
static_assert(kDefaultRetentionNs == 4 * kHourNs && kExpirationWindowNs == 24 * kHourNs && kCheckpointIntervalMs == 100);

std::string KeyOf(const SettingDefinition& definition) { return fmt::format("{}{}", kSettingPrefix, definition.name); }

absl::StatusOr<std::string> OrDefault(absl::StatusOr<std::optional<std::string>> stored,
                                      const SettingDefinition& definition) {
  RETURN_IF_ERROR(stored.status());
  return stored->value_or(std::string(definition.default_value));
}

absl::StatusOr<uint64_t> ToNs(const absl::StatusOr<std::string>& text) {
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(const int64_t ns, ParseIntervalNs(*text));
  return static_cast<uint64_t>(ns);
}

absl::Status Invalid(const SettingDefinition& definition, std::string_view value, std::string hint) {
  return SqlError(sqlstate::kInvalidParameterValue,
                  fmt::format("invalid value for cluster setting \"{}\": \"{}\"", definition.name, value), std::move(hint));
}

// The text to keep.
absl::StatusOr<std::string> CheckDuration(const SettingDefinition& definition, const std::string& value) {
  const absl::StatusOr<int64_t> ns = ParseIntervalNs(value);
  const std::string hint =
      fmt::format("Give a duration between '{}' and '{}'.", FormatDuration(definition.min), FormatDuration(definition.max));
  if (!ns.ok() || *ns < 0) return Invalid(definition, value, hint);
  const auto duration = static_cast<uint64_t>(*ns);
  if (duration < definition.min || duration > definition.max || duration % kMsNs != 0) {
    return Invalid(definition, value, hint);
  }
  return FormatDuration(duration);
}

std::optional<uint64_t> ToInteger(const std::string& text) {
  uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

absl::StatusOr<std::string> CheckInteger(const SettingDefinition& definition, const std::string& text) {
  const std::optional<uint64_t> value = ToInteger(text);
  const bool none = definition.or_zero && value == 0;
  if (none || (value && *value >= definition.min && *value <= definition.max)) return fmt::format("{}", *value);
  return Invalid(definition, text,
                 fmt::format("Give {}a whole number between {} and {}.", definition.or_zero ? "0, or " : "", definition.min,
                             definition.max));
}

absl::StatusOr<std::string> CheckText(const SettingDefinition& definition, const std::string& text) {
  if (definition.setting != ClusterSetting::kAuthenticationRules) return text;
  ASSIGN_OR_RETURN(const std::vector<AuthenticationRule> rules, ParseAuthenticationRules(text));
  return rules.empty() ? std::string(definition.default_value) : text;
}

std::string_view LetterOf(SettingType type) {
  switch (type) {
    case SettingType::kString:
      return "s";
    case SettingType::kDuration:
      return "d";
    case SettingType::kInteger:
      return "i";
  }
  CHECK(false, "unknown setting type");
}

SettingInfo InfoOf(const SettingDefinition& definition, std::string value) {
  return {.name = std::string(definition.name),
          .value = std::move(value),
          .type = std::string(LetterOf(definition.type)),
          .description = std::string(definition.description),
          .default_value = std::string(definition.default_value)};
}

}  // namespace

std::string FormatDuration(uint64_t ns) {
  if (ns == 0) return "0s";
  std::string text;
  for (const auto& [unit_ns, unit] : {std::pair{kHourNs, "h"}, {kMinuteNs, "m"}, {kSecondNs, "s"}, {kMsNs, "ms"}}) {
    if (ns >= unit_ns) text += fmt::format("{}{}", ns / unit_ns, unit);
    ns %= unit_ns;
  }
  return text;
}

const SettingDefinition& DefinitionOf(ClusterSetting setting) {
  const SettingDefinition& definition = kDefinitions[static_cast<size_t>(setting)];
  CHECK(definition.setting == setting, "the definitions are in the order of the enumeration");
  return definition;
}

absl::StatusOr<ClusterSetting> FindClusterSetting(std::string_view name) {
  for (const SettingDefinition& definition : kDefinitions) {
    if (definition.name == name) return definition.setting;
  }
  return SqlError(sqlstate::kUndefinedObject, fmt::format("unknown cluster setting \"{}\"", name),
                  "SHOW CLUSTER SETTINGS lists those that there are.");
}

absl::StatusOr<std::string> ReadSetting(Store* store, ClusterSetting setting) {
  const SettingDefinition& definition = DefinitionOf(setting);
  return OrDefault(store->GetMeta(KeyOf(definition)), definition);
}

absl::StatusOr<uint64_t> ReadDurationNs(Store* store, ClusterSetting setting) { return ToNs(ReadSetting(store, setting)); }

absl::StatusOr<uint64_t> ReadDurationNs(MetaUpdate& update, ClusterSetting setting) {
  const SettingDefinition& definition = DefinitionOf(setting);
  return ToNs(OrDefault(update.GetBefore(KeyOf(definition)), definition));
}

absl::StatusOr<uint64_t> ReadInteger(Store* store, ClusterSetting setting) {
  ASSIGN_OR_RETURN(const std::string text, ReadSetting(store, setting));
  const std::optional<uint64_t> value = ToInteger(text);
  CHECK(value.has_value(), "an integer setting was checked when it was set");
  return *value;
}

absl::StatusOr<SettingInfo> DescribeSetting(Store* store, std::string_view name) {
  ASSIGN_OR_RETURN(const ClusterSetting setting, FindClusterSetting(name));
  ASSIGN_OR_RETURN(std::string value, ReadSetting(store, setting));
  return InfoOf(DefinitionOf(setting), std::move(value));
}

absl::StatusOr<std::vector<SettingInfo>> DescribeSettings(Store* store) {
  std::vector<SettingInfo> rows;
  for (const SettingDefinition& definition : kDefinitions) {
    ASSIGN_OR_RETURN(rows.emplace_back(), DescribeSetting(store, definition.name));
  }
  std::sort(rows.begin(), rows.end(), [](const SettingInfo& a, const SettingInfo& b) { return a.name < b.name; });
  return rows;
}

absl::StatusOr<bool> WriteSetting(Store* store, ClusterSetting setting, const std::optional<std::string>& value) {
  const SettingDefinition& definition = DefinitionOf(setting);
  std::string text(definition.default_value);
  if (value && definition.type == SettingType::kDuration) {
    ASSIGN_OR_RETURN(text, CheckDuration(definition, *value));
  } else if (value && definition.type == SettingType::kInteger) {
    ASSIGN_OR_RETURN(text, CheckInteger(definition, *value));
  } else if (value) {
    ASSIGN_OR_RETURN(text, CheckText(definition, *value));
  }
  bool changed = false;
  const std::string key = KeyOf(definition);
  RETURN_IF_ERROR(store->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    if (setting == ClusterSetting::kDefaultTarget && !text.empty()) {
      ASSIGN_OR_RETURN(const std::optional<std::string> there, update.GetBefore(TenantNameKey(text)));
      if (!there) return NoSuchTenant(text);
    }
    ASSIGN_OR_RETURN(const std::string before, OrDefault(update.GetBefore(key), definition));
    changed = before != text;
    if (text == definition.default_value) {
      update.Delete(key);
    } else {
      update.Put(key, text);
    }
    return absl::OkStatus();
  }));
  return changed;
}

absl::Status CheckExpirationWindow(const std::optional<uint64_t>& window_ns) {
  const SettingDefinition& definition = DefinitionOf(ClusterSetting::kExpirationWindow);
  if (!window_ns || (*window_ns >= definition.min && *window_ns <= definition.max)) return absl::OkStatus();
  return SqlError(sqlstate::kInvalidParameterValue, "the expiration window is out of range",
                  fmt::format("Give a duration between '{}' and '{}'.", FormatDuration(definition.min),
                              FormatDuration(definition.max)));
}

absl::Status RenameDefaultTarget(MetaUpdate& update, std::string_view from, std::string_view to) {
  const std::string key = KeyOf(DefinitionOf(ClusterSetting::kDefaultTarget));
  ASSIGN_OR_RETURN(const std::optional<std::string> target, update.GetBefore(key));
  if (target && *target == from) update.Put(key, std::string(to));
  return absl::OkStatus();
}

}  // namespace anabranch
