// Failback: turns a `ready` virtual cluster back into a standby of one that it shares a past with.
//
// Order (R11): handshake, in which the source durably protects the fork and gives a stream id -> ledger synced, outside the
// keyspace -> journal `reverting` -> revert -> stream. Everything up to the journal can be refused and changes nothing;
// everything after it is the job's, which a restart continues.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "storage/store.h"
#include "stream/wire.pb.h"
#include "tenant/catalog.h"

namespace anabranch {

struct FailbackRequest {
  std::string source_name;
  std::string uri;
  uint64_t retention_ns = 0;
};

// What this virtual cluster says of itself to its source to be.
wire::OpenRequest FailbackHandshake(Store* store, const catalog::TenantRecord& record, const std::string& source_name);

// Checks the source's answer against what is here, writes the ledger and journals. On an error nothing has changed.
// REQUIRES: statements on this virtual cluster are serialized; no hidden interval is left (R5).
absl::Status JournalFailback(Store* store, const catalog::TenantRecord& record, const FailbackRequest& request,
                             const wire::OpenResponse& response);

}  // namespace anabranch
