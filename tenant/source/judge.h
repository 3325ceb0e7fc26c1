// Who may have what of a stream, at its source. Nothing here changes anything.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "stream/wire.pb.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/stream_user.h"

namespace anabranch {

// Whether streams may leave from it now.
absl::Status CheckServes(const catalog::TenantRecord& tenant);

// What a peer says of itself is as long, and made of such characters, as ours is; and its window is one that the setting
// could have. 22023.
absl::Status CheckRequest(const wire::OpenRequest& request);

// For OPEN of a stream that exists: by its owner, by an administrator, or by whoever comes first to one without an owner;
// for its destination, while it is open. 42501, 55000.
absl::Status CheckMayOpen(const catalog::StreamRecord& record, const StreamUser& user, const wire::OpenRequest& request);

// For COPY and SUBSCRIBE: by its owner. 42501. A standby that does not say which cluster it is runs an older program, which
// did not.
absl::Status CheckOwner(const catalog::StreamRecord& record, const StreamUser& user, const std::string& destination);

// For OPEN of a failback, which ends what its destination was promised before: whose destination it is, the peer says
// itself. By the owner of that stream, or by an administrator, or by anyone if it has no owner. 42501.
absl::Status CheckMayReplace(const catalog::StreamRecord& promised, const StreamUser& user);

// For FINISH: by its owner, or by an administrator who says which destination it is: 42501. Of the stream as the peer
// knows it: 55006 if that was opened again since.
absl::Status CheckMayFinish(const catalog::StreamRecord& record, const StreamUser& user,
                            const wire::FinishRequest& request);

}  // namespace anabranch
