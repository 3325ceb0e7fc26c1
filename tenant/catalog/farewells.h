// Farewells that are to be said: what a source is to be told of a stream that is over. One is journaled in the write that
// ends the stream, so that a crash in between does not lose it, and stays until the source has heard of it or has forgotten
// the stream by itself (tenant/replication/farewell.h says them).
//
//   farewell/<id of the stream, 16 hex>    FarewellRecord
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "storage/api/store.h"
#include "tenant/catalog/catalog.pb.h"

namespace anabranch {

enum class Ending { kPromoted, kAbandoned };

// In the write that ends the stream. Replaces an earlier one of that stream.
void JournalFarewell(MetaUpdate& update, const catalog::Replication& replication, Ending ending);
absl::StatusOr<std::vector<catalog::FarewellRecord>> LoadFarewells(Store* store);  // the oldest first
// It was said, or need not be any more. Does nothing if another one has taken its place.
absl::Status ForgetFarewell(Store* store, const catalog::FarewellRecord& record);

}  // namespace anabranch
