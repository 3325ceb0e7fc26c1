#include "storage/protection.h"

#include <algorithm>
#include <string>

#include "base/status.h"
#include "storage/rocks/meta_format.h"

namespace anabranch {
namespace {

absl::StatusOr<Timestamp> DecodeProtection(std::string_view key, std::string_view value) {
  Timestamp ts;
  if (!DecodeTimestamp(value, &ts)) {
    return SqlError(sqlstate::kDataCorrupted, fmt::format("protection record {} does not decode", key));
  }
  return ts;
}

}  // namespace

void Protect(MetaUpdate& update, const IncarnationId& keyspace, std::string_view holder, Timestamp ts) {
  update.Put(MetaProtectPrefix(keyspace).append(holder), EncodeTimestamp(ts));
}

void Unprotect(MetaUpdate& update, const IncarnationId& keyspace, std::string_view holder) {
  update.Delete(MetaProtectPrefix(keyspace).append(holder));
}

absl::StatusOr<std::optional<Timestamp>> OldestProtected(Store* store, const IncarnationId& keyspace) {
  ASSIGN_OR_RETURN(const auto records, store->ScanMeta(MetaProtectPrefix(keyspace)));
  std::optional<Timestamp> oldest;
  for (const auto& [key, value] : records) {
    ASSIGN_OR_RETURN(const Timestamp ts, DecodeProtection(key, value));
    oldest = std::min(oldest.value_or(ts), ts);
  }
  return oldest;
}

absl::StatusOr<std::optional<Timestamp>> ProtectedBy(Store* store, const IncarnationId& keyspace, std::string_view holder) {
  const std::string key = MetaProtectPrefix(keyspace).append(holder);
  ASSIGN_OR_RETURN(const std::optional<std::string> value, store->GetMeta(key));
  if (!value) return std::nullopt;
  ASSIGN_OR_RETURN(const Timestamp ts, DecodeProtection(key, *value));
  return ts;
}

}  // namespace anabranch
