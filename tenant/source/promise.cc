#include "tenant/source/promise.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/status.h"
#include "storage/protection.h"
#include "tenant/source/judge.h"

namespace anabranch {

void DeleteStream(MetaUpdate& update, const catalog::StreamRecord& stream) {
  const std::string key = StreamKey(StreamId(stream.stream_id()));
  update.Delete(key);
  Unprotect(update, IncarnationId(stream.incarnation()), key);
}

absl::StatusOr<std::vector<StreamId>> Promise(MetaUpdate& update, const catalog::StreamRecord& stream,
                                              const StreamUser& user, catalog::TenantRecord& tenant) {
  const std::vector<uint64_t> before(tenant.promised_streams().begin(), tenant.promised_streams().end());
  tenant.clear_promised_streams();
  std::vector<StreamId> replaced;
  for (const uint64_t id : before) {
    ASSIGN_OR_RETURN(const catalog::StreamRecord earlier, LoadStream(update, StreamId(id)));
    const bool same_destination = earlier.destination_cluster_id() == stream.destination_cluster_id() &&
                                  earlier.destination_tenant_id() == stream.destination_tenant_id();
    if (same_destination) {
      RETURN_IF_ERROR(CheckMayReplace(earlier, user));
      DeleteStream(update, earlier);
      replaced.emplace_back(id);
    } else {
      tenant.add_promised_streams(id);
    }
  }
  tenant.add_promised_streams(stream.stream_id());
  return replaced;
}

absl::Status EndPromise(MetaUpdate& update, const catalog::StreamRecord& stream) {
  const TenantId id(stream.tenant_id());
  ASSIGN_OR_RETURN(const std::optional<std::string> there, update.GetBefore(TenantKey(id)));
  if (!there) return absl::OkStatus();
  ASSIGN_OR_RETURN(catalog::TenantRecord tenant, LoadTenant(update, id));
  auto* const promised = tenant.mutable_promised_streams();
  const auto kept = std::remove(promised->begin(), promised->end(), stream.stream_id());
  if (kept == promised->end()) return absl::OkStatus();
  promised->erase(kept, promised->end());
  PutTenant(update, tenant);
  return absl::OkStatus();
}

}  // namespace anabranch
