// What a destination says in OPEN: one place fills in what every such request carries.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "storage/api/store.h"
#include "stream/wire.pb.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/spec.h"

namespace anabranch {

// Of a new stream, whose initial copy becomes the virtual cluster `name`. Its key is the same until some virtual cluster is
// made here, so a statement that did not hear the answer finds its stream when it is run again.
absl::StatusOr<wire::OpenRequest> CopyHandshake(Store* store, const std::string& name, const VirtualClusterSpec& source);

// What this virtual cluster says of itself to its source to be.
wire::OpenRequest FailbackHandshake(Store* store, const catalog::TenantRecord& record, const VirtualClusterSpec& source);

// Of a stream that exists, by a standby that is at `frontier`.
wire::OpenRequest ReopenRequest(Store* store, const catalog::TenantRecord& record, Timestamp frontier);

}  // namespace anabranch
