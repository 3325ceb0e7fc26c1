// Promises of streams to failbacks, kept in the source's own record (tenant/source/source.h, R13), and how records of streams
// go. On the writer thread.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "storage/api/store.h"
#include "tenant/catalog/catalog.h"
#include "tenant/catalog/stream_user.h"

namespace anabranch {

// The record and its protection.
void DeleteStream(MetaUpdate& update, const catalog::StreamRecord& stream);

// What the destination was promised before is of a handshake that it gave up, for it prepares one failback at a time: those
// streams are deleted, and returned. 42501 if one is not `user`'s to replace. The caller puts `tenant`.
absl::StatusOr<std::vector<StreamId>> Promise(MetaUpdate& update, const catalog::StreamRecord& stream,
                                              const StreamUser& user, catalog::TenantRecord& tenant);

// Nothing if it was not promised, or its virtual cluster is gone.
absl::Status EndPromise(MetaUpdate& update, const catalog::StreamRecord& stream);

}  // namespace anabranch
