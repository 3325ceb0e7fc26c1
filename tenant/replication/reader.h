// The reader of a standby: `<name>-readonly`, where sessions read what is replicated (READ VIRTUAL CLUSTER).
//
// It is a record and nothing more: no keyspace, no copy, no job. Its sessions read the standby's keyspace at the frontier
// (TransactionContext::follows), so every statement sees one moment, the newest that is complete and durable, and none
// waits for the stream or holds it up.
//
//   (READ VIRTUAL CLUSTER)                     -> add, service none
//   add, at the first replicated_time          -> ready, service shared
//   any, by a failover TO LATEST               -> ready; it shows that moment for good, which is protected for it
//   any, by any other failover, a failback or
//   its end, or DROP of either                 -> dropping -> gone
//   what a failover left, by a failback WITH
//   READ VIRTUAL CLUSTER                       -> add, service none
//
// `reads_from` in its record and `reader` in the standby's name each other by id, whatever either is called. Every move but
// those of its own service is made in the update that also moves the standby, by the functions here.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/api/store.h"
#include "tenant/catalog/catalog.h"

namespace anabranch {

inline constexpr std::string_view kReaderSuffix = "-readonly";

inline bool IsReader(const catalog::TenantRecord& record) { return record.reads_from() != 0; }
std::string ReaderName(std::string_view standby);

// For a statement that would give `standby` a reader, before its first change: 42710 if the name is taken, 22023 if it
// would be too long. OK if it has one.
absl::Status CheckReaderName(Store* store, const catalog::TenantRecord& standby);

// In the update that writes `standby`. A reader that it has begins anew.
enum class ReaderStart { kAdded, kServing };
absl::Status AddReader(MetaUpdate& update, catalog::TenantRecord& standby, ReaderStart start);
// The standby has a replicated_time. Does nothing if it has no reader, or one that serves or was told not to.
absl::Status OpenReader(MetaUpdate& update, const catalog::TenantRecord& standby);
// The standby is promoted to `at`, which is its frontier.
absl::Status FreezeReader(MetaUpdate& update, const catalog::TenantRecord& standby, Timestamp at);
// Marks it as dropping; its id, or zero if there is none. Then its sessions are to be ended; none of them reads on until they
// are. `keyspace`: of the standby; null if it has none.
absl::StatusOr<TenantId> DropReader(MetaUpdate& update, catalog::TenantRecord& standby, const KeyspaceRef& keyspace);
// For a reader that is dropped by itself: `standby` has none any more.
absl::Status ForgetReader(MetaUpdate& update, const catalog::TenantRecord& reader);

// For a statement that a reader cannot take: 55000 that names the virtual cluster to say it of. `verb`: "pause replication
// of"; may be empty.
absl::Status RefuseReader(Store* store, const catalog::TenantRecord& reader, std::string_view verb);

}  // namespace anabranch
