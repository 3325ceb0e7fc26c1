// A digest of a keyspace's contents that two clusters can compare: the sum, modulo 2^64, over the versions counted, of
// xxh3-64 of the stored value (kind byte, value), seeded with xxh3-64 of the version's key (docs/formats.md). So it depends
// on nothing but the versions: not on files, not on order.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "storage/api/keyspace.h"
#include "storage/api/store.h"

namespace anabranch {

struct Fingerprint {
  uint64_t digest = 0;
  uint64_t versions = 0;
};

// Without `start`: the live keys as of `at`. With it: every version, tombstones included, with start < timestamp <= at.
// Same refusals as MvccReader::Open. Cancelled when `stop` is requested.
absl::StatusOr<Fingerprint> ComputeFingerprint(Store* store, const KeyspaceRef& keyspace, std::optional<Timestamp> start,
                                               Timestamp at, std::stop_token stop);

}  // namespace anabranch
