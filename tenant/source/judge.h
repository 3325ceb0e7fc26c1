// Who may have what of a stream, at its source. Nothing here changes anything.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/stream_user.h"

namespace anabranch {

// Whether streams may leave from it now.
absl::Status CheckServes(const catalog::TenantRecord& tenant);

// 42501, with the user and the stream.
absl::Status NotOwner(const catalog::StreamRecord& record, const StreamUser& user, std::string hint);

// For what is not OPEN. A standby that does not say which cluster it is runs an older program, which did not.
absl::Status CheckOwner(const catalog::StreamRecord& record, const StreamUser& user, const std::string& destination);

}  // namespace anabranch
