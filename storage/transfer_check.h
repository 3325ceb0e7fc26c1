// Internal to storage/: what an adopted keyspace is checked for before anyone relies on it (R9): every version has its
// entry in the change index. The files themselves are checked before that, in transfer.cc.
#pragma once

#include <stop_token>

#include "absl/status/status.h"
#include "storage/api/keyspace.h"

namespace anabranch {

// DataLoss unless the versions with floor < timestamp <= upto and the keys that the change index names there are the same
// (K1). Reads the whole keyspace once, the two families beside each other; compares counts
// and sums of hashes, so it needs no memory. Cancelled with `stop`.
absl::Status CheckIndexMatchesData(const Keyspace& keyspace, Timestamp floor, Timestamp upto,
                                   const std::stop_token& stop = {});

}  // namespace anabranch
