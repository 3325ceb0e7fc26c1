// Names and bounds that several files of tenant/ share.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.h"

namespace anabranch {

inline constexpr int kVirtualClustersMax = 256;
inline constexpr uint64_t kDefaultRetentionNs = 4ull * 3600 * 1'000'000'000;
inline constexpr uint64_t kExpirationWindowNs = 24ull * 3600 * 1'000'000'000;
inline constexpr uint64_t kFailoverUndoWindowNs = 10ull * 60 * 1'000'000'000;
static_assert(kFailoverUndoWindowNs < kExpirationWindowNs, "the source keeps the history for as long");
inline constexpr uint64_t kLostWritesBytesMax = 4ull << 30;
inline constexpr TenantId kSystemTenantId{1};
inline constexpr std::string_view kSystemTenantName = "system";

// Holders of protected timestamps (storage/protection.h). A stream's is its catalog key.
inline constexpr std::string_view kFailoverHolder = "failover";    // from the failover on, for a failback
inline constexpr std::string_view kResetHolder = "reset";          // from a reset's target on, for standbys that fail back
inline constexpr std::string_view kReaderHolder = "reader";        // what a reader that follows no more shows
inline constexpr std::string_view kRetentionHolder = "retention";  // a standby's own, from its retained_time on

// Why a failover cannot be undone any more (tenant/replication/undo_failover.h).
inline constexpr std::string_view kReplicatedFrom = "it is replicated from";

// What all ledgers of a node may take (tenant/replication/lost_writes.h).
inline constexpr std::string_view kLostWritesSetting = "physical_replication.failback.lost_writes_bytes_max";

// The setting of a virtual cluster; zero in its record stands for the default.
inline constexpr std::string_view kGcTtlSetting = "gc.ttlseconds";
inline constexpr uint64_t kGcTtlSecondsMin = 1;
inline constexpr uint64_t kGcTtlSecondsMax = 2'147'483'647;

// How often progress that may lag behind is made durable: raised protections, expirations, the source's clock offset.
inline constexpr uint64_t kProgressIntervalNs = 10'000'000'000;
// Streams that leave from a node, whoever made them.
inline constexpr size_t kReplicationStreamsMax = 1'000;
// Of those, what one user owns who is no administrator.
inline constexpr size_t kReplicationStreamsOfUserMax = 250;
// Of what a request or an answer of a peer names.
inline constexpr size_t kClusterIdHexDigits = 32;
inline constexpr size_t kOpenKeyBytesMax = 200;
inline constexpr uint64_t kRetryMinMs = 100;
inline constexpr uint64_t kRetryMaxMs = 15'000;
inline constexpr int kDamagedCopiesMax = 3;       // in a row; then somebody has to look at the disks
inline constexpr uint64_t kSweepWaitMs = 30'000;  // OPEN waits that long for a sweep before it refuses
inline constexpr uint64_t kReachCheckMs = 500;    // how often a waiting COMPLETE looks whether another statement ended it
inline constexpr uint64_t kDrainBudgetMs =
    200;  // so long COMPLETE TO LATEST takes in what a source that lives has committed
inline constexpr uint64_t kHousekeepingMs = 60'000;
inline constexpr uint64_t kSilenceNotedNs = 30'000'000'000;  // how much is not durable before it is noted
inline constexpr size_t kFarewellsMax = 256;  // to be said; beyond it the oldest goes: its source forgets by itself
static_assert(kProgressIntervalNs < kExpirationWindowNs / 100);
inline constexpr int64_t kClockStepNs = 1'000'000'000;  // by less a wall clock is adjusted
static_assert(kSilenceNotedNs < kHousekeepingMs * 1'000'000, "each round of the housekeeper notes it");

}  // namespace anabranch
