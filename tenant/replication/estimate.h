// How much lies above a timestamp, with bounded work: what EXPLAIN says before something is undone, swept or fetched.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "storage/api/store.h"
#include "storage/mvcc/change_index.h"
#include "stream/wire.pb.h"

namespace anabranch {

inline constexpr uint64_t kEstimateVersionsMax = 100'000;   // counted one by one; from there on it is "at least"
inline constexpr uint64_t kEstimateSampleVersions = 1'000;  // whose values are looked at for the bytes

struct RangeEstimate {
  uint64_t transactions = 0;
  uint64_t versions = 0;
  uint64_t bytes = 0;     // of keys and values, by a sample
  bool at_least = false;  // there is more: the limit was reached
  Timestamp newest;       // of what was counted; zero: nothing
};

// 22023 if `after` is below the floor.
absl::StatusOr<RangeEstimate> EstimateRange(Store* store, const KeyspaceRef& keyspace, Timestamp after, ChangeFilter filter,
                                            std::stop_token stop);

wire::RangeEstimate ToWire(const RangeEstimate& estimate);
RangeEstimate FromWire(const wire::RangeEstimate& estimate);
// "120", "at least 100000"
std::string CountText(uint64_t count, const RangeEstimate& estimate);

}  // namespace anabranch
