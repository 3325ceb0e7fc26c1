// The settings of this physical cluster: SET, RESET and SHOW CLUSTER SETTING. Kept in `meta` as the text that SHOW prints,
// one key each; no key: the default. Nothing caches them, so a change counts from the next time that they are looked at,
// over restarts too. Those of one virtual cluster (gc.ttlseconds) are in its record: settings.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/api/store.h"

namespace anabranch {

enum class ClusterSetting {
  kDefaultTarget,
  kCheckpointInterval,
  kDefaultRetention,
  kExpirationWindow,
  kUndoWindow,
  kLostWritesBytesMax,
  kCopyConnections,
  kStreamBytesPerSecond,
  kNodeBytesPerSecond,
  kLiveFeedBytes,
  kSilenceWindow,
  kAuthenticationRules,
};
inline constexpr size_t kClusterSettingsCount = static_cast<size_t>(ClusterSetting::kAuthenticationRules) + 1;

enum class SettingType { kString, kDuration, kInteger };

struct SettingDefinition {
  ClusterSetting setting;
  std::string_view name;
  SettingType type;
  std::string_view default_value;
  uint64_t min;  // of a duration, in nanoseconds, or of an integer
  uint64_t max;
  std::string_view description;
  bool or_zero = false;  // an integer below `min` that stands for none
};

// As SHOW CLUSTER SETTINGS lists one.
struct SettingInfo {
  std::string name;
  std::string value;
  std::string type;  // "s", "d" or "i", CockroachDB's letters
  std::string description;
  std::string default_value;
};

// In ClusterSetting's order, which is not by name.
const SettingDefinition& DefinitionOf(ClusterSetting setting);
// 42704 for a name that is none.
absl::StatusOr<ClusterSetting> FindClusterSetting(std::string_view name);

absl::StatusOr<SettingInfo> DescribeSetting(Store* store, std::string_view name);
absl::StatusOr<std::vector<SettingInfo>> DescribeSettings(Store* store);  // by name
// No value: back to the default. 42704 for another setting or a virtual cluster that does not exist; 22023 for a value that
// it cannot have. Returns whether the value is another one than before.
absl::StatusOr<bool> WriteSetting(Store* store, ClusterSetting setting, const std::optional<std::string>& value);

// --- For who goes by it ---
absl::StatusOr<std::string> ReadSetting(Store* store, ClusterSetting setting);
absl::StatusOr<uint64_t> ReadDurationNs(Store* store, ClusterSetting setting);
absl::StatusOr<uint64_t> ReadDurationNs(MetaUpdate& update, ClusterSetting setting);
absl::StatusOr<uint64_t> ReadInteger(Store* store, ClusterSetting setting);
// 22023 for a stream's own window that the setting could not have, either.
absl::Status CheckExpirationWindow(const std::optional<uint64_t>& window_ns);
// In a change of names: the default target follows.
absl::Status RenameDefaultTarget(MetaUpdate& update, std::string_view from, std::string_view to);

// "100ms", "4h", "1h30m": whole units, the largest first, as ParseIntervalNs reads them.
std::string FormatDuration(uint64_t ns);

}  // namespace anabranch
