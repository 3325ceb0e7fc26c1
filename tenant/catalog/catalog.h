// The room of what is durable: records, their states, settings. Read this first. Nothing in it runs.
//
// The catalog of virtual clusters and streams: records in the store's `meta`. There is no cache of it: what the store has
// durably is what is true, and every decision is made again inside the UpdateMeta that makes it durable.
//
//   tenant/<id, 20 digits>     TenantRecord
//   tenant-name/<name>         id, decimal; absent while dropping
//   stream/<id, 16 hex>        StreamRecord
//   failover/<n, 20 digits>    FailoverReceipt (tenant/catalog/receipts.h)
//   farewell/<id, 16 hex>      FarewellRecord (tenant/catalog/farewells.h)
//   counter/tenant             newest id given, decimal; ids are never used twice
//   counter/failover           newest number of a receipt
//   setting/<name>             cluster setting (tenant/catalog/cluster_settings.h)
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "storage/api/store.h"
#include "stream/lineage.h"
#include "tenant/catalog/catalog.pb.h"
#include "tenant/catalog/lifecycle.h"

namespace anabranch {

inline constexpr std::string_view kTenantPrefix = "tenant/";
inline constexpr std::string_view kStreamPrefix = "stream/";
inline constexpr std::string_view kTenantCounterKey = "counter/tenant";
inline constexpr std::string_view kLastRoundKey = "last_round";
inline constexpr std::string_view kSettingPrefix = "setting/";
inline constexpr size_t kNameBytesMax = 100;

std::string TenantKey(TenantId id);
std::string TenantNameKey(std::string_view name);
std::string StreamKey(StreamId id);
std::string StreamText(StreamId id);  // 16 hex digits, as in keys, holders of protections and folder names

// 42601 for an empty name, 22023 for one with other characters than letters, digits, '-' and '_', or longer than
// kNameBytesMax.
absl::Status CheckName(std::string_view name);

inline DataState StateOf(const catalog::TenantRecord& record) { return static_cast<DataState>(record.data_state()); }
inline ServiceMode ModeOf(const catalog::TenantRecord& record) { return static_cast<ServiceMode>(record.service_mode()); }
inline void SetState(catalog::TenantRecord& record, DataState state) {
  record.set_data_state(static_cast<uint32_t>(state));
}
inline void SetMode(catalog::TenantRecord& record, ServiceMode mode) {
  record.set_service_mode(static_cast<uint32_t>(mode));
}

using WireAncestry = google::protobuf::RepeatedPtrField<wire::BranchPoint>;
Ancestry FromWire(const WireAncestry& ancestry);
void ToWire(const Ancestry& ancestry, WireAncestry* out);

// --- Reading what is durable ---
absl::StatusOr<std::optional<TenantId>> FindTenant(Store* store, std::string_view name);
absl::StatusOr<catalog::TenantRecord> LoadTenant(Store* store, TenantId id);   // 42704
absl::StatusOr<std::vector<catalog::TenantRecord>> LoadTenants(Store* store);  // by id
absl::StatusOr<catalog::StreamRecord> LoadStream(Store* store, StreamId id);   // 55000: unknown or released
absl::StatusOr<std::vector<catalog::StreamRecord>> LoadStreams(Store* store);

// --- Changing it, on the writer thread ---
absl::StatusOr<catalog::TenantRecord> LoadTenant(MetaUpdate& update, TenantId id);
absl::StatusOr<catalog::StreamRecord> LoadStream(MetaUpdate& update, StreamId id);
void PutTenant(MetaUpdate& update, const catalog::TenantRecord& record);
void PutStream(MetaUpdate& update, const catalog::StreamRecord& record);

// One UpdateMeta that hands `change` the record as it is then and writes back what it made of it. An error of `change`
// changes nothing.
absl::Status UpdateTenant(Store* store, TenantId id,
                          const std::function<absl::Status(MetaUpdate&, catalog::TenantRecord&)>& change);
absl::Status UpdateStream(Store* store, StreamId id,
                          const std::function<absl::Status(MetaUpdate&, catalog::StreamRecord&)>& change);

// Of an update that failed: whether nothing of it will ever be there. False for a failed write or sync (58030), which a
// restart may still find. Of what a full disk refused (53100) nothing is left.
bool WasRefused(const absl::Status& status);

// For a statement that adds as many virtual clusters. 54000.
absl::Status CheckRoom(Store* store, size_t wanted);
// Adds a virtual cluster under a new id, which is set in *record. 42710 if the name is taken. `newest`: of one added earlier
// in the same update.
absl::Status AddTenant(MetaUpdate& update, catalog::TenantRecord* record, TenantId newest = TenantId(0));

// What CREATE ... LIKE copies: capabilities and settings.
absl::Status CopyTraits(MetaUpdate& update, TenantId like, catalog::TenantRecord* record);

// 42704 `tenant "x" does not exist`; 42710 `tenant with name "x" already exists`.
absl::Status NoSuchTenant(std::string_view name);
absl::Status TenantExists(std::string_view name);

}  // namespace anabranch
