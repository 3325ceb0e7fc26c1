// What a virtual cluster may ask of its physical cluster.
#pragma once

#include <optional>
#include <string_view>

namespace anabranch {

enum class Capability {
  kAdminRelocateRange,
  kAdminScatter,
  kAdminSplit,
  kAdminUnsplit,
  kUseNodelocalStorage,
  kViewNodeInfo,
  kCheckConsistency,
  kViewTsdbMetrics,
  kExemptFromRateLimiting,
  kSpanConfigBounds,
  kDebugProcess,
  kViewAllMetrics,
  kPrepareTxns,
};

struct CapabilityInfo {
  Capability capability;
  std::string_view name;
  bool is_bool = true;
  bool granted_by_default = false;
};
// In the order of the enumeration.
inline constexpr CapabilityInfo kCapabilities[] = {
    {Capability::kAdminRelocateRange, "can_admin_relocate_range"},
    {Capability::kAdminScatter, "can_admin_scatter", true, true},
    {Capability::kAdminSplit, "can_admin_split", true, true},
    {Capability::kAdminUnsplit, "can_admin_unsplit"},
    {Capability::kUseNodelocalStorage, "can_use_nodelocal_storage"},
    {Capability::kViewNodeInfo, "can_view_node_info"},
    {Capability::kCheckConsistency, "can_check_consistency"},
    {Capability::kViewTsdbMetrics, "can_view_tsdb_metrics"},
    {Capability::kExemptFromRateLimiting, "exempt_from_rate_limiting"},
    {Capability::kSpanConfigBounds, "span_config_bounds", false},
    {Capability::kDebugProcess, "can_debug_process"},
    {Capability::kViewAllMetrics, "can_view_all_metrics"},
    {Capability::kPrepareTxns, "can_prepare_txns"},
};

inline constexpr const CapabilityInfo& InfoOf(Capability capability) {
  return kCapabilities[static_cast<size_t>(capability)];
}

// nullopt: there is none of that name.
inline std::optional<Capability> FindCapability(std::string_view name) {
  for (const CapabilityInfo& info : kCapabilities) {
    if (info.name == name) return info.capability;
  }
  return std::nullopt;
}

}  // namespace anabranch
