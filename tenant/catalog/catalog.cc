#include "tenant/catalog/catalog.h"

#include <algorithm>

#include "base/status.h"
#include "fmt/format.h"
#include "tenant/catalog/limits.h"

namespace anabranch {
namespace {

// Reads of the store and of an update in progress look alike.
absl::StatusOr<std::optional<std::string>> Read(Store& store, const std::string& key) { return store.GetMeta(key); }
absl::StatusOr<std::optional<std::string>> Read(MetaUpdate& update, const std::string& key) {
  return update.GetBefore(key);
}

absl::Status Damaged(std::string_view key) {
  return SqlError(sqlstate::kDataCorrupted, fmt::format("catalog record {} does not decode", key));
}

absl::StatusOr<catalog::TenantRecord> DecodeTenant(std::string_view key, const std::string& bytes) {
  catalog::TenantRecord record;
  if (!record.ParseFromString(bytes)) return Damaged(key);
  constexpr uint32_t kReservedState = 6;
  const bool state_known = record.data_state() >= 1 && record.data_state() <= static_cast<uint32_t>(DataState::kDropping) &&
                           record.data_state() != kReservedState;
  const bool mode_known =
      record.service_mode() >= 1 && record.service_mode() <= static_cast<uint32_t>(ServiceMode::kStopping);
  if (!state_known || !mode_known) return Damaged(key);
  return record;
}

template <typename Reader>
absl::StatusOr<catalog::TenantRecord> ReadTenant(Reader& reader, TenantId id) {
  const std::string key = TenantKey(id);
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, Read(reader, key));
  if (!bytes) return SqlError(sqlstate::kUndefinedObject, fmt::format("tenant with ID {} does not exist", id.value()));
  return DecodeTenant(key, *bytes);
}

template <typename Reader>
absl::StatusOr<catalog::StreamRecord> ReadStream(Reader& reader, StreamId id) {
  const std::string key = StreamKey(id);
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, Read(reader, key));
  if (!bytes) {
    return SqlError(
        sqlstate::kObjectNotInPrerequisiteState,
        fmt::format("replication stream {} does not exist: it was finished, or its standby was silent for too long and the "
                    "history that it needs was released",
                    StreamText(id)),
        "Make another standby with CREATE VIRTUAL CLUSTER ... FROM REPLICATION OF ..., and drop this one after that; or "
        "make "
        "this one ready, as ready_by in SHOW VIRTUAL CLUSTER ... WITH REPLICATION STATUS says, and let it fail back.");
  }
  catalog::StreamRecord record;
  if (!record.ParseFromString(*bytes)) return Damaged(key);
  return record;
}

}  // namespace

std::string TenantKey(TenantId id) { return fmt::format("{}{:020}", kTenantPrefix, id.value()); }
std::string TenantNameKey(std::string_view name) { return fmt::format("tenant-name/{}", name); }
std::string StreamText(StreamId id) { return fmt::format("{:016x}", id.value()); }
std::string StreamKey(StreamId id) { return fmt::format("{}{}", kStreamPrefix, StreamText(id)); }

absl::Status CheckName(std::string_view name) {
  if (name.empty()) return SqlError(sqlstate::kSyntaxError, "tenant name cannot be empty");
  const bool allowed =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
  if (!allowed || name.size() > kNameBytesMax) {
    return SqlError(sqlstate::kInvalidParameterValue,
                    fmt::format("invalid tenant name: \"{}\"", name.substr(0, kNameBytesMax)),
                    fmt::format("A name has 1 to {} letters, digits, '-' and '_'.", kNameBytesMax));
  }
  return absl::OkStatus();
}

Ancestry FromWire(const WireAncestry& ancestry) {
  Ancestry result;
  for (const wire::BranchPoint& point : ancestry)
    result.push_back({BranchId(point.branch_id()), Timestamp{point.forked_at()}});
  return result;
}

void ToWire(const Ancestry& ancestry, WireAncestry* out) {
  out->Clear();
  for (const BranchPoint& point : ancestry) {
    wire::BranchPoint* added = out->Add();
    added->set_branch_id(point.branch.value());
    added->set_forked_at(point.forked_at.ns);
  }
}

absl::StatusOr<std::optional<TenantId>> FindTenant(Store* store, std::string_view name) {
  ASSIGN_OR_RETURN(const std::optional<std::string> id, store->GetMeta(TenantNameKey(name)));
  if (!id) return std::optional<TenantId>();
  return std::optional<TenantId>(TenantId(std::strtoull(id->c_str(), nullptr, 10)));
}

absl::StatusOr<catalog::TenantRecord> LoadTenant(Store* store, TenantId id) { return ReadTenant(*store, id); }
absl::StatusOr<catalog::TenantRecord> LoadTenant(MetaUpdate& update, TenantId id) { return ReadTenant(update, id); }
absl::StatusOr<catalog::StreamRecord> LoadStream(Store* store, StreamId id) { return ReadStream(*store, id); }
absl::StatusOr<catalog::StreamRecord> LoadStream(MetaUpdate& update, StreamId id) { return ReadStream(update, id); }

absl::StatusOr<std::vector<catalog::TenantRecord>> LoadTenants(Store* store) {
  ASSIGN_OR_RETURN(const auto entries, store->ScanMeta(kTenantPrefix));
  std::vector<catalog::TenantRecord> result;
  for (const auto& [key, bytes] : entries) {
    ASSIGN_OR_RETURN(result.emplace_back(), DecodeTenant(key, bytes));
  }
  return result;
}

absl::StatusOr<std::vector<catalog::StreamRecord>> LoadStreams(Store* store) {
  ASSIGN_OR_RETURN(const auto entries, store->ScanMeta(kStreamPrefix));
  std::vector<catalog::StreamRecord> result;
  for (const auto& [key, bytes] : entries) {
    if (!result.emplace_back().ParseFromString(bytes)) return Damaged(key);
  }
  return result;
}

void PutTenant(MetaUpdate& update, const catalog::TenantRecord& record) {
  update.Put(TenantKey(TenantId(record.id())), record.SerializeAsString());
}

void PutStream(MetaUpdate& update, const catalog::StreamRecord& record) {
  update.Put(StreamKey(StreamId(record.stream_id())), record.SerializeAsString());
}

absl::Status UpdateTenant(Store* store, TenantId id,
                          const std::function<absl::Status(MetaUpdate&, catalog::TenantRecord&)>& change) {
  return store->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    ASSIGN_OR_RETURN(catalog::TenantRecord record, LoadTenant(update, id));
    RETURN_IF_ERROR(change(update, record));
    PutTenant(update, record);
    return absl::OkStatus();
  });
}

absl::Status UpdateStream(Store* store, StreamId id,
                          const std::function<absl::Status(MetaUpdate&, catalog::StreamRecord&)>& change) {
  return store->UpdateMeta([&](MetaUpdate& update) -> absl::Status {
    ASSIGN_OR_RETURN(catalog::StreamRecord record, LoadStream(update, id));
    RETURN_IF_ERROR(change(update, record));
    PutStream(update, record);
    return absl::OkStatus();
  });
}

bool WasRefused(const absl::Status& status) { return !status.ok() && SqlStateOf(status) != sqlstate::kIoError; }

absl::Status CheckRoom(Store* store, size_t wanted) {
  ASSIGN_OR_RETURN(const std::vector<catalog::TenantRecord> records, LoadTenants(store));
  if (records.size() + wanted <= kVirtualClustersMax) return absl::OkStatus();
  return SqlError(sqlstate::kProgramLimitExceeded,
                  fmt::format("a cluster holds at most {} virtual clusters (kVirtualClustersMax)", kVirtualClustersMax),
                  "Use DROP VIRTUAL CLUSTER on one that is no longer needed.");
}

absl::Status AddTenant(MetaUpdate& update, catalog::TenantRecord* record, TenantId newest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> taken, update.GetBefore(TenantNameKey(record->name())));
  if (taken) return TenantExists(record->name());
  ASSIGN_OR_RETURN(const std::optional<std::string> counter, update.GetBefore(kTenantCounterKey));
  const uint64_t given = counter ? std::strtoull(counter->c_str(), nullptr, 10) : 0;
  record->set_id(std::max(given, newest.value()) + 1);
  const std::string id = fmt::format("{}", record->id());
  update.Put(kTenantCounterKey, id);
  update.Put(TenantNameKey(record->name()), id);
  PutTenant(update, *record);
  return absl::OkStatus();
}

absl::Status CopyTraits(MetaUpdate& update, TenantId like, catalog::TenantRecord* record) {
  ASSIGN_OR_RETURN(const catalog::TenantRecord from, LoadTenant(update, like));
  *record->mutable_capabilities() = from.capabilities();
  record->set_gc_ttl_seconds(from.gc_ttl_seconds());
  return absl::OkStatus();
}

absl::Status NoSuchTenant(std::string_view name) {
  return SqlError(sqlstate::kUndefinedObject, fmt::format("tenant \"{}\" does not exist", name));
}

absl::Status TenantExists(std::string_view name) {
  return SqlError(sqlstate::kDuplicateObject, fmt::format("tenant with name \"{}\" already exists", name));
}

}  // namespace anabranch
