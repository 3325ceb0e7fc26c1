// Promises of streams to failbacks, kept in the source's own record (tenant/source/source.h, R13). On the writer thread.
#pragma once

#include "absl/status/status.h"
#include "storage/api/store.h"
#include "tenant/catalog/catalog.h"

namespace anabranch {

// What the destination was promised before is of a handshake that it gave up: it prepares one failback at a time. The
// caller puts `tenant`.
absl::Status Promise(MetaUpdate& update, const catalog::StreamRecord& stream, catalog::TenantRecord& tenant);

// Nothing if it was not promised, or its virtual cluster is gone.
absl::Status EndPromise(MetaUpdate& update, const catalog::StreamRecord& stream);

}  // namespace anabranch
